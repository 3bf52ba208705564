"""Against a real Kafka broker."""
import harness

ES = """output { elasticsearch { hosts => ["http://127.0.0.1:@ES@"] manage_template => false ilm_enabled => false
  index => "e2e" compression_level => 0 } }"""


def produce(kafka, topic, first, n):
    harness.recipe("kafka", "produce", kafka["dir"], topic, stdin=harness.numbered(n, first))


def test_input_reads_a_topic_from_the_beginning(spate, sink, kafka):
    """Messages that were there before the start arrive once each."""
    produce(kafka, "in1", 0, 500)
    es = sink("--loss")
    spate("""input { kafka { bootstrap_servers => "127.0.0.1:@KAFKA@" topics => ["in1"] group_id => "g1"
      auto_offset_reset => "earliest" } }""" + ES, names={"ES": es.es, "KAFKA": kafka["port"]})
    harness.wait_for(lambda: es.stats()["unique"] == 500, 60, lambda: str(es.stats()))
    assert es.stats()["duplicates"] == 0


def test_offsets_are_committed_after_delivery(spate, sink, kafka):
    """Killed with the cluster down, the engine reads the messages again; delivered ones are not read twice."""
    es = sink("--loss")
    config = """input { kafka { bootstrap_servers => "127.0.0.1:@KAFKA@" topics => ["in2"] group_id => "g2"
      auto_offset_reset => "earliest" } }""" + ES
    names = {"ES": es.es, "KAFKA": kafka["port"]}
    produce(kafka, "in2", 0, 100)
    engine = spate(config, names=names)
    harness.wait_for(lambda: es.stats()["unique"] == 100, 60, lambda: str(es.stats()))
    engine.stop(30)
    es.toggle()
    produce(kafka, "in2", 100, 100)
    engine.start()
    harness.wait_for(lambda: engine.events()["in"] >= 100, 60, "the second hundred to be read")
    engine.kill()
    es.toggle()
    engine.start()
    harness.wait_for(lambda: es.stats()["unique"] == 200, 60, lambda: str(es.stats()))
    assert es.stats()["duplicates"] == 0


def test_output_writes_to_a_topic(spate, kafka):
    """The kafka output with the json codec."""
    engine = spate("""input { tcp { port => @P1@ } }
      output { kafka { bootstrap_servers => "127.0.0.1:@KAFKA@" topic_id => "out1" codec => json acks => "all" } }""",
                   ports=1, tcp=["P1"], names={"KAFKA": kafka["port"]})
    harness.send_tcp(engine.port(), harness.numbered(200))
    got = harness.recipe("kafka", "consume", kafka["dir"], "out1", 200)["text"].splitlines()
    assert len(got) == 200 and all('"message":"line seq=' in line for line in got)


def test_sasl_scram(spate, sink, kafka):
    """SASL_PLAINTEXT with SCRAM-SHA-512 and a JAAS line, as Logstash configurations have it."""
    produce(kafka, "in3", 0, 10)
    es = sink("--loss")
    spate("""input { kafka { bootstrap_servers => "127.0.0.1:@KAFKA@" topics => ["in3"] group_id => "g3"
      auto_offset_reset => "earliest" security_protocol => "SASL_PLAINTEXT" sasl_mechanism => "SCRAM-SHA-512"
      sasl_jaas_config => 'org.apache.kafka.common.security.scram.ScramLoginModule required username="@USER@" password="@PASSWORD@";'
      } }""" + ES, names={"ES": es.es, "KAFKA": kafka["sasl_port"], "USER": kafka["user"], "PASSWORD": kafka["password"]})
    harness.wait_for(lambda: es.stats()["unique"] == 10, 60, lambda: str(es.stats()))
