"""Funnels: how many people do one thing after another, within a time of the first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from workbench.errors import InvalidArgument
from workbench.metrics import arguments, funnel_views, intervals, sequences
from workbench.metrics.funnel_attempts import Attempts, attempts
from workbench.metrics.funnel_definition import (
    COUNTINGS,
    ORDERS,
    Attribution,
    Counting,
    Exclusion,
    FunnelDefinition,
    Order,
    Rules,
    checked_attribution,
    checked_exclusions,
    checked_steps,
    checked_window,
)
from workbench.metrics.steps import check_known, seen
from workbench.results import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date, timedelta

    from numpy.typing import NDArray

    from workbench.charts.spec import Chart
    from workbench.metrics.steps import Step
    from workbench.store.base import Snapshot


@dataclass(frozen=True, kw_only=True, eq=False)
class Funnel(Answer):
    """People at each step of a funnel.

    `frame` has one row per step: `step` (1-based), `event`, `users` (all who reached it),
    `conversion_rate` (of step 1), `step_conversion_rate` (of the step before), `ci_low`, `ci_high`
    (95% Wilson, of `conversion_rate`), `median_seconds`, `mean_seconds` (from step 1),
    `step_median_seconds`, `step_mean_seconds` (from the step before), `in_flight` (stopped here, with
    a window still open), `matured_conversion_rate` (of entries whose window has closed). A rate of
    nobody is NaN. With `by` it has these rows for each segment, named first in `segment`; with another
    counting than users also `count`, how many sessions or attempts came to the step.
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
            segment: Of this segment alone; all of them if not given.

        Returns:
            `user_id`s, sorted; without a flag, all who reached the step.

        Raises:
            InvalidArgument: There is no such step or segment, or both flags are set.
        """
        first, last = (2 if dropped else 1), len(self.definition.steps)
        if step not in range(first, last + 1):
            raise InvalidArgument(f"step must be from {first} to {last}, got {step!r}")
        if dropped and in_flight:
            raise InvalidArgument("people are either dropped or in flight: set one of the two")
        furthest, still_open = self.attempts.step, self.attempts.in_flight
        chosen = furthest >= step
        if dropped:
            chosen = (furthest == step - 1) & ~still_open
        if in_flight:
            chosen = (furthest == step) & still_open & (step < last)
        if segment is not None:
            names = self.attempts.segments
            if segment not in names:
                raise InvalidArgument(f"there is no segment {arguments.unknown(segment, filter(None, names))}")
            chosen &= self.attempts.segment == names.index(segment)
        return sequences.user_ids(self.snapshot, np.unique(self.attempts.user_key[chosen]))

    @property
    def entered(self) -> int:
        """How many people did step 1."""
        return int(self.frame.loc[self.frame["step"] == 1, "users"].sum())

    @property
    def conversion_rate(self) -> float:
        """Share of those who entered that finished, in [0, 1]; NaN when nobody entered."""
        return float(self.frame["conversion_rate"].iloc[-1])

    @property
    def matured_conversion_rate(self) -> float:
        """The same among entries whose window has closed, so that nobody is judged early."""
        return float(self.frame["matured_conversion_rate"].iloc[-1])

    @property
    def in_flight(self) -> int:
        """How many people may still get further."""
        return int(self.frame["in_flight"].sum())

    def chart(self) -> Chart:
        """Draw one bar per step with its interval, and the people on it; with segments, bars side by side."""
        return funnel_views.chart(self)

    def reading(self) -> str:
        """Say how many convert, where most stop, how long it takes, and what is not settled yet."""
        return funnel_views.reading(self)


def funnel(  # noqa: PLR0913 - a question names all its options
    snapshot: Snapshot,
    steps: Sequence[str | Step],
    *,
    within: str | timedelta = "7d",
    order: Order = "ordered",
    exclude: Sequence[Exclusion] | None = None,
    by: str | None = None,
    attribution: Attribution = "first",
    counting: Counting = "users",
    since: str | date | None = None,
    until: str | date | None = None,
    now: str | date | None = None,
    tz: str = "UTC",
    rules: Rules | None = None,
) -> Funnel:
    """Count the people who reach each step within a time of their first.

    Any occurrence of step 1 opens an attempt. A person counts with their longest attempt, and of equally
    long ones with the earliest; each step is the first row that fits after the step before. A row is
    used for one step only. Rows of one instant may convert in either order.

    Args:
        snapshot: The events.
        steps: Two or more event types, or `step(...)`s with conditions.
        within: Longest time from step 1 to any later one, inclusive.
        order: `ordered` lets other events stand between, `strict` lets none of the person's, `any` counts
            how many of the steps were done in whatever order, from the first of them on.
        exclude: `(event, after_step, before_step)`, 1-based: an attempt that meets the event between these
            steps, or after the one while its window is open, takes the person out of the funnel, unless
            they had finished it before.
        by: Break down by a field (`platform`, …) or a property: the values that most people have at any of
            the steps are segments, the others one.
        attribution: Whose value counts: that of the `first` step that has one, of the `last`, of `all` (the
            person is in each segment in whose rows alone they get on; rare values are then left out), or
            of a given step (1-based).
        counting: `sessions` adds how many sessions came to each step, each followed alone; `totals` how
            many attempts did, one begun after the other had ended or been finished.
        since: Start of entry (the first event of an attempt), inclusive; naive times are in `tz`.
        until: End of entry, exclusive. Later steps may fall after it.
        now: When the question is asked: later events are not seen, and a window that ends after it is
            open. The present if not given.
        tz: Time zone of naive times.
        rules: Readings in which the vendors differ.

    Returns:
        A `Funnel`; when nobody entered, its counts are 0 and its rates NaN.

    Raises:
        InvalidFunnel: Fewer than two steps, too many, a window that is not positive, or an exclusion that
            is none.
        UnknownEvent: The data has no event of a step's type.
        InvalidArgument: A time, an order or a zone cannot be used, or `until` is not after `since`.

    >>> from workbench.testing import store_of
    >>> events = store_of({"ann": "view:0 buy:9", "bob": "view:3"}).snapshot()
    >>> funnel(events, ["view", "buy"], within="1h").frame[["event", "users", "conversion_rate"]]
      event  users  conversion_rate
    0  view      2              1.0
    1   buy      1              0.5
    """
    span = arguments.span(since, until, now, tz=tz)
    given, chosen = checked_steps(steps), arguments.choice(order, ORDERS, name="order")
    return asked(
        snapshot,
        FunnelDefinition(
            steps=given,
            within=checked_window(within),
            order=chosen,
            exclude=checked_exclusions(exclude, given, chosen),
            by=None if by is None else arguments.property_name(by, name="by"),
            attribution=checked_attribution(attribution, given),
            counting=arguments.choice(counting, COUNTINGS, name="counting"),
            since=span.since,
            until=span.until,
            now=span.now,
            people=snapshot.people,
            tz=tz,
            rules=rules or Rules(),
        ),
    )


def asked(snapshot: Snapshot, definition: FunnelDefinition) -> Funnel:
    """Answer a funnel whose options are all resolved.

    Raises:
        UnknownEvent: The data has no event of a step's type.
    """
    check_known([*definition.steps, *(each.step for each in definition.exclude)], seen(snapshot))
    found = attempts(snapshot, definition)
    counts = found.counts
    if definition.counting == "sessions":
        sessions = attempts(snapshot, definition, by_session=True)
        counts, places = (sessions.at >= 0).astype(np.int64), sessions.segment
    else:
        places = found.segment
    frames = []
    for place, name in enumerate(found.segments):
        mine = found.segment == place
        if definition.by and not mine.any():
            continue
        frame = _frame(definition.labels, found, mine)
        if definition.counting != "users":
            frame.insert(3, "count", counts[places == place].sum(axis=0))
        if definition.by:
            frame.insert(0, "segment", name)
        frames.append(frame)
    return Funnel(
        frame=pd.concat(frames, ignore_index=True) if frames else _frame(definition.labels, found, found.segment < 0),
        sql=found.sql,
        definition=definition,
        data_version=snapshot.data_version,
        attempts=found,
        snapshot=snapshot,
    )


def _frame(labels: Sequence[str], found: Attempts, mine: NDArray[np.bool_]) -> pd.DataFrame:
    """Turn how far each person came, and when, into one row per step."""
    at, furthest, in_flight = found.at[mine], found.step[mine], found.in_flight[mine]
    seconds = np.where(at >= 0, (at - at[:, :1]) / 1e6, np.nan)
    steps = np.arange(1, len(labels) + 1)
    users = _at_least(steps, furthest)
    matured = _at_least(steps, found.settled[mine])
    stopped = np.array([(in_flight & (furthest == step)).sum() for step in steps])
    stopped[-1] = 0  # who has finished waits for nothing
    low, high = intervals.wilson(users, users[0])
    since_before = np.diff(seconds, axis=1, prepend=seconds[:, :1])
    return pd.DataFrame(
        {
            "step": steps,
            "event": list(labels),
            "users": users,
            "conversion_rate": intervals.rate(users, users[0]),
            "step_conversion_rate": intervals.rate(users, np.append(users[0], users[:-1])),
            "ci_low": low,
            "ci_high": high,
            "median_seconds": _of_each(np.median, seconds),
            "mean_seconds": _of_each(np.mean, seconds),
            "step_median_seconds": _of_each(np.median, since_before),
            "step_mean_seconds": _of_each(np.mean, since_before),
            "in_flight": stopped,
            "matured_conversion_rate": intervals.rate(matured, matured[0]),
        }
    )


def _at_least(steps: NDArray[np.int64], furthest: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.array([(furthest >= step).sum() for step in steps], dtype=np.int64)


def _of_each(summary: Callable[[NDArray[np.float64]], np.floating[Any]], columns: NDArray[np.float64]) -> list[float]:
    """Summarise each column over the people who have a value; NaN when nobody has."""
    values = (column[~np.isnan(column)] for column in columns.T)
    return [float(summary(there)) if there.size else np.nan for there in values]
