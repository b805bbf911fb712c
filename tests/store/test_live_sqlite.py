"""What only a file does: it is beside the lake, it outlives its processes, it may be full or no such file at all."""

from __future__ import annotations

import gc
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.store.deliveries import put, told
from workbench.errors import InvalidArgument, StoreError, StoreFull, StoreNotFound, StoreTooNew
from workbench.store.live import STATE, Changes
from workbench.store.live_open import open_live
from workbench.store.live_sqlite import SQLiteBlobs
from workbench.store.live_state import Policy

ROOT = Path(__file__).parents[2]
WRITER = """
import sys
from tests.store.deliveries import put
from workbench.store.live_open import open_live
from pathlib import Path
live = open_live("sqlite", lake=Path(sys.argv[1]))
while True:
    turn = live.position("events-0")
    put(live, {f"user {turn}": "view:3", f"user {turn + 1}": "view:63"})
    print(turn + 2, flush=True)
"""


def test_the_file_is_beside_the_lake_and_made_when_it_is_written_to(tmp_path):
    with pytest.raises(StoreNotFound, match=r"live\.db.*workbench stream"):
        open_live("sqlite", lake=tmp_path, create=False)
    put(open_live("sqlite", lake=tmp_path), {"ann": "view:0"})
    assert len(told(open_live("sqlite", lake=tmp_path, create=False).picture())) == 1


def test_another_kind_of_place_is_refused(tmp_path):
    with pytest.raises(InvalidArgument, match=r"'sqlite'.*redis://"):
        open_live("memcached://here", lake=tmp_path)


def test_a_file_that_is_something_else_is_named(tmp_path):
    (tmp_path / "live.db").write_text("no database, but long enough to be taken for one" * 40)
    with pytest.raises(StoreError, match=r"live\.db: file is not a database"):
        open_live("sqlite", lake=tmp_path)


def test_numbers_of_a_newer_version_are_not_touched(tmp_path):
    live = open_live("sqlite", lake=tmp_path)
    newer = b"\x82\xaageneration\xa1x\xa6layout\x63"
    live.blobs.change(lambda _: (Changes(put={(STATE, STATE): newer}), None))
    with pytest.raises(StoreTooNew, match="layout 99"):
        live.position("events-0")


def test_a_full_disk_is_called_by_its_name_and_nothing_of_the_batch_remains(tmp_path):
    live = open_live("sqlite", lake=tmp_path)
    put(live, {"ann": "view:0"})
    live.blobs._connection.execute("PRAGMA max_page_count = 20")
    with pytest.raises(StoreFull, match=r"live\.db.*full"):
        put(live, {f"user {n}": "view:0" for n in range(20_000)})
    assert live.position("events-0") == 1


def test_windows_outlive_a_killed_writer_and_count_whole_batches(tmp_path):
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", WRITER, tmp_path], cwd=ROOT, stdout=subprocess.PIPE) as writer:
            lines = [writer.stdout.readline() for _ in range(5)]
            os.kill(writer.pid, signal.SIGKILL)
            lines += writer.stdout.readlines()
        live = open_live("sqlite", lake=tmp_path)
        position, counts = live.position("events-0"), told(live.picture())
        assert position >= int([line for line in lines if line.endswith(b"\n")][-1])
        assert {sum(cell.values()) for cell in counts.values()} == {position // 2}
        live.close()


def test_a_reader_does_not_wait_for_a_writer(tmp_path):
    writer, reader = open_live("sqlite", lake=tmp_path), open_live("sqlite", lake=tmp_path, create=False)
    put(writer, {"ann": "view:0"})
    seen = writer.blobs.change(lambda _: (Changes(), reader.position("events-0")))
    assert seen == 1


@pytest.mark.parametrize("wrong", [{"lateness": -1}, {"horizon": 59}, {"idle": 0}, {"lateness": 100, "horizon": 90}])
def test_windows_that_make_no_sense_are_refused(wrong):
    with pytest.raises(InvalidArgument, match="lateness >= 0"):
        Policy(**wrong)


def test_a_file_that_nobody_closed_is_closed_with_the_last_reference(tmp_path):
    blobs = SQLiteBlobs(tmp_path / "live.db")
    connection = blobs._connection
    del blobs
    gc.collect()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


def test_what_is_no_database_is_left_closed(tmp_path, monkeypatch):
    connections, connect = [], sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connections.append(connect(*a, **k)) or connections[-1])
    (tmp_path / "live.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError):
        SQLiteBlobs(tmp_path / "live.db")
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connections[0].execute("SELECT 1")
