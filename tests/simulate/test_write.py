import gzip
from datetime import UTC, date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workbench.errors import InvalidArgument
from workbench.events import EVENT_TABLE, Event, parse, to_table
from workbench.simulate import community, write

SMALL = {"users": 60, "days": 10, "seed": 2, "until": date(2026, 6, 1)}
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def test_every_line_is_an_event_and_the_same_as_the_row(tmp_path):
    lines = write(tmp_path / "sample.jsonl", **SMALL).path.read_bytes().splitlines()
    events = [parse(line, now=NOW) for line in lines]
    assert all(isinstance(event, Event) for event in events)
    assert to_table(events).equals(pa.concat_tables(list(community(**SMALL))))


def test_parquet_holds_the_same_events(tmp_path):
    summary = write(tmp_path / "sample.parquet", **SMALL)
    table = pq.read_table(summary.path)
    assert table.schema.equals(EVENT_TABLE)
    assert table.equals(pa.concat_tables(list(community(**SMALL))))


def test_gzip_holds_the_same_lines(tmp_path):
    plain = write(tmp_path / "a.jsonl", **SMALL).path.read_bytes()
    assert gzip.decompress(write(tmp_path / "b.jsonl.gz", **SMALL).path.read_bytes()) == plain


@pytest.mark.parametrize("form", ["parquet", "jsonl", "jsonl.gz"])
def test_the_same_arguments_give_the_same_bytes(tmp_path, form):
    first, second = (write(tmp_path / f"{name}.{form}", **SMALL) for name in ("one", "two"))
    assert first.path.read_bytes() == second.path.read_bytes()
    for name in ("users.parquet", "raids.parquet", "truth.json"):
        assert (first.truth / name).read_bytes() == (second.truth / name).read_bytes()


def test_the_summary_counts_what_is_there(tmp_path):
    summary = write(tmp_path / "new" / "sample.jsonl.gz", **SMALL)
    assert summary.truth == tmp_path / "new" / "sample.truth"
    assert summary.events == len(gzip.decompress(summary.path.read_bytes()).splitlines())
    assert (summary.users, summary.duplicates > 0, summary.late > 0, summary.seconds > 0) == (60, True, True, True)


def test_progress_is_told_day_by_day(tmp_path):
    told = []
    write(tmp_path / "sample.parquet", **SMALL, progress=lambda done, days: told.append((done, days)))
    assert told == [(day, 10) for day in range(1, 11)]


def test_an_interruption_leaves_nothing_and_keeps_what_was_there(tmp_path):
    earlier = write(tmp_path / "sample.parquet", **SMALL).path.read_bytes()

    def interrupt(done: int, _: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "sample.parquet", **{**SMALL, "seed": 3}, progress=interrupt)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sample.parquet", "sample.truth"]
    assert (tmp_path / "sample.parquet").read_bytes() == earlier


def test_the_remains_of_a_killed_run_are_cleared(tmp_path):
    remains = tmp_path / ".sample.parquet.partial"
    remains.mkdir()
    (remains / "events").write_bytes(b"half")
    write(tmp_path / "sample.parquet", **SMALL)
    assert not remains.exists()


@pytest.mark.parametrize("name", ["sample.csv", "sample", ".parquet", "sample.parquet.gz"])
def test_other_kinds_of_file_are_refused_by_name(tmp_path, name):
    with pytest.raises(InvalidArgument, match=r"ending in \.parquet, \.jsonl, \.jsonl\.gz"):
        write(tmp_path / name, **SMALL)


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "sample.parquet").mkdir()
    with pytest.raises(InvalidArgument, match=r"sample\.parquet"):
        write(tmp_path / "sample.parquet", **SMALL)
