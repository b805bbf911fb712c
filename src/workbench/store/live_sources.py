"""How far sources have been read, and what became of what was read of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.errors import StoreConflict, StoreError
from workbench.store.base import SOURCE_START
from workbench.store.live_state import MINUTE, SECOND, Source

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from workbench.store.live_batch import Batch
    from workbench.store.live_state import State

GAP: Final = 1_000
"""A source that was read before and goes on more than so many positions later was not read in between.

A few positions without a message are nothing: queues mark the ends of transactions by them.
"""


def move(state: State, moved: Mapping[str, tuple[int, int]], rejected: Mapping[str, int], *, now: int) -> None:
    """Move the sources of a batch on; one that is only named, without a step, is waited for like the others."""
    for name, (start, end) in moved.items():
        source = state.sources.setdefault(name, Source(position=SOURCE_START, seen_at=now))
        if source.position != start:
            raise StoreConflict(
                f"{name} is in the live numbers up to {source.position:,}, not {start:,}: another process reads it"
            )
        if end < start:
            raise StoreError(f"a batch of {name} ends at {end:,}, before it begins at {start:,}")
        source.position = end
        source.rejected += rejected.get(name, 0)
        source.seen_at = max(source.seen_at, now)


def skip(state: State, batch: Batch, moved: Mapping[str, tuple[int, int]], rejected: Mapping[str, int]) -> None:
    """Note where a source was not read on from where it had come to: what lies before is not known."""
    for code, name in enumerate(batch.source.values):
        source = str(name)
        start, _ = moved[source]
        most = rejected.get(source, 0) + (GAP if start > SOURCE_START else 0)
        if batch.first[code] - start > most:
            row = int(np.argmax(batch.source.codes == code))
            known = int(batch.occurred[row]) // SECOND + state.policy.lateness + 1
            state.sources[source].began = batch.first[code]
            state.known_from = max(state.known_from or 0, known)


def reach(state: State, batch: Batch, now: int) -> None:
    """Move the watermarks of sources to their newest events; one that is dated after `now` moves it no further."""
    for code, name in enumerate(batch.source.values):
        mine = batch.occurred[batch.source.codes == code]
        source = state.sources[str(name)]
        if len(mine):
            source.watermark = max(source.watermark or 0, min(int(mine.max()), now))


def tally(state: State, batch: Batch, chosen: NDArray[np.bool_], what: str) -> None:
    """Add some events of a batch to what their sources count of a kind."""
    counts = np.bincount(batch.source.codes[chosen], minlength=len(batch.source.values))
    for name, count in zip(batch.source.values, counts.tolist(), strict=True):
        source = state.sources[str(name)]
        setattr(source, what, getattr(source, what) + count)


def by_minute(batch: Batch, taken: NDArray[np.bool_]) -> dict[int, NDArray[np.int64]]:
    """Return the rows of each minute, in their order."""
    rows = np.flatnonzero(taken)
    minute = batch.occurred[rows] // (MINUTE * SECOND)
    order = np.argsort(minute, kind="stable")
    distinct, starts = np.unique(minute[order], return_index=True)
    return dict(zip(distinct.tolist(), np.split(rows[order], starts[1:]), strict=True)) if len(distinct) else {}
