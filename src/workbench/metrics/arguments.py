"""What people pass to a question, checked and resolved: durations, instants, time zones, choices, names."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final, TypeVar, cast
from zoneinfo import ZoneInfo, available_timezones

from workbench.errors import InvalidArgument
from workbench.events import EARLIEST

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Choice = TypeVar("Choice", bound=str)

_UNITS: Final = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
}
_DURATION: Final = re.compile(r"(?:\d+(?:\.\d+)?[wdhms])+", re.ASCII)
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)([wdhms])", re.ASCII)
_MOST_LISTED: Final = 12


def duration(value: str | timedelta, *, name: str = "within") -> timedelta:
    """Read a length of time.

    Args:
        value: A `timedelta`, or numbers with units (`w`, `d`, `h`, `m` for minutes, `s`).
        name: What the argument is called, for the error.

    Raises:
        InvalidArgument: It cannot be read, or is not positive.

    >>> duration("7d"), duration("1h30m")
    (datetime.timedelta(days=7), datetime.timedelta(seconds=5400))
    """
    length = value if isinstance(value, timedelta) else _parsed_duration(value, name)
    if length <= timedelta():
        raise InvalidArgument(f"{name} must be longer than nothing, got {value!r}")
    return length


def _parsed_duration(value: str, name: str) -> timedelta:
    text = value.strip().replace(" ", "") if isinstance(value, str) else ""
    if not _DURATION.fullmatch(text):
        raise InvalidArgument(
            f"{name} must be a timedelta or text such as '7d', '24h', '30m' or '1h30m', got {value!r}"
        )
    try:
        return sum((float(count) * _UNITS[unit] for count, unit in _PART.findall(text)), timedelta())
    except OverflowError as error:
        raise InvalidArgument(f"{name} is longer than any calendar, got {value!r}") from error


def instant(value: str | date | datetime, tz: str = "UTC", *, name: str = "instant") -> datetime:
    """Read an instant, as UTC.

    Args:
        value: A `datetime`, a `date` (its midnight) or ISO 8601 text of either.
        tz: Time zone of a value that has none. Of a local time that the clock shows twice, the
            earlier is meant; one that it skips is read with the offset from before the change.
        name: What the argument is called, for the error.

    Raises:
        InvalidArgument: It is no instant, or the zone is unknown.

    >>> instant("2026-03-29", "Europe/Berlin").isoformat()
    '2026-03-28T23:00:00+00:00'
    """
    given = _parsed_instant(value, name) if isinstance(value, str) else value
    if isinstance(given, date) and not isinstance(given, datetime):
        given = datetime.combine(given, time())
    if not isinstance(given, datetime) or given != given:  # noqa: PLR0124 - NaT alone differs from itself
        raise InvalidArgument(f"{name} must be a date, a datetime or ISO 8601 text, got {value!r}")
    try:
        aware = given if given.tzinfo else given.replace(tzinfo=zone(tz))
        return datetime.fromtimestamp(aware.timestamp(), UTC).replace(microsecond=aware.microsecond)
    except (OverflowError, ValueError, OSError) as error:
        raise InvalidArgument(f"{name} is outside of the calendar, got {value!r}") from error


def day(text: object) -> date:
    """Read a day.

    >>> day("2026-11-23")
    datetime.date(2026, 11, 23)
    """
    try:
        return date.fromisoformat(str(text))
    except ValueError as error:
        raise InvalidArgument(f"{text!r} is no day; write it as 2026-11-23") from error


def _parsed_instant(value: str, name: str) -> datetime:
    try:
        return datetime.fromisoformat(value.strip())
    except ValueError as error:
        raise InvalidArgument(
            f"{name} must be ISO 8601, such as '2026-11-17' or '2026-11-17T09:00', got {value!r}"
        ) from error


def zone(tz: str) -> ZoneInfo:
    """Return a time zone by its name.

    Raises:
        InvalidArgument: There is no such zone; the nearest name is suggested.
    """
    try:
        return ZoneInfo(tz)
    except (KeyError, ValueError, OSError, TypeError, AttributeError) as error:
        hint = _suggested(str(tz), available_timezones())
        raise InvalidArgument(f"{tz!r} is no time zone{hint}; use a name such as 'Europe/Berlin'") from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """When a question looks: entries from `since` up to `until` (exclusive), events up to `now` (inclusive)."""

    since: datetime | None
    until: datetime | None
    now: datetime
    notes: tuple[str, ...] = ()
    """What an answer is to say of it, such as where the data end."""

    def entries(self) -> dict[str, datetime]:
        """Return the bounds as the values of `$since`, `$until` and `$now`, open ends resolved."""
        return {"since": self.since or EARLIEST, "until": self.until or _NEVER, "now": self.now}


_NEVER: Final = datetime(9999, 12, 31, tzinfo=UTC)


def span(since: str | date | None, until: str | date | None, now: str | date | None, *, tz: str = "UTC") -> Span:
    """Read the time of a question; naive values are in `tz`, a missing `now` is the present.

    Raises:
        InvalidArgument: A value cannot be read, or `until` is not after `since`.
    """
    zone(tz)
    start = None if since is None else instant(since, tz, name="since")
    end = None if until is None else instant(until, tz, name="until")
    if start and end and start >= end:
        raise InvalidArgument(f"until must be after since, got since={since!r} and until={until!r}")
    asked = datetime.now(UTC) if now is None else instant(now, tz, name="now")
    if asked < EARLIEST:
        raise InvalidArgument(f"now must be after {EARLIEST.date()}, before which there are no events, got {now!r}")
    return Span(since=start, until=end, now=asked)


def choice(value: str, allowed: Sequence[Choice], *, name: str) -> Choice:
    """Check that a value is one of those allowed, and return it.

    Raises:
        InvalidArgument: It is not.
    """
    if value not in allowed:
        raise InvalidArgument(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
    return cast("Choice", value)


RESERVED: Final = frozenset({"event_id", "event_type", "occurred_at", "ingested_at", "timestamp", "properties"})
"""Fields of an event that no condition and no breakdown may name."""


def property_name(value: str, *, name: str) -> str:
    """Check that a value names a field or a property that people can be told apart by.

    Raises:
        InvalidArgument: It does not.
    """
    if not isinstance(value, str) or not value or value in RESERVED:
        raise InvalidArgument(f"{name} must be a field such as 'platform', or the name of a property, got {value!r}")
    return value


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like `name`, or `None` when nothing is like it.

    >>> nearest("user_join", ["message_sent", "user_joined"])
    'user_joined'
    """
    by_lower = {other.lower(): other for other in sorted(known)}
    match = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[match[0]] if match else None


def unknown(name: str, known: Iterable[str]) -> str:
    """Say that a name is not known, and what might have been meant: the nearest, and a few others."""
    names = sorted(known)
    listed = ", ".join(map(repr, names[:_MOST_LISTED])) + (", …" if len(names) > _MOST_LISTED else "")
    return f"{name!r}{_suggested(name, names)}; there are {listed}"


def _suggested(name: str, known: Iterable[str]) -> str:
    match = nearest(name, known)
    return f" (nearest: {match!r})" if match else ""
