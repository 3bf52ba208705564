"""conf/examples do what they say: their filters, fed from stdin, on lines such as the real ones."""
import json
import os
import re
import subprocess
import tempfile

import harness


def run(name, lines, codec="line", keep=None, **decorate):
    """The events that the filter section of an example makes of some lines."""
    with open(os.path.join(harness.ROOT, "conf/examples", name)) as config:
        text = config.read()
    match = re.search(r"^filter \{.*?^\}$", text, re.M | re.S)
    fields = " ".join("'%s' => '%s'" % pair for pair in decorate.items())
    # Metadata reaches no output: a copy of it does.
    copy = "filter { mutate { copy => { '%s' => 'kept' } } }" % keep if keep else ""
    if not codec.startswith("multiline"):
        codec += " {}"
    config = ("input { stdin { codec => %s add_field => { %s } } }\n%s\n%s output { stdout { codec => json_lines } }"
              % (codec, fields, match.group(0), copy))
    with tempfile.TemporaryDirectory(prefix="spate-e2e-") as data:
        done = subprocess.run([harness.spate_bin(), "--log.level", "error", "--api.enabled", "false", "--path.data", data,
                               "--pipeline.workers", "1", "-e", config],
                              input="".join(line + "\n" for line in lines).encode(),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60 * harness.PATIENCE,
                              env=dict(os.environ, TZ="UTC"))
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith(b"{")]


def test_nginx_access():
    line = ('192.0.2.7 - bob [05/Mar/2024:06:07:08 +0100] "GET %s HTTP/1.1" %d 612 "https://example.org/" "Mozilla/5.0"')
    good, bad, odd = run("nginx-access.conf", [line % ("/a?b=1", 200), line % ("/healthz", 200), line % ("/x", 502),
                                               "not a request"])
    assert good["@timestamp"] == "2024-03-05T05:07:08.000Z" and good["url"]["original"] == "/a?b=1"
    assert good["http"]["response"]["status_code"] == 200 and "message" not in good and "tags" not in good
    assert bad["tags"] == ["server_error"] and odd["tags"] == ["_grokparsefailure"]


def test_syslog_relay():
    lines = [
        {"message": "Failed password for invalid user eve from 192.0.2.9 port 4242 ssh2", "process": {"name": "sshd"}},
        {"message": "Connection closed", "process": {"name": "sshd"}},
        {"message": "to=<a@example.org>", "process": {"name": "postfix/smtp"}},
        {"message": "noise", "log": {"syslog": {"severity": {"code": 7}}}}, {"message": "hello"}]
    failed, closed, mail, other = run("syslog-relay.conf", [json.dumps(line) for line in lines], "json_lines",
                                      keep="[@metadata][kind]")
    assert failed["event"]["outcome"] == "Failed" and failed["user"]["name"] == "eve"
    assert failed["source"] == {"ip": "192.0.2.9", "port": 4242}
    assert [event["kept"] for event in (failed, closed, mail, other)] == ["auth", "auth", "mail", "system"]
    assert "tags" not in closed


def test_json_tcp():
    good, nested, text = run("json-tcp.conf", [
        '{"time":"2024-03-05T06:07:08.5Z","app":"shop","level":"WARN","password":"x","headers":{"authorization":"y"}}',
        '{"time":1709618828500,"payload":" {\\"a\\":1}"}', "plain text"], "json_lines")
    assert good["@timestamp"] == nested["@timestamp"] == "2024-03-05T06:07:08.500Z"
    assert good["service"]["name"] == "shop" and good["log"]["level"] == "warn"
    assert "password" not in good and "authorization" not in good["headers"]
    assert nested["payload_fields"] == {"a": 1} and "payload" not in nested
    assert text["message"] == "plain text" and text["service"]["name"] == "unknown"


def test_java_stack_traces():
    lines = ["2024-03-05 06:07:08,123 ERROR [main] com.example.Shop - it broke", "java.lang.IllegalStateException: no stock",
             "    at com.example.Shop.sell(Shop.java:42)", "2024-03-05 06:07:09,000 INFO  [pool-1] com.example.Shop - fine"]
    broken, fine = run("java-stack-traces.conf", lines,
                       'multiline { pattern => "^%{TIMESTAMP_ISO8601} " negate => true what => "previous" }')
    assert broken["error"] == {"type": "java.lang.IllegalStateException", "message": "no stock"}
    assert broken["log"] == {"level": "ERROR", "logger": "com.example.Shop"}
    assert broken["@timestamp"] == "2024-03-05T05:07:08.123Z" and broken["tags"] == []
    assert broken["event"]["original"] == "\n".join(lines[:3])
    assert fine["text"] == "fine" and fine["process"]["thread"]["name"] == "pool-1"


def test_firewall_kafka():
    event, = run("firewall-kafka.conf", ['<190>date=2024-03-05 time=06:07:08 devname="fw1" srcip=192.0.2.1 srcport=1 '
                                         'action=accept sentbyte=99 other=gone msg="a b"'])
    assert event["fw"] == {"devname": "fw1", "srcip": "192.0.2.1", "srcport": 1, "action": "allow", "sentbyte": 99,
                           "msg": "a b"}
    assert event["@timestamp"] == "2024-03-05T06:07:08.000Z" and "message" not in event and "tags" not in event
    assert event["log"]["syslog"]["facility"]["name"] == "local7"


def test_archive_copy():
    event, copy = run("archive-copy.conf", ["login"], type="audit")
    assert copy["tags"] == ["archive"] and "original" not in copy["event"]
    assert event["event"]["id"] == copy["event"]["id"] and event["event"]["original"] == "login"
