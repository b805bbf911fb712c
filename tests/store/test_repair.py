from __future__ import annotations

import shutil
import warnings
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.errors import LostEventsWarning, StoreCorrupt
from workbench.events import to_table
from workbench.store import losses
from workbench.store import repair as room
from workbench.store.base import SOURCE_START, STORED_EVENT
from workbench.store.lake import LakeStore
from workbench.store.repair import repair
from workbench.testing import START, events_of

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def put(lake, journeys, *, source="file", at=NOON):
    start = lake.position(source)
    table = to_table(events_of(journeys))
    table = table.append_column("position", pa.array(range(start, start + table.num_rows), pa.int64()))
    lake.append(table, source=source, start=start, end=start + table.num_rows, ingested_at=at)


def ids(lake):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LostEventsWarning)
        opened = LakeStore(lake.path, create=False)
    return sorted(opened.snapshot().query("SELECT event_id FROM events")["event_id"].to_pylist())


def mended(lake, **expected):
    return repair(lake.path, expected=expected, now=NOON)


@pytest.fixture
def lake(tmp_path):
    return LakeStore(tmp_path / "lake")


def test_a_sound_lake_stays_as_it_is(lake):
    put(lake, {"ann": "view:0"})
    version = lake.snapshot().data_version
    assert mended(lake, file=1) == room.Repair((), 0, ())
    assert (LakeStore(lake.path).snapshot().data_version, losses.read(lake.path)) == (version, [])


@pytest.mark.parametrize("layout", ["tail", "cells"])
def test_a_lost_file_is_taken_out_and_everybody_is_told_what_is_missing(lake, layout):
    put(lake, {"ann": "view:0 buy:9"})
    if layout == "cells":
        lake.maintain()
    (file,) = lake.snapshot().files
    put(lake, {"bob": "view:0"}, source="other")
    (lake.root / file.path).unlink()
    (loss,) = mended(lake).losses
    assert (loss.name, loss.reason, loss.rows, loss.missing) == (file.path, "missing", 2, 2)
    assert (loss.since[:16], loss.until[:16]) == ("2026-01-05T00:00", "2026-01-05T00:09")
    assert loss.positions == ({"file": 2} if layout == "tail" else {})
    with pytest.warns(LostEventsWarning, match="lake: 2 events from 2026-01-05 to 2026-01-05"):
        again = LakeStore(lake.path)
    assert (ids(lake), again.scrub(), again.position("file")) == (["bob/0/view"], {}, 2)
    assert mended(lake).losses == ()  # once


def test_a_damaged_file_is_taken_out_too(lake):
    put(lake, {"ann": "view:0"})
    (file,) = lake.snapshot().files
    path = lake.root / file.path
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    (loss,) = mended(lake).losses
    assert ("checksum" in loss.reason, ids(lake)) == (True, [])


def test_a_commit_that_the_log_lost_is_found_in_its_file(lake):
    put(lake, {"ann": "view:0"})
    put(lake, {"bob": "view:0 buy:9"})
    lake.log.entry(2).unlink()
    done = mended(lake, file=3)
    assert (done.log_files, done.saved) == ((), 2)
    assert [loss.positions for loss in done.losses] == [{"file": 3}]
    assert (ids(lake), lake.position("file")) == (["ann/0/view", "bob/0/view", "bob/1/buy"], 1)
    with pytest.warns(LostEventsWarning, match="unknown number of events of file before 3"):
        again = LakeStore(lake.path)
    put(again, {"bob": "view:0 buy:9"})  # the export is read on from the position
    assert ids(lake) == ["ann/0/view", "bob/0/view", "bob/1/buy"]
    LakeStore(lake.path)  # without a warning


def test_events_keep_when_they_were_ingested(lake):
    put(lake, {"ann": "view:0"}, at=NOON)
    put(lake, {"bob": "view:0"}, at=NOON + timedelta(days=1))
    lake.log.entry(2).write_bytes(b"")
    mended(lake)
    assert LakeStore(lake.path).snapshot(known_at=NOON).query("SELECT user_id FROM events")["user_id"].to_pylist() == [
        "ann"
    ]


def test_a_log_cut_in_the_middle_gives_back_what_came_after(lake):
    for name in ("ann", "bob", "cy"):
        put(lake, {name: "view:0"})
    lake.maintain(full=True)
    put(lake, {"dan": "view:0"})
    lake.maintain(full=True)
    everybody = ids(lake)
    lake.log.entry(2).write_bytes(lake.log.entry(2).read_bytes()[:40])
    mended(lake)
    assert ids(lake) == everybody
    lake = LakeStore(lake.path)
    lake.maintain(full=True)
    assert (ids(lake), lake.scrub()) == (everybody, {})


def test_a_log_that_is_gone_altogether_is_made_anew_from_the_files(lake):
    for name in ("ann", "bob", "cy"):
        put(lake, {name: "view:0"})
    lake.maintain(full=True)
    put(lake, {"dan": "view:0"})
    everybody = ids(lake)
    shutil.rmtree(lake.log.folder)
    mended(lake)
    assert ids(lake) == everybody


def test_what_a_lost_merge_replaced_is_still_found_when_the_merged_file_is_gone_too(lake):
    for name in ("ann", "bob"):
        put(lake, {name: "view:0"})
    lake.log.entry(2).write_bytes(b"")
    stored = lake.root / "month=2026-01"
    with pytest.raises(StoreCorrupt):
        lake.maintain(full=True)
    assert not stored.exists()
    mended(lake)
    lake = LakeStore(lake.path)
    lake.maintain(full=True)
    everybody = ids(lake)
    merge = lake.log.entry(lake.snapshot().version)
    for path in stored.rglob("*.parquet"):
        path.unlink()
    merge.write_text("\n".join(merge.read_text().splitlines()[:-2]))
    mended(lake)
    assert (everybody, ids(lake)) == (["ann/0/view", "bob/0/view"], everybody)


def test_a_damaged_checkpoint_costs_nothing(lake):
    for number in range(110):
        lake.append_all(STORED_EVENT.empty_table(), moved={"t-0": (number, number + 1)})
    put(lake, {"ann": "view:0"})
    (checkpoint,) = lake.log.folder.glob("*.checkpoint.parquet")
    checkpoint.write_bytes(checkpoint.read_bytes()[:-50])
    assert mended(lake, file=1).losses == ()
    lake = LakeStore(lake.path)
    assert (ids(lake), lake.position("t-0")) == (["ann/0/view"], 110)


def test_what_expired_does_not_come_back(lake):
    put(lake, {"ann": "view:0 buy:90000"})
    put(lake, {"bob": "view:90000"})
    lake.expire(before=START + timedelta(days=40))
    put(lake, {"cy": "view:90000"})
    before = ids(lake)
    lake.log.entry(2).write_bytes(b"")
    mended(lake)
    assert ids(lake) == before


def test_a_repair_that_was_killed_is_ended_by_the_next(lake, monkeypatch):
    put(lake, {"ann": "view:0"})
    put(lake, {"bob": "view:0"})
    lake.log.entry(2).write_bytes(b"")
    with monkeypatch.context() as patch:
        patch.setattr(room, "_add_again", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            mended(lake)
    with pytest.raises(StoreCorrupt, match="repair that did not end"):
        LakeStore(lake.path)
    assert mended(lake).saved == 1
    assert ids(lake) == ["ann/0/view", "bob/0/view"]


def test_a_list_of_losses_that_cannot_be_read_is_named(lake):
    (lake.path / losses.FILE).write_text("[{")
    with pytest.raises(StoreCorrupt, match=r"losses\.json cannot be read"):
        LakeStore(lake.path)


steps = st.lists(st.sampled_from(["put", "maintain", "full", "expire"]), min_size=1, max_size=8)


@settings(max_examples=30, deadline=None)
@given(steps, st.floats(0, 1), st.floats(-0.1, 0.99))
def test_of_any_log_that_is_cut_anywhere_no_event_is_lost_or_doubled(tmp_path_factory, steps, place, share):
    lake = LakeStore(tmp_path_factory.mktemp("lake") / "lake")
    for number, step in enumerate(steps):
        if step == "put":
            put(lake, {f"u{number}": "view:0 buy:90000", "ann": "view:0"}, source=str(number % 2))
        elif step == "expire":
            lake.expire(before=START + timedelta(minutes=1))
        else:
            lake.maintain(full=step == "full")
    before = ids(lake)
    positions = {source: lake.position(source) for source in "01"}
    version = round(place * lake.snapshot().version)
    entry = lake.log.entry(version)
    kept = int(share * len(entry.read_bytes()))
    if share < 0:
        entry.unlink()
    else:
        entry.write_bytes(entry.read_bytes()[:kept])
    with pytest.raises(StoreCorrupt):
        LakeStore(lake.path)
    repair(lake.path, expected=positions, now=NOON)
    found = ids(lake)
    assert len(set(found)) == len(found)
    assert set(before) <= set(found)
    if "expire" not in steps:
        assert found == before
    assert all(
        SOURCE_START <= LakeStore(lake.path, check=False).position(source) <= positions[source] for source in "01"
    )
