"""A damaged file is refused before any number is shown, by whichever way its bytes are read."""

from __future__ import annotations

import os
import random
import shutil
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import workbench as wb
from tests.store import foreign
from workbench.errors import StoreCorrupt
from workbench.events import to_table
from workbench.metrics.calendars import micros
from workbench.metrics.plain import Plain, plain_rows
from workbench.store import copying, files, integrity, maintenance
from workbench.store.integrity import Checksums
from workbench.store.lake import LakeStore
from workbench.testing import START, events_of

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
PEOPLE = {f"user {number}": "view:0 cart:5 buy:9" for number in range(40)}


@pytest.fixture
def lake(tmp_path):
    return LakeStore(tmp_path / "lake")


@pytest.fixture(autouse=True)
def fresh():
    """Forget what other tests verified: each test is a process of its own."""
    integrity.forget()


def put(lake, journeys, *, source="file", at=NOON):
    table, start = to_table(events_of(journeys)), lake.position(source)
    events = table.append_column("position", pa.array(range(start, start + table.num_rows), pa.int64()))
    return lake.append(events, source=source, start=start, end=start + table.num_rows, ingested_at=at)


def flip(path, bit):
    content = bytearray(path.read_bytes())
    content[bit // 8 % len(content)] ^= 1 << bit % 8
    path.write_bytes(content)


def one_file(lake, number=0):
    return lake.root / lake.snapshot().files[number].path


def counted(lake):
    return LakeStore(lake.path).snapshot().query("SELECT count(*) AS n FROM events")["n"][0].as_py()


READERS = {
    "query": lambda lake: lake.snapshot().query("SELECT count(*) FROM events WHERE event_type = 'buy'"),
    "part": lambda lake: lake.snapshot().query("SELECT count(*) FROM events", part=0),
    "scan": lambda lake: lake.snapshot().scan(["event_type"], part=0),
    "known": lambda lake: lake.snapshot(known_at=NOON).query("SELECT count(*) FROM events"),
    "repeat": lambda lake: (put(lake, {"new": "view:0"}, source="more"), lake.maintain()),
    "merge": lambda lake: lake.maintain(full=True),
    "expire": lambda lake: lake.expire(before=START + timedelta(minutes=5)),
    "copy": lambda lake: copying.copy(lake, LakeStore(lake.path.parent / "other")),
}


@pytest.mark.parametrize("sorted_first", [True, False], ids=["history", "tail"])
@pytest.mark.parametrize("reader", READERS)
def test_a_flipped_bit_anywhere_is_refused_by_every_reader(lake, reader, sorted_first):
    if reader == "merge" and sorted_first:
        put(lake, PEOPLE, source="before")
        lake.maintain()
        put(lake, dict.fromkeys(PEOPLE, "more:7"))
    else:
        put(lake, PEOPLE)
    if sorted_first:
        lake.maintain()
    path = one_file(lake)
    good, random_ = path.read_bytes(), random.Random(1)  # noqa: S311
    for bit in random_.sample(range(8 * len(good)), 3 if reader in {"copy", "expire", "merge"} else 12):
        flip(path, bit)
        with pytest.raises(StoreCorrupt, match="doctor --repair") as error:
            READERS[reader](LakeStore(lake.path))
        assert str(path) in str(error.value)
        path.write_bytes(good)
    assert counted(lake) >= 120


def test_footer_dictionary_and_magic_are_covered(lake):
    put(lake, PEOPLE)
    lake.maintain()
    path = one_file(lake)
    good = path.read_bytes()
    for byte in (0, 4, len(good) // 2, len(good) - 100, len(good) - 8, len(good) - 1):
        flip(path, 8 * byte)
        with pytest.raises(StoreCorrupt):
            counted(lake)
        path.write_bytes(good)


def test_a_large_batch_is_not_sorted_in_beside_damaged_history(lake, monkeypatch):
    put(lake, PEOPLE)
    lake.maintain()
    monkeypatch.setattr(maintenance, "BULK", 2)
    flip(one_file(lake), 1_000)
    with pytest.raises(StoreCorrupt):
        put(LakeStore(lake.path), PEOPLE, source="again")


def test_another_valid_file_in_the_place_of_one_is_refused(lake):
    put(lake, {"ann": "view:0 buy:9", "bob": "view:0 buy:9"})
    lake.maintain()
    first, second = lake.snapshot().files
    shutil.copy(lake.root / second.path, lake.root / first.path)
    with pytest.raises(StoreCorrupt, match=r"was committed|were committed"):
        counted(lake)


def test_a_file_that_was_cut_or_has_grown_is_refused_by_its_size(lake):
    put(lake, PEOPLE)
    path = one_file(lake)
    good = path.read_bytes()
    for content in (good[:-1], good + b"\0", b""):
        path.write_bytes(content)
        with pytest.raises(StoreCorrupt, match="bytes were committed"):
            counted(lake)


def test_a_file_that_was_cut_is_seen_at_the_first_question_whichever_it_reads(lake, monkeypatch):
    monkeypatch.setattr("workbench.store.base.FEW_ROWS", 1)
    put(lake, PEOPLE)
    lake.maintain()
    snapshot = lake.snapshot()
    path = lake.root / snapshot._history(1)[0].path
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(StoreCorrupt, match="bytes were committed"):
        snapshot.query("SELECT 1 FROM events", part=0)
    with pytest.raises(StoreCorrupt, match="bytes were committed"):
        snapshot.scan(["user_key"], part=0)


def test_a_file_that_changes_while_a_process_lives_is_verified_again(lake):
    put(lake, PEOPLE)
    lake.maintain()
    snapshot = lake.snapshot()
    path = lake.root / snapshot.files[0].path
    before = path.stat()
    assert snapshot.query("SELECT count(*) AS n FROM events")["n"].to_pylist() == [120]
    flip(path, 2_000)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # as an attentive tool does
    for ask in (READERS["query"], READERS["scan"]):
        with pytest.raises(StoreCorrupt):
            ask(lake)


def test_a_file_is_read_for_its_checksum_once(lake, monkeypatch):
    put(lake, PEOPLE)
    lake.maintain()
    verified = []
    checksum = integrity._fast_difference
    monkeypatch.setattr(integrity, "_fast_difference", lambda path: verified.append(path) or checksum(path))
    for _ in range(3):
        counted(lake)
        for part in range(lake.snapshot().parts):
            lake.snapshot().scan(["user_key"], part=part)
    assert len(verified) == len(set(verified)) == len(lake.snapshot().files)


def test_a_part_verifies_its_own_files_alone(lake, monkeypatch):
    monkeypatch.setattr("workbench.store.base.FEW_ROWS", 1)
    put(lake, PEOPLE)
    lake.maintain()
    snapshot = lake.snapshot()
    assert snapshot.parts > 1
    flip(lake.root / snapshot._history(1)[0].path, 900)
    assert snapshot.query("SELECT count(*) AS n FROM events", part=0)["n"][0].as_py() > 0
    assert snapshot.scan(["user_key"], part=0).num_rows > 0
    with pytest.raises(StoreCorrupt):
        snapshot.query("SELECT count(*) FROM events", part=1)


def test_a_question_of_a_month_verifies_the_files_of_that_month_alone(lake):
    minutes = 60 * 24 * 40
    put(lake, dict.fromkeys(PEOPLE, f"view:0 view:{minutes} view:{2 * minutes}"))
    lake.maintain()
    snapshot = lake.snapshot()
    march = [file for file in snapshot.files if file.month == "2026-03"]
    assert march
    for file in march:
        flip(lake.root / file.path, 800)
    january, february, april = (micros(datetime(2026, month, 1, tzinfo=UTC)) for month in (1, 2, 4))
    for plain in (Plain(now=february - 1), Plain(now=april, since=january, until=february)):
        rows = [plain_rows(snapshot, plain, part=part) for part in range(snapshot.parts)]
        assert sum(len(each["at"]) for each in rows) == 40
    for plain in (Plain(now=april), Plain(now=april, since=february), Plain(now=april, until=april)):
        with pytest.raises(StoreCorrupt):
            plain_rows(snapshot, plain, part=0)


def test_people_of_a_file_that_another_program_wrote_unsorted_are_still_followed(lake):
    put(lake, {f"user {number}": "view:0 buy:9" for number in range(60)})
    lake.maintain()
    for _ in range(len(lake.snapshot().files)):
        shuffled(lake)
    assert all(not integrity.has_checksum(file.path) for file in lake.snapshot().files)
    for sorted_anew in (False, True):
        if sorted_anew:
            lake.maintain(full=True)
        funnel = wb.open(lake.path).funnel(["view", "buy"], now="2026-02-01").frame
        assert funnel["users"].tolist() == [60, 60]
    assert lake.files_without_checksum() == []


def shuffled(lake):
    """Write a sorted file anew in another order, as another program may."""
    file = next(file for file in lake.snapshot().files if integrity.has_checksum(file.path))
    table = pq.read_table(lake.root / file.path, partitioning=None)
    path = f"{os.path.dirname(file.path)}/part-{file.bucket}.parquet"
    order = sorted(range(table.num_rows), key=lambda row: row * 7 % 11)
    pq.write_table(table.take(order), lake.root / path)
    entry = next(entry for entry in foreign.entries(lake.root, "add") if entry["path"] == file.path)
    removed = {key: entry[key] for key in ("path", "partitionValues", "size")}
    removed |= {"dataChange": True, "deletionTimestamp": 1}
    added = {**entry, "path": path, "size": (lake.root / path).stat().st_size}
    foreign.commit(lake.root, {"remove": removed}, {"add": added})


def test_memory_of_verified_files_is_bounded(lake, monkeypatch):
    monkeypatch.setattr(integrity, "MOST_REMEMBERED", 4)
    for number in range(12):
        put(lake, {"ann": f"view:{number}"}, source=str(number))
        counted(lake)
    assert len(integrity._verified) <= 4


def test_the_name_of_a_file_records_its_checksums(lake):
    put(lake, PEOPLE)
    path = one_file(lake)
    assert Checksums.recorded(path) == Checksums.of(path)
    assert integrity.has_checksum(path)
    assert integrity.damage(lake.root, lake.snapshot().files[0]) is None
    assert integrity.is_intact(path)
    flip(path, 77)
    assert not integrity.is_intact(path)


def renamed(lake, name):
    """Make a lake in which the first file has a name of another program or of an older Workbench."""
    entry = foreign.entries(lake.root, "add")[-1]
    path = f"{os.path.dirname(entry['path'])}/{name(lake.root / entry['path'])}.parquet"
    (lake.root / entry["path"]).rename(lake.root / path)
    removed = {key: entry[key] for key in ("path", "partitionValues", "size")}
    removed |= {"dataChange": True, "deletionTimestamp": 1}
    foreign.commit(lake.root, {"remove": removed}, {"add": {**entry, "path": path}})
    return lake.root / path


def test_names_of_an_older_workbench_are_verified_by_their_one_checksum(lake):
    put(lake, PEOPLE)
    path = renamed(lake, lambda path: Checksums.recorded(path).blake2b)
    assert counted(lake) == 120
    assert lake.scrub() == {}
    flip(path, 500)
    with pytest.raises(StoreCorrupt, match="checksum"):
        counted(lake)
    with pytest.raises(StoreCorrupt, match="checksum"):
        lake.maintain()


def test_a_file_without_checksum_is_read_and_gets_one_by_a_full_compaction(lake):
    put(lake, PEOPLE)
    lake.maintain()
    path = renamed(lake, lambda path: "part-00000-6f3d-c000.snappy")
    assert counted(lake) == 120
    assert not integrity.has_checksum(path)
    lake.maintain()
    assert [integrity.has_checksum(file.path) for file in lake.snapshot().files].count(False) == 1
    lake.maintain(full=True)
    assert all(integrity.has_checksum(file.path) for file in lake.snapshot().files)
    assert counted(lake) == 120


def test_a_file_without_statistics_is_counted_by_its_footer(lake):
    put(lake, PEOPLE)
    entry = foreign.entries(lake.root, "add")[-1]
    foreign.commit(lake.root, {"add": {key: value for key, value in entry.items() if key != "stats"}})
    assert lake.snapshot().total == 120
    assert counted(lake) == 120


def test_what_is_rewritten_is_what_was_verified(lake, monkeypatch):
    """Between the checksum and the use of the bytes nothing is read from disk again."""
    put(lake, PEOPLE)
    (file,) = lake.snapshot().files
    read = pq.read_table

    def damaged_meanwhile(source, **options):
        flip(lake.root / file.path, 700)
        return read(source, **options)

    good = read(lake.root / file.path, partitioning=None)
    monkeypatch.setattr(pq, "read_table", damaged_meanwhile)
    assert files.read(lake.root, [file])["event_id"].equals(good["event_id"])


def test_a_file_that_cannot_be_read_is_named(lake, monkeypatch):
    put(lake, PEOPLE)

    def broken(path):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(integrity, "_fast_difference", broken)
    with pytest.raises(StoreCorrupt, match="Input/output error"):
        counted(lake)
