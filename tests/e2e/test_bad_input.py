"""Bad input: hostile, broken, huge and slow senders cost their own event at most."""
import os
import resource
import socket
import time

import pytest

import harness

CONFIG = """input { tcp { port => @P1@ } udp { port => @P1@ } }
output { elasticsearch { hosts => ["http://127.0.0.1:@ES@"] manage_template => false ilm_enabled => false
  index => "e2e" compression_level => 0 } }"""


@pytest.fixture
def pair(spate, sink):
    es = sink("--loss")
    return spate(CONFIG, ports=1, tcp=["P1"], udp=["P1"], names={"ES": es.es}), es


def still_works(engine, es, number=999999):
    """A fresh connection is served after whatever came before."""
    harness.send_tcp(engine.port(), b"alive seq=%012d\n" % number)
    return harness.wait_for(lambda: [doc for doc in es.docs() if "seq=%012d" % number in doc.get("message", "")], 30,
                            "a line after the bad input")


def test_line_of_100_megabytes(spate, sink):
    """One endless line must neither take the process nor its memory; the next sender is served."""
    es = sink("--loss", capture=False)
    engine = spate(CONFIG, ports=1, tcp=["P1"], names={"ES": es.es})
    block = b"x" * (1 << 20)
    sock = harness.tcp_connect(engine.port(), 60)
    try:
        for _ in range(100):
            sock.sendall(block)
        sock.sendall(b"\n")
    except OSError:
        pass  # the engine may end a connection that exceeds its frame limit
    sock.close()
    harness.send_tcp(engine.port(), b"after seq=000000000001\n")
    harness.wait_for(lambda: es.stats()["unique"] == 1, 60, lambda: str(es.stats()))
    assert engine.rss_kb("VmHWM") < 2 << 20


def test_empty_and_largest_datagram(pair):
    """An empty datagram is no event; one of 65,507 bytes is one event with every byte."""
    engine, es = pair
    largest = b"L" * (65507 - 16) + b"seq=000000000002"
    harness.send_udp(engine.port(), b"", largest, b"")
    docs = es.wait_docs(1)
    time.sleep(0.5)
    assert len(es.docs()) == 1
    assert docs[0]["message"] == largest.decode()


def test_byte_at_a_time(pair):
    """A sender that drips is one line in the end, and holds up nobody meanwhile."""
    engine, es = pair
    sock = harness.tcp_connect(engine.port())
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for at, byte in enumerate(b"slow seq=000000000001\n"):
        sock.sendall(bytes([byte]))
        time.sleep(0.02)
        if at == 10:
            still_works(engine, es)
    harness.wait_for(lambda: es.stats()["unique"] == 2, 20, "the slow line")
    assert "slow seq=000000000001" in [doc["message"] for doc in es.docs()]
    sock.close()


def test_line_without_a_newline_comes_at_the_end_of_the_connection(pair):
    """The last line of a closed connection is an event although its newline is missing."""
    engine, es = pair
    harness.send_tcp(engine.port(), b"unterminated seq=000000000001")
    assert es.wait_docs(1)[0]["message"] == "unterminated seq=000000000001"


def test_ten_thousand_idle_connections(pair):
    """Connections that say nothing cost little, and a line on one of them still arrives."""
    engine, es = pair
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 10200:
        pytest.skip("the hard limit of open files is %d" % hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    idle, before_kb = [], engine.rss_kb()
    try:
        for _ in range(10000):
            idle.append(harness.tcp_connect(engine.port(), 30))
        still_works(engine, es)
        idle[5000].sendall(b"not idle seq=000000000005\n")
        harness.wait_for(lambda: es.stats()["unique"] == 2, 30, "a line of an idle connection")
        assert engine.rss_kb() - before_kb < 512 << 10, "more than 52 KB a connection"
    finally:
        for sock in idle:
            sock.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_nuls_and_invalid_utf8(pair):
    """Any byte may come; what goes to the cluster is valid JSON and valid UTF-8, a NUL stays a NUL."""
    engine, es = pair
    lines = [b"nul \0 inside", b"latin \xe9\xff", b"cut \xe2\x82", b"surrogate \xed\xa0\x80", b"overlong \xc0\xaf",
             bytes(range(1, 10)) + bytes(range(11, 256))]
    harness.send_tcp(engine.port(), b"".join(b"%s seq=%012d\n" % (line, i) for i, line in enumerate(lines)))
    docs = es.wait_docs(len(lines))
    assert harness.markers(docs) == list(range(len(lines)))
    assert docs[0]["message"].startswith("nul \0 inside")
    harness.send_udp(engine.port(), *[b"%s seq=%012d" % (line, 100 + i) for i, line in enumerate(lines)])
    assert len(es.wait_docs(2 * len(lines))) == 2 * len(lines)


def test_random_bytes_on_every_kind_of_input(spate, sink):
    """A scanner connects everywhere: json, syslog, beats and plain inputs survive it and keep serving."""
    es = sink("--loss")
    engine = spate("""input {
        tcp { port => @P1@ codec => json } syslog { port => @P2@ } beats { port => @P3@ }
        tcp { port => @P4@ } udp { port => @P1@ codec => json } }
      output { elasticsearch { hosts => ["http://127.0.0.1:@ES@"] manage_template => false ilm_enabled => false
        index => "e2e" compression_level => 0 } }""", ports=4, tcp=["P1", "P2", "P3", "P4"], udp=["P2"],
                   names={"ES": es.es})
    for port in (1, 2, 3, 4):
        for size in (1, 6, 100, 5000, 200000):
            try:
                sock = harness.tcp_connect(engine.port(port), 5)
                sock.sendall(os.urandom(size))
                harness.reset(sock)
            except OSError:
                pass
    harness.send_udp(engine.port(1), *[os.urandom(size) for size in (1, 50, 1500)])
    harness.send_udp(engine.port(2), *[os.urandom(size) for size in (1, 50, 1500)])
    harness.send_tcp(engine.port(1), b'{"message":"json seq=000000000001"}\n')
    harness.send_tcp(engine.port(2), b"<13>Oct 11 22:14:15 h p: syslog seq=000000000002\n")
    beats = harness.Lumberjack(engine.port(3))
    beats.send([{"message": "beats seq=000000000003"}])
    assert beats.acked(1) == 1
    beats.close()
    harness.send_tcp(engine.port(4), b"tcp seq=000000000004\n")
    harness.wait_for(lambda: es.stats()["unique"] == 4, 30, lambda: str(es.stats()))


def test_lumberjack_lies(spate, sink):
    """Windows and lengths that promise gigabytes, endless compression, wrong versions: the connection ends."""
    es = sink("--loss")
    engine = spate("""input { beats { port => @P1@ } }
      output { elasticsearch { hosts => ["http://127.0.0.1:@ES@"] manage_template => false ilm_enabled => false
        index => "e2e" compression_level => 0 } }""", ports=1, tcp=["P1"], names={"ES": es.es})
    import zlib
    bomb = zlib.compress(b"\0" * (64 << 20), 9)
    lies = [b"2W\xff\xff\xff\xff2J\0\0\0\1\xff\xff\xff\xff", b"9W\0\0\0\1", b"2J\0\0\0\1\0\0\0\5hello",
            b"2W\0\0\0\1" + b"2C" + len(bomb).to_bytes(4, "big") + bomb,
            b"2W\0\0\0\1" + b"2C\0\0\0\4junk", b"2W\0\0\0\1" + b"1D\0\0\0\1\xff\xff\xff\xff"]
    for lie in lies:
        sock = harness.tcp_connect(engine.port(), 5)
        try:
            sock.sendall(lie)
            sock.close()
        except OSError:
            pass
    assert engine.rss_kb("VmHWM") < 2 << 20
    beats = harness.Lumberjack(engine.port())
    beats.send([{"message": "good seq=%012d" % i} for i in range(100)], compress=True)
    assert beats.acked(100) == 100
    assert es.stats()["unique"] == 100
    beats.close()


def test_connections_that_reset(pair):
    """Senders that die with RST, before and after a line, leave nothing behind."""
    engine, es = pair
    for number in range(200):
        sock = harness.tcp_connect(engine.port())
        if number % 2:
            sock.sendall(b"half a line")
        harness.reset(sock)
    still_works(engine, es)


def test_deeply_nested_json(spate, sink):
    """100,000 brackets are a parse failure, not a stack overflow."""
    es = sink()
    engine = spate("""input { tcp { port => @P1@ codec => json } }
      output { elasticsearch { hosts => ["http://127.0.0.1:@ES@"] manage_template => false ilm_enabled => false
        index => "e2e" compression_level => 0 } }""", ports=1, tcp=["P1"], names={"ES": es.es})
    harness.send_tcp(engine.port(), b'{"a":' * 100000 + b"1" + b"}" * 100000 + b'\n{"message":"after"}\n')
    harness.wait_for(lambda: [doc for doc in es.docs() if doc.get("message") == "after"], 30, "the next line")


def test_many_fields(spate, sink):
    """A hash-flooding sender: 50,000 different keys in one event go through in reasonable time."""
    es = sink(capture=False)
    engine = spate("""input { tcp { port => @P1@ codec => json } }
      output { elasticsearch { hosts => ["http://127.0.0.1:@ES@"] manage_template => false ilm_enabled => false
        index => "e2e" compression_level => 0 } }""", ports=1, tcp=["P1"], names={"ES": es.es})
    text = "{" + ",".join('"k%d":%d' % (i, i) for i in range(50000)) + "}\n"
    harness.send_tcp(engine.port(), text.encode() + b'{"message":"after"}\n')
    harness.wait_for(lambda: es.stats()["documents"] >= 1, 30, lambda: str(es.stats()))
