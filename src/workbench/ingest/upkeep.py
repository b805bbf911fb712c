"""Sorting what has arrived, beside the stream and never in its way."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import pyarrow as pa

from workbench.errors import StoreError

if TYPE_CHECKING:
    from workbench.ingest.files import Destination


class Upkeep:
    """Runs the store's maintenance in a thread of its own, once enough has arrived.

    Attributes:
        trouble: Why the last run failed; the next one tries again.
    """

    def __init__(self, store: Destination, *, rows: int, batches: int) -> None:
        """Take the store, and after how many events or batches it is due."""
        self.trouble: str | None = None
        self._store, self._rows, self._batches = store, rows, batches
        self._thread = ThreadPoolExecutor(1, "workbench-upkeep")
        self._work: Future[None] | None = None
        self._arrived = [0, 0]

    def after(self, events: int) -> None:
        """Take note of a batch; begin when it is time and the last run has ended."""
        self._arrived = [self._arrived[0] + events, self._arrived[1] + 1]
        is_due = self._arrived[0] >= self._rows or self._arrived[1] >= self._batches
        if is_due and (self._work is None or self._work.done()):
            self._arrived = [0, 0]
            self._work = self._thread.submit(self._maintain)

    def close(self) -> None:
        """Wait for a run to end."""
        self._thread.shutdown(wait=True)

    def _maintain(self) -> None:
        try:
            self._store.maintain()
        except (StoreError, OSError) as error:
            self.trouble = f"what arrived was not sorted: {error}"
        else:
            self.trouble = None
        finally:
            pa.default_memory_pool().release_unused()  # sorting took much, and nothing else will for minutes
