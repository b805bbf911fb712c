"""Read an export again into a lake that lost events of it: what is missing comes back, what is there is not doubled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from workbench.ingest import mappings
from workbench.ingest.files import ingest
from workbench.store import control, losses
from workbench.store.base import SOURCE_START, as_stored
from workbench.times import DEFAULT_RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import pyarrow as pa

    from workbench.ingest.files import Progress
    from workbench.ingest.summary import Summary
    from workbench.store.base import Pinned
    from workbench.store.event_ids import Repeats
    from workbench.store.lake import LakeStore
    from workbench.store.losses import Loss
    from workbench.times import TimeRules


@dataclass(frozen=True, slots=True)
class Refill:
    """What came back.

    Attributes:
        summary: What was read.
        recovered: Events that the lake lacked before.
        missing: What it still lacks.
    """

    summary: Summary
    recovered: int
    missing: tuple[Loss, ...]


def refill(
    store: LakeStore,
    path: str | Path,
    *,
    mapping: str | Path = mappings.NATIVE,
    format: str | None = None,
    progress: Progress | None = None,
    rules: TimeRules = DEFAULT_RULES,
) -> Refill:
    """Read a whole export again, whatever of it was ingested before, and credit what comes back to the losses.

    Events keep the instant at which the export was ingested at first, so that questions about what was known when give
    the same numbers as before the loss.

    Args:
        store: The lake, after `repair`.
        path: A file, or a folder of files.
        mapping: The one that it was ingested with.
        format: As in `ingest.files.ingest`.
        progress: The same.
        rules: The same.

    Raises:
        SourceError, InvalidMapping, StoreFull: As `ingest.files.ingest` does.
    """
    before = _count(store)
    again = _Again(store)
    try:
        summary = ingest(again, path, mapping=mapping, format=format, progress=progress, rules=rules)
    finally:
        again.keep_first_times()
    gained = _count(store) - before
    if gained > 0:
        losses.write(store.path, losses.recovered(losses.read(store.path), gained))
    return Refill(summary, gained, tuple(losses.open_losses(store.path, store.positions)))


class _Again:
    """A lake that says of every source that nothing was read of it yet."""

    def __init__(self, store: LakeStore) -> None:
        self._store = store
        self._positions: dict[str, int] = {}
        self._finished: dict[str, str | None] = {}

    @property
    def control(self) -> Path:
        return self._store.control

    def snapshot(self, *, known_at: datetime | None = None) -> Pinned:
        return self._store.snapshot(known_at=known_at)

    def position(self, source: str) -> int:
        return self._positions.get(source, SOURCE_START)

    def append(
        self,
        events: pa.Table,
        *,
        source: str,
        start: int,
        end: int,
        ingested_at: datetime,
        on_repeats: Callable[[Repeats], object] | None = None,
    ) -> int:
        del start
        stored = as_stored(events, source=source, ingested_at=self._first_ingested(source) or ingested_at)
        committed = self._store.position(source)
        moved = {source: (committed, end)} if committed < end else {}
        repeated = self._store.append_all(stored, moved=moved, on_repeats=on_repeats)
        self._positions[source] = end
        return repeated

    def append_all(
        self,
        events: pa.Table,
        *,
        moved: Mapping[str, tuple[int, int]],
        on_repeats: Callable[[Repeats], object] | None = None,
    ) -> int:
        return self._store.append_all(events, moved=moved, on_repeats=on_repeats)

    def conflicts(self, events: pa.Table) -> Repeats:
        return self._store.conflicts(events)

    def maintain(self, *, full: bool = False) -> int:
        return self._store.maintain(full=full)

    def keep_first_times(self) -> None:
        """Let the ledger say when each source was ingested at first, which it was asked for."""
        with control.connect(self.control) as connection:
            for source, finished in self._finished.items():
                if finished:
                    connection.execute("UPDATE ingests SET finished_at = ? WHERE source = ?", (finished, source))

    def _first_ingested(self, source: str) -> datetime | None:
        if source not in self._finished:
            with control.connect(self.control) as connection:
                row = connection.execute("SELECT finished_at FROM ingests WHERE source = ?", (source,)).fetchone()
            self._finished[source] = row["finished_at"] if row else None
        finished = self._finished[source]
        return datetime.fromisoformat(finished).astimezone(UTC) if finished else None


def _count(store: LakeStore) -> int:
    return int(store.snapshot().query("SELECT count(*) AS n FROM events")["n"].to_pylist()[0])
