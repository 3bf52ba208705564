"""Datagrams from poll-mode ports: a file of frames as a port, and a real link between two namespaces.

Neither needs hardware or huge pages. They run the build with DPDK (tools/dev build dpdk)."""
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import frames
import harness
import pytest

OUT = 'output { file { path => "@DIR@/out" codec => json_lines } }'
EAL = '"--no-huge -m 128"'
PCAP_MAC = bytes.fromhex("027063617000")  # of the first net_pcap port

needs_dpdk = pytest.mark.skipif(harness.dpdk_bin() is None, reason="build/dpdk/spate is not there: libdpdk-dev is not "
                                "installed, or tools/dev build dpdk was not run")


def events(s, n, seconds=20):
    def read():
        try:
            with open(s.path("out")) as out:
                lines = [line for line in out.read().split("\n") if line]
        except FileNotFoundError:
            return None
        return [json.loads(line) for line in lines] if len(lines) >= n else None
    return harness.wait_for(read, seconds, lambda: "%d events; %s" % (n, s.log()[-3000:]))


def device(s):
    """What the monitoring API says of the first port."""
    return s.api("/_node/stats/dpdk")["dpdk"]["devices"][0]


def taken(s):
    return {name: n for name, n in device(s)["taken"].items() if n}


# ---- a file of frames ----

def pcap_port(folder, given, more=""):
    """Settings with a port whose frames are `given`; what it sends is in sent.pcap."""
    frames.write_pcap(folder / "in.pcap", given)
    text = "net_pcap0,rx_pcap=%s,tx_pcap=%s%s 192.0.2.10 2001:db8::10" % (folder / "in.pcap", folder / "sent.pcap", more)
    return {"dpdk.devices": json.dumps([text]), "dpdk.eal_args": EAL}


SYSLOG = b"<34>Nov 21 10:00:0%d web-1 sshd[4711]: line %d"


@needs_dpdk
def test_every_kind_of_frame(spate, tmp_path):
    """Each frame is an event, an answer, or a count with a reason; events are as those from a socket."""
    def four(text, **more):
        return frames.datagram(PCAP_MAC, "192.0.2.1", "192.0.2.10", 514, text, **more)

    def six(text, **more):
        return frames.datagram(PCAP_MAC, "2001:db8::1", "2001:db8::10", 514, text, **more)

    bad_udp, bad_ip = bytearray(four(SYSLOG % (9, 9))), bytearray(four(SYSLOG % (9, 9)))
    bad_udp[41 + 5] ^= 1
    bad_ip[14 + 8] ^= 1
    atomic = frames.ethernet(PCAP_MAC, 0x86DD, frames.ip("2001:db8::2", "2001:db8::10", 0, b"\x2c\0\0\0\0\0\0\0"
                             b"\x11\0\0\0\0\0\0\7" + frames.udp("2001:db8::2", "2001:db8::10", 514, SYSLOG % (4, 4))))
    given = [
        four(SYSLOG % (1, 1)), six(SYSLOG % (2, 2)), four(SYSLOG % (3, 3), tags=(7,)), atomic,
        frames.datagram(PCAP_MAC, "192.0.2.77", "192.0.2.10", 514, SYSLOG % (5, 5), tags=(5, 6)),
        four(b"x", fragment=0x2000), four(b"x", fragment=0x0010), bytes(bad_udp), bytes(bad_ip),
        frames.arp_request("192.0.2.1", "192.0.2.10"), frames.arp_request("192.0.2.1", "192.0.2.11"),
        frames.solicitation("2001:db8::1", "2001:db8::10"), four(b"x" * 100)[:80], PCAP_MAC + b"\0" * 3,
        frames.datagram(PCAP_MAC, "192.0.2.1", "192.0.2.10", 999, b"x"),
        frames.datagram(PCAP_MAC, "192.0.2.1", "192.0.2.12", 514, b"x"),
        frames.ethernet(PCAP_MAC, 0x0800, frames.ip("192.0.2.1", "192.0.2.10", 6, b"tcp" * 9)),
        frames.ethernet(b"\x01\x80\xc2\0\0\x0e", 0x88CC, b"lldp"),
    ]
    s = spate('input { syslog { host => "192.0.2.10" port => 514 } syslog { host => "2001:db8::10" port => 514 } }' + OUT,
              binary=harness.dpdk_bin(), settings=pcap_port(tmp_path, given))
    got = sorted(events(s, 5), key=lambda e: e["message"])
    assert [e["message"] for e in got] == ["line %d" % i for i in range(1, 6)]
    assert [e["host"]["ip"] for e in got] == ["192.0.2.1", "2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.77"]
    assert {e["host"]["hostname"] for e in got} == {"web-1"} and got[0]["event"]["original"] == (SYSLOG % (1, 1)).decode()
    want = {"datagrams": 5, "fragment": 2, "bad_udp_checksum": 1, "bad_checksum": 1, "arp_requests": 1, "other_address": 2,
            "neighbour_solicitations": 1, "short": 2, "no_input": 1, "other_protocol": 1, "not_ip": 1}
    harness.wait_for(lambda: taken(s) == want, 10, lambda: "%s to be counted; there is %s" % (want, taken(s)))
    assert device(s)["frames"] == len(given) == sum(want.values())
    metrics = s.metrics()
    assert metrics['spate_dpdk_taken_total{device="net_pcap0",what="fragment"}'] == 2
    assert metrics['spate_dpdk_dropped_total{device="net_pcap0",reason="no free descriptor"}'] == 0
    assert sum(n for name, n in metrics.items() if 'stat="datagrams_polled"' in name) == 5
    s.stop()
    arp, advertisement = frames.read_pcap(tmp_path / "sent.pcap")
    assert arp[:12] == frames.PEER + PCAP_MAC and arp[20:22] == b"\0\2" and arp[22:28] == PCAP_MAC
    assert arp[28:32] == frames.packed("192.0.2.10") and arp[38:42] == frames.packed("192.0.2.1")
    assert advertisement[54] == 136 and advertisement[62:78] == frames.packed("2001:db8::10")
    assert advertisement[80:86] == PCAP_MAC
    assert frames.checksum(frames.pseudo("2001:db8::10", "2001:db8::1", 58, 32) + advertisement[54:86]) == 0


@needs_dpdk
def test_a_port_that_is_never_silent(spate, tmp_path):
    """Frames without end: the API answers, other sockets of the shard are served, and the end comes in time."""
    given = [frames.datagram(PCAP_MAC, "192.0.2.1", "192.0.2.10", 514, b"number %03d" % i, from_port=1024 + i)
             for i in range(200)]
    s = spate('input { udp { host => "192.0.2.10" port => 514 } tcp { host => "127.0.0.1" port => @P1@ type => "tcp" } }'
              'output { if [type] == "tcp" { file { path => "@DIR@/out" codec => json_lines } } else { null { } } }',
              ports=1, tcp=["P1"], args=["-w", "1"], binary=harness.dpdk_bin(),
              settings=pcap_port(tmp_path, given, ",infinite_rx=1"))
    before = s.events()["out"]
    harness.send_tcp(s.port(), b"meanwhile\n")
    assert events(s, 1)[0]["message"] == "meanwhile"
    harness.wait_for(lambda: s.events()["out"] > before + 200000, 20, "200,000 events")
    s.stop()


@needs_dpdk
def test_wrong_devices(spate, tmp_path):
    """What is wrong with a port is said in a sentence, and ends the process."""
    conf = 'input { udp { port => 5140 } } output { null { } }'
    for text, said in (("net_pcap0", "the device has no address"),
                       ("net_pcap0,rx_pcap=/nonexistent 192.0.2.10", "there is no device net_pcap0"),
                       ("0000:7f:1f.7 192.0.2.10", "there is no device 0000:7f:1f.7")):
        s = spate(conf, wait=False, binary=harness.dpdk_bin(),
                  settings={"dpdk.devices": json.dumps([text]), "dpdk.eal_args": EAL})
        s.spawn()
        assert s.wait() == 1
        s.check_log()
        s.process = None
        assert said in s.log(), s.log()


def test_build_without_dpdk():
    """Any dpdk.* setting is an error that names the setting and the build's flag."""
    done = subprocess.run([harness.spate_bin(), "-t", "-S", "dpdk.mtu=1500", "-e", "input { stdin { } } output { stdout { } }"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 1
    assert '"dpdk.mtu"' in done.stdout and "-DSPATE_DPDK=ON" in done.stdout


# ---- a link ----

# Otherwise the kernel leaves checksums to a device, and a link has none that would fill them in.
CHECKSUMS = """
import ctypes, fcntl, socket, struct, sys
off = ctypes.create_string_buffer(struct.pack("II", 0x17, 0))  # ETHTOOL_STXCSUM, by SIOCETHTOOL
fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x8946,
            struct.pack("16sQ", sys.argv[1].encode(), ctypes.addressof(off)) + bytes(16))
"""
SEND = """
import socket, sys
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(sys.argv[2].encode(), ("192.0.2.10", int(sys.argv[1])))
"""
SENDER = """
import socket, struct, sys, time
port = int(sys.argv[1])
four = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
for i in range(50):
    four.sendto(b"four %d" % i, ("192.0.2.10", port))
    six.sendto(b"six %d" % i, ("2001:db8::10", port))
    time.sleep(0.002)
four.sendto(b"x" * 4000, ("192.0.2.10", port))  # the link takes it whole, the port's ring cuts it
four.sendto(b"x", ("192.0.2.10", port + 1))
for i in range(200):
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.sendto(b"many %d" % i, ("192.0.2.10", port))
    one.close()
ping = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
ping.settimeout(5)
head = struct.pack(">BBHHH", 8, 0, 0, 77, 1)
total = sum(struct.unpack(">4H", head))
ping.sendto(head[:2] + struct.pack(">H", ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF) + head[4:], ("192.0.2.10", 0))
answer = ping.recv(200)
assert answer[20:22] == bytes(2) and answer[24:28] == struct.pack(">HH", 77, 1), answer
print("sent")
"""


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture
def link():
    """(name of our end, command prefix for the namespace of the other end)."""
    if os.geteuid() != 0:
        pytest.skip("a link between namespaces needs root")
    if shutil.which("ip") is None:
        pytest.skip("iproute2 is not installed")
    tag = "sp%d" % (os.getpid() % 100000)
    space, ours, theirs = tag + "n", tag + "a", tag + "b"
    made = run("ip", "netns", "add", space)
    if made.returncode != 0:
        pytest.skip("no network namespace can be made: " + made.stdout.strip())
    inside = ["ip", "netns", "exec", space]
    try:
        made = run(*inside, "true")
        if made.returncode != 0:
            pytest.skip("a network namespace cannot be entered: " + made.stdout.strip())
        made = run("ip", "link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", space)
        if made.returncode != 0:
            pytest.skip("no link can be made: " + made.stdout.strip())
        for command in (["ip", "link", "set", ours, "addrgenmode", "none"], ["ip", "link", "set", ours, "up"],
                        inside + ["ip", "link", "set", "lo", "up"], inside + ["ip", "link", "set", theirs, "up"],
                        inside + ["ip", "address", "add", "192.0.2.1/24", "dev", theirs],
                        inside + ["ip", "address", "add", "2001:db8::1/64", "dev", theirs, "nodad"],
                        inside + [sys.executable, "-c", CHECKSUMS, theirs]):
            done = run(*command)
            assert done.returncode == 0, (command, done.stdout)
        yield ours, inside
    finally:
        run("ip", "link", "del", ours)
        run("ip", "netns", "del", space)


@needs_dpdk
@pytest.mark.parametrize("workers", (2, 1))
def test_a_link(spate, link, workers):
    """Ordinary sockets at the other end: their kernel finds us by ARP and neighbour discovery, and both kinds
    of datagrams arrive beside those of a kernel socket on the same port, over two queues. With a pipeline on
    one of the two shards the other passes on what it gets."""
    ours, inside = link
    text = "net_af_packet0,iface=%s,qpairs=2 192.0.2.10 2001:db8::10" % ours
    s = spate('input { udp { host => "::" port => @P1@ } }' + OUT, ports=1, udp=["P1"],
              args=["-w", workers, "-S", "spate.shards=2"], binary=harness.dpdk_bin(),
              settings={"dpdk.devices": json.dumps([text]), "dpdk.eal_args": EAL})
    assert device(s)["queues"] == 2 and device(s)["link"] == "up"
    sent = run(*inside, sys.executable, "-c", SENDER, str(s.port()))
    assert sent.stdout == "sent\n", sent.stdout
    harness.send_udp(s.port(), b"by the kernel")
    got = events(s, 301)
    assert sorted(e["message"] for e in got) == sorted(
        [b % i for b, n in (("four %d", 50), ("six %d", 50), ("many %d", 200)) for i in range(n)] + ["by the kernel"])
    assert {(e["message"].split()[0], e["host"]["ip"]) for e in got} == {
        ("four", "192.0.2.1"), ("many", "192.0.2.1"), ("six", "2001:db8::1"), ("by", "127.0.0.1")}
    counts = taken(s)
    assert counts["datagrams"] == 300 and counts["short"] == 1 and counts["no_input"] == 1, counts
    assert (counts.get("passed_on", 0) > 1) == (workers == 1), counts  # the one that nobody wants may be
    assert counts["arp_requests"] >= 1 and counts["neighbour_solicitations"] >= 1 and counts["echo_requests"] == 1, counts


@needs_dpdk
def test_reload(spate, link):
    """An input that changes its port leaves the old one; one that stays goes on with the new configuration."""
    ours, inside = link
    text = ('input { udp { host => "192.0.2.10" port => %d } udp { host => "192.0.2.10" port => 600 } }'
            'filter { mutate { add_field => { "turn" => "%d" } } }')
    s = spate(text % (514, 1) + OUT, binary=harness.dpdk_bin(), args=["-w", "2"],
              settings={"dpdk.devices": json.dumps(["net_af_packet0,iface=%s 192.0.2.10" % ours]), "dpdk.eal_args": EAL})

    def send(port, message):
        assert run(*inside, sys.executable, "-c", SEND, str(port), message).returncode == 0

    send(514, "a")
    send(600, "b")
    events(s, 2)
    with open(s.path("pipeline.conf"), "w") as out:
        out.write(s.fill(text % (515, 2) + OUT))
    os.kill(s.process.pid, signal.SIGHUP)
    harness.wait_for(lambda: s.api("/_node/stats/pipelines/main")["pipelines"]["main"]["reloads"]["successes"] == 1,
                     20, "the reload")
    send(514, "to nobody")
    send(515, "c")
    send(600, "d")
    assert sorted((e["message"], e["turn"]) for e in events(s, 4)) == [("a", "1"), ("b", "1"), ("c", "2"), ("d", "2")]
    assert taken(s)["no_input"] == 1


@needs_dpdk
def test_rest(spate, link):
    """A silent port costs little: the shards sleep between two looks."""
    ours, _ = link
    s = spate('input { udp { host => "192.0.2.10" port => 514 } }' + OUT, binary=harness.dpdk_bin(), args=["-w", "1"],
              settings={"dpdk.devices": json.dumps(["net_af_packet0,iface=%s 192.0.2.10" % ours]), "dpdk.eal_args": EAL})

    def ticks():
        with open("/proc/%d/stat" % s.process.pid) as stat:
            part = stat.read().rsplit(")", 1)[1].split()
        return int(part[11]) + int(part[12])
    time.sleep(0.5)
    before, begin = ticks(), time.monotonic()
    time.sleep(2)
    used = (ticks() - before) / os.sysconf("SC_CLK_TCK") / (time.monotonic() - begin)
    assert used < 0.3, "%.0f %% of a processor" % (used * 100)
