"""spate --docs and spate grok explain, as people call them."""
import json
import subprocess

import harness


def run(*args):
    done = subprocess.run([harness.spate_bin(), *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=60 * harness.PATIENCE)
    return done.returncode, done.stdout, done.stderr


def test_docs_has_every_kind():
    code, out, _ = run("--docs")
    assert code == 0
    for text in ("### stdin", "### multiline", "### grok", "### elasticsearch", "`pipeline.workers`", "`ruby`"):
        assert text in out


def test_docs_for_tools():
    code, out, _ = run("--docs", "json")
    docs = json.loads(out)
    plugins = {(p["kind"], p["name"]): {o["name"]: o for o in p["options"]} for p in docs["plugins"]}
    assert code == 0 and [p["kind"] for p in docs["common"]] == ["input", "codec", "filter", "output"]
    assert plugins["filter", "kv"]["whitespace"] == {
        "name": "whitespace", "type": "choice", "default": "lenient", "choices": ["strict", "lenient"], "required": False,
        "names_fields": False, "state": "current", "instead": None, "old_names": [], "since": None,
        "doc": plugins["filter", "kv"]["whitespace"]["doc"]}
    assert plugins["filter", "kv"]["source"]["names_fields"] and plugins["codec", "multiline"]["what"]["required"]
    assert plugins["filter", "translate"]["target"]["old_names"] == ["destination"]
    assert {o["state"] for p in plugins.values() for o in p.values()} == {"current", "deprecated", "obsolete", "unsupported"}
    defaults = {p["name"]: p["defaults_of_common_options"] for p in docs["plugins"] if p["kind"] == "input"}
    assert defaults["stdin"] == {"codec": "line"}


def test_docs_says_what_it_can_print():
    code, out, err = run("--docs", "nosuch")
    assert code == 1 and out == "" and err.startswith("usage: spate --docs [")


def test_grok_explain_counts_the_lines_of_a_sample(tmp_path):
    sample = tmp_path / "sample.log"
    sample.write_text("10.0.0.1 GET\nlevel=INFO\n10.0.0.2 PUT\nnothing of it")
    code, out, _ = run("grok", "explain", "--sample", str(sample), "%{IP:ip} %{WORD:verb}", "level=%{WORD:level}")
    assert code == 0 and 'needs "level="' in out.replace("selected by literal", "needs")
    counts = {row.split("  ")[-1]: int(row.split()[0]) for row in out.split("sample:\n")[1].splitlines()[1:]}
    assert counts == {"pattern 0": 2, "pattern 1": 1, "no match": 1, "all": 4}


def test_grok_explain_knows_pattern_files(tmp_path):
    (tmp_path / "mine").write_text("THING [a-z]+-\\d+\n")
    assert run("grok", "explain", "--patterns-dir", str(tmp_path), "%{THING:thing}")[0] == 0
    code, _, err = run("grok", "explain", "%{THING:thing}")
    assert code == 1 and "THING" in err


def test_grok_explain_of_a_configuration(tmp_path):
    config = tmp_path / "p.conf"
    config.write_text("""input { stdin {} } filter { grok { id => "first" match => { "message" => ["a%{INT:n}", "b%{INT:n}"] } }
        mutate { add_tag => ["x"] } grok { match => { "[x][y]" => "c" } } } output { stdout {} }""")
    code, out, _ = run("grok", "explain", "-f", str(config))
    assert code == 0 and out.count("== filter") == 2
    assert "== filter first\nfield message\npattern 0: a%{INT:n}\npattern 1: b%{INT:n}\n" in out and "field [x][y]" in out
    config.write_text("filter { grok { match => { 'message' => '(' } } }")
    code, _, err = run("grok", "explain", "-f", str(config))
    assert code == 1 and "p.conf:1" in err


def test_grok_explain_says_how_to_call_it():
    for args in ([], ["-f"], ["-f", "a.conf", "PATTERN"], ["--nosuch", "PATTERN"]):
        code, out, err = run("grok", "explain", *args)
        assert code == 1 and out == "" and err.startswith("usage: spate grok explain")
    code, _, err = run("grok", "explain", "--sample", "/nonexistent/file", "x")
    assert code == 1 and "/nonexistent/file" in err
