"""The http filter against a server of the test's own."""
import base64
import collections
import http.server
import json
import socket
import threading
import time
import types

import harness
from test_dns import IN, OUT, send
from test_elasticsearch import pki  # noqa: F401
from test_net_inputs import events


class Server(http.server.ThreadingHTTPServer):
    """answer(request) returns status, headers, body; every request is remembered."""

    daemon_threads, request_queue_size = True, 128

    def __init__(self, answer, tls=None):
        self.answer, self.got, self.running, self.most = answer, [], 0, 0
        self.lock = threading.Lock()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                length = int(self.headers.get("content-length", 0))
                self.body = self.rfile.read(length)
                with server.lock:
                    server.got.append(types.SimpleNamespace(command=self.command, path=self.path, headers=self.headers,
                                                            body=self.body))
                    server.running += 1
                    server.most = max(server.most, server.running)
                try:
                    answer = server.answer(self)
                finally:
                    with server.lock:
                        server.running -= 1
                if answer is None:
                    self.close_connection = True
                    return
                status, headers, body = answer
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_any

            def log_message(self, *args):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.port = self.server_address[1]
        self.url = "http%s://127.0.0.1:%d" % ("s" if tls else "", self.port)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass

    def close(self):
        self.shutdown()
        self.server_close()


def json_answer(value, status=200):
    return status, [("Content-Type", "application/json; charset=utf-8")], json.dumps(value).encode()


def start(spate, options, kind="http", settings=None):
    settings = {"pipeline.workers": 1, "pipeline.ecs_compatibility": "disabled", **(settings or {})}
    return spate("%s filter { %s { %s add_tag => [\"ok\"] } } %s" % (IN, kind, options, OUT), ports=1, tcp=["P1"],
                 settings=settings)


def stats(s, kind="http"):
    plugins = s.api("/_node/stats/pipelines/main")["pipelines"]["main"]["plugins"]["filters"]
    return next(one for one in plugins if one["name"] == kind)


def test_get(spate):
    server = Server(lambda r: json_answer({"path": r.path, "n": 7}))
    s = start(spate, 'url => "%s/user/%%{id}" query => { "a b" => "%%{id}&" "l" => ["1", "2"] } '
              'headers => { "X-%%{id}" => "v%%{id}" } target_body => "[user]"' % server.url)
    send(s, [{"id": 5}])
    got, = events(s, 1)
    assert got["user"] == {"path": "/user/5?a%20b=5%26&l=1&l=2", "n": 7} and got["tags"] == ["ok"]
    assert got["headers"]["content-type"] == "application/json; charset=utf-8"
    assert set(got["headers"]) >= {"server", "date", "content-length"}
    request, = server.got
    assert request.command == "GET" and request.headers["X-5"] == "v5" and request.headers["content-type"] == "text/plain"
    server.close()


def test_bodies_and_verbs(spate):
    server = Server(lambda r: (200, [("X-A", "1"), ("x-a", "2"), ("Content-Type", "text/plain")], b"  text \xff \n"))
    s = start(spate, 'url => "%s/" verb => "POST" body_format => "json" ecs_compatibility => v8 '
              'body => { "user" => "%%{name}" "list" => ["%%{name}", 5, { "x" => 1.5 }] } } '
              'http { url => "%s/p" verb => "PUT" body => "is %%{name}" headers => { "Content-Type" => "x/y" } } '
              'http { url => "%s/h" verb => "HEAD" target_headers => "h" } '
              'http { url => "%s/d" verb => "DELETE" } http { url => "%s/t" verb => "PATCH" body => "b" } '
              'mutate { copy => { "[@metadata][filter]" => "meta" }' % ((server.url,) * 5))
    send(s, [{"name": 'ann "a" \\ é'}])
    got, = events(s, 1)
    assert got["http"]["response"]["body"]["content"] == "text \ufffd"
    assert got["meta"]["http"]["response"]["headers"]["x-a"] == ["1", "2"]
    assert got["h"]["x-a"] == ["1", "2"] and "tags" in got
    by = {r.command: r for r in server.got}
    assert json.loads(by["POST"].body) == {"user": 'ann "a" \\ é', "list": ['ann "a" \\ é', 5, {"x": 1.5}]}
    assert by["POST"].headers["content-type"] == "application/json"
    assert by["PUT"].body.decode() == 'is ann "a" \\ é' and by["PUT"].headers.get_all("content-type") == ["x/y"]
    assert by["DELETE"].body == b"" and by["PATCH"].body == b"b" and len(server.got) == 5
    server.close()


def test_failures(spate):
    def answer(r):
        if r.path == "/cut":
            return None
        if r.path == "/bad":
            return 200, [("Content-Type", "application/json")], b'{"a":'
        if r.path == "/empty":
            return 200, [("Content-Type", "application/json")], b""
        if r.path == "/huge":
            return 200, [], b"x" * (17 << 20)
        if r.path == "/late":
            time.sleep(3)
        return int(r.path[1:]) if r.path[1:].isdigit() else 200, [], b"ok"
    server = Server(answer)
    s = start(spate, 'url => "%s/%%{p}" request_timeout => 1.5' % server.url)
    paths = ["404", "500", "204", "cut", "bad", "empty", "huge", "late", "a b", "fine"]
    send(s, [{"p": p} for p in paths])
    got = {e["p"]: e for e in events(s, len(paths))}
    failed = ["_httprequestfailure"]
    assert {p: e.get("tags") for p, e in got.items()} == {
        "404": failed, "500": failed, "204": ["ok"], "cut": failed, "bad": ["_jsonparsefailure", "ok"], "empty": ["ok"],
        "huge": failed, "late": failed, "a b": failed, "fine": ["ok"]}
    assert got["empty"]["body"] is None and got["fine"]["body"] == "ok" and "body" not in got["404"]
    # automatic_retries is 1, and a connection that was used before is no try.
    assert 2 <= [r.path for r in server.got].count("/cut") <= 10
    numbers = stats(s)
    assert numbers["timeouts"] == 1 and numbers["errors"] == 5 and numbers["misses"] == 10
    server.close()


def test_no_server(spate):
    port, = harness.free_ports(1)
    s = start(spate, 'url => "http://127.0.0.1:%d/" tag_on_request_failure => ["a", "b"]' % port)
    send(s, [{"x": 1}])
    assert events(s, 1)[0]["tags"] == ["a", "b"]


def test_many_at_a_time_and_equal_ones_once(spate):
    def answer(r):
        time.sleep(0.02)
        return json_answer({"id": r.path.rpartition("/")[2]})
    server = Server(answer)
    s = start(spate, 'url => "%s/%%{id}" pool_max_per_route => 8' % server.url)
    docs = [{"id": i % 400, "seq": i} for i in range(2000)]
    send(s, docs)
    got = events(s, len(docs), 60)
    assert [e["seq"] for e in got] == list(range(2000)) and all(e["body"] == {"id": str(e["id"])} for e in got)
    assert server.most <= 8
    counts = collections.Counter(r.path for r in server.got)
    assert len(counts) == 400 and max(counts.values()) <= 5
    assert stats(s)["hits"] + stats(s)["misses"] == 2000
    server.close()


def test_posts_are_sent_for_each_event(spate):
    server = Server(lambda r: (200, [], b"ok"))
    s = start(spate, 'url => "%s/" verb => "POST" body => "same"' % server.url)
    send(s, [{"x": 1}] * 1500)
    events(s, 1500, 60)
    assert len(server.got) == 1500
    server.close()


def test_redirects_cookies_and_login(spate):
    def answer(r):
        if r.path == "/from":
            return 302, [("Location", "/to"), ("Set-Cookie", "k=v")], b"body of the redirect"
        return 200, [], b"there"
    server = Server(answer)
    s = start(spate, 'url => "%s/from" verb => "%%" user => "u" password => "p:w" add_field => { "done" => "1" }'.replace(
        'verb => "%%" ', "") % server.url)
    send(s, [{"x": 1}])
    assert events(s, 1)[0]["body"] == "there"
    first, second = server.got
    assert (first.path, second.path, second.headers["cookie"]) == ("/from", "/to", "k=v")
    assert base64.b64decode(first.headers["authorization"].split()[1]) == b"u:p:w"
    s.stop()
    s = start(spate, 'url => "%s/from" follow_redirects => false cookies => false' % server.url)
    send(s, [{"x": 1}])
    assert events(s, 1)[0]["tags"] == ["_httprequestfailure"]
    server.close()


def test_proxy(spate):
    server = Server(lambda r: (200, [], r.path.encode()))
    s = start(spate, 'url => "http://far.invalid/x" proxy => { host => "127.0.0.1" port => %d }' % server.port)
    send(s, [{"x": 1}])
    assert events(s, 1)[0]["body"] == "http://far.invalid/x"
    server.close()


def test_tls(spate, pki):  # noqa: F811
    import os
    import ssl
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(os.path.join(pki, "server.pem"), os.path.join(pki, "server.key"))
    server = Server(lambda r: (200, [], b"safe"), tls=context)
    url = "https://127.0.0.1:%d/" % server.port
    s = start(spate, 'url => "%s" ssl_certificate_authorities => ["%s/ca.pem"] } http { url => "%s" target_body => "b2" '
              'automatic_retries => 0 } http { url => "%s" target_body => "b3" ssl_verification_mode => "none"'
              % (url, pki, url, url))
    send(s, [{"x": 1}])
    got, = events(s, 1)
    assert got["body"] == got["b3"] == "safe" and "b2" not in got and "_httprequestfailure" in got["tags"]
    server.close()


def test_stop_while_a_request_runs(spate):
    server = Server(lambda r: time.sleep(30))
    s = start(spate, 'url => "%s/"' % server.url, settings={"shutdown.timeout": "1s"})
    send(s, [{"x": 1}])
    harness.wait_for(lambda: server.got)
    begin = time.monotonic()
    s.stop(30)
    assert time.monotonic() - begin < 10 * harness.PATIENCE


def test_a_socket_that_says_nothing(spate):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        s = start(spate, 'url => "http://127.0.0.1:%d/" socket_timeout => 1' % listener.getsockname()[1])
        begin = time.monotonic()
        send(s, [{"x": 1}])
        assert events(s, 1)[0]["tags"] == ["_httprequestfailure"] and time.monotonic() - begin < 5 * harness.PATIENCE
        assert stats(s)["timeouts"] == 1
