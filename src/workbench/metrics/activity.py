"""Activity: how many people were there, in a period or in the days up to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pandas as pd

from workbench.charts.formats import duration, number
from workbench.charts.spec import Chart, Line
from workbench.errors import InvalidArgument
from workbench.metrics import arguments, coverage, intervals, presence, property_names, sequences
from workbench.metrics.breakdowns import rest_told
from workbench.metrics.calendars import PERIODS, Period
from workbench.metrics.local_time import MICRO
from workbench.metrics.series import SpanDefinition, complete, note, over_time
from workbench.metrics.steps import Step, as_step, check_known, seen
from workbench.results import Answer

if TYPE_CHECKING:
    from datetime import date

    from workbench.metrics.presence import Found, Presence
    from workbench.store.base import Snapshot


@dataclass(frozen=True, kw_only=True)
class ActiveUsersDefinition(SpanDefinition):
    """What `active_users` counts."""

    question: ClassVar[str] = "active_users"
    period: Period
    event: Step | None = None
    window: timedelta | None = None
    by: str | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class ActiveUsers(Answer):
    """People with any event, per day, week or month.

    `frame` has one row per period, empty ones included: `period` (first day, in `tz`), `users` (distinct; with a
    window those of the days up to the period and in it), `new_users` (those whose first event ever is in the period),
    `events`, `mature` (whether it is over). With `by` it has these rows for each segment, named first in `segment`.
    """

    definition: ActiveUsersDefinition
    found: Found = field(repr=False)
    snapshot: Snapshot = field(repr=False)

    @property
    def ratios(self) -> pd.DataFrame:
        """How often people come: per day `dau`, `wau`, `mau` (distinct in 1, 7 and 30 days), `dau_wau`, `dau_mau`.

        Raises:
            InvalidArgument: The answer is not by day, or it is broken down.
        """
        if self.definition.period != "day" or self.definition.by:
            raise InvalidArgument("ratios need period='day' and no breakdown")
        (there,) = self.found.segments.values()
        days = pd.Index(list(self.found.periods.days), name="period")
        counts = pd.DataFrame(
            {name: there.trailing(window) for name, window in (("dau", 1), ("wau", 7), ("mau", 30))}, index=days
        )
        shares = {f"dau_{name}": intervals.rate(counts["dau"], counts[name]) for name in ("wau", "mau")}
        return counts.assign(**shares).loc[self.frame["period"]].reset_index()

    def people(self, period: str | date, *, segment: str | None = None, new: bool = False) -> list[str]:
        """List the people behind a row: as many as its `users`, or its `new_users`.

        Args:
            period: First day of the period, as in the frame.
            segment: Of this segment alone; all of them if not given.
            new: Only those whose first event ever is in the period.

        Raises:
            InvalidArgument: There is no such period or segment.
        """
        day = arguments.instant(period, name="period").date()
        if day not in set(self.frame["period"]):
            raise InvalidArgument(f"there is no period {period!r} in the frame")
        segments = self.found.segments
        if segment is not None and segment not in segments:
            raise InvalidArgument(f"there is no segment {arguments.unknown(segment, filter(None, segments))}")
        last = self.found.periods.days.index(day)
        chosen = segments.values() if segment is None else [segments[segment]]
        keys = [
            there.user_key[there.there(number) & (there.first == number if new else True)]
            for there in chosen
            for number in range(last if new else last - _width(self) + 1, last + 1)
        ]
        return sequences.user_ids(self.snapshot, np.unique(np.concatenate([np.array([], dtype=np.int64), *keys])))

    def chart(self) -> Chart:
        """Draw people per period; the part that is not over is dashed."""
        asked = self.definition
        marks: tuple[Line, ...] = ()
        if asked.by:
            for name, rows in self.frame.groupby("segment", sort=False):
                marks += tuple(
                    Line(x=line.x, y=line.y, label=str(name), dashed=line.dashed) for line in over_time(rows, "users")
                )
        else:
            marks = over_time(self.frame, "users")
        return Chart(
            title="Active users",
            y_label=f"people with any event {_of(asked)}",
            x_scale="time",
            marks=marks,
            note=note(asked, over=bool(self.frame["mature"].all())),
        )

    def _reading(self) -> str:
        """Say how many there were last, against the usual, and how many of them were new."""
        over, period = self.frame[self.frame["mature"]], self.definition.period
        if over.empty:
            return f"No {period} is over yet: there is nothing to say about active users."
        if self.definition.by:
            last = over.groupby("segment", sort=False).last()["users"]
            told = ", ".join(f"{name} {number(users, 'count')}" for name, users in last.head(5).items())
            opening = f"People with any event {_of(self.definition)}, in the last full {period}: {told}."
            return " ".join(filter(None, [opening, rest_told(list(self.found.segments))]))
        last, before = over.iloc[-1], over.iloc[:-1].tail(7)["users"]
        usual = f" (the {len(before)} {period}s before had {before.mean():,.0f} on average)" if len(before) else ""
        return (
            f"In the last full {period}, from {last['period']:%d %b %Y}, {number(last['users'], 'count')} people were "
            f"active{usual}; {number(last['new_users'], 'count')} of them were new. The most in one {period} was "
            f"{number(over['users'].max(), 'count')}, over {len(over):,} {period}s."
        )


def active_users(  # noqa: PLR0913 - a question names all its options
    snapshot: Snapshot,
    *,
    period: Period = "day",
    event: str | Step | None = None,
    window: str | timedelta | None = None,
    by: str | None = None,
    since: str | date | None = None,
    until: str | date | None = None,
    now: str | date | None = None,
    tz: str = "UTC",
) -> ActiveUsers:
    """Count the people with any event per day, week (from Monday) or month.

    Args:
        snapshot: The events.
        period: `day`, `week` or `month`, on the clocks of `tz`.
        event: Only this event makes a person active; any if not given.
        window: Count per day who was there in the days up to it: `7d` for weekly, `30d` for monthly active users.
        by: Break down by a field (`platform`, …) or a property; a person may be in several segments.
        since: Start, inclusive; naive times are in `tz`.
        until: End, exclusive.
        now: When the question is asked: later events are not seen, and a period that ends after it is not
            over. The earlier of the present and the end of the data if not given.
        tz: Time zone of days and of naive times.

    Raises:
        UnknownEvent: The data has no event of that type.
        UnknownProperty: No event has a property that `by` or a condition names.
        InvalidArgument: A period, a window, a time or a zone cannot be used.

    >>> from workbench.testing import store_of
    >>> events = store_of({"ann": "view:0 view:1500", "bob": "view:9"}).snapshot()
    >>> active_users(events).frame[["period", "users", "new_users"]].astype(str).to_string(index=False).splitlines()
    ['    period users new_users', '2026-01-05     2         2', '2026-01-06     1         0']
    """
    span = coverage.span(snapshot, since, until, now, tz=tz)
    definition = ActiveUsersDefinition(
        period=arguments.choice(period, PERIODS, name="period"),
        event=None if event is None else as_step(event),
        window=None if window is None else _checked_window(window, period),
        by=property_names.named(snapshot, by, name="by"),
        since=span.since,
        until=span.until,
        now=span.now,
        people=snapshot.people,
        tz=tz,
    )
    check_known([definition.event] if definition.event else [], seen(snapshot))
    property_names.check_steps(snapshot, [definition.event] if definition.event else [])
    found = presence.found(
        snapshot, period=definition.period, tz=tz, span=span, event=definition.event, by=definition.by
    )
    frames = []
    for name, there in found.segments.items():
        frame = complete(_counted(definition, found, there), definition, definition.period)
        frame["period"] = frame["period"].dt.date
        if definition.by:
            frame.insert(0, "segment", name)
        frames.append(frame)
    return ActiveUsers(
        frame=pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=_COLUMNS),
        sql=found.sql,
        definition=definition,
        data_version=snapshot.data_version,
        notes=span.notes,
        found=found,
        snapshot=snapshot,
    )


_COLUMNS = ["segment", "period", "users", "new_users", "events", "mature"]


def _checked_window(window: str | timedelta, period: Period) -> timedelta:
    length = arguments.duration(window, name="window")
    if period != "day" or length % timedelta(days=1):
        raise InvalidArgument(f"window is a number of whole days, with period='day', got {window!r} and {period!r}")
    return length


def _width(answer: ActiveUsers) -> int:
    window = answer.definition.window
    return window.days if window else 1


def _of(asked: ActiveUsersDefinition) -> str:
    if asked.window:
        return f"in the {duration(asked.window.total_seconds())} up to a day"
    return f"that {asked.period}"


def _counted(asked: ActiveUsersDefinition, found: Found, there: Presence) -> pd.DataFrame:
    """Count each period from the first to the last with an event; with a window also those after it."""
    numbers = np.flatnonzero(there.events)
    if asked.window and len(numbers):
        numbers = np.arange(numbers[0], max(found.periods.number(asked.now - MICRO) + 1, int(numbers[-1]) + 1))
    users = there.trailing(asked.window.days if asked.window else 1)
    new = np.array([np.count_nonzero((there.first == number) & there.there(int(number))) for number in numbers])
    return pd.DataFrame(
        {
            "period": [found.periods.days[number] for number in numbers],
            "users": users[numbers],
            "new_users": new.astype(np.int64),
            "events": there.events[numbers],
        }
    )
