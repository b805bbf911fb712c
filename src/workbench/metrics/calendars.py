"""Days, weeks and months as the clocks of a time zone show them, daylight saving included."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np

from workbench.errors import InvalidArgument
from workbench.metrics import arguments

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from numpy.typing import NDArray

Period: TypeAlias = Literal["day", "week", "month"]
PERIODS: Final[tuple[Period, ...]] = ("day", "week", "month")

ABOUT: Final[dict[Period, timedelta]] = {
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
}
MOST_PERIODS: Final = 40_000
"""Days of a hundred years, and some: more is a slip, and would be slow for nothing."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Consecutive periods: `days` has the first day of each, `starts` its first instant (UTC), and one more."""

    days: tuple[date, ...]
    starts: tuple[datetime, ...]

    def number(self, instant: datetime) -> int:
        """Return the 0-based number of the period that an instant lies in."""
        return bisect_right(self.starts, instant) - 1

    @property
    def edges(self) -> NDArray[np.int64]:
        """Where each period begins, and behind the last where it ends: `starts` as kernels count time."""
        return np.array([micros(start) for start in self.starts], dtype=np.int64)


def micros(instant: datetime) -> int:
    """Return an instant as microseconds since 1970, as kernels count time."""
    return (instant - _EPOCH) // _TICK


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)


def calendar(period: Period, first: datetime, last: datetime, tz: str) -> Calendar:
    """Return the periods from the one that `first` lies in to the one that `last` lies in.

    Raises:
        InvalidArgument: The zone is unknown, or there are more than `MOST_PERIODS`.

    >>> calendar("day", *[arguments.instant(day) for day in ("2026-03-29", "2026-03-29")], "Europe/Berlin").starts
    ... # doctest: +NORMALIZE_WHITESPACE
    (datetime.datetime(2026, 3, 28, 23, 0, tzinfo=datetime.timezone.utc),
     datetime.datetime(2026, 3, 29, 22, 0, tzinfo=datetime.timezone.utc))
    """
    zone = arguments.zone(tz)
    if (last - first) / ABOUT[period] > MOST_PERIODS:
        raise InvalidArgument(
            f"there are more than {MOST_PERIODS:,} {period}s from {first:%Y-%m-%d} to {last:%Y-%m-%d}: ask with an "
            "earlier now, or by longer periods"
        )
    days = [_floor(period, first.astimezone(zone).date())]
    end = last.astimezone(zone).date()
    while days[-1] <= end:
        days.append(_next(period, days[-1]))
    return Calendar(tuple(days[:-1]), tuple(midnight(day, zone) for day in days))


def _floor(period: Period, day: date) -> date:
    return {"day": day, "week": day - timedelta(days=day.weekday()), "month": day.replace(day=1)}[period]


def _next(period: Period, day: date) -> date:
    if period == "month":
        return (day + timedelta(days=31)).replace(day=1)
    return day + timedelta(days={"day": 1, "week": 7}[period])


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant of a day; where the clock skips midnight, that is when it jumps."""
    return datetime.combine(day, time(), zone).astimezone(UTC)
