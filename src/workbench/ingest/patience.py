"""A store that may be away for a while: what is asked of it is asked again, and nothing is read on meanwhile."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeVar

from workbench.errors import StoreAway, StoreConflict

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    import pyarrow as pa

    from workbench.ingest.files import Destination
    from workbench.store.event_ids import Repeats

T = TypeVar("T")

FIRST_WAIT: Final = 0.1
LONGEST_WAIT: Final = 5.0
PATIENCE_SECONDS: Final = 900.0
"""How long a store may be away until ingest gives up; what was committed is kept, and the same command goes on."""

_KEPT: Final = """
    SELECT count(*) AS n FROM events WHERE source = $source AND position >= $start AND position < $end
"""


class Patient:
    """Writes to a store as ingest does. A commit of which no answer came is looked up, never made twice."""

    def __init__(
        self,
        store: Destination,
        *,
        tell: Callable[[str], object] = lambda _: None,
        patience: float | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take the store, and who is to be told that it is away."""
        self._store, self._tell, self._wait = store, tell, wait
        self._patience = PATIENCE_SECONDS if patience is None else patience

    @property
    def control(self) -> Path:
        """Where its control file is."""
        return self._store.control

    def position(self, source: str) -> int:
        """Return where to resume reading `source`; see `base.Store.position`."""
        return self._persist(lambda _: self._store.position(source))

    def maintain(self) -> int:
        """See `base.Store.maintain`."""
        return self._persist(lambda _: self._store.maintain())

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
        """Commit events and the new position of their source; see `base.Store.append`."""

        def commit(tries: int) -> int:
            try:
                return self._store.append(
                    events, source=source, start=start, end=end, ingested_at=ingested_at, on_repeats=on_repeats
                )
            except StoreConflict:
                if tries and self._store.position(source) == end:  # only the answer was lost
                    kept = self._store.snapshot().query(_KEPT, {"source": source, "start": start, "end": end})
                    return int(events.num_rows - kept["n"].to_pylist()[0])
                raise

        return self._persist(commit)

    def _persist(self, step: Callable[[int], T]) -> T:
        """Do something again and again while the store is away; it is told how often it was tried before."""
        tries, pause, until = 0, FIRST_WAIT, time.monotonic() + self._patience
        while True:
            try:
                done = step(tries)
            except StoreAway as error:
                if time.monotonic() + pause > until:
                    raise
                self._tell(f"waiting: {error}")
                self._wait(pause)
                tries, pause = tries + 1, min(LONGEST_WAIT, 2 * pause)
            else:
                return done
