"""Against real Elasticsearch 8 and OpenSearch servers."""
import json
import ssl
import urllib.request

import harness


def ask(server, path, body=None, method=None):
    """JSON answer of the server."""
    context = ssl.create_default_context(cafile=server["ca"]) if "ca" in server else None
    request = urllib.request.Request(server["url"] + path, method=method,
                                     data=None if body is None else json.dumps(body).encode(),
                                     headers={"content-type": "application/json"})
    if "user" in server:
        import base64
        login = "%s:%s" % (server["user"], server["password"])
        request.add_header("Authorization", "Basic " + base64.b64encode(login.encode()).decode())
    with urllib.request.urlopen(request, timeout=60, context=context) as answer:
        return json.loads(answer.read())


def count(server, index):
    try:
        ask(server, "/%s/_refresh" % index, method="POST")
        return ask(server, "/%s/_count" % index)["count"]
    except urllib.error.HTTPError as error:
        # 503: the index is there, its shard is not yet.
        if error.code in (404, 503):
            return 0
        raise


def test_plain_index(spate, es8):
    """Documents with their fields are in the index that the configuration names."""
    engine = spate("""input { tcp { port => @P1@ } }
      output { elasticsearch { hosts => ["@URL@"] index => "plain-%{+yyyy}" manage_template => false
        ilm_enabled => false } }""", ports=1, tcp=["P1"], names={"URL": es8["url"]})
    harness.send_tcp(engine.port(), harness.numbered(5000))
    harness.wait_for(lambda: count(es8, "plain-*") == 5000, 60, "5000 documents")
    hits = ask(es8, "/plain-*/_search?size=1&q=message:line")["hits"]["hits"]
    assert "seq=" in hits[0]["_source"]["message"]


def test_data_stream_by_default(spate, es8):
    """Without an index option ECS mode writes to the data stream logs-generic-default with create."""
    ask(es8, "/_index_template/logs", {"index_patterns": ["logs-*-*"], "data_stream": {}, "priority": 500}, "PUT")
    engine = spate("""input { tcp { port => @P1@ } } output { elasticsearch { hosts => ["@URL@"] } }""", ports=1,
                   tcp=["P1"], names={"URL": es8["url"]})
    harness.send_tcp(engine.port(), harness.numbered(100))
    harness.wait_for(lambda: count(es8, "logs-generic-default") == 100, 60, "100 documents")
    assert ask(es8, "/_data_stream/logs-generic-default")["data_streams"]


def test_template_and_lifecycle_are_set_up(spate, es8):
    """ecs disabled and no index: template, policy, alias and first index are made, and the alias is written to."""
    engine = spate("""input { tcp { port => @P1@ } } output { elasticsearch { hosts => ["@URL@"] } }""", ports=1,
                   tcp=["P1"], names={"URL": es8["url"]}, args=["--pipeline.ecs_compatibility", "disabled"])
    harness.send_tcp(engine.port(), harness.numbered(10))
    harness.wait_for(lambda: count(es8, "logstash") == 10, 60, "10 documents behind the alias")
    assert "logstash-policy" in ask(es8, "/_ilm/policy/logstash-policy")
    assert any(name.endswith("-000001") for name in ask(es8, "/_alias/logstash"))


def test_mapping_conflict_is_dropped_and_the_rest_goes_on(spate, es8):
    """A real 400 of one item."""
    ask(es8, "/typed", {"mappings": {"properties": {"n": {"type": "long"}}}}, "PUT")
    engine = spate("""input { tcp { port => @P1@ codec => json } }
      output { elasticsearch { hosts => ["@URL@"] index => "typed" manage_template => false ilm_enabled => false } }""",
                   ports=1, tcp=["P1"], names={"URL": es8["url"]})
    harness.send_tcp(engine.port(), b'{"n":1}\n{"n":"abc"}\n{"n":2}\n')
    harness.wait_for(lambda: count(es8, "typed") == 2, 60, "2 documents")


def test_tls_and_password(spate, es8_secure):
    """https with our authority and basic authentication."""
    engine = spate("""input { tcp { port => @P1@ } }
      output { elasticsearch { hosts => ["@URL@"] user => "@USER@" password => "@PASSWORD@"
        ssl_enabled => true ssl_certificate_authorities => ["@CA@"] index => "secure"
        manage_template => false ilm_enabled => false } }""", ports=1, tcp=["P1"],
                   names={"URL": es8_secure["url"], "USER": es8_secure["user"], "PASSWORD": es8_secure["password"],
                          "CA": es8_secure["ca"]})
    harness.send_tcp(engine.port(), harness.numbered(100))
    harness.wait_for(lambda: count(es8_secure, "secure") == 100, 60, "100 documents")


def test_api_key(spate, es8_secure):
    """An API key made by the server is accepted."""
    made = ask(es8_secure, "/_security/api_key", {"name": "spate"}, "POST")
    engine = spate("""input { tcp { port => @P1@ } }
      output { elasticsearch { hosts => ["@URL@"] api_key => "@KEY@" ssl_enabled => true
        ssl_certificate_authorities => ["@CA@"] index => "keyed" manage_template => false ilm_enabled => false } }""",
                   ports=1, tcp=["P1"], names={"URL": es8_secure["url"], "CA": es8_secure["ca"],
                                               "KEY": "%s:%s" % (made["id"], made["api_key"])})
    harness.send_tcp(engine.port(), harness.numbered(10))
    harness.wait_for(lambda: count(es8_secure, "keyed") == 10, 60, "10 documents")


def test_wrong_password_is_said(spate, es8_secure):
    """401 from a real server is named in the log, and nothing is thrown away meanwhile."""
    engine = spate("""input { tcp { port => @P1@ } }
      output { elasticsearch { hosts => ["@URL@"] user => "elastic" password => "wrong" ssl_enabled => true
        ssl_certificate_authorities => ["@CA@"] index => "never" } }""", ports=1, wait=False,
                   names={"URL": es8_secure["url"], "CA": es8_secure["ca"]}).spawn()
    harness.wait_for(lambda: "401" in engine.log(), 30, lambda: engine.log()[-2000:])
    engine.kill()


def test_opensearch(spate, opensearch):
    """A real OpenSearch is told apart by its answer and written to."""
    engine = spate("""input { tcp { port => @P1@ } }
      output { elasticsearch { hosts => ["@URL@"] index => "os" } }""", ports=1, tcp=["P1"],
                   names={"URL": opensearch["url"]})
    harness.send_tcp(engine.port(), harness.numbered(1000))
    harness.wait_for(lambda: count(opensearch, "os") == 1000, 60, "1000 documents")
