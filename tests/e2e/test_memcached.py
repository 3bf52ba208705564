"""The memcached filter against real memcached servers (Debian package memcached), and against none."""
import binascii
import bisect
import hashlib
import shutil
import socket
import subprocess
import time
import zlib

import harness
import pytest
from test_dns import send
from test_http_filter import start, stats
from test_net_inputs import events

KIND = "memcached"
MEMCACHED = shutil.which("memcached")
needs_server = pytest.mark.skipif(MEMCACHED is None, reason="the package memcached is not installed")


class Memcached:
    def __init__(self, port=None):
        self.port = port or harness.free_ports(1)[0]
        self.at = "127.0.0.1:%d" % self.port
        self.process = subprocess.Popen([MEMCACHED, "-u", "root", "-l", "127.0.0.1", "-p", str(self.port), "-U", "0"])
        harness.wait_for(lambda: self.port in harness.listening("tcp"))

    def say(self, text, end):
        with socket.create_connection(("127.0.0.1", self.port)) as sock:
            sock.sendall(text)
            got = b""
            while not got.endswith(end):
                got += sock.recv(65536)
            return got

    def set(self, key, value, flags=0):
        assert self.say(b"set %s %d 0 %d\r\n%s\r\n" % (key.encode(), flags, len(value), value), b"\r\n") == b"STORED\r\n"

    def get(self, key):
        """flags, value or None"""
        got = self.say(b"get %s\r\n" % key.encode(), b"END\r\n")
        if got == b"END\r\n":
            return None
        head, _, rest = got.partition(b"\r\n")
        return int(head.split()[2]), rest[:-7]

    def keys(self):
        lines = self.say(b"lru_crawler metadump all\r\n", b"END\r\n").decode().splitlines()
        return {line.split()[0][4:] for line in lines if line.startswith("key=")}

    def close(self):
        self.process.terminate()
        self.process.wait()


@pytest.fixture
def servers():
    running = []

    def make(n, ports=None):
        running.extend(Memcached(ports[i] if ports else None) for i in range(n))
        return running[-n:]
    yield make
    for one in running:
        one.close()


@needs_server
def test_get_and_set(spate, servers):
    server, = servers(1)
    server.set("ns:host:a.test", b"plain")
    server.set("ns:host:b.test", b'\x04\x08{\x06I"\x06k\x06:\x06ET[\ai\x06f\b1.5', 1)
    server.set("ns:host:c.test", zlib.compress(b"packed" * 100), 2)
    server.set("ns:host:bad", b"\x04\x08o:\x0bObject\x00", 1)
    s = start(spate, 'hosts => ["%s"] namespace => "ns" get => { "host:%%{h}" => "[t][host]" "none" => "none" } '
              'set => { "n" => "n:%%{h}" "[m]" => "m:%%{h}" } ttl => 100' % server.at, KIND)
    docs = [{"h": "a.test"}, {"h": "b.test"}, {"h": "c.test"}, {"h": "missing"}, {"h": "x", "n": 5, "m": {"a": ["é", None]}},
            {"h": "bad"}]
    send(s, docs)
    got = events(s, len(docs))
    assert [e.get("t") for e in got] == [{"host": "plain"}, {"host": {"k": [1, 1.5]}}, {"host": "packed" * 100}] + [None] * 3
    assert [e.get("tags") for e in got] == [["ok"]] * 3 + [None, ["ok"], ["_memcached_failure"]]
    assert server.get("ns:n:x") == (1, b"\x04\x08i\x0a")
    assert server.get("ns:m:x") == (1, b'\x04\x08{\x06I"\x06a\x06:\x06ET[\x07I"\x07\xc3\xa9\x06;\x00T0')
    assert "none" not in got[0] and stats(s, KIND)["misses"] == 12


@needs_server
def test_events_see_what_those_before_them_set(spate, servers):
    server, = servers(1)
    s = start(spate, 'hosts => ["%s"] set => { "n" => "last" } get => { "last" => "seen" }' % server.at, KIND)
    docs = []
    for i in range(1500):
        docs += [{"n": i}, {"q": i}]
    send(s, docs)
    got = events(s, len(docs))
    assert all(e["seen"] == e.get("n", e.get("q")) for e in got)


@needs_server
def test_cache(spate, servers):
    server, = servers(1)
    server.set("k", b"old")
    s = start(spate, 'hosts => ["%s"] get => { "%%{k}" => "v" } lru_cache_ttl => 600 lru_cache_max_size => 10' % server.at,
              KIND)
    send(s, [{"k": "k"}, {"k": "none"}])
    events(s, 2)
    server.set("k", b"new")
    server.set("none", b"new")
    send(s, [{"k": "k"}, {"k": "none"}])
    got = events(s, 4)[2:]
    assert [e.get("v") for e in got] == ["old", None] and stats(s, KIND)["hits"] == 2


@needs_server
def test_long_keys_and_keys_with_blanks(spate, servers):
    server, = servers(1)
    s = start(spate, 'hosts => ["%s"] namespace => "ns" set => { "n" => "%%{k}" } get => { "%%{k}" => "v" }' % server.at, KIND)
    long = "x" * 400
    send(s, [{"k": long, "n": 1}, {"k": "with a blank", "n": 2}])
    assert [e["v"] for e in events(s, 2)] == [1, 2]
    assert server.get("ns:" + "x" * 207 + ":md5:" + hashlib.md5(b"ns:" + long.encode()).hexdigest()) == (1, b"\x04\x08i\x06")


def dalli_server(key, servers):
    """Index of the server as Dalli's ring chooses it."""
    points = sorted((int(hashlib.sha1(("%s:%d" % (one.at, i)).encode()).hexdigest()[:8], 16), at)
                    for at, one in enumerate(servers) for i in range(160))
    return points[bisect.bisect_right([p for p, _ in points], binascii.crc32(key.encode())) - 1][1]


@needs_server
def test_keys_are_spread_as_dalli_does(spate, servers):
    three = servers(3)
    s = start(spate, 'hosts => [%s] set => { "n" => "key%%{n}" } get => { "key%%{n}" => "v" }'
              % ", ".join('"%s"' % one.at for one in three), KIND)
    send(s, [{"n": i} for i in range(300)])
    assert all(e["v"] == e["n"] for e in events(s, 300))
    for at, one in enumerate(three):
        want = {"key%d" % i for i in range(300) if dalli_server("key%d" % i, three) == at}
        assert one.keys() == want and want


@needs_server
def test_a_server_that_goes_and_comes_back(spate, servers):
    server, = servers(1)
    s = start(spate, 'hosts => ["%s"] set => { "n" => "key" } get => { "key" => "v" }' % server.at, KIND)
    send(s, [{"n": 1}])
    assert events(s, 1)[0]["tags"] == ["ok"]
    server.close()
    send(s, [{"n": 2}])
    assert events(s, 2)[1]["tags"] == ["_memcached_failure"]
    servers(1, [server.port])
    time.sleep(1.1)
    send(s, [{"n": 3}])
    assert events(s, 3)[2]["v"] == 3


def test_a_server_that_says_nothing(spate):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        s = start(spate, 'hosts => ["127.0.0.1:%d"] get => { "k" => "v" }' % listener.getsockname()[1], KIND)
        send(s, [{"n": 1}])
        assert events(s, 1)[0]["tags"] == ["_memcached_failure"]


def test_nonsense_from_a_server(spate):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        s = start(spate, 'hosts => ["127.0.0.1:%d"] get => { "k" => "v" }' % listener.getsockname()[1], KIND)
        send(s, [{"n": 1}])
        peer, _ = listener.accept()
        peer.sendall(b"ERROR this is not binary\r\n" * 10)
        assert events(s, 1)[0]["tags"] == ["_memcached_failure"]
        peer.close()
