"""Files into the store: each event once, however often a file is ingested or the ingest is killed.

A file is known by its content and its mapping. Batch by batch, what is no event is set aside first;
then the events and the position behind them are committed in one step. After a kill the position says
where to go on, and a batch whose rejects were written but not its events writes the same rejects again.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

import pyarrow as pa

from workbench.errors import SourceError, StoreFull
from workbench.ingest import documents, ledger, mappings
from workbench.ingest.batches import Batch, BatchReader, Rejected, conflicting, joined
from workbench.ingest.ledger import Entry
from workbench.ingest.lines import Broken
from workbench.ingest.originals import Originals
from workbench.ingest.patience import Patient
from workbench.ingest.sources import Source, find
from workbench.ingest.summary import KnownFile, Summary
from workbench.store.base import SOURCE_START, Store
from workbench.store.expiry import cutoff
from workbench.times import DEFAULT_RULES, NaiveTimes, TimeRules

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.ingest.chunks import Chunk
    from workbench.ingest.mappings import Mapping
    from workbench.store.event_ids import Repeats

COMMIT_ROWS: Final = 250_000
COMMIT_BYTES: Final = 96 << 20
MAINTAIN_EVERY: Final = 1_000_000
"""Events after which the store sorts what has arrived, so that it stays quick to ask while a big file comes in."""

_SINGLE_KEY: Final = (
    "This store began with {name!r} when its key was a single field, and keeps to it, so that nothing counts twice. "
    "Events that share that field and differ are told apart in a new store."
)
_SAMPLE: Final = 100
_NAMED: Final = 5
_PAST: Final = "SELECT count(*) AS n FROM events WHERE occurred_at < $before AND source IN $sources"


class Destination(Store, Protocol):
    """A store that also has control state."""

    @property
    def control(self) -> Path:
        """Where its control file is."""


class Bar(Protocol):
    """A progress bar, such as tqdm's."""

    def update(self, n: float) -> object:
        """Move on by so many bytes."""

    def set_postfix_str(self, s: str) -> object:
        """Say something behind the bar."""

    def close(self) -> object:
        """Finish."""


Progress: TypeAlias = Callable[..., Bar]
"""Makes a bar, of keyword arguments that tqdm knows."""


@dataclass
class _Tally:
    """What was done so far."""

    read: int = 0
    events: int = 0
    waiting: int = 0
    duplicates: int = 0
    files: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    naive: NaiveTimes = field(default_factory=NaiveTimes)
    sources: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    mostly_known: list[KnownFile] = field(default_factory=list)
    empty: list[str] = field(default_factory=list)


def ingest(
    store: Destination,
    path: str | Path,
    *,
    mapping: str | Path = mappings.NATIVE,
    format: str | None = None,
    progress: Progress | None = None,
    now: datetime | None = None,
    rules: TimeRules = DEFAULT_RULES,
    retention_days: int | None = None,
) -> Summary:
    """Add the events of an export to a store.

    Args:
        store: Where to.
        path: A file, a folder of files, or `-` for standard input; gzipped or not.
        mapping: `native`, the name of another mapping that comes with Workbench, or a YAML file.
        format: `jsonl`, `csv` or `parquet`, where the name of a file does not say it.
        progress: Makes a progress bar (`tqdm`); none is shown without.
        now: The ingesting clock; the present when not given.
        rules: Zone of times that have none, where the mapping names none, and the first instant that is allowed.
        retention_days: Age in days at which events expire, to count those that are older; none if not given.

    Raises:
        SourceError: A file is missing, damaged, empty or of another format, or no row of it is an
            event. What was read of it before the fault, and all other files of a folder, are in.
        InvalidMapping: The mapping cannot be used.
        StoreFull: The disk is full; everything up to the last batch is in.
        StoreAway: The database did not answer for a quarter of an hour; everything up to the last batch is in.
    """
    loaded = mappings.load(mapping)
    chosen = ledger.known_key(store.control, loaded)
    rules = rules.fresh(chosen.timezone)
    sources = find(path, format=format)
    started, tally = time.perf_counter(), _Tally()
    bar = progress(total=_total(sources), unit="B", unit_scale=True, desc="ingest") if progress else None
    patient = Patient(store, tell=bar.set_postfix_str) if bar is not None else Patient(store)
    try:
        patient.maintain()  # what an interrupted ingest left is not counted as repeated in this one
        failures = _each(sources, lambda source: _File(patient, source, (chosen, rules), tally, bar, now).ingest())
    finally:
        if bar is not None:
            bar.close()
    tally.duplicates += patient.maintain()
    if failures:
        raise SourceError(_told(failures, len(sources)))
    if tally.empty and len(sources) == 1:
        raise SourceError(f"{tally.empty[0]} holds no rows")
    return Summary(
        files=tally.files,
        read=tally.read,
        accepted=max(0, tally.events - tally.duplicates),
        duplicates=tally.duplicates,
        rejected=dict(tally.rejected),
        seconds=time.perf_counter() - started,
        skipped=tuple(tally.skipped),
        mostly_known=tuple(tally.mostly_known),
        naive=tally.naive,
        zone=rules.zone,
        notes=() if chosen.unique == loaded.unique else (_SINGLE_KEY.format(name=mapping),),
        past_retention=_past_retention(store, tally, retention_days, now or datetime.now(UTC)),
        retention_days=retention_days,
    )


def _past_retention(store: Destination, tally: _Tally, days: int | None, now: datetime) -> int:
    """Count the events of the files that were read which are older than the retention."""
    if days is None or not tally.sources:
        return 0
    snapshot = store.snapshot()
    bounds = {"before": cutoff(snapshot, days=days, now=now), "sources": tally.sources}
    return int(snapshot.query(_PAST, bounds)["n"].to_pylist()[0])


def _each(sources: list[Source], read: Callable[[Source], None]) -> list[SourceError]:
    """Read all files, also those after one that cannot be read."""
    failures = []
    for source in sources:
        try:
            read(source)
        except SourceError as error:
            failures.append(error)
    return failures


def _told(failures: list[SourceError], files: int) -> str:
    if files == 1:
        return str(failures[0])
    more = f"\n  and {len(failures) - _NAMED} more" if len(failures) > _NAMED else ""
    listed = "".join(f"\n  {failure}" for failure in failures[:_NAMED])
    return f"{len(failures)} of {files} files could not be read to their end, the others are in:{listed}{more}"


def _total(sources: list[Source]) -> int | None:
    sizes = [source.size for source in sources]
    return None if None in sizes else sum(size or 0 for size in sizes)


class _File:
    """The ingest of one file."""

    def __init__(
        self,
        store: Patient,
        source: Source,
        how: tuple[Mapping, TimeRules],
        tally: _Tally,
        bar: Bar | None,
        now: datetime | None,
    ) -> None:
        self.store, self.source, self.tally, self.bar = store, source, tally, bar
        self.mapping, self._rules = how
        self._now = now
        self._shown = 0
        self._events = self._known = 0

    def ingest(self) -> None:
        """Read what was not read yet; what is committed stays, whatever happens then."""
        state = self.source.state()
        name = f"{self.source.format}-{self.source.fingerprint()}-{self.mapping.fingerprint}"
        entry = Entry(name, self.source.name, self.mapping.name)
        position = self.store.position(name)
        if ledger.is_complete(self.store.control, name, position=position):
            self.tally.skipped.append(entry.name)
            self._show(self.source.size or 0)
            return
        ledger.begin(self.store.control, entry, now=self.now())
        self.tally.files += 1
        self.tally.sources.append(name)
        finished, before = None, self.tally.read
        try:
            self._read(entry, position)
            if self.source.state() != state:
                raise SourceError(f"{entry.name} was written to while it was read: ingest it again when it is whole")
            if position == SOURCE_START and self.tally.read == before:
                self.tally.empty.append(entry.name)
            else:
                finished = self.now()
            if position == SOURCE_START and 2 * self._known > self._events:
                self.tally.mostly_known.append(KnownFile(entry.name, self._known, self._events))
        finally:
            ledger.note(self.store.control, name, position=self.store.position(name), finished_at=finished)

    def now(self) -> datetime:
        """Return the ingesting clock."""
        return self._now or datetime.now(UTC)

    def _read(self, entry: Entry, position: int) -> None:
        """Read on from a position; what stands before a fault of the file is committed before the fault is told."""
        reader = BatchReader(self.mapping, format=self.source.format, rules=self._rules)
        self._originals = Originals(self.source, reader)
        waiting: list[Batch] = []
        try:
            for chunk, done in self.source.chunks(start=position, whole=self.mapping.hashes):
                reader.learn(chunk)
                if chunk.end > position or self.mapping.hashes:
                    self._originals.keep(chunk)
                    batch = self._batch(reader, chunk)
                    if chunk.start == SOURCE_START == position:
                        self._refuse_misfit(entry, chunk, batch)
                    if chunk.end > position:
                        waiting.append(batch.after(position))
                if _is_due(waiting):
                    position = self._commit(entry, waiting, position)
                    waiting = []
                self._show(done)
        except SourceError:
            self._commit(entry, waiting, position)
            raise
        self._commit(entry, waiting, position)
        self._show(self.source.size or 0)

    def _batch(self, reader: BatchReader, chunk: Chunk) -> Batch:
        try:
            return reader.read(chunk, now=self.now())
        except (pa.ArrowException, OverflowError, ValueError) as error:  # values that even Arrow or Python cannot hold
            raise SourceError(
                f"{self.source.name}: rows {chunk.start:,} to {chunk.end:,} cannot be read: {error}"
            ) from error

    def _commit(self, entry: Entry, waiting: list[Batch], position: int) -> int:
        """Set the rejects of some batches aside, then commit their events; return the position behind them."""
        if not waiting:
            return position
        now, tally, batch = self.now(), self.tally, joined(waiting)
        conflicts, known = list[Rejected](), 0

        def keep(repeats: Repeats) -> None:
            nonlocal conflicts, known
            conflicts, known = self._conflicts(repeats), repeats.known
            ledger.set_aside(self.store.control, entry, conflicts, now=now)

        try:
            ledger.set_aside(self.store.control, entry, batch.rejected, now=now)
            repeated = self.store.append(
                batch.events, source=entry.source, start=position, end=batch.end, ingested_at=now, on_repeats=keep
            )
        except StoreFull as error:
            raise StoreFull(f"{error} (of {entry.name} the rows before {position:,} are in)") from error
        self._originals.committed(batch.end)
        tally.read += batch.rows
        tally.events += batch.events.num_rows - len(conflicts)
        tally.duplicates += repeated - len(conflicts)
        tally.naive.add(batch.naive)
        tally.rejected.update(row.reject.reason for row in [*batch.rejected, *conflicts])
        self._events, self._known = self._events + batch.events.num_rows, self._known + known
        tally.waiting += batch.events.num_rows
        if tally.waiting >= MAINTAIN_EVERY:
            tally.duplicates += self.store.maintain()
            tally.waiting = 0
        return batch.end

    def _conflicts(self, repeats: Repeats) -> list[Rejected]:
        """Return the rows of a batch that have the id of another event, as they stood in the file."""
        conflicts = repeats.conflicts.sort_by("position")
        positions = conflicts["position"].to_pylist()
        details = conflicts["detail"].to_pylist()
        return [*map(conflicting, positions, details, self._originals.at(positions))]

    def _refuse_misfit(self, entry: Entry, chunk: Chunk, batch: Batch) -> None:
        """Stop at a beginning without a single event. Its rejects are kept, unless just the mapping is wrong."""
        head = self._head(chunk)
        if documents.is_document(head):
            raise SourceError(f"{entry.name} is not one object a line. {documents.advice(head)} (nothing was kept)")
        if batch.events.num_rows or not batch.rejected:
            return
        first = batch.rejected[0]
        fault = f"{entry.name}: none of the first {batch.rows:,} rows is an event; row {first.position:,}"
        fault = f"{fault} was rejected as {first.reject.reason} ({first.reject.detail})"
        fitting = _fitting(chunk, self.source.format, self.now())
        if fitting:
            raise SourceError(f"{fault}. The mapping {fitting[0]!r} would fit: say so (nothing was kept)")
        if batch.rows == 1 and (advice := documents.advice(head)):
            raise SourceError(f"{fault}. {advice} (nothing was kept)")
        ledger.set_aside(self.store.control, entry, batch.rejected, now=self.now())
        raise SourceError(f"{fault}. Is {entry.mapping!r} the right mapping? These rows were set aside")

    def _head(self, chunk: Chunk) -> bytes:
        """Return the beginning of a file of JSON."""
        if self.source.format != "jsonl" or isinstance(chunk.rows, pa.Table):
            return b""
        rows = chunk.rows[: documents.LINES]
        lines = [row.reject.original if isinstance(row, Broken) else row for row in rows if not isinstance(row, dict)]
        return b"\n".join(lines)[: documents.BYTES]

    def _show(self, done: int) -> None:
        if self.bar is not None:  # a bar without a total has no truth value
            self.bar.set_postfix_str(f"{self.tally.read:,} rows")
            self.bar.update(done - self._shown)
            self._shown = done


def _is_due(waiting: list[Batch]) -> bool:
    """Tell whether enough is waiting to be committed: few commits are quick, and memory is bounded by them."""
    return sum(batch.rows for batch in waiting) >= COMMIT_ROWS or sum(batch.nbytes for batch in waiting) >= COMMIT_BYTES


def _fitting(chunk: Chunk, format: str, now: datetime) -> list[str]:
    """Name the mappings of our own by which most rows would be events."""
    sample = chunk.head(_SAMPLE)
    batches = {name: BatchReader(mappings.load(name), format=format).read(sample, now=now) for name in mappings.names()}
    return [name for name, batch in batches.items() if batch.events.num_rows * 2 > batch.rows]
