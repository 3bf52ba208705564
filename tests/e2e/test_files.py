"""The file input and the file output, most of the time one behind the other."""
import gzip
import json
import os
import shutil
import subprocess
import threading
import time

import pytest

import harness

TAIL = """input { file { path => "@DIR@/in/*.log" start_position => "beginning" sincedb_path => "@DIR@/since"
  stat_interval => 0.05 discover_interval => 2 sincedb_write_interval => 0.1 %s } }
output { file { path => "@DIR@/out/x" codec => line { format => "%%{message}" } } }"""
READ = TAIL.replace('*.log"', '*" mode => "read"')


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def lines(engine, name="out/x"):
    text = read(engine.path(name))
    return text[:text.rfind(b"\n") + 1].splitlines()


def append(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "ab") as file:
        file.write(data)


def prepare(config, files=(), **options):
    """An engine that is not started yet, with files in its directory."""
    engine = harness.Spate(config, **options)
    for name, data in files:
        append(engine.path(name), data)
    os.makedirs(engine.path("in"), exist_ok=True)
    return engine


@pytest.fixture
def prepared():
    """prepared(config, files) starts an engine in a directory with those files; stopped and checked at the end."""
    running = []

    def start(config, files=(), **options):
        engine = prepare(config, files, **options)
        running.append(engine)
        return engine.start()

    yield start
    try:
        for one in running:
            one.stop()
    finally:
        for one in running:
            one.cleanup()


def wait_lines(engine, n, seconds=20, name="out/x"):
    harness.wait_for(lambda: len(lines(engine, name)) >= n, seconds,
                     lambda: "%d lines, have %d" % (n, len(lines(engine, name))))
    return lines(engine, name)


def since(engine):
    """{inode: position} of the sincedb."""
    return {int(line.split()[0]): int(line.split()[3]) for line in read(engine.path("since")).splitlines()}


def test_half_a_line_waits_for_its_end(prepared):
    """A tailed line is an event when its newline comes, and the position stays before it until then."""
    engine = prepared(TAIL % "", [("in/a.log", b"one\ntw")])
    wait_lines(engine, 1)
    inode = os.stat(engine.path("in/a.log")).st_ino
    harness.wait_for(lambda: since(engine).get(inode) == 4, 10, lambda: str(since(engine)))
    append(engine.path("in/a.log"), b"o\n")
    assert wait_lines(engine, 2) == [b"one", b"two"]


def test_start_position_end_skips_what_is_there_but_not_new_files(prepared):
    """The default: old content is skipped, a file that appears later is read from its beginning."""
    engine = prepared((TAIL % "").replace('"beginning"', '"end"'), [("in/a.log", b"old\n")])
    inode = os.stat(engine.path("in/a.log")).st_ino
    harness.wait_for(lambda: since(engine).get(inode) == 4, 10, lambda: str(since(engine)))
    append(engine.path("in/a.log"), b"new\n")
    append(engine.path("in/b.log"), b"other\n")
    assert sorted(wait_lines(engine, 2)) == [b"new", b"other"]


@pytest.mark.slow
def test_rotation_by_rename_under_load(prepared):
    """Twenty rotations while a writer appends as fast as it can: every line once, whoever holds the old file."""
    engine = prepared((TAIL % "").replace("*.log", "a.log"), [("in/a.log", b"")])
    path, total = engine.path("in/a.log"), 0
    for turn in range(20):
        with open(path, "ab") as file:
            for _ in range(10):
                file.write(harness.numbered(500, total))
                file.flush()
                total += 500
            os.rename(path, engine.path("in/a.%d" % turn))
            # The writer has not noticed yet.
            open(path, "ab").close()
            time.sleep(0.1)
            file.write(harness.numbered(100, total))
            total += 100
    got = wait_lines(engine, total, 60)
    assert sorted(got) == harness.numbered(total).splitlines()


def test_rotation_by_copy_and_truncate(prepared):
    """A file that was cut to nothing begins anew; nothing of the old content comes twice."""
    engine = prepared((TAIL % "").replace("*.log", "a.log"), [("in/a.log", b"")])
    path = engine.path("in/a.log")
    for turn in range(5):
        append(path, harness.numbered(1000, turn * 1000))
        wait_lines(engine, (turn + 1) * 1000)
        with open(path, "r+b") as file:
            file.truncate(0)
        time.sleep(0.2)
    assert lines(engine) == harness.numbered(5000).splitlines()
    assert engine.api("/_node/stats/pipelines/main")["pipelines"]["main"]["events"]["out"] == 5000


def test_restart_goes_on_where_it_stopped(prepared):
    """A clean stop loses nothing and repeats nothing."""
    engine = prepared(TAIL % "", [("in/a.log", harness.numbered(3000)), ("in/b.log", harness.numbered(10, 3000))])
    wait_lines(engine, 3010)
    engine.stop()
    append(engine.path("in/a.log"), harness.numbered(500, 3010))
    engine.start()
    assert sorted(wait_lines(engine, 3510)) == harness.numbered(3510).splitlines()
    time.sleep(0.3)
    assert len(lines(engine)) == 3510


@pytest.mark.slow
def test_killed_in_the_middle_loses_nothing(prepared):
    """kill -9 again and again while the file grows: every line arrives at least once, none is torn."""
    engine = prepared(TAIL % "", [("in/a.log", b"")])
    path, total, stop = engine.path("in/a.log"), [0], threading.Event()

    def write():
        with open(path, "ab", buffering=0) as file:
            while not stop.is_set():
                file.write(harness.numbered(200, total[0]))
                total[0] += 200
                time.sleep(0.005)

    writer = threading.Thread(target=write)
    writer.start()
    for _ in range(5):
        seen = len(lines(engine))
        harness.wait_for(lambda: len(lines(engine)) > seen + 1000, 30, "lines")
        engine.kill()
        engine.start()
    stop.set()
    writer.join()
    want = set(harness.numbered(total[0]).splitlines())
    harness.wait_for(lambda: want <= set(lines(engine)), 60, lambda: "%d lines" % total[0])
    # What a kill cut off stays without its end and is written again behind it: only whole lines count.
    assert len(set(lines(engine)) - want) <= 5


def test_positions_wait_for_the_output(prepared):
    """While the output cannot write, no position moves; killed then, everything is read again."""
    engine = prepared((TAIL % "").replace("@DIR@/out/x", "@DIR@/blocked/x"),
                      [("in/a.log", harness.numbered(2000)), ("blocked", b"")])
    harness.wait_for(lambda: engine.events()["in"] >= 2000, 20, "lines to be read")
    time.sleep(0.5)
    assert all(position == 0 for position in since(engine).values()), since(engine)
    engine.kill()
    os.unlink(engine.path("blocked"))
    engine.start()
    assert sorted(wait_lines(engine, 2000, name="blocked/x")) == harness.numbered(2000).splitlines()


def test_read_mode_reads_compressed_files_and_deletes(prepared):
    """Plain and gzip (two members) files are read to their last byte, then deleted; junk stays."""
    members = gzip.compress(harness.numbered(20000)) + gzip.compress(harness.numbered(5, 20000))
    engine = prepared(READ % "", [("in/a.gz", members), ("in/b", b"plain\nno end"),
                                  ("in/c.gz", b"this is no gzip"), ("in/d.gz", gzip.compress(b"cut\n" * 999)[:-9])])
    got = wait_lines(engine, 20007)
    assert set(harness.numbered(20005).splitlines()) | {b"plain", b"no end"} <= set(got)
    harness.wait_for(lambda: sorted(os.listdir(engine.path("in"))) == ["c.gz", "d.gz"], 10,
                     lambda: str(os.listdir(engine.path("in"))))


def test_read_mode_keeps_the_file_until_its_events_are_delivered(prepared):
    """A completed file may only go when the output has its events."""
    engine = prepared((READ % "").replace("@DIR@/out/x", "@DIR@/blocked/x"), [("in/a", b"x\n"), ("blocked", b"")])
    harness.wait_for(lambda: engine.events()["in"] >= 1, 20, "the line to be read")
    time.sleep(0.3)
    assert os.path.exists(engine.path("in/a"))
    os.unlink(engine.path("blocked"))
    harness.wait_for(lambda: not os.path.exists(engine.path("in/a")), 20, "the file to be deleted")
    assert lines(engine, "blocked/x") == [b"x"]


def test_read_mode_ends_by_itself(prepared):
    """exit_after_read: the process ends with everything delivered; completed files are listed."""
    engine = prepare(READ % """exit_after_read => true file_completed_action => "log"
      file_completed_log_path => "@DIR@/completed" file_sort_by => "path" """,
                     [("in/a", harness.numbered(100)), ("in/b", harness.numbered(100, 100))])
    try:
        engine.spawn()
        assert engine.wait(30) == 0
        engine.check_log()
        assert lines(engine) == harness.numbered(200).splitlines()
        assert sorted(read(engine.path("completed")).split()) == sorted(
            engine.path("in", name).encode() for name in "ab")
    finally:
        engine.cleanup()


def test_unreadable_files_are_told_once_and_taken_up_later(prepared):
    """A file without read permission is one warning; the others flow, and it is read once it may be."""
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    engine = prepare(TAIL % "", [("in/a.log", b"secret\n"), ("in/b.log", b"open\n")])
    os.chmod(engine.path("in/a.log"), 0)
    try:
        engine.start()
        assert wait_lines(engine, 1) == [b"open"]
        time.sleep(0.5)
        os.chmod(engine.path("in/a.log"), 0o644)
        assert wait_lines(engine, 2) == [b"open", b"secret"]
        assert engine.log().count("a.log: Permission denied") == 1
        engine.stop()
    finally:
        engine.cleanup()


def test_patterns_and_exclusions(prepared):
    """** finds folders at any depth, braces choose, exclude looks at names."""
    engine = prepared((TAIL % 'exclude => ["*.{bak,gz}"]').replace("in/*.log", "in/**/*.{log,bak,gz}"),
                      [("in/a.log", b"1\n"), ("in/x/y/b.log", b"2\n"), ("in/x/c.bak", b"3\n"), ("in/.h/d.log", b"4\n"),
                       ("in/x/e.txt", b"5\n")])
    assert sorted(wait_lines(engine, 2)) == [b"1", b"2"]
    append(engine.path("in/new/f.log"), b"6\n")
    assert sorted(wait_lines(engine, 3)) == [b"1", b"2", b"6"]


def test_fewer_open_files_than_files(prepared):
    """max_open_files: all files are read, and growing ones keep being read."""
    files = [("in/%03d.log" % i, b"a%d\n" % i) for i in range(100)]
    engine = prepared(TAIL % "max_open_files => 7", files)
    wait_lines(engine, 100)
    for name, data in files:
        append(engine.path(name), b"b" + data)
    assert len(set(wait_lines(engine, 200))) == 200
    assert len([1 for fd in os.listdir("/proc/%d/fd" % engine.process.pid)
                if "/in/" in os.readlink("/proc/%d/fd/%s" % (engine.process.pid, fd))]) <= 7


def test_fields(prepared):
    """The fields that the input adds, in both naming schemes."""
    config = (TAIL % "codec => json").replace('codec => line { format => "%{message}" }', "")
    engine = prepared(config, [("in/a.log", b'{"a":1}\noops\n')])
    first, second = map(json.loads, wait_lines(engine, 2))
    assert first["log"]["file"]["path"] == engine.path("in/a.log") and first["a"] == 1 and "name" in first["host"]
    assert first["event"]["original"] == '{"a":1}'
    assert second["tags"] == ["_jsonparsefailure"] and second["message"] == "oops"
    engine.stop()
    engine = prepared(config, [("in/a.log", b'{"a":1}\n')], settings={"pipeline.ecs_compatibility": "disabled"})
    event = json.loads(wait_lines(engine, 1)[0])
    assert event["path"] == engine.path("in/a.log") and isinstance(event["host"], str) and "event" not in event


def test_sincedb_in_the_old_place_and_format(prepared):
    """Positions that Logstash left are taken over: the default path and its line format."""
    import hashlib
    engine = prepare("""input { file { path => ["@DIR@/in/a.log", "/nonexistent/b"] stat_interval => 0.05 } }
output { file { path => "@DIR@/out/x" codec => line { format => "%{message}" } } }""", [("in/a.log", b"old\nnew\n")])
    try:
        name = hashlib.md5((engine.path("in/a.log") + ",/nonexistent/b").encode()).hexdigest()
        status = os.stat(engine.path("in/a.log"))
        append(engine.path("data/plugins/inputs/file/.sincedb_" + name),
               b"%d 0 %d 4 %.6f %s\n" % (status.st_ino, status.st_dev, time.time(), engine.path("in/a.log").encode()))
        engine.start()
        assert wait_lines(engine, 1) == [b"new"]
        engine.stop()
        assert b" 8 " in read(engine.path("data/plugins/inputs/file/.sincedb_" + name))
    finally:
        engine.cleanup()


def test_gathered_lines_are_completed_by_silence(prepared):
    """multiline with auto_flush_interval: the last event does not wait for the next, and its position counts."""
    engine = prepared(TAIL % 'codec => multiline { pattern => "^ " what => "previous" auto_flush_interval => 1 }',
                      [("in/a.log", b"a\n a2\nb\n b2\n"), ("in/b.log", b"c\n")])
    assert sorted(wait_lines(engine, 5)) == [b" a2", b" b2", b"a", b"b", b"c"]
    harness.wait_for(lambda: sorted(since(engine).values()) == [2, 12], 10, lambda: str(since(engine)))


# ---- output ----

OUT = 'input { tcp { port => @P1@ codec => json_lines } } output { file { path => "@DIR@/%s" %s } }'
FORMAT = 'codec => line { format => "%{message}" }'


def test_path_that_escapes_its_root(prepared):
    """Events cannot choose a file outside; NULs, long names and folders in the way are diverted too."""
    engine = prepared(OUT % ("out/%{to}", FORMAT), [("out/folder/x", b"")], ports=1, tcp=["P1"])
    bad = ["../../evil", "a/../../b", "x\0y", "n" * 300, "folder", "folder/x/y"]
    docs = [{"to": to, "message": "bad"} for to in bad] + [{"to": "ok/file", "message": "good"}]
    harness.send_tcp(engine.port(), b"".join(json.dumps(doc).encode() + b"\n" for doc in docs))
    wait_lines(engine, 1, name="out/ok/file")
    assert wait_lines(engine, len(bad), name="out/_filepath_failures") == [b"bad"] * len(bad)
    assert sorted(os.listdir(engine.path("out"))) == ["_filepath_failures", "folder", "ok"]
    assert not os.path.exists(engine.path("evil")) and not os.path.exists(engine.path("b"))


def test_many_paths(prepared):
    """More paths than may be open at a time: nothing is lost and each file has its lines in order."""
    engine = prepared(OUT % ("out/%{to}", FORMAT), ports=1, tcp=["P1"], args=["--pipeline.workers", "1"])
    text = "".join('{"to":"%d","message":"%d"}\n' % (i % 1500, i) for i in range(6000))
    harness.send_tcp(engine.port(), text.encode())
    for to in (0, 700, 1499):
        want = [b"%d" % i for i in range(6000) if i % 1500 == to]
        assert wait_lines(engine, 4, name="out/%d" % to) == want
    harness.wait_for(lambda: sum(len(read(engine.path("out", str(i))).splitlines()) for i in range(1500)) == 6000, 30,
                     "all lines")


def test_gzip_and_overwrite(prepared):
    """gzip output is one readable stream, also while the engine runs; overwrite keeps the last event."""
    engine = prepared("input { tcp { port => @P1@ codec => json_lines } } output { file { path => \"@DIR@/a.gz\" "
                      "gzip => true %s } file { path => \"@DIR@/last\" write_behavior => \"overwrite\" %s } }"
                      % (FORMAT, FORMAT), ports=1, tcp=["P1"], args=["--pipeline.workers", "1"])
    text = b"".join(b'{"message":"line %06d"}\n' % i for i in range(20000))
    harness.send_tcp(engine.port(), text)
    want = b"".join(b"line %06d\n" % i for i in range(20000))

    def unpacked():
        done = subprocess.run(["gzip", "-dc"], input=read(engine.path("a.gz")), stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, check=False)
        return done.stdout

    harness.wait_for(lambda: unpacked() == want, 20, "the flushed bytes")
    harness.wait_for(lambda: read(engine.path("last")) == b"line 019999\n", 10, "the last line")
    engine.stop()
    assert gzip.decompress(read(engine.path("a.gz"))) == want


def test_deleted_file_comes_back(prepared):
    """create_if_deleted: lines after the deletion are in a new file, not in an unlinked one."""
    engine = prepared(OUT % ("out/x", FORMAT), ports=1, tcp=["P1"])
    harness.send_tcp(engine.port(), b'{"message":"a"}\n')
    wait_lines(engine, 1)
    shutil.rmtree(engine.path("out"))
    harness.send_tcp(engine.port(), b'{"message":"b"}\n')
    assert wait_lines(engine, 1) == [b"b"]


@pytest.fixture
def small_disk(tmp_path):
    """The folder of a file system of 256 KB."""
    disk = str(tmp_path / "disk")
    os.mkdir(disk)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], stderr=subprocess.DEVNULL,
                      check=False).returncode != 0:
        pytest.skip("may not mount a small file system")
    yield disk
    subprocess.run(["umount", "-l", disk], check=False)


def test_full_disk_is_backpressure(prepared, small_disk):
    """A full file system stops the flow and loses nothing; with room again every line is there once, none torn."""
    engine = prepared((TAIL % "").replace("@DIR@/out/x", small_disk + "/x"), [("in/a.log", harness.numbered(50000))])
    harness.wait_for(lambda: "No space left" in engine.log() and "disk/x" in engine.log(), 20, "the error")
    time.sleep(0.3)
    assert all(position < 50000 * 22 for position in since(engine).values())
    subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
    harness.wait_for(lambda: read(small_disk + "/x").count(b"\n") >= 50000, 30,
                     lambda: "all lines, have %d" % read(small_disk + "/x").count(b"\n"))
    assert read(small_disk + "/x") == harness.numbered(50000)
    engine.stop()


def test_deleting_the_file_makes_room_on_a_full_disk(prepared, small_disk):
    """Somebody deletes the file to make room: it is let go, and what was not delivered is in a new one, none torn."""
    with open(small_disk + "/other", "wb") as other:
        other.write(b"x" * 200000)
    engine = prepared((TAIL % "").replace("@DIR@/out/x", small_disk + "/x"), [("in/a.log", harness.numbered(5000))])
    harness.wait_for(lambda: "No space left" in engine.log(), 20, "the error")
    time.sleep(0.3)
    full, lines = read(small_disk + "/x"), harness.numbered(5000)
    assert 0 < len(full) < len(lines)
    os.unlink(small_disk + "/x")
    os.unlink(small_disk + "/other")
    harness.wait_for(lambda: read(small_disk + "/x").endswith(lines[-22:]), 30, "the last line in a new file")
    again = read(small_disk + "/x")
    assert lines.endswith(again) and again.startswith(b"line") and len(again) >= len(lines) - len(full)
    engine.stop()


@pytest.mark.parametrize("options,error", [
    ('path => "relative.log"', "not an absolute path"),
    ('path => "/x" sincedb_path => "/tmp"', "is a folder"),
    ('path => "/x" mode => "read" file_completed_action => "log"', "file_completed_log_path"),
    ('path => "/x" exit_after_read => true', "mode read"),
    ('path => "/x" sincedb_clean_after => "soon"', "no duration"),
])
def test_configuration_errors(options, error):
    """What cannot work is said at the start, with its place."""
    engine = harness.Spate("input { file { %s } } output { null {} }" % options)
    try:
        engine.spawn()
        assert engine.wait(20) != 0
        assert error in engine.log() and "pipeline.conf:1:" in engine.log()
    finally:
        engine.cleanup()
