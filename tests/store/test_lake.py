from __future__ import annotations

import errno
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import CommitProperties, Transaction, write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.errors import (
    InvalidArgument,
    StoreConflict,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreNotFound,
    StoreTooNew,
)
from workbench.events import to_table
from workbench.store import base as store_room
from workbench.store import maintenance
from workbench.store.base import STORED_EVENT, as_stored
from workbench.store.files import LakeFile
from workbench.store.keys import user_key
from workbench.store.lake import LakeStore
from workbench.testing import START, events_of

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path):
    return LakeStore(tmp_path / "lake")


def batch(journeys, *, start=0, **fields):
    table = to_table(events_of(journeys, **fields))
    return table.append_column("position", pa.array(range(start, start + table.num_rows), pa.int64()))


def put(lake, journeys, *, source="file", at=NOON, **fields):
    start = lake.position(source)
    events = batch(journeys, start=start, **fields)
    lake.append(events, source=source, start=start, end=start + events.num_rows, ingested_at=at)


def told(lake, **seen):
    rows = lake.snapshot(**seen).query("SELECT event_id, event_type FROM events ORDER BY event_id").to_pylist()
    return {row["event_id"]: row["event_type"] for row in rows}


def test_an_empty_lake_answers_with_no_events(lake):
    assert lake.snapshot().query("SELECT * FROM events").num_rows == 0


def test_events_and_the_position_of_their_source_arrive_together(lake):
    put(lake, {"ann": "view:0 buy:9"})
    assert len(told(lake)) == 2
    assert lake.position("file") == 2


def test_a_batch_of_which_all_was_rejected_moves_the_position_alone(lake):
    lake.append(batch({}), source="file", start=0, end=7, ingested_at=NOON)
    assert (lake.position("file"), told(lake)) == (7, {})


def test_a_batch_that_was_committed_before_is_refused(lake):
    put(lake, {"ann": "view:0"})
    with pytest.raises(StoreConflict, match="committed up to 1, not 0"):
        lake.append(batch({"ann": "view:0"}), source="file", start=0, end=1, ingested_at=NOON)


def test_of_two_writers_of_one_source_one_wins(lake, monkeypatch):
    stale = lake._table()
    put(lake, {"ann": "view:0"})
    monkeypatch.setattr(lake, "_table", lambda: stale)
    with pytest.raises(StoreConflict, match="first"):
        lake.append(batch({"bob": "view:0"}), source="file", start=0, end=1, ingested_at=NOON)
    assert list(told(LakeStore(lake.path))) == ["ann/0/view"]


@pytest.mark.parametrize("maintained", [False, True])
def test_of_an_event_sent_twice_the_first_ingested_counts(lake, maintained):
    put(lake, {"ann": "view:0"}, source="early", platform="discord")
    if maintained:
        lake.maintain()
    put(lake, {"ann": "view:0"}, source="late", platform="web", at=NOON + timedelta(hours=1))
    assert (lake.maintain() == 1) or not maintained
    assert lake.snapshot().query("SELECT platform FROM events").to_pylist() == [{"platform": "discord"}]


def test_repeats_are_dropped_and_counted_by_maintenance(lake):
    for source in "abc":
        put(lake, {"ann": "view:0 buy:9"}, source=source)
    assert (lake.maintain(), lake.maintain(), len(told(lake))) == (4, 0, 2)


journeys = st.dictionaries(st.sampled_from(["ann", "bob", "cy"]), st.sampled_from(["v:0", "v:0 b:9", "v:99999 b:0"]))
jobs = st.lists(st.one_of(journeys, st.sampled_from(["maintain", "full"])), max_size=8)


@settings(max_examples=25, deadline=None)
@given(jobs)
def test_maintenance_never_changes_an_answer(tmp_path_factory, jobs):
    lake, expected = LakeStore(tmp_path_factory.mktemp("lake")), {}
    for number, job in enumerate(jobs):
        if isinstance(job, str):
            lake.maintain(full=job == "full")
            continue
        put(lake, job, source=str(number), at=NOON + timedelta(hours=number))
        expected = {event.event_id: event.event_type for event in events_of(job)} | expected
        assert told(lake) == expected
    assert told(lake) == expected


def test_a_cell_is_sorted_by_user_then_time(lake):
    put(lake, dict.fromkeys(("ann", "bob", "cy", "dan"), "b:9 a:3 c:9"), source="one")
    put(lake, dict.fromkeys(("ann", "bob", "cy", "dan"), "d:4"), source="two")
    lake.maintain(full=True)
    for file in lake.snapshot().files:
        rows = pq.read_table(lake.root / file.path, partitioning=None).select(["user_key", "occurred_at"]).to_pylist()
        keys = [(row["user_key"], row["occurred_at"]) for row in rows]
        assert keys == sorted(keys)
    assert len({(file.month, file.bucket) for file in lake.snapshot().files}) == len(lake.snapshot().files)


def sizes(*rows):
    """Files of one cell with so many events each."""
    return [LakeFile(f"{number}", "2026-11", 3, count, count, 0) for number, count in enumerate(rows)]


@pytest.mark.parametrize(
    ("rows", "merged"),
    [
        ((10, 10, 10, 10), []),
        ((10, 10, 10, 10, 10), [10, 10, 10, 10, 10]),
        ((10, 10, 10, 10, 10, 90), [10, 10, 10, 10, 10, 90]),
        ((5_000, 10, 10, 10, 10, 10), [10, 10, 10, 10, 10]),
        ((10, 30, 90, 270, 810), []),
        ((600_000, 600_000, 600_000, 600_000, 600_000), []),
        ((300_000,) * 8, [300_000] * 6),
    ],
)
def test_files_that_are_alike_are_merged_and_large_ones_left_alone(rows, merged):
    groups = maintenance._crowded(sizes(*rows), maintenance.RUNS)
    assert [file.rows for group in groups for file in group] == merged
    everything = maintenance._crowded(sizes(*rows), 1)
    assert sorted(file.rows for group in everything for file in group) == sorted(rows)


def test_an_old_version_reads_the_same_after_maintenance(lake):
    put(lake, {"ann": "view:0"})
    before = lake.snapshot()
    put(lake, {"bob": "view:0"})
    lake.maintain(full=True)
    assert told(lake, version=before.version) == {"ann/0/view": "view"}
    with pytest.raises(InvalidArgument, match="versions are 0 to"):
        lake.snapshot(version=99)


def test_events_are_seen_as_they_were_known(lake):
    put(lake, {"ann": "view:0"}, at=NOON)
    put(lake, {"bob": "view:0"}, source="late", at=NOON + timedelta(days=1))
    assert list(told(lake, known_at=NOON)) == ["ann/0/view"]
    lake.maintain(full=True)
    assert list(told(lake, known_at=NOON)) == ["ann/0/view"]
    assert told(lake, known_at=NOON - timedelta(days=1)) == {}


def test_two_maintenance_jobs_at_once_double_nothing(lake, monkeypatch):
    put(lake, {"ann": "view:0 buy:9"})
    stale = lake._table()
    other = LakeStore(lake.path)
    other.maintain()
    monkeypatch.setattr(lake, "_table", lambda: stale)
    assert lake.maintain() == 0
    assert other.snapshot().query("SELECT count(*) AS n FROM events").to_pylist() == [{"n": 2}]


def test_a_flipped_byte_is_found_and_never_rewritten(lake):
    put(lake, {"ann": "view:0"})
    assert lake.scrub() == {}
    (file,) = lake.snapshot().files
    path = lake.root / file.path
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert "was committed" in lake.scrub()[file.path]
    with pytest.raises(StoreCorrupt, match="doctor --repair"):
        lake.maintain()


def test_a_question_that_meets_a_damaged_file_says_so(lake):
    put(lake, {"ann": "view:0"})
    lake.maintain()
    (file,) = lake.snapshot().files
    (lake.root / file.path).write_bytes(b"not Parquet at all")
    with pytest.raises(StoreCorrupt, match="bytes were committed"):
        LakeStore(lake.path).snapshot().query("SELECT * FROM events")


def test_a_missing_file_is_named(lake):
    put(lake, {"ann": "view:0"})
    lake.maintain()
    (file,) = lake.snapshot().files
    (lake.root / file.path).unlink()
    assert lake.scrub() == {file.path: "missing"}
    with pytest.raises(StoreCorrupt, match="is missing"):
        LakeStore(lake.path).snapshot().query("SELECT count(*) FROM events")


def test_expiry_drops_what_is_older_to_the_minute(lake):
    put(lake, {"ann": "view:0 view:5 buy:90000"})
    assert lake.expire(before=START + timedelta(minutes=5)) == 1
    assert list(told(lake)) == ["ann/1/view", "ann/2/buy"]
    assert lake.expire(before=START + timedelta(days=60)) == 1
    assert lake.expire(before=START) == 0


def test_vacuum_leaves_what_a_reader_may_still_need(lake):
    put(lake, {"ann": "view:0"})
    old = lake.snapshot()
    lake.maintain()
    (lake.root / "month=tail" / "killed.tmp").write_bytes(b"half a file")
    assert lake.vacuum() == []
    assert old.query("SELECT * FROM events").num_rows == 1
    version = lake.snapshot().version
    assert {path.suffix for path in lake.vacuum(grace_hours=0)} == {".parquet"}
    two_days_ago = datetime.now(UTC).timestamp() - 48 * 3600
    os.utime(lake.root / "month=tail" / "killed.tmp", (two_days_ago, two_days_ago))
    assert {path.name for path in lake.vacuum(grace_hours=24)} == {"killed.tmp"}
    assert (lake.scrub(), lake.snapshot().version) == ({}, version)
    with pytest.raises(StoreCorrupt, match="vacuum"):
        LakeStore(lake.path).snapshot(version=1).query("SELECT * FROM events")


@pytest.mark.parametrize("grace", [-1, 27, float("nan")])
def test_vacuum_promises_no_longer_grace_than_the_log_remembers(lake, grace):
    with pytest.raises(InvalidArgument, match="0 to 26"):
        lake.vacuum(grace_hours=grace)


def test_the_log_of_versions_long_past_is_trimmed_and_the_newest_open_as_before(lake):
    for number in range(230):
        lake.append_all(STORED_EVENT.empty_table(), moved={"t-0": (number, number + 1)})
    newest = lake.snapshot().data_version
    assert maintenance.trim_log(lake.root, versions=100) == 99  # all before the checkpoint
    assert maintenance.trim_log(lake.root, versions=100) == 0
    assert (lake.position("t-0"), lake.snapshot().data_version) == (230, newest)
    assert lake.snapshot(version=120)
    with pytest.raises(InvalidArgument, match="no longer kept"):
        lake.snapshot(version=20)
    lake.append_all(STORED_EVENT.empty_table(), moved={"t-0": (230, 231)})
    assert lake.position("t-0") == 231


def test_a_full_disk_keeps_nothing_of_the_batch(lake, monkeypatch):
    def full(table, path, **_):
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(StoreFull, match="no space left"):
        put(lake, {"ann": "view:0"})
    assert (lake.position("file"), told(lake), list(lake.root.rglob("*.tmp"))) == (0, {}, [])


def test_a_lake_of_a_newer_workbench_is_refused(lake):
    table = lake._table()
    newer = CommitProperties(app_transactions=[Transaction("workbench.layout", 2)])
    table.create_write_transaction([], mode="append", schema=table.schema(), commit_properties=newer)
    with pytest.raises(StoreTooNew, match="upgrade"):
        LakeStore(lake.path)


def test_what_is_no_lake_is_left_alone(tmp_path):
    with pytest.raises(StoreNotFound, match="workbench ingest"):
        LakeStore(tmp_path / "none", create=False)
    write_deltalake(tmp_path / "foreign" / "events", pa.table({"a": [1]}))
    with pytest.raises(StoreError, match="did not make"):
        LakeStore(tmp_path / "foreign")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match="not a lake"):
        LakeStore(tmp_path / "notes.txt")


def test_a_question_can_only_read_the_lake(lake):
    put(lake, {"ann": "view:0"})
    snapshot = lake.snapshot()
    with pytest.raises(InvalidArgument, match="one SELECT"):
        snapshot.query("COPY events TO '/tmp/stolen.csv'")
    with pytest.raises(Exception, match="disabled by configuration"):
        snapshot.query("SELECT * FROM read_text('/etc/passwd')")


def test_the_name_of_a_version_is_not_shared_by_two_lakes(lake, tmp_path):
    other = LakeStore(tmp_path / "other")
    put(lake, {"ann": "view:0"})
    put(other, {"bob": "view:0"})
    assert lake.snapshot().data_version != other.snapshot().data_version


@pytest.fixture
def bulk(monkeypatch):
    monkeypatch.setattr(maintenance, "BULK", 2)


def test_a_large_batch_is_sorted_at_once_without_its_repeats(lake, bulk):
    put(lake, {"ann": "view:0 buy:9"}, source="one")
    assert not any(file.in_tail for file in lake.snapshot().files)
    again = batch({"ann": "view:0 buy:9", "bob": "view:0"})
    assert lake.append(again, source="two", start=0, end=3, ingested_at=NOON) == 2
    assert sorted(told(lake)) == ["ann/0/view", "ann/1/buy", "bob/0/view"]


def test_a_large_batch_waits_behind_what_arrived_before_it(lake, bulk):
    put(lake, {"ann": "view:0"}, source="early", platform="discord")
    put(lake, {"ann": "view:0", "bob": "view:0"}, source="late", platform="web")
    assert (lake.maintain(), len(told(lake))) == (1, 2)
    rows = lake.snapshot().query("SELECT platform FROM events WHERE user_id = 'ann'").to_pylist()
    assert rows == [{"platform": "discord"}]


def test_a_large_batch_of_a_source_that_another_took_is_refused(lake, bulk, monkeypatch):
    stale = lake._table()
    put(lake, {"ann": "view:0 buy:1"})
    opened = iter([stale, LakeStore(lake.path)._table()])
    monkeypatch.setattr(lake, "_table", lambda: next(opened))
    with pytest.raises(StoreConflict):
        lake.append(batch({"ann": "view:0 buy:1"}), source="file", start=0, end=2, ingested_at=NOON)


@pytest.fixture
def parted(monkeypatch):
    monkeypatch.setattr(store_room, "FEW_ROWS", 1)


def halved(lake):
    """Put in people of whom half was sorted into cells, of two months, and half waits."""
    people = {f"user {number}": "view:0 view:60000 buy:90000" for number in range(40)}
    put(lake, people)
    lake.maintain()
    put(lake, dict.fromkeys(people, "late:1"), at=NOON + timedelta(days=1))
    return people


def test_all_of_a_person_is_in_one_part_and_every_event_in_some(lake, parted):
    people, snapshot = halved(lake), lake.snapshot()
    assert snapshot.parts == 4
    seen = [snapshot.query("SELECT user_id, event_id FROM events", part=part) for part in range(snapshot.parts)]
    parts = [set(part["user_id"].to_pylist()) for part in seen]
    assert sum(map(len, parts)) == len(set().union(*parts)) == len(people)
    assert {event for part in seen for event in part["event_id"].to_pylist()} == set(told(lake))


def test_columns_are_scanned_as_they_are_asked_for(lake, parted):
    people, whole = halved(lake), lake.snapshot()
    some = whole.only(np.array([user_key(who) for who in [*people][:7]]), people="some")
    columns = ["event_type", "occurred_at", "user_key", "platform"]
    for snapshot in (whole, lake.snapshot(known_at=NOON), some, some.known(NOON)):
        for part in range(snapshot.parts):
            asked = snapshot.query(f"SELECT {', '.join(columns)} FROM events", part=part)
            scanned = snapshot.scan(columns, part=part).cast(asked.schema)
            by = [(name, "ascending") for name in columns]
            assert scanned.sort_by(by).to_pylist() == asked.sort_by(by).to_pylist()


def test_a_damaged_file_is_named_when_it_is_scanned(lake):
    put(lake, {"ann": "view:0"})
    lake.maintain()
    snapshot = lake.snapshot()
    (lake.root / snapshot.files[0].path).write_bytes(b"PAR1")
    with pytest.raises(StoreCorrupt, match="not as they were committed"):
        snapshot.scan(["user_key"], part=0)


def test_what_waits_is_handed_out_by_person(lake):
    put(lake, {f"user {number}": "view:5 view:1" for number in range(20)})
    keys = lake.snapshot().scan(["user_key"], part=0)["user_key"].to_pylist()
    assert keys == sorted(keys)


def test_a_part_is_as_known_at_an_instant_too(lake):
    put(lake, {"ann": "view:0"})
    put(lake, {"ann": "buy:1"}, at=NOON + timedelta(days=1))
    snapshot = lake.snapshot(known_at=NOON)
    counts = [
        snapshot.query("SELECT count(*) AS n FROM events", part=part)["n"][0].as_py() for part in range(snapshot.parts)
    ]
    assert sum(counts) == 1


def several(**journeys):
    """Return events of several sources: one a keyword, with the person of that name."""
    tables = [
        as_stored(batch({name: journey}), source=name, ingested_at=NOON)
        for name, journey in journeys.items()
        if journey
    ]
    return pa.concat_tables([STORED_EVENT.empty_table(), *tables])


def test_events_of_several_sources_arrive_together_with_all_their_positions(lake):
    lake.append_all(several(ann="view:0 buy:1", bob="view:2"), moved={"ann": (0, 2), "bob": (0, 5), "cy": (0, 3)})
    assert [lake.position(source) for source in ("ann", "bob", "cy")] == [2, 5, 3]
    rows = lake.snapshot().query("SELECT source, position FROM events ORDER BY ALL").to_pylist()
    assert [tuple(row.values()) for row in rows] == [("ann", 0), ("ann", 1), ("bob", 0)]
    assert lake.snapshot().version == 1


def test_when_one_of_several_sources_was_taken_nothing_of_the_others_is_kept(lake):
    lake.append_all(several(bob="view:2"), moved={"bob": (0, 5)})
    with pytest.raises(StoreConflict, match="bob is committed up to 5, not 0"):
        lake.append_all(several(ann="view:0", bob="view:2"), moved={"ann": (0, 1), "bob": (0, 5)})
    assert [lake.position(source) for source in ("ann", "bob")] == [0, 5]
    assert len(told(lake)) == 1


def test_writers_of_different_sources_do_not_hinder_each_other(lake, monkeypatch):
    other = LakeStore(lake.path)
    opened = lake._table()
    other.append_all(several(bob="view:0"), moved={"bob": (0, 1)})
    monkeypatch.setattr(lake, "_table", lambda: opened)
    lake.append_all(several(ann="view:0"), moved={"ann": (0, 1)})
    assert len(told(other)) == 2
