"""What happened to the events between two versions of a store: some were removed, repeated, or came late."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from workbench.metrics.words import words
from workbench.store.base import STORED_EVENT
from workbench.store.memory import MemorySnapshot
from workbench.store.snapshot import LakeSnapshot

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from workbench.metrics.words import Words
    from workbench.store.base import Snapshot

REMOVED, DUPLICATES, LATE = "removed events", "duplicates", "late events"

_NONE: Final = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Stage:
    """One cause, the events as they are once it has worked, and how many it is about."""

    cause: str
    snapshot: Snapshot
    events: int


def stages(before: Snapshot, after: Snapshot, now: datetime) -> list[Stage]:
    """Go from one version to another in three steps, of which each keeps what the one before it left.

    First the events that are kept no more go; then those of which another copy counts now (the same `event_id`, of
    which the first ingested counts) change; then those come that were not known. With the second stand also the
    repeated events that came since and count for nothing, as far as the store still has them. An event is late if it
    had occurred by `now`, when the old question was asked; what occurred since then came in time.
    """
    newest: datetime | None = before.query("SELECT max(ingested_at) AS newest FROM events")["newest"][0].as_py()
    known = after if newest is None else after.known(min(newest, after.known_at or newest))
    removed, changed, early = _differences(before, known)
    without, merged = known, known
    if len(changed):
        without = _less(before, removed)
    if len(early):
        merged = _less(known, early)
        without = without if len(changed) else merged
    late = _count(after, now) - _count(merged, now)
    again = max(_repeated(after) - _repeated(before), 0)
    return [
        Stage(REMOVED, without, len(removed)),
        Stage(DUPLICATES, merged, len(changed) + again),
        Stage(LATE, after, late),
    ]


def _count(snapshot: Snapshot, now: datetime | None = None) -> int:
    """Count the events, or those that had occurred by an instant."""
    if now is None:
        return int(snapshot.query("SELECT count(*) AS n FROM events")["n"][0].as_py())
    found = snapshot.query("SELECT count(*) AS n FROM events WHERE occurred_at <= $now", {"now": now})
    return int(found["n"][0].as_py())


def _repeated(snapshot: Snapshot) -> int:
    """Count the repeated events that a lake holds and does not show: maintenance drops them."""
    if not isinstance(snapshot, LakeSnapshot) or snapshot.known_at is not None or snapshot.people is not None:
        return 0
    return sum(file.rows for file in snapshot.files) - _count(snapshot)


def _differences(before: Snapshot, known: Snapshot) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return, as hashes of their ids, what is gone, what is another copy, and what came with an earlier stamp."""
    if before.engine != known.engine or _same(before, known):
        return _NONE, _NONE, _NONE
    parts = range(before.parts) if before.parts == known.parts > 1 else [None]
    found: list[tuple[NDArray[np.int64], ...]] = []
    for part in parts:
        (one, copy), (other, kept) = (_rows(snapshot, part) for snapshot in (before, known))
        both, here, there = np.intersect1d(one, other, assume_unique=True, return_indices=True)
        found.append((np.setdiff1d(one, both), both[copy[here] != kept[there]], np.setdiff1d(other, both)))
    removed, changed, early = (np.concatenate(each) for each in zip(*found, strict=True))
    return removed, changed, early


def _same(before: Snapshot, known: Snapshot) -> bool:
    """Say whether two versions hold the same copies of the same events, by one number of each."""
    sql = f"SELECT count(*) AS n, sum({_copy(words(before.engine))} % 1000000007) AS sum FROM events"  # noqa: S608
    return bool(before.query(sql).to_pylist() == known.query(sql).to_pylist())


def _rows(snapshot: Snapshot, part: int | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    own = words(snapshot.engine)
    found = snapshot.query(f"SELECT {_id(own)} AS id, {_copy(own)} AS copy FROM events", part=part)  # noqa: S608
    return found["id"].to_numpy(), found["copy"].to_numpy()


def _id(own: Words) -> str:
    return own.pair("event_id", "'id'")


def _copy(own: Words) -> str:
    return own.pair(own.pair("event_id", "source"), own.pair("position", own.micros("ingested_at")))


def _less(snapshot: Snapshot, ids: NDArray[np.int64]) -> Snapshot:
    """Return a version without some events, in memory: this is rare."""
    if not len(ids):
        return snapshot
    events = snapshot.query(f"SELECT *, {_id(words(snapshot.engine))} AS id FROM events")  # noqa: S608 - our own words
    kept = pa.array(~np.isin(events["id"].to_numpy(), ids))
    rows = events.filter(kept).select(STORED_EVENT.names).cast(STORED_EVENT)
    return MemorySnapshot(rows, people=snapshot.people, data_version=f"{snapshot.data_version}, less {len(ids):,}")
