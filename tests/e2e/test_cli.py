"""The command line: exit codes, messages, -t, what excludes what, the data folder, the log file."""
import json
import os
import signal
import subprocess
import time

import harness
import pytest

GOOD = "input { generator { count => 3 message => 'hi' } } output { stdout { codec => json_lines } }"


def run(*args, stdin=b"", cwd=None, seconds=30):
    done = subprocess.run([harness.spate_bin(), *map(str, args)], input=stdin, cwd=cwd, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=seconds * harness.PATIENCE)
    for stream in (done.stdout, done.stderr):
        assert b"Sanitizer" not in stream and b"runtime error" not in stream, stream.decode()
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def quiet(tmp_path):
    return ["--path.data", tmp_path / "data", "--api.enabled", "false"]


def test_version_and_help():
    code, out, _ = run("--version")
    assert code == 0 and out.startswith("spate ")
    code, out, _ = run("--help")
    assert code == 0 and "--config.test_and_exit" in out


@pytest.mark.parametrize("args, says", [
    (["--pipeline.worker", "2"], "did you mean '--pipeline.workers'?"),
    (["-e", GOOD, "-f", "x.conf"], "cannot be used together"),
    (["-r", "-e", GOOD], "cannot be used with config.string"),
    ([], "no configuration"),
    (["-e", GOOD, "-i", "irb"], "interactive"),
    (["-e", GOOD, "-w", "many"], "pipeline.workers"),
    (["-e", GOOD, "-S", "no.such.setting=1"], "no.such.setting"),
    (["-f", "/nonexistent/*.conf"], "/nonexistent"),
    (["-e", GOOD, "-S", "api.ssl.enabled=true"], "does not support"),
    (["-e", GOOD, "-S", "spate.cpu_affinity=[999]"], "CPU 999"),
    (["-e", GOOD, "-S", "pipeline.ordered=true", "-w", "2"], "single worker"),
])
def test_what_is_refused(args, says, tmp_path):
    code, out, err = run(*args, *(quiet(tmp_path) if args[:1] != ["--pipeline.worker"] else []), cwd=tmp_path)
    assert code == 1
    assert says in out + err, out + err


def explained(*args, before=()):
    """--explain-tuning as {name: text}."""
    done = subprocess.run([*before, harness.spate_bin(), "--explain-tuning", *args], stdout=subprocess.PIPE, timeout=60)
    assert done.returncode == 0
    return {line[:17].strip(): line[17:] for line in done.stdout.decode().splitlines()}


def test_explain_tuning(tmp_path):
    """What is decided from the machine and the settings, and why; nothing is started or made."""
    cpus = sorted(os.sched_getaffinity(0))
    told = explained("--path.data", str(tmp_path / "data"))
    assert "%d allowed by affinity" % len(cpus) in told["CPUs"]
    assert told["shards"].split(":")[0] == told["CPUs"].split()[0]
    assert told["pinning"].startswith("none:") and "spate.cpu_affinity is not set" in told["pinning"]
    assert "half of the memory" in told["batches"] and "datagrams" in told["receive buffers"]
    assert list(told) == ["CPUs", "shards", "pinning", "memory", "batches", "receive buffers", "requests", "vectors",
                          "open files", "io_uring"]
    assert os.listdir(tmp_path) == []
    # An affinity from outside counts.
    told = explained(before=["taskset", "-c", str(cpus[-1])])
    assert told["CPUs"].startswith("1 usable") and told["shards"].startswith("1: one for each CPU that the process may use")
    # And so do the settings.
    told = explained("-w", "3", "-S", "spate.memory_bytes=96mb")
    assert told["shards"] == "3: pipeline.workers"
    assert told["memory"].startswith("96 MB: spate.memory_bytes;") and told["batches"].startswith("16 MB a shard")
    told = explained("-S", "spate.cpu_affinity=[%d]" % cpus[0])
    assert told["shards"].startswith("1: one for each CPU of spate.cpu_affinity")
    assert told["pinning"].startswith("shard 0 to CPU %d: spate.cpu_affinity" % cpus[0])
    told = explained("-S", "spate.cpu_affinity=auto", before=["taskset", "-c", str(cpus[0])])
    assert told["pinning"] == "none: with less than four CPUs none can be left to the writers of outputs"


def test_soft_limit_of_open_files_is_raised():
    told = explained(before=["prlimit", "--nofile=64:5000"])
    assert told["open files"].startswith("5000:")


def test_explain_tuning_refuses(tmp_path):
    code, out, err = run("--explain-tuning", "-S", "spate.cpu_affinity=[9999]", cwd=tmp_path)
    assert (code, out) == (1, "") and "9999" in err


def test_test_and_exit(tmp_path):
    """-t compiles everything, runs nothing and makes no folder."""
    code, out, _ = run("-t", "-e", GOOD, cwd=tmp_path)
    assert (code, out) == (0, "Configuration OK\n")
    code, out, err = run("-t", "-e", "filter { grok { match => { message => '%{NOSUCH:x}' } } }", cwd=tmp_path)
    assert code == 1 and "OK" not in out and "NOSUCH" in err
    code, _, err = run("-t", "-e", "filter { mutate { renam => { aa => 'bb' } } }", cwd=tmp_path)
    assert code == 1 and "config string:1:" in err and "did you mean 'rename'?" in err
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("path", ["%{a}/x", "/%{a}/x", "%{a}.log"])
def test_the_first_folder_of_a_file_output_is_fixed(tmp_path, path):
    """Else an event could choose any place of the disk."""
    code, _, err = run("-t", "-e", "output { file { path => '%s' } }" % path, cwd=tmp_path)
    assert code == 1 and "the first folder of the path depends on the event" in err


def test_a_finished_input_ends_the_process(tmp_path):
    code, out, err = run("-e", GOOD, *quiet(tmp_path))
    assert code == 0 and out.count('"message":"hi"') == 3
    assert out.count("\n") == 3, "the log must not mix with events on stdout"
    assert "pipeline main started" in err


def test_missing_sections_are_filled_in(tmp_path):
    code, out, _ = run("-e", "", *quiet(tmp_path), stdin=b"one line\n")
    assert code == 0
    assert '"message" => "one line"' in out and '"type" => "stdin"' in out


def test_log_file_and_level(tmp_path):
    logs = tmp_path / "a" / "logs"
    code, _, err = run("-e", GOOD, *quiet(tmp_path), "-l", logs, "--log.level", "error")
    assert code == 0 and "INFO" not in err
    assert (logs / "spate-plain.log").exists()
    code, _, _ = run("-e", GOOD, *quiet(tmp_path), "-l", logs, "--log.format", "json")
    line = json.loads((logs / "spate-json.log").read_text().splitlines()[0])
    assert code == 0 and list(line) == ["level", "loggerName", "timeMillis", "thread", "logEvent"]
    assert line["level"] == "INFO" and abs(line["timeMillis"] / 1000 - time.time()) < 60 and line["logEvent"]["message"]


def test_superuser_can_be_forbidden(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("not root")
    code, out, err = run("-e", GOOD, *quiet(tmp_path), "-S", "allow_superuser=false")
    assert code == 1 and "root" in out + err
    assert run("-e", GOOD, *quiet(tmp_path))[0] == 0


def test_settings_file_and_flags_over_it(tmp_path):
    (tmp_path / "spate.yml").write_text("pipeline:\n  id: from-file\nlog.level: warn\n")
    code, _, err = run("-e", GOOD, *quiet(tmp_path), "--path.settings", tmp_path)
    assert code == 0 and "INFO" not in err
    code, _, err = run("-e", GOOD, *quiet(tmp_path), "--path.settings", tmp_path, "--log.level", "info")
    assert code == 0 and "pipeline from-file started" in err


def test_data_folder_is_locked_before_ports_are_bound(spate):
    engine = spate("input { tcp { port => @P1@ } } output { null { } }", ports=1, tcp=["P1"])
    args = ["-f", engine.path("pipeline.conf"), "--path.data", engine.path("data"), "--api.enabled", "false"]
    code, out, err = run(*args)
    assert code == 1 and "locked by another running process" in out + err
    assert "cannot listen" not in out + err
    engine.stop()
    other = subprocess.Popen([harness.spate_bin(), *args], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    harness.wait_for(lambda: engine.port() in harness.listening("tcp"), what="the port after the lock was given up")
    other.send_signal(signal.SIGTERM)
    assert other.wait(30) == 0


def test_one_port_for_the_api_and_it_is_taken(spate):
    engine = spate("input { heartbeat { } } output { null { } }")
    code, out, err = run("-e", "input { heartbeat { } } output { null { } }", "--path.data", engine.path("other"),
                         "--api.http.port", engine.api_port)
    assert code == 1 and "monitoring API cannot listen" in out + err


def test_log_file_is_opened_again(spate, tmp_path):
    """logrotate moves the file away and sends SIGHUP."""
    engine = spate("input { heartbeat { } } output { null { } }", args=["-l", tmp_path])
    os.rename(tmp_path / "spate-plain.log", tmp_path / "spate-plain.log.1")
    engine.process.send_signal(signal.SIGHUP)
    harness.wait_for((tmp_path / "spate-plain.log").exists, what="a new file")
    engine.stop()
    assert "Shutting down" in (tmp_path / "spate-plain.log").read_text()
    assert "started" in (tmp_path / "spate-plain.log.1").read_text()


def test_keystores_are_not_passed_over_in_silence(tmp_path):
    (tmp_path / "logstash.keystore").write_bytes(b"x")
    code, _, err = run("-t", "-e", GOOD, "--path.settings", tmp_path)
    assert code == 0 and "does not read" in err
    assert run("-t", "-e", GOOD, "-S", "keystore.file=/x")[0] == 1
