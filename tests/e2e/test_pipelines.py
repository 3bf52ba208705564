"""Pipelines that send to each other: copies, promises, back-pressure, reloads, stops."""
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

import harness

OUT = 'file { path => "@DIR@/%s" codec => json_lines }'
ES = """elasticsearch { hosts => ["http://127.0.0.1:@ES@"] manage_template => false ilm_enabled => false index => "e2e"
  compression_level => 0 retry_initial_interval => 1 retry_max_interval => 1 resurrect_delay => 1 }"""
TCP = "input { tcp { port => @P1@ codec => line } }"


def write_pipelines(engine, pipelines):
    text = ""
    for name, config in pipelines.items():
        text += "- pipeline.id: %s\n  config.string: %s\n" % (name, json.dumps(engine.fill(config)))
    path = engine.path("settings", "pipelines.yml")
    with open(path + ".new", "w") as out:
        out.write(text)
    os.rename(path + ".new", path)


def totals(engine):
    return engine.api("/_node/stats/reloads")["reloads"]


def running(engine):
    return set(engine.api("/_node/stats/pipelines")["pipelines"])


def reload(engine, pipelines, reloaded=0, failed=0):
    """SIGHUP; waits for so many reloads and failures, and for the pipelines that should be there."""
    before = totals(engine)
    write_pipelines(engine, pipelines)
    engine.process.send_signal(signal.SIGHUP)
    harness.wait_for(lambda: totals(engine)["successes"] == before["successes"] + reloaded
                     and totals(engine)["failures"] == before["failures"] + failed
                     and running(engine) == set(pipelines), what=lambda: "a reload:\n" + engine.log()[-3000:])


def lines(engine, name="out"):
    try:
        with open(engine.path(name)) as text:
            return text.read().split("\n")[:-1]
    except FileNotFoundError:
        return []


def docs(engine, name="out"):
    return [json.loads(line) for line in lines(engine, name)]


def wait_docs(engine, n, name="out", seconds=30):
    harness.wait_for(lambda: len(lines(engine, name)) >= n, seconds,
                     lambda: "%d of %d in %s:\n%s" % (len(lines(engine, name)), n, name, engine.log()[-3000:]))
    return docs(engine, name)


def plugin(engine, pipeline, kind, at=0):
    return engine.api("/_node/stats/pipelines/" + pipeline)["pipelines"][pipeline]["plugins"][kind][at]


# ---- the documented patterns ----

def test_distributor(spate):
    """One port, several kinds: each goes its way by a condition; metadata and conditions cross."""
    engine = spate(pipelines={
        "in": """input { tcp { port => @P1@ codec => json_lines } }
          filter { mutate { add_field => { "[@metadata][way]" => "way of %{k}" } } }
          output { if [k] == "a" { pipeline { send_to => "apache" } }
            else if [k] == "s" { pipeline { send_to => ["syslog"] } }
            else { pipeline { send_to => "rest" } } }""",
        "apache": 'input { pipeline { address => "apache" } } filter { mutate { add_field => { "w" => "%{[@metadata][way]}" } } } output { ' + OUT % "a" + " }",
        "syslog": 'input { pipeline { address => "syslog" } } output { ' + OUT % "s" + " }",
        "rest": 'input { pipeline { address => "rest" } } output { ' + OUT % "r" + " }",
    }, ports=1, tcp=["P1"])
    harness.send_tcp(engine.port(), b"".join(b'{"k":"%s","n":%d}\n' % (b"asx"[i % 3:i % 3 + 1], i) for i in range(300)))
    for name, kind, first in (("a", "a", 0), ("s", "s", 1), ("r", "x", 2)):
        got = wait_docs(engine, 100, name)
        assert [doc["n"] for doc in got] == list(range(first, 300, 3)) and {doc["k"] for doc in got} == {kind}
        assert all(doc.get("w") == ("way of a" if name == "a" else None) and "@metadata" not in doc for doc in got)


def test_output_isolator_gives_each_its_own_copy(spate):
    """Every target changes its copy; none sees what another one, or a later output, did."""
    engine = spate(pipelines={
        "in": """input { tcp { port => @P1@ codec => json_lines tags => ["first"] } }
          filter { mutate { remove_field => ["@version"] } }
          output { pipeline { send_to => ["one", "two", "one"] } """ + OUT % "direct" + " }",
        "one": """input { pipeline { address => "one" add_field => { "[deep][added]" => "%{k}" } tags => ["t1"] type => "ty" } }
          filter { mutate { replace => { "[deep][x]" => "changed" } rename => { "[list]" => "names" } remove_tag => ["first"] } }
          output { """ + OUT % "one" + " }",
        "two": 'input { pipeline { address => "two" } } output { ' + OUT % "two" + " }",
    }, ports=1, tcp=["P1"])
    event = {"@timestamp": "2024-03-05T06:07:08.123Z", "k": "é\n", "deep": {"x": 1, "y": [1, {"z": None}]},
             "list": ["a", 2.5, True], "type": "own", "num": 12345678901234567890123}
    harness.send_tcp(engine.port(), b"".join(json.dumps(dict(event, n=i)).encode() + b"\n" for i in range(50)))
    direct, one, two = (wait_docs(engine, 50, name) for name in ("direct", "one", "two"))
    assert (len(direct), len(one), len(two)) == (50, 50, 50), "an address given twice is one"
    for i, (d, a, b) in enumerate(zip(direct, one, two)):
        assert "@version" not in d and a["@version"] == b["@version"] == "1"
        assert d["n"] == a["n"] == b["n"] == i and a["@timestamp"] == b["@timestamp"] == d["@timestamp"] == event["@timestamp"]
        assert a["deep"] == {"x": "changed", "y": [1, {"z": None}], "added": "é\n"} and a["names"] == ["a", 2.5, True]
        assert a["tags"] == ["t1"] and a["type"] == "own" and a["num"] == event["num"]
        assert {key: b[key] for key in event} == {key: d[key] for key in event} == event and b["tags"] == ["first"]


def test_forked_path_and_collector(spate):
    """A pipeline's stream goes on unchanged and, reduced, into others, which meet again in a last one."""
    engine = spate(pipelines={
        "in": TCP + ' filter { mutate { add_field => { secret => "s" } } } output { pipeline { send_to => ["internal", "partner"] } }',
        "internal": 'input { pipeline { address => "internal" } } output { pipeline { send_to => "all" } }',
        "partner": """input { pipeline { address => "partner" } } filter { mutate { remove_field => ["secret"] } }
          output { pipeline { send_to => "all" } }""",
        "all": 'input { pipeline { address => "all" } } output { ' + OUT % "out" + " }",
    }, ports=1, tcp=["P1"])
    harness.send_tcp(engine.port(), harness.numbered(200))
    got = wait_docs(engine, 400)
    for secret in (True, False):
        assert harness.markers([doc for doc in got if ("secret" in doc) == secret]) == list(range(200))
    stats = engine.api("/_node/stats/pipelines")["pipelines"]
    assert {name: (p["events"]["in"], p["events"]["out"]) for name, p in stats.items()} == {
        "in": (200, 200), "internal": (200, 200), "partner": (200, 200), "all": (400, 400)}


def test_numbers_of_both_plugins(spate):
    engine = spate(pipelines={
        "in": TCP + ' output { pipeline { id => "o" send_to => ["x", "nobody"] ensure_delivery => false } }',
        "x": 'input { pipeline { id => "i" address => "x" } } output { null { } }',
    }, ports=1, tcp=["P1"])
    harness.send_tcp(engine.port(), harness.numbered(70))
    harness.wait_for(lambda: engine.events("x")["in"] == 70, what="the events")
    output, listener = plugin(engine, "in", "outputs"), plugin(engine, "x", "inputs")
    assert output["send_to"] == ["x", "nobody"] and output["dropped"]["unavailable"] == 70
    assert output["events"]["in"] == output["events"]["out"] == 70
    assert listener["address"] == "x" and listener["events"]["out"] == 70
    labels = '{pipeline="in",kind="output",id="o",name="pipeline",stat="dropped_unavailable"}'
    assert engine.metrics()["spate_plugin_stat" + labels] == 70
    assert 'no pipeline listens at "nobody"' in engine.log()


def documented(name):
    """{id: configuration} of an example in docs/configuration.md, with the settings of each pipeline."""
    with open(os.path.join(harness.ROOT, "docs/configuration.md")) as doc:
        text = re.search(r"<!-- pipelines: %s -->\n```yaml\n(.*?)```" % name, doc.read(), re.S).group(1)
    pipelines, settings = {}, {}
    for one in text.split("- pipeline.id: ")[1:]:
        head, body = one.split("  config.string: |\n")
        name, *rest = head.strip().split("\n")
        pipelines[name] = body.replace("5044", "@P1@").replace("es:9200", "127.0.0.1:@ES@").replace(
            "elasticsearch {", "elasticsearch { manage_template => false ilm_enabled => false compression_level => 0")
        settings[name] = dict(line.strip().split(": ") for line in rest)
    return pipelines, settings


@pytest.mark.parametrize("name, expect", [
    ("distributor", {"nginx": 10, "system": 10, "other": 10}), ("isolator", {"search": 30, "archive": 30}),
    ("fork", {"internal": 30, "partner": 20}), ("collector", {"all": 31})])
def test_documented_patterns(spate, sink, name, expect):
    """The examples of the documentation run, and everything is where it should be and acknowledged."""
    es = sink()
    pipelines, settings = documented(name)
    engine = spate(pipelines=pipelines, pipeline_settings=settings, ports=1, tcp=["P1"], names={"ES": es.es})
    client = harness.Lumberjack(engine.port())
    client.send([{"message": "m", "n": i, "user": "u", "agent": {"type": "filebeat"},
                  "loglevel": ["debug", "info", "warn"][i % 3], "fields": {"kind": ["nginx", "system", "x"][i % 3]}}
                 for i in range(30)])
    assert client.acked(30) == 30
    es.wait_docs(sum(expect.values()))
    got = {}
    for item in es.items():
        got.setdefault(next(iter(item["action"].values()))["_index"], []).append(item["doc"])
    assert {index: len(all_of) for index, all_of in got.items()} == expect
    assert all("user" not in doc and "host" not in doc for doc in got.get("partner", []))
    assert all("agent" not in doc for doc in got.get("archive", [])) and all("agent" in doc for doc in got.get("search", []))
    assert all(doc["tags"][-1] == "collected" for doc in got.get("all", []))
    client.close()


# ---- promises ----

def test_a_beats_ack_waits_for_every_pipeline(spate, sink):
    """Two pipelines behind the beats input; one's cluster is down: no ACK before it has the events."""
    up, down = sink(), sink("--down")
    engine = spate(pipelines={
        "in": 'input { beats { port => @P1@ } } output { pipeline { send_to => ["fast", "slow"] } }',
        "fast": 'input { pipeline { address => "fast" } } output { ' + ES.replace("@ES@", "@UP@") + " }",
        "slow": 'input { pipeline { address => "slow" } } output { ' + ES.replace("@ES@", "@DOWN@") + " }",
    }, ports=1, tcp=["P1"], names={"UP": up.es, "DOWN": down.es})
    client = harness.Lumberjack(engine.port())
    client.send([{"message": "m%d" % i} for i in range(40)])
    up.wait_docs(40)
    client.sock.settimeout(1.5)
    try:
        while True:
            assert client.sock.recv(6)[2:] == b"\0\0\0\0", "an ACK before delivery"
    except socket.timeout:
        pass
    down.toggle()
    assert client.acked(40) == 40
    assert len(down.docs()) == 40
    client.close()


def test_a_failed_promise_is_not_acknowledged(spate, sink):
    """The process ends while the last pipeline cannot deliver: the client hears no ACK, only the end."""
    down = sink("--down")
    engine = spate(pipelines={
        "in": 'input { beats { port => @P1@ } } output { pipeline { send_to => "a" } }',
        "a": 'input { pipeline { address => "a" } } output { pipeline { send_to => "b" } }',
        "b": 'input { pipeline { address => "b" } } output { ' + ES + " }",
    }, ports=1, tcp=["P1"], names={"ES": down.es}, settings={"shutdown.timeout": "1s"})
    client = harness.Lumberjack(engine.port())
    client.send([{"message": "m%d" % i} for i in range(40)])
    harness.wait_for(lambda: engine.events("b")["in"] == 40, what="the events")
    engine.stop()
    while True:
        got = client.ack()
        if got is None:
            break
        assert got == 0, "an ACK of what was not delivered"
    client.close()


def test_sincedb_waits_for_the_last_pipeline(spate, sink):
    """Killed with everything undelivered, and started anew: the file is read again from its start."""
    down = sink("--down")
    pipelines = {
        "in": """input { file { path => "@DIR@/log" start_position => "beginning" sincedb_path => "@DIR@/db" sincedb_write_interval => "100 ms" } }
          output { pipeline { send_to => "out" } }""",
        "out": 'input { pipeline { address => "out" } } output { ' + ES + " }",
    }
    engine = spate(pipelines=pipelines, names={"ES": down.es}, wait=False)
    with open(engine.path("log"), "wb") as log:
        log.write(harness.numbered(500))
    engine.start()
    harness.wait_for(lambda: engine.events("out")["in"] == 500, what="the events")
    time.sleep(0.5)
    engine.kill()
    engine.start()
    down.toggle()
    down.wait_docs(500)
    assert sorted(set(harness.markers(down.docs()))) == list(range(500))


# ---- nobody there, and back-pressure ----

def test_events_wait_for_a_listener(spate):
    """ensure_delivery: nobody listens at the start, later it does; nothing is lost."""
    first = {"in": TCP + ' output { pipeline { send_to => "late" } }'}
    late = dict(first, late='input { pipeline { address => "late" } } output { ' + OUT % "out" + " }")
    engine = spate(pipelines=first, ports=1, tcp=["P1"])
    harness.send_tcp(engine.port(), harness.numbered(300))
    harness.wait_for(lambda: 'no pipeline listens at "late"' in engine.log(), what="the complaint")
    reload(engine, late)
    assert harness.markers(wait_docs(engine, 300)) == list(range(300))
    reload(engine, first)
    harness.send_tcp(engine.port(), harness.numbered(300, 300))
    time.sleep(0.3)
    reload(engine, late)
    assert harness.markers(wait_docs(engine, 600)) == list(range(600))


def test_without_ensure_delivery_events_are_dropped_and_counted(spate):
    """Killing the listener by a reload: what comes meanwhile is lost, counted, and acknowledged."""
    first = {"in": TCP + ' output { pipeline { send_to => "x" ensure_delivery => false } }',
             "x": 'input { pipeline { address => "x" } } output { ' + OUT % "out" + " }"}
    engine = spate(pipelines=first, ports=1, tcp=["P1"])
    harness.send_tcp(engine.port(), harness.numbered(100))
    wait_docs(engine, 100)
    reload(engine, {"in": first["in"]})
    harness.send_tcp(engine.port(), harness.numbered(100, 100))
    harness.wait_for(lambda: plugin(engine, "in", "outputs")["dropped"]["unavailable"] == 100, what="the drops")
    reload(engine, first)
    harness.send_tcp(engine.port(), harness.numbered(100, 200))
    assert harness.markers(wait_docs(engine, 200)) == list(range(100)) + list(range(200, 300))


def test_back_pressure_reaches_the_source(spate, sink):
    """The last pipeline is stuck: the first stops reading, memory stays bounded, and then all arrives."""
    es = sink("--loss", "--down", capture=False)
    engine = spate(pipelines={
        "in": TCP + ' output { pipeline { send_to => "a" ensure_delivery => false } }',
        "a": 'input { pipeline { address => "a" } } output { pipeline { send_to => "b" } }',
        "b": 'input { pipeline { address => "b" } } output { ' + ES + " }",
    }, ports=1, tcp=["P1"], names={"ES": es.es}, settings={"spate.memory_bytes": "128mb"})
    sock = harness.tcp_connect(engine.port())
    sock.setblocking(False)
    data, sent, still = harness.numbered(2000000), 0, 0
    while still < 20 and sent < len(data):
        try:
            sent, still = sent + sock.send(data[sent:sent + 1000000]), 0
        except BlockingIOError:
            still += 1
            time.sleep(0.1)
    assert sent < len(data), "nothing held the source back"
    assert engine.rss_kb() < 900 * 1024
    sent = data.rindex(b"\n", 0, sent) + 1
    es.toggle()
    sock.setblocking(True)
    sock.sendall(data[sent:sent + 22 * 1000])
    sock.close()
    total = data[:sent + 22 * 1000].count(b"\n")
    harness.wait_for(lambda: es.stats()["unique"] >= total, 120, lambda: "%d: %s" % (total, es.stats()))
    assert es.stats()["duplicates"] == 0
    assert plugin(engine, "in", "outputs")["dropped"]["unavailable"] == 0


# ---- shards ----

def test_a_listener_with_fewer_shards(spate):
    """Two shards send to a pipeline on one of them: all arrives, each connection in its order."""
    engine = spate(pipelines={
        "in": """input { tcp { port => @P1@ codec => json_lines } } output { pipeline { send_to => "one" } }""",
        "one": 'input { pipeline { address => "one" } } output { ' + OUT % "out" + " }",
    }, ports=1, tcp=["P1"], args=["-w", "2", "-S", "spate.shards=2"],
        pipeline_settings={"one": {"pipeline.workers": 1}})

    def send(client):
        with harness.tcp_connect(engine.port()) as sock:
            for i in range(2000):
                sock.sendall(b'{"c":%d,"i":%d,"text":"%s"}\n' % (client, i, b"x" * (i % 50)))

    clients = [threading.Thread(target=send, args=(c,)) for c in range(8)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    got = wait_docs(engine, 16000, seconds=60)
    assert len(got) == 16000
    for client in range(8):
        assert [doc["i"] for doc in got if doc["c"] == client] == list(range(2000))
    assert plugin(engine, "one", "inputs")["events"]["out"] == 16000


# ---- reloads ----

def busy(engine, stop, sent):
    with harness.tcp_connect(engine.port()) as sock:
        while not stop.is_set():
            sock.sendall(harness.numbered(50, sent[0]))
            sent[0] += 50
            time.sleep(0.001)


def reload_under_load(engine, versions):
    stop, sent = threading.Event(), [0]
    sender = threading.Thread(target=busy, args=(engine, stop, sent))
    sender.start()
    for version in versions:
        time.sleep(0.1)
        reload(engine, version, reloaded=1)
    stop.set()
    sender.join()
    return sent[0]


def check_order(engine, n):
    got = wait_docs(engine, n)
    assert [int(doc["message"][-12:]) for doc in got] == list(range(n)), "lost, twice or out of order"
    versions = [doc["v"] for doc in got]
    assert versions == sorted(versions) and versions[-1] == "4"


def version_of(where, n, extra=""):
    change = ' filter { mutate { add_field => { "v" => "%d" } } } ' % n
    return {"in": TCP + (change if where == "in" else "") + 'output { pipeline { send_to => "x" } }',
            "x": 'input { pipeline { address => "x" ' + extra + "} }" + (change if where == "x" else "")
            + "output { " + OUT % "out" + " }"}


def test_reloads_of_the_sender(spate):
    engine = spate(pipelines=version_of("in", 0), ports=1, tcp=["P1"])
    check_order(engine, reload_under_load(engine, [version_of("in", n) for n in range(1, 5)]))


def test_reloads_of_the_listener(spate):
    """The input stays (same options), and the filters change under it."""
    engine = spate(pipelines=version_of("x", 0), ports=1, tcp=["P1"])
    check_order(engine, reload_under_load(engine, [version_of("x", n) for n in range(1, 5)]))


def test_reloads_of_the_listener_with_other_options(spate):
    """The input is made anew each time: events wait for it."""
    engine = spate(pipelines=version_of("x", 0), ports=1, tcp=["P1"])
    check_order(engine, reload_under_load(engine, [version_of("x", n, "tags => ['t%d']" % n) for n in range(1, 5)]))


def test_a_listener_that_is_reloaded_while_it_is_stuck(spate, sink):
    """The old configuration goes on with its events beside the new one; a promise settles with the later."""
    es = sink("--down")
    old = {"in": 'input { beats { port => @P1@ } } output { pipeline { send_to => "x" } }',
           "x": 'input { pipeline { address => "x" } } output { ' + ES + " }"}
    engine = spate(pipelines=old, ports=1, tcp=["P1"], names={"ES": es.es})
    client = harness.Lumberjack(engine.port())
    client.send([{"message": "old"}] * 10)
    harness.wait_for(lambda: engine.events("x")["in"] == 10, what="the events")
    reload(engine, dict(old, x='input { pipeline { address => "x" } } output { ' + OUT % "out" + " }"), reloaded=1)
    other = harness.Lumberjack(engine.port())
    other.send([{"message": "new"}] * 10)
    assert other.acked(10) == 10 and {doc["message"] for doc in docs(engine)} == {"new"}
    es.toggle()
    assert client.acked(10) == 10
    assert len(es.docs()) == 10
    client.close()
    other.close()


def test_an_address_moves_to_another_pipeline(spate):
    """In one reload one gives the address up and the other takes it, whichever comes first."""
    def config(owner):
        all_of = {"in": TCP + ' output { pipeline { send_to => "x" } }'}
        for name in ("a", "b"):
            address = "x" if name == owner else "x-" + name
            all_of[name] = 'input { pipeline { address => "%s" } } output { %s }' % (address, OUT % name)
        return all_of
    engine = spate(pipelines=config("a"), ports=1, tcp=["P1"])
    expect = {"a": 0, "b": 0}
    for owner in ("a", "b", "a", "b"):
        if expect["a"]:
            reload(engine, config(owner), reloaded=2)
        harness.send_tcp(engine.port(), b"m\n" * 10)
        expect[owner] += 10
        wait_docs(engine, expect[owner], owner)
    assert len(lines(engine, "a")) == 20 and len(lines(engine, "b")) == 20


def test_one_address_twice(spate):
    """The second pipeline does not start, and does not take anything away from the first."""
    two = {"a": 'input { pipeline { address => "x" } } output { ' + OUT % "a" + " }",
           "b": 'input { pipeline { address => "x" } } output { ' + OUT % "b" + " }",
           "in": TCP + ' output { pipeline { send_to => "x" } }'}
    engine = spate(pipelines=two, ports=1, tcp=["P1"])
    assert running(engine) == {"a", "in"} or running(engine) == {"b", "in"}
    assert "already belongs to an input of pipeline" in engine.log()
    harness.send_tcp(engine.port(), b"m\n")
    harness.wait_for(lambda: lines(engine, "a") + lines(engine, "b"), what="the line")


# ---- stopping ----

def test_sigterm_drains_through_all_pipelines(spate, sink):
    """SIGTERM right after the lines: each passes three pipelines, and what a filter kept comes out as well."""
    es = sink("--loss", "--delay", "50", capture=False)
    engine = spate(pipelines={
        "z": 'input { pipeline { address => "z" } } output { ' + ES + " " + OUT % "out" + " }",
        "in": TCP + ' output { pipeline { send_to => "m" } }',
        "m": """input { pipeline { address => "m" } }
          filter { metrics { meter => "lines" add_tag => "meter" flush_interval => 3600 } }
          output { pipeline { send_to => "z" } }""",
    }, ports=1, tcp=["P1"], names={"ES": es.es})
    harness.send_tcp(engine.port(), harness.numbered(30000))
    engine.stop(60)
    stats = es.stats()
    assert stats["unique"] == 30000 and stats["duplicates"] == 0, stats
    meters = [doc for doc in docs(engine) if "meter" in doc.get("tags", [])]
    assert sum(doc["lines"]["count"] for doc in meters[-2:]) >= 30000 or not meters


def test_the_process_ends_when_all_sources_have(spate):
    """Inputs that other pipelines send to do not keep it running."""
    engine = spate(pipelines={
        "a": 'input { pipeline { address => "a" } } output { ' + OUT % "out" + " }",
        "in": 'input { generator { count => 5000 } } output { pipeline { send_to => "a" } }',
    }, wait=False)
    engine.spawn()
    assert engine.wait(60) == 0
    engine.check_log()
    assert len(lines(engine)) == 5000


def test_a_circle_that_events_leave(spate):
    """Events go round until a condition lets them out; it is reported, it works, and it stops."""
    engine = spate(pipelines={
        "a": """input { tcp { port => @P1@ codec => line } pipeline { address => "a" } }
          filter { ruby { code => "event.set('n', (event.get('n') || 0) + 1)" } }
          output { pipeline { send_to => "b" } }""",
        "b": 'input { pipeline { address => "b" } } output { if [n] < 5 { pipeline { send_to => "a" } } else { ' + OUT % "out" + " } }",
        "self": """input { tcp { port => @P2@ codec => line } pipeline { address => "self" } }
          filter { if [again] { mutate { add_field => { done => 1 } } } else { mutate { add_field => { again => 1 } } } }
          output { if [done] { %s } else { pipeline { send_to => "self" } } }""" % (OUT % "self"),
    }, ports=2, tcp=["P1", "P2"])
    harness.wait_for(lambda: "in a circle: a -> b -> a" in engine.log() and "self -> self" in engine.log(), what="the report")
    harness.send_tcp(engine.port(), b"m\n" * 3000)
    harness.send_tcp(engine.port(2), b"m\n" * 3000)
    got = wait_docs(engine, 3000)
    assert len(got) == 3000 and {doc["n"] for doc in got} == {5}
    assert len(wait_docs(engine, 3000, "self")) == 3000


def test_a_circle_that_nothing_leaves(spate):
    """It fills up and stands still, within bounds, and its stop ends in time: one event goes round until it cannot."""
    ring = {"p%02d" % i: 'input { pipeline { address => "%02d" } } output { pipeline { send_to => "%02d" } }' % (i, (i + 1) % 60)
            for i in range(60)}
    ring["in"] = 'input { heartbeat { interval => 1000 } } output { pipeline { send_to => "00" } }'
    engine = spate(pipelines=ring, settings={"shutdown.timeout": "1s"}, args=["-w", "1"])
    seen = [-1, 0]

    def still():
        seen[0], seen[1] = seen[1], engine.events("p00")["in"]
        time.sleep(0.3)
        return seen[0] == seen[1] > 1000

    harness.wait_for(still, 60, lambda: "the end of the rounds: %s" % seen)
    assert engine.rss_kb() < 1500 * 1024
    engine.stop(20)


# ---- the configuration ----

def check(tmp_path, pipelines, *args):
    with open(tmp_path / "pipelines.yml", "w") as out:
        for name, text in pipelines.items():
            out.write("- pipeline.id: %s\n  config.string: %s\n" % (name, json.dumps(text)))
    done = subprocess.run([harness.spate_bin(), *(args or ["-t"]), "--path.settings", str(tmp_path)],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    return done.returncode, done.stdout


def test_addresses_are_checked(tmp_path):
    listener = 'input { pipeline { address => "x" } } output { null { } }'
    sender = 'input { stdin { } } output { pipeline { send_to => "%s" } }'
    assert check(tmp_path, {"a": listener, "b": sender % "x"}) == (0, "Configuration OK\n")
    code, text = check(tmp_path, {"a": listener, "b": listener})
    assert code == 1 and 'pipeline b: the address "x" already belongs to an input of pipeline a' in text
    code, text = check(tmp_path, {"a": listener, "b": sender % "y"})
    assert code == 0 and 'pipeline b sends to "y", where no pipeline listens' in text
    code, text = check(tmp_path, {"a": listener.replace("null { }", 'pipeline { send_to => "x" }')})
    assert code == 0, "one alone may have its others elsewhere"
    code, text = check(tmp_path, {"a": listener.replace("null { }", 'pipeline { send_to => "z" }'),
                                  "b": listener.replace("x", "z").replace("null { }", 'pipeline { send_to => "x" }')})
    assert code == 0 and "in a circle: a -> b -> a" in text
    code, text = check(tmp_path, {"a": 'input { pipeline { } } output { pipeline { } }'})
    assert code == 1 and "address" in text and "send_to" in text
