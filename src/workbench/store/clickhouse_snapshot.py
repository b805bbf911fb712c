"""The events in ClickHouse as they were at one batch."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Final, Literal

import numpy as np

from workbench.store import clickhouse_client as talk
from workbench.store import duck
from workbench.store.arrivals import BUCKETS
from workbench.store.base import STORED_EVENT

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    import pyarrow as pa
    from clickhouse_connect.driver.client import Client
    from numpy.typing import NDArray

    from workbench.store.clickhouse_log import Head, Quiet

FEW: Final = 1_000_000
"""Events that are asked for at once; of more, the people are divided into parts."""

_COLUMNS: Final = ", ".join(STORED_EVENT.names)
_BOUND: Final = re.compile(r"(?<![.\w])occurred_at (?P<sign>>=|<=|<|>) \$(?P<name>\w+)")
_TRUE: Final = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_BEGIN: Final = re.compile(r"(?P<head>(?:\s|--[^\n]*\n)*)(?P<with>WITH\s+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class ClickHouseSnapshot:
    """The events that were there up to one batch. Safe to ask from several threads.

    Attributes:
        client: One that only reads.
        where: What it reads.
        head: Which batches are seen.
        times: When the first and the last event occurred, of all that are seen and perhaps more; `None` for none.
        quiet: Tells whether there are rows of later batches; where it is not given, there may be.
        known_at: See `base.Snapshot.known_at`.
        people: See `base.Snapshot.people`.
        members: The `user_key`s of whom alone is seen.
        whole: The same events of all people, where some are left out.
    """

    engine: ClassVar[Literal["clickhouse"]] = "clickhouse"

    client: Client = field(repr=False)
    where: talk.Address
    head: Head
    times: tuple[datetime, datetime] | None = None
    quiet: Quiet | None = None
    known_at: datetime | None = None
    people: Hashable | None = None
    members: NDArray[np.int64] | None = field(default=None, repr=False)
    whole: ClickHouseSnapshot | None = field(default=None, repr=False)

    @property
    def version(self) -> int:
        """The last batch that is seen; `ClickHouseStore.snapshot` opens it again."""
        return self.head.batch

    @property
    def total(self) -> int:
        """See `base.Snapshot.total`."""
        return self.head.total

    @property
    def everybody(self) -> ClickHouseSnapshot:
        """See `base.Snapshot.everybody`."""
        return self.whole or self

    @property
    def parts(self) -> int:
        """See `base.Snapshot.parts`."""
        return BUCKETS if self.total > FEW else 1

    @property
    def data_version(self) -> str:
        """Name of the version: its last batch, and a hash of all of them, so that two stores are not mistaken."""
        suffix = "" if self.known_at is None else f" as known at {self.known_at.isoformat()}"
        return f"{self.head.batch}-{self.head.version}{suffix}"

    def only(self, keys: NDArray[np.int64], *, people: Hashable) -> ClickHouseSnapshot:
        """Return the events of some people alone; see `base.Snapshot.only`."""
        members = keys if self.members is None else np.intersect1d(keys, self.members)
        return replace(self, members=members, people=people, whole=self.everybody)

    def known(self, at: datetime) -> ClickHouseSnapshot:
        """Return what had been ingested by an instant; see `base.Snapshot.known`."""
        return replace(self, known_at=at, whole=self.whole and self.whole.known(at))

    def scan(self, columns: Sequence[str], *, part: int, since: int | None = None, until: int | None = None) -> None:
        """Leave it to `query`; see `base.Snapshot.scan`."""

    def query(
        self, sql: str, params: Mapping[str, object] | None = None, *, part: int | range | None = None
    ) -> pa.Table:
        """Run one SELECT over `events`; see `base.Snapshot.query`.

        To ask every row for its batch takes up to a fifth of the time, so it is left out where no batch was begun.
        """
        given = params or {}
        wanted = without(sql, given, self.times)
        if self.quiet is not None and self.quiet.likely:
            found = self._select(wanted, given, self.seen(part, batches=False))
            if self.quiet.still():
                return found
        return self._select(wanted, given, self.seen(part))

    def _select(self, sql: str, given: Mapping[str, object], seen: tuple[str, dict[str, object]]) -> pa.Table:
        events, bound = seen
        return talk.select(self.client, self.where, over(events, sql), {**given, **bound})

    def seen(self, part: int | range | None = None, *, batches: bool = True) -> tuple[str, dict[str, object]]:
        """Write the SELECT of the events that are seen, and what is bound in it.

        Args:
            part: The people; see `query`.
            batches: Whether there may be rows of batches that are not seen.
        """
        condition, bound = seen(self.head) if batches else ("true", {})
        wanted = [condition]
        buckets = range(part, part + 1) if isinstance(part, int) else part
        if buckets is not None and len(buckets) < self.parts:
            wanted.append(f"bitAnd(user_key, {BUCKETS - 1}) BETWEEN {buckets.start:d} AND {buckets.stop - 1:d}")
        if self.known_at is not None:
            wanted.append("ingested_at <= $seen_known_at")
            bound["seen_known_at"] = self.known_at
        if self.members is not None:
            wanted.append("user_key IN (SELECT arrayJoin($seen_members))" if len(self.members) else "false")
            bound["seen_members"] = self.members
        table = f"{duck.quote_name(self.where.database)}.events"
        return f"SELECT {_COLUMNS} FROM {table} WHERE {' AND '.join(wanted)}", bound  # noqa: S608 - our own words


def seen(head: Head) -> tuple[str, dict[str, object]]:
    """Write the condition by which rows of `events` are seen, and what is bound in it."""
    bound: dict[str, object] = {"seen_batch": head.batch}
    if not head.given_up:
        return "batch <= $seen_batch", bound
    return "batch <= $seen_batch AND batch NOT IN $seen_given_up", {**bound, "seen_given_up": [*head.given_up]}


def without(sql: str, params: Mapping[str, object], times: tuple[datetime, datetime] | None) -> str:
    """Leave out the bounds of time that every event meets: ClickHouse would read the time of each to find that out.

    >>> from datetime import UTC
    >>> there = datetime(2026, 1, 5, tzinfo=UTC), datetime(2026, 2, 5, tzinfo=UTC)
    >>> bounds = {"since": datetime(2026, 1, 9, tzinfo=UTC), "now": datetime(2026, 3, 1, tzinfo=UTC)}
    >>> without("SELECT 1 FROM events WHERE occurred_at >= $since AND occurred_at <= $now", bounds, there)
    'SELECT 1 FROM events WHERE occurred_at >= $since AND true'
    """
    if times is None:
        return sql

    def bound(found: re.Match[str]) -> str:
        limit = params.get(found["name"])
        if not isinstance(limit, datetime) or limit.tzinfo is None:
            return found[0]
        return "true" if all(_TRUE[found["sign"]](time, limit) for time in times) else found[0]

    return _BOUND.sub(bound, sql)


def over(events: str, sql: str) -> str:
    """Put the events that are seen before a SELECT, under the name by which it asks for them."""
    begin = _BEGIN.match(sql)
    rest = sql[begin.end() :] if begin else sql
    return f"WITH events AS ({events})" + (", " if begin and begin["with"] else " ") + rest
