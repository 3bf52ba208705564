"""Where a path's nanoseconds go: samples of the running engine, sorted into stages by bench/stages.tsv.

perf samples by the processor's clock, which virtual machines have, too. The engine's own samples are told apart by
source file (lines of the release build's debug information, inlined functions resolved), so that no list of symbols
has to follow what link-time optimisation makes of their names; the kernel's by the functions that called them.
"""
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
UNATTRIBUTED = "unattributed"
FREQUENCY = 4999  # a prime, so that it falls in step with nothing


def read_stages():
    """[(stage, kind, expression)]"""
    with open(os.path.join(HERE, "stages.tsv"), encoding="utf-8") as text:
        lines = [line.rstrip("\n").split("\t") for line in text if line.strip() and not line.startswith("#")]
    return [(stage, kind, re.compile(expression)) for stage, kind, expression in lines]


def stages():
    """Their names in order, without those that share a name."""
    return list(dict.fromkeys(stage for stage, _, _ in read_stages())) + [UNATTRIBUTED]


def why_not():
    """"" or why nothing can be sampled here."""
    if not shutil.which("perf"):
        return "perf is not installed"
    tried = subprocess.run(["perf", "record", "-q", "-e", "cpu-clock:k", "-o", "/dev/null", "true"], stdout=subprocess.DEVNULL,
                           stderr=subprocess.PIPE, text=True)
    return "perf may not sample the kernel here: " + " ".join(tried.stderr.split())[:120] if tried.returncode else ""


class Sampler:
    """perf record on a running engine."""

    def __init__(self, pid, binary):
        self.pid, self.binary = pid, os.path.realpath(binary)
        self.dir = tempfile.mkdtemp(prefix="spate-perf-")
        self.data = os.path.join(self.dir, "perf.data")
        self.process = subprocess.Popen(["perf", "record", "-q", "-e", "cpu-clock", "-F", str(FREQUENCY), "-g", "-p", str(pid),
                                         "-o", self.data], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.3)

    def stop(self):
        """{stage: share of the samples}"""
        self.code = code_of(self.pid, self.binary)
        self.process.send_signal(signal.SIGINT)
        self.process.wait()
        try:
            return self._shares()
        finally:
            shutil.rmtree(self.dir, ignore_errors=True)

    def _shares(self):
        shown = subprocess.run(["perf", "script", "--no-inline", "-i", self.data, "-F", "comm,ip,sym,dso"], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True, errors="replace").stdout
        samples = [sample for sample in map(parsed, shown.split("\n\n")) if sample]
        own = {ip for _, frames in samples for ip, _, file in frames[:1] if file == self.binary}
        sources = sources_of(self.binary, self.code, own)
        table, counts = read_stages(), {}
        for thread, frames in samples:
            stage = stage_of(table, thread, frames, sources) if frames else UNATTRIBUTED
            counts[stage] = counts.get(stage, 0) + 1
        return {stage: n / len(samples) for stage, n in counts.items()}


def parsed(text):
    """(thread, [(address, symbol, file)]) of a sample as perf script prints it; of user code only the innermost
    frame is sure, for nobody keeps frame pointers."""
    lines = text.strip("\n").split("\n")
    if not lines[0]:
        return None
    frames = []
    for line in lines[1:]:
        found = re.match(r"\s*([0-9a-f]+) (.*) \((.*)\)$", line)
        if found:
            frames.append((int(found.group(1), 16), re.sub(r"\+0x[0-9a-f]+$", "", found.group(2)), found.group(3)))
    if frames and in_kernel(frames[0]):
        frames = [one for one in frames if in_kernel(one)]
    return lines[0].strip(), frames


def in_kernel(frame):
    return frame[2].startswith(("[kernel", "[guest.kernel")) or frame[2].endswith(".ko")


def code_of(pid, binary):
    """The running code: where it begins and ends in memory, and its place in the file and in the file's addresses."""
    headers = subprocess.run(["readelf", "-lW", binary], stdout=subprocess.PIPE, text=True).stdout
    segments = {int(offset, 16): int(address, 16) for offset, address in re.findall(r"LOAD\s+(0x\w+) (0x\w+) .* R E ", headers)}
    with open("/proc/%d/maps" % pid, encoding="utf-8") as maps:
        for line in maps:
            part = line.split()
            if len(part) > 5 and "x" in part[1] and part[5] == binary:
                begin, end = (int(one, 16) for one in part[0].split("-"))
                offset = int(part[2], 16)
                return begin, end, offset, segments.get(offset, offset)
    return 0, 0, 0, 0


def file_address(code, ip):
    """perf shows places in the file, older versions addresses in memory."""
    begin, end, offset, address = code
    return ip - begin + address if begin <= ip < end else ip - offset + address


def sources_of(binary, code, ips):
    """{ip: [source file of the innermost function, of the one it is inlined in, ...]}"""
    if not ips or not shutil.which("addr2line"):
        return {}
    asked = {}
    for ip in ips:
        asked.setdefault("0x%016x" % file_address(code, ip), []).append(ip)
    shown = subprocess.run(["addr2line", "-a", "-i", "-e", binary], input="\n".join(asked), stdout=subprocess.PIPE, text=True).stdout
    found, files = {}, []
    for line in shown.splitlines():
        if line in asked:
            files = []
            found.update((ip, files) for ip in asked[line])
        else:
            file = os.path.normpath(line.rsplit(":", 1)[0])
            files.append(os.path.relpath(file, ROOT) if file.startswith(ROOT + "/") else file)
    return {ip: files for ip, files in found.items() if files and files[0] != "??"}


def stage_of(table, thread, frames, sources):
    ip, symbol, file = frames[0]
    if in_kernel(frames[0]):
        return first(table, {"kernel": [one[1] for one in frames]})
    files = sources.get(ip, [])
    helper, rest = None, []
    for one in files:  # from the innermost outwards
        serves = first(table, {"helper": [one]})
        if serves == UNATTRIBUTED:
            rest = [one]
            break
        helper = helper or serves
    if helper and not rest:
        return helper
    return first(table, {"thread": [thread], "library": [os.path.basename(file)], "source": rest, "symbol": [] if files else [symbol]})


def first(table, texts):
    for stage, kind, expression in table:
        if any(expression.search(text) for text in texts.get(kind, ())):
            return stage
    return UNATTRIBUTED
