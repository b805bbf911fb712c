"""Events in memory: for a frame that a notebook already has, and for tests."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from workbench.store import duck
from workbench.store.base import STORED_EVENT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import pyarrow as pa


class MemorySnapshot:
    """A fixed set of events, held as one DuckDB table. A repeated `event_id` counts once, the first ingested."""

    engine: Final = "duckdb"
    parts: Final = 1

    def __init__(self, events: pa.Table, *, known_at: datetime | None = None) -> None:
        """Take `events` (columns of `STORED_EVENT`)."""
        self.known_at = known_at
        self._engine = duck.connect()
        self._engine.register("given", events)
        self._engine.execute(_KEEP_FIRST, {"known_at": known_at})
        self._engine.unregister("given")
        self.data_version = f"frame-{_fingerprint(events)}"

    def query(self, sql: str, params: Mapping[str, object] | None = None, *, part: int | None = None) -> pa.Table:
        """Run one SELECT over the view `events`; see `Snapshot.query`."""
        return duck.select(self._engine.cursor(), sql, params or {})


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
