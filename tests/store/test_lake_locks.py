from __future__ import annotations

import multiprocessing
import time

import pytest

from workbench.errors import StoreError
from workbench.store import lake_locks
from workbench.store.lake import LakeStore
from workbench.store.lake_locks import LakeLocks


@pytest.fixture
def lake(tmp_path):
    return LakeStore(tmp_path / "lake")


def test_vacuum_gives_up_on_a_writer_that_does_not_end(lake, monkeypatch):
    monkeypatch.setattr(lake_locks, "VACUUM_SECONDS", 0.05)
    with lake.locks.writing(), pytest.raises(StoreError, match=r"write\.lock was held by another process"):
        LakeStore(lake.path).vacuum()
    assert lake.vacuum() == []


def test_vacuum_waits_for_maintenance_without_keeping_writers_out(lake, monkeypatch):
    monkeypatch.setattr(lake_locks, "MAINTENANCE_SECONDS", 0.05)
    with lake.locks.maintaining():
        with pytest.raises(StoreError, match=r"maintenance\.lock was held"):
            LakeStore(lake.path).vacuum()
        with LakeLocks(lake.path).writing():
            pass


def test_writers_go_on_beside_each_other(lake):
    with lake.locks.writing(), lake.locks.maintaining(), LakeLocks(lake.path).writing():
        pass


def test_nobody_writes_while_vacuum_deletes(lake, monkeypatch):
    monkeypatch.setattr(lake_locks, "WRITER_SECONDS", 0.05)
    with lake.locks.vacuuming():
        for lock in (LakeLocks(lake.path).writing, LakeLocks(lake.path).maintaining):
            with pytest.raises(StoreError, match="was held by another process"), lock():
                pass


def hold(path, ready):
    with LakeLocks(path).writing():
        ready.set()
        time.sleep(60)


def test_a_lock_ends_with_the_process_that_was_killed(lake):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    writer = context.Process(target=hold, args=(lake.path, ready), daemon=True)
    writer.start()
    assert ready.wait(60)
    writer.kill()
    writer.join()
    with lake.locks.vacuuming():
        pass


def test_a_lake_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "locks").write_text("not a folder")
    with pytest.raises(StoreError, match=f"cannot write to {tmp_path}"), LakeLocks(tmp_path).writing():
        pass
