"""The processes of a bench: the engine, the load, and who receives what the engine delivers."""
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

import measure
import paths

HERE = os.path.dirname(os.path.abspath(__file__))


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_for(check, seconds, what):
    until = time.monotonic() + seconds
    while not check():
        if time.monotonic() > until:
            raise RuntimeError("timed out waiting for " + what)
        time.sleep(0.01)


def get_json(port, path, body=None):
    request = urllib.request.Request("http://127.0.0.1:%d%s" % (port, path), data=body)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.loads(answer.read())


class Sink:
    """The fake Elasticsearch."""

    def __init__(self, args, capture=None):
        command = [args.tools + "/sink", "--es", "0", "--answer", args.answer, "--pin", str(args.other_cpu)]
        self.process = subprocess.Popen(command + (["--capture", capture] if capture else []),
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split("=")[1])
        self.process.stdout.readline()

    def stats(self):
        return get_json(self.port, "/_sink/stats")

    def check(self, on):
        """While it is on, every document is read and its number accounted for."""
        get_json(self.port, "/_sink/loss", b"1" if on else b"0")

    def hurry(self):
        """From here on the counts of the requests' heads are enough."""
        get_json(self.port, "/_sink/discard", b"1")

    def stop(self):
        self.process.terminate()
        self.process.communicate()


class Lines:
    """Reads what the engine writes to a file or a pipe, and counts it like a sink; on this process's processor."""

    def __init__(self):
        self.port, self.documents, self.first, self.last = 0, 0, None, None
        self.numbers, self.checking, self.stopped, self.rest = [], False, False, b""
        self.thread = None

    def follow(self, fd):
        self.thread = threading.Thread(target=self._read, args=(fd,), daemon=True)
        self.thread.start()

    def _read(self, fd):
        while not self.stopped:
            piece = os.read(fd, 1 << 20)
            if not piece:
                time.sleep(0.001)
                continue
            n = piece.count(b"\n")
            if n and self.first is None:
                self.first = time.monotonic()
            if n:
                self.last = time.monotonic()
            if self.checking:
                lines = (self.rest + piece).split(b"\n")
                self.rest = lines.pop()
                # The message and the original line both have the number.
                self.numbers += [int(m.group(1)) for m in (re.search(rb"seq=(\d{12})", line) for line in lines) if m]
            self.documents += n

    def stats(self):
        return {"documents": self.documents, "seconds": (self.last or 0) - (self.first or 0),
                "unique": len(set(self.numbers)), "duplicates": len(self.numbers) - len(set(self.numbers))}

    def check(self, on):
        self.checking, self.rest = on, b""
        if on:
            self.numbers = []

    def hurry(self):
        pass

    def stop(self):
        self.stopped = True


class Unavailable(Exception):
    """What a path needs is not on this machine."""


class Kafka:
    """A real broker; what the engine counts as delivered it has acknowledged, and what is checked is read back."""

    TOOL = os.path.join(os.path.dirname(HERE), "tools/servers/kafka")

    def __init__(self):
        self.dir, self.engine, self.seen, self.first, self.last = tempfile.mkdtemp(prefix="spate-kafka-"), None, 0, None, 0
        self.unique = self.duplicates = 0
        started = self._tool("start")
        if started.returncode == 77:
            raise Unavailable(started.stdout.strip())
        self.port = int(re.search(r"^port=(\d+)", started.stdout, re.M).group(1))
        self._tool("topic", "--create", "--topic", "bench", "--partitions", "1")

    def _tool(self, command, *args):
        return subprocess.run([self.TOOL, command, self.dir, *args], stdout=subprocess.PIPE, text=True)

    @staticmethod
    def fetched():
        cache = os.environ.get("SPATE_CACHE", os.path.expanduser("~/.cache/spate"))
        return bool(glob.glob(os.path.join(cache, "kafka/*/complete")))

    def follow_engine(self, engine):
        self.engine = engine

    def stats(self):
        n, now = self.engine.events()["out"] if self.engine else 0, time.monotonic()
        if n != self.seen:
            self.first, self.last, self.seen = self.first or now, now, n
        return {"documents": n, "seconds": self.last - (self.first or 0), "unique": self.unique, "duplicates": self.duplicates}

    def check(self, on):
        if on:
            return
        text = self._tool("consume", "bench", str(self.seen)).stdout
        numbers = [re.search(r"seq=(\d{12})", line) for line in text.splitlines()]
        numbers = [m.group(1) for m in numbers if m]
        self.unique, self.duplicates = len(set(numbers)), len(numbers) - len(set(numbers))

    def hurry(self):
        pass

    def stop(self):
        self._tool("stop")
        shutil.rmtree(self.dir, ignore_errors=True)


class Engine:
    """spate with one of bench/pipelines on a port of its own."""

    def __init__(self, args, config, receiver, workers=1, data=None, n_patterns=0, binary=None, settings=None):
        self.dir = tempfile.mkdtemp(prefix="spate-bench-")
        self.data = data or os.path.join(self.dir, "data")
        self.port, self.api_port = free_port(), free_port()
        self.out = os.path.join(self.dir, "out.json")
        os.makedirs(self.data, exist_ok=True)
        conf = os.path.join(self.dir, "pipeline.conf")
        with open(os.path.join(HERE, "pipelines", config + ".conf")) as text, open(conf, "w") as out:
            filled = paths.fill(text.read(), n_patterns)
            out.write(filled)
        cpus = str(args.cpu) if workers == 1 else "%d,%d" % (args.cpu, args.other_cpu)
        command = ["taskset", "-c", cpus, binary or args.bin, "-f", conf, "--path.data", self.data, "-w", str(workers),
                   "--api.http.port", "%d-%d" % (self.api_port, self.api_port)] + args.engine_args
        if settings is not None:
            with open(os.path.join(self.dir, "spate.yml"), "w") as out:
                out.write(settings)
            command += ["--path.settings", self.dir]
        self.log = open(os.path.join(self.dir, "log"), "w+")
        to_pipe, to_file = "stdout {" in filled, "${OUT_FILE}" in filled
        self.listens = "${PORT}" in filled
        if to_file:
            open(self.out, "w").close()
            self.out_fd = os.open(self.out, os.O_RDONLY)
            receiver.follow(self.out_fd)
        begin = time.monotonic()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE if to_pipe else self.log, stderr=self.log,
                                        env=dict(os.environ, PORT=str(self.port), ES_PORT=str(receiver.port if receiver else 0),
                                                 OUT_FILE=self.out))
        self.pid = self.process.pid
        if to_pipe:
            receiver.follow(self.process.stdout.fileno())
        wait_for(self._up, 120, "spate to listen")
        self.start_ms = (time.monotonic() - begin) * 1000
        if isinstance(receiver, Kafka):
            receiver.follow_engine(self)

    def _up(self):
        if self.process.poll() is not None:
            self.log.seek(0)
            raise RuntimeError("spate ended with %d:\n%s" % (self.process.returncode, self.log.read()[-3000:]))
        return measure.listens(self.port if self.listens else self.api_port)

    def cleared(self):
        """Between repetitions: an output file starts anew."""
        if os.path.exists(self.out):
            os.truncate(self.out, 0)
            os.lseek(self.out_fd, 0, os.SEEK_SET)

    def events(self):
        """Events in and out so far, as the monitoring API counts them."""
        return get_json(self.api_port, "/_node/stats")["events"]

    def taken(self):
        """Frames that were taken from a poll-mode port, by what became of them."""
        return get_json(self.api_port, "/_node/stats/dpdk")["dpdk"]["devices"][0]["taken"]

    def metrics(self):
        """The Prometheus page's lines that speak of drops, {} when there is no such page."""
        try:
            with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % self.api_port, timeout=5) as answer:
                lines = answer.read().decode().splitlines()
        except (urllib.error.URLError, OSError):
            return {}
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines
                if line and line[0] != "#") if "drop" in name}

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class Load:
    """A run of loadgen. With hold, the connections are open when it is made, and stay open until finish()."""

    def __init__(self, args, port, options, hold=False):
        self.hold = hold
        self.process = subprocess.Popen([args.tools + "/loadgen", "--to", "127.0.0.1:%d" % port, "--pin",
                                         str(args.other_cpu)] + options + (["--hold"] if hold else []),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if hold:
            self._told("connected")
            time.sleep(0.5)  # until they are accepted

    def _told(self, what):
        name, _, value = self.process.stdout.readline().partition("=")
        if name != what:
            raise RuntimeError("loadgen ended instead of saying " + what)
        return int(value)

    def send(self):
        """Returns how many lines went out, when all have."""
        if self.hold:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
            return self._told("sent")
        return self.finish()["events"]

    def finish(self):
        if self.process.returncode is None:
            out = self.process.communicate("\n" if self.hold else None)[0]
            if self.process.returncode != 0:
                raise subprocess.CalledProcessError(self.process.returncode, "loadgen")
            self.summary = json.loads(out)
        return self.summary


def loadgen(args, port, options):
    return Load(args, port, options).finish()


def settle(receiver, expected, udp):
    """Waits until everything arrived, or until nothing more comes; returns the statistics."""
    last, since, stats = -1, time.monotonic(), receiver.stats()
    while stats["documents"] < expected or udp:
        if stats["documents"] != last:
            last, since = stats["documents"], time.monotonic()
        if time.monotonic() - since > (1.5 if udp else 15) or stats["documents"] >= expected:
            break
        time.sleep(0.02)
        stats = receiver.stats()
    return stats
