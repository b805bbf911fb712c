"""The time that the data cover: where questions begin, and until when the data speak.

A question that is not told when looks from `begin` up to `end`, or up to the present where that is earlier. After the
end nobody can be seen to come back, so those periods do not exist: they are not 0 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias
from weakref import WeakKeyDictionary

from workbench.metrics import arguments, queries
from workbench.metrics.calendars import midnight
from workbench.times import CLOCK_SKEW

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from workbench.metrics.arguments import Span
    from workbench.store.base import Snapshot

    Day: TypeAlias = tuple[datetime, datetime, int]
    """The first and the last event of a UTC day, and how many there were."""

EARLY_SHARE: Final = 0.01
"""Most of the events, as a share of all, that can be an early tail with a wrong clock."""

SHORTEST_GAP: Final = timedelta(days=90)
SURE_GAP: Final = timedelta(days=365)

_TICK: Final = timedelta(microseconds=1)
_WORTH_SAYING: Final = timedelta(hours=1)
"""By how much the end of the data differs from the present before an answer says so."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Coverage:
    """What the data cover. All instants are UTC, and `None` where there are no events.

    Attributes:
        first: When the first event occurred, one of an early tail included.
        last: When the last event occurred.
        begin: Where questions "from the beginning" start: the first event behind an early tail.
        end: Until when the data speak: the end of the local day of the last event where that day has an event in its
            last local hour, else just after the last event.
        early: Events before `begin`, the early tail.
        early_until: When the last of them occurred.
    """

    first: datetime | None = None
    last: datetime | None = None
    begin: datetime | None = None
    end: datetime | None = None
    early: int = 0
    early_until: datetime | None = None

    def now(self, present: datetime | None = None) -> datetime:
        """Return the default `now` of questions: the earlier of the present and the end of the data."""
        present = present or datetime.now(UTC)
        return present if self.end is None else min(present, self.end)


def coverage(snapshot: Snapshot, tz: str = "UTC") -> Coverage:
    """Return what the data of a version cover; it is one query per version, of everybody in it.

    An early tail is left out of `begin`: at most 1 % of all events, separated from the rest by a gap that is longer
    than all the time after it and than 90 days, or longer than a year. That is the phone whose clock says 1970, and
    not the slow start of a young community. Events more than a day after the present have a wrong clock too and cover
    nothing.

    Args:
        snapshot: The events. Of a segment, everybody of the version counts: the data do not end where one group leaves.
        tz: Time zone whose days are meant.

    Raises:
        InvalidArgument: There is no such zone.

    >>> from workbench.testing import store_of
    >>> coverage(store_of({"ann": "view:0 view:1410"}).snapshot()).end.isoformat()
    '2026-01-06T00:00:00+00:00'
    """
    zone = arguments.zone(tz)
    days = _days(snapshot.everybody)
    if not days:
        return Coverage()
    first, last = days[0][0], days[-1][1]
    tail = _early_tail(days)
    early = sum(events for _, _, events in days[:tail])
    local = last.astimezone(zone)
    day_end = midnight(local.date() + timedelta(days=1), zone)
    whole = local.hour == (day_end - _TICK).astimezone(zone).hour
    return Coverage(
        first=first, last=last, begin=days[tail][0], end=day_end if whole else last + _TICK, early=early,
        early_until=days[tail - 1][1] if tail else None,
    )  # fmt: skip


def span(
    snapshot: Snapshot,
    since: str | date | None,
    until: str | date | None,
    now: str | date | None,
    *,
    tz: str = "UTC",
    beginning: bool = True,
) -> Span:
    """Read the time of a question, and resolve what is not given from what the data cover.

    Args:
        snapshot: The events that are asked.
        since: Start, inclusive; where the data begin if not given.
        until: End, exclusive.
        now: When the question is asked; the earlier of the present and the end of the data if not given.
        tz: Time zone of naive times, and of the days that the data cover.
        beginning: Whether a question without `since` looks from the beginning.

    Returns:
        The span; its `notes` say where the data end, and what is left out before they begin.

    Raises:
        InvalidArgument: A value cannot be read, or `until` is not after `since`.
    """
    if now is not None and (since is not None or not beginning):
        return arguments.span(since, until, now, tz=tz)
    known, present = coverage(snapshot, tz), datetime.now(UTC)
    read = arguments.span(since, until, known.now(present) if now is None else now, tz=tz)
    start, notes = read.since, list[str]()
    if now is None and known.end and present - known.end > _WORTH_SAYING:
        notes.append(_end_note(known.end, tz))
    if (
        beginning
        and start is None
        and known.early
        and known.first
        and known.begin
        and known.begin < (read.until or read.now)
    ):
        start = known.begin
        notes.append(_begin_note(known.first, known.begin, known.early, tz))
    return arguments.Span(since=start, until=read.until, now=read.now, notes=tuple(notes))


def history(snapshot: Snapshot, since: datetime | None) -> datetime | None:
    """Return before when events are of an early tail that a question leaves out, even to tell who is new.

    Args:
        snapshot: The events that are asked.
        since: Of the question; one that reaches into the tail asks for the tail as well.
    """
    known = coverage(snapshot)
    return known.begin if known.early_until and (since is None or since > known.early_until) else None


def instant(snapshot: Snapshot, now: str | date | None, tz: str = "UTC") -> datetime:
    """Return the instant at which a question is asked; see `span`."""
    return coverage(snapshot, tz).now() if now is None else arguments.instant(now, tz, name="now")


def _days(snapshot: Snapshot) -> Sequence[Day]:
    if snapshot not in _KNOWN:
        sql = queries.text("coverage", snapshot.engine)
        rows = snapshot.query(sql, {"latest": datetime.now(UTC) + CLOCK_SKEW}).to_pylist()
        _KNOWN[snapshot] = [
            (row["first_at"].astimezone(UTC), row["last_at"].astimezone(UTC), row["events"]) for row in rows
        ]
    return _KNOWN[snapshot]


_KNOWN: Final[WeakKeyDictionary[Snapshot, Sequence[Day]]] = WeakKeyDictionary()


def _early_tail(days: Sequence[Day]) -> int:
    """Return how many of the days are an early tail."""
    last, most = days[-1][1], EARLY_SHARE * sum(events for _, _, events in days)
    tail, before = 0, 0
    for place, ((_, stopped, events), (started, _, _)) in enumerate(pairwise(days), start=1):
        before += events
        if before > most:
            break
        if started - stopped > min(SURE_GAP, max(SHORTEST_GAP, last - started)):
            tail = place
    return tail


def _end_note(end: datetime, tz: str) -> str:
    return f"The data end at {end.astimezone(arguments.zone(tz)):%Y-%m-%d %H:%M} {tz}; nothing later is counted."


def _begin_note(first: datetime, begin: datetime, early: int, tz: str) -> str:
    zone = arguments.zone(tz)
    events, are = (f"{early:,} events", "are") if early > 1 else ("1 event", "is")
    return (
        f"Starts {begin.astimezone(zone):%Y-%m-%d}: {events} before it, from {first.astimezone(zone):%Y-%m-%d}, {are} "
        "left out."
    )
