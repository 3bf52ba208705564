"""Reads what the kernel knows about a process: time on the processor, memory, counters of perf."""
import os
import re
import shutil
import signal
import subprocess
import time


def tasks(pid):
    try:
        return os.listdir("/proc/%d/task" % pid)
    except FileNotFoundError:
        return []


def cpu_ns(pid):
    """Nanoseconds on the processor, user and system, of all threads; schedstat is exact where stat has ticks."""
    total = 0
    for task in tasks(pid):
        try:
            with open("/proc/%d/task/%s/schedstat" % (pid, task)) as text:
                total += int(text.read().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total


def cpu_ns_by_thread(pid):
    """The same by name of the thread; a number at its end does not count."""
    by = {}
    for task in tasks(pid):
        try:
            with open("/proc/%d/task/%s/comm" % (pid, task)) as text:
                name = re.sub(r"[ 0-9]+$", "", text.read().strip())
            with open("/proc/%d/task/%s/schedstat" % (pid, task)) as text:
                by[name] = by.get(name, 0) + int(text.read().split()[0])
        except (FileNotFoundError, ProcessLookupError):
            pass
    return by


def ticks_ns(pid):
    """utime + stime of the process, threads that ended included, in clock ticks."""
    with open("/proc/%d/stat" % pid) as text:
        part = text.read().rsplit(")", 1)[1].split()
    return (int(part[11]) + int(part[12])) * 1000000000 // os.sysconf("SC_CLK_TCK")


def memory_kb(pid, which):
    with open("/proc/%d/status" % pid) as text:
        return int(re.search(which + r":\s+(\d+)", text.read()).group(1))


def udp_drops(port):
    """Datagrams the kernel dropped at the sockets of this port."""
    drops = 0
    for path in ("/proc/net/udp", "/proc/net/udp6"):
        with open(path) as table:
            next(table)
            for line in table:
                part = line.split()
                if int(part[1].rsplit(":", 1)[1], 16) == port:
                    drops += int(part[12])
    return drops


def listens(port, proto="tcp"):
    state = {"tcp": "0A", "udp": "07"}[proto]
    for suffix in ("", "6"):
        with open("/proc/net/" + proto + suffix) as table:
            next(table)
            for part in map(str.split, table):
                if part[3] == state and int(part[1].rsplit(":", 1)[1], 16) == port:
                    return True
    return False


class Perf:
    """perf stat on a running process, where perf is installed and the kernel lets it count."""

    EVENTS = "cycles,instructions"

    def __init__(self, pid):
        self.process = None
        if shutil.which("perf"):
            self.process = subprocess.Popen(["perf", "stat", "-p", str(pid), "-x", ",", "-e", self.EVENTS],
                                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            time.sleep(0.2)

    def stop(self):
        """{"cycles": n, "instructions": n}, or {} with the reason under "unavailable"."""
        if self.process is None:
            return {"unavailable": "perf is not installed"}
        self.process.send_signal(signal.SIGINT)
        text = self.process.communicate()[1]
        counts = {}
        for line in text.splitlines():
            part = line.split(",")
            if len(part) > 2 and part[0].isdigit():
                counts[part[2].split(":")[0]] = int(part[0])
        return counts or {"unavailable": "perf counts nothing here: " + " ".join(text.split())[:120]}


def machine():
    """One line that says what ran."""
    with open("/proc/cpuinfo") as text:
        info = text.read()
    model = re.search(r"model name\s*:\s*(.*)", info)
    with open("/proc/meminfo") as text:
        memory_gb = int(re.search(r"MemTotal:\s+(\d+)", text.read()).group(1)) / 1048576
    system = os.uname()
    return "%s, %d processors, %.0f GB, Linux %s" % (model.group(1) if model else system.machine, os.cpu_count(),
                                                    memory_gb, system.release)
