"""Funnels: how many people do one thing after another, within a time of the first."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeAlias

import numpy as np
import pandas as pd

from workbench.errors import InvalidArgument, InvalidFunnel
from workbench.metrics import arguments, funnel_views, intervals, queries
from workbench.metrics.steps import Step, as_step, check_known, conditions, seen
from workbench.results import Answer, Definition

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date, datetime

    import pyarrow as pa
    from numpy.typing import NDArray

    from workbench.charts.spec import Chart
    from workbench.store.base import Snapshot

Order: TypeAlias = Literal["ordered", "strict", "any"]
ORDERS: Final[tuple[Order, ...]] = ("ordered", "strict", "any")
MOST_STEPS: Final = 30
MOST_WITHIN: Final = timedelta(days=36_500)

_FILES: Final[dict[Order, str]] = {"ordered": "funnel", "strict": "funnel_strict", "any": "funnel_any"}


@dataclass(frozen=True, kw_only=True)
class FunnelDefinition(Definition):
    """What a funnel counts; see `funnel`."""

    question: ClassVar[str] = "funnel"
    steps: tuple[Step, ...]
    within: timedelta
    order: Order
    since: datetime | None
    until: datetime | None
    now: datetime
    tz: str

    @property
    def labels(self) -> tuple[str, ...]:
        """What each row of the frame is called: its step, or how many steps where any order counts."""
        if self.order == "any":
            return tuple(f"any {k} of {len(self.steps)}" for k in range(1, len(self.steps) + 1))
        return tuple(map(str, self.steps))


@dataclass(frozen=True, kw_only=True, eq=False)
class Funnel(Answer):
    """People at each step of a funnel.

    `frame` has one row per step: `step` (1-based), `event`, `users` (all who reached it),
    `conversion_rate` (of step 1), `step_conversion_rate` (of the step before), `ci_low`, `ci_high`
    (95% Wilson, of `conversion_rate`), `median_seconds`, `mean_seconds` (from step 1),
    `step_median_seconds`, `step_mean_seconds` (from the step before), `in_flight` (stopped here, with
    a window still open), `matured_conversion_rate` (of entries whose window has closed). A rate of
    nobody is NaN.
    """

    definition: FunnelDefinition
    facts: pd.DataFrame = field(repr=False)
    """One row per person who entered: `user_id`, `step` (furthest), `settled_step` (furthest by attempts whose
    window has closed, 0 for none), `in_flight` (the window of one is open)."""

    def people(self, step: int, *, dropped: bool = False, in_flight: bool = False) -> list[str]:
        """List the people behind a number: as many as the frame counts.

        Args:
            step: 1-based.
            dropped: Those who did the step before but not this one, and have no window open any more:
                the `users` of the step before, less its `in_flight`, less the `users` of this one.
            in_flight: Those who stopped at this step with a window still open: its `in_flight`.

        Returns:
            `user_id`s, sorted; without a flag, all who reached the step.

        Raises:
            InvalidArgument: There is no such step, or both flags are set.
        """
        first, last = (2 if dropped else 1), len(self.definition.steps)
        if step not in range(first, last + 1):
            raise InvalidArgument(f"step must be from {first} to {last}, got {step!r}")
        if dropped and in_flight:
            raise InvalidArgument("people are either dropped or in flight: set one of the two")
        furthest, still_open = self.facts["step"], self.facts["in_flight"]
        chosen = furthest >= step
        if dropped:
            chosen = (furthest == step - 1) & ~still_open
        if in_flight:
            chosen = (furthest == step) & still_open & (step < last)
        return self.facts.loc[chosen, "user_id"].tolist()

    @property
    def entered(self) -> int:
        """How many people did step 1."""
        return int(self.frame["users"].iloc[0])

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
        """Draw one bar per step with its interval, and the people on it."""
        return funnel_views.chart(self)

    def reading(self) -> str:
        """Say how many convert, where most stop, how long it takes, and what is not settled yet."""
        return funnel_views.reading(self)


def funnel(
    snapshot: Snapshot,
    steps: Sequence[str | Step],
    *,
    within: str | timedelta = "7d",
    order: Order = "ordered",
    since: str | date | None = None,
    until: str | date | None = None,
    now: str | date | None = None,
    tz: str = "UTC",
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
        since: Start of entry (the first event of an attempt), inclusive; naive times are in `tz`.
        until: End of entry, exclusive. Later steps may fall after it.
        now: When the question is asked: later events are not seen, and a window that ends after it is
            open. The present if not given.
        tz: Time zone of naive times.

    Returns:
        A `Funnel`; when nobody entered, its counts are 0 and its rates NaN.

    Raises:
        InvalidFunnel: Fewer than two steps, too many, or a window that is not positive.
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
    definition = FunnelDefinition(
        steps=_checked_steps(steps),
        within=_checked_window(within),
        order=arguments.choice(order, ORDERS, name="order"),
        since=span.since,
        until=span.until,
        now=span.now,
        tz=tz,
    )
    check_known(definition.steps, seen(snapshot))
    sql, params = _query(definition, span)
    attempts = snapshot.query(sql, params)
    times = attempts["times"].combine_chunks()
    facts = pd.DataFrame(
        {
            "user_id": attempts["user_id"].to_pylist(),
            "step": np.asarray(times.value_lengths(), dtype=np.int64),
            "settled_step": np.asarray(attempts["settled_step"].fill_null(0), dtype=np.int64),
            "in_flight": np.asarray(attempts["in_flight"], dtype=bool),
        }
    )
    frame = _frame(definition.labels, facts, _seconds(times, len(definition.steps)))
    return Funnel(frame=frame, sql=sql, definition=definition, data_version=snapshot.data_version, facts=facts)


def _checked_steps(steps: Sequence[str | Step]) -> tuple[Step, ...]:
    given = () if isinstance(steps, str) else tuple(steps)
    if not 2 <= len(given) <= MOST_STEPS:  # noqa: PLR2004 - the first, and one to convert to
        raise InvalidFunnel(f"a funnel is a list of 2 to {MOST_STEPS} steps, got {steps!r}")
    return tuple(as_step(each) for each in given)


def _checked_window(within: str | timedelta) -> timedelta:
    try:
        length = arguments.duration(within, name="within")
    except InvalidArgument as error:
        raise InvalidFunnel(str(error)) from error
    if length > MOST_WITHIN:
        raise InvalidFunnel(f"within is at most {MOST_WITHIN.days:,} days, got {within!r}")
    return length


def _query(definition: FunnelDefinition, span: arguments.Span) -> tuple[str, dict[str, object]]:
    """Write the SQL of this many steps in this order, and the values bound in it."""
    steps, within = definition.steps, definition.within
    matches, values = conditions(steps)
    bits = " + ".join(f"CASE WHEN {match} THEN {1 << place} ELSE 0 END" for place, match in enumerate(matches))
    parts = {"runs": queries.text("funnel_runs"), "people": queries.text("funnel_people")}
    sql = queries.repeated(queries.text(_FILES[definition.order]), len(steps))
    sql = queries.filled(queries.filled(sql, **parts), bits=f"({bits})::BIGINT", steps=str(len(steps)))
    types = [each.event for each in steps]
    values |= span.entries() | {
        "within": within,
        "settled": definition.now - within,
        "entries": types if definition.order == "any" else types[:1],
    }
    if definition.order == "any":
        values["twins"] = [_twin(steps, place) for place in range(len(steps))]
    return sql, values


def _twin(steps: tuple[Step, ...], place: int) -> int:
    """Return the bit of the last earlier step that is the same; 0 for none."""
    return next((1 << earlier for earlier in reversed(range(place)) if steps[earlier] == steps[place]), 0)


def _seconds(times: pa.ListArray, steps: int) -> NDArray[np.float64]:
    """Spread the instants of each person over the steps: seconds since step 1, NaN where they did not come."""
    reached = np.asarray(times.value_lengths(), dtype=np.int64)
    person = np.repeat(np.arange(len(reached)), reached)
    place = np.arange(len(person)) - np.repeat(np.cumsum(reached) - reached, reached)
    instants = np.asarray(times.flatten().cast("int64"))
    seconds = np.full((len(reached), steps), np.nan)
    seconds[person, place] = (instants - np.repeat(instants[place == 0], reached)) / 1e6
    return seconds


def _frame(labels: Sequence[str], facts: pd.DataFrame, seconds: NDArray[np.float64]) -> pd.DataFrame:
    """Turn how far each person came, and when, into one row per step."""
    steps = np.arange(1, len(labels) + 1)
    users = _at_least(steps, facts["step"])
    matured = _at_least(steps, facts["settled_step"])
    stopped = np.array([(facts["in_flight"] & (facts["step"] == step)).sum() for step in steps])
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


def _at_least(steps: NDArray[np.int64], furthest: pd.Series[int]) -> NDArray[np.int64]:
    return np.array([(furthest >= step).sum() for step in steps], dtype=np.int64)


def _of_each(summary: Callable[[NDArray[np.float64]], np.floating[Any]], columns: NDArray[np.float64]) -> list[float]:
    """Summarise each column over the people who have a value; NaN when nobody has."""
    values = (column[~np.isnan(column)] for column in columns.T)
    return [float(summary(there)) if there.size else np.nan for there in values]
