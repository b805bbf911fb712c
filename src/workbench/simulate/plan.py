"""What is decided before the first day: the dates of everything that happens to the community as a whole."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from workbench.errors import InvalidArgument

Array: TypeAlias = NDArray[Any]

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
"""Spans of time in microseconds. All instants are int64 microseconds since 1970-01-01 UTC."""

EPOCH: Final = date(1970, 1, 1)

PLATFORMS: Final = ("discord", "telegram", "x", "web")

WEEKDAYS: Final = np.array([0.88, 0.92, 0.95, 1.0, 1.05, 1.25, 1.18])
"""How busy a day is, Monday first."""

HOURS: Final = np.array([9, 5, 3, 2, 2, 3, 6, 12, 20, 26, 30, 32, 36, 34, 32, 33, 36, 42, 52, 62, 66, 58, 40, 20])
"""How busy an hour is, on the clock of the person, midnight first."""

DEFAULT_UNTIL: Final = date(2026, 11, 23)


@dataclass(frozen=True)
class Plan:
    """A community of `users` over the `days` UTC days before `until`, by one `seed`.

    Raises:
        InvalidArgument: `users` or `days` below 1, `seed` below 0, `until` no date, or days before 1970.
    """

    users: int
    days: int
    seed: int
    until: date

    def __post_init__(self) -> None:
        for name, least in (("users", 1), ("days", 1), ("seed", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise InvalidArgument(f"{name} is a whole number of at least {least}, not {value!r}")
        if isinstance(self.until, datetime) or not isinstance(self.until, date):
            raise InvalidArgument(f"until is a date, not {self.until!r}")
        if self.days > (self.until - EPOCH).days:
            raise InvalidArgument(f"{self.days:,} days before {self.until} begin before {EPOCH}")

    def rng(self, room: str, day: int = 0) -> np.random.Generator:
        """Return the chance of one room on one day: rooms do not disturb each other's draws."""
        return np.random.default_rng([self.seed, self.users, zlib.crc32(room.encode()), day])

    @property
    def salt(self) -> int:
        """What makes the ids of this community unlike those of any other."""
        words = f"{self.users} {self.days} {self.seed} {self.until}"
        return int.from_bytes(hashlib.blake2b(words.encode(), digest_size=7).digest(), "little")

    def midnight(self, day: int) -> int:
        """Return the instant at which a day (0-based) begins."""
        return ((self.until - EPOCH).days - self.days + day) * DAY

    def weekday(self, day: int) -> int:
        """Return 0 for a Monday."""
        return (self.until - timedelta(days=self.days - day)).weekday()

    @property
    def campaign(self) -> range:
        """The days of the campaign: three in a hundred, a little past the middle."""
        first = int(self.days * 0.55)
        return range(first, first + max(1, round(self.days * 0.03)))

    @property
    def experiment_day(self) -> int:
        """From this day on, everybody who joins is in the experiment."""
        return int(self.days * 0.3)

    @property
    def prompt_day(self) -> int:
        """From this day on, prompt `v4` answers instead of `v3`."""
        return self.days // 2

    @property
    def degraded(self) -> tuple[int, int]:
        """The hour of errors before the outage, end exclusive."""
        start = self.midnight(int(self.days * 0.7)) + 13 * HOUR
        return start, start + HOUR

    @property
    def outage(self) -> tuple[int, int]:
        """The three hours in which nothing at all was recorded, end exclusive."""
        start = self.degraded[1]
        return start, start + 3 * HOUR

    def in_outage(self, at: Array, *, margin: int = 0) -> Array:
        """Tell which instants lie in the outage, or up to `margin` microseconds before it."""
        start, end = self.outage
        return (at >= start - margin) & (at < end)


def times_of_day(rng: np.random.Generator, utc_offset_hours: Array) -> Array:
    """Draw one instant of the UTC day per person, by the rhythm of the person's own clock."""
    clock = np.interp(rng.random(len(utc_offset_hours)), np.r_[0, np.cumsum(HOURS)] / HOURS.sum(), np.arange(25))
    local: Array = ((clock - utc_offset_hours) % 24) * HOUR
    return local.astype(np.int64)


def moment(at: int) -> datetime:
    """Turn an instant into a `datetime`.

    >>> moment(0).isoformat()
    '1970-01-01T00:00:00+00:00'
    """
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)
