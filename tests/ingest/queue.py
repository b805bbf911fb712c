"""A queue in memory that does what Kafka does to its readers, and stores that break, when a test says so."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field

import pyarrow as pa

from workbench.errors import StoreConflict
from workbench.ingest.base import Bounds, Fetched, Gap
from workbench.store.base import STORED_EVENT
from workbench.store.event_ids import Repeats


def message(number, **fields):
    """Write an event as a program would send it."""
    user = f"user-{number % 50}"
    event = {"event_id": f"e{number}", "event_type": "view", "user_id": user, "occurred_at": "2026-11-01T09:00:00Z"}
    return json.dumps({**event, **fields}).encode()


class Positions:
    """Who has come where; breaks where a test asks it to.

    `breaks` holds numbers of calls and what to raise: that of a positive number before anything is kept, that of a
    negative one just after.
    """

    def __init__(self):
        self.positions, self.calls, self.breaks = {}, 0, {}

    def position(self, source):
        return self.positions.get(source, 0)

    def _move(self, moved, keep):
        self.calls += 1
        if self.calls in self.breaks:
            raise self.breaks[self.calls]
        for source, (start, _) in moved.items():
            if self.position(source) != start:
                raise StoreConflict(f"{source} is at {self.position(source)}, not {start}")
        keep()
        self.positions.update({source: end for source, (_, end) in moved.items()})
        if -self.calls in self.breaks:
            raise self.breaks[-self.calls]


class History(Positions):
    """A history in memory."""

    def __init__(self, control):
        super().__init__()
        self.control, self.tables, self.sorted = control, [], 0

    def append_all(self, events, *, moved, on_repeats=None):
        assert events.schema == STORED_EVENT
        self._move(moved, lambda: self.tables.append(events))
        return 0

    def conflicts(self, events):
        return Repeats(0, events.slice(0, 0).append_column("detail", pa.array([], pa.string())))

    def maintain(self, *, full=False):
        self.sorted += 1
        return 0

    def rows(self):
        return pa.concat_tables([STORED_EVENT.empty_table(), *self.tables]).to_pylist()

    def ids(self):
        return sorted(row["event_id"] for row in self.rows())


class Numbers(Positions):
    """Live numbers in memory: how often each event was counted, and how many were rejected."""

    def __init__(self):
        super().__init__()
        self.counted, self.rejected, self.named = Counter(), Counter(), []

    def apply(self, events, *, moved, rejected, now):
        def keep():
            self.counted.update(events["event_id"].to_pylist())
            self.rejected.update(rejected)
            self.named.append(dict(moved))

        self._move(moved, keep)


class ListSource:
    """A source of lists: one a partition, `None` for a message without a value, `Gap` for what cannot be read."""

    def __init__(self, queue, listener):
        self.queue, self.listener = queue, listener
        self.offsets, self.held, self.closed = {}, set(), False
        self.told, self.confirmed = {}, []
        queue.sources.append(self)

    def poll(self, seconds):
        turn = self.queue.script.pop(0) if self.queue.script else None
        if turn is not None:
            turn(self)
        if not self.offsets and turn is None and not self.queue.silent:
            self.assign(*self.queue.partitions)
        fetched = [got for source in sorted(self.offsets) if (got := self._fetch(source))]
        if not fetched:
            time.sleep(min(seconds, 0.005))
        return fetched

    def _fetch(self, source):
        messages, start = self.queue.partitions[source], self.offsets[source]
        if source in self.held or source in self.queue.stuck or start >= len(messages):
            return None
        end = min(len(messages), start + self.queue.most)
        kept = [(at, messages[at]) for at in range(start, end) if not isinstance(messages[at], Gap)]
        gaps = tuple(messages[at] for at in range(start, end) if isinstance(messages[at], Gap))
        self.offsets[source] = end
        return Fetched(source, [at for at, _ in kept], [value for _, value in kept], end, gaps)

    def assign(self, *sources):
        bounds = {
            source: Bounds(self.queue.begins.get(source, 0), len(self.queue.partitions[source])) for source in sources
        }
        self.offsets.update(self.listener.assigned(bounds))

    def revoke(self, *sources):
        self.listener.revoked(list(sources))
        for source in sources:
            self.offsets.pop(source, None)

    def lose(self, *sources):
        self.listener.lost(list(sources))
        for source in sources:
            self.offsets.pop(source, None)

    def assignment(self):
        return frozenset(self.offsets)

    def seek(self, source, offset):
        self.offsets[source] = offset

    def pause(self, sources):
        self.held |= set(sources)
        self.queue.pauses += 1

    def resume(self, sources):
        self.held -= set(sources)

    def ends(self):
        return {source: len(self.queue.partitions[source]) for source in self.offsets}

    def offset_at(self, source, instant):
        return self.queue.recent.get(source)

    def commit(self, positions):
        self.told.update(positions)

    def confirm(self, positions):
        self.confirmed.append(dict(positions))
        return self.queue.confirms

    def close(self):
        self.closed = True


@dataclass
class Queue:
    """What the partitions hold, and what happens in which turn."""

    partitions: dict
    script: list = field(default_factory=list)
    begins: dict = field(default_factory=dict)
    recent: dict = field(default_factory=dict)
    most: int = 50
    stuck: set = field(default_factory=set)
    silent: bool = False
    confirms: bool = True
    pauses: int = 0
    sources: list = field(default_factory=list)

    def open(self, listener):
        return ListSource(self, listener)
