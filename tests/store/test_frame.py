from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from workbench.errors import InvalidArgument
from workbench.store.frame import store_of_frame
from workbench.times import TimeRules

FRAME = pd.DataFrame(
    {
        "uid": ["ann", "bob"],
        "name": ["view", "it's; DROP TABLE events"],
        "ts": ["2026-01-01 10:00", "2026-07-01 10:00"],
        "platform": ["web", None],
        "plan": ['"free"', None],
    }
)


def rows(frame, sql="SELECT * FROM events ORDER BY position", **options):
    return store_of_frame(frame, user="uid", event="name", time="ts", **options).snapshot().query(sql).to_pylist()


def test_a_frame_is_asked_like_a_store():
    assert [row["event_type"] for row in rows(FRAME)] == ["view", "it's; DROP TABLE events"]
    assert [row["platform"] for row in rows(FRAME)] == ["web", None]


def test_other_columns_are_properties():
    assert rows(FRAME, "SELECT properties->>'$.plan' AS plan FROM events ORDER BY position") == [
        {"plan": '"free"'},
        {"plan": None},
    ]


@pytest.mark.parametrize("kind", ["text", "timestamps", "with a zone"])
def test_times_without_a_zone_are_in_the_projects(kind):
    times = {
        "text": FRAME["ts"],
        "timestamps": pd.to_datetime(FRAME["ts"]),
        "with a zone": pd.to_datetime(FRAME["ts"]).dt.tz_localize("Europe/Berlin"),
    }
    frame = FRAME.assign(ts=times[kind])
    expected = [datetime(2026, 1, 1, 9, tzinfo=UTC), datetime(2026, 7, 1, 8, tzinfo=UTC)]
    assert [row["occurred_at"] for row in rows(frame, rules=TimeRules("Europe/Berlin"))] == expected


def test_an_arrow_table_is_a_frame_too():
    assert len(rows(pa.Table.from_pandas(FRAME))) == 2


def test_rows_with_the_same_event_id_count_once():
    assert len(rows(FRAME.assign(event_id="same"))) == 1


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (FRAME.drop(columns="ts"), "no column 'ts'; it has uid, name"),
        (FRAME.assign(uid=["ann", None]), "column 'uid' is empty in 1 of 2 rows"),
        (FRAME.assign(ts=[1, 2]), "holds int64: make it timestamps first"),
        (FRAME.assign(ts=["soon", "later"]), "no ISO 8601 time"),
        (7, "cannot read a int as a frame"),
    ],
)
def test_a_frame_that_cannot_be_read_is_explained(frame, message):
    with pytest.raises(InvalidArgument, match=message):
        rows(frame)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-05 10:00:00+00",
        "2026-01-05 12:00 +0200",
        "2026-01-05 10:00:00 UTC",
        "20260105T100000Z",
        "2026-01-05T10:00Z",
    ],
)
def test_times_are_read_as_files_read_them_also_in_one_column(text):
    frame = pd.DataFrame({"uid": ["ann"] * 2, "name": ["view"] * 2, "ts": [text, "2026-01-05"]})
    at = datetime(2026, 1, 5, tzinfo=UTC)
    assert [row["occurred_at"] for row in rows(frame)] == [at.replace(hour=10), at]


def test_a_time_that_the_clocks_skip_moves_forward():
    frame = pd.DataFrame({"uid": ["ann"], "name": ["view"], "ts": [datetime(2026, 3, 29, 2, 30)]})
    found = rows(frame, rules=TimeRules("Europe/Berlin"))
    assert [row["occurred_at"] for row in found] == [datetime(2026, 3, 29, 1, 30, tzinfo=UTC)]


def test_days_of_a_spreadsheet_are_times_and_other_numbers_are_refused():
    frame = pd.DataFrame({"uid": ["ann"], "name": ["view"], "ts": [46_237.375]})
    assert [row["occurred_at"] for row in rows(frame)] == [datetime(2026, 8, 3, 9, tzinfo=UTC)]
    with pytest.raises(InvalidArgument, match="make it timestamps first"):
        rows(frame.assign(ts=1_767_607_200))


def test_a_time_that_cannot_be_read_is_named():
    frame = pd.DataFrame({"uid": ["ann"] * 2, "name": ["view"] * 2, "ts": ["2026-01-05", "yesterday"]})
    with pytest.raises(InvalidArgument, match="'yesterday' in 1 of 2 rows"):
        rows(frame)


def test_rows_of_1970_and_of_impossible_values_are_left_out_and_counted(caplog):
    when = ["2026-01-05", "1970-01-01", "2026-01-06", "2026-01-07"]
    frame = pd.DataFrame({"uid": ["ann"] * 4, "name": ["view"] * 4, "ts": when, "value": [1, 2, 1e39, np.nan]})
    assert [(row["occurred_at"].day, row["value"]) for row in rows(frame)] == [(5, 1.0), (7, None)]
    assert [record.getMessage().partition(" (")[0] for record in caplog.records] == [
        "left out 1 of 4 rows before 2000-01-01",
        "left out 1 of 4 rows with a value that is not between -1e12 and 1e12",
    ]
    with pytest.raises(InvalidArgument, match="every row is before 2000-01-01"):
        rows(frame.iloc[[1]])


def test_ids_that_became_fractions_are_whole_and_bytes_are_text():
    table = pa.table({"uid": [7.0, 12.0], "name": [b"view"] * 2, "ts": ["2026-01-05"] * 2, "session_id": [3.0, None],
                      "value": ["NULL", "2.5"], "url": [b"/a", b"/b"]})  # fmt: skip
    found = [(row["user_id"], row["event_type"], row["session_id"], row["value"]) for row in rows(table)]
    assert found == [("7", "view", "3", None), ("12", "view", None, 2.5)]
    assert [row["properties"] for row in rows(table)] == ['{"url":"/a"}', '{"url":"/b"}']
    assert rows(pd.DataFrame({"uid": ["7.0"], "name": ["e"], "ts": ["2026-01-05"]}))[0]["user_id"] == "7"
