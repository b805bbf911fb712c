"""Rhythm: at which hours of which days of the week people are there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import pandas as pd

from workbench.charts.formats import number
from workbench.charts.spec import Chart, Grid
from workbench.metrics import coverage, local_time, queries
from workbench.metrics.series import SpanDefinition, note
from workbench.results import Answer

if TYPE_CHECKING:
    from datetime import date

    from workbench.store.base import Snapshot

WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
HOURS: Final = 24


@dataclass(frozen=True, kw_only=True)
class RhythmDefinition(SpanDefinition):
    """What `rhythm` counts."""

    question: ClassVar[str] = "rhythm"


@dataclass(frozen=True, kw_only=True, eq=False)
class Rhythm(Answer):
    """How many people are there in an hour of the week.

    `frame` has one row per `weekday` (0 is Monday) and `hour` (0 to 23) that lies between the first and the last hour
    with an event: `users` (distinct people of the hour, the mean over the weeks), `events` (the same), `weeks`.
    """

    definition: RhythmDefinition

    def chart(self) -> Chart:
        """Draw weekdays by hours."""
        people = self.frame.set_index(["weekday", "hour"])["users"]
        values = tuple(
            tuple(float(people[day, hour]) if (day, hour) in people.index else None for hour in range(HOURS))
            for day in range(len(WEEKDAYS))
        )
        return Chart(
            title="When people are there", x_label="hour of the day", y_format="count",
            marks=(Grid(rows=WEEKDAYS, columns=tuple(f"{hour:02d}" for hour in range(HOURS)), values=values),),
            note=f"people in an hour, mean over the weeks; {note(self.definition)}",
        )  # fmt: skip

    def _reading(self) -> str:
        """Say when most and fewest are there."""
        if self.frame.empty:
            return "Nobody was there in this time."
        most = self.frame.iloc[int(self.frame["users"].argmax())]
        return (
            f"Most people are there on {WEEKDAYS[int(most['weekday'])]} from {int(most['hour']):02d}:00: "
            f"{number(float(most['users']), 'decimal')} in the hour, on the clocks of {self.definition.tz}."
        )


def rhythm(
    snapshot: Snapshot,
    *,
    since: str | date | None = None,
    until: str | date | None = None,
    now: str | date | None = None,
    tz: str = "UTC",
) -> Rhythm:
    """Count people by the hour of the week; arguments as of `ai_usage`.

    >>> from workbench.testing import store_of
    >>> rhythm(store_of({"ann": "view:0 view:5", "bob": "view:7"}).snapshot()).frame.to_numpy().tolist()
    [[0.0, 0.0, 2.0, 3.0, 1.0]]
    """
    span = coverage.span(snapshot, since, until, now, tz=tz)
    definition = RhythmDefinition(since=span.since, until=span.until, now=span.now, tz=tz, people=snapshot.people)
    hour = local_time.start(snapshot.engine, local_time.HOUR)
    sql = queries.filled(queries.text("rhythm", snapshot.engine), hour=hour)
    found = snapshot.query(sql, {"tz": tz, **span.entries()}).to_pandas()
    return Rhythm(
        frame=_weekly(found), sql=sql, definition=definition, data_version=snapshot.data_version, notes=span.notes
    )


def _weekly(found: pd.DataFrame) -> pd.DataFrame:
    hours = found.assign(hour=local_time.shown(found["hour"])).set_index("hour")[["users", "events"]].astype("float64")
    if len(hours):  # hours in which nobody was there count as well
        hours = hours.reindex(pd.date_range(hours.index.min(), hours.index.max(), freq="h", unit="us"), fill_value=0.0)
    at = pd.DatetimeIndex(hours.index)
    placed = hours.rename_axis(None).assign(weekday=at.day_of_week, hour=at.hour)
    grouped = placed.groupby(["weekday", "hour"])
    return grouped[["users", "events"]].mean().assign(weeks=grouped.size()).reset_index()
