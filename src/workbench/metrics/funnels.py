"""Funnels: how many people do one thing after another, within a time of the first."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.errors import InvalidArgument
from workbench.metrics import arguments, coverage, dialects, funnel_frames, funnel_views, property_names, sequences
from workbench.metrics.funnel_attempts import Attempts, attempts
from workbench.metrics.funnel_definition import (
    ONCES,
    ORDERS,
    Anchor,
    Attribution,
    Between,
    By,
    Counting,
    Exclusion,
    FunnelDefinition,
    Mode,
    Once,
    Order,
    checked_attribution,
    checked_by,
    checked_counting,
    checked_exclusions,
    checked_reading,
    checked_steps,
    checked_top,
    checked_window,
)
from workbench.metrics.steps import check_known, seen
from workbench.results import Answer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, timedelta

    import pandas as pd

    from workbench.charts.spec import Chart
    from workbench.metrics.calendars import Period
    from workbench.metrics.drivers import Drivers
    from workbench.metrics.funnel_compare import Comparison
    from workbench.metrics.funnel_frames import Persons
    from workbench.metrics.funnel_survival import Survival
    from workbench.metrics.funnel_times import Times
    from workbench.metrics.funnel_trend import Trend
    from workbench.metrics.steps import Step
    from workbench.store.base import Snapshot

USUAL: dict[str, Any] = {"within": "7d", "attribution": "first", "top": 25, "once": "person"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Funnel(Answer):
    """People at each step of a funnel.

    `frame` has one row per step: `step` (1-based), `event`, `users` (all who reached it),
    `conversion_rate` (of step 1), `step_conversion_rate` (of the step before), `ci_low`, `ci_high`
    (95% Wilson, of `conversion_rate`), `median_seconds`, `mean_seconds` (from step 1),
    `step_median_seconds`, `step_mean_seconds` (from the step before), `in_flight` (people who stopped here
    and may still get further), `matured_conversion_rate` (of entries whose window has closed). A rate of
    nobody is NaN. With `by` it has these rows for each segment, named first in `segment`. Counting sessions,
    totals or pairs adds `count`, how many of those came to the step; rates, intervals (as if they were
    independent) and times are then theirs, `users` and `in_flight` remain people.
    """

    definition: FunnelDefinition
    attempts: Attempts = field(repr=False)
    snapshot: Snapshot = field(repr=False)

    def people(
        self, step: int, *, dropped: bool = False, in_flight: bool = False, segment: str | None = None
    ) -> list[str]:
        """List the people behind a number: as many as the frame counts.

        Args:
            step: 1-based.
            dropped: Those who did the step before but not this one, and have no window open any more:
                the `users` of the step before, less its `in_flight`, less the `users` of this one.
            in_flight: Those who stopped at this step with a window still open: its `in_flight`.
            segment: Which one, where the funnel is broken down.

        Returns:
            `user_id`s, sorted; without a flag, all who reached the step.

        Raises:
            InvalidArgument: There is no such step or segment, or both flags are set.
        """
        first, last = (2 if dropped else 1), len(self.definition.steps)
        if isinstance(step, bool) or step not in range(first, last + 1):
            raise InvalidArgument(f"step must be from {first} to {last}, got {step!r}")
        if dropped and in_flight:
            raise InvalidArgument("people are either dropped or in flight: set one of the two")
        there = self.persons(segment)
        chosen = there.step >= step
        if dropped:
            chosen = (there.step == step - 1) & ~there.in_flight
        if in_flight:
            chosen = (there.step == step) & there.in_flight & (step < last)
        return sequences.user_ids(self.snapshot, there.user_key[chosen])

    def persons(self, segment: str | None = None) -> Persons:
        """Return how far each person came, in a segment where the funnel is broken down."""
        return funnel_frames.persons(self.attempts.of(self.place(segment)))

    def place(self, segment: str | None) -> int:
        """Return the place of a segment.

        Raises:
            InvalidArgument: There is no such segment, or none is named where there are several.
        """
        names = self.attempts.segments
        if self.definition.by is None and segment is None:
            return 0
        if self.definition.by is None:
            raise InvalidArgument(
                f"this funnel is not broken down, so there is no segment {segment!r}: ask it with by="
            )
        if segment not in names:
            raise InvalidArgument(f"segment must be named: there is no {arguments.unknown(str(segment), names)}")
        return names.index(segment)

    def parts(self) -> list[tuple[str, Attempts]]:
        """Return the attempts of each segment with its name; all, without a name, where nothing is broken down."""
        return [(name, self.attempts.of(place)) for place, name in enumerate(self.attempts.segments)]

    @property
    def entered(self) -> int:
        """How many did step 1: people, sessions or attempts, in each segment they are in."""
        return len(self.attempts.user_key)

    @property
    def conversion_rate(self) -> float:
        """Share of those who entered that finished, in [0, 1]; NaN when nobody entered."""
        finished = int((self.attempts.step == len(self.definition.steps)).sum())
        return finished / self.entered if self.entered else np.nan

    @property
    def matured_conversion_rate(self) -> float:
        """The same among entries whose window has closed, so that nobody is judged early."""
        settled = self.attempts.settled
        matured = int((settled > 0).sum())
        return int((settled == len(self.definition.steps)).sum()) / matured if matured else np.nan

    @property
    def in_flight(self) -> int:
        """How many people may still get further."""
        return int(self.frame["in_flight"].sum())

    @cached_property
    def comparisons(self) -> pd.DataFrame:
        """The conversion of every two segments, tested; see `funnel_frames.comparisons`. Empty without `by`."""
        sizes = len(self.attempts.segments)
        finished = self.attempts.step == len(self.definition.steps)
        entered = np.bincount(self.attempts.segment, minlength=sizes)
        converted = np.bincount(self.attempts.segment[finished], minlength=sizes)
        return funnel_frames.comparisons(self.attempts.segments, converted, entered)

    def times(self, from_step: int = 1, to_step: int | None = None, **options: Any) -> Times:  # noqa: ANN401
        """Say how long it took from one step to another; see `funnel_times.times`."""
        from workbench.metrics.funnel_times import times  # noqa: PLC0415 - it knows this module

        return times(self, from_step, to_step, **options)

    def survival(self, to_step: int | None = None) -> Survival:
        """Estimate how many convert by when, people in flight included; see `funnel_survival.survival`."""
        from workbench.metrics.funnel_survival import survival  # noqa: PLC0415 - it knows this module

        return survival(self, to_step)

    def trend(self, period: Period = "day") -> Trend:
        """Follow the conversion over the dates of entry; see `funnel_trend.trend`."""
        from workbench.metrics.funnel_trend import trend  # noqa: PLC0415 - it knows this module

        return trend(self, period)

    def drivers(self, **options: Any) -> Drivers:  # noqa: ANN401 - as the question has them
        """Rank what goes with converting; see `drivers.drivers`."""
        from workbench.metrics.drivers import drivers  # noqa: PLC0415 - it knows this module

        return drivers(self, **options)

    def compare(self, dialect: dialects.Dialect) -> Comparison:
        """List who counts otherwise as a vendor reads it, and why; see `funnel_compare.compare`."""
        from workbench.metrics.funnel_compare import compare  # noqa: PLC0415 - it knows this module

        return compare(self, dialect)

    def chart(self) -> Chart:
        """Draw one bar per step with its interval, and the people on it; with segments, bars side by side."""
        return funnel_views.chart(self)

    def _reading(self) -> str:
        """Say how many convert, where most stop, how long it takes, and what is not settled yet."""
        return funnel_views.reading(self)


def funnel(  # noqa: PLR0913 - a question names all its options
    snapshot: Snapshot,
    steps: Sequence[str | Step],
    *,
    within: str | timedelta | None = None,
    order: Order = "ordered",
    exclude: Sequence[Between] | None = None,
    by: By | None = None,
    attribution: Attribution | None = None,
    top: int | None = None,
    once: Once | None = None,
    counting: Counting = "users",
    hold: str | None = None,
    since: str | date | None = None,
    until: str | date | None = None,
    now: str | date | None = None,
    tz: str = "UTC",
    dialect: dialects.Dialect | None = None,
    anchor: Anchor | None = None,
    ties: bool | str | timedelta | None = None,
    reuse: bool | None = None,
    exclusion: Exclusion | None = None,
    grace: str | timedelta | None = None,
    first_step: bool | None = None,
    modes: Sequence[Mode] = (),
) -> Funnel:
    """Count the people who reach each step within a time of their first.

    Any occurrence of step 1 opens an attempt. A person counts with their longest attempt, and of equally
    long ones with the earliest; each step is the first row that fits after the step before. A row is
    used for one step only. Rows of one instant may convert in either order.

    Args:
        snapshot: The events.
        steps: Two or more event types, or `step(...)`s with conditions.
        within: Longest time from step 1 to any later one, inclusive; 7 days, or as the dialect has it.
        order: `ordered` lets other events stand between, `strict` lets none of the person's, `any` counts
            how many of the steps were done in whatever order, from the first of them on.
        exclude: `(event, after_step, before_step)`, 1-based: the event must not come after the one step and
            before the other, or before the window closes where that is not reached.
        by: Break down by a field (`platform`, …), a property, or segments, in a list or by name (people as of
            `now`, who may be in several, or none). Of a field or property, the values that most people have
            are segments.
        attribution: Whose value counts: that of the `first` step that has one, of the `last`, of a given
            step (1-based), of `all` (the events of each value are followed alone, so a person may be in
            several segments; rare values are left out), or of the `user`: the latest on any of their
            events up to the instant of entry.
        top: How many values are told apart, 25 if not given; the others are one segment.
        once: Where a field or property breaks it down, a `person` counts in one segment, or once in each `segment`
            that an attempt of theirs belongs to (attempts that do not overlap, as in totals).
        counting: `users`; `sessions` follows each session alone; `totals` counts attempts that do not overlap:
            one is over when it is through, out of time, or met an exclusion, and is given up for a later
            one that gets further; `pairs` counts a person once for each value that is held.
        hold: A field or property that must keep one value on the way: the events of each value are followed alone,
            those without one are not seen. A person counts with the value that got furthest, or that of their
            first step 1 where the anchor is `first`.
        since: Start of entry (the first event of an attempt), inclusive; naive times are in `tz`.
        until: End of entry, exclusive. Later steps may fall after it.
        now: When the question is asked: later events are not seen, and a window that ends after it is
            open. The earlier of the present and the end of the data if not given.
        tz: Time zone of naive times.
        dialect: Whose reading to take where the following are not given; see `dialects.dialects`.
        anchor: `any` occurrence of step 1 opens an attempt, or only a person's `first` in the time asked for.
        ties: Whether events of one instant may be several steps; or how long an instant is, such as `1s`.
        reuse: Whether one event may be several steps.
        exclusion: What an excluding event ends: the `person` counts nowhere (unless they were through before),
            the `attempt` keeps the steps before, or its `entry` alone.
        grace: How much earlier than the step before a step may be, such as `2s`: then it took no time. Each step is
            the first row from then on that is no other step. Needs `order="ordered"`, and to count totals
            `anchor="first"`.
        first_step: Where any order counts: whoever does not do step 1 within the window is not in the funnel.
        modes: Of `windowFunnel`, for the dialect `clickhouse`.

    Returns:
        A `Funnel`; when nobody entered, its counts are 0 and its rates NaN.

    Raises:
        InvalidFunnel: Fewer than two steps, too many, a window that is not positive, or an exclusion that
            is none.
        UnknownEvent: The data has no event of a step's type.
        InvalidArgument: Another option cannot be used, or `until` is not after `since`.

    >>> from workbench.testing import store_of
    >>> events = store_of({"ann": "view:0 buy:9", "bob": "view:3"}).snapshot()
    >>> funnel(events, ["view", "buy"], within="1h").frame[["event", "users", "conversion_rate"]]
      event  users  conversion_rate
    0  view      2              1.0
    1   buy      1              0.5
    """
    span = coverage.span(snapshot, since, until, now, tz=tz)
    own = {"within": within, "attribution": attribution, "top": top, "anchor": anchor, "ties": ties, "reuse": reuse}
    own |= {"exclusion": exclusion, "grace": grace, "first_step": first_step, "once": once}
    own = {name: value for name, value in own.items() if value is not None}
    chosen = USUAL | dialects.funnel(dialect, order=order) | own
    every = counting == "totals" or isinstance(by, str)
    if "grace" not in own and ("ties" in own or (every and own.get("anchor") == "any")):
        chosen.pop("grace", None)  # a dialect's, with which these cannot be
    if modes and dialect != "clickhouse":
        raise InvalidArgument(f"modes {list(modes)!r} are of windowFunnel: ask with dialect='clickhouse'")
    given, groups = checked_steps(steps), checked_by(by)
    excluded = checked_exclusions(exclude, given)
    if isinstance(groups, str):
        groups = property_names.named(snapshot, groups, name="by")
    valued = isinstance(groups, str)
    definition = FunnelDefinition(
        people=snapshot.people,
        steps=given,
        within=checked_window(chosen["within"]),
        order=arguments.choice(order, ORDERS, name="order"),
        exclude=excluded,
        by=groups,
        attribution=checked_attribution(chosen["attribution"], given) if valued else None,
        top=checked_top(chosen["top"]) if valued else None,
        once=arguments.choice(chosen["once"], ONCES, name="once") if valued and counting == "users" else "person",
        counting=checked_counting(counting, hold),
        hold=property_names.named(snapshot, hold, name="hold"),
        since=span.since,
        until=span.until,
        now=span.now,
        tz=tz,
        reading=checked_reading(chosen, modes, order, excluding=excluded is not None),
        dialect=dialect,
    )
    if definition.reading.grace and definition.every_attempt and definition.reading.anchor != "first":
        raise InvalidArgument("grace counts totals only with anchor='first', so that no event is in two attempts")
    looked_at = [*given, *(each.step for each in excluded or ())]
    check_known(looked_at, seen(snapshot))
    property_names.check_steps(snapshot, looked_at)
    return answer(snapshot, definition, notes=span.notes)


def answer(snapshot: Snapshot, definition: FunnelDefinition, *, notes: tuple[str, ...] = ()) -> Funnel:
    """Answer a funnel whose options are all resolved."""
    found = attempts(snapshot, definition)
    return Funnel(
        frame=funnel_frames.frame(definition, found),
        sql=found.sql,
        definition=definition,
        data_version=snapshot.data_version,
        notes=notes,
        attempts=found,
        snapshot=snapshot,
    )
