#!/usr/bin/env python3
"""Runs configurations of tests/corpus/configs and compares the documents that Elasticsearch gets.

    run.py --bin build/dev/spate [--show] [NAME...]       all without a name

A fake Elasticsearch on loopback takes the bulk requests. Each configuration is run as it stands, by
one worker; README.md says what a folder holds and how documents are made comparable. A second run has
the input many times over and more workers: every document must then come as many times. --show
prints the documents that came, in the form of expected.ndjson, instead of comparing them.
Exit code 1 when a document, a warning, the exit code of spate or a sanitizer is not as it should be.
"""
import argparse
import collections
import difflib
import gzip
import http.server
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
REPORTS = ("AddressSanitizer", "LeakSanitizer", "UndefinedBehaviorSanitizer", "runtime error:", "PANIC")
# The second run: the copies fill several small batches, whose borders fall anywhere.
COPIES, WORKERS, BATCH = 40, 2, 32
# What belongs to a document but is not in its source: expected.ndjson has it under these names.
ACTION_KEYS = ("_index", "_id", "routing", "pipeline", "version", "version_type")


class Elastic(http.server.BaseHTTPRequestHandler):
    """Says yes to everything and keeps the documents in server.documents."""
    protocol_version = "HTTP/1.1"

    def answer(self, body, status=200):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def do_any(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        if "/_bulk" in self.path:
            n = self.take(body)
            self.answer({"errors": False, "items": [{"index": {"status": 201}}] * n})
        elif self.path == "/_license":
            self.answer({"license": {"status": "active", "type": "basic"}})
        else:
            self.answer({"version": {"number": "8.17.0", "build_flavor": "default"}, "cluster_name": "fake"})

    do_GET = do_HEAD = do_PUT = do_POST = do_any

    def take(self, body):
        # Only "\n" separates: a document may hold other characters that splitlines() takes for line ends.
        lines = body.decode("utf-8").split("\n")[:-1]
        at = n = 0
        while at < len(lines):
            (action, about), = json.loads(lines[at]).items()
            document = {} if action == "index" else {"_op": action}
            document.update({key: about[key] for key in ACTION_KEYS if about.get(key) is not None})
            if action != "delete":
                at += 1
                document.update(json.loads(lines[at]))
            self.server.documents.append(document)
            at += 1
            n += 1
        return n

    def log_message(self, *_):
        pass


def comparable(value, begin, end, path):
    """The value with what depends on the time and the place of the run replaced; see README.md."""
    if isinstance(value, dict):
        return {key: comparable(one, begin, end, path) for key, one in value.items()}
    if isinstance(value, list):
        return [comparable(one, begin, end, path) for one in value]
    if not isinstance(value, str):
        return value
    if value == socket.gethostname():
        return "$HOST"
    if value == path:
        return "$INPUT"
    stamp = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d+Z", value)
    if stamp and begin <= datetime.fromisoformat(stamp.group(1) + "+00:00").timestamp() <= end:
        return "$NOW"
    return value


def dateless(index, *times):
    """The name of an index without the day of the run in it."""
    for seconds in times:
        index = index.replace(time.strftime("%Y.%m.%d", time.gmtime(seconds)), "$TODAY")
    return index


def canonical(documents):
    """One text per document, keys in order, documents of one index together."""
    documents = sorted(documents, key=lambda document: document.get("_index", ""))
    return [json.dumps(document, sort_keys=True, ensure_ascii=False) for document in documents]


def settings(config):
    """The lines '# corpus: KEY TEXT' of a configuration: {key: [text, ...]}."""
    found = {"args": [], "warns": [], "once": []}
    for key, text in re.findall(r"(?m)^# corpus: (\w+) (.*)$", config):
        if key not in found:
            raise SystemExit("unknown '# corpus: %s'" % key)
        found[key] += shlex.split(text) if key == "args" else [text]
    return found


def spate_run(binary, folder, source, args):
    """Runs the configuration of a folder on the file `source`. Returns exit code, log and documents."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elastic)
    server.documents = []
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    env = dict(os.environ, TZ="UTC", ASAN_OPTIONS="detect_leaks=1:exitcode=99:abort_on_error=0",
               UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1:exitcode=99", CORPUS_INPUT=source,
               ELASTICSEARCH_URL="http://127.0.0.1:%d" % server.server_address[1],
               GEOIP_CITY=os.path.join(ROOT, "tests/spec/geoip/city.mmdb"),
               GEOIP_ASN=os.path.join(ROOT, "tests/spec/geoip/asn.mmdb"))
    with tempfile.TemporaryDirectory(prefix="spate-corpus-") as state:
        command = [binary, "--api.enabled", "false", "--path.data", os.path.join(state, "data"),
                   "--path.settings", state, "-f", os.path.join(folder, "pipeline.conf"), *args]
        begin = int(time.time())
        try:
            with open(source, "rb") as stdin:
                done = subprocess.run(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                      env=env, cwd=folder, timeout=60)
        finally:
            server.shutdown()
            server.server_close()
        end = time.time() + 1
    documents = [comparable(document, begin, end, source) for document in server.documents]
    for document in documents:
        document["_index"] = dateless(document.get("_index", ""), begin, end)
    return done.returncode, done.stdout.decode("utf-8", "replace"), documents


def without_optional(expected, got):
    """Expected documents that may be missing ("$optional": true) are left out when they are not there."""
    kept, have = [], canonical(got)
    for document in expected:
        optional = document.pop("$optional", False)
        if not optional or canonical([document])[0] in have:
            kept.append(document)
    return kept


def problems_of(code, log, warns):
    if code != 0:
        yield "exit code %d" % code
    for report in REPORTS:
        if report in log:
            yield report
    # What is said about the configuration; events that do not parse are warned of, too.
    warnings = [line for line in log.splitlines() if "warning:" in line or " error:" in line]
    for pattern in warns:
        hits = [line for line in warnings if re.search(pattern, line)]
        if not hits:
            yield "no warning like " + pattern
        warnings = [line for line in warnings if line not in hits]
    for line in warnings:
        yield "unexpected: " + line


def difference(expected, got):
    wanted, came = canonical(without_optional(expected, got)), canonical(got)
    if wanted != came:
        yield "documents differ (- expected, + came)"
        yield from (line for line in difflib.ndiff(wanted, came) if not line.startswith("  "))


def difference_in_number(expected, got):
    wanted, came = collections.Counter(canonical(expected)), collections.Counter(canonical(got))
    for text in wanted.keys() | came.keys():
        if wanted[text] * COPIES != came[text]:
            yield "%d instead of %d times: %s" % (came[text], wanted[text] * COPIES, text)


def check(binary, name, show):
    """True when the configuration does what its folder says."""
    folder = os.path.join(HERE, name)
    with open(os.path.join(folder, "pipeline.conf"), encoding="utf-8") as file:
        option = settings(file.read())
    source, = [os.path.join(folder, file) for file in os.listdir(folder) if file.startswith("input.")]
    code, log, got = spate_run(binary, folder, source, ["-w", "1", *option["args"]])
    if show:
        print("\n".join(canonical(got)))
        return code == 0
    with open(os.path.join(folder, "expected.ndjson"), encoding="utf-8") as file:
        expected = [json.loads(line.replace("$YEAR", time.strftime("%Y", time.gmtime()))) for line in file]
    # A machine may bear a name that is in a document.
    expected = [comparable(document, 1, 0, source) for document in expected]
    # What is pending at the end of the input is not pending when another copy follows.
    again = not option["once"] and not any("$optional" in document for document in expected)
    problems = [*problems_of(code, log, option["warns"]), *difference(expected, got)]
    if again and not problems:
        with tempfile.NamedTemporaryFile(prefix="spate-corpus-") as copies:
            with open(source, "rb") as file:
                copies.write(file.read() * COPIES)
            copies.flush()
            args = ["-w", str(WORKERS), "-b", str(BATCH), *option["args"]]
            code, log, got = spate_run(binary, folder, copies.name, args)
        problems = [*problems_of(code, log, option["warns"]), *difference_in_number(expected, got)]
    if problems:
        print("FAIL %s\n%s\n%s" % (name, "\n".join(problems), log), file=sys.stderr)
    return not problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bin", required=True)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    names = options.names or sorted(name for name in os.listdir(HERE) if os.path.isdir(os.path.join(HERE, name)))
    good = [check(os.path.abspath(options.bin), name, options.show) for name in names]
    print("%d of %d configurations are as expected" % (sum(good), len(good)), file=sys.stderr)
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
