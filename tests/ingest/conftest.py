from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from workbench.errors import StoreConflict, StoreFull
from workbench.ingest.batches import POSITIONED

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


class ListStore:
    """A store in memory that keeps the promises of a real one, and breaks where a test asks it to.

    `breaks` holds numbers of appends: the one of a positive number fails before it commits, of a
    negative one just after.
    """

    def __init__(self, control):
        self.control = control
        self.tables, self.positions, self.repeated = [], {}, 0
        self.appends, self.breaks, self.error = 0, set(), KeyboardInterrupt

    def position(self, source):
        return self.positions.get(source, 0)

    def append(self, events, *, source, start, end, ingested_at, on_repeats=None):
        self.appends += 1
        if self.appends in self.breaks:
            raise self.error("no space left" if self.error is StoreFull else "stop")
        if self.position(source) != start:
            raise StoreConflict(f"{source} is at {self.position(source)}, not {start}")
        assert events.schema == POSITIONED
        assert ingested_at == NOW
        self.tables.append(events)
        self.positions[source] = end
        if -self.appends in self.breaks:
            raise self.error("stop")
        return 0

    def maintain(self, *, full=False):
        rows = sum(table.num_rows for table in self.tables)
        repeated = rows - len({row["event_id"] for row in self.rows()}) - self.repeated
        self.repeated += repeated
        return repeated

    def rows(self):
        return pa.concat_tables([POSITIONED.empty_table(), *self.tables]).to_pylist()

    def by_id(self):
        return {row["event_id"]: row for row in reversed(self.rows())}


@pytest.fixture
def store(tmp_path):
    return ListStore(tmp_path / "control.db")


@pytest.fixture
def now():
    return NOW
