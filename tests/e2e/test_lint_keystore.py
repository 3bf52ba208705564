"""spate lint, spate keystore, and pipelines with settings of their own, as operators call them."""
import json
import os
import stat
import subprocess
import urllib.request

import harness

SOUND = "input { generator { count => 1 message => 'hi' } } output { stdout { codec => json_lines } }\n"
OCTAL = "input { generator { count => 010 } }\noutput { null { } }\n"


def run(*args, stdin="", env=None, cwd=None, seconds=60):
    clean = {k: v for k, v in os.environ.items() if not k.endswith("_KEYSTORE_PASS")}
    done = subprocess.run([harness.spate_bin(), *map(str, args)], input=stdin, stdout=subprocess.PIPE, env={**clean, **(env or {})},
                          stderr=subprocess.PIPE, text=True, cwd=cwd, timeout=seconds * harness.PATIENCE)
    for stream in (done.stdout, done.stderr):
        assert "Sanitizer" not in stream and "runtime error" not in stream, stream
    return done.returncode, done.stdout, done.stderr


def test_lint_counts_warnings_and_test_does_not(tmp_path):
    conf = tmp_path / "a.conf"
    conf.write_text(OCTAL)
    code, out, err = run("lint", "-f", conf, cwd=tmp_path)
    assert code == 1 and out == "" and "a.conf:1:30: warning:" in err and "[octal-number]" in err and "1 warning\n" in err
    code, out, err = run("-t", "-f", conf, cwd=tmp_path)
    assert code == 0 and out == "Configuration OK\n" and "[octal-number]" in err
    code, out, err = run("lint", "--allow", "octal-number", "-f", conf)
    assert (code, out, err) == (0, "Configuration OK\n", "")
    code, out, err = run("lint", "-f", conf, "--allow=octal-numbr")
    assert code == 1 and "did you mean 'octal-number'?" in err
    conf.write_text("# spate: allow octal-number\n" + OCTAL)
    assert run("lint", "-f", conf) == (0, "Configuration OK\n", "")
    assert run("lint", "-e", SOUND)[:2] == (0, "Configuration OK\n")
    code, out, err = run("lint", "-e", "filter { nosuch { } }")
    assert code == 1 and "nosuch" in err and "not valid" in err
    assert os.listdir(tmp_path) == ["a.conf"]


def test_lint_of_settings_files(tmp_path):
    settings = tmp_path / "spate.yml"
    settings.write_text("queue.max_bytes: 2gb\n")
    code, _, err = run("lint", "-e", SOUND, "--path.settings", tmp_path)
    assert code == 1 and "spate.yml:1:" in err and "[settings-warning]" in err
    assert run("lint", "-e", SOUND, "--path.settings", tmp_path, "--allow", "settings-warning")[0] == 0
    settings.write_text("# spate: allow settings-warning\nqueue.max_bytes: 2gb\n")
    assert run("lint", "-e", SOUND, "--path.settings", tmp_path) == (0, "Configuration OK\n", "")


def test_lint_of_a_folder_names_files(tmp_path):
    for name in ("10-a.conf", "20-b.conf"):
        (tmp_path / name).write_text("input { generator { type => 'x' } }\noutput { file { path => '/tmp/%s' } }\n" % name)
    code, _, err = run("lint", "-f", tmp_path)
    assert code == 1 and "20-b.conf:2:10: warning:" in err and "[joined-pipelines]" in err and "10-a.conf" in err


def test_keystore_life(tmp_path):
    where = ("--path.settings", tmp_path)
    code, _, err = run("keystore", "list", *where)
    assert code == 1 and "there is no keystore" in err
    code, out, _ = run("keystore", "create", *where)
    assert code == 0 and "Created" in out
    for name in ("spate.keystore", "spate.keystore.key"):
        assert stat.S_IMODE(os.stat(tmp_path / name).st_mode) == 0o600
    assert run("keystore", "create", *where)[0] == 1
    assert run("keystore", "add", "ES_PWD", "other.one", *where, stdin="s3cret word\nsecond\n")[0] == 0
    code, out, _ = run("keystore", "list", *where)
    assert (code, out) == (0, "ES_PWD\nother.one\n")
    code, _, err = run("keystore", "add", "es_pwd", *where, stdin="new\n")
    assert code == 1 and "--force" in err
    assert run("keystore", "add", "--force", "es_pwd", *where, stdin="new\n")[0] == 0
    assert run("keystore", "remove", "other.one", *where)[0] == 0
    assert run("keystore", "list", *where)[1].lower() == "es_pwd\n"
    assert run("keystore", "remove", "other.one", *where)[0] == 1
    for bad in (("keystore",), ("keystore", "list"), ("keystore", "nosuch", *where), ("keystore", "add", *where),
                ("keystore", "list", "a", *where), ("keystore", "list", "--nosuch", *where)):
        code, out, err = run(*bad)
        assert code == 1 and err.startswith("usage: spate keystore"), (bad, err)


def events(*args, env=None):
    code, out, err = run(*args, env=env)
    assert code == 0, err
    return [json.loads(line) for line in out.splitlines()]


CONF = "input { generator { count => 1 message => '${SPATE_E2E_SECRET}' } } output { stdout { codec => json_lines } }"


def test_configurations_read_the_keystore_first(tmp_path):
    where = ("--path.settings", tmp_path)
    args = ("-e", CONF, *where, "--path.data", tmp_path / "data", "--api.enabled", "false")
    env = {"SPATE_E2E_SECRET": "from the environment"}
    assert events(*args, env=env)[0]["message"] == "from the environment"
    assert run("keystore", "create", *where)[0] == 0
    assert run("keystore", "add", "SPATE_E2E_SECRET", *where, stdin="from the keystore\n")[0] == 0
    assert events(*args, env=env)[0]["message"] == "from the keystore"
    assert events(*args)[0]["message"] == "from the keystore"
    # No message shows it.
    code, out, err = run("-t", "-e", CONF.replace("message", "count"), *where)
    assert code == 1 and "count must be a valid number" in err and "from the keystore" not in out + err
    # Settings files see it, too, and a broken keystore stops everything.
    assert run("keystore", "add", "node", *where, stdin="named-by-secret\n")[0] == 0
    (tmp_path / "spate.yml").write_text("pipeline.workers: ${workers:1}\nnode.name: ${NODE}\nlog.level: ${nosuch.level}\n")
    code, _, err = run(*args)
    assert code == 1 and "nosuch.level" in err and "NODE" not in err
    (tmp_path / "spate.yml").unlink()
    os.chmod(tmp_path / "spate.keystore.key", 0o644)
    code, _, err = run(*args)
    assert code == 1 and "others may read the key" in err


def test_keystore_with_password(tmp_path):
    where = ("--path.settings", tmp_path)
    secret = {"LOGSTASH_KEYSTORE_PASS": "open sesame"}
    args = ("-e", CONF, *where, "--path.data", tmp_path / "data", "--api.enabled", "false")
    assert run("keystore", "create", *where, env=secret)[0] == 0
    assert run("keystore", "add", "SPATE_E2E_SECRET", *where, stdin="kept\n", env=secret)[0] == 0
    assert os.listdir(tmp_path) == ["spate.keystore"]
    assert events(*args, env=secret)[0]["message"] == "kept"
    for env, says in (({}, "none is set"), ({"SPATE_KEYSTORE_PASS": "close"}, "does not fit")):
        code, out, err = run(*args, env=env)
        assert code == 1 and out == "" and says in err


def test_keystore_elsewhere_and_of_logstash(tmp_path):
    store = tmp_path / "elsewhere"
    args = ("-e", CONF, "--path.data", tmp_path / "data", "--api.enabled", "false")
    assert run("keystore", "create", "--keystore.file", store)[0] == 0
    assert run("keystore", "add", "SPATE_E2E_SECRET", "--keystore.file", store, stdin="far away\n")[0] == 0
    assert events(*args, "-S", "keystore.file=%s" % store)[0]["message"] == "far away"
    code, _, err = run(*args, "-S", "keystore.file=%s-not" % store)
    assert code == 1 and "there is no" in err
    (tmp_path / "logstash.keystore").write_bytes(b"\xfe\xed\xfe\xed")
    code, _, err = run("-t", "-e", SOUND, "--path.settings", tmp_path)
    assert code == 0 and "Logstash's own format" in err
    code, _, err = run(*args, "-S", "keystore.file=%s" % (tmp_path / "logstash.keystore"))
    assert code == 1 and "Logstash's own format" in err


def get(port, path):
    with urllib.request.urlopen("http://127.0.0.1:%d%s" % (port, path), timeout=10) as answer:
        return json.load(answer)


def test_pipelines_have_their_own_settings(tmp_path):
    port, = harness.free_ports(1)
    (tmp_path / "one.conf").write_text("input { heartbeat { interval => 60 } } output { null { } }")
    (tmp_path / "spate.yml").write_text("pipeline.batch.size: 50\npipeline.workers: 2\napi.http.port: %d\n" % port)
    (tmp_path / "pipelines.yml").write_text("""
- pipeline.id: one
  path.config: "%s/one.conf"
  pipeline.batch.size: 7
  pipeline.workers: 1
  pipeline.ordered: auto
- pipeline.id: two
  config.string: |
    input { heartbeat { interval => 60 message => "a\\nb" } }
    output { null { } }
  config.support_escapes: true
  pipeline: { ecs_compatibility: disabled }
""" % tmp_path)
    proc = subprocess.Popen([harness.spate_bin(), "--path.settings", str(tmp_path), "--path.data", str(tmp_path / "data")],
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        harness.wait_for(lambda: listens(port), 30)
        seen = get(port, "/_node/pipelines")["pipelines"]
    finally:
        proc.terminate()
        assert proc.wait(30 * harness.PATIENCE) == 0
        proc.stderr.close()
    assert set(seen) == {"one", "two"}
    assert (seen["one"]["workers"], seen["one"]["batch_size"]) == (1, 7)
    assert (seen["two"]["workers"], seen["two"]["batch_size"]) == (2, 50)


def listens(port):
    try:
        return set(get(port, "/_node/pipelines")["pipelines"]) == {"one", "two"}
    except OSError:
        return False


def test_what_pipelines_yml_refuses(tmp_path):
    for text, says in (("- pipeline.id: a\n  config.string: ''\n  api.http.port: 1\n", "belongs into logstash.yml"),
                       ("- pipeline.id: a\n  config.string: ''\n  pipeline.worker: 1\n", "did you mean 'pipeline.workers'?"),
                       ("- pipeline.id: a\n  config.string: ''\n- pipeline.id: a\n  config.string: ''\n", "duplicate pipeline ids"),
                       ("- pipeline.id: a\n", "neither path.config nor config.string"),
                       ("- pipeline.id: a\n  config.string: ''\n  queue.type: persisted\n", "queue.type"),
                       ("- pipeline.id: a\n  config.string: ''\n  dead_letter_queue.enable: true\n", "dead_letter_queue.enable"),
                       ("pipeline.id: a\n", "must contain a list")):
        (tmp_path / "pipelines.yml").write_text(text)
        code, _, err = run("-t", "--path.settings", tmp_path)
        assert code == 1 and says in err, (text, err)
    (tmp_path / "pipelines.yml").write_text("- pipeline.id: a\n  config.string: '%s'\n  config.reload.automatic: true\n" % SOUND.replace("'", "\"").strip())
    code, out, err = run("-t", "--path.settings", tmp_path)
    assert code == 0 and "no effect for one pipeline" in err, err
