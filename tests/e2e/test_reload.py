"""Reload by SIGHUP and -r: connections stay, nothing is lost, a bad configuration changes nothing."""
import os
import signal
import socket
import threading
import time

import harness

CONFIG = """input { tcp { port => @P1@ codec => line } udp { port => @P2@ codec => line } }
filter { mutate { add_field => { version => "%s" } } }
output { file { path => "@DIR@/out" codec => line { format => "%%{version} %%{message}" } } }"""


def rewrite(engine, config):
    with open(engine.path("new.conf"), "w") as out:
        out.write(engine.fill(config))
    os.rename(engine.path("new.conf"), engine.path("pipeline.conf"))


def reloads(engine):
    return engine.api("/_node/stats/pipelines/main")["pipelines"]["main"]["reloads"]


def reload(engine, config, key="successes"):
    before = reloads(engine)[key]
    rewrite(engine, config)
    engine.process.send_signal(signal.SIGHUP)
    harness.wait_for(lambda: reloads(engine)[key] == before + 1, what=lambda: "a reload:\n" + engine.log()[-3000:])


def lines(engine, name="out"):
    try:
        with open(engine.path(name)) as text:
            return text.read().split("\n")[:-1]
    except FileNotFoundError:
        return []


def test_connections_and_order_survive_reloads_under_load(spate):
    engine = spate(CONFIG % 0, ports=2, tcp=["P1"], udp=["P2"])
    sock = harness.tcp_connect(engine.port())
    sent, stop = [0], threading.Event()

    def send():
        while not stop.is_set():
            sock.sendall(b"".join(b"line %d\n" % i for i in range(sent[0], sent[0] + 50)))
            sent[0] += 50
            time.sleep(0.001)

    sender = threading.Thread(target=send)
    sender.start()
    for version in range(1, 6):
        time.sleep(0.1)
        reload(engine, CONFIG % version)
    stop.set()
    sender.join()
    harness.send_udp(engine.port(2), b"datagram\n")
    harness.wait_for(lambda: len(lines(engine)) == sent[0] + 1, what="all lines")
    sock.close()
    got = [line.split() for line in lines(engine) if "datagram" not in line]
    assert [int(words[2]) for words in got] == list(range(sent[0])), "lost, twice or out of order"
    versions = [int(words[0]) for words in got]
    assert versions == sorted(versions) and versions[-1] == 5
    assert "5 datagram" in lines(engine)


def test_a_line_cut_by_a_reload_stays_one_line(spate):
    engine = spate(CONFIG % 0, ports=2, tcp=["P1"])
    sock = harness.tcp_connect(engine.port())
    sock.sendall(b"first\nhalf ")
    harness.wait_for(lambda: len(lines(engine)) == 1, what="the first line")
    reload(engine, CONFIG % 1)
    sock.sendall(b"and half\n")
    harness.wait_for(lambda: lines(engine) == ["0 first", "1 half and half"], what=lambda: str(lines(engine)))
    sock.close()


def test_a_bad_configuration_changes_nothing(spate):
    engine = spate(CONFIG % 0, ports=2, tcp=["P1"])
    sock = harness.tcp_connect(engine.port())
    reload(engine, "input { tcp { port => @P1@ } } filter { mutat { } }", "failures")
    assert "mutat" in reloads(engine)["last_error"]["message"]
    assert engine.api("/_health_report")["status"] == "yellow"
    reload(engine, CONFIG.replace('"@DIR@/out"', '"@DIR@/out" unknown_option => 1') % 1, "failures")
    sock.sendall(b"still here\n")
    harness.wait_for(lambda: lines(engine) == ["0 still here"], what="the line under the old configuration")
    reload(engine, CONFIG % 2)
    assert engine.api("/_health_report")["status"] == "green"
    sock.sendall(b"better\n")
    harness.wait_for(lambda: lines(engine)[1:] == ["2 better"], what="the line under the new configuration")
    sock.close()


def test_an_input_with_other_options_on_the_same_port(spate):
    engine = spate(CONFIG % 0, ports=2, tcp=["P1"])
    harness.send_tcp(engine.port(), b"before\n")
    reload(engine, CONFIG.replace("port => @P1@", "port => @P1@ add_field => { extra => 'yes' }")
           .replace("%%{version} ", "%%{version} %%{extra} ") % 1)
    harness.send_tcp(engine.port(), b"after\n")
    harness.wait_for(lambda: lines(engine) == ["0 before", "1 yes after"], what=lambda: str(lines(engine)))


def test_a_port_that_is_taken_leaves_the_old_inputs(spate):
    """The new input cannot bind: the old ones are opened again, the connection that stayed goes on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        engine = spate(CONFIG % 0, ports=2, tcp=["P1"], udp=["P2"], names={"TAKEN": taken.getsockname()[1]})
        sock = harness.tcp_connect(engine.port())
        sock.sendall(b"one\n")
        harness.wait_for(lambda: len(lines(engine)) == 1, what="the first line")
        reload(engine, CONFIG.replace("udp { port => @P2@", 'tcp { host => "127.0.0.1" port => @TAKEN@') % 1, "failures")
        sock.sendall(b"two\n")
        harness.wait_for(lambda: lines(engine) == ["0 one", "0 two"], what=lambda: str(lines(engine)))
        harness.send_udp(engine.port(2), b"three\n")
        harness.wait_for(lambda: lines(engine)[2:] == ["0 three"], what=lambda: str(lines(engine)))
        sock.close()


def test_automatic_reload(spate):
    engine = spate(CONFIG % 0, ports=2, tcp=["P1"], args=["-r", "--config.reload.interval", "200ms"])
    rewrite(engine, CONFIG % 1)
    harness.wait_for(lambda: reloads(engine)["successes"] == 1, what="the reload")
    harness.send_tcp(engine.port(), b"x\n")
    harness.wait_for(lambda: lines(engine) == ["1 x"], what="the line")
    time.sleep(0.5)
    assert reloads(engine)["successes"] == 1, "nothing changed"


def test_automatic_reload_waits_for_a_first_good_configuration(spate):
    engine = spate("input { no_such_plugin { } }", ports=2, args=["-r", "--config.reload.interval", "200ms"])
    assert engine.api("/")["status"] == "red"
    rewrite(engine, CONFIG % 1)
    harness.wait_for(lambda: engine.port() in harness.listening("tcp"), what="the pipeline")
    assert engine.log().count("no_such_plugin") <= 3, "said again every interval"


def test_a_stuck_output_does_not_hold_a_reload_up(spate, sink):
    """The old configuration's events wait for a cluster that is down; the new one works beside it."""
    es = sink("--loss", "--down")
    old = """input { tcp { port => @P1@ codec => line } }
      output { elasticsearch { hosts => ["http://127.0.0.1:@ES@"] manage_template => false ilm_enabled => false
        index => "e2e" retry_initial_interval => 1 retry_max_interval => 1 resurrect_delay => 1 } }"""
    engine = spate(old, ports=1, tcp=["P1"], names={"ES": es.es})
    sock = harness.tcp_connect(engine.port())
    sock.sendall(harness.numbered(100))
    harness.wait_for(lambda: engine.events()["in"] == 100, what="the events")
    reload(engine, """input { tcp { port => @P1@ codec => line } }
      output { file { path => "@DIR@/out" codec => line { format => "%{message}" } } }""")
    sock.sendall(b"new\n")
    harness.wait_for(lambda: lines(engine) == ["new"], what="the new output")
    assert engine.metrics()["spate_pipelines_retired"] == 1
    es.toggle()
    es.wait_docs(100)
    harness.wait_for(lambda: engine.metrics()["spate_pipelines_retired"] == 0, what="the old pipeline's end")
    assert es.stats()["unique"] == 100 and es.stats()["duplicates"] == 0
    sock.close()


def test_stdin_refuses(spate):
    engine = spate("input { stdin { } heartbeat { } } output { null { } }")
    reload(engine, "input { stdin { } heartbeat { } } output { null { id => changed } }", "failures")
    assert "stdin" in reloads(engine)["last_error"]["message"]


def test_the_api_answers_during_reloads(spate):
    """Statistics are read all the time while plans come and go; no answer is slow or wrong."""
    engine = spate(CONFIG % 0, ports=2, tcp=["P1"])
    sock = harness.tcp_connect(engine.port())
    stop, slowest, answers = threading.Event(), [0.0], [0]

    def ask():
        while not stop.is_set():
            for path in ("/_node/stats", "/_node/pipelines", "/metrics"):
                started = time.monotonic()
                status, _ = harness.http(engine.api_port, path, "GET")
                slowest[0] = max(slowest[0], time.monotonic() - started)
                assert status == 200
                answers[0] += 1

    asking = [threading.Thread(target=ask) for _ in range(2)]
    for one in asking:
        one.start()
    for version in range(1, 8):
        sock.sendall(b"x\n" * 1000)
        reload(engine, CONFIG % version)
    stop.set()
    for one in asking:
        one.join()
    assert answers[0] > 10 and slowest[0] < 2 * harness.PATIENCE, (answers, slowest)
    harness.wait_for(lambda: len(lines(engine)) == 7000, what="all lines")
    assert engine.api("/_node/stats")["events"]["in"] == 7000, "totals outlive reloads"
    sock.close()
