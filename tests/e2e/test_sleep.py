"""The sleep filter really waits: the cases of tests/spec cannot see that."""
import time

from test_dns import send
from test_http_filter import start
from test_net_inputs import events


def seconds(spate, options, made):
    s = start(spate, options, kind="sleep")
    begin = time.monotonic()
    send(s, made)
    got = events(s, len(made))
    took = time.monotonic() - begin
    assert all(one["tags"] == ["ok"] for one in got)
    s.stop()
    return took


def test_every_second_event(spate):
    """Four events, of which two wait; without `every` it would be twice as long."""
    made = [{"t": 0.3}] * 4
    assert 0.6 <= seconds(spate, 'time => "%{t}" every => "2"', made) < seconds(spate, 'time => "%{t}"', made)


def test_replay(spate):
    """Three seconds between the events, at six times the speed; going back in time is no wait."""
    made = [{"@timestamp": "2024-01-01T00:00:0%dZ" % second} for second in (0, 1, 3, 2)]
    assert 0.5 <= seconds(spate, "replay => true time => 6", made) < 2.5
