"""Against a real Kafka broker."""
import json

import harness


def test_output_writes_to_a_topic(spate, kafka):
    """The kafka output with the json codec."""
    engine = spate("""input { tcp { port => @P1@ } }
      output { kafka { bootstrap_servers => "127.0.0.1:@KAFKA@" topic_id => "out1" codec => json acks => "all" } }""",
                   ports=1, tcp=["P1"], names={"KAFKA": kafka["port"]})
    harness.send_tcp(engine.port(), harness.numbered(200))
    got = harness.recipe("kafka", "consume", kafka["dir"], "out1", 200)["text"].splitlines()
    assert len(got) == 200 and all('"message":"line seq=' in line for line in got)


def test_topic_and_key_of_each_event(spate, kafka):
    """Topic and key by sprintf, compressed; every event arrives once where it belongs."""
    engine = spate("""input { tcp { port => @P1@ codec => json } }
      output { kafka { bootstrap_servers => "127.0.0.1:@KAFKA@" topic_id => "by-%{kind}" message_key => "%{n}"
        codec => json compression_type => "lz4" acks => "1" } }""", ports=1, tcp=["P1"],
                   names={"KAFKA": kafka["port"]})
    lines = [json.dumps({"kind": "ab"[n % 2], "n": n}) for n in range(100)]
    harness.send_tcp(engine.port(), "".join(line + "\n" for line in lines).encode())
    for kind, rest in (("a", 0), ("b", 1)):
        got = harness.recipe("kafka", "consume", kafka["dir"], "by-" + kind, 50)["text"].splitlines()
        assert sorted(json.loads(line)["n"] for line in got if line.startswith("{")) == list(range(rest, 100, 2))


def test_one_broker_of_the_list_is_down(spate, kafka):
    """The client goes on to the next broker of the list; nothing is lost meanwhile."""
    down = harness.free_ports(1)[0]
    engine = spate("""input { tcp { port => @P1@ } }
      output { kafka { bootstrap_servers => "127.0.0.1:@DOWN@,127.0.0.1:@KAFKA@" topic_id => "down1" codec => json } }""",
                   ports=1, tcp=["P1"], names={"KAFKA": kafka["port"], "DOWN": down})
    harness.send_tcp(engine.port(), harness.numbered(100))
    got = harness.recipe("kafka", "consume", kafka["dir"], "down1", 100)["text"].splitlines()
    assert sum('"message":"line seq=' in line for line in got) == 100


def test_events_that_do_not_fit_the_schema_are_counted(spate, kafka, tmp_path):
    """No empty message stands for an event that the avro codec cannot encode: it is dropped, and counted."""
    schema = tmp_path / "n.avsc"
    schema.write_text('{"type":"record","name":"r","fields":[{"name":"n","type":"long"}]}')
    engine = spate("""input { tcp { port => @P1@ codec => json } }
      output { kafka { bootstrap_servers => "127.0.0.1:@KAFKA@" topic_id => "avro1"
        codec => avro { schema_uri => "@SCHEMA@" } } }""", ports=1, tcp=["P1"],
                   names={"KAFKA": kafka["port"], "SCHEMA": schema})
    harness.send_tcp(engine.port(), b'{"n":1}\n{"n":"x"}\n{"n":2}\n{"m":3}\n')
    got = harness.recipe("kafka", "consume", kafka["dir"], "avro1", 2)["text"].split()
    assert [line for line in got if line in ("Ag==", "BA==")] == ["Ag==", "BA=="]

    def messages():
        return engine.api("/_node/stats/pipelines/main")["pipelines"]["main"]["plugins"]["outputs"][0]["messages"]
    harness.wait_for(lambda: (messages()["dropped"], messages()["delivered"]) == (2, 2), what="two dropped")


def test_sasl_scram(spate, kafka):
    """SASL_PLAINTEXT with SCRAM-SHA-512 and a JAAS line, as Logstash configurations have it."""
    engine = spate("""input { tcp { port => @P1@ } }
      output { kafka { bootstrap_servers => "127.0.0.1:@SASL@" topic_id => "sasl1" codec => json
        security_protocol => "SASL_PLAINTEXT" sasl_mechanism => "SCRAM-SHA-512"
        sasl_jaas_config => 'org.apache.kafka.common.security.scram.ScramLoginModule required username="@USER@" password="@PASSWORD@";'
      } }""", ports=1, tcp=["P1"], names={"SASL": kafka["sasl_port"], "USER": kafka["user"],
                                        "PASSWORD": kafka["password"]})
    harness.send_tcp(engine.port(), harness.numbered(10))
    got = harness.recipe("kafka", "consume", kafka["dir"], "sasl1", 10)["text"].splitlines()
    assert sum('"message":"line seq=' in line for line in got) == 10
