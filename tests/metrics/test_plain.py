from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from workbench.events import to_table
from workbench.metrics.calendars import micros
from workbench.metrics.plain import Codes, Plain, array, plain_rows
from workbench.store.lake import LakeStore
from workbench.testing import START, events_of, store_of

LATER = micros(datetime(2027, 1, 1, tzinfo=UTC))


@pytest.fixture
def snapshot(tmp_path):
    """Three events of a person on platforms, one of another on none."""
    lake = LakeStore(tmp_path / "lake")
    events = [*events_of({"ann": "view:0 cart:5 buy:9"}, platform="web"), *events_of({"bob": "view:3"})]
    table = to_table(events).append_column("position", pa.array(range(4), pa.int64()))
    lake.append(table, source="test", start=0, end=4, ingested_at=START)
    lake.maintain()
    return lake.snapshot()


def read(snapshot, codes, *, since=None, until=None, now=LATER):
    return {
        name: column.tolist() for name, column in plain_rows(snapshot, Plain(now, since, until, codes), part=0).items()
    }


def minute(number):
    return micros(START + timedelta(minutes=number))


def test_texts_are_looked_up(snapshot):
    found = read(snapshot, [("kind", Codes("event_type", {"view": 1, "buy": 2}, other=-1))])
    assert dict(zip(found["at"], found["kind"], strict=True)) == {
        minute(0): 1, minute(3): 1, minute(5): -1, minute(9): 2,
    }  # fmt: skip


def test_no_text_has_a_code_of_its_own_or_that_of_any_other(snapshot):
    own, shared = Codes("platform", {"web": 5}, other=7, none=9), Codes("platform", {"web": 5}, other=7)
    assert sorted(read(snapshot, [("place", own)])["place"]) == [5, 5, 5, 9]
    assert sorted(read(snapshot, [("place", shared)])["place"]) == [5, 5, 5, 7]


def test_only_wanted_rows_stay(snapshot):
    assert read(snapshot, [("kind", Codes("event_type", {"buy": 3}, wanted=True))])["at"] == [minute(9)]


def test_codes_of_one_column_are_added_up(snapshot):
    both = [("code", Codes("event_type", {"view": 1})), ("code", Codes("platform", {"web": 1000}))]
    assert sorted(read(snapshot, both)["code"]) == [1, 1000, 1000, 1001]


@pytest.mark.parametrize("code", [127, 128, 32_767, 32_768, 2**31, -128, -129])
def test_a_code_of_any_size_comes_back_as_it_is(snapshot, code):
    assert read(snapshot, [("kind", Codes("event_type", {"buy": code}, wanted=True))])["kind"] == [code]


def test_bounds_are_those_of_questions(snapshot):
    bounds = {"since": minute(3), "until": minute(9)}
    assert sorted(read(snapshot, [], **bounds)["at"]) == [minute(3), minute(5)]
    assert sorted(read(snapshot, [], now=minute(3))["at"]) == [minute(0), minute(3)]


def test_a_store_without_files_has_to_be_asked():
    assert plain_rows(store_of({"ann": "view:0"}).snapshot(), Plain(LATER), part=0) is None


def test_instants_are_microseconds():
    at = pa.chunked_array(
        [pa.array([2, 1], pa.timestamp("ms", "Europe/Berlin")), pa.array([], pa.timestamp("ms", "Europe/Berlin"))]
    )
    assert array(at).tolist() == [2000, 1000]
    assert array(pa.chunked_array([[True], [False]])).tolist() == [True, False]
    assert array(pa.chunked_array([], pa.int16())).dtype == np.int16
