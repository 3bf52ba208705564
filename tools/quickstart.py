#!/usr/bin/env python3
"""tools/dev quickstart: runs conf/quickstart.conf, sends it real lines of every kind with ordinary
tools, and shows the documents that came out.

--once stops afterwards; the exit code is 0 only when every line came out. Python's standard
library only.
"""
import argparse
import datetime
import glob
import json
import logging
import logging.handlers
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TIMEOUT_S = 30


def listening(port):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


def wait_for(what, check, process):
    until = time.time() + TIMEOUT_S
    while time.time() < until:
        if process.poll() is not None:
            sys.exit("spate ended with exit code %s before it was ready" % process.returncode)
        if check():
            return
        time.sleep(0.05)
    sys.exit("timed out waiting for " + what)


class Sent:
    """What was sent, by the marker each line carries."""

    def __init__(self):
        self.stamp = "%x" % (time.time_ns() & 0xffffffff)
        self.markers = {}

    def marker(self, how):
        name = "quickstart-%s-%d" % (self.stamp, len(self.markers) + 1)
        self.markers[name] = how
        return name


def send_logger(sent):
    logger = shutil.which("logger")
    if logger is None:
        return
    for how, flags in (("logger, RFC 3164 over TCP", ["--tcp", "--rfc3164"]),
                       ("logger, RFC 5424 over TCP", ["--tcp", "--rfc5424"]),
                       ("logger, RFC 5424 over TCP, octet-counted", ["--tcp", "--rfc5424", "--octet-count"]),
                       ("logger, RFC 3164 over UDP", ["--udp", "--rfc3164"]),
                       ("logger, RFC 5424 over UDP", ["--udp", "--rfc5424"])):
        subprocess.run([logger, "--server", "127.0.0.1", "--port", "5514", "--tag", "quickstart", "--priority",
                        "auth.warning"] + flags + ["session opened for user ann, " + sent.marker(how)], check=True)


def send_python_logging(sent):
    handler = logging.handlers.SysLogHandler(address=("127.0.0.1", 5514))
    handler.append_nul = False
    # The handler writes the priority; the rest of an RFC 3164 header is the formatter's.
    handler.setFormatter(logging.Formatter("%(asctime)s quickstart-host shop[7]: %(message)s", "%b %d %H:%M:%S"))
    log = logging.getLogger("quickstart")
    log.addHandler(handler)
    log.error("payment refused, " + sent.marker("Python logging, SysLogHandler over UDP"))
    handler.close()


def send_json(sent):
    now = datetime.datetime.now(datetime.timezone.utc)
    with socket.create_connection(("127.0.0.1", 5000)) as s:
        for i in range(3):
            doc = {"time": (now - datetime.timedelta(seconds=i)).isoformat().replace("+00:00", "Z"), "level": "WARN",
                   "user": {"id": i, "name": "Zoë"}, "message": "basket is empty, " + sent.marker("JSON line over TCP")}
            s.sendall(json.dumps(doc).encode() + b"\n")


def send_raw(sent):
    now = datetime.datetime.now(datetime.timezone.utc)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        access = '203.0.113.7 - ann [%s] "GET /a/%s?x=1 HTTP/1.1" 200 5120 "https://example.org/" "curl/7.88.1"' % (
            now.strftime("%d/%b/%Y:%H:%M:%S +0000"), sent.marker("access log line over UDP"))
        plain = "%s ERROR disk is nearly full, %s" % (
            now.strftime("%Y-%m-%dT%H:%M:%S.000Z"), sent.marker("application line over UDP"))
        for line in (access, plain):
            s.sendto(line.encode(), ("127.0.0.1", 5959))


def read_documents(folder, sent):
    found = {}
    for path in sorted(glob.glob(os.path.join(folder, "*.ndjson"))):
        with open(path, encoding="utf-8") as f:
            for line in f:
                if not line.endswith("\n"):
                    continue
                for name in sent.markers:
                    if name + '"' in line or name + "?" in line or name + "\\n" in line:
                        found.setdefault(name, (path, json.loads(line)))
    return found


def api(port, path):
    with urllib.request.urlopen("http://127.0.0.1:%d%s" % (port, path), timeout=5) as r:
        return json.loads(r.read())


def show(found, sent, api_port):
    for name, how in sent.markers.items():
        print("\n--- %s" % how)
        if name in found:
            print(json.dumps(found[name][1], indent=2, ensure_ascii=False))
        else:
            print("    DID NOT COME OUT")
    stats = api(api_port, "/_node/stats/pipelines")["pipelines"]
    for pipeline, numbers in stats.items():
        print("\npipeline %s: %s" % (pipeline, json.dumps(numbers["events"])))
        for kind in ("inputs", "filters", "outputs"):
            for plugin in numbers["plugins"][kind]:
                print("  %-8s %-32s %s" % (kind[:-1], plugin["id"], json.dumps(plugin.get("events", {}))))


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--once", action="store_true", help="stop afterwards; exit 0 only when every line came out")
    ap.add_argument("--bin", default=os.path.join(ROOT, "build", "spate"))
    opts = ap.parse_args()
    data = os.environ.get("QUICKSTART_DATA") or os.path.join(ROOT, "data")
    os.makedirs(data, exist_ok=True)
    config = os.path.join(ROOT, "conf", "quickstart.conf")
    if os.environ.get("ES_URL"):
        config = os.path.join(ROOT, "conf", "quickstart{,-elasticsearch}.conf")
    for port in (5514, 5000):
        if listening(port):
            sys.exit("port %d is in use on 127.0.0.1: stop what listens there and try again" % port)
    state = tempfile.mkdtemp(prefix="spate-quickstart-")
    api_port = 9600
    while listening(api_port):
        api_port += 1
    env = dict(os.environ, QUICKSTART_DATA=data)
    command = [opts.bin, "-f", config, "--path.data", state, "--api.http.port", str(api_port)]
    print("$ " + " ".join(command))
    process = subprocess.Popen(command, env=env)
    try:
        wait_for("the ports to listen", lambda: all(map(listening, (5514, 5000, api_port))), process)
        sent = Sent()
        send_logger(sent)
        send_python_logging(sent)
        send_json(sent)
        send_raw(sent)
        until = time.time() + TIMEOUT_S
        found = {}
        while len(found) < len(sent.markers) and time.time() < until and process.poll() is None:
            time.sleep(0.2)
            found = read_documents(data, sent)
        show(found, sent, api_port)
        print("\n%d lines sent, %d came out as documents in %s" % (len(sent.markers), len(found), data))
        if not opts.once:
            print("still running: syslog on 5514 (TCP, UDP), JSON lines on 5000, raw UDP on 5959, "
                  "counters on http://127.0.0.1:%d/_node/stats/pipelines; Ctrl-C ends it" % api_port)
            process.wait()
        return 0 if len(found) == len(sent.markers) else 1
    except KeyboardInterrupt:
        return 0
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait()
        shutil.rmtree(state, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
