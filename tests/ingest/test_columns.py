from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import msgspec
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workbench.ingest import columns
from workbench.ingest.batches import BatchReader
from workbench.ingest.chunks import Chunk
from workbench.ingest.mappings import Mapping, load

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
FIELDS = {"event_id": "id", "event_type": ["what", "kind"], "user_id": "who", "occurred_at": "when"}
FLAT = Mapping(fields=FIELDS, constants={"platform": "web"}, event_types={"view": "seen"})
WHEN = datetime(2026, 11, 1, 9, tzinfo=UTC)


def read(table, mapping, format="parquet"):
    return BatchReader(mapping, format=format).read(Chunk(0, table), now=NOW)


def lines(table):
    return [msgspec.json.encode(row) for row in table.to_pylist()]


def facts(batch):
    events = [row | {"properties": msgspec.json.decode(row["properties"])} for row in batch.events.to_pylist()]
    return events, [(row.position, row.reject.reason) for row in batch.rejected]


texts = st.none() | st.sampled_from(["", "x", "view", "x" * 300])
tables = st.lists(
    st.fixed_dictionaries(
        {
            "id": st.none() | st.integers(0, 3),
            "what": texts,
            "kind": texts,
            "who": texts,
            "when": st.none()
            | st.sampled_from(["", "2026-11-01 09:00:00", "2026-13-01 09:00:00", "1950-01-01T00:00:00Z"]),
            "colour": texts,
            "n": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        }
    ),
    max_size=6,
)
SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        *((name, pa.string()) for name in ("what", "kind", "who", "when", "colour")),
        ("n", pa.float64()),
    ]
)


HASHED = msgspec.structs.replace(FLAT, without_id="hash", fields=FIELDS | {"value": "n"})
NOTHING = dict.fromkeys(SCHEMA.names)


@example([NOTHING | {"kind": "x", "who": "x", "when": "2026-11-01 09:00:00", "colour": ""}], HASHED)
@given(tables, st.sampled_from([FLAT, HASHED]))
def test_columns_give_what_the_same_rows_give_as_lines(rows, mapping):
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    assert columns.fits(mapping, table)
    assert facts(read(table, mapping)) == facts(read(lines(table), mapping, format="jsonl"))


def one(**values):
    row = {"id": "1", "what": "view", "who": "ann", "when": WHEN} | values
    batch = read(
        pa.table({name: value if isinstance(value, pa.Array) else [value] for name, value in row.items()}), FLAT
    )
    return batch.events.to_pylist()[0] if batch.events.num_rows else batch.rejected[0].reject


@pytest.mark.parametrize(
    "when",
    [
        pa.array([WHEN], pa.timestamp("ms", "Europe/Berlin")),
        pa.array([WHEN.replace(tzinfo=None)], pa.timestamp("ns")),
        pa.array(["2026-11-01T10:00:00+01:00"], pa.large_string()),
        pa.array(["2026-11-01 09:00:00"]).dictionary_encode(),
    ],
)
def test_times_of_many_types_are_one_instant(when):
    assert one(when=when)["occurred_at"] == WHEN


def test_a_day_is_its_first_instant():
    assert one(when=date(2026, 11, 1))["occurred_at"] == datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize(("unit", "factor"), [("s", 1), ("ms", 10**3), ("us", 10**6)])
def test_whole_numbers_are_times_in_the_unit_of_the_mapping(unit, factor):
    mapping = msgspec.structs.replace(FLAT, time=unit)
    table = pa.table(
        {"id": [1, 2], "what": ["a", "b"], "who": ["x", "y"], "when": [int(WHEN.timestamp()) * factor, 2**62]}
    )
    batch = read(table, mapping)
    assert batch.events["occurred_at"].to_pylist() == [WHEN]
    assert batch.rejected[0].reject.reason == "bad_time"


def test_decimals_nested_values_and_broken_text_do_not_get_in_the_way():
    event = one(price=Decimal("1.5"), tags=["a"], deep={"a": WHEN}, none=None)
    assert msgspec.json.decode(event["properties"])["tags"] == ["a"]
    reject = one(who=pa.array([b"\xff"], pa.binary()).view(pa.string()))
    assert (reject.reason, "\\\\xff" in reject.original.decode()) == ("bad_encoding", True)


def test_a_time_beyond_the_calendar_is_rejected_and_can_be_printed():
    reject = one(when=pa.array([2**60], pa.timestamp("s")))
    assert (reject.reason, str(2**60) in reject.original.decode()) == ("bad_time", True)


def test_native_columns_keep_the_text_of_properties_and_take_in_strays():
    table = pa.table(
        {
            "event_id": ["1"],
            "event_type": ["view"],
            "user_id": ["ann"],
            "timestamp": [WHEN],
            "properties": ['{"n": 1.0}'],
        }
    )
    assert read(table, load("native")).events["properties"].to_pylist() == ['{"n": 1.0}']
    strays = table.append_column("colour", pa.array(["red"])).append_column("ingested_at", pa.array(["x"]))
    (text,) = read(strays, load("native")).events["properties"].to_pylist()
    assert msgspec.json.decode(text) == {"n": 1.0, "colour": "red"}


def test_json_text_in_a_column_is_opened_for_paths_into_it():
    row = {"uuid": "1", "event": "view", "distinct_id": "ann", "timestamp": WHEN, "properties": '{"$session_id": "s"}'}
    batch = read(pa.Table.from_pylist([row]), load("posthog"))
    assert batch.events["session_id"].to_pylist() == ["s"]
