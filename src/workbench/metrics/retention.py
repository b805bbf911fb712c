"""Retention: of the people who started in one period, how many come back in the periods after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Final, Literal, TypeAlias

import numpy as np
import pandas as pd

from workbench.errors import InvalidArgument
from workbench.metrics import arguments, intervals, queries, retention_views
from workbench.metrics.calendars import PERIODS, Calendar, Period, calendar
from workbench.metrics.steps import Step, as_step, check_known, conditions, seen
from workbench.metrics.words import words
from workbench.results import Answer, Definition

if TYPE_CHECKING:
    from datetime import date, datetime

    import pyarrow as pa
    from numpy.typing import NDArray

    from workbench.charts.spec import Chart
    from workbench.store.base import Engine, Snapshot

Kind: TypeAlias = Literal["on", "on_or_after"]
Clock: TypeAlias = Literal["calendar", "rolling"]
Cohort: TypeAlias = Literal["first", "recurring"]

KINDS: Final[tuple[Kind, ...]] = ("on", "on_or_after")
CLOCKS: Final[tuple[Clock, ...]] = ("calendar", "rolling")
COHORTS: Final[tuple[Cohort, ...]] = ("first", "recurring")
ROLLING: Final[dict[Period, timedelta]] = {
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
}
"""How long a period of the rolling clock is, whatever the calendar says."""


@dataclass(frozen=True, kw_only=True)
class RetentionDefinition(Definition):
    """What retention counts; see `retention`."""

    question: ClassVar[str] = "retention"
    start: Step
    returns: Step | None
    period: Period
    kind: Kind
    clock: Clock
    cohort: Cohort
    since: datetime | None
    until: datetime | None
    now: datetime
    tz: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Retention(Answer):
    """People who came back, by cohort and period.

    `frame` has one row per cohort and period that has begun: `cohort` (first day of the period in which
    they started, in `tz`), `period` (0-based), `users` (who came back in it), `cohort_size`,
    `retention_rate` (of the cohort), `mature` (whether the period has fully elapsed for all of the
    cohort), `ci_low`, `ci_high` (95% Wilson). Cohorts are consecutive; an empty one has NaN rates.
    """

    definition: RetentionDefinition
    facts: pd.DataFrame = field(repr=False)
    """One row per person and cohort: `user_id`, `cohort` (first day)."""
    returns: pd.DataFrame = field(repr=False)
    """One row per fact and period with a return: `fact` (row of `facts`), `period`."""

    @property
    def matrix(self) -> pd.DataFrame:
        """The rates, one row per cohort and one column per period; NaN where it has not begun."""
        return self.frame.pivot_table(index="cohort", columns="period", values="retention_rate", dropna=False)

    @property
    def mean(self) -> pd.DataFrame:
        """The frame's mature cells summed, one row per period.

        `period`, `cohorts` (how many), `users`, `cohort_size`, `retention_rate` (Σ users / Σ cohort_size),
        `ci_low`, `ci_high` (95% Wilson).
        """
        cells = self.frame[self.frame["mature"] & (self.frame["cohort_size"] > 0)]
        sums = cells.groupby("period", as_index=False).agg(
            cohorts=("cohort", "size"), users=("users", "sum"), cohort_size=("cohort_size", "sum")
        )
        low, high = intervals.wilson(sums["users"], sums["cohort_size"])
        return sums.assign(retention_rate=intervals.rate(sums["users"], sums["cohort_size"]), ci_low=low, ci_high=high)

    def people(self, cohort: str | date, period: int | None = None) -> list[str]:
        """List the people behind a cell: as many as its `users`.

        Args:
            cohort: First day of the cohort, as in the frame.
            period: 0-based; the whole cohort (its `cohort_size`) if not given.

        Returns:
            `user_id`s, sorted.

        Raises:
            InvalidArgument: The frame has no such cell.
        """
        day = pd.Timestamp(arguments.instant(cohort, name="cohort")).tz_localize(None)
        cells = self.frame[self.frame["cohort"] == day]
        if cells.empty or (period is not None and period not in set(cells["period"])):
            raise InvalidArgument(f"there is no cell of cohort {cohort!r} and period {period!r} in the frame")
        members = self.facts.loc[self.facts["cohort"] == day, "user_id"]
        if period is None:
            return members.tolist()
        later = self.definition.kind == "on_or_after"
        came = self.returns["period"] >= period if later else self.returns["period"] == period
        return members[members.index.isin(self.returns.loc[came, "fact"])].tolist()

    def chart(self) -> Chart:
        """Draw the newest cohorts as a heat map, cells that are not final hatched."""
        return retention_views.chart(self)

    def reading(self) -> str:
        """Say what share comes back, how sure that is, and which cohorts differ."""
        return retention_views.reading(self)


def retention(  # noqa: PLR0913 - a question names all its options
    snapshot: Snapshot,
    *,
    start: str | Step = "user_joined",
    returns: str | Step | None = None,
    period: Period = "week",
    kind: Kind = "on",
    clock: Clock = "calendar",
    cohort: Cohort = "first",
    since: str | date | None = None,
    until: str | date | None = None,
    now: str | date | None = None,
    tz: str = "UTC",
) -> Retention:
    """Count the people of each cohort who come back in each period after they started.

    A return is an event of its kind at or after the person's start, the start itself included: with
    any event as the return, period 0 is everybody.

    Args:
        snapshot: The events.
        start: The event by which a person joins a cohort.
        returns: The event by which they come back; any event if not given.
        period: `day`, `week` (from Monday) or `month`.
        kind: `on` counts a return in exactly that period, `on_or_after` in it or any later one.
        clock: `calendar` counts the periods of `tz`; `rolling` counts 24 hours, 7 days or 30 days from
            each person's start (cohorts are the calendar's with both).
        cohort: `first` puts a person into the cohort of their first start ever, `recurring` into that of
            every period with a start.
        since: Starts from here on, inclusive; naive times are in `tz`.
        until: Starts before this.
        now: When the question is asked: later events are not seen. The present if not given.
        tz: Time zone of naive times and of the calendar.

    Returns:
        A `Retention`; its frame has no rows when nobody started.

    Raises:
        UnknownEvent: The data has no event of that type.
        InvalidArgument: An option or a time cannot be used, or `until` is not after `since`.

    >>> from workbench.testing import store_of
    >>> hours = store_of({"ann": "user_joined:0 view:30", "bob": "user_joined:1"}, unit=timedelta(hours=1))
    >>> retention(hours.snapshot(), period="day", now="2026-01-06").frame[["period", "users", "mature"]]
       period  users  mature
    0       0      2    True
    1       1      0   False
    """
    span = arguments.span(since, until, now, tz=tz)
    definition = RetentionDefinition(
        start=as_step(start),
        returns=None if returns is None else as_step(returns),
        period=arguments.choice(period, PERIODS, name="period"),
        kind=arguments.choice(kind, KINDS, name="kind"),
        clock=arguments.choice(clock, CLOCKS, name="clock"),
        cohort=arguments.choice(cohort, COHORTS, name="cohort"),
        since=span.since,
        until=span.until,
        now=span.now,
        tz=tz,
    )
    known = seen(snapshot)
    steps = [each for each in (definition.start, definition.returns) if each]
    check_known(steps, known)
    first, _ = known.get(definition.start.event, (span.now, span.now))
    periods = calendar(definition.period, min(first, span.now), span.now, tz)
    sql, params = _query(definition, steps, span, periods, snapshot.engine)
    facts, came = _facts(snapshot.query(sql, params))
    frame = _frame(definition, periods, facts["cohort"].to_numpy(), came)
    days = pd.to_datetime(pd.Series(periods.days)).astype("datetime64[us]")
    named = facts.assign(cohort=days.reindex(facts["cohort"]).to_numpy())
    return Retention(
        frame=frame,
        sql=sql,
        definition=definition,
        data_version=snapshot.data_version,
        facts=named,
        returns=came,
    )


def _query(
    definition: RetentionDefinition, steps: list[Step], span: arguments.Span, periods: Calendar, engine: Engine
) -> tuple[str, dict[str, object]]:
    matches, values = conditions(steps, words(engine))
    sql = queries.filled(
        queries.text("retention"), start=matches[0], returns=matches[1] if len(matches) > 1 else "true"
    )
    length = ROLLING[definition.period] // timedelta(microseconds=1)
    return sql, values | span.entries() | periods.cells() | {
        "recurring": definition.cohort == "recurring",
        "rolling": length if definition.clock == "rolling" else None,
    }


def _facts(rows: pa.Table) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return who started in which cohort (its number), and the periods in which they came back."""
    periods = rows["periods"].combine_chunks()
    counts = np.asarray(periods.value_lengths(), dtype=np.int64)
    facts = pd.DataFrame({"user_id": rows["user_id"].to_pylist(), "cohort": np.asarray(rows["cohort"], dtype=np.int64)})
    came = pd.DataFrame(
        {"fact": np.repeat(np.arange(len(counts)), counts), "period": np.asarray(periods.flatten(), dtype=np.int64)}
    )
    return facts, came


def _frame(
    definition: RetentionDefinition, periods: Calendar, cohorts: NDArray[np.int64], came: pd.DataFrame
) -> pd.DataFrame:
    """Count the cells of every cohort, from the first to the last that anybody is in."""
    width = max(_begun(definition, periods, 0), 1)
    users = _users(definition.kind, cohorts, came, (len(periods.days), width))
    sizes = np.bincount(cohorts, minlength=len(periods.days))
    occupied = range(int(cohorts.min()), int(cohorts.max()) + 1) if len(cohorts) else range(0)
    cells = [(cohort, number) for cohort in occupied for number in range(_begun(definition, periods, cohort))]
    row, column = np.array(cells, dtype=np.int64).reshape(-1, 2).T
    low, high = intervals.wilson(users[row, column], sizes[row])
    return pd.DataFrame(
        {
            "cohort": pd.to_datetime(pd.Series([periods.days[cohort] for cohort in row])).astype("datetime64[us]"),
            "period": column,
            "users": users[row, column],
            "cohort_size": sizes[row],
            "retention_rate": intervals.rate(users[row, column], sizes[row]),
            "mature": np.array([_over(definition, periods, *cell) for cell in cells], dtype=bool),
            "ci_low": low,
            "ci_high": high,
        }
    )


def _users(kind: Kind, cohorts: NDArray[np.int64], came: pd.DataFrame, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Count the people per cohort and period: who came back in it or, on request, in it or later."""
    counted = came.groupby("fact", as_index=False)["period"].max() if kind == "on_or_after" else came
    users = np.zeros(shape, dtype=np.int64)
    np.add.at(users, (cohorts[counted["fact"]], counted["period"]), 1)
    return users[:, ::-1].cumsum(axis=1)[:, ::-1] if kind == "on_or_after" else users


def _begun(definition: RetentionDefinition, periods: Calendar, cohort: int) -> int:
    """Return how many periods have begun for the first of a cohort."""
    if definition.clock == "calendar":
        return periods.number(definition.now) - cohort + 1
    return (definition.now - periods.starts[cohort]) // ROLLING[definition.period] + 1


def _over(definition: RetentionDefinition, periods: Calendar, cohort: int, number: int) -> bool:
    """Say whether a period is over for the last of a cohort."""
    if definition.clock == "calendar":
        return periods.starts[cohort + number + 1] <= definition.now
    return periods.starts[cohort + 1] + (number + 1) * ROLLING[definition.period] <= definition.now
