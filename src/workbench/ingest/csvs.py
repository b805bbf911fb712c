"""CSV files cut into rows of text by column, each row bounded, whatever quotes the file holds."""

from __future__ import annotations

import csv
from itertools import chain
from typing import TYPE_CHECKING, Final

from workbench.errors import SourceError
from workbench.events import MAX_MESSAGE, Reason, Reject
from workbench.ingest.chunks import Chunk, Row, check_columns, gathered
from workbench.ingest.lines import Broken, blocks, too_long

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader

DELIMITERS: Final = ",;\t|"


def csv_chunks(stream: BufferedReader) -> Iterator[Chunk]:
    """Cut a CSV file with a header; the delimiter is the one of `DELIMITERS` that the header has most of.

    Raises:
        SourceError: The header cannot be used.
    """
    return gathered(_rows(_Lines(stream)))


class _TooLong(Exception):
    """A row goes on for more than `MAX_MESSAGE` bytes, most likely for want of a closing quote."""


class _Lines:
    """Feeds lines to `csv.reader`, and remembers those of the current row."""

    def __init__(self, stream: BufferedReader) -> None:
        self._lines = chain.from_iterable(blocks(stream))
        self.row: list[bytes] = []
        self.size = 0

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.size += line.size if isinstance(line, Broken) else len(line) + 1
        self.row.append(line.reject.original if isinstance(line, Broken) else line)
        if self.size > MAX_MESSAGE:
            raise _TooLong
        return self.row[-1].decode("utf-8", "surrogateescape") + "\n"

    def begin(self) -> None:
        """Forget the last row."""
        self.row, self.size = [], 0

    @property
    def text(self) -> bytes:
        """The current row as it stands in the file."""
        return b"\n".join(self.row)

    def broken(self, reason: Reason, detail: str) -> Broken:
        """Set the current row aside."""
        return Broken(Reject(reason, detail, self.text), len(self.text))


def _rows(feed: _Lines) -> Iterator[tuple[list[Row], int]]:
    csv.field_size_limit(max(csv.field_size_limit(), MAX_MESSAGE))  # rows are bounded by `_Lines`
    header, delimiter = _header(feed)
    reader = csv.reader(feed, delimiter=delimiter)
    while True:
        feed.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except _TooLong:
            yield [too_long(feed.text, feed.size)], MAX_MESSAGE
            continue
        except csv.Error as error:
            yield [feed.broken("bad_row", str(error))], feed.size
            continue
        if cells:
            yield [_row(header, cells, feed)], feed.size


def _row(header: list[str], cells: list[str], feed: _Lines) -> Row:
    if len(cells) != len(header):
        return feed.broken("bad_row", f"{len(cells):,} cells, the header has {len(header):,}")
    try:
        for line in feed.row:
            line.decode()
    except UnicodeDecodeError as error:
        return feed.broken("bad_encoding", f"byte {error.start} is not UTF-8")
    return dict(zip(header, cells, strict=True))


def _header(feed: _Lines) -> tuple[list[str], str]:
    feed.begin()
    try:
        line = next(feed)
        names = feed.row[-1].decode()
    except StopIteration:
        return [], ","
    except (_TooLong, UnicodeDecodeError) as error:
        what = "longer than 1 MB" if isinstance(error, _TooLong) else "not UTF-8 text"
        raise SourceError(f"the header is {what}: is this a CSV file, with the names of its columns first?") from error
    delimiter = max(DELIMITERS, key=names.count)
    header = next(csv.reader([line], delimiter=delimiter), [])
    check_columns(header)
    return header, delimiter
