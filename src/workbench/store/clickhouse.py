"""Events in ClickHouse: a server, a cluster of them, or the engine in this process."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import numpy as np
import pyarrow as pa

from workbench.errors import InvalidArgument, StoreAway, StoreConflict, StoreError, StoreNotFound
from workbench.store import clickhouse_client as talk
from workbench.store.base import SOURCE_START, STORED_EVENT, as_stored
from workbench.store.clickhouse_given_up import LIVE, GivenUp, local
from workbench.store.clickhouse_ids import EventIds
from workbench.store.clickhouse_log import LEASE_SECONDS, Head, Log, Quiet
from workbench.store.clickhouse_schema import Schema, Shape, migrations
from workbench.store.clickhouse_snapshot import ClickHouseSnapshot, seen

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.store.clickhouse_schema import Migration
    from workbench.store.event_ids import Repeats

ALONE_SECONDS: Final = 1.0
"""The same as `LEASE_SECONDS` for the engine in this process: whoever claimed a batch there is most likely gone."""

SKEW: Final = timedelta(minutes=5)
"""How far the clock of a server may be from this one."""

ATTEMPTS: Final = 20

_POSITION: Final = """
    SELECT position FROM positions WHERE source = $source AND {seen} ORDER BY batch DESC LIMIT 1
"""
_BOTH: Final = """
    SELECT count() AS n FROM events
    WHERE batch = $batch AND event_key GLOBAL IN (SELECT event_key FROM events WHERE batch > $after AND {seen})
"""
_MOVE: Final = """
    INSERT INTO positions SELECT of.1, $batch, of.2 FROM (SELECT arrayJoin(arrayZip($sources, $positions)) AS of)
"""
_COUNT: Final = "SELECT count() AS n FROM events WHERE batch = $batch"
_RECENT: Final = "SELECT count() AS n FROM events WHERE batch >= $first AND {seen}"
_TIMES: Final = "SELECT min(occurred_at) AS first, max(occurred_at) AS last FROM events"
_ENGINES: Final = """
    SELECT engine FROM system.tables WHERE database = currentDatabase() AND name IN ('events', 'batches')
"""
_SEVERAL: Final = ("Replicated", "Shared")
_EXPIRE: Final = "ALTER TABLE {events} DELETE WHERE occurred_at < $before SETTINGS mutations_sync = 2"


class _Again(StoreConflict):
    """Others were faster, or gave the batch up: the same can be tried under another number."""


class ClickHouseStore:
    """Events in the table `events`, and which batches of them are complete in `batches`; see `clickhouse_log`.

    A batch is seen when it is complete, so that rows of a write that was cut off are never counted. Batches become
    complete in the order of their numbers. Before that each looks for its ids in all earlier ones.

    Attributes:
        where: Its address.
        migrated: What was done to its tables when it was opened.
    """

    def __init__(
        self, dsn: str, *, create: bool = True, shape: Shape | None = None, control: Path | None = None
    ) -> None:
        """Open the store at `chdb://path` or `clickhouse://…`; see `clickhouse_client.address`.

        Args:
            dsn: Where it is.
            create: Make the tables where there are none yet, and bring them up to this version.
            shape: What they are made for.
            control: Folder of the control state, for who needs any.

        Raises:
            StoreNotFound: There are none, and `create` is false; or there is no such database.
            StoreTooNew: They were made by a newer Workbench.
            StoreError: Nothing answers, it refuses the user or the password, or its clock is wrong.
            InvalidArgument: `dsn` names no ClickHouse.
        """
        self.where = talk.address(dsn)
        self._folder = control
        self._shape = shape or Shape(database=self.where.database)
        self._lock = threading.Lock()
        read, write = talk.cluster_settings(self._shape.insert_quorum) if self._shape.cluster else ({}, {})
        self._writer = talk.connect(self.where, {**talk.WRITE, **write})
        self._reader = talk.connect(self.where, {**read, **talk.READ})
        self.migrated: list[Migration] = []
        self._log = Log(self._do, self._select, lease=LEASE_SECONDS if self.where.host else ALONE_SECONDS)
        self._ids = EventIds(self._select, self._log.head)
        try:
            self._prepare(create=create)
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        """Where it is, without a password."""
        return str(self.where)

    @property
    def schema(self) -> Schema:
        """Its tables, and how far they are."""
        return Schema(self._do, self._select, self._shape)

    @property
    def path(self) -> Path:
        """Folder of what is kept beside it: control state, and live numbers in a file.

        Raises:
            InvalidArgument: None was named.
        """
        if self._folder is None:
            raise InvalidArgument(f"nothing is kept beside {self.where}: open it with wb.open()")
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder

    @property
    def control(self) -> Path:
        """Where its control file is."""
        return self.path / "control.db"

    def migrate(self) -> list[Migration]:
        """Bring the tables up to this version; return what that took. Safe for several processes at once."""
        return self.schema.migrate()

    def snapshot(self, *, known_at: datetime | None = None, version: int | None = None) -> ClickHouseSnapshot:
        """Open what is there now, or was when a batch was the last; see `base.Readable.snapshot`.

        Raises:
            InvalidArgument: There is no such version.
        """
        head = self._log.head() if version is None else self._log.head(version)
        if version is not None and version != head.batch:
            raise InvalidArgument(f"no version {version} of {self.where}: the newest is {self._log.head().batch}")
        self._refuse_behind(head, self.read)
        quiet = Quiet(self.read, head) if self._is_one else None  # another node may not know of a batch yet
        return ClickHouseSnapshot(self._reader, self.where, head, self._times(), quiet, known_at=known_at)

    @cached_property
    def _is_one(self) -> bool:
        """Whether all rows are on the server that is asked: its tables say so, as it may be one of a cluster."""
        engines = self.read(_ENGINES)["engine"].to_pylist()
        return all(engine.endswith("MergeTree") and not engine.startswith(_SEVERAL) for engine in engines)

    def _times(self) -> tuple[datetime, datetime] | None:
        """Return when the first and the last event occurred, seen or not: a look at what each part says of itself."""
        (row,) = self.read(_TIMES).to_pylist()
        return (row["first"], row["last"]) if row["first"] is not None else None

    def position(self, source: str) -> int:
        """Return where to resume reading `source`; see `base.Store.position`."""
        return self._position(source, self._log.head())

    def append(
        self,
        events: pa.Table,
        *,
        source: str,
        start: int,
        end: int,
        ingested_at: datetime,
        on_repeats: Callable[[Repeats], object] | None = None,
    ) -> int:
        """Commit events and the new position of their source in one step; see `base.Store.append`."""
        new = STORED_EVENT.empty_table()
        if events.num_rows:
            new = as_stored(events, source=source, ingested_at=ingested_at)
        return self.append_all(new, moved={source: (start, end)}, on_repeats=on_repeats)

    def append_all(
        self,
        events: pa.Table,
        *,
        moved: Mapping[str, tuple[int, int]],
        on_repeats: Callable[[Repeats], object] | None = None,
    ) -> int:
        """Commit events of several sources and where each has come to in one step; see `base.Store.append_all`."""
        with self._lock:
            for _ in range(ATTEMPTS):
                try:
                    return self._commit(events, moved, on_repeats)
                except _Again as error:
                    last = error
        raise StoreConflict(f"{ATTEMPTS} times another process was faster: {last}")

    def conflicts(self, events: pa.Table) -> Repeats:
        """Compare events that were written before with what is stored; see `base.Store.conflicts`."""
        with self._lock:
            return self._ids.compare(events, self._log.head()).repeats(events)

    def load(self, events: pa.Table) -> int:
        """Add events that another store has (columns of `STORED_EVENT`); return how many were repeated."""
        return self.append_all(events.select(STORED_EVENT.names).cast(STORED_EVENT), moved={})

    def maintain(self, *, full: bool = False) -> int:
        """Delete what was written in vain; ClickHouse sorts by itself, and at once if `full`.

        Repeated events never got in, so that there are none to drop.
        """
        with self._lock:
            GivenUp(self._shape, self._log, do=self._do, select=self._select).clean()
        if full:
            self._alter("OPTIMIZE TABLE {events} FINAL", {})
        return 0

    def expire(self, *, before: datetime) -> int:
        """Drop the events that occurred before an instant; return how many. Older versions lose them too."""
        with self._lock:
            batch = self._log.claim()
            head = self._log.turn(batch)
            condition, bound = seen(head)
            old = f"SELECT count() AS n FROM events WHERE occurred_at < $before AND {condition}"  # noqa: S608 - own words
            gone = int(self._select(old, {"before": before, **bound})["n"].to_pylist()[0])
            self._alter(_EXPIRE, {"before": before})
            self._log.complete(batch, head, rows=0, gone=gone, what=before)
        return gone

    def vacuum(self, *, grace_hours: float = 24) -> list[Path]:
        """Delete no files: ClickHouse does that by itself."""
        del grace_hours
        return []

    def clear(self) -> None:
        """Forget all events, and where their sources are."""
        for table in ("events", *LIVE):
            self._alter(f"TRUNCATE TABLE {{{table}}}", {})
        for table in ("positions", "batches"):
            self._alter(f"TRUNCATE TABLE {table}", {})

    def has(self, table: str) -> bool:
        """Tell whether there is a table of that name."""
        sql = "SELECT count() AS n FROM system.tables WHERE database = currentDatabase() AND name = $table"
        return bool(self._select(sql, {"table": table})["n"].to_pylist()[0])

    def command(self, sql: str, params: Mapping[str, object] | None = None) -> None:
        """Run a statement of this room that gives nothing back."""
        self._do(sql, params or {}, "")

    def insert(self, table: str, rows: pa.Table) -> None:
        """Add rows to a table beside the events."""
        if rows.num_rows:
            talk.insert(self._writer, self.where, table, rows, token=uuid4().hex)

    def select(self, sql: str, params: Mapping[str, object] | None = None) -> pa.Table:
        """Run a SELECT over tables beside the events, with bound values."""
        return self._select(sql, params or {})

    def head(self) -> Head:
        """Return which batches are seen now."""
        return self._log.head()

    def read(self, sql: str, params: Mapping[str, object] | None = None) -> pa.Table:
        """Run a SELECT by the client that only reads, beside whatever is written."""
        return talk.select(self._reader, self.where, sql, params or {})

    def close(self) -> None:
        """Let go of the engine: one in this process holds its folder."""
        talk.close(self._reader, self.where)
        talk.close(self._writer, self.where)

    def _prepare(self, *, create: bool) -> None:
        """Make the tables, or refuse those that are not as they must be."""
        version = self.schema.version()
        if create:
            self._refuse_skew()
            self.migrated = self.migrate()
        elif version == 0:
            raise StoreNotFound(f"no events in {self.where}: ingest a file first, with `workbench ingest FILE`")
        elif version < len(migrations()):
            raise StoreError(f"the tables of {self.where} are of an older Workbench: run `workbench migrate`")

    def _commit(
        self,
        events: pa.Table,
        moved: Mapping[str, tuple[int, int]],
        on_repeats: Callable[[Repeats], object] | None,
    ) -> int:
        """Claim a batch, write its rows, wait for its turn, look again, and say that it is complete."""
        head = self._log.head()
        self._refuse_behind(head, self._select)
        self._refuse_moved(moved, head)
        verdicts = self._ids.judge(events, head)
        kept = verdicts.new
        rows = int(np.count_nonzero(kept))
        if on_repeats is not None and rows < events.num_rows:
            on_repeats(verdicts.repeats(events))
        batch = self._log.claim()
        self._write(events, kept, batch, moved)
        now = self._log.turn(batch)
        try:
            self._refuse_behind(now, self._select)
            self._refuse_moved(moved, now)
            if now.batch > head.batch and rows and self._overlaps(batch, now, after=head.batch):
                raise _Again("it brought the same events")
            if self._count(batch) != rows:
                raise _Again(f"of {rows:,} rows {self._count(batch):,} arrived")
        except StoreConflict:
            self._log.give_up(batch)
            raise
        done = self._log.complete(batch, now, rows=rows, what=sorted(moved.items()))
        if done is None:
            raise _Again(f"batch {batch} was given up by others, for it took long")
        if verdicts.keys is not None:
            self._ids.written(verdicts.keys[kept], before=now, after=done)
        return int(events.num_rows - rows)

    def _write(
        self, events: pa.Table, kept: NDArray[np.bool_], batch: int, moved: Mapping[str, tuple[int, int]]
    ) -> None:
        """Write the rows of a batch and where its sources come to; both are seen when it is complete."""
        if kept.any():
            numbers = pa.array(np.full(events.num_rows, batch, dtype=np.uint64))
            rows, token = events.append_column("batch", numbers), f"rows-{batch}-{self._log.writer}"
            talk.insert(self._writer, self.where, "events", rows, token=token, kept=kept)
        if moved:
            ends = {source: end for source, (_, end) in moved.items()}
            values = {"batch": batch, "sources": [*ends], "positions": [*ends.values()]}
            self._do(_MOVE, values, f"positions-{batch}-{self._log.writer}")

    def _refuse_moved(self, moved: Mapping[str, tuple[int, int]], head: Head) -> None:
        """Raise `StoreConflict` unless every source is committed up to where its batch begins."""
        for source, (start, _) in moved.items():
            committed = self._position(source, head)
            if committed != start:
                raise StoreConflict(
                    f"{source} is committed up to {committed:,}, not {start:,}: another process reads it"
                )

    def _position(self, source: str, head: Head) -> int:
        condition, bound = seen(head)
        found = self._select(_POSITION.format(seen=condition), {"source": source, **bound})
        return next(iter(found["position"].to_pylist()), SOURCE_START)

    def _refuse_behind(self, head: Head, select: Callable[[str, Mapping[str, object]], pa.Table]) -> None:
        """Refuse replicas that have not all rows of the latest batches, where one replica is enough for an insert.

        Raises:
            StoreAway: They have fewer; the one that has the rest is down, or they are about to fetch it.
        """
        if not self._shape.cluster or self._shape.insert_quorum != talk.ONE or not head.batch:
            return
        first, rows = self._log.recent(head)
        if not rows:
            return
        condition, bound = seen(head)
        present = int(select(_RECENT.format(seen=condition), {"first": first, **bound})["n"].to_pylist()[0])
        if present != rows:
            raise StoreAway(
                f"of {rows:,} rows of the last hour the replicas of {self.where} that answer have {present:,}: "
                "one is behind, or the one that has the others is down"
            )

    def _overlaps(self, batch: int, head: Head, *, after: int) -> bool:
        """Tell whether a batch has an id that came with those after the one that it was compared with."""
        condition, bound = seen(head)
        found = self._select(_BOTH.format(seen=condition), {"batch": batch, "after": after, **bound})
        return bool(found["n"].to_pylist()[0])

    def _count(self, batch: int) -> int:
        return int(self._select(_COUNT, {"batch": batch})["n"].to_pylist()[0])

    def _refuse_skew(self) -> None:
        """Refuse a server whose clock is far from this one: what is known when would be told wrongly."""
        there = self._select("SELECT now64(6, 'UTC') AS now", {})["now"].to_pylist()[0]
        ahead = there - datetime.now(UTC)
        if abs(ahead) > SKEW:
            raise StoreError(
                f"the clock of {self.where} says {there:%Y-%m-%d %H:%M:%S} UTC, {abs(ahead)} "
                f"{'ahead of' if ahead > timedelta() else 'behind'} this machine's: set the wrong one right"
            )

    def _alter(self, sql: str, params: Mapping[str, object]) -> None:
        """Change a table where its rows are."""
        self._do(local(sql, self._shape), params, "")

    def _do(self, sql: str, params: Mapping[str, object], token: str = "") -> None:
        """Run a statement; of several with the same token only the first counts."""
        talk.command(self._writer, self.where, sql, params, token=token)

    def _select(self, sql: str, params: Mapping[str, object]) -> pa.Table:
        return talk.select(self._writer, self.where, sql, params)
