"""Why a live window differs from history: found event by event, by the ids that only one of the two has."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.metrics.moments import instant_of
from workbench.metrics.words import words
from workbench.store.live_batch import event_hashes
from workbench.store.live_state import micros

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import pyarrow as pa
    from numpy.typing import NDArray

    from workbench.store.base import Readable, Snapshot
    from workbench.store.live import LiveReader, Picture

LATE: Final = "late"
DUPLICATE: Final = "duplicate"
NOT_YET_IN_HISTORY: Final = "not_yet_in_history"
NOT_YET_LIVE: Final = "not_yet_live"
NOT_STREAMED: Final = "not_streamed"
UNEXPLAINED: Final = "unexplained"
CAUSES: Final = (LATE, DUPLICATE, NOT_YET_IN_HISTORY, NOT_YET_LIVE, NOT_STREAMED)

_MICROS_OF_MINUTE: Final = 60_000_000
_INSIDE: Final = """
    SELECT event_id, source, position, {micros} AS moment
    FROM events WHERE occurred_at >= $since AND occurred_at < $until
"""
_OUTSIDE: Final = "SELECT event_id FROM events WHERE occurred_at < $since OR occurred_at >= $until"


@dataclass(frozen=True, slots=True)
class Causes:
    """What was found.

    Attributes:
        by_minute: Per minute since 1970 how many events differ for which cause.
        late: How many events were left to history because they came too late to be in any window.
    """

    by_minute: Mapping[int, Counter[str]] = field(default_factory=dict)
    late: int = 0

    def explain(self, residual: float, begin: datetime, end: datetime) -> Counter[str]:
        """Divide what differs in the windows of some minutes by its causes; each explains as much as it has events."""
        first, last = micros(begin) // _MICROS_OF_MINUTE, micros(end) // _MICROS_OF_MINUTE
        found = Counter({LATE: self.late})
        for minute, causes in self.by_minute.items():
            if first <= minute < last:
                found += causes
        divided: Counter[str] = Counter()
        left = residual
        for cause in (*CAUSES[1:], LATE):
            divided[cause] = min(left, found[cause])  # type: ignore[assignment] # a residual of quantiles is a float
            left -= divided[cause]
        divided[UNEXPLAINED] = left  # type: ignore[assignment]
        return divided


def nothing() -> Causes:
    """Return what explains nothing, where nothing has to be."""
    return Causes()


def find(
    store: Readable,
    snapshot: Snapshot,
    live: LiveReader,
    picture: Picture,
    changed: Sequence[Sequence[tuple[datetime, datetime]]],
) -> Causes:
    """Look for the causes of what differs in some spans."""
    spans = [span for each in changed for span in each]
    since = max(min(begin for begin, _ in spans), instant_of(min(picture.minutes, default=0)))
    until = max(end for _, end in spans)
    sql = _INSIDE.replace("{micros}", words(snapshot.engine).micros("occurred_at"))
    history = snapshot.query(sql, {"since": since, "until": until})
    ids = {minute: live.ids(minute) for minute in picture.minutes}
    late = sum(source.late for source in picture.state.sources.values())
    found: dict[int, Counter[str]] = defaultdict(Counter)
    known = np.sort(np.concatenate([np.empty(0, np.uint64), *ids.values()]))
    hashes = event_hashes(history["event_id"])
    minute_of = history["moment"].to_numpy() // _MICROS_OF_MINUTE
    mine = np.zeros(history.num_rows, dtype=bool)
    for minute in np.unique(minute_of).tolist():
        here = minute_of == minute
        mine[here] = np.isin(hashes[here], ids.get(minute, known[:0]))
    _only_in_history(found, history, minute_of, np.flatnonzero(~mine), _has(known, hashes), picture)
    ahead = _ahead(store, snapshot, picture)
    everywhere: NDArray[np.uint64] | None = None
    for minute, live_ids in ids.items():
        only = live_ids[~np.isin(live_ids, hashes[minute_of == minute])]
        if not len(only) or not since <= instant_of(minute) < until:
            continue
        if everywhere is None:
            others = event_hashes(snapshot.query(_OUTSIDE, {"since": since, "until": until})["event_id"])
            everywhere = np.sort(np.concatenate([hashes, others]))
        moved = int(_has(everywhere, only).sum())
        found[minute][DUPLICATE] += moved
        found[minute][NOT_YET_IN_HISTORY] += min(len(only) - moved, ahead)
    return Causes(found, late)


def _only_in_history(
    found: dict[int, Counter[str]],
    history: pa.Table,
    minute_of: NDArray[np.int64],
    rows: NDArray[np.int64],
    elsewhere: NDArray[np.bool_],
    picture: Picture,
) -> None:
    """Say why live numbers lack some events of history."""
    sources, positions = history["source"].to_pylist(), history["position"].to_pylist()
    for row in rows.tolist():
        source = picture.state.sources.get(sources[row])
        if source is None:
            cause = NOT_STREAMED
        elif positions[row] >= source.position:
            cause = NOT_YET_LIVE
        elif elsewhere[row]:
            cause = DUPLICATE
        elif positions[row] < source.began:
            cause = NOT_STREAMED
        else:
            continue
        found[int(minute_of[row])][cause] += 1


def _ahead(store: Readable, snapshot: Snapshot, picture: Picture) -> int:
    """Return by how many messages the live numbers are ahead of history, over all sources."""
    position = getattr(store, "position", None)
    if position is None:
        rows = snapshot.query("SELECT source, max(position) + 1 AS position FROM events GROUP BY source").to_pylist()
        position = {row["source"]: row["position"] for row in rows}.get
    state = picture.state.sources
    return sum(max(source.position - (position(name) or 0), 0) for name, source in state.items())


def _has(ascending: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> NDArray[np.bool_]:
    if not len(ascending):
        return np.zeros(len(wanted), dtype=bool)
    place = np.minimum(np.searchsorted(ascending, wanted), len(ascending) - 1)
    return np.asarray(ascending[place] == wanted)
