"""Which events are new to a ClickHouse: its ids are asked for by their hash, as few times as possible."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.store import event_ids as ids
from workbench.store.clickhouse_binding import Sent
from workbench.store.clickhouse_snapshot import seen
from workbench.store.event_ids import Verdicts
from workbench.store.event_keys import event_keys
from workbench.store.known_keys import KnownKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

    from workbench.store.clickhouse_log import Head

KEYS_AT_ONCE: Final = 1_000_000
GRANULE: Final = 8_192
"""Rows that are read at least where one key is looked for."""

SOON: Final = 1
"""After so many batches for which all keys were looked at they are read once more, and known from then on: that
takes as long as one more look."""

MOST_KNOWN: Final = 80_000_000
"""Keys that are known at most: they take 240 MB. In a larger store all are looked at each time."""

RANGES: Final = 16
"""Pieces in which the keys of a store are read."""

_THERE: Final = """
    SELECT DISTINCT reinterpretAsInt64(event_key) AS key, batch FROM events
    WHERE event_key IN (SELECT key FROM $keys) AND {seen}
    SETTINGS use_index_for_in_with_subqueries = {few:d}
"""
_NAMED: Final = """
    SELECT event_id, event_type, user_id, occurred_at FROM events
    WHERE event_key IN (SELECT key FROM $keys) AND batch IN $batches AND {seen}
"""
"""Parts of other batches are not read. What comes again does so soon, as a rule."""

_ALL: Final = """
    SELECT reinterpretAsInt64(event_key) AS key FROM events
    WHERE event_key BETWEEN toUInt64($first) AND toUInt64($last) AND {seen}
"""
_SINCE: Final = "SELECT reinterpretAsInt64(event_key) AS key FROM events WHERE batch > $after AND {seen}"


@dataclass(slots=True)
class _Known:
    """The keys of a store, up to a version."""

    keys: KnownKeys
    head: Head


class EventIds:
    """Finds out which events a store has. One thread at a time."""

    def __init__(self, select: Callable[[str, Mapping[str, object]], pa.Table], head_at: Callable[[int], Head]) -> None:
        """Take how to run a SELECT with bound values, and how to find what was there when a batch was the last."""
        self._select, self._head_at = select, head_at
        self._known: _Known | None = None
        self._looks = 0

    def judge(self, events: pa.Table, head: Head) -> Verdicts:
        """Compare a batch with what a store has, and with itself.

        Args:
            events: Columns of `STORED_EVENT`.
            head: What the store has.
        """
        keys = event_keys(events["event_id"])
        known = None
        if head.batch and len(keys) and not _few(keys, head):
            self._looks += 1
            known = self._follow(head, more=len(keys)) if self._looks > SOON else None
        verdicts = self._compare(events, keys, head, known)
        repeated = int((verdicts == ids.SAME).sum())
        ids.compare_within(events, keys, verdicts)
        return Verdicts(verdicts, keys, repeated)

    def compare(self, events: pa.Table, head: Head) -> Verdicts:
        """Compare events that were read before with what a store has, and not with each other."""
        keys = event_keys(events["event_id"])
        verdicts = self._compare(events, keys, head, None)
        return Verdicts(verdicts, keys, int((verdicts == ids.SAME).sum()))

    def _compare(
        self, events: pa.Table, keys: NDArray[np.uint64], head: Head, known: KnownKeys | None
    ) -> NDArray[np.int8]:
        verdicts = np.full(len(keys), ids.NEW, dtype=np.int8)
        for start in range(0, len(keys) if head.batch else 0, KEYS_AT_ONCE):
            there, batches = self._there(keys[start : start + KEYS_AT_ONCE], head, known)
            if len(there):  # two ids may have one key
                condition, bound = seen(head)
                values = {"keys": Sent(there), "batches": batches, **bound}
                ids.compare(events, keys, self._select(_NAMED.format(seen=condition), values), verdicts)
        return verdicts

    def written(self, keys: NDArray[np.uint64], *, before: Head, after: Head) -> None:
        """Take note of what this process has written between two versions."""
        if self._known is not None and self._known.head.version == before.version:
            self._known.keys.add(keys)
            self._known.head = after

    def _there(
        self, keys: NDArray[np.uint64], head: Head, known: KnownKeys | None
    ) -> tuple[NDArray[np.uint64], list[int]]:
        """Return those keys that the store has, and the batches of which they are."""
        if known is not None:
            keys = keys[known.among(keys)]
        if not len(keys):
            return keys, []
        condition, bound = seen(head)
        sql = _THERE.format(seen=condition, few=_few(keys, head))
        found = self._select(sql, {"keys": Sent(keys), **bound})
        return np.unique(_keys(found)), found["batch"].unique().to_pylist()

    def _follow(self, head: Head, *, more: int) -> KnownKeys | None:
        """Know all keys up to a version; `None` where there are too many. What was read in part is not kept."""
        known, self._known = self._known, None
        if head.total + more > MOST_KNOWN:
            return None
        if known is None or max(known.keys.count, head.total) + more > known.keys.room or not self._led(known, head):
            keys = self._all(head, room=min(2 * (head.total + more), MOST_KNOWN))
        else:
            keys = known.keys
            if known.head.batch < head.batch:
                condition, bound = seen(head)
                since = self._select(_SINCE.format(seen=condition), {"after": known.head.batch, **bound})
                keys.add(_keys(since))
        self._known = _Known(keys, head)
        return keys

    def _led(self, known: _Known, head: Head) -> bool:
        """Tell whether a version came before another one in the same store, which may have been emptied meanwhile."""
        there = head if known.head.batch == head.batch else self._head_at(known.head.batch)
        return there.version == known.head.version

    def _all(self, head: Head, *, room: int) -> KnownKeys:
        """Read all keys, some at a time."""
        condition, bound = seen(head)
        keys = KnownKeys(room)
        edges = [2**64 * place // RANGES for place in range(RANGES + 1)]
        for first, last in pairwise(edges):
            values: dict[str, object] = {"first": str(first), "last": str(last - 1), **bound}
            keys.add(_keys(self._select(_ALL.format(seen=condition), values)))
        return keys


def _few(keys: NDArray[np.uint64], head: Head) -> bool:
    """Tell whether keys are so few that an index helps: of many, every granule has one."""
    return len(keys) * GRANULE < head.total


def _keys(found: pa.Table) -> NDArray[np.uint64]:
    """Return hashes as they are; Arrow has them signed."""
    return np.asarray(found["key"].to_numpy()).view(np.uint64)
