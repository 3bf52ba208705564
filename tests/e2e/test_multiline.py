"""The multiline codec over real streams: whatever the cuts between reads, the events are the same."""
import json
import random
import re
import signal
import subprocess
import tempfile
import time

import pytest

import harness


def gather(lines, matches, what, max_lines=500, max_bytes=10 << 20):
    """Logstash's algorithm, as a list of (message, tags)."""
    events, held = [], []

    def flush():
        if held:
            size = sum(len(line.encode()) for line in held)
            tags = ["multiline"] if len(held) > 1 else []
            tags += ["multiline_codec_max_bytes_reached"] if size >= max_bytes else []
            tags += ["multiline_codec_max_lines_reached"] if len(held) > max_lines else []
            events.append(("\n".join(held), tags))
            held.clear()

    def over():
        return len(held) > max_lines or sum(len(line.encode()) for line in held) >= max_bytes

    for line in lines:
        if what == "previous":
            if not matches(line) or over():
                flush()
            held.append(line)
        else:
            held.append(line)
            if not matches(line) or over():
                flush()
    flush()
    return events


class Stdin:
    """The binary with a pipe to its stdin; events are read back from its stdout."""

    def __init__(self, codec):
        config = ("input { stdin { codec => multiline { %s } } } output { stdout { codec => json_lines } }" % codec)
        self.data = tempfile.TemporaryDirectory(prefix="spate-e2e-")
        self.process = subprocess.Popen(
            [harness.spate_bin(), "--pipeline.workers", "1", "--log.level", "error", "--api.enabled", "false",
             "--path.data", self.data.name, "--pipeline.ecs_compatibility", "disabled", "-e", config], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def write(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def event(self):
        event = json.loads(self.process.stdout.readline())
        return event["message"], event.get("tags", [])

    def rest(self):
        out, _ = self.process.communicate(timeout=60 * harness.PATIENCE)
        assert self.process.returncode == 0
        events = [json.loads(line) for line in out.splitlines() if line.startswith(b"{")]
        return [(event["message"], event.get("tags", [])) for event in events]


class Tail:
    """The binary on a growing file; what is in `dir` survives it."""

    def __init__(self, tmp_path, options):
        config = ("input { file { path => '%s/a.log' start_position => beginning sincedb_path => '%s/since' "
                  "sincedb_write_interval => 0.1 stat_interval => 0.1 codec => multiline { pattern => '^ ' what => previous %s } } } "
                  "output { stdout { codec => json_lines } }" % (tmp_path, tmp_path, options))
        self.process = subprocess.Popen(
            [harness.spate_bin(), "--pipeline.workers", "1", "--log.level", "error", "--api.enabled", "false",
             "--path.data", str(tmp_path / "data"), "--pipeline.ecs_compatibility", "disabled", "-e", config],
            stdout=subprocess.PIPE)

    def message(self):
        return json.loads(self.process.stdout.readline())["message"]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        out, _ = self.process.communicate(timeout=60 * harness.PATIENCE)
        assert self.process.returncode == 0
        return [json.loads(line)["message"] for line in out.splitlines() if line.startswith(b"{")]


def position(tmp_path):
    return int((tmp_path / "since").read_text().split()[3])


def test_file_position_is_that_of_whole_events(tmp_path):
    """Lines that wait for the next are read again after a restart; what auto_flush emitted is not."""
    (tmp_path / "a.log").write_text("a\n a2\nb\n b2\n par")
    first = Tail(tmp_path, "")
    assert first.message() == "a\n a2"
    assert first.stop() == []
    assert position(tmp_path) == 6
    second = Tail(tmp_path, "auto_flush_interval => 0.3")
    assert second.message() == "b\n b2"
    assert second.stop() == []
    assert position(tmp_path) == 12
    with open(tmp_path / "a.log", "a") as log:
        log.write("t\nc\n")
    third = Tail(tmp_path, "auto_flush_interval => 0.3")
    assert [third.message(), third.message()] == [" part", "c"]
    assert third.stop() == []


def test_file_cut_down_keeps_the_event_that_waited(tmp_path):
    """copytruncate: the last event before comes out before the first one after."""
    (tmp_path / "a.log").write_text("first\nlong line that waits\n and more\n")
    tail = Tail(tmp_path, "")
    assert tail.message() == "first"
    (tmp_path / "a.log").write_text("x\ny\n")
    assert [tail.message(), tail.message()] == ["long line that waits\n and more", "x"]
    tail.stop()


def stream(seed, n):
    rng = random.Random(seed)
    lines = []
    for i in range(n):
        lines.append(rng.choice(["%06d begins", "  at %d.java", "", "\tCaused by ünï %d", "%d ends \\"]).replace("%06d", "%d")
                     .replace("%d", str(i)))
        if rng.random() < 0.02:
            lines[-1] += "x" * rng.randrange(70000)
    return lines


@pytest.mark.parametrize("what,pattern,negate,regex", [
    ("previous", r"^\s", False, r"^\s"), ("previous", r"^%{INT} begins", True, r"^\d+ begins"),
    ("next", r"\\$", False, r"\\$")])
def test_cuts_do_not_matter(what, pattern, negate, regex):
    """Thousands of lines, more than one batch, written in random pieces: as the algorithm says."""
    lines = stream(what + pattern, 6000)
    engine = Stdin("pattern => '%s' what => %s negate => %s max_lines => 3 max_bytes => 100000"
                   % (pattern, what, str(negate).lower()))
    data, rng = ("\n".join(lines) + "\n").encode(), random.Random(1)
    while data:
        n = rng.choice([1, 100, 5000, 65536, 200000])
        engine.write(data[:n])
        data = data[n:]
    want = gather(lines, lambda line: bool(re.search(regex, line)) != negate, what, 3, 100000)
    assert engine.rest() == want
    assert any("multiline_codec_max_lines_reached" in tags for _, tags in want)


def test_auto_flush_emits_lines_but_not_parts_of_lines():
    """A quiet stream: what is complete comes out after auto_flush_interval, a part of a line does not."""
    engine = Stdin("pattern => '^ ' what => previous auto_flush_interval => 0.3")
    begin = time.monotonic()
    engine.write(b"a\n b\n c")
    assert engine.event() == ("a\n b", ["multiline"])
    assert time.monotonic() - begin > 0.25
    engine.write(b"c\nd\n")
    assert engine.event() == (" cc", [])
    assert engine.event() == ("d", [])
    engine.write(b"e")
    assert engine.rest() == [("e", [])]


def test_without_auto_flush_the_last_event_waits():
    """Only the next line or the end completes it."""
    engine = Stdin("pattern => '^ ' what => previous")
    engine.write(b"a\n b\n")
    time.sleep(0.5)
    engine.write(b"c\n")
    assert engine.event() == ("a\n b", ["multiline"])
    assert engine.rest() == [("c", [])]


def test_wrong_bytes_are_shown_line_by_line():
    """Invalid UTF-8 escapes its own line and leaves the others and the joining newlines alone."""
    engine = Stdin("pattern => '^ ' what => previous")
    engine.write(b"a\xff\n \xc3\xbc\n" + b"b\n")
    assert engine.rest() == [("a\\xFF\n ü", ["multiline"]), ("b", [])]


def test_other_charset():
    engine = Stdin("pattern => '^ü' what => previous charset => 'ISO-8859-1' multiline_tag => ''")
    engine.write("a\nüx\nb\n".encode("latin-1"))
    assert engine.rest() == [("a\nüx", []), ("b", [])]


def test_options_are_checked():
    """A bad pattern, an unknown name and missing options are errors of the configuration."""
    for codec, word in (("what => next", "pattern"), ("pattern => 'a'", "what"),
                        ("pattern => '(' what => next", "grok"), ("pattern => '%{NOSUCH}' what => next", "NOSUCH")):
        run = subprocess.run([harness.spate_bin(), "-t", "-e", "input { stdin { codec => multiline { %s } } }" % codec],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        assert run.returncode == 1 and word in run.stdout, run.stdout
