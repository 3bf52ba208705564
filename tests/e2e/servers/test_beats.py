"""Real Beats clients against the beats input."""
import os
import tempfile

import pytest

import harness

ES = """output { elasticsearch { hosts => ["http://127.0.0.1:@ES@"] manage_template => false ilm_enabled => false
  index => "e2e" compression_level => 0 } }"""


@pytest.fixture
def filebeat(beats_client):
    beats_client("filebeat")
    running = []

    def start(port, **env):
        path = tempfile.mkdtemp(prefix="spate-filebeat-")
        os.makedirs(os.path.join(path, "in"))
        running.append(path)
        harness.recipe("beats", "start", "filebeat", path, port, env=env)
        return os.path.join(path, "in", "app.log")

    yield start
    for path in running:
        harness.recipe("beats", "stop", path)


def test_filebeat_ships_a_file(spate, sink, filebeat):
    """20,000 lines of a real Filebeat, each once, with the metadata that index names are made of."""
    es = sink("--loss")
    engine = spate("input { beats { port => @P1@ } }" + ES.replace('"e2e"', '"%{[@metadata][beat]}-%{[@metadata][version]}"'),
                   ports=1, tcp=["P1"], names={"ES": es.es})
    path = filebeat(engine.port())
    with open(path, "wb") as log:
        log.write(harness.numbered(20000))
    harness.wait_for(lambda: es.stats()["unique"] == 20000, 60, lambda: str(es.stats()))
    assert es.stats()["duplicates"] == 0
    item = es.items()[0]
    assert next(iter(item["action"].values()))["_index"].startswith("filebeat-7.")
    assert item["doc"]["fields"] == {"app": "shop"} and "from-filebeat" in item["doc"]["tags"]


def test_filebeat_over_mutual_tls(spate, sink, filebeat, pki):
    """TLS both ways with verification."""
    es = sink("--loss")
    engine = spate("""input { beats { port => @P1@ ssl_enabled => true ssl_certificate => "@PKI@/server.crt"
      ssl_key => "@PKI@/server.key" ssl_certificate_authorities => ["@PKI@/ca.crt"]
      ssl_client_authentication => "required" } }""" + ES, ports=1, tcp=["P1"], names={"ES": es.es, "PKI": pki})
    path = filebeat(engine.port(), TLS="1", PKI=pki)
    with open(path, "wb") as log:
        log.write(harness.numbered(1000))
    harness.wait_for(lambda: es.stats()["unique"] == 1000, 60, lambda: str(es.stats()))


def test_filebeat_loses_nothing_over_a_restart(spate, sink, filebeat):
    """The engine is killed in mid-stream: unacknowledged windows come again."""
    es = sink("--loss", capture=False)
    engine = spate("input { beats { port => @P1@ } }" + ES, ports=1, tcp=["P1"], names={"ES": es.es})
    path = filebeat(engine.port())
    with open(path, "wb") as log:
        log.write(harness.numbered(100000))
    harness.wait_for(lambda: es.stats()["unique"] > 1000, 60, lambda: str(es.stats()))
    engine.kill()
    engine.start()
    harness.wait_for(lambda: es.stats()["unique"] == 100000, 120, lambda: str(es.stats()))


def test_go_lumber_flood(spate, sink, beats_client):
    """Everything that was acknowledged to the reference client is delivered."""
    beats_client("lumber")
    es = sink(capture=False)
    engine = spate("input { beats { port => @P1@ } }" + ES, ports=1, tcp=["P1"], names={"ES": es.es})
    acked = int(harness.recipe("beats", "send", "lumber", engine.port(), 3)["acked"])
    assert acked > 0
    harness.wait_for(lambda: es.stats()["documents"] >= acked, 30, lambda: str(es.stats()))


def test_pylogbeat(spate, sink, beats_client, pki):
    """The Python client, whose sequence numbers go on over windows."""
    beats_client("pylogbeat")
    es = sink()
    engine = spate("input { beats { port => @P1@ } }" + ES, ports=1, tcp=["P1"], names={"ES": es.es})
    assert harness.recipe("beats", "send", "pylogbeat", engine.port(), 1000)["sent"] == "1000"
    docs = es.wait_docs(1000)
    assert sorted(doc["sequence"] for doc in docs) == list(range(1000))
