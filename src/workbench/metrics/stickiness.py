"""Stickiness: in how many periods people were there."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
import pandas as pd

from workbench.charts.formats import number
from workbench.charts.spec import Bars, Chart
from workbench.errors import InvalidArgument
from workbench.metrics import arguments, coverage, intervals, presence, property_names, sequences
from workbench.metrics.calendars import PERIODS, Period
from workbench.metrics.series import SpanDefinition, note
from workbench.metrics.steps import Step, as_step, check_known, seen
from workbench.results import Answer

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    from workbench.metrics.presence import Found, Presence
    from workbench.store.base import Snapshot


MOST_INTERVALS: Final = 40
"""Bars that are wide enough for their intervals to be told apart; the frame has them all."""


@dataclass(frozen=True, kw_only=True)
class StickinessDefinition(SpanDefinition):
    """What `stickiness` counts."""

    question: ClassVar[str] = "stickiness"
    period: Period
    event: Step | None = None
    cumulative: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Stickiness(Answer):
    """People by how many periods they were there in.

    `frame` has one row per number of periods, from 1 to the most there are: `periods`, `users` (who were there in
    exactly so many, or in at least so many where it is cumulative), `share` (of all who were there), `ci_low`,
    `ci_high` (95% Wilson).
    """

    definition: StickinessDefinition
    found: Found = field(repr=False)
    snapshot: Snapshot = field(repr=False)

    def people(self, periods: int) -> list[str]:
        """List the people behind a row: as many as its `users`.

        Raises:
            InvalidArgument: There is no such row.
        """
        if periods not in set(self.frame["periods"]):
            raise InvalidArgument(f"periods must be from 1 to {len(self.frame)}, got {periods!r}")
        there = self.found.segments[""]
        active = _active(there)
        chosen = active >= periods if self.definition.cumulative else active == periods
        return sequences.user_ids(self.snapshot, there.user_key[chosen])

    def chart(self) -> Chart:
        """Draw a bar per number of periods, with its interval where there are few."""
        frame, period = self.frame, self.definition.period
        intervals_ = [tuple(frame[name].fillna(0.0)) for name in ("ci_low", "ci_high")]
        low, high = intervals_ if len(frame) <= MOST_INTERVALS else ((), ())
        bars = Bars(x=tuple(map(str, frame["periods"])), y=tuple(frame["share"].fillna(0.0)), low=low, high=high)
        least = "at least so many" if self.definition.cumulative else "exactly so many"
        return Chart(
            title="Stickiness",
            y_label=f"share of people who were there in {least} {period}s",
            x_label=f"{period}s",
            y_format="percent",
            marks=(bars,) if len(frame) else (),
            note=note(self.definition),
        )

    def _reading(self) -> str:
        """Say in how many periods people were there in the middle, and how many never came a second time."""
        active, period = _active(self.found.segments[""]), self.definition.period
        active = active[active > 0]
        if not len(active):
            return "Nobody was there in this time."
        once = number(float(np.mean(active == 1)), "percent")
        return (
            f"{len(active):,} people were there in {np.median(active):,.0f} of {len(self.frame):,} {period}s in the "
            f"median; {once} in one only."
        )


def stickiness(
    snapshot: Snapshot,
    *,
    period: Period = "day",
    event: str | Step | None = None,
    cumulative: bool = False,
    since: str | date | None = None,
    until: str | date | None = None,
    now: str | date | None = None,
    tz: str = "UTC",
) -> Stickiness:
    """Count in how many periods people were there.

    Args:
        snapshot: The events.
        period: `day`, `week` (from Monday) or `month`, on the clocks of `tz`.
        event: Only this event counts as being there; any if not given.
        cumulative: Count who was there in at least so many periods, not in exactly so many.
        since: Start, inclusive; naive times are in `tz`.
        until: End, exclusive.
        now: When the question is asked: later events are not seen. The earlier of the present and the end of the
            data if not given.
        tz: Time zone of periods and of naive times.

    Raises:
        UnknownEvent: The data has no event of that type.
        UnknownProperty: No event has a property that `by` or a condition names.
        InvalidArgument: A period, a time or a zone cannot be used.

    >>> from workbench.testing import store_of
    >>> events = store_of({"ann": "view:0 view:1500", "bob": "view:9"}).snapshot()
    >>> stickiness(events, now="2026-01-07").frame["users"].tolist()
    [1, 1]
    """
    span = coverage.span(snapshot, since, until, now, tz=tz)
    definition = StickinessDefinition(
        period=arguments.choice(period, PERIODS, name="period"),
        event=None if event is None else as_step(event),
        cumulative=bool(cumulative),
        since=span.since,
        until=span.until,
        now=span.now,
        people=snapshot.people,
        tz=tz,
    )
    check_known([definition.event] if definition.event else [], seen(snapshot))
    property_names.check_steps(snapshot, [definition.event] if definition.event else [])
    found = presence.found(snapshot, period=definition.period, tz=tz, span=span, event=definition.event)
    return Stickiness(
        frame=_frame(definition, found),
        sql=found.sql,
        definition=definition,
        data_version=snapshot.data_version,
        notes=span.notes,
        found=found,
        snapshot=snapshot,
    )


def _active(there: Presence) -> NDArray[np.int64]:
    """Count the periods of each person."""
    return np.asarray(np.bitwise_count(there.days).sum(axis=1), dtype=np.int64)


def _frame(asked: StickinessDefinition, found: Found) -> pd.DataFrame:
    active = _active(found.segments[""])
    people, most = np.count_nonzero(active), _most(asked, found)
    users = np.bincount(active[active > 0], minlength=most + 1)[1:]
    if asked.cumulative:
        users = users[::-1].cumsum()[::-1]
    low, high = intervals.wilson(users, np.full(len(users), people))
    return pd.DataFrame(
        {
            "periods": np.arange(1, len(users) + 1),
            "users": users.astype(np.int64),
            "share": intervals.rate(users, np.full(len(users), people)),
            "ci_low": low,
            "ci_high": high,
        }
    )


def _most(asked: StickinessDefinition, found: Found) -> int:
    """Return how many periods the time asked for touches, of those there are data of."""
    starts = found.periods.starts
    touched = [
        begins
        for begins, ends in itertools.pairwise(starts)
        if begins < asked.now
        and (asked.since is None or ends > asked.since)
        and (asked.until is None or begins < asked.until)
    ]
    return len(touched) if found.segments[""].events.any() else 0
