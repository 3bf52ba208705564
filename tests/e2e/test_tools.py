"""The tools that the other tests and the benches believe: loadgen and the sink. No engine needed."""
import gzip
import http.client
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib

import pytest

import harness

sys.path.insert(0, os.path.join(harness.ROOT, "tools"))
import options_used  # noqa: E402


def ask(port, method, path, body=None, headers=None):
    """Status and body, or the kind of exception."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        link.request(method, path, body=body, headers=headers or {})
        answer = link.getresponse()
        return answer.status, answer.read()
    except (http.client.HTTPException, OSError) as error:
        return type(error).__name__, b""
    finally:
        link.close()


def bulk(numbers, text=""):
    return "".join('{"create":{"_index":"a"}}\n{"message":"%s seq=%012d"}\n' % (text, i) for i in numbers).encode()


def test_sink_accounts_for_documents(sink):
    """Plain, compressed and chunked bodies count alike; markers tell unique, double and missing."""
    es = sink("--loss")
    body = bulk(range(10))
    assert ask(es.es, "POST", "/_bulk", body)[0] == 200
    assert ask(es.es, "POST", "/_bulk", gzip.compress(body), {"Content-Encoding": "gzip"})[0] == 200
    pieces = [body[at:at + 7] for at in range(0, len(body), 7)]
    assert ask(es.es, "POST", "/_bulk", iter(pieces))[0] == 200
    assert ask(es.es, "POST", "/_bulk", bulk([19]))[0] == 200
    stats = es.stats()
    assert stats["documents"] == 31 and len(es.docs()) == 31
    assert (stats["unique"], stats["duplicates"], stats["missing"]) == (11, 20, 9)


def test_sink_fast_path_counts_the_same(sink):
    """Without capture and markers a body is only counted as it passes: 20 MB in uneven writes."""
    es = sink(capture=False)
    body = bulk(range(100000), "x" * 130)
    assert ask(es.es, "POST", "/_bulk", body)[0] == 200
    raw = socket.create_connection(("127.0.0.1", es.es))
    raw.sendall(b"POST /_bulk HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body))
    for at in range(0, len(body), 77777):
        raw.sendall(body[at:at + 77777])
    assert b'"errors":false' in raw.recv(65536)
    raw.close()
    assert es.stats()["documents"] == 200000


def test_sink_discards_by_the_event_count_header(sink):
    """--discard throws body bytes away and takes the number from X-Elastic-Event-Count."""
    es = sink("--discard", capture=False)
    body = bulk(range(5000))
    for _ in range(3):
        assert ask(es.es, "POST", "/_bulk", body, {"X-Elastic-Event-Count": "5000"})[0] == 200
    stats = es.stats()
    assert stats["documents"] == 15000 and stats["body_bytes"] == 3 * len(body)


def test_sink_faults(sink):
    """Each word of the fault language does what it says."""
    es = sink(script="""# comment
        1 status 429 retry-after 7
        2 status 413 empty
        3 status 502 html
        4 close
        5 cut 40
        6 reset
        7 items 429 every 3
        8 items 400 match bad times 1
        9 delay 400
        10 reset-early
        11-12 status 503
        13+ items 409
        path HEAD /_index_template/ 404
        path GET /here 200 {"a":1}""")
    body = bulk(range(4))
    answers = [ask(es.es, "POST", "/_bulk", body) for _ in range(6)]
    assert [one[0] for one in answers[:4]] == [429, 413, 502, "RemoteDisconnected"]
    assert answers[1][1] == b"" and answers[2][1].startswith(b"<html>")
    assert answers[4][0] in (200, "IncompleteRead", "BadStatusLine") and b"items" not in answers[4][1]
    assert answers[5][0] == "ConnectionResetError"
    items = json.loads(ask(es.es, "POST", "/_bulk", body)[1])
    assert items["errors"] is True and [one["create"]["status"] for one in items["items"]] == [201, 201, 429, 201]
    items = json.loads(ask(es.es, "POST", "/_bulk", bulk([1]) + bulk([2, 3], "bad"))[1])["items"]
    assert [one["create"]["status"] for one in items] == [201, 400, 201]
    begin = time.monotonic()
    assert ask(es.es, "POST", "/_bulk", body)[0] == 200 and time.monotonic() - begin > 0.39
    assert ask(es.es, "POST", "/_bulk", body)[0] in ("ConnectionResetError", "BrokenPipeError")
    assert [ask(es.es, "POST", "/_bulk", body)[0] for _ in range(2)] == [503, 503]
    assert json.loads(ask(es.es, "POST", "/_bulk", body)[1])["items"][3]["create"]["status"] == 409
    assert ask(es.es, "HEAD", "/_index_template/x")[0] == 404
    assert ask(es.es, "GET", "/here") == (200, b'{"a":1}')
    assert ask(es.es, "POST", "/_sink/script", b"1 nonsense")[0] == 400
    es.script("1 status 500")
    assert [ask(es.es, "POST", "/_bulk", body)[0] for _ in range(2)] == [500, 200]


def test_sink_goes_down_and_up_on_its_port(sink):
    """Down means refused, with the port kept."""
    es = sink("--down")
    assert ask(es.es, "GET", "/")[0] == "ConnectionRefusedError"
    es.toggle()
    assert ask(es.es, "GET", "/")[0] == 200
    es.toggle()
    assert ask(es.es, "GET", "/")[0] == "ConnectionRefusedError"


def test_sink_asks_for_a_password(sink):
    """Basic authentication, 401 otherwise."""
    es = sink("--user", "u", "--password", "pass word")
    assert harness.http(es.es, "/", "GET")[0] == 401
    assert harness.http(es.es, "/", "GET", user="u:wrong")[0] == 401
    assert harness.http(es.es, "/", "GET", user="u:pass word")[0] == 200


@pytest.mark.parametrize("workload", ["rfc3164", "rfc5424", "apache", "ndjson", "short", "beats"])
@pytest.mark.parametrize("options", [[], ["--connections", 20, "--write-size", 0], ["--connections", 3, "--rate", 100000]])
def test_loadgen_sends_what_it_says(sink, workload, options):
    """Every numbered line once, over one and many connections, in large and single-line writes."""
    es = sink("--loss", es=None, tcp=0, capture=False)
    sent = harness.loadgen(es.tcp, "--workload", workload, "--events", 30000, *options)
    assert sent["events"] == 30000 and sent["drained"]
    stats = es.stats()
    assert stats["lines"] == stats["unique"] == 30000 and stats["line_bytes"] == sent["bytes"]


def test_loadgen_seed_decides_the_lines(sink):
    """The same seed gives the same lines, another seed others, and JSON lines are JSON."""
    texts = []
    for seed in (1, 1, 2):
        es = sink(es=None, tcp=0)
        harness.loadgen(es.tcp, "--workload", "ndjson", "--events", 500, "--seed", seed)
        lines = [json.loads(line) for line in harness.wait_for(lambda: len(es.lines()) == 500 and es.lines(), 10, "lines")]
        for line in lines:
            del line["@timestamp"]
        texts.append(lines)
    assert texts[0] == texts[1] != texts[2]


def lumberjack_server(listener, windows, events):
    """Takes windows of version 2 from one connection and acknowledges each when its last event is there."""
    link, _ = listener.accept()
    stream = link.makefile("rb")
    expected = 0
    while head := stream.read(2):
        assert head[:1] == b"2"
        value = int.from_bytes(stream.read(4), "big")
        if head == b"2W":
            windows.append(value)
            expected = value
            continue
        assert head == b"2C"
        frames, at, seq = zlib.decompress(stream.read(value)), 0, 0
        while at < len(frames):
            assert frames[at:at + 2] == b"2J"
            seq, size = struct.unpack(">II", frames[at + 2:at + 10])
            events.append(json.loads(frames[at + 10:at + 10 + size]))
            at += 10 + size
        assert seq == expected
        link.sendall(b"2A" + struct.pack(">I", max(seq // 2, 1)))  # still at it
        link.sendall(b"2A" + struct.pack(">I", seq))
    link.close()


@pytest.mark.parametrize("options", [[], ["--no-marker"], ["--pipelining", 1, "--window", 10]])
def test_loadgen_speaks_lumberjack(options):
    """Windows of the size asked for, a last one that is smaller, every event JSON and numbered once."""
    windows, events = [], []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=lumberjack_server, args=(listener, windows, events))
        server.start()
        sent = harness.loadgen(listener.getsockname()[1], "--lumberjack", "--window", 100, "--events", 1030, *options)
        server.join(20)
    size = 10 if "--window" in options else 100
    assert windows == [size] * (1030 // size) + ([30] if size == 100 else [])
    assert sent["events"] == len(events) == 1030 and sent["drained"]
    assert all(one["@metadata"]["beat"] == "filebeat" for one in events)
    if not options:
        assert [int(one["message"].split("seq=")[1]) for one in events] == list(range(1030))


def test_delays_are_those_of_the_way(sink):
    """sent= in the lines is the time of sending: the sink's percentiles are the time it was under way."""
    es = sink("--loss")
    with tempfile.TemporaryDirectory() as folder:
        lines = os.path.join(folder, "lines")
        listener = socket.create_server(("127.0.0.1", 0))
        reader = threading.Thread(target=lambda: open(lines, "wb").write(listener.accept()[0].makefile("rb").read()))
        reader.start()
        harness.loadgen(listener.getsockname()[1], "--workload", "short", "--latency", "--events", 400, "--rate", 1000)
        reader.join(20)
        with open(lines) as text:
            sent = [int(line.split("sent=")[1]) for line in text]
    assert sent == sorted(sent) and 0.3e9 < sent[-1] - sent[0] < 3e9
    begin = time.monotonic_ns()
    body = "".join('{"create":{}}\n{"message":"seq=%012d sent=%019d"}\n' % (i, at) for i, at in enumerate(sent))
    assert ask(es.es, "POST", "/_bulk", body.encode())[0] == 200
    delay = es.stats()["delay"]
    assert delay["n"] == 400
    for name, share in (("p50_us", 0.5), ("p99_us", 0.99)):
        real = (begin - sent[int(400 * (1 - share)) - 1]) / 1000
        assert 0.95 * real < delay[name] < 1.05 * real + 100000, (name, real, delay)
    assert delay["p50_us"] <= delay["p90_us"] <= delay["p99_us"] <= delay["max_us"]
    assert ask(es.es, "POST", "/_sink/loss", b"1")[0] == 200 and "delay" not in es.stats()


def test_loadgen_holds(sink):
    """--hold: connections are open before the first line is sent, and stay open after the last until told."""
    es = sink("--loss", es=None, tcp=0, capture=False)
    run = subprocess.Popen([harness.tool_bin("loadgen"), "--to", "127.0.0.1:%d" % es.tcp, "--connections", "300",
                            "--events", "3000", "--write-size", "0", "--workload", "short", "--hold"],
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert run.stdout.readline() == "connected=300\n"
    harness.wait_for(lambda: es.stats()["connections_open"] == 300, what="connections")
    assert es.stats()["lines"] == 0
    run.stdin.write("\n")
    run.stdin.flush()
    assert run.stdout.readline() == "sent=3000\n"
    harness.wait_for(lambda: es.stats()["unique"] == 3000, what="lines")
    assert es.stats()["connections_open"] == 300
    out = run.communicate("\n", timeout=20)[0]
    assert json.loads(out)["drained"] and es.stats()["connections_open"] == 0


def test_loadgen_octet_counting(sink):
    """RFC 6587 frames: each length leads to the next frame."""
    es = sink(es=None, tcp=0)
    harness.loadgen(es.tcp, "--workload", "rfc5424", "--octet-counted", "--events", 100)
    stats = es.stats()
    assert stats["lines"] == 1, "no newline is sent, so all is one line when the connection ends"
    assert stats["line_bytes"] > 100 * 150


def test_loadgen_udp_and_gso(sink):
    """A datagram a line, with and without segmentation offload, nothing lost at a modest rate."""
    for options in ([], ["--pad", 200, "--gso", 10]):
        es = sink("--loss", "--rcvbuf", 1 << 24, es=None, udp=0, capture=False)
        sent = harness.loadgen(es.udp, "--udp", "--events", 20000, "--rate", 100000, *options)
        assert sent["events"] + sent["refused"] == 20000
        harness.wait_for(lambda: es.stats()["unique"] >= sent["events"] - es.stats()["datagrams_dropped"], 10, "datagrams")
        assert es.stats()["duplicates"] == 0


def test_loadgen_replays_a_file_once(sink):
    """A file's lines, in order, once when nothing else is said."""
    es = sink(es=None, tcp=0)
    with tempfile.NamedTemporaryFile("w", delete=False) as lines:
        lines.write("".join("line %d\n" % i for i in range(50000)))
    assert harness.loadgen(es.tcp, "--file", lines.name)["events"] == 50000
    os.unlink(lines.name)
    harness.wait_for(lambda: len(es.lines()) == 50000, 10, "50000 lines")
    assert es.lines() == ["line %d" % i for i in range(50000)]


# ---- options_used: what the checks and docs/plugins.md know of configurations -----------------------------------


def used(config):
    return [(u.kind, u.name, [(option, value.text) for option, value in u.options]) for u in options_used.uses_of(config)]


def test_options_of_a_configuration():
    config = r"""# a { comment => } "
        input { tcp { port => 5044 codec => multiline { pattern => "^\s" what => previous } } stdin { codec => json } }
        filter { if [a] =~ /\/{x}/ and "}" in [b] { kv { "source" => '[a]["b"]' field_split => "\"{" } }
            else if [c] { drop {} } else { mutate { rename => { "a" => "b" c => [d, 1.5] } copy => {} } } }"""
    assert used(config) == [
        ("input", "tcp", [("port", "5044"), ("codec", r'multiline { pattern => "^\s" what => previous }')]),
        ("codec", "multiline", [("pattern", r'"^\s"'), ("what", "previous")]),
        ("input", "stdin", [("codec", "json")]), ("codec", "json", []),
        ("filter", "kv", [("source", "'[a][\"b\"]'"), ("field_split", r'"\"{"')]), ("filter", "drop", []),
        ("filter", "mutate", [("rename", '{ "a" => "b" c => [d, 1.5] }'), ("copy", "{}")])]
    assert options_used.uses_of(config)[-1].options[0][1].scalars == ["a", "b", "c", "d", "1.5"]


def test_options_of_a_wrong_configuration():
    """What stands before the mistake is known."""
    assert used("filter { kv { source => a target => } }") == [("filter", "kv", [("source", "a"), ("target", "")])]
    assert used("filter { drop {} if ") == [("filter", "drop", [])]


def test_cases_of_a_spec_file(tmp_path):
    spec = tmp_path / "a.spec"
    spec.write_text("# one\n# covers source: null\nfilter { drop {} }\n--- ecs v8\n--- in json\n{}\n--- out\n{}\n"
                    "=====\n\n# two\ncodec line { format => x }\n--- error\nformat\n")
    one, two = options_used.cases_of(spec)
    assert (one.line, one.comments, one.ecs, one.error) == (1, ["one", "covers source: null"], "v8", None)
    assert (two.line, two.ecs, two.error) == (11, "disabled", "format\n")
    assert [(u.kind, u.name) for u in one.uses + two.uses] == [("filter", "drop"), ("codec", "line")]


def test_values_on_one_line():
    assert options_used.one_line('[ "a # b",  # c\n\n  \'d  e\' ]') == '[ "a # b", \'d  e\' ]'


def test_docs_take_examples_from_tested_configurations(tmp_path):
    """The shortest that is no default, and never one of a case that is refused."""
    for name in ("tools", "tests/spec/a", "tests/corpus/options"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("tools/options_used.py", "tools/docs"):
        shutil.copy(os.path.join(harness.ROOT, name), tmp_path / name)
    cases = ["drop { percentage => %s }" % value for value in ("100", "75.5", "50")] + ["kv { prefix => '' trim_key => 'ab|' }"]
    (tmp_path / "tests/spec/a/a.spec").write_text("====\n".join(
        "# a\nfilter { %s }\n--- in json\n{}\n--- out\n" % case for case in cases)
        + "====\n# b\nfilter { drop { percentage => 1 } kv { trim_value => 'a' } }\n--- error\nx\n")
    done = subprocess.run([tmp_path / "tools/docs", "--bin", harness.spate_bin()], capture_output=True, text=True,
                          timeout=60 * harness.PATIENCE)
    rows = [row.split(" | ")[:4] for row in done.stdout.splitlines()]
    assert ["| `percentage`", "number", "`100`", "`percentage => 50`"] in rows
    assert ["| `trim_key`", "string", "", "`trim_key => 'ab\\|'`"] in [[c.strip() for c in row] for row in rows]
    assert done.returncode == 1 and "no configuration that is tested sets trim_value of the kv filter" in done.stderr
    assert "sets prefix of the kv" not in done.stderr and "sets jdbc_driver_class of the jdbc_static filter" in done.stderr
    assert "cloud_id of the elasticsearch filter" not in done.stderr


def coverage(folder, spec, exceptions, *args):
    """spec_coverage of a checkout that has one spec file."""
    for name in ("tools/check", "tests/spec/uuid"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name in ("tools/options_used.py", "tools/check/spec_coverage"):
        shutil.copy(os.path.join(harness.ROOT, name), folder / name)
    (folder / "tools/check/spec_coverage.exceptions").write_text(exceptions)
    (folder / "tests/spec/uuid/uuid.spec").write_text(spec)
    done = subprocess.run([folder / "tools/check/spec_coverage", "--bin", harness.spate_bin(), *args], capture_output=True,
                          text=True, timeout=60 * harness.PATIENCE)
    return done.returncode, done.stdout


def test_spec_coverage_finds_gaps(tmp_path):
    spec = ("# one\n# covers target: missing, list\nfilter { uuid { target => '[a][b]' } }\n--- in json\n{}\n--- out\n{}\n"
            "====\n# two\nfilter { uuid { overwrite => maybe } }\n--- error\noverwrite must be\n")
    code, out = coverage(tmp_path, spec, "", "uuid")
    assert code == 1 and "\nfilter/uuid   cases by ECS mode: 1 disabled, 0 v1, 0 v8   gaps: ecs:v8\n" in out
    rows = {row.split()[0]: row.split("gaps: ")[1] for row in out.splitlines() if row.startswith("  ")}
    assert rows == {"target": "bad, null, number, boolean, hash", "overwrite": "set"}
    excepted = "filter/uuid - ecs:v8 a reason\nfilter/u* target bad,null,number,boolean,hash why\nfilter/uuid over* set so\n"
    code, out = coverage(tmp_path, spec, excepted, "uuid")
    assert code == 0 and out.endswith("\n0 gaps\n")
    code, out = coverage(tmp_path, spec, excepted + "filter/uuid overwrite bad why\n", "uuid")
    assert code == 1 and "spec_coverage.exceptions:4: filter/uuid overwrite bad is not needed any more" in out
    (tmp_path / "tests/e2e").mkdir()
    (tmp_path / "tests/e2e/a.py").write_text("uuid { overwrite => true }")
    elsewhere = excepted.replace(" over* set so", " * set see tests/e2e/a.py")
    assert coverage(tmp_path, spec, elsewhere, "uuid")[0] == 0
    (tmp_path / "tests/e2e/a.py").write_text("uuid { over => true }")
    code, out = coverage(tmp_path, spec, elsewhere, "uuid")
    assert code == 1 and "gaps: set\n" in out
    code, out = coverage(tmp_path, spec, elsewhere.replace("a.py", "b.py"), "uuid")
    assert code == 1 and "spec_coverage.exceptions:3: there is no tests/e2e/b.py" in out
    code, out = coverage(tmp_path, spec, excepted + "filter/uuid overwrite bad\n", "uuid")
    assert code == 1 and "spec_coverage.exceptions:4: plugin, option, what, reason are needed" in out


@pytest.mark.parametrize("comment,complaint", [
    ("covers targets: null", "filter/uuid has no option targets"), ("covers overwrite: null", "no option overwrite"),
    ("covers target: nul", "contents are missing"), ("covers target null", "write `# covers OPTION")])
def test_spec_coverage_refuses_wrong_comments(tmp_path, comment, complaint):
    spec = "# one\n# %s\nfilter { uuid { target => a } }\n--- in json\n{}\n--- out\n{}\n" % comment
    code, out = coverage(tmp_path, spec, "filter/* * * why\n", "uuid")
    assert code == 1 and complaint in out and "uuid.spec:1: " in out
