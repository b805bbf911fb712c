"""Lifecycle: of the people of each period, who is new, who returns, who comes back after a pause, and who is gone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, Literal, TypeAlias

import numpy as np
import pandas as pd

from workbench.charts.formats import number
from workbench.charts.spec import Chart
from workbench.errors import InvalidArgument
from workbench.events import EARLIEST
from workbench.metrics import arguments, coverage, presence, property_names, sequences
from workbench.metrics.arguments import Span
from workbench.metrics.calendars import PERIODS, Period, calendar
from workbench.metrics.series import SpanDefinition, note, over_time
from workbench.metrics.steps import Step, as_step, check_known, seen
from workbench.results import Answer

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    from workbench.charts.spec import Line
    from workbench.metrics.presence import Found, Presence
    from workbench.store.base import Snapshot

Status: TypeAlias = Literal["new", "returning", "resurrecting", "dormant"]
STATUSES: Final[tuple[Status, ...]] = ("new", "returning", "resurrecting", "dormant")


@dataclass(frozen=True, kw_only=True)
class LifecycleDefinition(SpanDefinition):
    """What `lifecycle` counts."""

    question: ClassVar[str] = "lifecycle"
    period: Period
    event: Step | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Lifecycle(Answer):
    """People by where they stand in their life with the product.

    `frame` has one row per period and status: `period` (first day, in `tz`), `status`, `users` (those `dormant` are
    counted negative), `mature` (whether the period is over). `new`: their first event ever is in the period;
    `returning`: they were there in the period before too; `resurrecting`: they had been there, but not in the period
    before; `dormant`: they were there in the period before, and are not in this one.
    """

    definition: LifecycleDefinition
    found: Found = field(repr=False)
    snapshot: Snapshot = field(repr=False)

    def people(self, period: str | date, status: Status) -> list[str]:
        """List the people behind a row: as many as its `users`, without the sign.

        Raises:
            InvalidArgument: There is no such period or status.
        """
        chosen = arguments.choice(status, STATUSES, name="status")
        day = arguments.instant(period, name="period").date()
        if day not in set(self.frame["period"]):
            raise InvalidArgument(f"there is no period {period!r} in the frame")
        there = self.found.segments[""]
        return sequences.user_ids(
            self.snapshot, there.user_key[_standing(there, self.found.periods.days.index(day))[chosen]]
        )

    def chart(self) -> Chart:
        """Draw a line per status, the dormant below zero; what is not over is dashed."""
        marks: list[Line] = []
        for status in STATUSES:
            rows = self.frame[self.frame["status"] == status]
            marks += over_time(rows.rename(columns={"users": status}), status)
        return Chart(
            title="Lifecycle",
            y_label=f"people by {self.definition.period}, dormant below zero",
            x_scale="time",
            marks=tuple(marks),
            note=note(self.definition, over=bool(self.frame["mature"].all())),
        )

    def _reading(self) -> str:
        """Say whether more came than went in the last full period."""
        over, period = self.frame[self.frame["mature"]], self.definition.period
        if over.empty:
            return f"No {period} is over yet: there is no lifecycle to read."
        last = over[over["period"] == over["period"].max()].set_index("status")["users"]
        counts = {status: number(abs(int(last[status])), "count") for status in STATUSES}
        balance = int(last["new"] + last["resurrecting"] + last["dormant"])
        told = (
            f"{abs(balance):,} {'more' if balance > 0 else 'fewer'} came than went"
            if balance
            else "as many came as went"
        )
        return (
            f"In the {period} from {over['period'].max():%d %b %Y}, {counts['new']} people were new, "
            f"{counts['returning']} returned, {counts['resurrecting']} came back after a pause and {counts['dormant']} "
            f"were gone: {told}."
        )


def lifecycle(
    snapshot: Snapshot,
    *,
    period: Period = "week",
    event: str | Step | None = None,
    since: str | date | None = None,
    until: str | date | None = None,
    now: str | date | None = None,
    tz: str = "UTC",
) -> Lifecycle:
    """Count who is new, returning, resurrecting and dormant in each period.

    Args:
        snapshot: The events.
        period: `day`, `week` (from Monday) or `month`, on the clocks of `tz`.
        event: Only this event counts as being there; any if not given.
        since: Periods that begin here or later; naive times are in `tz`. What was before tells who is new.
        until: Periods that begin before this.
        now: When the question is asked: later events are not seen. The earlier of the present and the end of the
            data if not given.
        tz: Time zone of periods and of naive times.

    Raises:
        UnknownEvent: The data has no event of that type.
        UnknownProperty: No event has a property that `by` or a condition names.
        InvalidArgument: A period, a time or a zone cannot be used.

    >>> from workbench.testing import store_of
    >>> answer = lifecycle(store_of({"ann": "view:0", "bob": "view:10080"}).snapshot(), now="2026-01-20")
    >>> answer.people("2026-01-12", "new"), answer.people("2026-01-12", "dormant")
    (['bob'], ['ann'])
    """
    span = coverage.span(snapshot, since, until, now, tz=tz)
    chosen, begin = arguments.choice(period, PERIODS, name="period"), span.since
    if since is None and begin:
        (begin, _) = calendar(chosen, begin, begin, tz).starts  # the period in which the data begin is one of them
    definition = LifecycleDefinition(
        period=chosen,
        event=None if event is None else as_step(event),
        since=begin,
        until=span.until,
        now=span.now,
        people=snapshot.people,
        tz=tz,
    )
    check_known([definition.event] if definition.event else [], seen(snapshot))
    property_names.check_steps(snapshot, [definition.event] if definition.event else [])
    tail = None if coverage.history(snapshot, begin) else EARLIEST
    whole = Span(since=tail, until=None, now=span.now)
    found = presence.found(snapshot, period=definition.period, tz=tz, span=whole, event=definition.event)
    return Lifecycle(
        frame=_frame(definition, found),
        sql=found.sql,
        definition=definition,
        data_version=snapshot.data_version,
        notes=span.notes,
        found=found,
        snapshot=snapshot,
    )


def _standing(there: Presence, number: int) -> dict[Status, NDArray[np.bool_]]:
    """Say of each person how they stand in a period."""
    now, before = there.there(number), there.there(number - 1)
    new = now & (there.first == number)
    return {"new": new, "returning": now & before, "resurrecting": now & ~before & ~new, "dormant": before & ~now}


def _frame(asked: LifecycleDefinition, found: Found) -> pd.DataFrame:
    there, periods = found.segments[""], found.periods
    rows = []
    for place, day in enumerate(periods.days if len(there.user_key) else ()):
        begins = periods.starts[place]
        if begins >= asked.now or (asked.since and begins < asked.since) or (asked.until and begins >= asked.until):
            continue
        over = periods.starts[place + 1] <= asked.now
        for status, chosen in _standing(there, place).items():
            users = int(np.count_nonzero(chosen))
            rows.append((day, status, -users if status == "dormant" else users, over))
    return pd.DataFrame(rows, columns=["period", "status", "users", "mature"]).astype(
        {"users": "int64", "mature": bool}
    )
