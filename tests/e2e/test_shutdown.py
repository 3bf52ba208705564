"""Stopping: what was accepted is delivered, the process ends in time, and its port is free again."""
import os
import signal
import socket
import tempfile
import threading
import time

import harness

CONFIG = """input { tcp { port => @P1@ } }
output { elasticsearch { hosts => ["http://127.0.0.1:@ES@"] manage_template => false ilm_enabled => false
  index => "e2e" compression_level => 0 } }"""


def test_sigterm_drains_what_was_accepted(spate, sink):
    """SIGTERM right after a closed connection's lines: each of them arrives, exactly once."""
    es = sink("--loss", "--delay", "100", capture=False)
    engine = spate(CONFIG, ports=1, tcp=["P1"], names={"ES": es.es})
    harness.send_tcp(engine.port(), harness.numbered(50000))
    engine.stop(60)
    stats = es.stats()
    assert stats["unique"] == 50000 and stats["duplicates"] == 0, stats


def test_sigterm_under_load(spate, sink):
    """SIGTERM in full stream: exit 0 in time, and what the API counted as out is at the cluster, nothing twice."""
    es = sink("--loss", capture=False)
    engine = spate(CONFIG, ports=1, tcp=["P1"], names={"ES": es.es})
    sender = threading.Thread(target=lambda: harness.loadgen(engine.port(), "--seconds", 4, "--drain-ms", 100))
    sender.start()
    time.sleep(2)
    seen = engine.events()["out"]
    engine.stop(60)
    sender.join()
    stats = es.stats()
    assert stats["unique"] >= seen > 0
    assert stats["duplicates"] == 0
    # The lines of one connection are taken in order, so there is no hole among those delivered.
    assert stats["missing"] == 0, stats


def test_sigint_is_graceful_too(spate, sink):
    """Ctrl-C."""
    es = sink("--loss")
    engine = spate(CONFIG, ports=1, tcp=["P1"], names={"ES": es.es})
    harness.send_tcp(engine.port(), harness.numbered(100))
    engine.process.send_signal(signal.SIGINT)
    assert engine.wait(30) == 0
    engine.check_log()
    engine.process = None
    assert es.stats()["unique"] == 100


def test_restart_on_the_same_port_at_once(spate, sink):
    """No "address in use" after a stop with connections open."""
    es = sink("--loss")
    engine = spate(CONFIG, ports=1, tcp=["P1"], names={"ES": es.es})
    sock = harness.tcp_connect(engine.port())
    sock.sendall(b"first seq=000000000000\n")
    es.wait_docs(1)
    engine.stop()
    engine.start()
    harness.send_tcp(engine.port(), b"second seq=000000000001\n")
    assert harness.markers(es.wait_docs(2)) == [0, 1]
    sock.close()


def test_data_directory_is_locked(spate, sink):
    """A second process on the same path.data refuses to start and says why."""
    es = sink()
    engine = spate(CONFIG, ports=1, tcp=["P1"], names={"ES": es.es})
    other = spate(CONFIG, ports=1, names={"ES": es.es}, wait=False, args=["--path.data", engine.path("data")])
    other.spawn()
    assert other.wait(30) == 1
    assert "path.data" in other.log() or "lock" in other.log().lower()
    other.process = None


def test_beats_ack_means_delivered(spate, sink):
    """With the cluster down the client gets keep-alives at most; the ACK comes after delivery."""
    es = sink("--loss", "--down")
    engine = spate("""input { beats { port => @P1@ } }
      output { elasticsearch { hosts => ["http://127.0.0.1:@ES@"] manage_template => false ilm_enabled => false
        index => "e2e" compression_level => 0 retry_initial_interval => 1 retry_max_interval => 1
        resurrect_delay => 1 } }""", ports=1, tcp=["P1"], names={"ES": es.es})
    client = harness.Lumberjack(engine.port())
    client.send([{"message": "beat seq=%012d" % i} for i in range(50)], compress=True)
    until = time.monotonic() + 8
    while time.monotonic() < until:
        try:
            assert client.ack(1) == 0, "acknowledged while the cluster is down"
        except TimeoutError:
            pass
    es.toggle()
    assert client.acked(50) == 50
    assert es.stats()["unique"] == 50
    client.close()


def test_second_sigint_leaves_at_once(spate, sink):
    """With the cluster down a drain would last; a second Ctrl-C ends it with code 1."""
    es = sink("--loss", "--down")
    engine = spate(CONFIG, ports=1, tcp=["P1"], names={"ES": es.es})
    harness.send_tcp(engine.port(), harness.numbered(100))
    engine.process.send_signal(signal.SIGINT)
    harness.wait_for(lambda: "SIGINT received. Shutting down" in engine.log(), what="the first signal's line")
    time.sleep(0.5)
    assert engine.process.poll() is None, "the drain waits for the cluster"
    engine.process.send_signal(signal.SIGINT)
    assert engine.wait(5) == 1
    engine.check_log()
    engine.process = None


def test_shutdown_timeout(spate, sink):
    """The drain ends with shutdown.timeout, says what that means, and the exit code stays 0."""
    es = sink("--loss", "--down")
    engine = spate(CONFIG, ports=1, tcp=["P1"], names={"ES": es.es}, args=["-S", "shutdown.timeout=1s"])
    harness.send_tcp(engine.port(), harness.numbered(100))
    harness.wait_for(lambda: engine.events()["in"] == 100, what="the events")
    started = time.monotonic()
    engine.process.send_signal(signal.SIGTERM)
    assert engine.wait(20) == 0
    assert time.monotonic() - started < 15 * harness.PATIENCE
    assert "not everything was delivered" in engine.log()
    engine.check_log()
    engine.process = None


def test_status_on_sigusr2(spate):
    """SIGUSR2 writes what shards and pipelines are doing, and changes nothing."""
    engine = spate("input { tcp { port => @P1@ } } output { null { } }", ports=1, tcp=["P1"])
    engine.process.send_signal(signal.SIGUSR2)
    harness.wait_for(lambda: "credit" in engine.log(), what="the status")
    assert "shard 0:" in engine.log() and "pipeline main on shard 0" in engine.log()
    engine.stop()


def test_systemd_is_told(spate):
    """READY when the ports are open, RELOADING and READY around SIGHUP, STOPPING at the end."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(os.path.join(folder, "notify"))
        notify.settimeout(20 * harness.PATIENCE)
        engine = spate("input { tcp { port => @P1@ } } output { null { } }", ports=1, tcp=["P1"],
                       env={"NOTIFY_SOCKET": os.path.join(folder, "notify")})
        assert notify.recv(200) == b"READY=1"
        engine.process.send_signal(signal.SIGHUP)
        assert notify.recv(200).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        assert notify.recv(200) == b"READY=1"
        engine.process.send_signal(signal.SIGTERM)
        assert notify.recv(200) == b"STOPPING=1"
        engine.stop()


def test_endless_generators_share_a_shard(spate):
    """Two sources that never end, on one shard: both get their turns, and so does what stops them."""
    engine = spate("""input { generator { message => "a" } generator { message => "b" } } output { null { } }""",
                   args=["-w", "1"])
    harness.wait_for(lambda: engine.events()["out"] > 100000, what="events of both")
    engine.stop(30)


def test_single_inputs_are_spread_over_shards(spate):
    """Inputs that run on one shard each do not all run on the first: both shards are at work."""
    engine = spate("""input { generator { message => "a" } generator { message => "b" } } output { null { } }""",
                   args=["-w", "2"])
    harness.wait_for(lambda: engine.events()["out"] > 200000, what="events")
    steps = [value for name, value in engine.metrics().items() if "spate_shard_steps_total" in str(name)]
    assert len(steps) == 2 and min(steps) > max(steps) / 20, steps
    engine.stop(30)
