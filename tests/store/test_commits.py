from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from workbench.errors import StoreCorrupt, StoreError
from workbench.events import to_table
from workbench.store import commits, files, maintenance
from workbench.store.base import as_stored
from workbench.store.lake import LakeStore
from workbench.testing import events_of

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def batch(journeys, start=0):
    table = to_table(events_of(journeys))
    return table.append_column("position", pa.array(range(start, start + table.num_rows), pa.int64()))


def put(lake, journeys, *, source="file"):
    start = lake.position(source)
    table = batch(journeys, start)
    lake.append(table, source=source, start=start, end=start + table.num_rows, ingested_at=NOON)


def ids(lake):
    return sorted(LakeStore(lake.path).snapshot().query("SELECT event_id FROM events")["event_id"].to_pylist())


@pytest.fixture
def lake(tmp_path):
    return LakeStore(tmp_path / "lake")


@pytest.fixture
def deleted_before_commit(monkeypatch):
    """What a tool that cleans up does at the worst moment: files go between their writing and their commit."""
    write = commits._write

    def cleaned(table, actions, moved, **options):
        monkeypatch.setattr(commits, "_write", write)
        for action in actions:
            if isinstance(action, files.AddAction):
                (lake_root(table) / action.path).unlink()
        write(table, actions, moved, **options)

    def lake_root(table):
        return Path(table.table_uri.removeprefix("file://"))

    return lambda: monkeypatch.setattr(commits, "_write", cleaned)


def test_a_commit_of_which_a_file_is_gone_is_undone_and_can_be_made_again(lake, deleted_before_commit):
    put(lake, {"ann": "view:0"})
    deleted_before_commit()
    with pytest.raises(StoreError, match=r"1 file\(s\) were deleted before their commit ended.*run again"):
        put(lake, {"bob": "view:0 buy:9"})
    assert (lake.position("file"), ids(lake), lake.scrub()) == (1, ["ann/0/view"], {})
    put(lake, {"bob": "view:0 buy:9"})
    assert (lake.position("file"), ids(lake)) == (3, ["ann/0/view", "bob/0/view", "bob/1/buy"])


def test_maintenance_of_which_a_file_is_gone_is_undone(lake, deleted_before_commit):
    put(lake, {"ann": "view:0", "bob": "view:0"})
    deleted_before_commit()
    with pytest.raises(StoreError, match="run again"):
        lake.maintain()
    lake.vacuum(grace_hours=0)
    assert (ids(lake), lake.scrub()) == (["ann/0/view", "bob/0/view"], {})
    assert lake.maintain() == 0
    assert ids(lake) == ["ann/0/view", "bob/0/view"]


def test_a_lost_file_from_which_another_went_on_is_not_taken_back(lake, deleted_before_commit, monkeypatch):
    undo = commits._undo

    def late(*arguments):
        # all of this batch was rejected: no id is looked up, and so nobody sees that a file is gone
        LakeStore(lake.path).append(batch({}), source="file", start=1, end=2, ingested_at=NOON)
        undo(*arguments)

    monkeypatch.setattr(commits, "_undo", late)
    deleted_before_commit()
    with pytest.raises(StoreCorrupt, match="went on from it: run `workbench doctor --repair`"):
        put(lake, {"bob": "view:0"})
    assert lake.position("file") == 2


def written(lake, journeys):
    """A file that is durable and not committed yet."""
    stored = as_stored(batch(journeys), source="file", ingested_at=NOON)
    return files.write(stored, lake.root, month=files.TAIL, bucket=files.TAIL_BUCKET)


@pytest.mark.parametrize("days", [-3, 0, 3])
@pytest.mark.parametrize("grace", [0, 24])
def test_vacuum_leaves_what_is_about_to_be_committed_whatever_its_clock_says(lake, monkeypatch, days, grace):
    put(lake, {"ann": "view:0"})
    table, action, now = lake._table(), written(lake, {"bob": "view:0"}), time.time()
    monkeypatch.setattr(maintenance.time, "time", lambda: now + days * 86_400)
    assert LakeStore(lake.path).vacuum(grace_hours=grace) == []
    commits.commit(table, [action], {"other": 1})
    assert (ids(lake), lake.scrub()) == (["ann/0/view", "bob/0/view"], {})


@pytest.mark.parametrize(("hours", "goes"), [(-23, False), (-25, True), (72, False)])
def test_what_no_commit_named_stays_for_a_day_before_the_newest_commit(lake, hours, goes):
    put(lake, {"ann": "view:0"})
    action = written(lake, {"bob": "view:0"})
    at = time.time() + hours * 3600
    os.utime(lake.root / action.path, (at, at))
    assert (lake.vacuum(grace_hours=0) == [lake.root / action.path]) == goes


def test_vacuum_waits_for_writers_and_writers_for_vacuum(lake, monkeypatch):
    put(lake, {"ann": "view:0"})
    order, write, inside = [], files.write, threading.Event()

    def slow(*arguments, **options):
        action = write(*arguments, **options)
        os.utime(lake.root / action.path, (0, 0))  # by its age alone it would go
        inside.set()
        time.sleep(0.5)
        order.append("written")
        return action

    monkeypatch.setattr(files, "write", slow)
    writer = threading.Thread(target=put, args=(lake, {"bob": "view:0"}))
    writer.start()
    inside.wait()
    assert LakeStore(lake.path).vacuum(grace_hours=0) == []
    order.append("vacuumed")
    writer.join()
    assert (order, ids(lake)) == (["written", "vacuumed"], ["ann/0/view", "bob/0/view"])


def test_a_part_of_an_hour_of_grace_is_no_less_than_it(lake):
    put(lake, {"ann": "view:0"})
    old = lake.snapshot()
    for path in lake.root.rglob("*.parquet"):
        os.utime(path, (time.time() - 7200, time.time() - 7200))
    lake.maintain()
    assert lake.vacuum(grace_hours=0.5) == []
    assert old.query("SELECT * FROM events").num_rows == 1


def test_files_are_removed_for_readers_by_the_grace(lake):
    put(lake, {"ann": "view:0"})
    lake.maintain()
    (tail,) = (lake.root / "month=tail").rglob("*.parquet")
    assert lake.vacuum(grace_hours=24) == []
    assert lake.vacuum(grace_hours=0) == [tail]


def test_a_compaction_meanwhile_is_no_conflict_of_an_append(lake, monkeypatch):
    put(lake, {"ann": "view:0"})
    write = files.write

    def compacted_meanwhile(*arguments, **options):
        monkeypatch.setattr(files, "write", write)
        LakeStore(lake.path).maintain(full=True)
        return write(*arguments, **options)

    monkeypatch.setattr(files, "write", compacted_meanwhile)
    put(lake, {"bob": "view:0"})
    assert (ids(lake), lake.position("file")) == (["ann/0/view", "bob/0/view"], 2)
