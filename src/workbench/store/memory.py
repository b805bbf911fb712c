"""Events in memory: for a frame that a notebook already has, and for tests."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from workbench.store import duck
from workbench.store.base import STORED_EVENT

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray


class MemorySnapshot:
    """A fixed set of events, held as one DuckDB table. A repeated `event_id` counts once, the first ingested."""

    engine: Final = "duckdb"
    parts: Final = 1

    def __init__(
        self,
        events: pa.Table,
        *,
        known_at: datetime | None = None,
        people: Hashable | None = None,
        data_version: str | None = None,
        everybody: MemorySnapshot | None = None,
    ) -> None:
        """Take `events` (columns of `STORED_EVENT`), and what is known of them."""
        self.known_at = known_at
        self.people = people
        self._whole = everybody
        self._engine = duck.connect()
        self._engine.register("given", events)
        self._engine.execute(_KEEP_FIRST, {"known_at": known_at})
        self._engine.unregister("given")
        self.total = events.num_rows
        self.data_version = data_version or f"frame-{_fingerprint(events)}"

    @property
    def everybody(self) -> MemorySnapshot:
        """See `Snapshot.everybody`."""
        return self._whole or self

    def query(
        self, sql: str, params: Mapping[str, object] | None = None, *, part: int | range | None = None
    ) -> pa.Table:
        """Run one SELECT over the view `events`; see `Snapshot.query`."""
        return duck.select(self._engine.cursor(), sql, params or {})

    def scan(self, columns: Sequence[str], *, part: int, since: int | None = None, until: int | None = None) -> None:
        """Leave it to `query`; see `Snapshot.scan`."""

    def only(self, keys: NDArray[np.int64], *, people: Hashable) -> MemorySnapshot:
        """Return the events of some people alone; see `Snapshot.only`."""
        events = self.query("SELECT * FROM events")
        mine = pc.is_in(events["user_key"], pa.array(keys, pa.int64()))
        return MemorySnapshot(
            events.filter(mine), known_at=self.known_at, people=people, data_version=self.data_version,
            everybody=self.everybody,
        )  # fmt: skip

    def known(self, at: datetime) -> MemorySnapshot:
        """Return what had been ingested by an instant; see `Snapshot.known`."""
        events = self.query("SELECT * FROM events")
        whole = self._whole and self._whole.known(at)
        return MemorySnapshot(events, known_at=at, people=self.people, data_version=self.data_version, everybody=whole)


_KEEP_FIRST = """
    CREATE TABLE events AS
    SELECT * FROM given
    WHERE $known_at IS NULL OR ingested_at <= $known_at
    QUALIFY row_number() OVER (PARTITION BY event_id ORDER BY ingested_at, source, position) = 1
    ORDER BY user_key, occurred_at, event_id
"""


class MemoryStore:
    """A read-only store over a table of events, which are never written anywhere."""

    def __init__(self, events: pa.Table) -> None:
        """Take `events` (columns of `STORED_EVENT`)."""
        self._events = events.select(STORED_EVENT.names).cast(STORED_EVENT)

    def snapshot(self, *, known_at: datetime | None = None) -> MemorySnapshot:
        """Show the events as known at `known_at`."""
        return MemorySnapshot(self._events, known_at=known_at)


def _fingerprint(events: pa.Table) -> str:
    digest = hashlib.blake2b(digest_size=6)
    for batch in events.to_batches():
        for column in batch.columns:
            for buffer in column.buffers():
                digest.update(buffer or b"")
    return digest.hexdigest()
