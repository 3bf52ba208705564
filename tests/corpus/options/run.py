#!/usr/bin/env python3
"""Checks the configurations of this folder: spate has to take them.

    run.py --bin build/dev/spate [FILE...]       all without a name

They are where docs/plugins.md has examples from that no other test has (tools/docs). Each is checked as `spate -t`
does in a copy of this folder, with keys and certificates below tls, small databases under the names of MaxMind's, and
a schema registry at ${SCHEMA_SERVER}. A deprecated option has to give one warning; nothing else may be said but that inputs or outputs are missing. Exit code 1 when that is not so.
"""
import argparse
import glob
import http.server
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
sys.path.insert(0, os.path.join(ROOT, "tools"))
import options_used  # noqa: E402


class Registry(http.server.BaseHTTPRequestHandler):
    """Answers every request as a schema registry does."""

    def do_GET(self):
        with open("user.avsc", encoding="utf-8") as file:
            body = json.dumps({"schema": file.read()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def make_keys():
    """tls/: what tools/servers/pki makes, and the server's key with a password, alone and with its certificate."""
    subprocess.run([os.path.join(ROOT, "tools/servers/pki"), "tls"], check=True)
    subprocess.run(["openssl", "pkcs8", "-topk8", "-in", "tls/server.key", "-passout", "pass:changeit", "-out",
                    "tls/encrypted.key"], check=True)
    with open("tls/encrypted.pem", "wb") as both:
        for name in ("tls/encrypted.key", "tls/server.crt"):
            with open(name, "rb") as part:
                both.write(part.read())


def start_registry():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("tls/server.crt", "tls/server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return "https://localhost:%d" % server.server_port


def deprecated_options(binary):
    docs = json.loads(subprocess.run([binary, "--docs", "json"], capture_output=True, text=True, check=True).stdout)
    return {(p["kind"], p["name"], o["name"]) for p in docs["common"] + docs["plugins"] for o in p["options"]
            if o["state"] == "deprecated"}


def complaint(binary, path, deprecated, environment):
    """What is wrong with the file; empty when nothing is."""
    run = subprocess.run([binary, "-t", "-f", path, "--path.data", "data"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         text=True, env=environment, timeout=300)
    with open(path, encoding="utf-8") as file:
        uses = options_used.uses_of(file.read())
    old = sorted(option for use in uses for option, _ in use.options
                 if {(use.kind, use.name, option), (use.kind, None, option)} & deprecated)
    warned = sorted(re.findall(r"warning: `(\w+)` is deprecated", run.stdout))
    said = [line for line in re.findall("warning: .*", run.stdout) if not line.endswith(" [incomplete]")]
    if run.returncode != 0 or "Configuration OK" not in run.stdout or warned != old or len(said) != len(old):
        return "%s: exit code %d, deprecated options: %s\n%s" % (path, run.returncode, old, run.stdout)
    return ""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", default="build/spate")
    parser.add_argument("file", nargs="*")
    opts = parser.parse_args()
    binary = os.path.abspath(opts.bin)
    with tempfile.TemporaryDirectory() as folder:
        work = os.path.join(folder, "options")
        shutil.copytree(HERE, work)
        os.chdir(work)
        make_keys()
        for kind in ("ASN", "City"):
            shutil.copy(os.path.join(ROOT, "tests/spec/geoip", kind.lower() + ".mmdb"), "GeoLite2-%s.mmdb" % kind)
        environment = dict(os.environ, SCHEMA_SERVER=start_registry())
        deprecated = deprecated_options(binary)
        files = [os.path.basename(f) for f in opts.file] or sorted(glob.glob("*.conf"))
        wrong = [text for text in (complaint(binary, f, deprecated, environment) for f in files) if text]
        os.chdir(ROOT)
    print("\n".join(wrong) or "%d configurations are good" % len(files))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
