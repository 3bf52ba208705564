"""jdbc_static: tables that are loaded over ODBC from SQLite, and looked into."""
import sqlite3
import time

from harness import wait_for
from test_dns import send
from test_http_filter import start, stats
from test_jdbc import database, pytestmark  # noqa: F401
from test_net_inputs import events

STATIC = "jdbc_static"


def begin(spate, database, more="", lookups=None, query="select id, name from users", **options):
    return start(spate, """jdbc_connection_string => "jdbc:sqlite:%s" jdbc_user => "u"
      loaders => [ { id => "all-users" local_table => "users" query => "%s" } ]
      local_db_objects => [ { name => "users" columns => [["id", "int"], ["name", "varchar(100)"]] index_columns => ["id"] } ]
      local_lookups => [ %s ] %s""" % (database, query, lookups or """{ query => "select name from users where id = :id"
      parameters => { "id" => "id" } target => "user" default_hash => { "name" => "nobody" } }""", more), STATIC, **options)


def test_lookups_on_several_shards(spate, database):
    with sqlite3.connect(database) as db:
        db.executemany("insert into users (id, name) values (?, ?)", [(i, "name %d" % i) for i in range(10, 5000)])
    s = begin(spate, database, settings={"pipeline.workers": 2})
    for first in range(0, 20000, 2500):
        send(s, [{"id": i % 6000, "seq": i} for i in range(first, first + 2500)])
    got = events(s, 20000, 60)
    assert sorted(e["seq"] for e in got) == list(range(20000))
    for e in got:
        if e["id"] in (1, 2, 3):
            continue
        known = 10 <= e["id"] < 5000
        assert e["user"] == [{"name": "name %d" % e["id"] if known else "nobody"}]
        assert e["tags"] == (["ok"] if known else ["_jdbcstaticdefaultsused", "ok"])
    numbers = stats(s, STATIC)
    assert numbers["lookups"] == 20000 and numbers["misses"] == sum(1 for e in got if "_jdbcstaticdefaultsused" in e["tags"])
    assert (numbers["loads"], numbers["load_failures"], numbers["rows_loaded"]) == (1, 0, 4994)


def names_until(s, want, seconds=20):
    """Sends events for id 7 until its name is what is wanted."""
    def now():
        s.sent = getattr(s, "sent", 0) + 1
        send(s, [{"id": 7}])
        time.sleep(0.2)
        return events(s, s.sent)[-1]["user"] == want
    wait_for(now, seconds, "the name to become %r" % (want,))


def test_schedule_follows_the_database(spate, database):
    s = begin(spate, database, 'loader_schedule => "* * * * * *"')
    names_until(s, [{"name": "nobody"}])
    with sqlite3.connect(database) as db:
        db.execute("insert into users (id, name) values (7, 'new')")
    names_until(s, [{"name": "new"}])
    # What cannot be loaded, or is empty, leaves the old rows.
    with sqlite3.connect(database) as db:
        db.execute("delete from users")
    time.sleep(2.5)
    names_until(s, [{"name": "new"}])
    with sqlite3.connect(database) as db:
        db.execute("drop table users")
    wait_for(lambda: stats(s, STATIC)["load_failures"] > 0)
    names_until(s, [{"name": "new"}])
    with sqlite3.connect(database) as db:
        db.execute("create table users (id integer, name varchar(100))")
        db.execute("insert into users (id, name) values (7, 'newer')")
    names_until(s, [{"name": "newer"}])


def test_events_wait_for_the_first_load(spate, database):
    s = begin(spate, database, query="select id, name from later")
    send(s, [{"id": 7}])
    wait_for(lambda: stats(s, STATIC)["load_failures"] > 0)
    assert stats(s, STATIC)["lookups"] == 0
    with sqlite3.connect(database) as db:
        db.execute("create table later (id integer, name varchar(100))")
        db.execute("insert into later values (7, 'late')")
    got, = events(s, 1)
    assert got["user"] == [{"name": "late"}] and got["tags"] == ["ok"]
    assert stats(s, STATIC)["loads"] == 1


def test_stops_while_it_waits(spate, database):
    s = begin(spate, database, query="select nothing from nowhere", settings={"shutdown.timeout": "1"})
    send(s, [{"id": 7}])
    wait_for(lambda: stats(s, STATIC)["load_failures"] > 0)


def test_values_that_do_not_fit(spate, database):
    s = begin(spate, database, query="select name, id from users")
    wait_for(lambda: stats(s, STATIC)["load_failures"] > 0)
    assert "row 1 has a value that column id (INTEGER) cannot hold" in s.log()
    t = begin(spate, database, query="select id from users")
    wait_for(lambda: stats(t, STATIC)["load_failures"] > 0)
    assert "1 columns for the 2 of table users" in t.log()
