"""Times as other systems write them: one parser, and one rule for times without a zone, for files, streams and frames.

A text is read by column where many are alike, and one by one otherwise; both ways give the same instant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo, available_timezones

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from decimal import Decimal

    import numpy.typing as npt

    Mask: TypeAlias = npt.NDArray[np.bool_]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
CLOCK_SKEW: Final = timedelta(days=1)
"""How far ahead of the ingesting clock an event may lie before it is rejected as `bad_time`."""

EVENTS_SINCE: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Default of the setting `events_since`: an earlier event is a fault of a clock, most often 1970."""

PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
EXCEL_DAYS: Final = (40_000, 60_000)
"""Numbers that are days since 1899-12-30, as spreadsheets count them: 2009-07-06 to 2064-04-08."""

TIME: Final = pa.timestamp("us", "UTC")
_NAIVE: Final = pa.timestamp("us")
_EXCEL_EPOCH: Final = datetime(1899, 12, 30)
_DAY_MS: Final = 86_400_000
_LATEST_YEAR: Final = 9998

_DATE: Final = r"(19|20)\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_CLOCK: Final = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?"
_COMMON_NAIVE: Final = rf"^{_DATE}([T ]{_CLOCK})?$"
_COMMON_ZONED: Final = rf"^{_DATE}[T ]{_CLOCK}(Z|[+-](0\d|1[0-4])(:?[0-5]\d)?)$"
_SPELLINGS: Final = (
    (r"^(\d{4}-\d\d-\d\d)t", r"\1T"),
    (r" ?(UTC|GMT|[Zz])$", "Z"),
    (r" ([+-]\d\d(:?\d\d)?)$", r"\1"),
)
"""Ways to write the same, made alike before a column is read at once."""

_WRITTEN: Final = re.compile(
    r"""(?P<year>\d{4})-?(?P<month>\d\d)-?(?P<day>\d\d)
    (?:[Tt ]\ *(?P<hour>\d\d):?(?P<minute>\d\d)(?::?(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?
    \ *(?:(?P<utc>[Zz]|UTC|GMT)
      |(?P<sign>[+-])(?P<hours>[01]\d|2[0-3])(?::?(?P<minutes>[0-5]\d)(?::?(?P<seconds>[0-5]\d))?)?
        (?:\[[\w/+-]+\]|\ [A-Z]{3,5})?
      |(?P<zone>[A-Z][A-Za-z_]+(?:/[\w+-]+)+))?)?""",
    re.VERBOSE | re.ASCII,
)
_DAYS: Final = re.compile(r"[456]\d{4}(?:[.,]\d+)?", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?\d+(?:\.\d+)?", re.ASCII)


@dataclass(slots=True)
class NaiveTimes:
    """Count of accepted events whose time had no zone.

    Attributes:
        read: All of them.
        skipped: Those at a local time that does not exist, moved forward by the gap.
        repeated: Those at a local time that comes twice, taken as the first.
    """

    read: int = 0
    skipped: int = 0
    repeated: int = 0

    def add(self, other: NaiveTimes) -> None:
        """Add the counts of another part."""
        self.read += other.read
        self.skipped += other.skipped
        self.repeated += other.repeated


@dataclass(frozen=True, slots=True)
class TimeRules:
    """Rules for the time of an event.

    Attributes:
        zone: Time zone of times that have none.
        since: First instant that an event may have.
        naive: Counts the times without a zone that were read by these rules.
    """

    zone: str = "UTC"
    since: datetime = EVENTS_SINCE
    naive: NaiveTimes = field(default_factory=NaiveTimes, compare=False)

    def fresh(self, zone: str | None = None) -> TimeRules:
        """Return the same rules with counts of their own, and with the zone of a mapping where it names one."""
        return replace(self, zone=zone or self.zone, naive=NaiveTimes())

    def allows(self, instant: datetime, now: datetime | None) -> bool:
        """Tell whether an event may have occurred at an instant."""
        return self.since <= instant <= (now or datetime.now(UTC)) + CLOCK_SKEW

    def refusal(self, instant: datetime, now: datetime | None) -> str:
        """Explain why no event may have occurred at an instant, and which unit would fit if it came of a number."""
        detail = f"occurred_at {instant.isoformat()} is before {self.since:%Y-%m-%d} or in the future"
        number = (instant - EPOCH) / timedelta(seconds=1)
        factor = next((f for f in _FACTORS if self._fits(number * f, now)), None)
        if factor is None or not number:
            return detail
        other = EPOCH + timedelta(seconds=number * factor)
        return f"{detail}. If it was a number, another unit would give {other:%Y-%m-%d %H:%M}: see `time` of a mapping"

    def unit_hint(self, value: object, now: datetime | None) -> str:
        """Suggest the unit of a number that was given for a time; nothing if no unit fits.

        >>> TimeRules().unit_hint(1767607200000, datetime(2026, 2, 1, tzinfo=UTC))
        '; as ms since 1970 it would be 2026-01-05 10:00: use a mapping with `time: ms`'
        """
        text = value if isinstance(value, str) else repr(value)
        if not _NUMBER.fullmatch(text):
            return ""
        for unit, per_second in PER_SECOND.items():
            if self._fits(float(text) / per_second, now):
                instant = EPOCH + timedelta(seconds=float(text) / per_second)
                return f"; as {unit} since 1970 it would be {instant:%Y-%m-%d %H:%M}: use a mapping with `time: {unit}`"
        return "; numbers 40,000 to 60,000 are days of a spreadsheet" if excel_time(text) else ""

    def _fits(self, seconds: float, now: datetime | None) -> bool:
        try:
            return self.allows(EPOCH + timedelta(seconds=seconds), now)
        except OverflowError:
            return False


_FACTORS: Final = (1e3, 1e6, 1e9, 1e-3, 1e-6, 1e-9)
_ORDINARY: Final = NaiveTimes(1)
DEFAULT_RULES: Final = TimeRules()


class Localized(NamedTuple):
    """Instants of local times: which of them do not exist on the clock, and which come twice."""

    instants: pa.Array
    skipped: Mask
    repeated: Mask


def read_time(text: str) -> datetime | None:
    """Read one time; without a zone if it names none, `None` if it is no time.

    ISO 8601 in its usual and its compact form, as databases and libraries write it, and the days of a spreadsheet.

    >>> read_time("2026-01-05 12:00:00.5+02") == datetime(2026, 1, 5, 10, 0, 0, 500000, UTC)
    True
    >>> read_time("46027.5")
    datetime.datetime(2026, 1, 5, 12, 0)
    """
    text = text.strip()
    try:
        return msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        pass
    written = _WRITTEN.fullmatch(text)
    try:
        return _assembled(written.groupdict()) if written else excel_time(text)
    except (ValueError, OverflowError):  # a 31st of February, a 25th hour
        return None


def excel_time(number: float | Decimal | str) -> datetime | None:
    """Turn the days of a spreadsheet into a local time, to the millisecond; `None` if the number is out of range."""
    if isinstance(number, str):
        if not _DAYS.fullmatch(number):
            return None
        number = float(number.replace(",", "."))
    first, last = EXCEL_DAYS
    if not first <= number <= last:
        return None
    return _EXCEL_EPOCH + timedelta(milliseconds=round(float(number) * _DAY_MS))


def _assembled(parts: dict[str, str | None]) -> datetime:
    """Build a time of its parts; a fraction is rounded to microseconds."""
    year, month, day, hour, minute, second = (
        int(parts[name] or 0) for name in ("year", "month", "day", "hour", "minute", "second")
    )
    time = datetime(year, month, day, hour, minute, second)
    tenths = int(((parts["fraction"] or "") + "0000000")[:7])
    time += timedelta(microseconds=(tenths + 5) // 10)
    if parts["utc"]:
        return time.replace(tzinfo=UTC)
    if parts["sign"]:
        offset = timedelta(**{name: int(parts[name] or 0) for name in ("hours", "minutes", "seconds")})
        return (time - offset if parts["sign"] == "+" else time + offset).replace(tzinfo=UTC)
    if parts["zone"]:
        if parts["zone"] not in _zones():
            raise ValueError(parts["zone"])
        return localized(time, parts["zone"])[0]
    return time


@cache
def _zones() -> set[str]:
    return available_timezones()


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def localized(time: datetime, zone: str) -> tuple[datetime, NaiveTimes]:
    """Take a local time from the clocks of a zone: the instant in UTC, and whether the clocks skip or repeat it.

    A time that does not exist moves forward by the gap; one that comes twice is the first.

    >>> localized(datetime(2026, 3, 29, 2, 30), "Europe/Berlin")[0].isoformat()  # clocks go from 2:00 to 3:00
    '2026-03-29T01:30:00+00:00'
    """
    if zone == "UTC" or not EPOCH.year <= time.year <= _LATEST_YEAR:
        return time.replace(tzinfo=UTC), _ORDINARY
    first, second = (time.replace(tzinfo=_zone(zone), fold=fold).utcoffset() or timedelta(0) for fold in (0, 1))
    instant = (time - first).replace(tzinfo=UTC)
    return instant, NaiveTimes(1, int(first < second), int(first > second))


def localize(times: pa.Array, zone: str) -> Localized:
    """Do what `localized` does to a column of timestamps without a zone; null stays null."""
    never = np.zeros(len(times), dtype=bool)
    times = times.cast(_NAIVE, safe=False)
    if zone == "UTC":
        return Localized(times.cast(TIME), never, never)
    first, after, last = (
        pc.assume_timezone(times, zone, ambiguous=ambiguous, nonexistent=nonexistent).cast(TIME)
        for ambiguous, nonexistent in (("earliest", "earliest"), ("earliest", "latest"), ("latest", "earliest"))
    )
    skipped, repeated = mask(pc.not_equal(first, after)), mask(pc.not_equal(first, last))
    if skipped.any():
        moved = [localized(time, zone)[0] for time in times.filter(pa.array(skipped)).to_pylist()]
        first = pc.replace_with_mask(first, pa.array(skipped), pa.array(moved, TIME))
    return Localized(first, skipped, repeated)


def read_texts(column: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Read a column of text: the times without a zone, and those with one; null in both is no time."""
    given = column
    naive, zoned = _matches(column)
    rest = mask(column.is_valid()) & ~naive & ~zoned
    if rest.any():
        for pattern, spelling in _SPELLINGS:
            column = pc.replace_substring_regex(column, pattern, spelling)
        naive, zoned = _matches(column)
    try:
        times = [
            pc.if_else(pa.array(which), column, None).cast(kind) for which, kind in ((naive, _NAIVE), (zoned, TIME))
        ]
    except pa.ArrowInvalid:  # a 31st of February somewhere
        naive[:], zoned[:] = False, False
        times = [pa.nulls(len(column), _NAIVE), pa.nulls(len(column), TIME)]
    rest = mask(column.is_valid()) & ~naive & ~zoned
    if not rest.any():
        return times[0], times[1]
    distinct = given.filter(pa.array(rest)).dictionary_encode()
    read = [read_time(text) for text in distinct.dictionary.to_pylist()]
    without = [time if time is not None and time.tzinfo is None else None for time in read]
    within = [time if time is not None and time.tzinfo is not None else None for time in read]
    return tuple(
        pc.replace_with_mask(column_, pa.array(rest), pa.array(values, kind).take(distinct.indices))
        for column_, values, kind in ((times[0], without, _NAIVE), (times[1], within, TIME))
    )


def _matches(column: pa.Array) -> tuple[Mask, Mask]:
    naive = mask(pc.match_substring_regex(column, _COMMON_NAIVE))
    return naive, mask(pc.match_substring_regex(column, _COMMON_ZONED)) if not naive.all() else ~naive


def mask(array: pa.Array) -> Mask:
    """Turn a boolean array into NumPy, one that may be written to; null is false."""
    return np.array(pc.fill_null(array, False).to_numpy(zero_copy_only=False), dtype=bool)
