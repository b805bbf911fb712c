"""Events that Spark deleted by a deletion vector stay deleted, for every reader."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store import foreign
from workbench.errors import StoreConflict, StoreCorrupt
from workbench.events import to_table
from workbench.store import copying, deletion_vectors, files
from workbench.store.lake import LakeStore
from workbench.testing import START, events_of

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path):
    return LakeStore(tmp_path / "lake")


def put(lake, journeys, *, source="file", at=NOON):
    table, start = to_table(events_of(journeys)), lake.position(source)
    events = table.append_column("position", pa.array(range(start, start + table.num_rows), pa.int64()))
    return lake.append(events, source=source, start=start, end=start + table.num_rows, ingested_at=at)


def ids(lake, **snapshot):
    rows = lake.snapshot(**snapshot).query("SELECT event_id FROM events")["event_id"]
    return sorted(rows.to_pylist())


def rows_of(lake, file, user):
    table = pq.read_table(lake.root / file.path, partitioning=None, columns=["user_id"])
    return [row for row, name in enumerate(table["user_id"].to_pylist()) if name == user]


def erase(lake, user, **how):
    """Delete a person as Spark does."""
    for file in lake.snapshot().files:
        rows = rows_of(lake, file, user)
        if rows:
            foreign.delete_rows(lake.root, file.path, rows, **how)


REST = ["bob/0/view", "cy/0/view", "cy/1/buy"]
STORAGES = pytest.mark.parametrize(
    "how",
    [
        {"storage": "u"},
        {"storage": "u", "prefix": "ab"},
        {"storage": "p"},
        {"storage": "i"},
        {"storage": "u", "kind": "runs"},
        {"storage": "i", "kind": "runs"},
    ],
    ids=lambda how: "-".join(how.values()),
)


@STORAGES
@pytest.mark.parametrize("sorted_first", [True, False])
def test_an_erased_person_does_not_come_back(lake, how, sorted_first):
    put(lake, {"ann": "view:0 view:5 buy:9", "bob": "view:1", "cy": "view:2 buy:3"})
    if sorted_first:
        lake.maintain()
    before = lake.snapshot().version
    erase(lake, "ann", **how)
    assert ids(lake) == REST
    snapshot = lake.snapshot()
    assert snapshot.total == 3
    scanned = pa.concat_tables([snapshot.scan(["user_id"], part=part) for part in range(snapshot.parts)])
    assert sorted(scanned["user_id"].to_pylist()) == ["bob", "cy", "cy"]
    assert len(ids(lake, version=before)) == 6


@pytest.mark.parametrize("sorted_first", [True, False])
@pytest.mark.parametrize("full", [True, False])
def test_compaction_takes_deleted_events_out_of_the_files(lake, sorted_first, full):
    put(lake, {"ann": "view:0 view:5 buy:9", "bob": "view:1", "cy": "view:2 buy:3"})
    if sorted_first:
        lake.maintain()
    erase(lake, "ann")
    erased = lake.snapshot().version
    put(lake, {"dan": "view:4"}, source="more")
    assert lake.maintain(full=full) == 0
    assert ids(lake, version=erased) == REST
    assert ids(lake) == [*REST, "dan/0/view"]
    assert all(file.deleted is None for file in lake.snapshot().files)
    assert sum(pq.read_metadata(lake.root / file.path).num_rows for file in lake.snapshot().files) == 4
    assert lake.scrub() == {}
    assert ids(LakeStore(lake.path)) == [*REST, "dan/0/view"]


def test_a_file_of_which_every_event_is_deleted_goes_and_its_neighbour_stays(lake):
    put(lake, {"ann": "view:0"})
    lake.maintain()
    put(lake, {"ann": "buy:9"}, source="more")
    lake.maintain()
    first, second = lake.snapshot().files
    assert (first.month, first.bucket) == (second.month, second.bucket)
    foreign.delete_rows(lake.root, first.path, [0])
    (left,) = ids(lake)
    lake.maintain()
    assert ids(lake) == [left]
    assert len(lake.snapshot().files) == 1


def test_more_is_deleted_of_a_file_that_has_a_vector(lake):
    put(lake, {"ann": "view:0 view:5 buy:9"})
    lake.maintain()
    (file,) = lake.snapshot().files
    foreign.delete_rows(lake.root, file.path, [0])
    foreign.delete_rows(lake.root, file.path, [0, 2])
    assert ids(lake) == ["ann/1/view"]
    DeltaTable(lake.root).create_checkpoint()
    assert ids(LakeStore(lake.path)) == ["ann/1/view"]


def test_events_that_were_deleted_are_not_known_and_can_arrive_again(lake):
    put(lake, {"ann": "view:0", "bob": "view:1"})
    lake.maintain()
    erase(lake, "ann")
    put(lake, {"ann": "view:0", "bob": "view:1"}, source="again", at=NOON + timedelta(hours=1))
    assert ids(lake) == ["ann/0/view", "bob/0/view"]
    assert lake.maintain() == 1
    assert ids(lake) == ["ann/0/view", "bob/0/view"]


def test_expiry_and_copies_leave_deleted_events_out(lake, tmp_path):
    put(lake, {"ann": "view:0 view:5 buy:9", "bob": "view:1 view:7"})
    lake.maintain()
    erase(lake, "ann")
    other = LakeStore(tmp_path / "other")
    assert copying.copy(lake, other).events == 2
    assert ids(other) == ["bob/0/view", "bob/1/view"]
    assert lake.expire(before=START + timedelta(minutes=5)) == 1
    assert ids(lake) == ["bob/1/view"]


def test_vacuum_leaves_the_vectors(lake):
    put(lake, {"ann": "view:0", "bob": "view:1"})
    lake.maintain()
    erase(lake, "ann")
    lake.vacuum(grace_hours=0)
    assert ids(LakeStore(lake.path)) == ["bob/0/view"]


def test_a_file_with_a_vector_is_never_removed_without_it(lake):
    put(lake, {"ann": "view:0", "bob": "view:1"})
    lake.maintain()
    erase(lake, "ann")
    (file,) = (file for file in lake.snapshot().files if file.deleted is not None)
    with pytest.raises(StoreConflict, match="deletion vector"):
        files.removal(file)


def test_every_flipped_bit_of_a_vector_is_refused(lake):
    put(lake, {"ann": "view:0 view:5 buy:9", "bob": "view:1"})
    lake.maintain()
    erase(lake, "ann")
    (path,) = lake.root.rglob("deletion_vector_*.bin")
    content = path.read_bytes()
    for bit in range(0, 8 * len(content), 17):
        spoilt = bytearray(content)
        spoilt[bit // 8] ^= 1 << bit % 8
        path.write_bytes(spoilt)
        with pytest.raises(StoreCorrupt, match="deletion vector"):
            LakeStore(lake.path).snapshot()
    path.unlink()
    with pytest.raises(StoreCorrupt, match="deletion vector"):
        LakeStore(lake.path).snapshot()


@settings(max_examples=15, deadline=None)
@given(st.sets(st.integers(0, 299), min_size=1), st.sampled_from(["array", "runs"]), st.booleans())
def test_any_rows_are_left_out_by_query_and_scan_alike(tmp_path_factory, deleted, kind, sorted_first):
    lake = LakeStore(tmp_path_factory.mktemp("lake"))
    put(lake, {"ann": " ".join(f"view:{minute}" for minute in range(300))})
    if sorted_first:
        lake.maintain()
    (file,) = lake.snapshot().files
    all_ids = pq.read_table(lake.root / file.path, partitioning=None, columns=["event_id"])["event_id"].to_pylist()
    foreign.delete_rows(lake.root, file.path, deleted, kind=kind)
    expected = sorted(event for row, event in enumerate(all_ids) if row not in deleted)
    assert ids(lake) == expected
    assert sorted(lake.snapshot().scan(["event_id"], part=0)["event_id"].to_pylist()) == expected
    native = DeltaTable(lake.root).scan(columns=["event_id"])  # another reader: the engine of deltalake
    assert sorted(pa.table(native)["event_id"].to_pylist()) == expected


def test_thousands_of_rows_are_left_out_by_a_bitmap(lake):
    put(lake, {"ann": " ".join(f"view:{minute}" for minute in range(5_000))})
    lake.maintain()
    (file,) = lake.snapshot().files
    foreign.delete_rows(lake.root, file.path, range(4_500), kind="bits")
    assert len(ids(lake)) == 500
    assert lake.snapshot().scan(["event_id"], part=0).num_rows == 500


def test_the_relation_of_no_files_is_none(tmp_path):
    assert deletion_vectors.relation(tmp_path, [], "*", deletions="deletions") is None
    assert deletion_vectors.deletions(tmp_path, []) is None
    kept = deletion_vectors.remaining_rows(pa.table({"a": [1, 2, 3]}), np.array([0, 2]))
    assert kept["a"].to_pylist() == [2]


def test_what_arrives_while_deleted_rows_are_taken_out_is_not_lost(lake, monkeypatch):
    put(lake, {"ann": "view:0 view:5 buy:9", "bob": "view:1"})
    erase(lake, "ann")
    stale = lake._table()
    put(LakeStore(lake.path), {"dan": "view:4"}, source="meanwhile")
    opened = lake._table
    tables = iter([stale])
    monkeypatch.setattr(lake, "_table", lambda: next(tables, None) or opened())
    lake.maintain()
    assert ids(LakeStore(lake.path)) == ["bob/0/view", "dan/0/view"]
    lake.maintain()
    assert ids(LakeStore(lake.path)) == ["bob/0/view", "dan/0/view"]
    assert all(file.deleted is None for file in lake.snapshot().files)


def test_two_jobs_that_take_out_the_same_rows_double_nothing(lake, monkeypatch):
    put(lake, {"ann": "view:0 view:5 buy:9", "bob": "view:1"})
    lake.maintain()
    erase(lake, "ann")
    stale = lake._table()
    LakeStore(lake.path).maintain()
    monkeypatch.setattr(lake, "_table", lambda: stale)
    lake.maintain()
    assert ids(LakeStore(lake.path)) == ["bob/0/view"]


def test_rows_that_another_program_deletes_during_a_merge_stay_deleted(lake, monkeypatch):
    for journey in ("view:0", "view:0 buy:9"):
        put(lake, {"ann": journey}, source=journey)
        lake.maintain()
    stale = lake._table()
    (first, _) = lake.snapshot().files
    foreign.delete_rows(lake.root, first.path, [0])
    expected = ids(LakeStore(lake.path))
    monkeypatch.setattr(lake, "_table", lambda: stale)
    lake.maintain(full=True)
    assert ids(LakeStore(lake.path)) == expected
