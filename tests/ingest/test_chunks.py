from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workbench.errors import SourceError
from workbench.ingest import chunks as room
from workbench.ingest.chunks import Chunk, check_columns, gathered, json_chunks, parquet_chunks


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(room, "FIRST_ROWS", 3)
    monkeypatch.setattr(room, "BATCH_ROWS", 10)


def spans(chunks):
    return [(chunk.start, chunk.end) for chunk in chunks]


def test_the_first_chunk_is_small_and_the_others_are_bounded_by_rows():
    assert spans(json_chunks(io.BytesIO(b"{}\n" * 25))) == [(0, 3), (3, 13), (13, 23), (23, 25)]


def test_chunks_are_bounded_by_bytes_too(monkeypatch):
    monkeypatch.setattr(room, "BATCH_BYTES", 100)
    rows = ([b"x" * 60] for _ in range(4))
    assert spans(gathered((row, 60) for row in rows)) == [(0, 2), (2, 4)]


def test_rows_before_an_error_come_before_it():
    def broken():
        yield [b"1", b"2"], 2
        raise EOFError

    chunks = gathered(broken())
    assert next(chunks) == Chunk(0, [b"1", b"2"])
    with pytest.raises(EOFError):
        next(chunks)


def test_a_parquet_file_is_cut_and_whole_row_groups_are_left_out(tmp_path):
    pq.write_table(pa.table({"a": range(40)}), tmp_path / "a.parquet", row_group_size=20)
    assert spans(parquet_chunks(tmp_path / "a.parquet", start=25, whole=False))[0][0] == 20
    whole = list(parquet_chunks(tmp_path / "a.parquet", start=25, whole=True))
    assert whole[0].end == 3
    assert [value for chunk in whole for value in chunk.rows["a"].to_pylist()] == list(range(40))
    assert whole[-1].share == 1


def test_a_table_of_wide_rows_is_read_a_few_at_a_time(tmp_path, monkeypatch):
    pq.write_table(pa.table({"a": [str(number) * 1_000 for number in range(9)]}), tmp_path / "a.parquet")
    monkeypatch.setattr(room, "BATCH_BYTES", 4_000)
    assert max(end - start for start, end in spans(parquet_chunks(tmp_path / "a.parquet", start=0, whole=True))) <= 4


def test_a_table_has_columns_and_each_another_name():
    for names, message in (
        ([], "0 columns"),
        (["a", "b", "a"], "several columns are named 'a'"),
        (["a"] * 20_000, "20,000"),
    ):
        with pytest.raises(SourceError, match=message):
            check_columns(names)
