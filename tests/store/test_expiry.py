from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from workbench.errors import InvalidArgument
from workbench.events import to_table
from workbench.store import expiry
from workbench.store.lake import LakeStore
from workbench.testing import START, events_of

DAY = 24 * 60


@pytest.fixture
def lake(tmp_path):
    """Ann on 100 days in a row, once a day."""
    lake = LakeStore(tmp_path / "lake")
    table = to_table(events_of({"ann": " ".join(f"view:{day * DAY}" for day in range(100))}))
    table = table.append_column("position", pa.array(range(100), pa.int64()))
    lake.append(table, source="file", start=0, end=100, ingested_at=START)
    return lake


LAST = START + timedelta(days=99)


def count(lake):
    return lake.snapshot().query("SELECT count(*) AS n FROM events")["n"].to_pylist()[0]


@pytest.mark.parametrize("now", [LAST, LAST + timedelta(days=3), LAST + timedelta(days=3650)])
def test_ages_count_from_the_newest_event_however_late_it_is(lake, now):
    dropped = expiry.expire(lake, days=95, now=now)
    assert (dropped.events, dropped.before, count(lake)) == (4, LAST - timedelta(days=95), 96)
    assert expiry.expire(lake, days=95, now=now).events == 0


def test_ages_count_from_now_where_an_event_is_of_the_future(lake):
    now = START + timedelta(days=50)
    assert expiry.plan(lake.snapshot(), days=49, now=now).events == 1


def test_more_than_a_twentieth_goes_only_when_confirmed(lake):
    assert expiry.expire(lake, days=94, now=LAST).events == 5
    with pytest.raises(InvalidArgument, match=r"45 of 95 events \(47\.4%\).*Nothing.*lake expire --days 49 --yes"):
        expiry.expire(lake, days=49, now=LAST)
    assert count(lake) == 95
    assert expiry.expire(lake, days=49, now=LAST, confirmed=True).events == 45
    assert count(lake) == 50


def test_an_empty_lake_has_nothing_to_drop(tmp_path):
    lake = LakeStore(tmp_path / "empty")
    assert expiry.expire(lake, days=1, now=datetime(2026, 1, 1, tzinfo=UTC)).events == 0
