from __future__ import annotations

import gzip
import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workbench.errors import SourceError
from workbench.ingest.sources import Source, find


def rows(source):
    return sum(len(chunk.rows) for chunk, _ in source.chunks())


@pytest.fixture
def lines(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b"{}\n" * 5)
    return tmp_path / "a.jsonl"


def test_the_name_says_the_format(tmp_path):
    names = ["b.CSV", "a.jsonl.gz", "c.parquet", "d.tsv", "e.json", "f.pq", "notes.txt", ".hidden.csv", "_SUCCESS.csv"]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "inner.csv").mkdir()
    found = [(source.path.name, source.format) for source in find(tmp_path)]
    assert found == [
        ("a.jsonl.gz", "jsonl"),
        ("b.CSV", "csv"),
        ("c.parquet", "parquet"),
        ("d.tsv", "csv"),
        ("e.json", "jsonl"),
        ("f.pq", "parquet"),
    ]


def test_a_format_that_is_given_goes_for_any_name(tmp_path):
    (tmp_path / "events.log").write_bytes(b"{}")
    assert [source.format for source in find(tmp_path, format="jsonl")] == ["jsonl"]
    assert find(tmp_path / "events.log", format="csv")[0].format == "csv"


@pytest.mark.parametrize(
    ("path", "format", "message"),
    [
        ("nowhere.csv", None, "no file or folder"),
        ("notes.txt", None, r"say its format \(jsonl, csv, parquet\)"),
        ("notes.txt", "xml", "no format 'xml': there are jsonl, csv, parquet"),
        ("outer", None, "name one of its folders: inner"),
        ("outer/inner", None, "no file in .* ends in .jsonl"),
    ],
)
def test_what_cannot_be_read_is_answered_with_what_can(tmp_path, path, format, message):
    (tmp_path / "notes.txt").touch()
    (tmp_path / "outer" / "inner").mkdir(parents=True)
    with pytest.raises(SourceError, match=message):
        find(tmp_path / path, format=format)


def test_gzip_is_known_by_its_bytes_not_by_its_name(lines):
    lines.write_bytes(gzip.compress(b"{}\n" * 2) + gzip.compress(b"{}\n" * 2))
    assert rows(Source(lines, "jsonl")) == 4


def test_a_gzipped_parquet_file_is_read(tmp_path):
    plain = io.BytesIO()
    pq.write_table(pa.table({"a": range(5_000)}), plain)
    (tmp_path / "a.parquet.gz").write_bytes(gzip.compress(plain.getvalue()))
    assert rows(*find(tmp_path)) == 5_000


def test_the_content_is_what_names_a_file(lines, tmp_path):
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(lines.read_bytes())
    assert Source(copy, "jsonl").fingerprint() == Source(lines, "jsonl").fingerprint()
    copy.write_bytes(b"{}\n" * 6)
    assert Source(copy, "jsonl").fingerprint() != Source(lines, "jsonl").fingerprint()


def test_the_bytes_that_were_read_come_with_the_chunks(tmp_path, lines):
    pq.write_table(pa.table({"a": range(5_000)}), tmp_path / "a.parquet")
    for source in (Source(lines, "jsonl"), Source(tmp_path / "a.parquet", "parquet")):
        assert [done for _, done in source.chunks()][-1] == source.size


@pytest.mark.parametrize(
    ("content", "format", "message"),
    [
        (b"PAR1....", "csv", "is a Parquet file"),
        (b"PK\x03\x04...", "jsonl", "is a ZIP archive: unzip it"),
        ("a,b".encode("utf-16"), "csv", "is UTF-16 text"),
        (b"\x00\x01junk", "parquet", "cannot read .* as parquet"),
        (b"PAR1junkPAR1", "parquet", "cannot read .* as parquet"),
        (b"", "parquet", "cannot read .* as parquet"),
        (b"\x1f\x8bjunk", "jsonl", "is not gzipped to its end"),
        (gzip.compress(b"{}\n" * 9_000, mtime=0)[:-6], "jsonl", "is not gzipped to its end"),
    ],
)
def test_a_file_of_another_kind_or_damaged_is_named(tmp_path, content, format, message):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(SourceError, match=message):
        rows(Source(tmp_path / "a", format))


def test_a_file_that_may_not_be_read_is_named(lines, monkeypatch):
    def refused(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(lines), "open", refused)
    with pytest.raises(SourceError, match="Permission denied"):
        Source(lines, "jsonl").fingerprint()
