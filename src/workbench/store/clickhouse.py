"""Events in ClickHouse: a server, or the engine in this process."""

from __future__ import annotations

import hashlib
import re
import threading
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from workbench.errors import StoreConflict, StoreNotFound
from workbench.store import clickhouse_client as talk
from workbench.store import duck
from workbench.store.arrivals import BUCKETS
from workbench.store.base import SOURCE_START, STORED_EVENT, as_stored

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence
    from datetime import datetime

    from clickhouse_connect.driver.client import Client
    from numpy.typing import NDArray

FEW: Final = 1_000_000
"""Events that are asked for at once; of more, the people are divided into parts."""

_TYPES: Final = {
    "string": "String",
    "timestamp[us, tz=UTC]": "DateTime64(6, 'UTC')",
    "double": "Float64",
    "int32": "Int32",
    "int64": "Int64",
}
_FEW_VALUES: Final = frozenset({"event_type", "platform", "source"})
_COLUMNS: Final = ", ".join(STORED_EVENT.names)
_BEGIN: Final = re.compile(r"(?P<head>(?:\s|--[^\n]*\n)*)(?P<with>WITH\s+)?", re.IGNORECASE)


def _type(column: pa.Field) -> str:
    kind = _TYPES[str(column.type)]
    kind = f"Nullable({kind})" if column.nullable else kind
    return f"LowCardinality({kind})" if column.name in _FEW_VALUES else kind


_EVENTS: Final = (
    f"CREATE TABLE IF NOT EXISTS events ({', '.join(f'{column.name} {_type(column)}' for column in STORED_EVENT)}, "
    f"batch UInt64) ENGINE = MergeTree ORDER BY (bitAnd(user_key, {BUCKETS - 1}), user_key, occurred_at)"
)
_LIST: Final = """
    INSERT INTO batches
    SELECT $batch, of.1, of.2, of.3 FROM (SELECT arrayJoin(arrayZip($sources, $positions, $rows)) AS of)
"""
_BATCHES: Final = (
    "CREATE TABLE IF NOT EXISTS batches (batch UInt64, source String, position Int64, rows UInt64) "
    "ENGINE = MergeTree ORDER BY batch"
)


class ClickHouseSnapshot:
    """The events that were there up to one batch. Safe to ask from several threads."""

    engine: Final = "clickhouse"

    def __init__(
        self,
        client: Client,
        where: talk.Address,
        *,
        batch: int,
        rows: int,
        version: str,
        known_at: datetime | None = None,
        members: NDArray[np.int64] | None = None,
        people: Hashable | None = None,
    ) -> None:
        """Take a client that only reads, and what to see: batches up to one, instants, people."""
        self.where = where
        self.parts = BUCKETS if rows > FEW else 1
        self.known_at = known_at
        self.people = people
        self._client = client
        self._version = version
        self._batch, self._rows, self._members = batch, rows, members

    @property
    def data_version(self) -> str:
        """Name of the version: its last batch, and a hash of all of them, so that two stores are not mistaken."""
        suffix = "" if self.known_at is None else f" as known at {self.known_at.isoformat()}"
        return f"{self._batch}-{self._version}{suffix}"

    def only(self, keys: NDArray[np.int64], *, people: Hashable) -> ClickHouseSnapshot:
        """Return the events of some people alone; see `base.Snapshot.only`."""
        members = keys if self._members is None else np.intersect1d(keys, self._members)
        return self._seen(known_at=self.known_at, members=members, people=people)

    def known(self, at: datetime) -> ClickHouseSnapshot:
        """Return what had been ingested by an instant; see `base.Snapshot.known`."""
        return self._seen(known_at=at, members=self._members, people=self.people)

    def _seen(
        self, *, known_at: datetime | None, members: NDArray[np.int64] | None, people: Hashable | None
    ) -> ClickHouseSnapshot:
        return ClickHouseSnapshot(
            self._client,
            self.where,
            batch=self._batch,
            rows=self._rows,
            version=self._version,
            known_at=known_at,
            members=members,
            people=people,
        )

    def scan(self, columns: Sequence[str], *, part: int) -> None:
        """Leave it to `query`; see `base.Snapshot.scan`."""

    def query(self, sql: str, params: Mapping[str, object] | None = None, *, part: int | None = None) -> pa.Table:
        """Run one SELECT over `events`; see `base.Snapshot.query`."""
        seen, bound = self._events(part)
        return talk.select(self._client, self.where, _over(seen, sql), {**(params or {}), **bound})

    def _events(self, part: int | None) -> tuple[str, dict[str, object]]:
        """Write the SELECT of the events that are seen, and what is bound in it."""
        wanted, bound = ["batch <= $seen_batch"], dict[str, object](seen_batch=self._batch)
        if part is not None and self.parts > 1:
            wanted.append(f"bitAnd(user_key, {BUCKETS - 1}) = {part:d}")
        if self.known_at is not None:
            wanted.append("ingested_at <= $seen_known_at")
            bound["seen_known_at"] = self.known_at
        if self._members is not None:
            wanted.append("user_key IN (SELECT arrayJoin($seen_members))" if len(self._members) else "false")
            bound["seen_members"] = self._members
        table = f"{duck.quote_name(self.where.database)}.events"
        return f"SELECT {_COLUMNS} FROM {table} WHERE {' AND '.join(wanted)}", bound  # noqa: S608 - our own words


def _over(seen: str, sql: str) -> str:
    """Put the events that are seen before a SELECT, under the name by which it asks for them."""
    begin = _BEGIN.match(sql)
    rest = sql[begin.end() :] if begin else sql
    return f"WITH events AS ({seen})" + (", " if begin and begin["with"] else " ") + rest


class ClickHouseStore:
    """Events in the table `events`, and which batches of them are complete in `batches`.

    A batch is seen when it is listed, so that rows of a write that was cut off are never counted.
    """

    def __init__(self, dsn: str, *, create: bool = True) -> None:
        """Open the store at `chdb://path` or `clickhouse://…`; see `clickhouse_client.address`.

        Args:
            dsn: Where it is.
            create: Make the tables where there are none yet.

        Raises:
            StoreNotFound: There are none, and `create` is false; or there is no such database.
            StoreError: Nothing answers, or it refuses the user or the password.
            InvalidArgument: `dsn` names no ClickHouse.
        """
        self.where = talk.address(dsn)
        self._lock = threading.Lock()
        self._writer = talk.connect(self.where, talk.WRITE)
        if create:
            self._do(_EVENTS)
            self._do(_BATCHES)
        elif not {"events", "batches"} <= set(self._column("SELECT name FROM system.tables WHERE database = $name")):
            raise StoreNotFound(f"no events in {self.where}: ingest a file first, with `workbench ingest FILE`")
        self._reader = talk.connect(self.where, talk.READ)

    def snapshot(self, *, known_at: datetime | None = None) -> ClickHouseSnapshot:
        """Open what is there now; see `base.Readable.snapshot`."""
        batches = self._select("SELECT batch, source, position, rows FROM batches ORDER BY batch").to_pylist()
        digest = hashlib.blake2b(repr([tuple(each.values()) for each in batches]).encode(), digest_size=4)
        return ClickHouseSnapshot(
            self._reader,
            self.where,
            batch=batches[-1]["batch"] if batches else 0,
            rows=sum(each["rows"] for each in batches),
            version=digest.hexdigest(),
            known_at=known_at,
        )

    def position(self, source: str) -> int:
        """Return where to resume reading `source`; see `base.Store.position`."""
        sql = "SELECT position FROM batches WHERE source = $source ORDER BY batch DESC LIMIT 1"
        return next(iter(self._select(sql, {"source": source})["position"].to_pylist()), SOURCE_START)

    def append(self, events: pa.Table, *, source: str, start: int, end: int, ingested_at: datetime) -> int:
        """Commit events and the new position of their source in one step; see `base.Store.append`."""
        new = STORED_EVENT.empty_table()
        if events.num_rows:
            new = as_stored(events, source=source, ingested_at=ingested_at)
        return self.append_all(new, moved={source: (start, end)})

    def append_all(self, events: pa.Table, *, moved: Mapping[str, tuple[int, int]]) -> int:
        """Commit events of several sources and where each has come to in one step; see `base.Store.append_all`."""
        for source, (start, _) in moved.items():
            committed = self.position(source)
            if committed != start:
                raise StoreConflict(
                    f"{source} is committed up to {committed:,}, not {start:,}: another process reads it"
                )
        return self._add(events, positions={source: end for source, (_, end) in moved.items()})

    def load(self, events: pa.Table) -> int:
        """Add events that another store has (columns of `STORED_EVENT`); return how many were repeated."""
        return self._add(events.select(STORED_EVENT.names).cast(STORED_EVENT), positions={"": SOURCE_START})

    def maintain(self, *, full: bool = False) -> int:
        """Merge what lies in pieces; repeated events never got in, so that there are none to drop."""
        self._do("OPTIMIZE TABLE events FINAL" if full else "OPTIMIZE TABLE events")
        return 0

    def clear(self) -> None:
        """Forget everything."""
        for table in ("events", "batches"):
            self._do(f"TRUNCATE TABLE {table}")

    def close(self) -> None:
        """Let go of the engine: one in this process holds its folder."""
        self._reader.close()
        self._writer.close()

    def _add(self, events: pa.Table, *, positions: Mapping[str, int]) -> int:
        """Write the events that are not there yet, and then that the batch is complete."""
        with self._lock:
            batch = 1 + int(self._column("SELECT max(batch) AS last FROM batches")[0])
            self._do("ALTER TABLE events DELETE WHERE batch >= $batch SETTINGS mutations_sync = 1", {"batch": batch})
            new = self._new(events)
            if new.num_rows:
                numbered = new.append_column("batch", pa.array([batch], pa.uint64()).take(pa.array([0] * new.num_rows)))
                with talk.named(self.where):
                    self._writer.insert_arrow("events", numbered)
            rows = [new.num_rows, *[0] * (len(positions) - 1)]  # the batch is listed once a source, its rows once
            values = {"batch": batch, "sources": [*positions], "positions": [*positions.values()], "rows": rows}
            self._do(_LIST, values)
        return int(events.num_rows - new.num_rows)

    def _new(self, events: pa.Table) -> pa.Table:
        """Keep the first ingested of each `event_id`, if the store has none of it."""
        ordered = events.sort_by([(name, "ascending") for name in ("ingested_at", "source", "position")])
        ids = ordered["event_id"].to_pylist()
        first = {event_id: place for place, event_id in reversed([*enumerate(ids)])}
        there = self._column("SELECT event_id FROM events WHERE event_id IN $ids", {"ids": [*first]}) if first else []
        return ordered.take(pa.array(sorted(first[event_id] for event_id in first.keys() - set(there)), pa.int64()))

    def _do(self, sql: str, params: Mapping[str, object] | None = None) -> None:
        text, bound = talk.binding(sql, params or {})
        with talk.named(self.where):
            self._writer.command(text, parameters=bound)

    def _select(self, sql: str, params: Mapping[str, object] | None = None) -> pa.Table:
        return talk.select(self._writer, self.where, sql, params or {})

    def _column(self, sql: str, params: Mapping[str, object] | None = None) -> Sequence[Any]:
        values: list[Any] = self._select(sql, {"name": self.where.database, **(params or {})}).column(0).to_pylist()
        return values
