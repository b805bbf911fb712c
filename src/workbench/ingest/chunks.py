"""Files cut into chunks of bounded size: lines of JSON, rows of CSV, batches of Parquet.

Nothing here knows what an event is. A row that cannot even be told from its neighbours, such as one
with a cell too many, is a `Broken` in the place where it stood.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from workbench.errors import SourceError
from workbench.ingest.lines import Broken, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader

FIRST_ROWS: Final = 1_000
"""Rows of the first chunk: enough to see that a mapping does not fit, before anything is written."""

BATCH_ROWS: Final = 100_000
BATCH_BYTES: Final = 64 << 20
MAX_COLUMNS: Final = 10_000
_BUFFER: Final = 1 << 20


Row: TypeAlias = bytes | dict[str, str] | Broken


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of a file.

    Attributes:
        start: Position of the first row, 0-based.
        rows: Lines of JSON (a blank one is no row), rows of text by column, or a table.
        share: How much of the file ends with it, in [0, 1], where the chunker knows better than the stream.
    """

    start: int
    rows: list[Row] | pa.Table
    share: float | None = None

    @property
    def end(self) -> int:
        """One past the position of the last row."""
        return self.start + len(self.rows)

    def head(self, rows: int) -> Chunk:
        """Return the first rows of it."""
        return Chunk(self.start, self.rows[:rows])


def gathered(rows: Iterator[tuple[list[Row], int]]) -> Iterator[Chunk]:
    """Gather rows, which come some at a time with their size in bytes; an error comes after all rows before it."""
    start, limit, waiting, size = 0, FIRST_ROWS, list[Row](), 0
    failure: Exception | None = None
    while failure is None:
        try:
            more, length = next(rows)
        except StopIteration:
            break
        except Exception as error:  # raised again below
            failure = error
            break
        waiting += more
        size += length
        while len(waiting) >= limit or size >= BATCH_BYTES:
            yield Chunk(start, waiting[:limit])
            start, waiting, size, limit = start + len(waiting[:limit]), waiting[limit:], 0, BATCH_ROWS
    if waiting:
        yield Chunk(start, waiting)
    if failure:
        raise failure


def json_chunks(stream: BufferedReader) -> Iterator[Chunk]:
    """Cut a file of JSON lines."""
    return gathered((list[Row](block), sum(map(len, block))) for block in blocks(stream))


def parquet_chunks(source: Any, *, start: int, whole: bool) -> Iterator[Chunk]:  # noqa: ANN401 - path or file
    """Cut a Parquet file.

    Args:
        source: Path, or a file that can seek.
        start: Rows before this position may be left out.
        whole: Leave out none.
    """
    with pq.ParquetFile(source, buffer_size=_BUFFER, pre_buffer=False) as file:
        check_columns(file.schema_arrow.names)
        position, groups = 0, list(range(file.metadata.num_row_groups))
        while groups and not whole and position + file.metadata.row_group(groups[0]).num_rows <= start:
            position += file.metadata.row_group(groups.pop(0)).num_rows
        for batch in file.iter_batches(batch_size=_rows_of(file.metadata), row_groups=groups):
            table = pa.Table.from_batches([batch])
            first = FIRST_ROWS if position == 0 else table.num_rows
            for piece in (table.slice(0, first), table.slice(first)):
                if piece.num_rows:
                    position += piece.num_rows
                    yield Chunk(position - piece.num_rows, piece, position / file.metadata.num_rows)


def check_columns(names: list[str]) -> None:
    """Refuse a table that has no columns, too many, or two of one name."""
    if not 0 < len(names) <= MAX_COLUMNS:
        raise SourceError(f"{len(names):,} columns; a table of events has 1 to {MAX_COLUMNS:,}")
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise SourceError(f"several columns are named {twice[0]!r}: rename all but one")


def _rows_of(metadata: Any) -> int:  # noqa: ANN401
    """Choose how many rows to read at once, by the size of a row after decompression."""
    size = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
    return int(max(1, min(BATCH_ROWS, BATCH_BYTES * metadata.num_rows // max(size, 1))))
