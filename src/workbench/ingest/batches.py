"""Chunks of a file read as events: what is accepted, what is set aside, and where the batch ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workbench.events import EVENT_TABLE, Event, Reject, convert, to_table
from workbench.ingest import columns
from workbench.ingest.identity import Identities
from workbench.ingest.lines import KEPT_BYTES, Broken
from workbench.ingest.rows import NO_ID, NULLS, RowMapper, reader
from workbench.texts import WHOLE_FLOAT, are_whole_floats, readable, without_fraction
from workbench.times import DEFAULT_RULES, NaiveTimes, TimeRules
from workbench.validate import is_text, plain, validate

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from datetime import datetime

    import numpy.typing as npt

    from workbench.ingest.chunks import Chunk
    from workbench.ingest.mappings import Mapping

    Positions: TypeAlias = npt.NDArray[np.int64]

POSITIONED: Final = EVENT_TABLE.append(pa.field("position", pa.int64(), nullable=False))

SLICE: Final = 2_000
_IDS: Final = ("event_id", "user_id", "session_id", "raid_id", "message_id")


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was set aside: where it stood, why, and how long it really was."""

    position: int
    reject: Reject
    size: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What a chunk holds: `events` (as `POSITIONED`), what is no event, and how many times had no zone."""

    events: pa.Table
    rejected: list[Rejected]
    end: int
    naive: NaiveTimes = field(default_factory=NaiveTimes)

    @property
    def rows(self) -> int:
        """How many rows there were, empty lines not counted."""
        return int(self.events.num_rows) + len(self.rejected)

    @property
    def nbytes(self) -> int:
        """About how much memory it takes."""
        return int(self.events.nbytes) + sum(len(row.reject.original) for row in self.rejected)

    def after(self, position: int) -> Batch:
        """Leave out what stood before a position."""
        first = int(np.searchsorted(self.events["position"].to_numpy(), position))
        rejected = [row for row in self.rejected if row.position >= position]
        return Batch(self.events.slice(first), rejected, self.end, self.naive)


def conflicting(position: int, detail: str, original: bytes) -> Rejected:
    """Reject an event that has the id of another one."""
    return Rejected(position, Reject("conflicting_id", detail, original), len(original))


def joined(batches: Sequence[Batch]) -> Batch:
    """Put batches that follow on each other into one."""
    events = pa.concat_tables([batch.events for batch in batches]).combine_chunks()
    naive = NaiveTimes()
    for batch in batches:
        naive.add(batch.naive)
    return Batch(events, [row for batch in batches for row in batch.rejected], batches[-1].end, naive)


class BatchReader:
    """Reads the chunks of one file, in order."""

    def __init__(self, mapping: Mapping, *, format: str, rules: TimeRules = DEFAULT_RULES) -> None:
        """Take what to apply, which format the chunks are of, and how times are read."""
        self.mapping = mapping
        self.format = format
        self._rules = rules
        self._identities = Identities()
        self._whole: tuple[str, ...] | None = None

    def learn(self, chunk: Chunk) -> None:
        """See in the first chunk of a file which columns hold ids that became floats; later chunks follow it."""
        if self._whole is not None:
            return
        rows = chunk.rows
        if isinstance(rows, pa.Table):
            texts = {name: rows[name] for name in self._id_columns(rows.column_names)}
            texts = {name: plain(column) for name, column in texts.items() if is_text(plain(column).type)}
            self._whole = tuple(name for name, column in texts.items() if are_whole_floats(column))
            return
        cells = [row for row in rows if type(row) is dict]
        self._whole = tuple(
            name for name in self._id_columns(cells[0] if cells else ()) if _all_whole(row[name] for row in cells)
        )

    def _id_columns(self, columns: Collection[str]) -> list[str]:
        paths = (*self.mapping.unique, *(path for field in _IDS for path in self.mapping.paths(field)))
        return [path for path in dict.fromkeys(paths) if path in columns]

    def read(self, chunk: Chunk, *, now: datetime) -> Batch:
        """Read one chunk."""
        self.learn(chunk)
        rules = self._rules.fresh(self.mapping.timezone)
        positions = np.arange(chunk.start, chunk.end, dtype=np.int64)
        if not isinstance(chunk.rows, pa.Table):
            read = self._csv(now, rules) if self.format == "csv" else self._reader(now, rules)
            events, rejected = self._rows(chunk.rows, positions, read)
        else:
            events, rejected = self._table(chunk.rows, positions, now, rules)
        return Batch(events, rejected, chunk.end, rules.naive)

    def originals(self, chunk: Chunk, rows: Sequence[int]) -> list[bytes]:
        """Return some rows of a chunk, by their number in it, as they are kept of a reject."""
        if isinstance(chunk.rows, pa.Table):
            return columns.originals(self._readable(chunk.rows.take(pa.array(rows, pa.int64()))))
        return [_original(self._without_fractions(chunk.rows[row])) for row in rows]

    def _readable(self, table: pa.Table) -> pa.Table:
        """Make text of binary columns, and whole numbers of ids that became floats."""
        fed = {path for field in self.mapping.fields for path in self.mapping.paths(field)}
        table = readable(table, strict=fed)
        for name in self._whole or ():
            column = without_fraction(plain(table[name]))
            table = table.set_column(table.column_names.index(name), name, column)
        return table

    def _without_fractions(self, row: Any) -> Any:  # noqa: ANN401 - a line, or a row of CSV
        if type(row) is dict:
            for name in self._whole or ():
                if WHOLE_FLOAT.fullmatch(row[name]):
                    row[name] = row[name][:-2]  # in the row itself, so that a replay reads the same
        return row

    def _reader(self, now: datetime, rules: TimeRules) -> Callable[[bytes], Event | Reject]:
        return reader(self.mapping, format=self.format, now=now, rules=rules)

    def _csv(self, now: datetime, rules: TimeRules) -> Callable[[dict[str, str]], Event | Reject]:
        fields, whole = RowMapper(self.mapping).fields, self._whole
        if not whole:
            return lambda row: convert(fields(row), original=b"", now=now, rules=rules)

        return lambda row: convert(fields(self._without_fractions(row)), original=b"", now=now, rules=rules)

    def _rows(
        self, rows: Sequence[Any], positions: Positions, read: Callable[[Any], Event | Reject]
    ) -> tuple[pa.Table, list[Rejected]]:
        """Read rows one by one; a slice at a time, for events still in the processor's cache are faster to store."""
        tables: list[pa.Table] = []
        kept: list[int] = []
        rejected: list[Rejected] = []
        for start in range(0, len(rows), SLICE):
            events: list[Event] = []
            for number, row in enumerate(rows[start : start + SLICE], start):
                found = row.reject if type(row) is Broken else read(row)
                if isinstance(found, Event):
                    events.append(found)
                    kept.append(number)
                elif not _is_blank(row):
                    rejected.append(_set_aside(int(positions[number]), found, row))
            tables.append(to_table(events))
        named = self._named(_joined(tables), lambda index: [_original(rows[kept[number]]) for number in index])
        return named.append_column(POSITIONED.field("position"), pa.array(positions[kept])), rejected

    def _table(
        self, table: pa.Table, positions: Positions, now: datetime, rules: TimeRules
    ) -> tuple[pa.Table, list[Rejected]]:
        """Read a table, by column where that is possible."""
        table = self._readable(table)
        broken = columns.undecodable(table)
        rejected = []
        if broken.any():
            unread = columns.originals(table.filter(pa.array(broken)))
            for position, original in zip(positions[broken].tolist(), unread, strict=True):
                reject = Reject("bad_encoding", "text that is not UTF-8, shown as \\x..", original)
                rejected.append(_set_aside(position, reject, original))
            table, positions = table.filter(pa.array(~broken)), positions[~broken]
        read = self._columns if columns.fits(self.mapping, table) else self._table_rows
        events, more = read(table, positions, now, rules)
        return events, sorted([*rejected, *more], key=lambda row: row.position)

    def _table_rows(
        self, table: pa.Table, positions: Positions, now: datetime, rules: TimeRules
    ) -> tuple[pa.Table, list[Rejected]]:
        return self._rows(columns.originals(table), positions, self._reader(now, rules))

    def _columns(
        self, table: pa.Table, positions: Positions, now: datetime, rules: TimeRules
    ) -> tuple[pa.Table, list[Rejected]]:
        accepted, faults = validate(columns.mapped(table, self.mapping), now=now, rules=rules)
        row = accepted["row"].to_numpy()
        events = self._named(accepted.drop_columns("row"), lambda index: columns.originals(table.take(row[index])))
        events = events.append_column(POSITIONED.field("position"), pa.array(positions[row]))
        unread = columns.originals(table.take(pa.array([fault.row for fault in faults], pa.int64())))
        return events, [
            _set_aside(int(positions[fault.row]), Reject(fault.reason, fault.detail, original), original)
            for fault, original in zip(faults, unread, strict=True)
        ]

    def _named(self, events: pa.Table, originals: Callable[[Positions], list[bytes]]) -> pa.Table:
        """Give ids to the events that have none."""
        if not self.mapping.hashes:
            return events
        nameless = pc.equal(events["event_id"], NO_ID).combine_chunks()
        index = np.flatnonzero(nameless.to_numpy(zero_copy_only=False))
        ids = pa.array(self._identities.ids(originals(index)), pa.string())
        event_id = pc.replace_with_mask(events["event_id"].combine_chunks(), nameless, ids)
        return events.set_column(0, EVENT_TABLE.field("event_id"), event_id)


def _joined(tables: list[pa.Table]) -> pa.Table:
    """Join tables of events into one."""
    return pa.concat_tables([EVENT_TABLE.empty_table(), *tables]).combine_chunks()


def _all_whole(cells: Iterable[str]) -> bool:
    filled = [cell for cell in cells if cell not in NULLS]
    return bool(filled) and all(map(WHOLE_FLOAT.fullmatch, filled))


def _is_blank(row: Any) -> bool:  # noqa: ANN401
    return isinstance(row, bytes) and (not row or row.isspace())


def _original(row: Any) -> bytes:  # noqa: ANN401 - a line, or a row of CSV
    return row.rstrip(b"\r") if isinstance(row, bytes) else msgspec.json.encode(row)


def _set_aside(position: int, reject: Reject, row: Any) -> Rejected:  # noqa: ANN401
    """Keep a row whole, or the beginning of one that is too long."""
    if isinstance(row, Broken):
        return Rejected(position, reject, row.size)
    original = _original(row)
    kept = original[:KEPT_BYTES] if reject.reason == "too_large" else original
    return Rejected(position, Reject(reject.reason, reject.detail, kept), len(original))
