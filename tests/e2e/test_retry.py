"""Elasticsearch and the proxies before it fail in every way; every accepted line arrives or is counted."""
import os
import time

import pytest

import harness

CONFIG = """input { tcp { port => @P1@ } }
output { elasticsearch { hosts => ["http://127.0.0.1:@ES@"] manage_template => false ilm_enabled => false
  index => "e2e" compression_level => 0 retry_initial_interval => 1 retry_max_interval => 2
  resurrect_delay => 1 timeout => 5 } }"""
N = 5000


def run(spate, sink, script=None, args=(), n=N, seconds=60):
    es = sink("--loss", *args, script=script)
    engine = spate(CONFIG, ports=1, tcp=["P1"], names={"ES": es.es})
    harness.send_tcp(engine.port(), harness.numbered(n))
    harness.wait_for(lambda: es.stats()["unique"] >= n, seconds, lambda: "all %d: %s" % (n, es.stats()))
    return engine, es


def documents(engine):
    return engine.api("/_node/stats/pipelines/main")["pipelines"]["main"]["plugins"]["outputs"][0]["documents"]


@pytest.mark.parametrize("fault", [
    "status 429", "status 429 retry-after 1", "status 503", "status 500", "status 502 html", "status 504 empty",
    "status 413 empty", "status 401", "status 403", "close", "reset", "reset-early", "status 200 html"])
def test_whole_request_fails_once(sink, spate, fault):
    """A failed request is sent again whole: nothing lost, and nothing twice since nothing was taken."""
    engine, es = run(spate, sink, "1 %s\n3 %s\n" % (fault, fault))
    stats = es.stats()
    assert stats["unique"] == N and stats["duplicates"] == 0 and stats["unmarked"] == 0


def test_answer_cut_in_the_middle(sink, spate):
    """The cluster took the documents and the answer is lost: at least once, so they may come twice."""
    engine, es = run(spate, sink, "1 cut 60\n2 cut 0\n")
    assert es.stats()["unique"] == N


def test_items_rejected_with_429_are_sent_again_alone(sink, spate):
    """Partial failure: only the refused items are repeated, so nothing arrives twice."""
    engine, es = run(spate, sink, "* items 429 every 3 times 1000")
    stats = es.stats()
    assert stats["unique"] == N and stats["duplicates"] == 0
    assert stats["documents_failed"] == 1000


@pytest.mark.parametrize("status", [500, 503, 403])
def test_items_with_server_errors_are_sent_again(sink, spate, status):
    """Everything but 400, 404 and 409 is repeated until it goes through."""
    engine, es = run(spate, sink, "* items %d match seq=000000000017 times 3" % status)
    assert es.stats()["documents_failed"] == 3


@pytest.mark.parametrize("status", [400, 404, 409])
def test_items_that_can_never_succeed_are_dropped_and_counted(sink, spate, status):
    """A mapping conflict does not hold up the rest, and the API tells how many were given up."""
    es = sink("--loss", script="* items %d match seq=000000000017" % status)
    engine = spate(CONFIG, ports=1, tcp=["P1"], names={"ES": es.es})
    harness.send_tcp(engine.port(), harness.numbered(N))
    harness.wait_for(lambda: es.stats()["unique"] >= N - 1, 60, lambda: str(es.stats()))
    time.sleep(2)
    stats = es.stats()
    assert stats["unique"] == N - 1 and stats["documents_failed"] == 1
    counted = documents(engine)
    assert counted["successes"] == N - 1
    if status != 409:
        assert counted["non_retryable_failures"] == 1


def test_slow_answers(sink, spate):
    """Answers that take their time do not lose or repeat anything."""
    engine, es = run(spate, sink, "* delay 300")
    assert es.stats()["duplicates"] == 0


def test_answer_slower_than_the_timeout(sink, spate):
    """After the timeout the request is sent again."""
    engine, es = run(spate, sink, "1 delay 8000\n")
    assert es.stats()["unique"] == N


def test_down_at_start_then_up(sink, spate):
    """Spate starts before the cluster does: it listens, takes lines, and delivers when the cluster is there."""
    es = sink("--loss", "--down")
    engine = spate(CONFIG, ports=1, tcp=["P1"], names={"ES": es.es})
    sock = harness.tcp_connect(engine.port())
    sock.sendall(harness.numbered(200))
    time.sleep(2)
    es.toggle()
    harness.wait_for(lambda: es.stats()["unique"] == 200, 60, lambda: str(es.stats()))
    sock.close()


def test_down_in_the_middle_of_a_stream(sink, spate):
    """The cluster goes away under load and comes back: backpressure, then everything, at least once."""
    es = sink("--loss", capture=False)
    engine = spate(CONFIG, ports=1, tcp=["P1"], names={"ES": es.es})
    sock = harness.tcp_connect(engine.port(), 120)
    for part in range(20):
        if part == 5:
            es.toggle()
        if part == 10:
            time.sleep(3)
            es.toggle()
        sock.sendall(harness.numbered(2000, part * 2000))
    sock.close()
    harness.wait_for(lambda: es.stats()["unique"] == 40000, 90, lambda: str(es.stats()))


def test_memory_stays_bounded_while_the_cluster_is_down(sink, spate):
    """Backpressure reaches the sender; it is not the engine's memory that takes the stream."""
    es = sink("--down", capture=False)
    engine = spate(CONFIG, ports=1, tcp=["P1"], names={"ES": es.es})
    before_kb = engine.rss_kb()
    sock = harness.tcp_connect(engine.port(), 3)
    block, sent = harness.numbered(20000), 0
    until = time.monotonic() + 30
    try:
        while sent < 1 << 30 and time.monotonic() < until:
            sent += sock.send(block)
    except TimeoutError:
        pass
    assert sent < 1 << 30, "1 GB was taken with no cluster to give it to"
    assert engine.rss_kb() - before_kb < 1 << 20
    sock.close()
    engine.kill()


def test_opensearch_gets_documents_too(sink, spate):
    """OpenSearch is told apart (no index lifecycle, composable template) and served like Elasticsearch."""
    es = sink("--loss", "--opensearch", "--version", "2.19.0")
    engine = spate("""input { tcp { port => @P1@ } }
output { elasticsearch { hosts => ["http://127.0.0.1:@ES@"] data_stream => false } }""",
                   ports=1, tcp=["P1"], names={"ES": es.es})
    harness.send_tcp(engine.port(), harness.numbered(100))
    harness.wait_for(lambda: es.stats()["unique"] == 100, 30, lambda: str(es.stats()))
    assert "OpenSearch 2.19.0" in engine.log()


def test_request_that_is_too_large_is_split(sink, spate):
    """413 for a request of several documents: the same documents in smaller parts, nothing twice."""
    engine, es = run(spate, sink, "1-3 status 413\n", n=400)
    stats = es.stats()
    assert stats["unique"] == 400 and stats["duplicates"] == 0


def test_document_that_is_too_large_is_dropped_alone(sink, spate):
    """413 for one document alone, again and again: it is given up with a reason, and what follows goes on."""
    es = sink("--loss", script="1-3 status 413")
    engine = spate(CONFIG, ports=1, tcp=["P1"], names={"ES": es.es})
    harness.send_tcp(engine.port(), harness.numbered(1))
    harness.wait_for(lambda: "dropped: the server refuses" in engine.log(), 20, "the reason in the log")
    harness.send_tcp(engine.port(), harness.numbered(100, 1))
    harness.wait_for(lambda: es.stats()["unique"] == 100, 30, lambda: str(es.stats()))
