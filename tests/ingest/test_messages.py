from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.ingest.poison import POISON
from tests.ingest.queue import message
from workbench.events import MAX_MESSAGE, Event, parse
from workbench.ingest import messages
from workbench.ingest.base import Fetched
from workbench.ingest.batches import SLICE
from workbench.times import TimeRules

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def fetched(values, source="t-0", start=0):
    return Fetched(source, range(start, start + len(values)), values, start + len(values))


def found(values):
    """Read messages together; return what became of each."""
    read = messages.read([fetched(values)], now=NOW)
    good = {row.pop("position"): row for row in read.events.to_pylist()}
    bad = {row.position: (row.reject.reason, row.reject.original) for row in read.rejected.get("t-0", [])}
    assert not good.keys() & bad.keys()
    return {**good, **bad}


def expected(values):
    """The slow way: each message alone."""
    outcome = {}
    for position, value in enumerate(values):
        event = parse(value or b"", now=NOW)
        if not isinstance(event, Event):
            outcome[position] = (event.reason, event.original[:8_192] if event.reason == "too_large" else value or b"")
            continue
        fields = {name: getattr(event, name) for name in Event.__struct_fields__}
        outcome[position] = {**fields, "properties": bytes(event.properties).decode()}
    return outcome


def same(values):
    slow, fast = expected(values), found(values)
    assert fast.keys() == slow.keys()
    for position, outcome in slow.items():
        if isinstance(outcome, dict):
            got = {name: fast[position][name] for name in outcome}
            assert got == outcome
        else:
            assert fast[position] == outcome


GOOD = st.builds(
    message,
    st.integers(0, 99),
    platform=st.sampled_from([None, "discord"]),
    value=st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False), st.integers(-5, 5)),
    properties=st.sampled_from([{}, {"a": [1, {"b": "}\n{"}]}, {"text": "日本 \u2028"}]),
    occurred_at=st.sampled_from(["2026-11-01T09:00:00Z", "2026-11-01T09:00:00.123456+02:00", "2026-11-01T09:00:00"]),
)
OLDER = GOOD.map(lambda value: value.replace(b'"occurred_at"', b'"timestamp"'))
STRAY = GOOD.map(lambda value: value[:-1] + b', "campaign": "spring"}')
HOSTILE = st.one_of(st.sampled_from([value for _, value, _ in POISON]), st.binary(max_size=20), st.none())
TORN = st.sampled_from(
    [
        b'{"event_id":"1","event_type":"v","user_id":"u","occurred_at":"2026-11-01T09:00:00Z"}\n{"event_id":"x',
        b'y","event_type":"v","user_id":"u","occurred_at":"2026-11-01T09:00:00Z"}',
        b'{"event_id":"1","event_type":"v",',
        b'"user_id":"u","occurred_at":"2026-11-01T09:00:00Z"}',
        b'{"event_id":"1","event_type":"v","user_id":"u","properties":{}',
        b'{"occurred_at":"2026-11-01T09:00:00Z"}}',
        b"\n",
        b"{}\n{}",
        b' {"event_id":"1","event_type":"v","user_id":"u","occurred_at":"2026-11-01T09:00:00Z"} ',
    ]
)


@given(values=st.lists(st.one_of(GOOD, OLDER, STRAY, TORN, HOSTILE), max_size=8))
@example(values=[message(1), message(2).replace(b"Z", b"")])
def test_messages_read_together_are_what_each_is_alone(values):
    same(values)


def test_two_messages_that_make_one_event_between_them_are_no_events():
    whole = message(1)
    same([message(0), whole[:30], whole[30:], message(2)])
    same([whole + b"\n" + whole[:30], whole[30:]])


@pytest.mark.parametrize(("name", "value", "reason"), POISON, ids=[name for name, _, _ in POISON])
def test_each_kind_of_poison_is_rejected_alone_among_good_ones(name, value, reason):
    outcome = found([message(0), value, message(1)])
    assert outcome[1] == (reason, (value or b"")[:8_192] if reason == "too_large" else value or b"")
    assert (outcome[0]["event_id"], outcome[2]["event_id"]) == ("e0", "e1")


def test_a_message_that_is_too_long_is_kept_in_part_and_its_size_whole():
    long = b'{"a":"' + b"x" * MAX_MESSAGE + b'"}'
    (row,) = messages.read([fetched([long])], now=NOW).rejected["t-0"]
    assert (row.size, len(row.reject.original), row.reject.reason) == (len(long), 8_192, "too_large")


def test_events_keep_their_partition_and_their_offset():
    batch = [
        fetched([message(0), b"x", message(1)], "t-1", 40),
        fetched([message(2)], "t-0", 7),
        fetched([message(n) for n in range(10, 10 + 2 * SLICE)], "t-1", 43),
    ]
    read = messages.read(batch, now=NOW)
    rows = read.events.select(["event_id", "source", "position"]).to_pylist()
    assert [tuple(row.values()) for row in rows[:4]] == [
        ("e0", "t-1", 40),
        ("e1", "t-1", 42),
        ("e2", "t-0", 7),
        ("e10", "t-1", 43),
    ]
    assert len(rows) == 3 + 2 * SLICE
    assert [row.position for row in read.rejected["t-1"]] == [41]


def test_nothing_gives_nothing():
    read = messages.read([], now=NOW)
    assert read.events.num_rows == 0
    assert read.rejected == {}


@pytest.mark.parametrize("beside", [[], [b"poison"]])
def test_times_without_a_zone_and_limits_are_those_of_the_rules(beside):
    texts = [
        "2026-01-05 00:30:00",
        "2026-03-29T02:30:00",
        "2026-01-05T00:30:00Z",
        "2026-01-05 01:30 +0100",
        "2020-01-05",
    ]
    values = [message(n, occurred_at=text) for n, text in enumerate(texts)]
    rules = TimeRules("Europe/Berlin", since=datetime(2021, 1, 1, tzinfo=UTC))
    read = messages.read([fetched([*values, message(9, value=1e12), *beside])], now=NOW, rules=rules)
    assert read.events["occurred_at"].to_pylist() == [
        datetime(2026, 1, 4, 23, 30, tzinfo=UTC),
        datetime(2026, 3, 29, 1, 30, tzinfo=UTC),
        datetime(2026, 1, 5, 0, 30, tzinfo=UTC),
        datetime(2026, 1, 5, 0, 30, tzinfo=UTC),
    ]
    reasons = [row.reject.reason for row in read.rejected["t-0"]]
    assert reasons == ["bad_time", "bad_value", *(["bad_json"] * len(beside))]
