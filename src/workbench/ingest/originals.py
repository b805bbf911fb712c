"""Rows of a file as they stand in it: of an event that is rejected after it was read, the original must be kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workbench.ingest.batches import BatchReader
    from workbench.ingest.chunks import Chunk
    from workbench.ingest.sources import Source


class Originals:
    """Reads a file a second time, as far as rows of it are needed; of standard input it keeps what is not committed.

    Positions are asked for in ascending order, batch by batch, so that a file is read twice at most.
    """

    def __init__(self, source: Source, reader: BatchReader) -> None:
        """Take the file and how it is read; nothing is read yet."""
        self._source, self._reader = source, reader
        self._kept: list[Chunk] = []
        self._chunks: Iterator[tuple[Chunk, int]] | None = None
        self._rows: dict[int, bytes] = {}

    def keep(self, chunk: Chunk) -> None:
        """Keep a chunk of what cannot be read a second time."""
        if self._source.path is None:
            self._kept.append(chunk)

    def committed(self, position: int) -> None:
        """Forget what stands before a position."""
        self._kept = [chunk for chunk in self._kept if chunk.end > position]
        self._rows.clear()

    def at(self, positions: Sequence[int]) -> list[bytes]:
        """Return the rows at some positions, ascending, and behind those of all batches that were committed."""
        missing = [position for position in positions if position not in self._rows]
        chunks = iter(self._kept) if self._source.path is None else self._again(missing)
        while missing:
            chunk = next(chunks)
            inside = [position for position in missing if chunk.start <= position < chunk.end]
            originals = self._reader.originals(chunk, [position - chunk.start for position in inside])
            self._rows.update(zip(inside, originals, strict=True))
            missing = [position for position in missing if position >= chunk.end]
        return [self._rows[position] for position in positions]

    def _again(self, missing: Sequence[int]) -> Iterator[Chunk]:
        """Go on where the second reading stopped; the chunk that it stopped at may hold more."""
        if self._chunks is None and missing:
            self._chunks = self._source.chunks(start=missing[0], whole=self._reader.mapping.hashes)
        if self._kept and missing and self._kept[0].end > missing[0]:
            yield self._kept[0]
        for chunk, _ in self._chunks or ():
            self._kept = [chunk]
            yield chunk
