from __future__ import annotations

import contextlib
import gzip
import io
import os
import signal
import subprocess
import sys
import zlib
from collections import Counter

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tqdm import tqdm

from tests.ingest.conftest import ListStore
from workbench.errors import InvalidMapping, SourceError, StoreError, StoreFull
from workbench.ingest import chunks, files, rejects
from workbench.ingest.files import ingest
from workbench.store import control
from workbench.store.lake import LakeStore


def event(number, **changes):
    when = f"2026-03-{1 + number % 28:02d}T09:00:00Z"
    return {"event_id": f"e{number}", "event_type": "view", "user_id": f"u{number % 7}", "occurred_at": when} | changes


def jsonl(*events):
    return b"".join((line if isinstance(line, bytes) else msgspec.json.encode(line)) + b"\n" for line in events)


@pytest.fixture
def write(tmp_path):
    def write(content, name="a.jsonl"):
        path = tmp_path / "exports" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return path

    return write


@pytest.fixture
def small(monkeypatch):
    """Make chunks of four rows, so that small files have many."""
    monkeypatch.setattr(chunks, "FIRST_ROWS", 4)
    monkeypatch.setattr(chunks, "BATCH_ROWS", 4)
    monkeypatch.setattr(files, "COMMIT_ROWS", 4)


def kept(store):
    return rejects.list_(store.control)


def table(*events):
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(events)), sink)
    return sink.getvalue()


def csv_of(*events):
    return "\n".join([",".join(events[0]), *(",".join(map(str, row.values())) for row in events)]).encode()


EVENTS = [event(number) for number in range(9)]


@pytest.mark.parametrize("pack", [lambda content: content, gzip.compress])
@pytest.mark.parametrize(
    ("ending", "content"), [("jsonl", jsonl(*EVENTS)), ("csv", csv_of(*EVENTS)), ("parquet", table(*EVENTS))]
)
def test_every_format_gives_the_same_events(store, write, now, ending, content, pack):
    summary = ingest(store, write(pack(content), f"a.{ending}"), now=now)
    assert (summary.files, summary.read, summary.accepted, summary.rejected) == (1, 9, 9, {})
    assert {row["event_id"]: row["user_id"] for row in store.rows()} == {f"e{n}": f"u{n % 7}" for n in range(9)}


def test_a_file_that_was_ingested_is_not_read_again(store, write, now):
    path = write(jsonl(*EVENTS))
    ingest(store, path, now=now)
    again = ingest(store, path, now=now)
    assert (again.files, again.read, again.skipped) == (0, 0, (str(path),))
    assert ingest(store, write(jsonl(*EVENTS), "copy.jsonl"), now=now).skipped


def test_overlapping_files_of_a_folder_count_each_event_once(store, write, now):
    write(jsonl(*EVENTS[:6]), "1.jsonl")
    folder = write(csv_of(*EVENTS[4:]), "2.csv").parent
    summary = ingest(store, folder, now=now)
    assert (summary.files, summary.read, summary.accepted, summary.duplicates) == (2, 11, 9, 2)
    assert len(store.by_id()) == 9


def test_rows_that_are_no_events_are_kept_with_their_place_and_reason(store, write, now):
    lines = [event(0), b"{broken", b"", event(1, user_id=5), b'{"x": "\xff"}', event(2)]
    summary = ingest(store, write(jsonl(*lines)), now=now)
    assert (summary.read, summary.accepted) == (5, 2)
    assert summary.rejected == {"bad_json": 1, "wrong_type": 1, "bad_encoding": 1}
    assert [(row.position, row.reason) for row in kept(store)] == [
        (1, "bad_json"),
        (3, "wrong_type"),
        (4, "bad_encoding"),
    ]
    assert kept(store)[0].original == b"{broken"


def test_a_line_that_is_too_long_is_kept_by_its_beginning_and_size(store, write, now):
    ingest(store, write(jsonl(event(0), b"x" * 3_000_000, event(1))), now=now)
    (row,) = kept(store)
    assert (row.reason, row.size_bytes, len(row.original), row.is_whole) == ("too_large", 3_000_000, 8_192, False)
    assert set(store.by_id()) == {"e0", "e1"}


MIXED = [event(0), b"{", event(1), b"", event(2), event(1), event(3, user_id=5), *map(event, range(4, 14)), b"[]"]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(breaks=st.sets(st.integers(-8, 8).filter(bool), max_size=6), hashed=st.booleans())
def test_an_ingest_that_is_interrupted_anywhere_and_run_again_counts_everything_once(
    tmp_path_factory, small, now, breaks, hashed
):
    folder = tmp_path_factory.mktemp("interrupted")
    (folder / "a.jsonl").write_bytes(jsonl(*MIXED))
    (folder / "hash.yaml").write_text("fields: {event_type: event_type, user_id: user_id, occurred_at: occurred_at}\n")
    store = ListStore(folder / "control.db")
    store.breaks = breaks
    for _ in range(len(breaks) + 1):
        try:
            ingest(store, folder / "a.jsonl", mapping=folder / "hash.yaml" if hashed else "native", now=now)
        except KeyboardInterrupt:
            continue
    positions = [row["position"] for row in store.rows()]
    strict = [0, 2, 4, 5, *range(7, 17)]
    assert positions == sorted([*strict, 6] if hashed else strict)
    assert len(store.by_id()) == (15 if hashed else 13)
    assert sorted(row.position for row in kept(store)) == ([1, 17] if hashed else [1, 6, 17])


_RUN = "import sys; from workbench.ingest.files import ingest; from workbench.store.lake import LakeStore; " + (
    "from workbench.ingest import chunks; chunks.BATCH_ROWS = 2_000; "
    "from workbench.ingest import files; files.COMMIT_ROWS = 2_000; print('go', flush=True); "
    "ingest(LakeStore(sys.argv[1]), sys.argv[2])"
)


def test_an_ingest_that_is_killed_and_run_again_counts_everything_once(tmp_path, write):
    lines = [b"{" if number % 500 == 7 else event(number) for number in range(20_000)]
    path = write(jsonl(*lines, *lines[:10]))
    command = [sys.executable, "-c", _RUN, str(tmp_path / "lake"), str(path)]
    for seconds in (0.1, 0.3, 0.5):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    store = LakeStore(tmp_path / "lake", create=False)
    ids = Counter(store.snapshot().query("SELECT event_id FROM events")["event_id"].to_pylist())
    assert (len(ids), max(ids.values()), len(kept(store))) == (20_000 - 40, 1, 41)


def test_what_was_whole_of_a_truncated_file_is_in_and_the_whole_file_adds_the_rest(store, write, small, now):
    lines = [event(number, properties={"noise": str(hash((number, "x")))}) for number in range(2_000)]
    packed = gzip.compress(jsonl(*lines))
    cut = write(packed[: len(packed) // 2], "cut.jsonl.gz")
    with pytest.raises(SourceError, match=r"cut\.jsonl\.gz is not gzipped to its end"):
        ingest(store, cut, now=now)
    unpacked = zlib.decompressobj(31).decompress(packed[: len(packed) // 2])
    assert 0 < len(store.by_id()) <= unpacked.count(b"\n")
    assert len(store.by_id()) > unpacked.count(b"\n") * 0.7
    assert not kept(store)
    ingest(store, write(packed, "whole.jsonl.gz"), now=now)
    assert len(store.by_id()) == 2_000


def test_a_mapping_that_does_not_fit_is_noticed_at_once_and_the_right_one_named(store, write, now):
    export = [{"event": "view", "properties": {"time": 1_700_000_000 + n, "distinct_id": "ann"}} for n in range(5_000)]
    path = write(jsonl(*export))
    with pytest.raises(SourceError, match=r"none of the first 1,000 rows is an event; .*'mixpanel' would fit"):
        ingest(store, path, now=now)
    assert (store.rows(), kept(store), store.positions) == ([], [], {})
    assert ingest(store, path, mapping="mixpanel", now=now).accepted == 5_000


def test_rows_of_no_mapping_are_set_aside_once_however_often_it_is_tried(store, write, now):
    path = write(b"\x00\x01binary junk\n\xff\xfe\xfd\n")
    for _ in range(2):
        with pytest.raises(SourceError, match="Is 'native' the right mapping"):
            ingest(store, path, now=now)
    assert [row.reason for row in kept(store)] == ["bad_json", "bad_encoding"]


def test_a_json_array_is_told_from_lines(store, write, now):
    with pytest.raises(SourceError, match=r"one JSON array; write one object a line: jq -c"):
        ingest(store, write(msgspec.json.format(msgspec.json.encode(EVENTS))), now=now)


@pytest.mark.parametrize(
    ("name", "content"), [("a.jsonl", b""), ("a.csv", b""), ("a.csv", b"a,b\n"), ("a.jsonl", b"\n\n")]
)
def test_a_file_without_rows_is_an_error(store, write, now, name, content):
    with pytest.raises(SourceError, match=r"holds no rows|0 columns"):
        ingest(store, write(content, name), now=now)


def test_one_bad_file_does_not_keep_the_others_of_a_folder_out(store, write, now):
    write(b"PK\x03\x04", "1.jsonl")
    write(jsonl(event(1)), "2.jsonl")
    folder = write(b"", "3.jsonl").parent
    with pytest.raises(SourceError, match=r"1 of 3 files could not be read to their end, the others are in:\n .*ZIP"):
        ingest(store, folder, now=now)
    assert set(store.by_id()) == {"e1"}


def test_a_full_disk_says_what_is_in_and_the_next_run_goes_on(store, write, small, now):
    store.breaks, store.error = {2}, StoreFull
    path = write(jsonl(*EVENTS))
    with pytest.raises(StoreFull, match=r"no space left \(of .* the rows before 4 are in\)"):
        ingest(store, path, now=now)
    assert ingest(store, path, now=now).read == 5
    assert [row["position"] for row in store.rows()] == list(range(9))


def test_the_control_state_knows_how_far_a_file_was_read(store, write, small, now):
    store.breaks = {2}
    path = write(jsonl(b"{", *EVENTS))
    for expected in ((4, 1, False), (10, 1, True)):
        with contextlib.suppress(KeyboardInterrupt):
            ingest(store, path, now=now)
        with control.connect(store.control) as connection:
            (row,) = connection.execute("SELECT position, rejected, finished_at IS NOT NULL AS done FROM ingests")
        assert tuple(row) == expected


def test_a_finished_file_whose_events_the_store_has_lost_is_read_again(store, write, now):
    path = write(jsonl(*EVENTS))
    ingest(store, path, now=now)
    store.tables, store.positions, store.repeated = [], {}, 0
    assert ingest(store, path, now=now).accepted == 9


def test_a_file_that_grows_while_it_is_read_is_not_taken_for_read(store, write, now, monkeypatch):
    path = write(jsonl(*EVENTS))
    append = store.append

    def grow(*args, **kwargs):
        with path.open("ab") as stream:
            stream.write(jsonl(event(99)))
        return append(*args, **kwargs)

    monkeypatch.setattr(store, "append", grow)
    with pytest.raises(SourceError, match="was written to while it was read"):
        ingest(store, path, now=now)
    monkeypatch.setattr(store, "append", append)
    ingest(store, path, now=now)
    assert len(store.by_id()) == 10


def test_rows_without_ids_count_as_often_as_they_occur_but_not_twice_in_two_exports(store, write, tmp_path, now):
    mapping = tmp_path / "mine.yaml"
    mapping.write_text(
        "fields: {event_type: event_type, user_id: user_id, occurred_at: occurred_at}\nproperties: rest\n"
    )
    row = {"event_type": "view", "user_id": "ann", "occurred_at": "2026-03-01T09:00:00Z"}
    ingest(store, write(jsonl(row, row, row | {"user_id": "bob"}), "1.jsonl"), mapping=mapping, now=now)
    ingest(
        store, write(jsonl(row | {"user_id": "bob"}, row, row | {"user_id": "cy"}), "2.jsonl"), mapping=mapping, now=now
    )
    assert Counter(row["user_id"] for row in store.by_id().values()) == {"ann": 2, "bob": 1, "cy": 1}


def test_standard_input_may_be_sent_twice(store, now, monkeypatch):
    for _ in range(2):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(jsonl(b"{", *EVENTS)))))
        summary = ingest(store, "-", now=now)
    assert (summary.accepted, summary.duplicates, len(kept(store))) == (0, 9, 1)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(table(*EVENTS)))))
    assert ingest(store, "-", format="parquet", now=now).duplicates == 9


def test_a_mapping_that_cannot_be_used_is_refused_before_anything_is_read(store, now):
    with pytest.raises(InvalidMapping):
        ingest(store, "nowhere.jsonl", mapping="mixpanle", now=now)


def test_progress_is_told_in_bytes(store, write, small, now):
    told = []

    class Bar:
        def __init__(self, **options):
            told.append(options["total"])

        def update(self, n):
            told.append(n)

        def set_postfix_str(self, s):
            assert "rows" in s

        def close(self):
            told.append("closed")

    path = write(jsonl(*EVENTS))
    ingest(store, path, progress=Bar, now=now)
    size = path.stat().st_size
    assert (told[0], sum(told[1:-1]), told[-1]) == (size, size, "closed")


def test_the_length_of_standard_input_is_unknown_to_the_bar(store, now, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(jsonl(*EVENTS)))))
    assert ingest(store, "-", progress=tqdm, now=now).accepted == 9
    assert "9 rows" in capsys.readouterr().err


def test_files_go_into_a_lake(tmp_path, write):
    store = LakeStore(tmp_path / "lake")
    summary = ingest(store, write(jsonl(*EVENTS, event(0), b"{")))
    assert (summary.accepted, summary.duplicates, summary.rejected) == (9, 1, {"bad_json": 1})
    assert store.snapshot().query("SELECT count(*) AS n FROM events").to_pylist() == [{"n": 9}]


def test_a_lake_with_a_newer_control_file_is_left_alone(tmp_path, write):
    store = LakeStore(tmp_path / "lake")
    with control.connect(store.control) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="upgrade"):
        ingest(store, write(jsonl(*EVENTS)))


def test_values_that_nothing_can_hold_name_their_rows(store, write, now):
    beyond = pa.array([{"at": 2**62}]).cast(pa.struct([("at", pa.timestamp("us"))]))
    row = {name: pa.array([value]) for name, value in event(0).items()}
    sink = io.BytesIO()
    pq.write_table(pa.table({**row, "deep": beyond}), sink)
    with pytest.raises(SourceError, match=r"a\.parquet: rows 0 to 1 cannot be read|cannot read .*a\.parquet"):
        ingest(store, write(sink.getvalue(), "a.parquet"), now=now)
