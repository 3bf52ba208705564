"""End-to-end harness: the real binary, real sockets, everything on loopback. Standard library only.

Spate runs the binary with a configuration in a directory of its own and waits until the ports it
was given listen, as /proc/net says, never by log text. stop() checks what every test must check:
exit code 0 in time, no sanitizer report, no panic. Sink runs tools/sink, the fake Elasticsearch
with scripted faults, and reads back what it captured.

Environment: SPATE_BIN (default build/spate, else build/dev/spate), SPATE_DPDK_BIN (the same of a build
with DPDK; default build/dpdk/spate), SPATE_TOOLS (the directory of loadgen and sink), SPATE_KEEP=1
keeps the directories.
"""
import base64
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import zlib

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# Sanitizer builds and a loaded machine are several times slower than a release build at rest.
PATIENCE = float(os.environ.get("SPATE_PATIENCE", "1"))


def _first_file(*paths):
    for path in paths:
        if path and os.path.exists(path):
            return path
    return None


def spate_bin():
    return _first_file(os.environ.get("SPATE_BIN"), os.path.join(ROOT, "build/spate"),
                       os.path.join(ROOT, "build/dev/spate"))


def dpdk_bin():
    return _first_file(os.environ.get("SPATE_DPDK_BIN"), os.path.join(ROOT, "build/dpdk/spate"))


def tool_bin(name):
    return _first_file(os.path.join(os.environ.get("SPATE_TOOLS", "/nonexistent"), name),
                       os.path.join(ROOT, "build/bin", name), os.path.join(ROOT, "build/dev/bin", name))


def free_ports(n):
    """n ports that are free for TCP and UDP alike on loopback."""
    held, ports = [], []
    while len(ports) < n:
        tcp = socket.socket()
        tcp.bind(("127.0.0.1", 0))
        port = tcp.getsockname()[1]
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        held += [tcp, udp]
        try:
            udp.bind(("127.0.0.1", port))
        except OSError:
            continue
        ports.append(port)
    for one in held:
        one.close()
    return ports


def wait_for(check, seconds=20.0, what="condition"):
    """Polls check() until it is true and returns its value; fails with `what` otherwise."""
    until = time.monotonic() + seconds * PATIENCE
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > until:
            raise AssertionError("timed out waiting for " + (what() if callable(what) else what))
        time.sleep(0.02)


def listening(proto):
    """Ports of this machine that listen (tcp) or are bound (udp), as the kernel says."""
    # TCP state 0A is LISTEN; an unconnected UDP socket is in state 07.
    state, ports = {"tcp": "0A", "udp": "07"}[proto], set()
    for suffix in ("", "6"):
        with contextlib.suppress(FileNotFoundError):
            with open("/proc/net/" + proto + suffix) as table:
                next(table)
                for part in map(str.split, table):
                    if part[3] == state:
                        ports.add(int(part[1].rsplit(":", 1)[1], 16))
    return ports


class Spate:
    """One run of the binary.

    config may use @P1@ ... for ports of its own, @DIR@ and any key of `names`. `tcp` and `udp` list
    the port names that must be open before start() returns. `pipelines` is {id: configuration} in place
    of config, `pipeline_settings` {id: {setting: value}} of some of them.
    """

    def __init__(self, config=None, ports=0, tcp=(), udp=(), names=None, args=(), env=None,
                 pipelines=None, settings=None, pipeline_settings=None, binary=None):
        self.binary = binary or spate_bin()
        self.dir = tempfile.mkdtemp(prefix="spate-e2e-")
        self.api_port, *own = free_ports(ports + 1)
        self.names = {"P%d" % (i + 1): port for i, port in enumerate(own)}
        self.names["DIR"] = self.dir
        self.names.update(names or {})
        self.config, self.pipelines, self.settings = config, pipelines, settings
        self.pipeline_settings = pipeline_settings or {}
        self.tcp, self.udp = tcp, udp
        self.args, self.env = list(args), dict(env or {})
        self.process = None
        self.log_path = os.path.join(self.dir, "spate.log")

    def port(self, n=1):
        return self.names["P%d" % n]

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def fill(self, text):
        return re.sub(r"@(\w+)@", lambda m: str(self.names.get(m.group(1), m.group(0))), text)

    def _command(self):
        data, settings = self.path("data"), self.path("settings")
        os.makedirs(data, exist_ok=True)
        os.makedirs(settings, exist_ok=True)
        with open(os.path.join(settings, "logstash.yml"), "w") as out:
            for key, value in (self.settings or {}).items():
                out.write("%s: %s\n" % (key, value))
        command = [self.binary, "--path.data", data, "--path.settings", settings, "--api.http.port",
                   "%d-%d" % (self.api_port, self.api_port)]
        if self.pipelines:
            with open(os.path.join(settings, "pipelines.yml"), "w") as out:
                for name, text in self.pipelines.items():
                    out.write("- pipeline.id: %s\n  config.string: %s\n" % (name, json.dumps(self.fill(text))))
                    for key, value in self.pipeline_settings.get(name, {}).items():
                        out.write("  %s: %s\n" % (key, value))
        else:
            with open(self.path("pipeline.conf"), "w") as out:
                out.write(self.fill(self.config))
            command += ["-f", self.path("pipeline.conf")]
        return command + [self.fill(str(arg)) for arg in self.args]

    def spawn(self):
        """Starts the process and returns at once."""
        env = dict(os.environ, TZ="UTC", ASAN_OPTIONS="detect_leaks=1:exitcode=99:abort_on_error=0",
                   UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1:exitcode=99", **self.env)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT, cwd=self.dir, env=env)
        return self

    def start(self, seconds=30):
        self.spawn()
        wait_for(self._ready, seconds, lambda: "ports of spate to listen; log:\n" + self.log()[-4000:])
        return self

    def _ready(self):
        if self.process.poll() is not None:
            raise AssertionError("spate ended with %d at start:\n%s" % (self.process.returncode, self.log()[-4000:]))
        tcp = {self.names[name] for name in self.tcp} | {self.api_port}
        udp = {self.names[name] for name in self.udp}
        return tcp <= listening("tcp") and udp <= listening("udp")

    def log(self):
        with contextlib.suppress(FileNotFoundError):
            with open(self.log_path, errors="replace") as log:
                return log.read()
        return ""

    def api(self, path="/", method="GET", body=None):
        request = urllib.request.Request("http://127.0.0.1:%d%s" % (self.api_port, path), method=method,
                                         data=None if body is None else json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=10 * PATIENCE) as answer:
            text = answer.read()
        return json.loads(text)

    def events(self, pipeline="main"):
        """in, filtered, out of a pipeline, from the monitoring API."""
        return self.api("/_node/stats/pipelines/" + pipeline)["pipelines"][pipeline]["events"]

    def metrics(self):
        """The Prometheus page as {name{labels}: value}, or None where the build has none."""
        try:
            with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % self.api_port, timeout=10) as answer:
                text = answer.read().decode()
        except urllib.error.HTTPError:
            return None
        values = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                values[name] = float(value)
        return values

    def rss_kb(self, which="VmRSS"):
        with open("/proc/%d/status" % self.process.pid) as status:
            return int(re.search(which + r":\s+(\d+)", status.read()).group(1))

    def threads(self):
        return len(os.listdir("/proc/%d/task" % self.process.pid))

    def check_log(self):
        """No sanitizer report and no panic; call it whenever the process has ended or is believed well."""
        log = self.log()
        for sign in ("AddressSanitizer", "LeakSanitizer", "UndefinedBehaviorSanitizer", "runtime error:",
                     "ThreadSanitizer", "PANIC", "panic:"):
            assert sign not in log, "%s in the log:\n%s" % (sign, log[-8000:])

    def wait(self, seconds=20):
        try:
            return self.process.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.send_signal(signal.SIGABRT)
            self.process.wait()
            raise AssertionError("spate did not end in %g s:\n%s" % (seconds, self.log()[-4000:]))

    def stop(self, seconds=20, expect=0):
        """SIGTERM, then the checks that every test ends with."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.wait(seconds)
        self.check_log()
        assert code == expect, "exit code %d, expected %d:\n%s" % (code, expect, self.log()[-4000:])
        self.process = None

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def cleanup(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if not os.environ.get("SPATE_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)


class Sink:
    """tools/sink: the fake Elasticsearch and plain sinks. script is text in its fault language."""

    def __init__(self, *args, script=None, es=0, tcp=None, udp=None, capture=True):
        self.dir = tempfile.mkdtemp(prefix="spate-sink-")
        self.capture_path = os.path.join(self.dir, "capture")
        self.requests_path = os.path.join(self.dir, "requests")
        command = [tool_bin("sink"), "--requests", self.requests_path]
        for flag, port in (("--es", es), ("--tcp", tcp), ("--udp", udp)):
            if port is not None:
                command += [flag, str(port)]
        if capture:
            command += ["--capture", self.capture_path]
        if script:
            with open(os.path.join(self.dir, "script"), "w") as out:
                out.write(script)
            command += ["--script", os.path.join(self.dir, "script")]
        self.process = subprocess.Popen(command + [str(arg) for arg in args], stdout=subprocess.PIPE, text=True)
        self.es = self.tcp = self.udp = None
        for line in iter(self.process.stdout.readline, "ready\n"):
            assert line, "the sink did not start"
            name, port = line.split("=")
            setattr(self, name, int(port))

    def stats(self):
        if self.es is not None:
            with contextlib.suppress(OSError):
                with urllib.request.urlopen("http://127.0.0.1:%d/_sink/stats" % self.es, timeout=10) as answer:
                    return json.loads(answer.read())
        self.process.send_signal(signal.SIGUSR1)
        return json.loads(self.process.stdout.readline())

    def script(self, text):
        """Replaces the script; its request numbers count from now."""
        urllib.request.urlopen("http://127.0.0.1:%d/_sink/script" % self.es, data=text.encode(), timeout=10).read()

    def toggle(self):
        """Takes the Elasticsearch port down (refusing) or up again."""
        self.process.send_signal(signal.SIGUSR2)
        time.sleep(0.1)

    def _lines(self, path):
        with open(path, "rb") as lines:
            text = lines.read()
        # The last line may be only half written.
        # Strict: what is not UTF-8 must never reach a cluster.
        return text[:text.rfind(b"\n") + 1].decode("utf-8").split("\n")[:-1]

    def items(self):
        """Every bulk item: request number, status, action line, document."""
        return [json.loads(line) for line in self._lines(self.capture_path)]

    def docs(self):
        """Documents that were accepted."""
        return [item["doc"] for item in self.items() if item["status"] < 300]

    def lines(self):
        return self._lines(self.capture_path)

    def requests(self):
        return [json.loads(line) for line in self._lines(self.requests_path)]

    def wait_docs(self, n, seconds=30):
        """Waits for at least n accepted documents and returns them all."""
        wait_for(lambda: self.stats()["documents"] >= n, seconds,
                 lambda: "%d documents; the sink has %s" % (n, self.stats()))
        return self.docs()

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait()
        self.process.stdout.close()
        assert code == 0, "the sink ended with %d" % code
        if not os.environ.get("SPATE_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)


# ---- senders ----

def tcp_connect(port, seconds=10, tls=None):
    sock = socket.create_connection(("127.0.0.1", port), timeout=seconds * PATIENCE)
    if tls is not None:
        sock = tls.wrap_socket(sock, server_hostname="localhost")
    return sock


def tls_context(pki, client=True):
    context = ssl.create_default_context(cafile=os.path.join(pki, "ca.crt"))
    if client:
        context.load_cert_chain(os.path.join(pki, "client.crt"), os.path.join(pki, "client.key"))
    return context


def send_tcp(port, data, tls=None, seconds=60):
    """Sends and ends the stream, then waits until the other side has taken it and closed too."""
    sock = tcp_connect(port, seconds, tls)
    with sock:
        sock.sendall(data)
        if tls is None:
            sock.shutdown(socket.SHUT_WR)
            with contextlib.suppress(OSError):
                while sock.recv(65536):
                    pass


def send_udp(port, *datagrams):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for one in datagrams:
            sock.sendto(one, ("127.0.0.1", port))


def reset(sock):
    """Closes with RST instead of FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Lumberjack:
    """A Beats client (lumberjack version 2) that sends windows and reads acknowledgements."""

    def __init__(self, port, tls=None, seconds=30):
        self.sock = tcp_connect(port, seconds, tls)

    @staticmethod
    def window(docs, compress=False):
        frames = b""
        for sequence, doc in enumerate(docs, 1):
            text = json.dumps(doc).encode()
            frames += b"2J" + struct.pack(">II", sequence, len(text)) + text
        if compress:
            packed = zlib.compress(frames)
            frames = b"2C" + struct.pack(">I", len(packed)) + packed
        return b"2W" + struct.pack(">I", len(docs)) + frames

    def send(self, docs, compress=False):
        self.sock.sendall(self.window(docs, compress))

    def ack(self, seconds=30):
        """Sequence of the next ACK frame; 0 is a keep-alive. None when the peer closed."""
        self.sock.settimeout(seconds * PATIENCE)
        frame = b""
        while len(frame) < 6:
            more = self.sock.recv(6 - len(frame))
            if not more:
                return None
            frame += more
        assert frame[:2] == b"2A", frame
        return struct.unpack(">I", frame[2:])[0]

    def acked(self, sequence, seconds=30):
        """Waits for the ACK of sequence, past keep-alives and partial ones."""
        while True:
            got = self.ack(seconds)
            assert got is not None, "the connection ended without an ACK"
            if got >= sequence:
                return got

    def close(self):
        self.sock.close()


def http(port, path, method="POST", body=b"", headers=None, user=None):
    """Status, body of one HTTP request."""
    request = urllib.request.Request("http://127.0.0.1:%d%s" % (port, path), data=body or None, method=method,
                                     headers=headers or {})
    if user:
        request.add_header("Authorization", "Basic " + base64.b64encode(user.encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=20 * PATIENCE) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def loadgen(port, *args):
    """Runs tools/loadgen to the end and returns its summary."""
    done = subprocess.run([tool_bin("loadgen"), "--to", "127.0.0.1:%d" % port] + [str(arg) for arg in args],
                          check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def numbered(n, first=0):
    """n lines with the markers that the sink's --loss accounts for."""
    return b"".join(b"line seq=%012d\n" % i for i in range(first, first + n))


def markers(docs, field="message"):
    """Sorted numbers of the markers in the documents' messages."""
    return sorted(int(re.search(r"seq=(\d{12})", doc[field]).group(1)) for doc in docs)


# ---- real servers ----

class Unavailable(Exception):
    """A recipe said why its server cannot be had here."""


def recipe(name, *args, stdin=None, env=None, seconds=900):
    """Runs tools/servers/NAME and returns its key=value lines; Unavailable on exit code 77."""
    command = [os.path.join(ROOT, "tools/servers", name)] + [str(arg) for arg in args]
    # Servers that were started inherit stdout, so it is a file: a pipe would never end.
    with tempfile.TemporaryFile("w+") as out:
        done = subprocess.run(command, input=stdin, stdout=out, stderr=subprocess.STDOUT, timeout=seconds,
                              env=dict(os.environ, **(env or {})))
        out.seek(0)
        text = out.read()
    if done.returncode == 77:
        raise Unavailable(re.sub(r"\x1b\[[0-9;]*m", "", text.strip().splitlines()[-1]))
    assert done.returncode == 0, "%s: %d\n%s" % (" ".join(command), done.returncode, text[-4000:])
    values = dict(line.split("=", 1) for line in text.splitlines() if re.match(r"\w+=", line))
    values["text"] = text
    return values
