"""The elasticsearch output's own HTTP client: answers in every framing, and connections that end at every moment."""
import email.utils
import gzip
import json
import re
import socket
import ssl
import threading
import time

import pytest

import harness
from test_elasticsearch import pki  # noqa: F401

GOOD = b'{"errors":false,"items":[]}'


class Request:
    def __init__(self, head, stream):
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = lines[0].split(" ")
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        self.length = int(self.headers.get("content-length", 0))
        self.stream, self.body = stream, b""

    def read_body(self):
        self.body = self.stream.read(self.length)
        if self.headers.get("content-encoding") == "gzip":
            self.body = gzip.decompress(self.body)

    def numbers(self):
        return [int(re.search(rb"seq=(\d+)", line).group(1)) for line in self.body.splitlines()[1::2]]


class Raw:
    """A server that says exactly the bytes it is told to.

    scripts[n] handles bulk request n (from 0) on the connection: script(sock, request) gets the request with its
    body unread and returns whether the connection goes on. The numbers of `taken` requests were answered with success.
    """

    def __init__(self, scripts=(), tls=None):
        self.scripts, self.bulks, self.taken, self.connections, self.tls = list(scripts), [], [], 0, tls
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        try:
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True)
            with sock, sock.makefile("rb") as stream:
                while self.one(sock, stream):
                    pass
        except (OSError, ValueError):
            pass  # the client went away: the scripts provoke that

    def one(self, sock, stream):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = stream.readline(65536)
            if not line:
                return False
            head += line
        request = Request(head[:-4], stream)
        if request.method == "CONNECT":
            return self.tunnel(sock, request)
        if "_bulk" not in request.target:
            request.read_body()
            body = b"" if request.method == "HEAD" else b'{"version":{"number":"8.19.0"}}'
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
            return True
        with self.lock:
            nth = len(self.bulks)
            self.bulks.append(request)
        script = self.scripts[nth] if nth < len(self.scripts) else good
        go_on = script(sock, request)
        if getattr(script, "takes", True):
            self.taken += request.numbers()
        return go_on

    def tunnel(self, sock, request):
        host, _, port = request.target.partition(":")
        self.bulks.append(request)
        other = socket.create_connection((host, int(port)))
        sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")

        def pump(a, b):
            try:
                while True:
                    data = a.recv(65536)
                    if not data:
                        break
                    b.sendall(data)
                b.shutdown(socket.SHUT_WR)
            except OSError:
                pass

        threading.Thread(target=pump, args=(other, sock), daemon=True).start()
        pump(sock, other)
        return False

    def close(self):
        self.listener.close()


@pytest.fixture
def raw():
    running = []

    def start(*args, **options):
        running.append(Raw(*args, **options))
        return running[-1]

    yield start
    for one in running:
        one.close()


def answering(*pieces, pause=0.0, go_on=True, takes=True):
    """A script that reads the request and sends these bytes."""
    def script(sock, request):
        request.read_body()
        for piece in pieces:
            sock.sendall(piece)
            time.sleep(pause)
        return go_on
    script.takes = takes
    return script


def plain(body=GOOD, status=b"200 OK", more=b""):
    return b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status, more, len(body), body)


good = answering(plain())


def chunked(body, size, end=b"0\r\n\r\n"):
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[i:i + size]), body[i:i + size]) for i in range(0, len(body), size))
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + end


def bytewise(text):
    return [text[i:i + 1] for i in range(len(text))]


CONFIG = """input { tcp { port => @P1@ } }
output { elasticsearch { hosts => ["%s://127.0.0.1:@ES@"] index => "t" manage_template => false ilm_enabled => false
  compression_level => 0 retry_initial_interval => 1 resurrect_delay => 1 %s } }"""


def start(spate, server, options="", scheme="http", names=None):
    if server.tls:
        scheme, options = "https", options + " ssl_verification_mode => none"
    return spate(CONFIG % (scheme, options), ports=1, tcp=["P1"], names=dict({"ES": server.port}, **(names or {})))


def expect(engine, server, n, seconds=30):
    harness.wait_for(lambda: len(server.taken) >= n, seconds,
                     lambda: "%d of %d; log:\n%s" % (len(server.taken), n, engine.log()[-3000:]))


def failed_lines(engine):
    return [line for line in engine.log().splitlines() if "sent again" in line]


@pytest.fixture(params=["plain", "tls"])
def context(request, pki):  # noqa: F811
    if request.param == "plain":
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "chain.pem", pki / "server.key")
    return context


@pytest.mark.parametrize("script", [
    answering(chunked(GOOD, 5)),
    answering(chunked(GOOD, 100, b"0;x=y\r\nTrailer: a\r\n\r\n")),
    answering(*bytewise(chunked(GOOD, 3)), pause=0.001),
    answering(*bytewise(plain()), pause=0.001),
    answering(plain(), pause=0.3),
    answering(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", plain(), pause=0.01),
    answering(plain(more=b"Connection: close\r\n"), go_on=False),
    answering(b"HTTP/1.1 200 OK\r\n\r\n" + GOOD, go_on=False),
    answering(b"HTTP/1.0 200 OK\r\nContent-Length: 27\r\n\r\n" + GOOD),
    # The server ends an idle connection without a word about it.
    answering(plain(), go_on=False),
], ids=["chunked", "trailers", "chunks-bytewise", "bytewise", "late", "interim", "close", "to-end", "1.0", "idle-close"])
def test_every_framing_is_understood(raw, spate, context, script):
    """Whatever the shape of a good answer: nothing is sent twice, and the next request goes through."""
    server = raw([script, script], tls=context)
    engine = start(spate, server)
    for i in range(4):
        harness.send_tcp(engine.port(), harness.numbered(10, i * 10))
        expect(engine, server, i * 10 + 10)
        time.sleep(0.05)
    assert sorted(server.taken) == list(range(40))
    assert failed_lines(engine) == []


@pytest.mark.parametrize("answer, text", [
    (plain()[:-5], "the answer is cut: the server closed"),
    (chunked(GOOD, 5)[:-3], "the answer is cut: the server closed"),
    (b"", "no answer: the server closed"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "not understood: no HTTP status line"),
    (b"HTTP/2.0 200 OK\r\n\r\n", "not understood: another version"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}", "two different Content-Length"),
    (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70000, "not understood: too long a head"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n", "too large a body"),
    (plain(gzip.compress(GOOD), more=b"Content-Encoding: gzip\r\n"), "Content-Encoding"),
    (plain(b"<html>hello</html>", b"502 Bad Gateway"), "status 502, refused the request"),
    (plain(b"<html>hello</html>"), "<html>hello"),
], ids=["cut", "cut-chunks", "nothing", "ssh", "version", "lengths", "head", "large", "gzip", "502", "html"])
def test_a_bad_answer_is_said_clearly_and_the_request_is_sent_again(raw, spate, answer, text):
    server = raw([answering(answer, go_on=False, takes=False)])
    engine = start(spate, server)
    harness.send_tcp(engine.port(), harness.numbered(10))
    expect(engine, server, 10)
    assert sorted(server.taken) == list(range(10))
    lines = failed_lines(engine)
    assert len(lines) == 1 and text in lines[0] and "http://127.0.0.1:%d" % server.port in lines[0]


def test_no_answer_in_time(raw, spate, context):
    """The timeout ends the request, not the output; the host's name and the reason are in the log."""
    server = raw([answering(takes=False)], tls=context)
    engine = start(spate, server, "timeout => 1")
    begin = time.monotonic()
    harness.send_tcp(engine.port(), harness.numbered(10))
    expect(engine, server, 10)
    assert time.monotonic() - begin > 0.9
    assert "timed out after 1" in failed_lines(engine)[0]


def test_connection_that_ended_while_it_was_idle(raw, spate, context):
    """The server drops it just when the next request comes: that one goes out again at once on a fresh connection."""
    server = raw([good, answering(go_on=False, takes=False)], tls=context)
    engine = start(spate, server)
    harness.send_tcp(engine.port(), harness.numbered(10))
    expect(engine, server, 10)
    time.sleep(0.3)  # until the answer is there too: else the next request takes a connection of its own
    begin = time.monotonic()
    harness.send_tcp(engine.port(), harness.numbered(10, 10))
    expect(engine, server, 20)
    assert failed_lines(engine) == [] and len(server.bulks) == 3
    # Neither a pause nor a dead host: those last a second.
    assert time.monotonic() - begin < 0.7 * harness.PATIENCE


def test_retry_after_as_a_date(raw, spate):
    def script(sock, request):
        request.read_body()
        date = email.utils.formatdate(time.time() + 4, usegmt=True).encode()
        sock.sendall(plain(b"", b"503 Busy", b"Retry-After: %s\r\n" % date))
        return True
    script.takes = False
    server = raw([script])
    engine = start(spate, server)
    begin = time.monotonic()
    harness.send_tcp(engine.port(), harness.numbered(10))
    expect(engine, server, 10)
    assert time.monotonic() - begin > 2.5


def early(status, drain):
    """Answers at the head of the request; reads the body afterwards or hangs up on it."""
    def script(sock, request):
        sock.sendall(plain(b"", status, b"Connection: close\r\n"))
        if drain:
            request.read_body()
        else:
            time.sleep(0.2)
        return False
    script.takes = False
    return script


@pytest.mark.parametrize("drain", [True, False], ids=["drains", "hangs-up"])
def test_answer_before_the_body_was_read(raw, spate, context, drain):
    """413 at the sight of the head: what the server said is used although it took nothing of the body."""
    server = raw([early(b"413 Too Large", drain)], tls=context)
    engine = start(spate, server)
    harness.send_tcp(engine.port(), harness.numbered(20000))
    expect(engine, server, 20000)
    assert sorted(server.taken) == list(range(20000))
    if drain:
        assert failed_lines(engine) == []


def test_a_slow_reader_gets_large_bodies_whole(raw, spate, context):
    """Requests that fill the socket again and again arrive byte for byte."""
    def slow(sock, request):
        parts, left = [], request.length
        while left > 0:
            parts.append(request.stream.read(min(left, 50000)))
            left -= len(parts[-1])
            time.sleep(0.01)
        request.body = b"".join(parts)
        lines = request.body.splitlines()
        assert len(lines) == 2 * int(request.headers["x-elastic-event-count"])
        for line in lines:
            json.loads(line)
        sock.sendall(plain())
        return True
    server = raw([slow] * 100, tls=context)
    engine = start(spate, server)
    harness.send_tcp(engine.port(), harness.numbered(40000))
    expect(engine, server, 40000, 60)
    assert sorted(server.taken) == list(range(40000)) and failed_lines(engine) == []


def test_connections_stay_within_their_limit(raw, spate):
    """pool_max_per_route: several requests wait for the one connection, and it is used again and again."""
    server = raw([answering(plain(), pause=0.05)] * 50)
    engine = start(spate, server, "pool_max_per_route => 1")
    harness.send_tcp(engine.port(), harness.numbered(60000))
    expect(engine, server, 60000, 60)
    # One for the questions at the start and one for the requests.
    assert server.connections == 2 and len(server.bulks) > 2


def test_connection_idle_for_long_is_looked_at(raw, spate):
    """validate_after_inactivity: what was closed meanwhile is not used."""
    server = raw([answering(plain(), go_on=False)])
    engine = start(spate, server, "validate_after_inactivity => 100")
    harness.send_tcp(engine.port(), harness.numbered(10))
    expect(engine, server, 10)
    time.sleep(0.5)
    harness.send_tcp(engine.port(), harness.numbered(10, 10))
    expect(engine, server, 20)
    assert failed_lines(engine) == [] and len(server.bulks) == 2


def test_plain_requests_through_a_proxy(raw, spate):
    """The proxy gets the whole address in the request line and its own credentials; the server need not exist."""
    server = raw()
    port = harness.free_ports(1)[0]
    engine = start(spate, server, 'proxy => "http://me:pa%%40ss@127.0.0.1:%d"' % server.port, names={"ES": port})
    harness.send_tcp(engine.port(), harness.numbered(10))
    expect(engine, server, 10)
    request = server.bulks[0]
    assert request.method == "POST" and request.target.startswith("http://127.0.0.1:%d/_bulk?" % port)
    assert request.headers["host"] == "127.0.0.1:%d" % port
    assert request.headers["proxy-authorization"] == "Basic bWU6cGFAc3M="


def test_tls_through_a_proxy(raw, spate, pki):  # noqa: F811
    """With https the proxy only sees CONNECT."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "chain.pem", pki / "server.key")
    server, proxy = raw(tls=context), raw()
    engine = start(spate, server, 'proxy => "http://127.0.0.1:%d"' % proxy.port)
    harness.send_tcp(engine.port(), harness.numbered(10))
    expect(engine, server, 10)
    assert {request.method for request in proxy.bulks} == {"CONNECT"} and len(server.bulks) == 1
