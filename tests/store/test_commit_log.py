from __future__ import annotations

import shutil
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from workbench.errors import InvalidArgument, StoreCorrupt
from workbench.events import to_table
from workbench.store import commit_log, maintenance
from workbench.store.base import STORED_EVENT
from workbench.store.commit_log import CommitLog
from workbench.store.lake import LakeStore
from workbench.testing import events_of

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def put(lake, journeys, *, source="file"):
    start = lake.position(source)
    table = to_table(events_of(journeys))
    end = start + table.num_rows
    table = table.append_column("position", pa.array(range(start, end), pa.int64()))
    lake.append(table, source=source, start=start, end=end, ingested_at=NOON)


@pytest.fixture
def lake(tmp_path):
    """A lake of five versions: made, then four people one after the other."""
    lake = LakeStore(tmp_path / "lake")
    for name in ("ann", "bob", "cy", "dan"):
        put(lake, {name: "view:0"})
    return lake


def emptied(path):
    path.write_bytes(b"")


def cut_in_a_line(path):
    path.write_bytes(path.read_bytes()[:-30])


def cut_between_lines(path):
    path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")


def flipped(path):
    content = bytearray(path.read_bytes())
    content[content.index(b"numRecords") + 15] ^= 1
    path.write_bytes(content)


def deleted(path):
    path.unlink()


DAMAGES = [emptied, cut_in_a_line, cut_between_lines, flipped, deleted]


@pytest.mark.parametrize("version", [4, 2])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_log_is_refused_and_never_shows_the_version_before(lake, damage, version):
    damage(lake.log.entry(version))
    with pytest.raises(StoreCorrupt, match=f"log entry 0*{version}.json is .*doctor --repair"):
        LakeStore(lake.path, create=False)
    with pytest.raises(StoreCorrupt, match="doctor --repair"):
        LakeStore(lake.path)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_process_that_has_the_lake_open_neither_reads_nor_writes_past_a_damage_of_the_newest(lake, damage):
    other = LakeStore(lake.path)
    put(lake, {"eve": "view:0"})
    damage(lake.log.entry(5))
    with pytest.raises(StoreCorrupt, match="nothing is answered or written"):
        other.snapshot()
    with pytest.raises(StoreCorrupt, match="nothing is answered or written"):
        put(other, {"fay": "view:0"})


def test_a_log_that_is_gone_altogether_is_no_empty_lake(lake):
    shutil.rmtree(lake.log.folder)
    with pytest.raises(StoreCorrupt, match="missing"):
        LakeStore(lake.path)


def test_an_older_version_is_checked_too(lake):
    lake.append_all(STORED_EVENT.empty_table(), moved={"t-0": (0, 1)})
    for number in range(1, 101):
        lake.append_all(STORED_EVENT.empty_table(), moved={"t-0": (number, number + 1)})
    assert lake.snapshot(version=3).total == 3
    emptied(lake.log.entry(2))
    reader = LakeStore(lake.path)  # the newest begins at a checkpoint
    assert reader.snapshot().total == 4
    with pytest.raises(StoreCorrupt, match=r"2\.json is empty"):
        reader.snapshot(version=3)


def test_a_damaged_checkpoint_is_refused(lake):
    for number in range(110):
        lake.append_all(STORED_EVENT.empty_table(), moved={"t-0": (number, number + 1)})
    (checkpoint,) = lake.log.folder.glob("*.checkpoint.parquet")
    content = bytearray(checkpoint.read_bytes())
    content[len(content) // 3] ^= 1
    checkpoint.write_bytes(content)
    with pytest.raises(StoreCorrupt, match=r"checkpoint\.parquet is not as it was committed"):
        LakeStore(lake.path)


def test_a_lake_without_a_journal_is_opened_unless_an_entry_is_no_json(lake):
    lake.log.journal.unlink()
    assert LakeStore(lake.path).snapshot().total == 4
    emptied(lake.log.entry(3))
    with pytest.raises(StoreCorrupt, match=r"3\.json is empty"):
        LakeStore(lake.path)


def test_a_damaged_line_of_the_journal_is_no_fault_of_the_log(lake):
    content = bytearray(lake.log.journal.read_bytes())
    content[-60] ^= 1
    lake.log.journal.write_bytes(content)
    assert LakeStore(lake.path).snapshot().total == 4


def test_a_line_that_a_full_disk_cut_does_not_spoil_the_next(lake):
    with lake.log.journal.open("ab") as stream:
        stream.write(b"\n0000000000000000")
    put(lake, {"eve": "view:0"})
    emptied(lake.log.entry(5))
    with pytest.raises(StoreCorrupt, match=r"5\.json is empty, .* bytes were committed"):
        LakeStore(lake.path)


def test_commits_sync_their_log_and_its_folder(lake, monkeypatch):
    synced = []
    monkeypatch.setattr(commit_log, "sync_folder", synced.append)
    content = commit_log.sync
    monkeypatch.setattr(commit_log, "sync", lambda path: synced.append(path) or content(path))
    put(lake, {"eve": "view:0"})
    assert synced == [lake.log.entry(5), lake.log.folder]


def test_a_journal_that_has_grown_is_trimmed_by_vacuum(lake, monkeypatch):
    monkeypatch.setattr(commit_log, "_KEPT_BYTES", 300)
    monkeypatch.setattr(commit_log, "_TAIL_BYTES", 200)
    lake.vacuum()
    assert lake.log.journal.stat().st_size <= 201
    emptied(lake.log.entry(4))
    with pytest.raises(StoreCorrupt, match=r"4\.json is empty, .* bytes were committed"):
        LakeStore(lake.path)


def test_a_reader_that_slept_while_the_log_was_trimmed_goes_on(lake):
    sleeper = LakeStore(lake.path)
    for number in range(230):
        lake.append_all(STORED_EVENT.empty_table(), moved={"t-0": (number, number + 1)})
    assert maintenance.trim_log(lake.root, versions=100)
    assert sleeper.position("t-0") == 230
    assert CommitLog(lake.root).faults() == []
    with pytest.raises(InvalidArgument, match="no longer kept"):
        sleeper.snapshot(version=20)
