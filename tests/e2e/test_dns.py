"""The dns filter against a name server of the test's own."""
import collections
import json
import socket
import struct
import threading
import time

import harness
from test_net_inputs import events

A, PTR, AAAA = 1, 12, 28
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3
OUT = 'output { file { path => "@DIR@/out" codec => json_lines } }'
IN = 'input { tcp { port => @P1@ codec => json_lines ecs_compatibility => disabled dns_reverse_lookup_enabled => false } }'


def name_bytes(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


class NameServer:
    """Answers from zone[(name, type)]: a list of addresses or names, or a number that is the answer's code.

    Names that begin with "late" get an answer after `late` seconds, those with "mute" none."""

    def __init__(self, zone, late=0.3):
        self.zone, self.late, self.asked = zone, late, collections.Counter()
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.bind(("127.0.0.1", 0))
        self.port = self.sock.getsockname()[1]
        self.at = "127.0.0.1:%d" % self.port
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                query, peer = self.sock.recvfrom(4096)
            except OSError:
                return
            labels, at = [], 12
            while query[at]:
                labels.append(query[at + 1:at + 1 + query[at]].decode())
                at += 1 + query[at]
            question = query[12:at + 5]
            name, kind = ".".join(labels), struct.unpack(">H", query[at + 1:at + 3])[0]
            self.asked[name, kind] += 1
            if name.startswith("bad"):
                for one in self.nonsense(query, question, int(labels[0][3:])):
                    self.sock.sendto(one, peer)
                continue
            reply = self.reply(query, question, name, kind)
            if name.startswith("mute"):
                continue
            if name.startswith("late"):
                threading.Timer(self.late, self.sock.sendto, (reply, peer)).start()
            else:
                self.sock.sendto(reply, peer)

    @staticmethod
    def nonsense(query, question, which):
        """Datagrams that are no answers."""
        head = query[:2] + b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00"
        record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04"
        return [[b""], [query[:2]], [head], [head + question + record + b"\x7f"],
                [bytes([query[0] ^ 1]) + head[1:] + question + record + b"\x7f\0\0\1"],
                [head + b"\xc0\x0c\x00\x01\x00\x01"], [head + question + b"\xc0\xff" + record[2:] + b"\x7f\0\0\1"],
                [head[:4] + b"\xff\xff\xff\xff" + head[8:] + question], [bytes(range(256)) * 200]][which]

    def reply(self, query, question, name, kind):
        there = self.zone(name, kind) if callable(self.zone) else self.zone.get((name, kind))
        if there is None:
            there = NOERROR if any((name, other) in self.zone for other in (A, PTR, AAAA)) else NXDOMAIN
        code, records = (there, []) if isinstance(there, int) else (NOERROR, there)
        answers = b""
        for record in records:
            data = {A: lambda: socket.inet_pton(socket.AF_INET, record),
                    AAAA: lambda: socket.inet_pton(socket.AF_INET6, record), PTR: lambda: name_bytes(record)}[kind]()
            answers += b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data
        return query[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(records), 0, 0) + question + answers

    def close(self):
        self.sock.close()


def start(spate, options, settings=None):
    return spate("%s filter { dns { %s add_tag => [\"found\"] } } %s" % (IN, options, OUT), ports=1, tcp=["P1"],
                 settings=settings)


def send(s, docs):
    harness.send_tcp(s.port(), b"".join(json.dumps(doc).encode() + b"\n" for doc in docs))


def stats(s):
    plugins = s.api("/_node/stats/pipelines/main")["pipelines"]["main"]["plugins"]["filters"]
    return next(one for one in plugins if one["name"] == "dns")


ZONE = {("one.test", A): ["192.0.2.1", "192.0.2.2"], ("six.test", AAAA): ["2001:db8::6"],
        ("1.2.0.192.in-addr.arpa", PTR): ["one.test"], ("late.test", A): ["192.0.2.3"],
        ("6" + ".0" * 23 + ".8.b.d.0.1.0.0.2.ip6.arpa", PTR): ["six.test"],
        ("xn--mller-kva.test", A): ["192.0.2.9"], ("9.2.0.192.in-addr.arpa", PTR): ["xn--mller-kva.test"],
        ("broken.test", A): SERVFAIL, ("short.corp.test", A): ["192.0.2.5"], ("a.b", A): ["192.0.2.6"]}


def test_names_and_addresses(spate):
    server = NameServer(ZONE)
    s = start(spate, 'resolve => ["name"] reverse => ["ip"] action => "replace" nameserver => ["%s"]' % server.at)
    docs = [{"name": "one.test"}, {"name": "six.test"}, {"ip": "192.0.2.1"}, {"ip": "2001:db8::6"},
            {"name": "müller.test", "ip": "192.0.2.9"}, {"name": "none.test"}, {"name": "broken.test"},
            {"ip": "192.0.2.77"}, {"name": "one.test", "ip": "192.0.2.77"}, {"name": "x" * 70 + ".test"},
            {"name": "with blank.test"}, {"name": "a..b"}, {"name": "x" * 2000}, {"name": "."}]
    send(s, docs)
    got = events(s, len(docs))
    assert [(e.get("name"), e.get("ip")) for e in got[:9]] == [
        ("192.0.2.1", None), ("2001:db8::6", None), (None, "one.test"), (None, "six.test"),
        ("192.0.2.9", "müller.test"), ("none.test", None), ("broken.test", None), (None, "192.0.2.77"),
        ("192.0.2.1", "192.0.2.77")]
    assert ["found" in e.get("tags", []) for e in got] == [True] * 5 + [False] * 9
    assert [e.get("name") for e in got[9:]] == [d.get("name") for d in docs[9:]]
    assert stats(s)["events"] == {"in": 14, "out": 14, "duration_in_millis": stats(s)["events"]["duration_in_millis"]}
    s.stop()
    server.close()


def test_one_question_a_batch_and_caches(spate):
    server = NameServer(lambda name, kind: ["192.0.2.1"] if kind == A and name.startswith("host") else NXDOMAIN)
    s = start(spate, 'resolve => ["name"] nameserver => "%s" hit_cache_size => 1000 failed_cache_size => 1000 '
              'hit_cache_ttl => 600 failed_cache_ttl => 600' % server.at, {"pipeline.workers": 1})
    docs = [{"name": "%s%d.test" % ("host" if i % 2 else "none", i % 300)} for i in range(6000)]
    send(s, docs)
    got = events(s, 6000)
    assert [e["name"] for e in got] == [[d["name"], "192.0.2.1"] if d["name"][0] == "h" else d["name"] for d in docs]
    assert max(server.asked.values()) == 1 and len(server.asked) == 150 + 2 * 150
    before = sum(server.asked.values())
    send(s, docs)
    events(s, 12000)
    assert sum(server.asked.values()) == before
    numbers = stats(s)
    assert numbers["misses"] == 300 and numbers["hits"] >= 6000 and numbers["timeouts"] == numbers["errors"] == 0
    s.stop()
    server.close()


def test_cache_forgets(spate):
    server = NameServer({("one.test", A): ["192.0.2.1"]})
    s = start(spate, 'resolve => ["name"] nameserver => "%s" hit_cache_size => 10 hit_cache_ttl => 0.2' % server.at,
              {"pipeline.workers": 1})
    for i in range(3):
        send(s, [{"name": "one.test"}])
        events(s, i + 1)
        time.sleep(0.3)
    assert server.asked["one.test", A] >= 3
    server.close()


def test_timeouts_and_retries(spate):
    server = NameServer(ZONE)
    s = start(spate, 'resolve => ["name"] action => "replace" nameserver => "%s" timeout => 0.1 max_retries => 2 '
              'failed_cache_size => 10 failed_cache_ttl => 600 tag_on_timeout => ["_a", "_b"]' % server.at,
              {"pipeline.workers": 1})
    send(s, [{"name": "mute.test"}, {"name": "one.test"}, {"name": "mute.test"}])
    got = events(s, 3)
    assert [e.get("tags") for e in got] == [["_a", "_b"], ["found"], ["_a", "_b"]]
    assert server.asked["mute.test", A] == 3
    send(s, [{"name": "mute.test"}])
    assert "tags" not in events(s, 4)[3]  # a failure that is remembered is no timeout
    assert server.asked["mute.test", A] == 3 and stats(s)["timeouts"] == 1
    server.close()


def test_nonsense_from_a_server(spate):
    server = NameServer(ZONE)
    s = start(spate, 'resolve => ["name"] nameserver => "%s" timeout => 0.2 max_retries => 0' % server.at)
    docs = [{"name": "bad%d.test" % i} for i in range(9)]
    send(s, docs + [{"name": "one.test"}])
    got = events(s, 10)
    assert [e["name"] for e in got[:9]] == [d["name"] for d in docs] and got[9]["tags"] == ["found"]
    server.close()


def test_no_server_is_a_timeout(spate):
    port, = harness.free_ports(1)
    s = start(spate, 'resolve => ["name"] nameserver => "127.0.0.1:%d" timeout => 0.2' % port)
    send(s, [{"name": "one.test"}])
    assert events(s, 1)[0]["tags"] == ["_dnstimeout"]


def test_search_domains(spate):
    server = NameServer(ZONE)
    s = start(spate, 'resolve => ["name"] action => "replace" nameserver => { address => ["%s"] '
              'search => ["net.test", "corp.test"] ndots => 1 }' % server.at)
    send(s, [{"name": "short"}, {"name": "a.b"}])
    assert [e["name"] for e in events(s, 2)] == ["192.0.2.5", "192.0.2.6"]
    assert server.asked["short.net.test", A] == 1 and ("a.b.net.test", A) not in server.asked
    server.close()


def test_a_slow_server_holds_only_its_pipeline(spate):
    server = NameServer({("late.test", A): ["192.0.2.3"]}, late=2)
    tcp = 'input { tcp { port => @%s@ codec => json_lines dns_reverse_lookup_enabled => false } }'
    s = spate(pipelines={
        "slow": tcp % "P1" + 'filter { dns { resolve => ["name"] timeout => 5 nameserver => "%s" } }' % server.at +
        'output { file { path => "@DIR@/slow" codec => json_lines } }',
        "fast": tcp % "P2" + OUT}, ports=2, tcp=["P1", "P2"])
    send(s, [{"name": "late.test", "n": i} for i in range(100)])
    begin = time.monotonic()
    with harness.tcp_connect(s.port(2)) as sock:
        sock.sendall(b'{"n":1}\n' * 1000)
        events(s, 1000)
    assert time.monotonic() - begin < 1.9
    assert [e["n"] for e in events(s, 100, name="slow")] == list(range(100))
    assert server.asked["late.test", A] == 1
    server.close()


def test_stop_and_reload_while_a_lookup_runs(spate):
    server = NameServer(ZONE)
    config = IN + 'filter { dns { resolve => ["name"] timeout => 0.7 max_retries => 0 nameserver => "%s" } }' % server.at
    s = spate(config + OUT, ports=1, tcp=["P1"], args=["--config.reload.automatic", "--config.reload.interval", "100ms"])
    send(s, [{"name": "mute.test"}])
    harness.wait_for(lambda: server.asked["mute.test", A] == 1)
    with open(s.path("pipeline.conf"), "w") as out:
        out.write(s.fill(config.replace("timeout => 0.7", "timeout => 0.8") + OUT))
    harness.wait_for(lambda: s.api("/_node/stats/pipelines/main")["pipelines"]["main"]["reloads"]["successes"] == 1)
    assert "_dnstimeout" in events(s, 1)[0]["tags"]
    send(s, [{"name": "mute.test"}])
    harness.wait_for(lambda: server.asked["mute.test", A] == 2)
    s.stop()
    server.close()


def test_stop_does_not_wait_for_ever(spate):
    server = NameServer(ZONE)
    s = start(spate, 'resolve => ["name"] timeout => 3600 nameserver => "%s"' % server.at,
              {"shutdown.timeout": "1s"})
    send(s, [{"name": "mute.test"}])
    harness.wait_for(lambda: server.asked["mute.test", A] == 1)
    begin = time.monotonic()
    s.stop(60)
    assert time.monotonic() - begin < 20 * harness.PATIENCE
    server.close()
