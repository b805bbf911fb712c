"""Retention: of the people who started in one period, how many come back in the periods after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from workbench.errors import InvalidArgument
from workbench.metrics import (
    arguments,
    coverage,
    dialects,
    intervals,
    property_names,
    retention_cells,
    retention_views,
    sequences,
)
from workbench.metrics.calendars import PERIODS, Calendar, Period, calendar
from workbench.metrics.retention_definition import (
    CLOCKS,
    COHORTS,
    KINDS,
    MEANS,
    OFS,
    ZEROS,
    RetentionDefinition,
    checked_brackets,
)
from workbench.metrics.steps import Step, as_step, check_known, seen
from workbench.results import Answer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, timedelta

    from workbench.charts.spec import Chart
    from workbench.metrics.retention_cells import Returns
    from workbench.metrics.retention_definition import Bracket, Clock, Cohort, Kind, Mean, Of, Zero
    from workbench.store.base import Snapshot

USUAL: Final[dict[str, Any]] = {
    "kind": "on", "clock": "calendar", "cohort": "first", "mean": "weighted", "floor": None, "zero": "returned",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class Retention(Answer):
    """People who came back, by cohort and period.

    `frame` has one row per cohort and period that has begun: `cohort` (first day of the period in which
    they started, in `tz`), `period` (0-based; the number of the bracket where there are brackets), `users`
    (who count in it), `cohort_size`, `retention_rate` (of the cohort, or of the period before), `mature`
    (whether the period has fully elapsed for all of the cohort), `ci_low`, `ci_high` (95% Wilson). Cohorts
    are consecutive; an empty one has NaN rates. With `by` it has these rows for each segment, named first
    in `segment`.
    """

    definition: RetentionDefinition
    entries: Returns = field(repr=False)
    """One per person and cohort."""
    segments: tuple[str, ...] = field(repr=False)
    periods: Calendar = field(repr=False)
    snapshot: Snapshot = field(repr=False)

    @property
    def matrix(self) -> pd.DataFrame:
        """The rates, one row per cohort (and segment) and one column per period; NaN where it has not begun."""
        index = ["segment", "cohort"] if self.definition.by else "cohort"
        return self.frame.pivot_table(index=index, columns="period", values="retention_rate", dropna=False)

    @property
    def mean(self) -> pd.DataFrame:
        """The frame's mature cells in one, a row per period (and segment).

        `period`, `cohorts` (how many), `users`, `cohort_size` (sums), `retention_rate` (by the definition's
        `mean`: `weighted` is Σ users / Σ base, `simple` the plain mean of the cohorts' rates, `mixpanel`
        Σ users·base / Σ base²), `ci_low`, `ci_high` (95% Wilson of the weighted rate). The base is what the cells'
        own rates are of: the cohort's size, or with `of="previous"` the users of the period before.
        """
        segment = ["segment"] if self.definition.by else []
        before = self.frame.groupby([*segment, "cohort"], sort=False)["users"].shift(1)
        base = self.frame["cohort_size"] if self.definition.of == "cohort" else before.fillna(self.frame["cohort_size"])
        frame = self.frame.assign(base=base.astype("int64"))
        cells = frame[frame["mature"] & (frame["cohort_size"] > 0)]
        weight = cells["base"].astype(float)
        keys = [*segment, "period"]
        sums = (
            cells.assign(weighted=cells["users"] * weight, weights=weight * weight)
            .groupby(keys, as_index=False, sort=not self.definition.by)
            .agg(
                cohorts=("cohort", "size"),
                users=("users", "sum"),
                cohort_size=("cohort_size", "sum"),
                base=("base", "sum"),
                simple=("retention_rate", "mean"),
                weighted=("weighted", "sum"),
                weights=("weights", "sum"),
            )
        )
        rates = {
            "weighted": intervals.rate(sums["users"], sums["base"]),
            "simple": sums["simple"].to_numpy(),
            "mixpanel": intervals.rate(sums["weighted"], sums["weights"]),
        }
        low, high = intervals.wilson(sums["users"], sums["base"].where(sums["base"] >= sums["users"], 0))
        means = sums[[*keys, "cohorts", "users", "cohort_size"]]
        return means.assign(retention_rate=rates[self.definition.mean], ci_low=low, ci_high=high)

    def people(self, cohort: str | date, period: int | None = None, *, segment: str | None = None) -> list[str]:
        """List the people behind a cell: as many as its `users`.

        Args:
            cohort: First day of the cohort, as in the frame.
            period: 0-based; the whole cohort (its `cohort_size`) if not given.
            segment: Of this segment alone; all of them if not given.

        Returns:
            `user_id`s, sorted.

        Raises:
            InvalidArgument: The frame has no such cell.
        """
        day = pd.Timestamp(arguments.instant(cohort, name="cohort")).tz_localize(None)
        cells = self.frame[self.frame["cohort"] == day]
        if cells.empty or (period is not None and period not in set(cells["period"])):
            raise InvalidArgument(f"there is no cell of cohort {cohort!r} and period {period!r} in the frame")
        entries = self.entries
        chosen = entries.cohort == self.periods.days.index(day.date())
        if segment is not None:
            if segment not in self.segments:
                raise InvalidArgument(f"there is no segment {arguments.unknown(segment, filter(None, self.segments))}")
            chosen &= entries.segment == self.segments.index(segment)
        if period is not None:
            brackets = (
                self.definition.cells(period + 1) if self.definition.kind != "bracket" else self.definition.brackets
            )
            *_, there = retention_cells.present(self.definition, entries, brackets[: period + 1])
            chosen &= there
        return sequences.user_ids(self.snapshot, np.unique(entries.user_key[chosen]))

    def chart(self) -> Chart:
        """Draw the newest cohorts as a heat map, cells that are not final hatched; with segments, their means."""
        return retention_views.chart(self)

    def _reading(self) -> str:
        """Say what share comes back, how sure that is, and which cohorts differ."""
        return retention_views.reading(self)


def retention(  # noqa: PLR0913 - a question names all its options
    snapshot: Snapshot,
    *,
    start: str | Step = "user_joined",
    returns: str | Step | None = None,
    period: Period = "week",
    kind: Kind | None = None,
    clock: Clock | None = None,
    cohort: Cohort | None = None,
    brackets: str | Sequence[Bracket] | None = None,
    of: Of = "cohort",
    mean: Mean | None = None,
    floor: str | timedelta | None = None,
    zero: Zero | None = None,
    by: str | None = None,
    since: str | date | None = None,
    until: str | date | None = None,
    now: str | date | None = None,
    tz: str = "UTC",
    dialect: str | None = None,
) -> Retention:
    """Count the people of each cohort who come back in each period after they started.

    A return is an event of its kind at or after the person's start, the start itself included: with
    any event as the return, period 0 is everybody.

    Args:
        snapshot: The events.
        start: The event by which a person joins a cohort.
        returns: The event by which they come back; any event if not given.
        period: `day`, `week` (from Monday) or `month`.
        kind: `on` (the default) counts a return in exactly that period, `on_or_after` in it or any later one,
            `on_or_before` in it or any before, `bracket` in any of a range of periods, `streak` in each of the
            periods 1 to it.
        clock: `calendar` (the default) counts the periods of `tz`; `rolling` counts 24 hours, 7 days or 30 days
            from each person's start (cohorts are the calendar's with both).
        cohort: `first` (the default) puts a person into the cohort of their first start ever, `recurring` into
            that of every period with a start.
        brackets: The ranges of periods of `kind="bracket"`, such as `"0,1-3,4-7"`.
        of: The denominator: the `cohort`, or who counted in the period `previous` to it.
        mean: How `.mean` weighs cohorts: see there; `weighted` if not given.
        floor: Move starts back to a full `1h` (or another length, counted from midnight UTC) before the rolling clock
            runs.
        zero: Whether period 0 (or a bracket with it) counts who `returned` in it, as any other does, or `everybody` who
            started.
        by: Break down by a field (`platform`, …) or a property of the start.
        since: Starts from here on, inclusive; naive times are in `tz`.
        until: Starts before this.
        now: When the question is asked: later events are not seen. The earlier of the present and the end of the
            data if not given.
        tz: Time zone of naive times and of the calendar.
        dialect: Read it as a vendor does; what is given by hand wins. See `dialects`.

    Returns:
        A `Retention`; its frame has no rows when nobody started.

    Raises:
        UnknownEvent: The data has no event of that type.
        UnknownProperty: No event has a property that `by` or a condition names.
        InvalidArgument: An option or a time cannot be used, or `until` is not after `since`.

    >>> from datetime import timedelta
    >>> from workbench.testing import store_of
    >>> hours = store_of({"ann": "user_joined:0 view:30", "bob": "user_joined:1"}, unit=timedelta(hours=1))
    >>> retention(hours.snapshot(), period="day", now="2026-01-07").frame[["period", "users", "mature"]]
       period  users  mature
    0       0      2    True
    1       1      1    True
    """
    span = coverage.span(snapshot, since, until, now, tz=tz)
    told = {"kind": kind, "clock": clock, "cohort": cohort, "mean": mean, "floor": floor, "zero": zero}
    chosen = (
        USUAL
        | dialects.retention(dialect, period=period)
        | {name: value for name, value in told.items() if value is not None}
    )
    counted = arguments.choice(chosen["kind"], KINDS, name="kind")
    definition = RetentionDefinition(
        start=as_step(start),
        returns=None if returns is None else as_step(returns),
        period=arguments.choice(period, PERIODS, name="period"),
        kind=counted,
        clock=arguments.choice(chosen["clock"], CLOCKS, name="clock"),
        cohort=arguments.choice(chosen["cohort"], COHORTS, name="cohort"),
        brackets=checked_brackets(brackets, counted),
        of=arguments.choice(of, OFS, name="of"),
        mean=arguments.choice(chosen["mean"], MEANS, name="mean"),
        floor=None if chosen["floor"] is None else arguments.duration(chosen["floor"], name="floor"),
        zero=arguments.choice(chosen["zero"], ZEROS, name="zero"),
        by=property_names.named(snapshot, by, name="by"),
        since=span.since,
        until=span.until,
        now=span.now,
        people=snapshot.people,
        tz=tz,
        dialect=dialect,
    )
    return asked(snapshot, definition, notes=span.notes)


def asked(snapshot: Snapshot, definition: RetentionDefinition, *, notes: tuple[str, ...] = ()) -> Retention:
    """Answer a retention whose options are all resolved.

    Raises:
        UnknownEvent: The data has no event of that type.
    """
    known = seen(snapshot)
    steps = [each for each in (definition.start, definition.returns) if each]
    check_known(steps, known)
    property_names.check_steps(snapshot, steps)
    first, _ = known.get(definition.start.event, (definition.now, definition.now))
    begin = max(first, coverage.history(snapshot, definition.since) or first)
    periods = calendar(definition.period, min(begin, definition.now), definition.now, definition.tz)
    entries, segments, sql = retention_cells.found(snapshot, definition, periods)
    frames = []
    for place, name in enumerate(segments):
        mine = entries.segment == place
        if definition.by and not mine.any():
            continue
        frame = retention_cells.frame(definition, periods, entries, mine)
        if definition.by:
            frame.insert(0, "segment", name)
        frames.append(frame)
    return Retention(
        frame=pd.concat(frames, ignore_index=True)
        if frames
        else retention_cells.frame(definition, periods, entries, entries.segment < 0),
        sql=sql,
        definition=definition,
        data_version=snapshot.data_version,
        notes=notes,
        entries=entries,
        segments=segments,
        periods=periods,
        snapshot=snapshot,
    )
