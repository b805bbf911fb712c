"""Questions that are asked in a process of their own."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest

from workbench.bench import Bench
from workbench.config import Settings
from workbench.dashboards.aside import AsideError, aside
from workbench.errors import NotEnoughData
from workbench.metrics.segments import segment
from workbench.store.lake import LakeStore
from workbench.testing import events_of, store_of, stored


def told(bench, *, again=1):
    return os.getpid(), bench.data_version, len(bench.profiles().frame) * again


def fails(bench):
    raise NotEnoughData(f"{bench.data_version} is not enough")


def dies(_):
    os._exit(9)


@pytest.fixture
def bench(tmp_path):
    lake = LakeStore(tmp_path / "lake")
    rows = stored(events_of({"ann": "view:0 buy:1", "bob": "view:0"})).drop_columns(
        ["ingested_at", "source", "user_key"]
    )
    lake.append(rows, source="file", start=0, end=3, ingested_at=datetime.now(UTC))
    return Bench(lake, Settings())


def test_another_process_asks_the_same_events_and_of_a_segment_its_people_alone(bench):
    process, version, people = aside(bench.of(segment("buy")), told, again=10)
    assert process != os.getpid()
    assert (version, people) == (bench.data_version, 10)


def test_what_goes_wrong_there_is_told_here(bench):
    with pytest.raises(NotEnoughData, match="is not enough"):
        aside(bench, fails)
    with pytest.raises(AsideError, match="memory"):
        aside(bench, dies)


def test_events_that_no_other_process_can_open_are_asked_here():
    process, _, people = aside(Bench(store_of({"ann": "view:0"}), Settings()), told)
    assert (process, people) == (os.getpid(), 1)
