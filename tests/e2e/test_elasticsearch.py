"""The elasticsearch output's transport: TLS in all its forms, authentication, several hosts, gzip."""
import gzip
import hashlib
import http.server
import json
import ssl
import subprocess
import threading
import time

import pytest

import harness


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    """A CA, a server certificate for 127.0.0.1 with the CA behind it, a client certificate, stores."""
    folder = tmp_path_factory.mktemp("pki")

    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
            "-subj", "/CN=test CA")
    (folder / "ext").write_text("subjectAltName=IP:127.0.0.1\n")
    for name in ("server", "client"):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", name + ".key", "-out", name + ".csr", "-subj",
                "/CN=" + name)
        openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days",
                "2", "-out", name + ".pem", "-extfile", "ext")
    openssl("pkcs12", "-export", "-in", "client.pem", "-inkey", "client.key", "-out", "client.p12", "-passout",
            "pass:kpass")
    openssl("pkcs12", "-export", "-nokeys", "-in", "ca.pem", "-out", "trust.p12", "-passout", "pass:tpass")
    (folder / "chain.pem").write_text((folder / "server.pem").read_text() + (folder / "ca.pem").read_text())
    der = ssl.PEM_cert_to_DER_cert((folder / "ca.pem").read_text())
    (folder / "fingerprint").write_text(hashlib.sha256(der).hexdigest())
    return folder


class Secure:
    """A small Elasticsearch behind TLS; keeps the documents and the headers it got."""

    def __init__(self, pki, client_certificate=False):
        self.docs, self.headers, self.nodes = [], [], {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                outer.headers.append(dict(self.headers))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                reply = {"version": {"number": "8.19.0"}}
                if self.path.startswith("/_nodes/http"):
                    reply = {"nodes": outer.nodes}
                if "_bulk" in self.path:
                    outer.docs += [json.loads(line) for line in body.splitlines()[1::2]]
                    reply = {"errors": False, "items": []}
                text = b"" if self.command == "HEAD" else json.dumps(reply).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_HEAD = do_POST = do_PUT = answer

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                pass  # a client that does not trust us hangs up: that is the test

        self.server = Server(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pki / "chain.pem", pki / "server.key")
        if client_certificate:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(pki / "ca.pem")
        # The handshake belongs to the connection's thread, not to accept().
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def secure(pki):
    running = []

    def start(**options):
        running.append(Secure(pki, **options))
        return running[-1]

    yield start
    for one in running:
        one.close()


def config(options):
    return """input { tcp { port => @P1@ } }
output { elasticsearch { hosts => ["https://127.0.0.1:@ES@"] index => "t" manage_template => false
  resurrect_delay => 1 %s } }""" % options


@pytest.mark.parametrize("options, client", [
    ("ssl_certificate_authorities => ['@PKI@/ca.pem']", False),
    ("ca_trusted_fingerprint => '@FP@'", False),
    ("ssl_truststore_path => '@PKI@/trust.p12' ssl_truststore_password => 'tpass'", False),
    ("ssl_verification_mode => none", False),
    ("ssl_certificate_authorities => ['@PKI@/ca.pem'] ssl_supported_protocols => ['TLSv1.2']"
     " ssl_cipher_suites => ['TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384']", False),
    ("ssl_certificate_authorities => ['@PKI@/ca.pem'] ssl_certificate => '@PKI@/client.pem'"
     " ssl_key => '@PKI@/client.key'", True),
    ("ssl_certificate_authorities => ['@PKI@/ca.pem'] ssl_keystore_path => '@PKI@/client.p12'"
     " ssl_keystore_password => 'kpass'", True),
])
def test_tls(secure, spate, pki, options, client):
    es = secure(client_certificate=client)
    names = {"ES": es.port, "PKI": pki, "FP": (pki / "fingerprint").read_text()}
    engine = spate(config(options), ports=1, tcp=["P1"], names=names)
    harness.send_tcp(engine.port(), harness.numbered(10))
    harness.wait_for(lambda: len(es.docs) == 10, 20, lambda: engine.log()[-2000:])


@pytest.mark.parametrize("options", ["", "ca_trusted_fingerprint => '%s'" % ("ab" * 32),
                                     "ssl_certificate_authorities => ['@PKI@/client.pem']"])
def test_a_server_that_is_not_trusted_gets_nothing(secure, spate, pki, options):
    es = secure()
    engine = spate(config(options), ports=1, tcp=["P1"], names={"ES": es.port, "PKI": pki})
    harness.send_tcp(engine.port(), harness.numbered(1))
    harness.wait_for(lambda: "certificate" in engine.log(), 20, lambda: engine.log()[-2000:])
    assert es.headers == []
    engine.kill()


def test_api_key_and_secrets_stay_out_of_the_log(secure, spate, pki):
    es = secure()
    engine = spate(config("api_key => 'me:topsecret' ssl_certificate_authorities => ['@PKI@/ca.pem']"
                          " custom_headers => { 'X-Who' => 'spate' }"), ports=1, tcp=["P1"],
                   names={"ES": es.port, "PKI": pki}, args=["--log.level", "trace"])
    harness.send_tcp(engine.port(), harness.numbered(1))
    harness.wait_for(lambda: es.docs, 20, lambda: engine.log()[-2000:])
    assert all(h["Authorization"] == "ApiKey bWU6dG9wc2VjcmV0" and h["X-Who"] == "spate" for h in es.headers)
    assert "topsecret" not in engine.log() and "bWU6" not in engine.log()


@pytest.mark.parametrize("level", [1, 9])
def test_gzip(secure, spate, pki, level):
    es = secure()
    engine = spate(config("compression_level => %d ssl_certificate_authorities => ['@PKI@/ca.pem']" % level), ports=1,
                   tcp=["P1"], names={"ES": es.port, "PKI": pki})
    harness.send_tcp(engine.port(), harness.numbered(20000))
    harness.wait_for(lambda: len(es.docs) == 20000, 30, lambda: engine.log()[-2000:])
    assert es.headers[-1]["Content-Encoding"] == "gzip"


@pytest.mark.parametrize("url", ["http://me:pa%40ss@127.0.0.1:@ES@", "http://127.0.0.1:@ES@"])
def test_basic_authentication(sink, spate, url):
    es = sink("--user", "me", "--password", "pa@ss")
    options = "" if "@127" in url else "user => me password => 'pa@ss'".replace("=> me", "=> 'me'")
    engine = spate("""input { tcp { port => @P1@ } } output { elasticsearch { hosts => ["%s"] index => "t"
      manage_template => false %s } }""" % (url, options), ports=1, tcp=["P1"], names={"ES": es.es})
    harness.send_tcp(engine.port(), harness.numbered(5))
    es.wait_docs(5)
    assert "pa@ss" not in engine.log() and "pa%40ss" not in engine.log()


def test_one_of_two_hosts_is_down_and_comes_back(sink, spate):
    """The other host takes everything meanwhile; afterwards both get requests."""
    first, second = sink("--down"), sink()
    engine = spate("""input { tcp { port => @P1@ } } output { elasticsearch { index => "t" manage_template => false
      hosts => ["127.0.0.1:@A@", "127.0.0.1:@B@"] resurrect_delay => 1 retry_initial_interval => 1 } }""", ports=1,
                   tcp=["P1"], names={"A": first.es, "B": second.es})
    harness.send_tcp(engine.port(), harness.numbered(100))
    second.wait_docs(100)
    first.toggle()
    sent = 100
    until = time.monotonic() + 20
    while first.stats()["documents"] == 0 and time.monotonic() < until:
        harness.send_tcp(engine.port(), harness.numbered(10, sent))
        sent += 10
        time.sleep(0.1)
    assert first.stats()["documents"] > 0
    harness.wait_for(lambda: first.stats()["documents"] + second.stats()["documents"] == sent, 20, "all of them")


def test_sniffing(secure, spate, pki):
    """Documents go to the servers that the cluster lists, and follow the list; an unusable list changes nothing."""
    first, second, third = secure(), secure(), secure()

    def node(server, roles=("data",)):
        return {"roles": list(roles), "http": {"publish_address": "127.0.0.1:%d" % server.port}}

    first.nodes = {"a": node(second), "m": node(third, ["master"])}
    second.nodes = {}
    engine = spate(config("sniffing => true sniffing_delay => 1 ssl_certificate_authorities => ['@PKI@/ca.pem']"),
                   ports=1, tcp=["P1"], names={"ES": first.port, "PKI": pki})
    harness.wait_for(lambda: "not in the cluster's list" in engine.log(), 20, lambda: engine.log()[-2000:])
    harness.send_tcp(engine.port(), harness.numbered(10))
    harness.wait_for(lambda: len(second.docs) == 10, 20, lambda: engine.log()[-2000:])
    harness.wait_for(lambda: "cannot be read (no servers in it, status 200)" in engine.log(), 20, "the complaint")
    second.nodes = {"c": node(third), "x": {"roles": ["ingest"]}}
    harness.wait_for(lambda: engine.log().count("not in the cluster's list") == 2, 20, "the second change")
    harness.send_tcp(engine.port(), harness.numbered(10))
    harness.wait_for(lambda: len(third.docs) == 10, 20, lambda: engine.log()[-2000:])
    assert len(second.docs) == 10 and not first.docs


def test_a_lifecycle_policy_that_is_missing_is_waited_for(sink, spate):
    """Nothing is indexed under an alias that would never roll over, and nobody else's policy is made."""
    es = sink()
    engine = spate("""input { tcp { port => @P1@ } } output { elasticsearch { hosts => ["http://127.0.0.1:@ES@"]
      manage_template => false ilm_enabled => true ilm_policy => "ours" resurrect_delay => 1 } }""", ports=1,
                   tcp=["P1"], names={"ES": es.es})
    harness.send_tcp(engine.port(), harness.numbered(5))
    asked = {"method": "GET", "path": "/_ilm/policy/ours"}
    harness.wait_for(lambda: sum(asked.items() <= one.items() for one in es.requests()) > 1, 20, "a second try")
    assert es.docs() == [] and not any(one["method"] == "PUT" and "policy" in one["path"] for one in es.requests())
    es.script("path GET /_ilm/policy/ours 200")
    assert len(es.wait_docs(5)) == 5


def test_server_down_at_the_end_does_not_hang(sink, spate):
    """SIGTERM while nothing can be delivered: the process ends at shutdown.timeout."""
    es = sink("--down")
    engine = spate("""input { tcp { port => @P1@ } } output { elasticsearch { hosts => ["127.0.0.1:@ES@"] } }""",
                   ports=1, tcp=["P1"], names={"ES": es.es}, settings={"shutdown.timeout": "2s"})
    harness.send_tcp(engine.port(), harness.numbered(100))
    time.sleep(0.5)
    begin = time.monotonic()
    engine.process.terminate()
    engine.process.wait(15)
    assert time.monotonic() - begin < 10
    engine.check_log()
