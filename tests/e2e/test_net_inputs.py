"""The network inputs: tcp, udp, syslog and beats, from bytes on a socket to events in a file."""
import json
import os
import random
import socket
import struct
import threading
import time

import harness
import pytest

OUT = 'output { file { path => "@DIR@/out" codec => json_lines } }'


def events(spate, n, seconds=20, name="out"):
    """Waits for n events in the output file and returns all there are."""
    def read():
        try:
            with open(spate.path(name)) as out:
                lines = [line for line in out.read().split("\n") if line]
        except FileNotFoundError:
            return None
        return [json.loads(line) for line in lines] if len(lines) >= n else None
    return harness.wait_for(read, seconds, "%d events" % n)


# ---- tcp ----

def test_tcp_lines_in_pieces(spate):
    s = spate('input { tcp { port => @P1@ host => "127.0.0.1" ecs_compatibility => disabled } }' + OUT, ports=1, tcp=["P1"])
    with harness.tcp_connect(s.port()) as sock:
        for piece in (b"on", b"e\nt", b"wo\r\nlast without an end"):
            sock.sendall(piece)
            time.sleep(0.05)
    got = events(s, 3)
    assert [e["message"] for e in got] == ["one", "two\r", "last without an end"]
    assert {e["host"] for e in got} == {socket.getnameinfo(("127.0.0.1", 0), 0)[0]}  # of /etc/hosts, as a rule
    assert all(isinstance(e["port"], int) for e in got)


def test_tcp_plain_codec_reads_lines_and_keeps_them(spate):
    """The line codec that is swapped in knows nothing of the plugin's mode, as in Logstash."""
    s = spate('input { tcp { port => @P1@ codec => plain ecs_compatibility => disabled } }' + OUT, ports=1, tcp=["P1"])
    harness.send_tcp(s.port(), b"one\ntwo\n")
    assert [(e["message"], e["event"]["original"]) for e in events(s, 2)] == [("one", "one"), ("two", "two")]


def test_tcp_proxy_line(spate):
    s = spate('input { tcp { port => @P1@ proxy_protocol => true ecs_compatibility => disabled } }' + OUT, ports=1, tcp=["P1"])
    harness.send_tcp(s.port(), b"no proxy line\nlost\n")
    with harness.tcp_connect(s.port()) as sock:
        sock.sendall(b"PROXY TCP4 10.1.1.1 10.2")
        time.sleep(0.1)
        sock.sendall(b".2.2 1234 99\r\nhello\n")
    got, = events(s, 1)
    assert (got["host"], got["port"], got["proxy_host"], got["proxy_port"]) == ("10.1.1.1", "1234", "10.2.2.2", "99")
    assert got["message"] == "hello"


def test_tcp_many_connections_and_resets(spate):
    s = spate('input { tcp { port => @P1@ dns_reverse_lookup_enabled => false } }' + OUT, ports=1, tcp=["P1"])
    socks = [harness.tcp_connect(s.port()) for _ in range(300)]
    for i, sock in enumerate(socks):
        sock.sendall(b"begin %d " % i)
    for i, sock in enumerate(socks):
        sock.sendall(b"end\nrest")
    events(s, 300)
    for i, sock in enumerate(socks):
        harness.reset(sock) if i % 2 else sock.close()
    assert len([e for e in events(s, 450) if e["message"] != "rest"]) == 300
    harness.send_tcp(s.port(), b"alive\n")
    harness.wait_for(lambda: any(e["message"] == "alive" for e in events(s, 1)), what="a last event")


def test_tcp_idle_connections_are_cheap(spate):
    s = spate('input { tcp { port => @P1@ dns_reverse_lookup_enabled => false } }' + OUT, ports=1, tcp=["P1"])
    before = s.rss_kb()
    socks = [harness.tcp_connect(s.port()) for _ in range(400)]
    harness.send_tcp(s.port(), b"x\n")
    events(s, 1)
    assert s.rss_kb() - before < 400 * 16
    for sock in socks:
        sock.close()


def test_tcp_tls(spate, pki):
    s = spate('''input { tcp { port => @P1@ ecs_compatibility => disabled ssl_enabled => true
        ssl_certificate => "%s/server.crt" ssl_key => "%s/server.key"
        ssl_certificate_authorities => ["%s/ca.crt"] ssl_client_authentication => "required" } }''' % (pki, pki, pki) + OUT,
              ports=1, tcp=["P1"])
    harness.send_tcp(s.port(), b"plain bytes\n")
    with harness.tcp_connect(s.port(), tls=harness.tls_context(pki)) as sock:
        sock.sendall(b"secret\n" + b"x" * 100000 + b"\n")
        got = events(s, 2)
    assert [len(e["message"]) for e in got] == [6, 100000]
    assert "CN" in got[0]["sslsubject"]
    with pytest.raises(OSError):
        with harness.tcp_connect(s.port(), tls=harness.tls_context(pki, client=False)) as sock:
            sock.sendall(b"without a certificate\n")
            assert sock.recv(1) == b""
            raise ConnectionError
    assert len(events(s, 2)) == 2


def test_tcp_client_mode_reconnects(spate):
    with socket.create_server(("127.0.0.1", 0)) as server:
        s = spate('input { tcp { port => @PEER@ host => "127.0.0.1" mode => "client" } }' + OUT,
                  names={"PEER": server.getsockname()[1]})
        for round_ in range(2):
            server.settimeout(20 * harness.PATIENCE)
            peer, _ = server.accept()
            peer.sendall(b"round %d\n" % round_)
            peer.close()
        assert [e["message"] for e in events(s, 2)] == ["round 0", "round 1"]


def test_port_in_use_is_said(spate):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        s = spate('input { tcp { port => %d host => "127.0.0.1" } }' % port + OUT, wait=False)
        s.spawn()
        assert s.wait() == 1
        assert "port %d/tcp" % port in s.log() and "in use" in s.log()
        s.process = None


# ---- udp ----

def test_udp_datagrams(spate):
    s = spate('input { udp { port => @P1@ host => "127.0.0.1" ecs_compatibility => disabled } }' + OUT, ports=1, udp=["P1"])
    harness.send_udp(s.port(), b"a\nb", b"", b"x" * 65507, b"\xff\x00", b"end")
    got = sorted(events(s, 4), key=lambda e: e["message"])
    assert {e["message"] for e in got} == {"a\nb", "x" * 65507, "\\xFF\\u0000", "end"}
    assert {e["host"] for e in got} == {"127.0.0.1"}


def test_udp_flood_is_counted(spate):
    s = spate('input { udp { port => @P1@ host => "127.0.0.1" workers => 2 } }' + OUT, ports=1, udp=["P1"])
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for i in range(20000):
        sock.sendto(b"line %d" % i, ("127.0.0.1", s.port()))
    events(s, 100)

    def settled():
        before = len(events(s, 1))
        time.sleep(0.5)
        return before == len(events(s, 1))
    harness.wait_for(settled, what="the flood to end")
    seen = [e["message"] for e in events(s, 1)]
    assert len(seen) == len(set(seen)) <= 20000


# ---- syslog ----

LINE = "<34>Oct 11 22:14:15 mymachine su[12]: 'su root' failed"


def test_syslog_framings(spate):
    s = spate('input { syslog { port => @P1@ host => "127.0.0.1" timezone => "UTC" ecs_compatibility => disabled } }' + OUT,
              ports=1, tcp=["P1"], udp=["P1"])
    harness.send_udp(s.port(), LINE.encode())
    with harness.tcp_connect(s.port()) as sock:
        data = (LINE + "\n").encode() * 3
        for at in range(0, len(data), 50):
            sock.sendall(data[at:at + 50])
            time.sleep(0.01)
    with harness.tcp_connect(s.port()) as sock:
        frame = b"%d %s" % (len(LINE), LINE.encode())
        sock.sendall(frame * 2 + frame[:20])
        time.sleep(0.1)
        sock.sendall(frame[20:])
    with harness.tcp_connect(s.port()) as sock:
        sock.sendall(b"2024 is no octet count\n")
    got = events(s, 8)
    good = [e for e in got if "tags" not in e]
    assert len(good) == 7 and len(got) == 8
    for e in good:
        assert e["message"].rstrip("\n") == "'su root' failed"
        assert (e["priority"], e["facility"], e["severity"]) == (34, 4, 2)
        assert (e["logsource"], e["program"], e["pid"], e["host"]) == ("mymachine", "su", "12", "127.0.0.1")
        assert e["@timestamp"][4:19] == "-10-11T22:14:15"
    bad, = [e for e in got if "tags" in e]
    assert bad["tags"] == ["_grokparsefailure_sysloginput"] and bad["priority"] in (0, 13)


def test_syslog_rfc5424(spate):
    s = spate('input { syslog { port => @P1@ host => "127.0.0.1" ecs_compatibility => v8 } }' + OUT, ports=1, tcp=["P1"])
    text = '<165>1 2003-10-11T22:14:15.003Z h.example evntslog p7 ID47 [ex@1 iut="3" q="a\\"b"][b x="1" x="2"] \ufeffdone'
    harness.send_tcp(s.port(), text.encode() + b"\n")
    got, = events(s, 1)
    assert got["@timestamp"] == "2003-10-11T22:14:15.003Z"
    assert got["message"] == "done"
    log = got["log"]["syslog"]
    assert log["structured_data"] == {"ex@1": {"iut": "3", "q": 'a"b'}, "b": {"x": ["1", "2"]}}
    assert (log["msgid"], log["version"], log["procid"], log["priority"]) == ("ID47", "1", "p7", 165)
    assert got["host"] == {"ip": "127.0.0.1", "hostname": "h.example"} and got["process"] == {"name": "evntslog"}


def test_syslog_codec_and_field(spate):
    s = spate('''input { syslog { port => @P1@ host => "127.0.0.1" codec => json syslog_field => "log"
        ecs_compatibility => disabled } }''' + OUT, ports=1, tcp=["P1"], udp=["P1"])
    harness.send_udp(s.port(), json.dumps({"log": LINE, "a": 1}).encode())
    got, = events(s, 1)
    assert (got["a"], got["program"], got["priority"]) == (1, "su", 34)


def test_syslog_own_pattern(spate):
    """The pattern that the parsers stand for gives what they give, ISO dates included."""
    line = "<13>2024-03-05T06:07:08.123+01:00 gw1 app[7]: hello\n"
    s = spate('''input { syslog { port => @P1@ rfc5424 => false ecs_compatibility => disabled }
        syslog { port => @P2@ ecs_compatibility => disabled grok_pattern => "<%{POSINT:priority}>%{SYSLOGLINE}" } }''' + OUT,
              ports=2, tcp=["P1", "P2"])
    for port in (1, 2):
        harness.send_tcp(s.port(port), (LINE + "\n" + line + "no syslog\n").encode())
    got = sorted(events(s, 6), key=lambda e: e["message"])
    for one, other in zip(got[::2], got[1::2]):
        if "tags" in one:
            one["@timestamp"] = other["@timestamp"]
        assert one == other
    assert (got[2]["timestamp"], got[2]["@timestamp"]) == ("2024-03-05T06:07:08.123+01:00", "2024-03-05T05:07:08.123Z")


def test_syslog_random_bytes(spate):
    s = spate('input { syslog { port => @P1@ host => "127.0.0.1" } }' + OUT, ports=1, tcp=["P1"], udp=["P1"])
    random.seed(7)
    for i in range(150):
        data = bytearray((LINE + "\n").encode() * 3)
        for _ in range(random.randrange(8)):
            data[random.randrange(len(data))] = random.randrange(256)
        try:
            with harness.tcp_connect(s.port()) as sock:
                sock.sendall(bytes(data))
                if i % 3 == 0:
                    harness.reset(sock)
        except OSError:
            pass
        harness.send_udp(s.port(), bytes(data))
    assert len(events(s, 150)) >= 150


# ---- beats ----

BEATS = 'input { beats { port => @P1@ host => "127.0.0.1" ecs_compatibility => %s } }'


def docs(n, at=0):
    return [{"@timestamp": "2024-03-05T06:07:08.000Z", "@metadata": {"beat": "filebeat", "version": "8.1.0"},
             "message": "line %d" % (at + i), "host": {"name": "h"}} for i in range(n)]


@pytest.mark.parametrize("compress", [False, True])
def test_beats_windows(spate, compress):
    s = spate(BEATS % "disabled" + OUT, ports=1, tcp=["P1"])
    client = harness.Lumberjack(s.port())
    for i, n in enumerate((1, 2048, 3000)):
        client.send(docs(n), compress)
        assert client.acked(n) == n
    client.close()
    got = events(s, 1 + 2048 + 3000)
    assert len(got) == 5049
    assert got[0]["tags"] == ["beats_input_codec_plain_applied"]
    assert got[0]["@timestamp"] == "2024-03-05T06:07:08.000Z" and "@metadata" not in got[0]


def test_beats_pipelined_windows_and_empty_window(spate):
    s = spate(BEATS % "v8" + OUT, ports=1, tcp=["P1"])
    client = harness.Lumberjack(s.port())
    client.sock.sendall(client.window(docs(700)) + client.window(docs(5)) + client.window(docs(900)))
    acks = [client.ack() for _ in range(3)]
    assert acks == [700, 5, 900]
    client.sock.sendall(b"2W\0\0\0\0")
    assert client.ack() == 0
    client.close()
    assert events(s, 1605)[0]["event"]["original"] == "line 0"


def test_beats_raw_and_version_1(spate):
    s = spate(BEATS % "disabled" + OUT, ports=1, tcp=["P1"])
    client = harness.Lumberjack(s.port())
    client.send([{"a": 1}])
    assert client.acked(1) == 1
    pairs = b"".join(struct.pack(">I", len(t)) + t for t in (b"line", b"old", b"file", b"/x"))
    client.sock.sendall(b"1W" + struct.pack(">I", 1) + b"1D" + struct.pack(">II", 9, 2) + pairs)
    frame = client.sock.recv(6)
    assert frame == b"1A" + struct.pack(">I", 9)
    raw, old = events(s, 2)
    assert raw["tags"] == ["beats_input_raw_event"] and raw["a"] == 1
    assert (old["message"], old["file"]) == ("old", "/x") and "line" not in old


def test_beats_codec_merges(spate):
    s = spate('input { beats { port => @P1@ codec => json ecs_compatibility => disabled } }' + OUT, ports=1, tcp=["P1"])
    client = harness.Lumberjack(s.port())
    client.send([{"message": '{"host":{"ip":"1"},"k":1}', "host": {"name": "n"}, "k": 2, "@timestamp": "2024-01-01T00:00:00Z"}])
    assert client.acked(1) == 1
    got, = events(s, 1)
    assert got["host"] == {"ip": "1", "name": "n"} and got["k"] == 2 and got["@timestamp"][:4] == "2024"


def test_beats_bad_frames_close(spate):
    s = spate(BEATS % "v8" + OUT, ports=1, tcp=["P1"])
    for junk in (b"GET / HTTP/1.1\r\n\r\n", b"2X\0\0", b"2C\0\0\0\x04abcd", b"2J\0\0\0\1\xff\xff\xff\xff"):
        with harness.tcp_connect(s.port()) as sock:
            sock.sendall(junk)
            try:
                assert sock.recv(10) == b""
            except ConnectionResetError:
                pass
    client = harness.Lumberjack(s.port())
    client.send(docs(3))
    assert client.acked(3) == 3


def test_beats_many_clients_abrupt(spate):
    s = spate(BEATS % "v8" + OUT, ports=1, tcp=["P1"])
    acked = []

    def run(k):
        for r in range(5):
            client = harness.Lumberjack(s.port())
            client.send(docs(200, k * 100000 + r * 1000), compress=r % 2 == 0)
            if (k + r) % 3 == 0:
                harness.reset(client.sock)
                continue
            acked.append(client.acked(200))
            client.close()
    threads = [threading.Thread(target=run, args=(k,)) for k in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(acked) > 50
    assert len(events(s, 200 * len(acked))) >= 200 * len(acked)


def test_beats_tls(spate, pki):
    s = spate('''input { beats { port => @P1@ ssl_enabled => true ssl_certificate => "%s/server.crt" ssl_key => "%s/server.key"
        ssl_certificate_authorities => ["%s/ca.crt"] ssl_client_authentication => "required" } }''' % (pki, pki, pki) + OUT,
              ports=1, tcp=["P1"])
    client = harness.Lumberjack(s.port(), tls=harness.tls_context(pki))
    client.send(docs(2000), compress=True)
    assert client.acked(2000) == 2000
    client.close()
    assert len(events(s, 2000)) == 2000
