"""Other engines on the loads of bench/run: found, started, checked against spate's documents, measured.

A peer is measured like spate: on the same processor alone, the same lines, the same sink, in the same session. Its
configurations in bench/peers are tuned as its manual advises, and have to yield the documents that spate yields.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile

import flows
import measure
import paths
from processes import Engine, Sink, free_port, loadgen, settle, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
# Path of bench/run: which configurations of bench/peers serve it.
CONFIGS = {"A": "3164", "B": "5424", "D": "apache", "E": "ndjson"}
COMPARED = 2000
# Vocabulary differs ("crit", "Critical"); structured data is nested here and text there: that the field is there counts.
OWN_WORDS = ("severity.name", "facility.name", "structured_data")


class Peer:
    """What a peer's class gives: a binary, a command for a configuration, and why it may not be there."""
    extension = "conf"

    def __init__(self, root):
        self.root = root
        places = [os.path.join(root, "usr", place) for place in ("sbin", "bin")] if root else []
        places += os.environ.get("PATH", "").split(":") + ["/usr/sbin", "/usr/local/sbin", "/usr/share/logstash/bin", "/opt/fluent-bit/bin"]
        self.binary = shutil.which(self.program, path=":".join(places))

    def in_root(self, path):
        """Where a package's file is when the packages were unpacked below --peer-root."""
        unpacked = os.path.join(self.root or "/", path.lstrip("/"))
        return unpacked if os.path.exists(unpacked) else path

    def env(self):
        if not self.root:
            return dict(os.environ)
        folders = ["usr/lib/x86_64-linux-gnu", "usr/lib/aarch64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib/syslog-ng"]
        return dict(os.environ, LD_LIBRARY_PATH=":".join(os.path.join(self.root, one) for one in folders))

    def config(self, kind):
        return os.path.join(HERE, "peers", "%s-%s.%s" % (self.name, kind, self.extension))

    def version(self):
        shown = subprocess.run([self.binary, self.version_flag], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                               env=self.env()).stdout
        found = re.search(r"\d+\.\d+(\.\d+)?", shown)
        return found.group(0) if found else "unknown version"


class Rsyslog(Peer):
    name, program, version_flag = "rsyslog", "rsyslogd", "-v"

    def missing(self):
        if not os.path.exists(self.in_root("/usr/lib/x86_64-linux-gnu/rsyslog/omelasticsearch.so")):
            return "without omelasticsearch (package rsyslog-elasticsearch)"
        return None

    def command(self, conf, folder):
        return [self.binary, "-n", "-f", conf, "-i", folder + "/pid", "-M", self.in_root("/usr/lib/x86_64-linux-gnu/rsyslog")]


class SyslogNg(Peer):
    name, program, version_flag = "syslog-ng", "syslog-ng", "--version"

    def modules(self):
        found = subprocess.run(["find", self.in_root("/usr/lib/syslog-ng"), "-name", "libhttp.so"], stdout=subprocess.PIPE,
                               text=True).stdout.split()
        return os.path.dirname(found[0]) if found else None

    def missing(self):
        return None if self.modules() else "without http() (package syslog-ng-mod-http)"

    def command(self, conf, folder):
        return [self.binary, "-F", "--no-caps", "-f", conf, "-R", folder + "/persist", "-p", folder + "/pid",
                "-c", folder + "/control", "--module-path=" + self.modules()]


class Logstash(Peer):
    """Runs the very configurations that spate runs."""
    name, program, version_flag = "logstash", "logstash", "--version"

    def missing(self):
        return None

    def config(self, kind):
        config = {CONFIGS[name]: paths.PATHS[name].config for name in CONFIGS}[kind]
        return os.path.join(HERE, "pipelines", config + ".conf")

    def command(self, conf, folder):
        return [self.binary, "-f", conf, "--path.data", folder + "/data", "-w", "1", "-b", "2000", "--log.level", "error"]


class FluentBit(Peer):
    name, program, version_flag = "fluent-bit", "fluent-bit", "--version"

    def missing(self):
        return None

    def command(self, conf, _folder):
        return [self.binary, "-q", "-c", conf]


class Vector(Peer):
    name, program, version_flag, extension = "vector", "vector", "--version", "toml"

    def missing(self):
        return None

    def command(self, conf, _folder):
        return [self.binary, "-q", "--threads", "1", "--config-toml", conf]


PEERS = [Rsyslog, SyslogNg, Logstash, FluentBit, Vector]


class PeerProcess:
    """A running peer; to flows.py it is an engine."""

    def __init__(self, args, peer, kind, sink_port):
        self.dir = tempfile.mkdtemp(prefix="spate-peer-")
        self.port = free_port()
        conf = os.path.join(self.dir, "conf")
        with open(peer.config(kind)) as text, open(conf, "w") as out:
            out.write(text.read().replace("@PORT@", str(self.port)).replace("@ES_PORT@", str(sink_port))
                      .replace("@DIR@", self.dir).replace("@HERE@", os.path.join(HERE, "peers")))
        self.log = open(os.path.join(self.dir, "log"), "w+")
        env = dict(peer.env(), PORT=str(self.port), ES_PORT=str(sink_port), LS_JAVA_OPTS="-Xms1g -Xmx1g")
        self.process = subprocess.Popen(["taskset", "-c", str(args.cpu)] + peer.command(conf, self.dir), stdout=self.log,
                                        stderr=subprocess.STDOUT, env=env)
        self.pid = self.process.pid
        try:
            wait_for(self._up, 180, peer.name + " to listen")
        except RuntimeError:
            self.stop()
            raise

    def _up(self):
        if self.process.poll() is not None:
            self.log.seek(0)
            raise RuntimeError("it ended with %d: %s" % (self.process.returncode, self.log.read()[-800:]))
        return measure.listens(self.port)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)


# ---- are the documents the same? ----

def leaves(value, prefix=""):
    """{"a.b": value} of what says something: "", "-" and empty objects are absent fields in other words."""
    if isinstance(value, dict):
        found = {}
        for key, one in value.items():
            found.update(leaves(one, prefix + "." + key if prefix else key))
        return found
    return {} if value in ("", "-", None) else {prefix: value}


def comparable(document):
    found = {}
    for name, value in leaves(document).items():
        if any(word in name for word in OWN_WORDS):
            found[".".join(name.split(".")[:4]) if "structured_data" not in name else "structured_data"] = True
        elif name == "@timestamp":
            found[name] = re.sub(r"(\.\d{3})\d*|(?<=:\d\d)(?=[+Z])", lambda m: m.group(1) or ".000", value.replace("+00:00", "Z"))
        elif name in ("message", "event.original"):
            found[name] = value.rstrip("\n")
        else:
            found[name] = value
    return found


def documents(args, start, load):
    """{number: document} of one small load."""
    with tempfile.TemporaryDirectory() as folder:
        capture = os.path.join(folder, "documents")
        sink = Sink(args, capture)
        try:
            engine = start(sink)
            try:
                sent = loadgen(args, engine.port, load + ["--events", str(COMPARED)])
                settle(sink, sent["events"], False)
            finally:
                engine.stop()
        finally:
            sink.stop()
        found = {}
        with open(capture, encoding="utf-8") as lines:
            for line in lines:
                # Without a rate the same number is the same line in every run.
                number = re.search(r"seq=(\d{12})", line)
                if number:
                    found[int(number.group(1))] = comparable(json.loads(line)["doc"])
        return found


def without_times(document):
    """Two runs stamp their lines at different times."""
    texts = {name: re.sub(r"(?<!\d)\d\d:\d\d:\d\d", "T", value) if isinstance(value, str) and ":" in value else value
             for name, value in document.items() if name != "@timestamp"}
    return {**texts, "@timestamp": "@timestamp" in document}


def compare(ours, theirs):
    """"" or what is different."""
    missing = len(set(ours) - set(theirs))
    if missing or not ours:
        return "%d of %d documents are missing" % (missing, len(ours))
    for number, mine in ours.items():
        a, b = without_times(mine), without_times(theirs[number])
        for name in sorted({*a, *b}):
            if name not in a or name not in b:
                return "document %d: field %s is only in %s" % (number, name, "spate's" if name in a else "the peer's")
            if a[name] != b[name]:
                return "document %d: %s is %r, spate has %r" % (number, name, b[name], a[name])
    return ""


# ---- measuring ----

def measure_peer(args, peer, name):
    path, kind = paths.PATHS[name], CONFIGS[name]
    ours = documents(args, lambda sink: Engine(args, path.config, sink), path.load)
    theirs = documents(args, lambda sink: PeerProcess(args, peer, kind, sink.port), path.load)
    difference = compare(ours, theirs)
    sink = Sink(args)
    try:
        process = PeerProcess(args, peer, kind, sink.port)
        try:
            checked = flows.verify(args, process, sink, path.load, False)
            loadgen(args, process.port, path.load + ["--events", "200000"])
            settle(sink, 1 << 62, True)
            runs = [flows.repetition(args, process, sink, path.load + ["--drain-ms", "60000"]) for _ in range(args.reps)]
            peak_kb = measure.memory_kb(process.pid, "VmHWM")
        finally:
            process.stop()
    finally:
        sink.stop()
    result = flows.summary(path.what, checked, peak_kb, runs)
    result["fields"] = difference or "the same in %d documents" % len(ours)
    return result


def run(args, results, note):
    """{"peers": {name: {path: result}}, "absent": {name: why}}; results of spate come from the same session."""
    found, absent = {}, {}
    for kind in PEERS:
        if args.peer and kind.name not in args.peer:
            continue
        peer = kind(args.peer_root)
        why = "not found" if peer.binary is None else peer.missing()
        if why:
            absent[peer.name] = why
            continue
        title = "%s %s" % (peer.name, peer.version())
        for name in CONFIGS:
            if name not in results:
                continue
            if not os.path.exists(peer.config(CONFIGS[name])):
                absent["%s, path %s" % (peer.name, name)] = "it has no parser for this"
                continue
            try:
                found.setdefault(title, {})[name] = measure_peer(args, peer, name)
                note(title, name, found[title][name], results[name])
            except (RuntimeError, ValueError, subprocess.CalledProcessError) as error:
                absent["%s, path %s" % (peer.name, name)] = "did not run: " + str(error).strip().splitlines()[-1]
    return {"peers": found, "absent": absent}


def ratio(theirs, ours, key):
    return theirs[key]["median"] / ours[key]["median"]
