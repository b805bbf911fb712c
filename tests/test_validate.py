from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.events import FIELDS, MAX_MESSAGE, Event, convert, to_table
from workbench.times import PER_SECOND
from workbench.validate import CHECKED, Fault, validate

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
WHOLE = {"event_id": "1", "event_type": "view", "user_id": "ann", "occurred_at": "2026-11-01T09:00:00Z"}


def table(*rows, **types):
    columns = {name: pa.array([row.get(name) for row in rows], types.get(name)) for name in {**WHOLE, **types}}
    return pa.table(columns)


def reasons(*rows, **types):
    return [fault.reason for fault in validate(table(*rows, **types), now=NOW)[1]]


def test_good_rows_keep_their_order_and_their_place():
    events, faults = validate(table(WHOLE, WHOLE | {"user_id": ""}, WHOLE | {"event_id": "3"}), now=NOW)
    assert events.schema == CHECKED
    assert events.select(["event_id", "properties", "schema_version", "row"]).to_pylist() == [
        {"event_id": "1", "properties": "{}", "schema_version": 1, "row": 0},
        {"event_id": "3", "properties": "{}", "schema_version": 1, "row": 2},
    ]
    assert faults == [Fault(1, "missing_field", "no user_id")]


def test_a_table_without_rows_or_without_columns_has_no_events():
    assert validate(table(), now=NOW)[0].num_rows == 0
    events, faults = validate(pa.table({"x": [1, 2]}), now=NOW)
    assert (events.num_rows, [fault.reason for fault in faults]) == (0, ["missing_field"] * 2)


def test_text_that_is_not_utf8_is_found():
    broken = pa.array([b"ann", b"\xff", None], pa.binary()).view(pa.string())
    good = table(WHOLE, WHOLE, WHOLE)
    columns = good.set_column(good.column_names.index("user_id"), "user_id", broken)
    assert [fault[:2] for fault in validate(columns, now=NOW)[1]] == [(1, "bad_encoding"), (2, "missing_field")]


def test_properties_must_be_an_object_of_bounded_size():
    rows = [
        WHOLE | {"properties": text} for text in ('{"a":1}', "[]", "{", " {}", "", '{"a":"' + "x" * MAX_MESSAGE + '"}')
    ]
    assert reasons(*rows, properties=pa.large_string()) == ["wrong_type", "wrong_type", "too_large"]


@pytest.mark.parametrize(("unit", "ticks"), [("s", 10**18), ("ms", 9 * 10**18), ("us", 2**62), ("ns", 2**62)])
def test_times_of_every_unit_are_checked_before_they_could_overflow(unit, ticks):
    since = 946_684_800 * PER_SECOND[unit]
    instants = pa.array([ticks, since - 1, since, None], pa.int64()).cast(pa.timestamp(unit))
    columns = table(*[WHOLE] * 4).drop_columns("occurred_at").append_column("occurred_at", instants)
    events, faults = validate(columns, now=NOW)
    assert [fault[:2] for fault in faults] == [(0, "bad_time"), (1, "bad_time"), (3, "missing_field")]
    assert events["occurred_at"].to_pylist() == [datetime(2000, 1, 1, tzinfo=UTC)]


def test_dictionaries_and_all_kinds_of_text_are_read():
    kinds = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
    for kind in kinds:
        assert reasons(WHOLE, **dict.fromkeys(WHOLE, kind)) == []


texts = st.none() | st.sampled_from(["", "x", "x" * 256, "x" * 257, "ü" * 256, "\0"])
times = (
    st.none()
    | st.sampled_from(
        [
            "",
            "soon",
            "2026-11-01T09:00:00Z",
            "2026-11-01 09:00:00.123456",
            "2026-11-01T09:00:00.1234567Z",
            "2026-11-01T09:00:00+05:30",
            "2026-02-30T09:00:00Z",
            "2026-11-01T24:00:00Z",
            "2026-11-01T09:00:60Z",
            "2026-11-24T12:00:00Z",
            "2026-11-24T12:00:01Z",
            "1969-12-31T23:59:59.999999Z",
            "0001-01-01T00:00:00+10:00",
            "9999-12-31T23:59:59Z",
            "2026-11-01",
        ]
    )
    | st.datetimes(datetime(1950, 1, 1), datetime(2050, 1, 1)).map(str)
)
objects = st.none() | st.sampled_from(["", "{}", '{"a": [1]}', " {} ", "[1]", "1", "{", "{}{}", '{"a":\x01}', "{},{}"])
columns = {
    **dict.fromkeys(("event_id", "event_type", "user_id", "platform", "session_id", "raid_id", "message_id"), texts),
    "occurred_at": times,
    "value": st.none() | st.floats() | st.integers(-(2**31), 2**31),
    "properties": objects,
    "schema_version": st.none() | st.sampled_from([-1, 0, 1, 2, 2**31 - 1, 2**31, 2**62]),
}
kinds = {**dict.fromkeys(FIELDS, pa.string()), "value": pa.float64(), "schema_version": pa.int64()}
rows = st.fixed_dictionaries({name: columns[name] for name in FIELDS}) | st.fixed_dictionaries(
    {name: st.just(WHOLE[name]) if name in WHOLE else columns[name] for name in FIELDS}
)


@given(st.lists(rows, max_size=6))
def test_a_table_gives_the_events_and_the_reasons_that_its_rows_give_one_by_one(rows):
    found = [convert(_raw(row), original=b"", now=NOW) for row in rows]
    given_ = pa.table({name: pa.array([row[name] for row in rows], kind) for name, kind in kinds.items()})
    events, faults = validate(given_, now=NOW)
    rejected = [(number, row.reason) for number, row in enumerate(found) if not isinstance(row, Event)]
    assert [fault[:2] for fault in faults] == rejected
    expected = to_table([row for row in found if isinstance(row, Event)])
    assert events.drop_columns(["row", "properties"]) == expected.drop_columns("properties")
    assert list(map(str.strip, events["properties"].to_pylist())) == expected["properties"].to_pylist()


def _raw(row):
    return row | {"properties": row["properties"] and msgspec.Raw(row["properties"].strip().encode())}
