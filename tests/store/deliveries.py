"""Events on their way to a live store: in batches of several sources, and counted one by one by a slow oracle."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta

import pyarrow as pa

from workbench.store.live_state import micros
from workbench.testing import START, events_of, stored


def table(events, *, source="events-0", start=0):
    """The events of a batch of one source, at consecutive positions."""
    moved = stored(events, source=source)
    return moved.set_column(
        moved.column_names.index("position"), "position", pa.array(range(start, start + len(events)), pa.int64())
    )


def put(live, journeys, *, source="events-0", now=None, rejected=0, unit=timedelta(seconds=1), **fields):
    """Apply one batch of journeys, told in seconds, at the position that the live store is at."""
    events = sorted(events_of(journeys, unit=unit, **fields), key=lambda event: event.occurred_at)
    start = live.position(source)
    live.apply(
        table(events, source=source, start=start),
        moved={source: (start, start + len(events) + rejected)},
        rejected={source: rejected} if rejected else {},
        now=now or START + timedelta(days=1),
    )


class Oracle:
    """What a live store should know, from one event after the other and with nothing but dicts."""

    def __init__(self, policy):
        self.policy = policy
        self.watermarks, self.seen_at = {}, {}
        self.watermark = None
        self.seconds = {}
        self.users = defaultdict(set)
        self.ids = set()
        self.counts = defaultdict(Counter)
        self.revised = Counter()

    def apply(self, rows, *, moved, now):
        """Rows are (source, position, event)."""
        closed, edge = self.closed, self.edge
        self.seen_at.update(dict.fromkeys(moved, now))
        for source, _, event in rows:
            newest = min(micros(event.occurred_at), micros(now))
            self.watermarks[source] = max(self.watermarks.get(source, 0), newest)
        idle = timedelta(seconds=self.policy.idle)
        active = [self.watermarks.get(source) for source, seen_at in self.seen_at.items() if now - seen_at <= idle]
        if active and None not in active:
            self.watermark = max(self.watermark or 0, min(active))
        for source, _, event in sorted(rows, key=lambda row: row[:2]):
            self.add(source, event, closed, edge)

    def add(self, source, event, closed, edge):
        second = micros(event.occurred_at) // 1_000_000
        if edge is not None and second < edge:
            self.counts[source]["late"] += 1
        elif (event.event_id, second // 60) in self.ids:
            self.counts[source]["duplicate"] += 1
        else:
            self.ids.add((event.event_id, second // 60))
            self.counts[source]["counted"] += 1
            if closed is not None and second < closed:
                self.counts[source]["revised"] += 1
                self.revised[second] += 1
            self.seconds.setdefault(second, Counter())[event.platform, event.event_type] += 1
            self.users[second // 60].add(event.user_id)

    @property
    def closed(self):
        return None if self.watermark is None else self.watermark // 1_000_000 - self.policy.lateness

    @property
    def edge(self):
        return None if self.watermark is None else self.watermark // 1_000_000 - self.policy.horizon

    def kept(self):
        """The minutes that the store should still have."""
        oldest = (self.edge - 3600) // 60
        return {minute for minute in self.users if minute >= oldest}


def told(picture):
    """Counts per second of a picture, as the oracle has them."""
    counts = {}
    for start, minute in picture.minutes.items():
        for second, platform, event_type, events in minute.cells.tolist():
            cell = counts.setdefault(start * 60 + second, Counter())
            cell[minute.platforms[platform], minute.types[event_type]] += events
    return counts
