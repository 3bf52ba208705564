"""jdbc_streaming over ODBC, on SQLite (Debian packages unixodbc and libsqliteodbc)."""
import os
import sqlite3

import pytest
from test_dns import send
from test_http_filter import start, stats
from test_net_inputs import events

KIND = "jdbc_streaming"


def has_driver():
    try:
        with open("/etc/odbcinst.ini") as ini:
            return "[SQLite3]" in ini.read()
    except OSError:
        return False


pytestmark = pytest.mark.skipif(not has_driver(), reason="the package libsqliteodbc is not installed")


@pytest.fixture
def database(tmp_path):
    path = os.path.join(tmp_path, "test.db")
    with sqlite3.connect(path) as db:
        db.execute("create table users (id integer, name varchar(100), score double, at timestamp, big text)")
        db.executemany("insert into users values (?, ?, ?, ?, ?)", [
            (1, "ann é \"q\"", 1.5, "2024-03-05 06:07:08", "x" * 20000), (2, None, None, None, None),
            (3, "cy", -2, "2024-01-01 00:00:00.250", ""), (3, "cy again", 0, None, None)])
    return path


def test_rows(spate, database):
    s = start(spate, """jdbc_connection_string => "jdbc:sqlite:%s" jdbc_driver_class => "org.sqlite.JDBC"
      statement => "select id, name, score, at, length(big) as n, big, ':id' as q from users where id = :id order by rowid"
      parameters => { "id" => "[u][id]" } target => "[t][rows]" default_hash => { "name" => "nobody" }
      tag_on_default_use => ["none"]""" % database, KIND)
    send(s, [{"u": {"id": i}} for i in (1, 2, 3, 4, "1", 2.0)])
    got = events(s, 6)
    one = got[0]["t"]["rows"][0]
    assert (one["id"], one["name"], one["score"], one["big"], one["q"]) == (1, 'ann é "q"', 1.5, "x" * 20000, ":id")
    assert one["at"] == "2024-03-05T06:07:08.000Z"
    assert got[1]["t"]["rows"] == [{"id": 2, "name": None, "score": None, "at": None, "n": None, "big": None, "q": ":id"}]
    assert [row["name"] for row in got[2]["t"]["rows"]] == ["cy", "cy again"]
    assert got[2]["t"]["rows"][0]["at"] == "2024-01-01T00:00:00.250Z"
    assert got[3]["t"]["rows"] == [{"name": "nobody"}] and got[3]["tags"] == ["none", "ok"]
    assert got[4]["t"]["rows"] == got[0]["t"]["rows"] and got[0]["tags"] == ["ok"]


def test_prepared_and_kinds_of_parameters(spate, database):
    s = start(spate, """jdbc_connection_string => "Driver=SQLite3;Database=%s" use_prepared_statements => true
      prepared_statement_name => "p" statement => "select ? as a, ? as b, ? as c, ? as d, ? as e" target => "rows"
      prepared_statement_bind_values => ["[id]", "is %%{id}", "constant", 5, "[missing]"] } jdbc_streaming {
      jdbc_connection_string => "Driver=SQLite3;Database=%s" target => "old" statement => "select :a as a, :b as b, :ab as c"
      parameters => { "a" => "id" "b" => "no field" "ab" => "%%{name}" }""" % (database, database), KIND)
    send(s, [{"id": "x'y", "name": "id"}])
    got, = events(s, 1)
    assert {k: str(v) for k, v in got["rows"][0].items()} == {"a": "x'y", "b": "is x'y", "c": "constant", "d": "5", "e": "None"}
    assert got["old"] == [{"a": "x'y", "b": "no field", "c": "x'y"}]


def test_cache_failures_and_many(spate, database):
    s = start(spate, """jdbc_connection_string => "jdbc:sqlite:%s" statement => "select name from users where id = :id"
      parameters => { "id" => "id" } target => "rows" cache_expiration => 600 cache_size => 1000""" % database, KIND)
    docs = [{"id": i % 300, "seq": i} for i in range(6000)]
    send(s, docs)
    got = events(s, 6000, 60)
    assert [e["seq"] for e in got] == list(range(6000))
    assert all(("_jdbcstreamingdefaultsused" in e["tags"]) == (e["id"] not in (1, 2, 3)) for e in got)
    numbers = stats(s, KIND)
    assert numbers["misses"] == 300 and numbers["hits"] == 5700 and numbers["errors"] == 0


def test_a_statement_that_is_wrong(spate, database):
    s = start(spate, """jdbc_connection_string => "jdbc:sqlite:%s" statement => "select * from nowhere" target => "rows"
      use_cache => false""" % database, KIND)
    send(s, [{"id": 1}])
    assert events(s, 1)[0]["tags"] == ["_jdbcstreamingfailure", "_jdbcstreamingdefaultsused", "ok"]
