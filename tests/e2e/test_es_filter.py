"""The elasticsearch filter against a server of the test's own."""
import base64
import json
import urllib.parse

import harness
from test_dns import send
from test_http_filter import Server, json_answer, start, stats
from test_net_inputs import events

KIND = "elasticsearch"
FAILED = ["_elasticsearch_lookup_failure"]


def found(*hits, total=None, **more):
    return {"took": 1, "_shards": {"total": 1, "failed": 0}, **more,
            "hits": {"total": {"value": len(hits) if total is None else total, "relation": "eq"}, "hits": list(hits)}}


def hit(number, **source):
    return {"_index": "users", "_id": str(number), "_score": None, "_source": source}


def query_of(request):
    path, _, query = request.path.partition("?")
    return path, {name: values[0] for name, values in urllib.parse.parse_qs(query).items()}


def test_query_string(spate):
    server = Server(lambda r: json_answer(found(hit(7, name="ann", user={"id": 7, "x.y": 1}), total=3)))
    s = start(spate, """hosts => ["%s"] index => "users-%%{day},old*" query => "id:%%{[id]} AND x" docinfo_fields => {
      "_id" => "[doc][id]" } fields => { "name" => "name" "[user][id]" => "[u][id]" "[user][x.y]" => "xy" "none" => "none" }
      custom_headers => { "X-A" => "b" } user => "u" password => "p" } mutate {
      copy => { "[@metadata][total_hits]" => "total" }""" % server.url, KIND)
    send(s, [{"id": 5, "day": "mon"}])
    got, = events(s, 1)
    assert (got["name"], got["u"], got["xy"], got["doc"], got["total"]) == ("ann", {"id": 7}, 1, {"id": "7"}, 3)
    assert got["none"] is None
    request, = server.got
    assert request.command == "GET" and query_of(request) == (
        "/users-mon,old%2A/_search", {"q": "id:5 AND x", "size": "1", "sort": "@timestamp:desc"})
    assert request.headers["x-a"] == "b"
    assert base64.b64decode(request.headers["authorization"].split()[1]) == b"u:p"
    server.close()


def test_several_hits_target_and_old_totals(spate):
    answer = found(hit(1, n=1), hit(2), hit(3, n=3))
    answer["hits"]["total"] = 9
    server = Server(lambda r: json_answer(answer))
    s = start(spate, """hosts => ["127.0.0.1:%d"] query => "*" result_size => 3 enable_sort => false target => "found"
      fields => { "n" => "[a][b]" } docinfo_fields => { "_id" => "ids" } add_field => { "t" => "%%{[@metadata][total_hits]}" }
      """ % server.port, KIND)
    send(s, [{}])
    got, = events(s, 1)
    assert got["found"] == {"a": {"b": [1, None, 3]}, "ids": ["1", "2", "3"]} and got["t"] == "9"
    assert query_of(server.got[0]) == ("/_search", {"q": "*", "size": "3"})
    server.close()


def test_template_and_aggregations(spate, tmp_path):
    template = tmp_path / "query.json"
    template.write_text('{"query":{"term":{"id":"%{id}"}},"aggs":{"m":{"max":{"field":"n"}}}}\n')
    server = Server(lambda r: json_answer(found(aggregations={"m": {"value": 4.5}, "o": {}})))
    s = start(spate, """hosts => ["%s"] query_template => "%s" aggregation_fields => { "m" => "[max]" "gone" => "gone" }
      """ % (server.url, template), KIND)
    send(s, [{"id": "a"}, {"id": 'no"json'}])
    good, bad = events(s, 2)
    assert good["max"] == {"value": 4.5} and good["gone"] is None and good["tags"] == ["ok"]
    assert bad["tags"] == FAILED
    request, = server.got
    assert request.command == "POST" and json.loads(request.body)["query"] == {"term": {"id": "a"}}
    assert request.headers["content-type"] == "application/json"
    server.close()


def test_what_the_targets_were(spate):
    """Found fields replace null, a number, a boolean, a list, a hash; text on their way is a failure."""
    server = Server(lambda r: json_answer(found(hit(7, name={"first": "ann"}), aggregations={"m": {"value": 1}})))
    s = start(spate, """hosts => ["%s"] query => "*" target => "t" fields => { "[name][first]" => "[f][x]" }
      docinfo_fields => { "_id" => "[d][x]" } aggregation_fields => { "m" => "[a][x]" }""" % server.url, KIND)
    was = [None, 5, True, [1], {"k": 1}]
    send(s, [{}] + [{"t": {"f": {"x": w}, "d": {"x": w}, "a": {"x": w, "y": 2}}} for w in was] + [{"t": w} for w in was]
         + [{"t": "text"}])
    got = events(s, 12)
    for event in got[:6]:
        t = event["t"]
        assert (t["f"]["x"], t["d"]["x"], t["a"]["x"]) == ("ann", "7", {"value": 1}) and event["tags"] == ["ok"]
    for event, kept in zip(got[6:], was + ["text"]):
        if kept is None or kept == {"k": 1}:
            assert event["t"]["f"] == {"x": "ann"} and event["tags"] == ["ok"]
        else:
            assert event["t"] == kept and (event["tags"] == FAILED or kept == [1])
    server.close()


def test_nothing_found_and_failures(spate):
    answers = {
        "none": json_answer(found()), "500": json_answer({"error": "x"}, 500), "404": json_answer({"error": "x"}, 404),
        "shards": json_answer(found(hit(1, name="x"), _shards={"failures": [{"reason": 1}]})),
        "text": (200, [], b"hello"), "list": json_answer([]), "other": json_answer({"a": 1}),
        "time": json_answer(found(hit(1, name="x", at="now")))}
    server = Server(lambda r: answers[query_of(r)[1]["q"]])
    s = start(spate, """hosts => ["%s"] query => "%%{q}" fields => { "name" => "name" "at" => "@timestamp" }"""
              % server.url, KIND)
    send(s, [{"q": q} for q in answers])
    got = {e["q"]: e for e in events(s, len(answers))}
    assert {q: e.get("tags") for q, e in got.items()} == {**{q: FAILED for q in answers}, "none": None}
    assert all("name" not in e for q, e in got.items() if q != "time")
    assert stats(s, KIND)["errors"] == 7 and len(server.got) == len(answers)  # nothing is retried
    server.close()


def test_retries_and_dead_servers(spate):
    tries = []

    def answer(r):
        tries.append(r)
        return json_answer({"error": "busy"}, 503) if len(tries) < 3 else json_answer(found(hit(1, name="x")))
    server = Server(answer)
    dead, = harness.free_ports(1)
    s = start(spate, """hosts => ["127.0.0.1:%d", "%s"] query => "*" retry_on_failure => 3 fields => { "name" => "name" }
      """ % (dead, server.url), KIND)
    send(s, [{}])
    assert events(s, 1)[0]["tags"] == ["ok"] and len(tries) == 3
    for i in range(5):
        send(s, [{"n": i}])
        assert events(s, i + 2)[-1]["name"] == "x"
    server.close()


def test_equal_searches_are_one(spate):
    server = Server(lambda r: json_answer(found(hit(1, name=query_of(r)[1]["q"]))))
    s = start(spate, 'hosts => ["%s"] query => "%%{q}" fields => { "name" => "name" }' % server.url, KIND)
    send(s, [{"q": "q%d" % (i % 50)} for i in range(3000)])
    got = events(s, 3000, 60)
    assert all(e["name"] == e["q"] for e in got)
    assert len(server.got) <= 50 * 10 and stats(s, KIND)["misses"] == len(server.got)
    server.close()


def test_esql(spate):
    table = {"columns": [{"name": "@timestamp", "type": "date"}, {"name": "user.id", "type": "long"},
                         {"name": "msg", "type": "text"}, {"name": "msg.keyword", "type": "keyword"}],
             "values": [["2025-04-10T12:00:00.000Z", 7, "a", "a"], ["2025-04-10T12:05:00.000Z", None, "b", "b"]]}
    server = Server(lambda r: json_answer(table))
    query = 'FROM x | WHERE id == ?id AND n > ?least'
    s = start(spate, """hosts => ["%s"] query_type => "esql" query => "%s" query_params => { "id" => "[id]" "least" => 5 }
      target => "rows" } elasticsearch { hosts => ["%s"] query_type => "esql" query => "FROM y"
      add_field => { "n" => "%%{[@metadata][total_values]}" }""" % (server.url, query, server.url), KIND)
    send(s, [{"id": 'a"b'}])
    got, = events(s, 1)
    assert [row.get("user") for row in got["rows"]] == [{"id": 7}, None]
    assert [row["msg"] for row in got["rows"]] == ["a", "b"] and got["rows"][1]["@timestamp"].startswith("2025-04-10T12:05:00")
    assert got["user"] == {"id": 7} and got["msg"] == "a" and got["@timestamp"].startswith("2025-04-10T12:00:00")
    assert got["n"] == "2"
    first = server.got[0]
    assert first.path.startswith("/_query?") and json.loads(first.body) == {
        "query": query, "params": [{"id": 'a"b'}, {"least": 5}]}
    server.close()
