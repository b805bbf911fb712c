"""How the conversion of a funnel changed with the date of entry."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
import pandas as pd

from workbench.charts import formats
from workbench.charts.spec import Band, Chart, Line
from workbench.errors import InvalidArgument
from workbench.metrics import arguments, calendars, funnel_frames, intervals, sequences
from workbench.metrics.calendars import PERIODS, Period
from workbench.metrics.funnel_views import MOST_DRAWN, THIN
from workbench.results import Answer, Definition

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.metrics.calendars import Calendar
    from workbench.metrics.funnel_attempts import Attempts
    from workbench.metrics.funnel_definition import FunnelDefinition
    from workbench.metrics.funnels import Funnel


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class TrendDefinition(Definition):
    """Which funnel, by which periods."""

    question: ClassVar[str] = "funnel trend"
    funnel: FunnelDefinition
    period: Period


@dataclass(frozen=True, kw_only=True, eq=False)
class Trend(Answer):
    """Conversion by the date on which the attempt that counts began.

    `frame` has one row per period (and segment, named first): `period` (its first day), `users` (who entered),
    `converted` (people who finished), `conversion_rate`, `ci_low`, `ci_high` (95% Wilson), `in_flight` (people who may
    still finish), `mature` (every window of the period has closed). Counting sessions or totals also `count` and
    `count_converted`, of which the rate then is.
    """

    definition: TrendDefinition
    funnel: Funnel = field(repr=False)
    periods: NDArray[np.int64] = field(repr=False)
    """The 0-based place of the period of each attempt."""

    def people(self, period: str | date, *, converted: bool = False, segment: str | None = None) -> list[str]:
        """List who entered in a period, or of them who finished: as many as the frame counts.

        Args:
            period: Its first day.
            converted: Those who finished.
            segment: Which one, where the funnel is broken down.

        Raises:
            InvalidArgument: There is no such period or segment.
        """
        days = list(dict.fromkeys(self.frame["period"]))
        day = arguments.instant(period, name="period").date()
        if day not in days:
            known = f"they go from {days[0]} to {days[-1]}" if days else "nobody entered"
            raise InvalidArgument(f"there is no period that begins on {period}: {known}")
        found, place = self.funnel.attempts, self.funnel.place(segment)
        chosen = (self.periods == days.index(day)) & (found.segment == place)
        if converted:
            chosen &= found.step == len(self.definition.funnel.steps)
        return sequences.user_ids(self.funnel.snapshot, np.unique(found.user_key[chosen]))

    def chart(self) -> Chart:
        """Draw the rate of each period: whole lines where it is final, dashed where it may still rise."""
        marks: list[Line | Band] = []
        by = self.definition.funnel.by is not None
        for name in self.funnel.attempts.segments[:MOST_DRAWN] if by else ("",):
            frame = self.frame[self.frame["segment"] == name] if by else self.frame
            days = tuple(datetime.combine(day, datetime.min.time(), UTC) for day in frame["period"])
            marks.extend(_lines(frame, days, name or "converted", with_band=not by))
        unit = self.definition.funnel.unit
        within = formats.duration(self.definition.funnel.within.total_seconds())
        note = f"{self.funnel.entered:,} {unit} · dashed: windows still open"
        return Chart(
            title=f"Conversion within {within}, by {self.definition.period} of entry",
            marks=tuple(marks),
            y_label="share that converts",
            x_scale="time",
            y_format="percent",
            note=note,
        )

    def _reading(self) -> str:
        """Say between what the rate moved, and whether more than chance moved it."""
        final = self.frame[self.frame["mature"] & (self.frame["users"] >= THIN)]
        open_ = int((~self.frame["mature"]).sum())
        waits = f" Windows are still open in {open_} of {len(self.frame)}: these are not final." if open_ else ""
        if not len(final):
            return f"No period has {THIN} people whose windows have all closed, so there is no trend to read.{waits}"
        low, high = (formats.number(final["conversion_rate"].agg(end), "percent") for end in ("min", "max"))
        kind = f"{len(final)} final {self.definition.period}s with at least {THIN} people"
        return f"Over {kind} the rate was {low} to {high}.{waits}"


def trend(funnel: Funnel, period: Period = "day") -> Trend:
    """Follow the conversion over the dates of entry, in the time zone of the funnel.

    Every attempt that counts is in one period, so the periods add up to the funnel.

    Raises:
        InvalidArgument: There is no such period.
    """
    arguments.choice(period, PERIODS, name="period")
    asked, found = funnel.definition, funnel.attempts
    calendar = _calendar(found, asked, period)
    starts = np.array([calendars.micros(start) for start in calendar.starts], dtype=np.int64)
    places = np.searchsorted(starts, found.at[:, 0], side="right") - 1
    parts = [
        (name, _periods(found.of(place), places[found.segment == place], calendar, asked))
        for place, name in enumerate(found.segments)
    ]
    frame = funnel_frames.together(asked, parts, empty=lambda: _periods(found, places, calendar, asked))
    definition = TrendDefinition(people=asked.people, funnel=asked, period=period)
    return Trend(
        frame=frame,
        sql=funnel.sql,
        definition=definition,
        data_version=funnel.data_version,
        notes=funnel.notes,
        funnel=funnel,
        periods=places,
    )


def _calendar(found: Attempts, asked: FunnelDefinition, period: Period) -> Calendar:
    """Return the periods from the first entry to the last; of now where nobody entered."""
    if not len(found.at):
        return calendars.calendar(period, asked.now, asked.now, asked.tz)
    first, last = (_EPOCH + timedelta(microseconds=int(end)) for end in (found.at[:, 0].min(), found.at[:, 0].max()))
    return calendars.calendar(period, first, last, asked.tz)


def _periods(found: Attempts, places: NDArray[np.int64], calendar: Calendar, asked: FunnelDefinition) -> pd.DataFrame:
    """Count the attempts of each period."""
    rows = []
    order = np.argsort(places, kind="stable")
    bounds = np.searchsorted(places[order], np.arange(len(calendar.days) + 1))
    for number, day in enumerate(calendar.days):
        mine = found.taken(order[bounds[number] : bounds[number + 1]])
        people = funnel_frames.persons(mine)
        finished = people.step == len(asked.steps)
        rows.append(
            {
                "period": day,
                "users": len(finished),
                "converted": int(finished.sum()),
                "count": len(mine.user_key),
                "count_converted": int((mine.step == len(asked.steps)).sum()),
                "in_flight": int((people.in_flight & ~finished).sum()),
                "mature": calendar.starts[number + 1] + asked.within <= asked.now,
            }
        )
    frame = pd.DataFrame(rows)
    frame.insert(5, "conversion_rate", intervals.rate(frame["count_converted"], frame["count"]))
    frame.insert(6, "ci_low", intervals.wilson(frame["count_converted"], frame["count"])[0])
    frame.insert(7, "ci_high", intervals.wilson(frame["count_converted"], frame["count"])[1])
    return frame.drop(columns=["count", "count_converted"]) if asked.counting == "users" else frame


def _lines(frame: pd.DataFrame, days: tuple[datetime, ...], label: str, *, with_band: bool) -> list[Line | Band]:
    """Draw one rate: its interval, the final part, and the part that may still rise."""
    rates = [None if np.isnan(rate) else rate for rate in frame["conversion_rate"]]
    final = frame["mature"].to_numpy()
    turn = int(final.sum())  # periods mature in order
    marks: list[Line | Band] = []
    known = ~frame["ci_low"].isna()
    if with_band and known.any():
        at = tuple(day for day, there in zip(days, known, strict=True) if there)
        marks.append(Band(x=at, low=tuple(frame["ci_low"][known]), high=tuple(frame["ci_high"][known])))
    if turn:
        marks.append(Line(x=days[:turn], y=tuple(rates[:turn]), label=label))
    if turn < len(days):
        begin = max(turn - 1, 0)
        marks.append(Line(x=days[begin:], y=tuple(rates[begin:]), label=f"{label}, not final", dashed=True))
    return marks
