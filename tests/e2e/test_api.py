"""The monitoring API: shapes, plugins' numbers, errors, bounds, authentication, and pipelines.yml behind it."""
import base64
import json
import socket
import time

import harness

CONFIG = """input { tcp { id => in port => @P1@ codec => line } }
filter { grok { id => parse match => { message => "%{WORD:verb} %{NUMBER:code}" } }
  if [verb] == "drop" { drop { } } }
output { file { id => out path => "@DIR@/out" } }"""


def raw(engine, data, seconds=10):
    """What comes back on a connection of its own until it is closed."""
    with harness.tcp_connect(engine.api_port) as sock:
        sock.settimeout(seconds * harness.PATIENCE)
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        got = b""
        while True:
            more = sock.recv(65536)
            if not more:
                return got
            got += more


def test_shapes_and_numbers(spate):
    engine = spate(CONFIG, ports=1, tcp=["P1"])
    harness.send_tcp(engine.port(), b"get 1\nget 2\ndrop 3\n")
    harness.wait_for(lambda: engine.events()["out"] == 2, what="events")
    root = engine.api("/")
    for key in ("host", "version", "http_address", "id", "name", "ephemeral_id", "snapshot", "status", "pipeline"):
        assert key in root
    assert root["status"] == "green" and set(root["pipeline"]) == {"workers", "batch_size", "batch_delay"}
    stats = engine.api("/_node/stats")
    assert {"jvm", "process", "events", "flow", "pipelines", "reloads", "os", "queue"} <= set(stats)
    assert stats["events"]["in"] == 3 and stats["events"]["out"] == 2
    assert stats["jvm"]["mem"]["heap_used_in_bytes"] > 0 and stats["process"]["open_file_descriptors"] > 5
    main = stats["pipelines"]["main"]
    assert main["events"]["filtered"] == 2 and main["events"]["dropped"] == 1
    assert set(main["flow"]["input_throughput"]) == {"current", "lifetime"}
    plugins = main["plugins"]
    assert plugins["inputs"][0]["id"] == "in" and plugins["inputs"][0]["events"]["out"] == 3
    grok, drop = plugins["filters"]
    assert (grok["id"], grok["name"], grok["events"]["in"], grok["events"]["out"]) == ("parse", "grok", 3, 3)
    assert (drop["events"]["in"], drop["events"]["out"]) == (1, 0)
    assert plugins["outputs"][0]["events"]["in"] == 2
    assert {codec["name"] for codec in plugins["codecs"]} == {"line", "json_lines"}
    assert main["reloads"]["last_error"] is None and main["queue"]["type"] == "memory"


def test_every_address(spate):
    engine = spate(CONFIG, ports=1, tcp=["P1"])
    for path, key in (("/_node", "pipelines"), ("/_node/pipelines", "pipelines"), ("/_node/os", "os"),
                      ("/_node/jvm", "jvm"), ("/_node/plugins", "plugins"), ("/_node/stats/jvm", "jvm"),
                      ("/_node/stats/process", "process"), ("/_node/stats/events", "events"),
                      ("/_node/stats/flow", "flow"), ("/_node/stats/reloads", "reloads"),
                      ("/_node/stats/os", "os"), ("/_node/hot_threads", "hot_threads"),
                      ("/_node/logging", "loggers"), ("/_health_report", "indicators"),
                      ("/_node/pipelines/main", "pipelines"), ("/_node/stats/pipelines/main/", "pipelines"),
                      ("/_node/stats/geoip_download_manager", "geoip_download_manager"), ("/_stats", "jvm"),
                      ("/_stats/pipelines/main", "pipelines"), ("/?wait_for_status=green&timeout=1s", "host")):
        answer = engine.api(path)
        assert key in answer and "version" in answer, path
    assert list(engine.api("/_node/stats/events"))[-1] == "events", "one section only"
    assert any(t["name"].startswith("shard") for t in engine.api("/_node/hot_threads")["hot_threads"]["threads"])
    assert b"thread name: 'shard 0'" in harness.http(engine.api_port, "/_node/hot_threads?human=true", "GET")[1]
    assert harness.http(engine.api_port, "/?wait_for_status=blue", "GET")[0] == 400
    for path in ("/nothing", "/_node/nothing", "/_node/stats/nothing", "/_node/stats/pipelines/other",
                 "/_node/pipelines/other", "/%zz", "/_stats/pipelines/other"):
        status, body = harness.http(engine.api_port, path, "GET")
        assert status == 404 and json.loads(body)["status"] == 404, path
    assert harness.http(engine.api_port, "/_node", "DELETE")[0] == 405
    assert b'\n  "host"' in harness.http(engine.api_port, "/?pretty", "GET")[1]
    assert raw(engine, b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").endswith(b"\r\n\r\n")


def test_prometheus(spate):
    engine = spate(CONFIG, ports=1, tcp=["P1"])
    harness.send_tcp(engine.port(), b"get 1\ndrop 2\n")
    harness.wait_for(lambda: engine.events()["out"] == 1, what="events")
    values = engine.metrics()
    assert values['spate_events_in_total{pipeline="main"}'] == 2
    assert values['spate_bytes_in_total{pipeline="main"}'] == 13
    assert values['spate_events_dropped_total{pipeline="main",reason="filter"}'] == 1
    assert values['spate_plugin_events_total{pipeline="main",kind="filter",id="parse",name="grok"}'] == 2
    assert values['spate_plugin_stat{pipeline="main",kind="input",id="in",name="tcp",stat="connections_accepted"}'] == 1
    assert values["process_resident_memory_bytes"] > 1e6
    families = [line.split()[2] for line in harness.http(engine.api_port, "/metrics", "GET")[1].decode().splitlines()
                if line.startswith("# TYPE")]
    assert len(families) == len(set(families)), "a family is declared twice"


def test_what_codecs_cannot_decode(spate, tmp_path):
    """Tagged and dropped messages are counted for their input, wherever it takes them in."""
    schema = tmp_path / "schema.avsc"
    schema.write_text('{"type":"record","name":"r","fields":[{"name":"n","type":"int"}]}')
    classes = tmp_path / "a_pb.rb"
    classes.write_text('add_message "A" do\n  optional :n, :int32, 1\nend\n')
    engine = spate("""input {
      udp { id => "udp" port => @P1@ codec => protobuf { class_name => "A" class_file => "%s" protobuf_version => 3 } }
      udp { id => "drops" port => @P2@ codec => avro { schema_uri => "%s" encoding => binary } }
      tcp { id => "tcp" port => @P1@ codec => json_lines }
      syslog { id => "syslog" port => @P3@ codec => json }
      beats { id => "beats" port => @P4@ codec => cef } }
      output { file { path => "@DIR@/out" codec => json_lines } }""" % (classes, schema), ports=4,
                   tcp=["P1", "P3", "P4"], udp=["P1", "P2", "P3"])
    harness.send_udp(engine.port(1), b"\x08\x05", b"\x08", b"\x0e\x0e")
    harness.send_udp(engine.port(2), b"\x04", b"\xff", b"\xff", b"\xff\xff")
    harness.send_udp(engine.port(3), b'{"a":1}', b"{")
    harness.send_tcp(engine.port(1), b'{"a":1}\n{\n[1]\n{"b":2}\n')
    beats = harness.Lumberjack(engine.port(4))
    beats.send([{"message": "CEF:0|a|b|c|d|e|5|f=g"}, {"message": "no CEF"}])
    beats.acked(2)
    beats.close()
    harness.wait_for(lambda: engine.events()["out"] == 12, what="events")

    def numbers():
        values = engine.metrics()
        name = 'spate_plugin_decode_failures_total{pipeline="main",kind="input",id="%s",name="%s",result="%s"}'
        return [(values[name % (kind, "udp" if kind == "drops" else kind, "tagged")],
                 values[name % (kind, "udp" if kind == "drops" else kind, "dropped")])
                for kind in ("udp", "drops", "tcp", "syslog", "beats")]

    harness.wait_for(lambda: numbers()[1] == (0, 3), what="drops")
    assert numbers() == [(2, 0), (0, 3), (2, 0), (1, 0), (1, 0)]
    assert engine.metrics()['spate_events_dropped_total{pipeline="main",reason="decode"}'] == 3
    codecs = engine.api("/_node/stats/pipelines/main")["pipelines"]["main"]["plugins"]["codecs"]
    got = {codec["name"]: (codec["decode"]["failures"], codec["decode"]["dropped"]) for codec in codecs}
    assert got["protobuf"] == (2, 0) and got["avro"] == (0, 3) and got["cef"] == (1, 0) and got["json"] == (1, 0)


def test_log_level(spate):
    engine = spate(CONFIG, ports=1, tcp=["P1"])
    assert engine.api("/_node/logging")["loggers"]["spate"] == "INFO"
    assert engine.api("/_node/logging", "PUT", {"logger.outputs": "DEBUG"}) == {"acknowledged": True}
    assert engine.api("/_node/logging")["loggers"]["spate"] == "DEBUG"
    engine.api("/_node/logging/reset", "PUT", {})
    assert engine.api("/_node/logging")["loggers"]["spate"] == "INFO"
    for bad in (b"", b"{}", b'{"logger.x":"LOUD"}', b'{"other":"INFO"}', b'{"logger.x', b"\xff\x00"):
        assert harness.http(engine.api_port, "/_node/logging", "PUT", bad or b" ")[0] == 400, bad


def test_bad_requests_and_bounds(spate):
    engine = spate(CONFIG, ports=1, tcp=["P1"])
    assert raw(engine, b"GET / HTTP/1.1\n\n").startswith(b"HTTP/1.1 400 ")
    assert raw(engine, b"GET / HTTP/3.0\r\n\r\n").startswith(b"HTTP/1.1 505 ")
    assert raw(engine, b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 431 ")
    assert raw(engine, b"PUT / HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n").startswith(b"HTTP/1.1 413 ")
    assert raw(engine, b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").startswith(b"HTTP/1.1 411 ")
    assert raw(engine, b"\x16\x03\x01\x00\xff" * 40 + b"\n").startswith(b"HTTP/1.1 400 ")
    two = raw(engine, b"GET / HTTP/1.1\r\n\r\nGET /_node/os HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert two.count(b"HTTP/1.1 200 OK") == 2
    idle = [harness.tcp_connect(engine.api_port) for _ in range(100)]
    time.sleep(0.2)
    for sock in idle:
        sock.close()
    harness.wait_for(lambda: harness.http(engine.api_port, "/", "GET")[0] == 200, what="the API after a crowd")


def test_basic_authentication(spate):
    engine = spate(CONFIG, ports=1, tcp=["P1"], settings={
        "api.auth.type": "basic", "api.auth.basic.username": "ops", "api.auth.basic.password": "s3cret"})
    assert harness.http(engine.api_port, "/", "GET")[0] == 401
    assert harness.http(engine.api_port, "/", "GET", user="ops:wrong")[0] == 401
    assert harness.http(engine.api_port, "/metrics", "GET")[0] == 401
    assert harness.http(engine.api_port, "/", "GET", user="ops:s3cret")[0] == 200
    token = base64.b64encode(b"ops:s3cret").decode()
    assert harness.http(engine.api_port, "/", "GET", headers={"Authorization": "Basic " + token + "x"})[0] == 401


def test_pipelines_yml(spate):
    one = 'input { tcp { port => @P%d@ codec => line } } output { file { path => "@DIR@/%s" codec => line { format => "%%{message}" } } }'
    engine = spate(pipelines={"first": one % (1, "a"), "second": one % (2, "b")}, ports=2, tcp=["P1", "P2"])
    harness.send_tcp(engine.port(1), b"to a\n")
    harness.send_tcp(engine.port(2), b"to b\nto b\n")
    harness.wait_for(lambda: engine.events("second")["out"] == 2, what="the second pipeline")
    harness.wait_for(lambda: engine.events("first")["out"] == 1, what="the first pipeline")
    assert set(engine.api("/_node/stats/pipelines")["pipelines"]) == {"first", "second"}
    assert set(engine.api("/_node/stats/pipelines/first")["pipelines"]) == {"first"}
    assert engine.api("/_node/stats")["events"]["in"] == 3
    engine.stop()
    for name, text in (("a", "to a\n"), ("b", "to b\nto b\n")):
        with open(engine.path(name)) as out:
            assert out.read() == text


def test_pipelines_come_change_and_go(spate):
    one = "input { tcp { port => @P%d@ codec => line } } output { null { } }"
    engine = spate(pipelines={"first": one % 1, "second": one % 2}, ports=3, tcp=["P1", "P2"],
                   args=["-r", "--config.reload.interval", "200ms"])
    with open(engine.path("settings", "pipelines.yml"), "w") as out:
        for name, text in (("second", one % 2), ("third", one % 3)):
            out.write("- pipeline.id: %s\n  config.string: %s\n" % (name, json.dumps(engine.fill(text))))
    harness.wait_for(lambda: set(engine.api("/_node/stats")["pipelines"]) == {"second", "third"}, what="the new set")
    assert engine.port(1) not in harness.listening("tcp") and engine.port(3) in harness.listening("tcp")
    assert engine.api("/_node/stats/pipelines/second")["pipelines"]["second"]["reloads"]["successes"] == 0
    with open(engine.path("settings", "pipelines.yml"), "w") as out:
        out.write("- pipeline.id: [broken\n")
    harness.wait_for(lambda: "cannot read the list of pipelines" in engine.log(), what="the complaint")
    assert set(engine.api("/_node/stats")["pipelines"]) == {"second", "third"}
