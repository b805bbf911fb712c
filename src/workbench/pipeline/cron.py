"""When a job is due: cron's expressions in a time zone, right through both nights on which clocks change."""

from __future__ import annotations

import re
from calendar import day_abbr, month_abbr
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from croniter import CroniterBadDateError, CroniterError, croniter

from workbench.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

ALIASES: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 1",
    "@monthly": "0 0 1 * *",
}
"""Weeks begin on Monday, as everywhere in this house; cron's own `@weekly` is a Sunday."""

MOST: Final = 1_000
"""Due instants that are looked back at: more of them were missed by a job that runs every minute for most of a day."""

_FIELDS: Final = re.compile(r"[0-9A-Za-z*/,\-]+")
_WORDS: Final = frozenset([*(name.upper() for name in (*month_abbr[1:], *day_abbr)), "L"])
"""What may be spelt out: croniter also takes `R` and `H`, a new random time at every look, which is never due twice."""

_SHIFT: Final = timedelta(hours=3)
"""More than any clock is changed by in one night."""


@dataclass(frozen=True)
class Cron:
    """An expression in a time zone.

    A job at a fixed hour runs once on every day: an hour that is left out in spring counts as the one after it, and of
    one that comes twice in autumn the first counts. A job of every hour (or of every so many) runs in each hour that
    there is.

    >>> from datetime import datetime, UTC
    >>> from zoneinfo import ZoneInfo
    >>> str(Cron.parsed("30 2 * * *", ZoneInfo("Europe/Berlin")).after(datetime(2026, 3, 28, 12, tzinfo=UTC)))
    '2026-03-29 01:30:00+00:00'
    """

    text: str
    zone: ZoneInfo

    @classmethod
    def parsed(cls, text: str, zone: ZoneInfo) -> Cron:
        """Check an expression: five fields, or one of `ALIASES`.

        Raises:
            InvalidArgument: It is neither, or no such day ever comes.
        """
        fields = ALIASES.get(text, text).split()
        if len(fields) != 5 or not all(map(_FIELDS.fullmatch, fields)):  # noqa: PLR2004 - what cron has
            raise InvalidArgument(
                f"{text!r} is no schedule: write the minute, hour, day, month and weekday, such as '30 7 * * 1', or one"
                f" of {', '.join(ALIASES)}"
            )
        for word in re.findall(r"[A-Za-z]+", " ".join(fields)):
            if word.upper() not in _WORDS:
                raise InvalidArgument(
                    f"{text!r} is no schedule: {word!r} is no month (JAN to DEC), no weekday (MON to SUN), and not L"
                    " for the last day of the month"
                )
        cron = cls(" ".join(fields), zone)
        try:
            cron.after(datetime.now(UTC))
        except (CroniterError, ValueError) as error:
            raise InvalidArgument(f"{text!r} is no schedule: {error}") from error
        return cron

    def after(self, instant: datetime) -> datetime:
        """Return the first due instant after one, in UTC."""
        earliest: datetime | None = None
        for local, instants in self._from(instant - _SHIFT):
            if earliest is not None and local > _local(earliest, self.zone) + _SHIFT:
                break
            found = [due for due in instants if due > instant]
            earliest = min([*found, *([earliest] if earliest else [])], default=None)
        if earliest is None:
            raise CroniterBadDateError(f"{self.text} is never due")
        return earliest

    def between(self, start: datetime, end: datetime) -> list[datetime]:
        """Return the due instants after `start`, up to and with `end`, in UTC; the last thousand of them."""
        found = deque[datetime](maxlen=2 * MOST)
        for local, instants in self._from(start - _SHIFT):
            if local > _local(end, self.zone) + _SHIFT:
                break
            found.extend(due for due in instants if start < due <= end)
        return sorted(set(found))[-MOST:]

    def _from(self, instant: datetime) -> Iterator[tuple[datetime, list[datetime]]]:
        """Yield local times, and the instants that each of them is."""
        often = self.text.split()[1].startswith("*")
        times = croniter(self.text, _local(instant, self.zone), ret_type=datetime)
        while True:
            local: datetime = times.get_next()
            first, second = (local.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
            if first == second:
                yield local, [first]
            elif first < second:  # it comes twice
                yield local, [first, second] if often else [first]
            else:  # it is left out; the clock before the change makes it as much later
                yield local, [] if often else [first]


def _local(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None)
