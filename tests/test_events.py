from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workbench.events import EVENT_TABLE, FIELDS, MAX_MESSAGE, Event, Reject, convert, parse, to_table

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
WHOLE = {"event_id": "1", "event_type": "view", "user_id": "ann", "occurred_at": "2026-11-01T09:00:00Z"}


def read(**changes):
    return parse(msgspec.json.encode(WHOLE | changes), now=NOW)


def reason(**changes):
    found = read(**changes)
    return found.reason if isinstance(found, Reject) else None


def properties(event):
    return msgspec.json.decode(event.properties)


def test_objects_nested_without_end_are_rejected_wherever_they_stand():
    nested = b'{"a":' * 3_000 + b"1" + b"}" * 3_000
    assert parse(nested, now=NOW).reason == "bad_json"
    in_a_name = msgspec.json.encode(WHOLE).replace(b'"ann"', nested)
    assert parse(in_a_name, now=NOW).reason in {"bad_json", "wrong_type"}


@pytest.mark.parametrize("depth", [400, 498, 499, 500, 800, 1_200, 2_500, 20_000])
def test_how_deep_a_message_may_be_depends_on_no_python(depth):
    """The message itself and its properties are two of 500. Brackets in text are not counted."""
    inner = b'{"a":' * depth + b'"' + b"[{" * 600 + b'"' + b"}" * depth
    message = msgspec.json.encode({**WHOLE, "properties": msgspec.Raw(b'{"deep":' + inner[:-1] + b"}}")})
    outcome = parse(message, now=NOW)
    assert isinstance(outcome, Reject) == (depth > 498)
    if depth > 498:
        assert (outcome.reason, outcome.detail) == ("bad_json", "nested deeper than 500")
    lists = msgspec.json.encode({**WHOLE, "extra": msgspec.Raw(b"[" * depth + b"]" * depth)})
    assert isinstance(parse(lists, now=NOW), Reject) == (depth > 499)
    assert parse(b"[" * depth, now=NOW).reason == "bad_json"


def test_an_event_needs_an_id_a_type_a_user_and_a_time():
    assert reason() is None
    for name in WHOLE:
        assert reason(**{name: None}) == reason(**{name: ""}) == "missing_field"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"user_id": 5}, "wrong_type"),
        ({"event_type": "x" * 257}, "wrong_type"),
        ({"platform": ["web"]}, "wrong_type"),
        ({"value": "9"}, "wrong_type"),
        ({"value": True}, "wrong_type"),
        ({"properties": [1]}, "wrong_type"),
        ({"properties": "{}"}, "wrong_type"),
        ({"schema_version": 0}, "wrong_type"),
        ({"schema_version": 2}, "newer_schema"),
        ({"occurred_at": "yesterday"}, "bad_time"),
        ({"occurred_at": 1_700_000_000}, "bad_time"),
        ({"occurred_at": "1969-12-31T23:59:59Z"}, "bad_time"),
        ({"occurred_at": "2026-11-24T12:00:01Z"}, "bad_time"),
        ({"occurred_at": "0001-01-01T00:00:00+10:00"}, "bad_time"),
    ],
)
def test_what_does_not_fit_the_schema_is_rejected_with_its_reason(changes, expected):
    assert reason(**changes) == expected


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"", "bad_json"),
        (b"[]", "bad_json"),
        (b"{", "bad_json"),
        (b"\x00\xff", "bad_encoding"),
        (b'{"event_id": "\xff"}', "bad_encoding"),
        (b"[" * 100_000, "bad_json"),
        (b'{"event_id": ' + b"9" * 5_000 + b"}", "wrong_type"),
        (b" " * (MAX_MESSAGE + 1), "too_large"),
    ],
)
def test_what_is_no_message_is_rejected_with_its_bytes(message, expected):
    found = parse(message, now=NOW)
    assert (found.reason, found.original) == (expected, message)


def test_a_clock_may_be_a_day_ahead():
    assert reason(occurred_at="2026-11-24T12:00:00Z") is None


def test_a_time_without_a_zone_is_utc_and_a_zone_is_kept_in_mind():
    expected = datetime(2026, 11, 1, 9, tzinfo=UTC)
    for text in ("2026-11-01 09:00:00", "2026-11-01T10:30:00+01:30"):
        assert read(occurred_at=text).occurred_at == expected


def test_the_name_of_older_producers_for_the_time_is_understood():
    older = {**WHOLE, "timestamp": WHOLE["occurred_at"]}
    del older["occurred_at"]
    assert parse(msgspec.json.encode(older), now=NOW).occurred_at == datetime(2026, 11, 1, 9, tzinfo=UTC)
    assert properties(read(timestamp="other")) == {"timestamp": "other"}


def test_fields_that_an_event_does_not_have_become_properties():
    event = read(colour="red", chars=1, properties={"chars": 7}, ingested_at="2026-01-01")
    assert properties(event) == {"colour": "red", "chars": 7}


def test_empty_labels_and_properties_are_absent_ones():
    assert read(platform="", properties=None, session_id=None, value=None) == read()


def test_numbers_in_properties_keep_their_digits():
    event = parse(msgspec.json.encode(WHOLE)[:-1] + b', "properties": {"n": 1.0, "big": 123456789012345678901}}')
    assert bytes(event.properties) == b'{"n": 1.0, "big": 123456789012345678901}'


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*FIELDS, "timestamp", "x"]), json_values) | json_values, st.booleans())
def test_nothing_in_a_message_raises(fields, complete):
    message = msgspec.json.encode(WHOLE | fields if complete and isinstance(fields, dict) else fields)
    found = parse(message, now=NOW)
    assert isinstance(found, Event) or found.original == message


@given(st.binary(max_size=40))
def test_no_bytes_raise(message):
    assert isinstance(parse(message, now=NOW), Reject)


@example({"x": None})
@example({"x": ""})
@given(st.dictionaries(st.sampled_from([*FIELDS, "timestamp", "x"]), json_values))
def test_a_message_and_its_decoded_fields_are_the_same_event(fields):
    message = msgspec.json.encode(WHOLE | fields)
    parsed, converted = parse(message, now=NOW), convert(msgspec.json.decode(message), original=message, now=NOW)
    if isinstance(parsed, Reject):
        assert parsed.reason == converted.reason
    else:
        assert properties(parsed) == properties(converted)
        assert to_table([parsed]).drop_columns("properties") == to_table([converted]).drop_columns("properties")


def test_events_become_columns_in_their_order():
    events = [read(event_id=str(number), value=number, properties={"n": number}) for number in range(3)]
    table = to_table(events)
    assert table.schema == EVENT_TABLE
    assert table["event_id"].to_pylist() == ["0", "1", "2"]
    assert table["properties"].to_pylist() == ['{"n":0}', '{"n":1}', '{"n":2}']
    assert to_table([]).schema == EVENT_TABLE


def test_a_time_in_another_zone_is_stored_in_utc():
    (stored,) = to_table([read(occurred_at="2026-11-01T10:30:00+01:30")])["occurred_at"].to_pylist()
    assert stored - datetime(2026, 11, 1, 9, tzinfo=UTC) == timedelta(0)
