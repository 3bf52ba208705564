"""The avro codec's schema from a server: over TLS with each option, with a password, through a proxy."""
import ssl
import subprocess

import pytest

import harness
from test_elasticsearch import pki  # noqa: F401
from test_http_filter import Server

SCHEMA = b'{"type":"record","name":"r","fields":[{"name":"a","type":"int"}]}'


def check(url, options):
    """What is said about a configuration with such a codec: its errors, or nothing."""
    config = 'input { stdin { codec => avro { schema_uri => "%s" %s } } } output { stdout { } }' % (url, options)
    done = subprocess.run([harness.spate_bin(), "-t", "-e", config], capture_output=True, text=True,
                          timeout=30 * harness.PATIENCE)
    assert (done.returncode == 0) == ("Configuration OK" in done.stdout + done.stderr), done
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.fixture
def secure(pki):  # noqa: F811
    """A function that starts a server with the test's certificate; `client`: it wants one of its client."""
    servers = []

    def make(client=False, version=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pki / "server.pem", pki / "server.key")
        if client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(pki / "ca.pem")
        if version:
            context.maximum_version = context.minimum_version = version
        servers.append(Server(lambda r: (200, [], SCHEMA), tls=context))
        return servers[-1].url + "/schema"

    yield make
    for server in servers:
        server.close()


def test_authorities_and_verification(secure, pki):  # noqa: F811
    url = secure()
    own = 'ssl_certificate_authorities => ["%s/ca.pem"] ' % pki
    assert "certificate" in check(url, "")
    assert not check(url, own)
    assert not check(url, own + "ssl_enabled => true ssl_verification_mode => full")
    assert not check(url, "ssl_verification_mode => none")
    assert "/nonexistent" in check(url, 'ssl_certificate_authorities => ["/nonexistent"]')


def test_own_certificate(secure, pki):  # noqa: F811
    url = secure(client=True)
    own = 'ssl_certificate_authorities => ["%s/ca.pem"] ' % pki
    assert check(url, own)
    assert not check(url, own + 'ssl_certificate => "%s/client.pem" ssl_key => "%s/client.key"' % (pki, pki))
    store = own + 'ssl_keystore_path => "%s/client.p12" ssl_keystore_password => "%s" ssl_keystore_type => PKCS12'
    assert not check(url, store % (pki, "kpass"))
    assert check(url, store % (pki, "wrong"))


def test_ciphers_and_protocols(secure):
    url = secure(version=ssl.TLSVersion.TLSv1_2)
    none = "ssl_verification_mode => none "
    assert not check(url, none + 'ssl_supported_protocols => ["TLSv1.2"]')
    assert check(url, none + 'ssl_supported_protocols => ["TLSv1.3"]')
    assert not check(url, none + 'ssl_cipher_suites => ["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"]')
    assert check(url, none + 'ssl_cipher_suites => ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"]')
    assert "MOON" in check(url, none + 'ssl_cipher_suites => ["MOON"]')


def test_password_and_proxy():
    server = Server(lambda r: (200 if r.headers.get("authorization") == "Basic am9lOnB3" else 401, [], SCHEMA))
    own = 'username => "joe" password => "pw" '
    assert not check(server.url + "/s", own)
    assert "401" in check(server.url + "/s", 'username => "joe" password => "no"')
    assert not check("http://far.invalid/s", own + 'proxy => "%s"' % server.url)
    assert server.got[-1].path == "http://far.invalid/s"
    server.close()
