"""The main job: lines come in on a socket and documents arrive in Elasticsearch."""
import json
import subprocess

import harness

ES = """output { elasticsearch { hosts => ["http://127.0.0.1:@ES@"] manage_template => false
  ilm_enabled => false index => "e2e" compression_level => 0 } }"""


def test_tcp_lines_arrive_in_order_with_their_index(spate, sink):
    """The smallest pipeline people run: tcp to elasticsearch; order per connection is kept."""
    es = sink()
    engine = spate("input { tcp { port => @P1@ } }" + ES, ports=1, tcp=["P1"], names={"ES": es.es})
    harness.send_tcp(engine.port(), harness.numbered(1000))
    docs = es.wait_docs(1000)
    assert [doc["message"] for doc in docs] == ["line seq=%012d" % i for i in range(1000)]
    assert all(doc["@version"] == "1" and doc["@timestamp"].endswith("Z") for doc in docs)
    assert all(next(iter(item["action"].values()))["_index"] == "e2e" for item in es.items())
    events = engine.events()
    assert events["in"] == events["out"] == 1000


def test_gzip_is_the_default_of_bulk_requests(spate, sink):
    """Logstash compresses at level 1 unless told not to; the documents must be the same."""
    es = sink()
    engine = spate("input { tcp { port => @P1@ } }" + ES.replace("compression_level => 0", ""), ports=1,
                   tcp=["P1"], names={"ES": es.es})
    harness.send_tcp(engine.port(), harness.numbered(100))
    assert harness.markers(es.wait_docs(100)) == list(range(100))
    bulk = [one for one in es.requests() if one["path"].endswith("/_bulk")]
    assert {name.lower(): value for name, value in bulk[0]["headers"].items()}["content-encoding"] == "gzip"


def test_syslog_over_tcp_and_udp(spate, sink):
    """One syslog input serves both transports on one port and parses RFC 3164."""
    es = sink()
    engine = spate("input { syslog { port => @P1@ } }" + ES, ports=1, tcp=["P1"], udp=["P1"], names={"ES": es.es})
    line = b"<34>Oct 11 22:14:15 mymachine su[77]: 'su root' failed on /dev/pts/8"
    harness.send_tcp(engine.port(), line + b"\n")
    harness.send_udp(engine.port(), line)
    for doc in es.wait_docs(2):
        assert doc["log"]["syslog"]["priority"] == 34
        assert doc["log"]["syslog"]["facility"]["code"] == 4
        assert doc["process"]["name"] == "su"
        assert doc["process"]["pid"] == 77
        assert doc["message"].strip() == "'su root' failed on /dev/pts/8"


def test_rfc5424_lines_are_understood(spate, sink):
    """The syslog input reads RFC 5424 as well."""
    es = sink()
    engine = spate("input { syslog { port => @P1@ } }" + ES, ports=1, tcp=["P1"], names={"ES": es.es})
    harness.send_tcp(engine.port(), b"<165>1 2003-10-11T22:14:15.003Z host.example app 12 ID47 - hello 5424\n")
    doc = es.wait_docs(1)[0]
    assert doc["log"]["syslog"]["priority"] == 165
    assert "hello 5424" in doc["message"]


def test_json_lines_keep_types(spate, sink):
    """NDJSON goes through with its types; @timestamp of the line is taken over."""
    es = sink()
    engine = spate("input { tcp { port => @P1@ codec => json } }" + ES, ports=1, tcp=["P1"], names={"ES": es.es})
    sent = {"@timestamp": "2026-01-02T03:04:05.678Z", "i": 7, "f": 1.5, "t": True, "n": None,
            "s": "Zo\u00eb \"q\" \\ \n", "o": {"a": [1, "x"]}}
    harness.send_tcp(engine.port(), json.dumps(sent).encode() + b"\n")
    doc = es.wait_docs(1)[0]
    assert doc["@timestamp"].startswith("2026-01-02T03:04:05.678")
    assert {key: doc.get(key) for key in sent if key != "@timestamp"} == \
        {key: value for key, value in sent.items() if key != "@timestamp"}


def test_grok_date_and_conditionals(spate, sink):
    """An access log with grok, date, a branch and a removed field: what most configurations do."""
    es = sink()
    engine = spate("""input { tcp { port => @P1@ } }
      filter {
        grok { match => { "message" => "%{COMBINEDAPACHELOG}" } ecs_compatibility => disabled }
        date { match => ["timestamp", "dd/MMM/yyyy:HH:mm:ss Z"] remove_field => ["timestamp"] }
        if [response] =~ /^5/ { mutate { add_tag => ["error"] } }
      }""" + ES, ports=1, tcp=["P1"], names={"ES": es.es})
    line = '1.2.3.4 - - [02/Jan/2026:03:04:05 +0100] "GET /a HTTP/1.1" %d 12 "-" "curl/8"\n'
    harness.send_tcp(engine.port(), (line % 200 + line % 503 + "nonsense\n").encode())
    good, bad, nonsense = es.wait_docs(3)
    assert good["clientip"] == "1.2.3.4" and good["@timestamp"].startswith("2026-01-02T02:04:05")
    assert "timestamp" not in good and "tags" not in good
    assert bad["tags"] == ["error"]
    assert nonsense["tags"] == ["_grokparsefailure"]


def test_tls_input_and_mutual_tls(spate, sink, pki):
    """TLS with a required client certificate: the right one is served, none and a stranger's are not."""
    es = sink()
    engine = spate("""input { tcp { port => @P1@ ssl_enabled => true ssl_certificate => "@PKI@/server.crt"
      ssl_key => "@PKI@/server.key" ssl_certificate_authorities => ["@PKI@/ca.crt"]
      ssl_client_authentication => "required" } }""" + ES, ports=1, tcp=["P1"], names={"ES": es.es, "PKI": pki})
    harness.send_tcp(engine.port(), b"over tls seq=000000000001\n", tls=harness.tls_context(pki))
    assert es.wait_docs(1)[0]["message"].startswith("over tls")
    # TLS 1.3 tells the client of a refusal only when it reads; plain text is refused as well.
    for context in (harness.tls_context(pki, client=False), None):
        try:
            sock = harness.tcp_connect(engine.port(), 5, context)
            sock.sendall(b"refused seq=000000000002\n")
            assert sock.recv(100) in (b"",) or context is None
            sock.close()
        except OSError:
            pass
    harness.send_tcp(engine.port(), b"again seq=000000000003\n", tls=harness.tls_context(pki))
    assert harness.markers(es.wait_docs(2)) == [1, 3]


def test_monitoring_api_shape(spate, sink):
    """What Metricbeat and people's scripts read."""
    es = sink()
    engine = spate("input { tcp { port => @P1@ } }" + ES, ports=1, tcp=["P1"], names={"ES": es.es})
    harness.send_tcp(engine.port(), harness.numbered(10))
    es.wait_docs(10)
    root = engine.api("/")
    assert {"host", "version", "http_address", "id", "name", "status", "pipeline"} <= set(root)
    stats = engine.api("/_node/stats")
    assert {"jvm", "process", "events", "pipelines", "reloads"} <= set(stats)
    plugins = stats["pipelines"]["main"]["plugins"]
    assert plugins["outputs"][0]["name"] == "elasticsearch"
    harness.wait_for(lambda: engine.api("/_node/stats/pipelines/main")["pipelines"]["main"]["plugins"]["outputs"][0]
                     ["documents"]["successes"] == 10, 5, "10 successes")


def test_config_test_mode():
    """-t says whether a configuration is good and exits 0 or 1; nothing is started."""
    good = subprocess.run([harness.spate_bin(), "-t", "-e", "input { stdin {} } output { stdout {} }"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    assert good.returncode == 0 and "Configuration OK" in good.stdout
    bad = subprocess.run([harness.spate_bin(), "-t", "-e", "input { stdin {} } output { nosuch {} }"],
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
    assert bad.returncode == 1 and "nosuch" in bad.stdout


def test_port_in_use_is_said_clearly(spate, sink):
    """A port that somebody else has: the message names the port, and the process does not stay as a husk."""
    es = sink(tcp=0)
    engine = spate("input { tcp { port => @TAKEN@ } }" + ES, wait=False, names={"ES": es.es, "TAKEN": es.tcp})
    engine.spawn()
    code = engine.wait(30)
    log = engine.log()
    assert code == 1
    assert str(es.tcp) in log and "in use" in log.lower()
    engine.process = None


def test_broken_config_names_file_line_and_column(spate):
    """A syntax error is reported where it is, exit code 1."""
    engine = spate("input { tcp { port => 1 }\n} filter { grok { match = 3 } }", wait=False).spawn()
    assert engine.wait(30) == 1
    assert "line 2" in engine.log() or ":2:" in engine.log()
    engine.process = None
