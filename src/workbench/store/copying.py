"""Copying events from one store to another, day by day: what is equal already is left alone.

Each day is compared by the number of its events and a checksum over every column of them, which both stores are asked
for and this process works out, so that neither is taken at its word. A copy that was cut off is begun again by the same
call: days that arrived whole are not sent again, and an event that arrived is not counted twice.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workbench.errors import InvalidArgument, StoreConflict
from workbench.store.base import STORED_EVENT
from workbench.store.event_keys import event_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from workbench.store.base import Place, Snapshot

Digests: TypeAlias = "dict[date, tuple[int, int]]"
"""Per day of `occurred_at` in UTC: the number of its events, and a checksum of them."""

AT_ONCE: Final = 200_000
"""Events that are written in one batch; from so many on, a lake sorts them in at once."""

_EVENTS: Final = f"""
    SELECT {", ".join(STORED_EVENT.names)} FROM events WHERE occurred_at >= $since AND occurred_at < $until
"""  # noqa: S608 - names of ours
_ENDS: Final = "SELECT min(occurred_at) AS first, max(occurred_at) AS last FROM events"
_SOURCES: Final = "SELECT DISTINCT source FROM events ORDER BY source"
_DAY_US: Final = 86_400_000_000
_PRIME: Final = np.uint64(0x9E3779B97F4A7C15)
_UNKNOWN: Final = np.uint64(0xA5A5A5A5A5A5A5A5)


@dataclass(frozen=True, kw_only=True)
class Copied:
    """What a copy came to.

    Attributes:
        days: Days that have events; all of them are equal now.
        events: Events of them.
        sent: Days that had to be sent; the others were equal before.
        sources: Where reading goes on: sources whose position was moved.
    """

    days: int
    events: int
    sent: tuple[date, ...] = field(default=())
    sources: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        told = f"{self.events:,} events of {self.days:,} days are equal by count and checksum"
        return f"{told}; {len(self.sent):,} days were sent, {len(self.sources):,} sources moved on"


def copy(one: Place, other: Place, *, progress: Callable[[int, int, str], None] = lambda *_: None) -> Copied:
    """Copy all events of one store to another, and where their sources are read on.

    Args:
        one: Where from; what it holds now is copied, also if more arrives meanwhile.
        other: Where to. Events that it has of its own are an error, for then the two cannot be equal.
        progress: Told after each month how many of how many are done, and which it was.

    Raises:
        InvalidArgument: Both are the same store.
        StoreConflict: A day differs after it was sent: the other store has events of its own, or both have different
            events under one `event_id`.
        StoreError: A store cannot be read or written.
    """
    if one.name == other.name:
        raise InvalidArgument(f"{one.name} cannot be copied into itself: name another store")
    positions = _positions(one)  # before what is copied, so that nothing lies between: what comes twice counts once
    wanted = one.snapshot()
    other.maintain()
    done, sent = _Counted(), list[date]()
    months = _months(wanted)
    for number, (since, until) in enumerate(months, start=1):
        here, there = digests(wanted, since, until), digests(other.snapshot(), since, until)
        differing = sorted(day for day in here if here[day] != there.get(day))
        if differing:
            _send(wanted, other, since, until, days=differing)
            there = digests(other.snapshot(), since, until)
            sent += differing
        _refuse_others(here, there, one.name, other.name)
        done.add(here)
        progress(number, len(months), f"{since:%Y-%m}")
    return Copied(days=done.days, events=done.events, sent=tuple(sent), sources=_moved(other, positions))


@dataclass
class _Counted:
    """How much was compared."""

    days: int = 0
    events: int = 0

    def add(self, found: Digests) -> None:
        """Count the days of a month."""
        self.days += len(found)
        self.events += sum(rows for rows, _ in found.values())


def digests(snapshot: Snapshot, since: datetime, until: datetime) -> Digests:
    """Count and sum up the events of each day in `[since, until)`; both instants are midnights in UTC.

    Equal events give equal checksums, in whichever store they are, in whichever order they come. That
    they do not differ though the events do is chance, one in 2^64.
    """
    found: Digests = {}
    for table in _parts(snapshot, since, until):
        days = _days(table)
        sums = _row_sums(table)
        for day in np.unique(days):
            rows = days == day
            count, total = found.get(_date(day), (0, 0))
            found[_date(day)] = (count + int(rows.sum()), (total + int(sums[rows].sum())) % 2**64)
    return found


def _parts(snapshot: Snapshot, since: datetime, until: datetime) -> Iterator[pa.Table]:
    bound = {"since": since, "until": until}
    for part in range(snapshot.parts):
        table = snapshot.query(_EVENTS, bound, part=part)
        if table.num_rows:
            yield table.select(STORED_EVENT.names).cast(STORED_EVENT)


def _send(wanted: Snapshot, other: Place, since: datetime, until: datetime, *, days: list[date]) -> None:
    chosen = np.array(sorted((day - date(1970, 1, 1)).days for day in days))
    for table in _parts(wanted, since, until):
        some = table.filter(pa.array(np.isin(_days(table), chosen)))
        for start in range(0, some.num_rows, AT_ONCE):
            other.append_all(some.slice(start, AT_ONCE), moved={})
    other.maintain()


def _refuse_others(here: Digests, there: Digests, one: str, other: str) -> None:
    wrong = sorted(day for day in here.keys() | there.keys() if here.get(day) != there.get(day))
    if wrong:
        day = wrong[0]
        counts = [found.get(day, (0, 0))[0] for found in (here, there)]
        raise StoreConflict(
            f"{len(wrong)} days differ, the first is {day}: {counts[0]:,} events in {one}, {counts[1]:,} in {other}, "
            "which has events of its own, or others under the same event_id"
        )


def _positions(store: Place) -> dict[str, int]:
    sources = store.snapshot().query(_SOURCES)["source"].to_pylist()
    return {source: store.position(source) for source in sources}


def _moved(other: Place, positions: dict[str, int]) -> tuple[str, ...]:
    """Let each source be read on where it was read to."""
    known = {source: (other.position(source), end) for source, end in positions.items()}
    moved = {source: (start, end) for source, (start, end) in known.items() if end > start}
    if moved:
        other.append_all(STORED_EVENT.empty_table(), moved=moved)
    return tuple(moved)


def _months(snapshot: Snapshot) -> list[tuple[datetime, datetime]]:
    ends = snapshot.query(_ENDS).to_pylist()[0]
    if ends["first"] is None:
        return []
    first, last = (datetime.fromtimestamp(ends[name].timestamp(), UTC) for name in ("first", "last"))
    begin, found = datetime(first.year, first.month, 1, tzinfo=UTC), []
    while begin <= last:
        end = begin + timedelta(days=monthrange(begin.year, begin.month)[1])
        found.append((begin, end))
        begin = end
    return found


def _days(events: pa.Table) -> NDArray[np.int64]:
    """Return the day of each event, counted from 1970."""
    micros: NDArray[np.int64] = events["occurred_at"].cast(pa.int64()).to_numpy()
    return micros // _DAY_US


def _date(day: np.int64) -> date:
    return date(1970, 1, 1) + timedelta(days=int(day))


def _row_sums(events: pa.Table) -> NDArray[np.uint64]:
    """Mix all columns of each row into one number."""
    total = np.zeros(events.num_rows, dtype=np.uint64)
    for field_ in events.schema:
        column = events[field_.name]
        known = column.is_valid().to_numpy()
        words = np.where(known, _words(column, field_.type), _UNKNOWN)
        total = (total ^ words) * _PRIME
        total ^= total >> np.uint64(29)
    return total


def _words(column: pa.ChunkedArray, kind: pa.DataType) -> NDArray[np.uint64]:
    """Return a number for each value; any where there is none."""
    if pa.types.is_floating(kind):
        found: NDArray[np.float64] = pc.fill_null(column, 0.0).to_numpy()
        return (found + 0.0).view(np.uint64)  # of the two zeros the plain one: databases print and read them alike
    if pa.types.is_integer(kind) or pa.types.is_timestamp(kind):
        whole: NDArray[np.int64] = pc.fill_null(column.cast(pa.int64()), 0).to_numpy()
        return whole.view(np.uint64)
    return event_keys(pc.fill_null(column.cast(pa.string()), ""))
