"""Events that are read from several sources into a history and into live numbers, by a consumer that may be killed."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from workbench.errors import StoreConflict
from workbench.events import Event
from workbench.store.base import STORED_EVENT
from workbench.store.memory import MemorySnapshot
from workbench.testing import START, stored

NOW = START + timedelta(days=1)


class Killed(Exception):
    """The consumer ends here."""


class History:
    """A store in memory that commits as every store does: events and positions together."""

    def __init__(self):
        self.events = STORED_EVENT.empty_table()
        self.positions = {}

    def position(self, source):
        return self.positions.get(source, 0)

    def append(self, events, *, source, start, end):
        if self.position(source) != start:
            raise StoreConflict(source)
        self.events = pa.concat_tables([self.events, events.select(STORED_EVENT.names).cast(STORED_EVENT)])
        self.positions[source] = end

    def snapshot(self, *, known_at=None):
        return MemorySnapshot(self.events, known_at=known_at)


class Consumer:
    """Reads logs (per source a list of events, `None` for what is no event) into both, from the smaller position."""

    def __init__(self, history, live, logs):
        self.history, self.live, self.logs = history, live, logs
        self.now = NOW
        self.ahead = {source: history.position(source) for source in logs}
        self.behind = {source: live.position(source) for source in logs}

    def poll(self, sizes, *, dies=""):
        """Take a batch of so many messages of each source to history, then to the live numbers."""
        self.now += timedelta(seconds=1)
        taken = {source: self.take(source, size) for source, size in sizes.items()}
        if dies == "before":
            raise Killed
        for source, (start, end, rows) in taken.items():
            if end > self.ahead[source]:
                new = rows.filter(pc.greater_equal(rows["position"], self.ahead[source]))
                self.history.append(new, source=source, start=max(start, self.ahead[source]), end=end)
                self.ahead[source] = end
        if dies == "between":
            raise Killed
        self.live.apply(
            pa.concat_tables([rows for _, _, rows in taken.values()]),
            moved={source: (start, end) for source, (start, end, _) in taken.items()},
            rejected={source: end - start - rows.num_rows for source, (start, end, rows) in taken.items()},
            now=self.now,
        )
        self.behind = {source: end for source, (_, end, _) in taken.items()}

    def take(self, source, size):
        start = self.behind[source]
        end = min(start + size, len(self.logs[source]))
        places = [place for place in range(start, end) if self.logs[source][place] is not None]
        rows = stored([self.logs[source][place] for place in places], ingested_at=self.now, source=source)
        column = rows.column_names.index("position")
        return start, end, rows.set_column(column, "position", pa.array(places, pa.int64()))

    def drain(self, size=7):
        while any(self.behind[source] < len(log) for source, log in self.logs.items()):
            self.poll(dict.fromkeys(self.logs, size))


def event(number, second, event_type="view", *, user="ann", properties=None, **fields):
    """An event `second` seconds after the start."""
    return Event(
        event_id=f"e{number}",
        event_type=event_type,
        user_id=user,
        occurred_at=START + timedelta(seconds=second),
        properties=msgspec.Raw(msgspec.json.encode(properties or {})),
        **fields,
    )
