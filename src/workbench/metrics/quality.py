"""Whether the last day is as days are: how much came, how fresh, with what missing, what new, what twice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, ClassVar, Final

import pandas as pd

from workbench.charts.spec import Bars, Chart
from workbench.errors import NotEnoughData
from workbench.metrics import arguments, coverage, queries
from workbench.metrics.calendars import midnight
from workbench.results import Answer, Definition

if TYPE_CHECKING:
    from workbench.store.base import Snapshot

CHECKS: Final = ("volume", "freshness", "nulls", "new_types", "duplicates")
WEEKS: Final = 8
"""How many earlier days of the same weekday a day is compared with."""

LEAST_WEEKS: Final = 3
LEAST_DAYS: Final = 7
COLUMNS: Final = ("platform", "session_id", "message_id", "value")


@dataclass(frozen=True, kw_only=True)
class QualityDefinition(Definition):
    """What is looked at, and from where on it is odd.

    Attributes:
        day: The day, the last one that is over.
        now: Freshness is measured from here.
        tz: Of the days.
        volume_low: Least share of the usual number of events.
        volume_high: Most of it.
        fresh_hours: Longest time without an event.
        nulls: By how much the share of events without a column may differ from the days before.
        duplicates: Largest share of events that are as another in person, type and instant.
    """

    question: ClassVar[str] = "data_quality"
    day: date
    now: datetime
    tz: str
    volume_low: float
    volume_high: float
    fresh_hours: float
    nulls: float
    duplicates: float


@dataclass(frozen=True, kw_only=True, eq=False)
class DataQuality(Answer):
    """What was looked at on one day.

    `frame` has one row per check, and one per column for `nulls`: `check`, `about` (a column, or the types), `value`,
    `usual` (what is compared with; NaN where nothing is), `status` (`ok`, `odd`, or `too few` days to tell) and `told`.
    `days` has one row per day with an event, the last nine weeks of them: `day`, `events`, `users`, `repeated`.
    """

    definition: QualityDefinition
    days: pd.DataFrame

    @property
    def odd(self) -> pd.DataFrame:
        """The rows of `frame` that are not as they should be."""
        return self.frame[self.frame["status"] == "odd"]

    def chart(self) -> Chart:
        """Draw the events of each day."""
        bars = Bars(x=tuple(f"{day:%d %b}" for day in self.days["day"]), y=tuple(map(float, self.days["events"])))
        return Chart(title="Events a day", y_label="events", y_format="count", marks=(bars,))

    def _reading(self) -> str:
        """Say what is odd about the day."""
        day = f"{self.definition.day:%A, %d %b %Y}"
        if self.odd.empty:
            few = (self.frame["status"] == "too few").sum()
            rest = f"; {few} could not be made, there are too few days" if few else ""
            return f"{day}: none of {len(self.frame)} checks found anything odd{rest}."
        return f"{day}: " + "; ".join(f"**{row.check}** {row.told}" for row in self.odd.itertuples()) + "."


def data_quality(  # noqa: PLR0913 - a question names all its options
    snapshot: Snapshot,
    *,
    until: str | date | None = None,
    now: str | date | None = None,
    tz: str = "UTC",
    volume_low: float = 0.5,
    volume_high: float = 2.0,
    fresh_hours: float = 48.0,
    nulls: float = 0.2,
    duplicates: float = 0.05,
) -> DataQuality:
    """Look whether the last full day is as the days before it.

    Args:
        snapshot: The events.
        until: End of the day, exclusive; that of the last day that the data cover as a whole if not given (where they
            have only one day, which is then called over).
        now: Freshness is measured from here; from `until` if not given.
        tz: Of the days.
        volume_low: Events, as a share of the median of the same weekday over the eight weeks before, at least.
        volume_high: The same, at most.
        fresh_hours: Longest time between the latest event and `now`.
        nulls: By how much the share of events without a platform, session, message or value may differ from before.
        duplicates: Largest share of events of the day that are as another in person, type and instant.

    Raises:
        NotEnoughData: There is no event before `until`.
    """
    end = _end(snapshot, until, tz)
    day = (end - timedelta(hours=1)).astimezone(arguments.zone(tz)).date()
    asked_now = end if now is None else arguments.instant(now, tz, name="now")
    definition = QualityDefinition(
        day=day, now=asked_now, tz=tz, volume_low=volume_low, volume_high=volume_high, fresh_hours=fresh_hours,
        nulls=nulls, duplicates=duplicates, people=snapshot.people,
    )  # fmt: skip
    sql = queries.text("quality", snapshot.engine)
    params: dict[str, object] = {"tz": tz, "since": end - timedelta(days=7 * WEEKS + 1), "until": end}
    days = snapshot.query(sql, params).to_pandas()
    if days.empty:
        raise NotEnoughData(f"there is no event in the nine weeks before {end:%Y-%m-%d %H:%M %Z}")
    days["day"] = pd.to_datetime(days["day"]).dt.date
    first = snapshot.query(queries.text("first_seen", snapshot.engine), {"until": end}).to_pandas()
    rows = [
        _volume(days, definition), _freshness(days, definition), *_nulls(days, definition),
        _new_types(first, definition), _duplicates(days, definition),
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["check", "about", "value", "usual", "status", "told"])
    return DataQuality(frame=frame, sql=sql, definition=definition, data_version=snapshot.data_version, days=days)


_Row = tuple[str, str, float, float, str, str]
_NONE: Final = float("nan")


def _end(snapshot: Snapshot, until: str | date | None, tz: str) -> datetime:
    if until is not None:
        return arguments.instant(until, tz, name="until")
    known, zone = coverage.coverage(snapshot, tz), arguments.zone(tz)
    if known.end is None or known.first is None:
        raise NotEnoughData("there are no events to look at")
    day = known.end.astimezone(zone).date()
    end = midnight(day, zone)
    return end if known.first < end else midnight(day + timedelta(days=1), zone)


def _volume(days: pd.DataFrame, asked: QualityDefinition) -> _Row:
    known = dict(zip(days["day"], days["events"], strict=True))
    begins = min(known)
    before = [asked.day - timedelta(weeks=week) for week in range(1, WEEKS + 1)]
    same = [float(known.get(day, 0)) for day in before if day >= begins]
    events = float(known.get(asked.day, 0))
    if len(same) < LEAST_WEEKS:
        told = f"{events:,.0f} events; {len(same)} such weekdays to compare with"
        return "volume", "", events, _NONE, "too few", told
    usual = median(same)
    good = asked.volume_low * usual <= events <= asked.volume_high * usual
    told = f"{events:,.0f} events, usual for a {asked.day:%A} are {usual:,.0f}"
    return "volume", "", events, usual, "ok" if good else "odd", told


def _freshness(days: pd.DataFrame, asked: QualityDefinition) -> _Row:
    last = days["last_at"].max().to_pydatetime()
    hours = (asked.now - last).total_seconds() / 3600
    told = f"the latest event is {max(hours, 0):,.0f} hours old"
    return "freshness", "", hours, asked.fresh_hours, "odd" if hours > asked.fresh_hours else "ok", told


def _nulls(days: pd.DataFrame, asked: QualityDefinition) -> list[_Row]:
    rows: list[_Row] = []
    today, before = days[days["day"] == asked.day], days[days["day"] < asked.day]
    for column in COLUMNS:
        if today.empty or len(before) < LEAST_DAYS:
            rows.append(("nulls", column, _NONE, _NONE, "too few", f"{column}: {len(before)} days to compare with"))
            continue
        share = float(today[f"without_{column}"].sum() / today["events"].sum())
        usual = float(before[f"without_{column}"].sum() / before["events"].sum())
        status = "odd" if abs(share - usual) > asked.nulls else "ok"
        rows.append(("nulls", column, share, usual, status, f"{share:.0%} have no {column}, usual are {usual:.0%}"))
    return rows


def _new_types(first: pd.DataFrame, asked: QualityDefinition) -> _Row:
    begins = datetime.combine(asked.day, datetime.min.time(), arguments.zone(asked.tz))
    if first["first_at"].min() > begins - timedelta(days=LEAST_DAYS):
        return "new_types", "", _NONE, 0.0, "too few", "less than a week of history to know types from"
    new = first[first["first_at"] >= begins]
    names = ", ".join(f"{row.event_type!r} ({row.events:,})" for row in new.head(10).itertuples())
    told = f"never seen before: {names}" if len(new) else "no type that was not seen before"
    return "new_types", names, float(len(new)), 0.0, "odd" if len(new) else "ok", told


def _duplicates(days: pd.DataFrame, asked: QualityDefinition) -> _Row:
    today = days[days["day"] == asked.day]
    if today.empty:
        return "duplicates", "", _NONE, asked.duplicates, "too few", "no event on that day"
    share = float(today["repeated"].sum() / today["events"].sum())
    status = "odd" if share > asked.duplicates else "ok"
    told = f"{share:.1%} of events are as another in person, type and instant"
    return "duplicates", "", share, asked.duplicates, status, told
