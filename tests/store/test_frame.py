from __future__ import annotations

from datetime import UTC, datetime

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
