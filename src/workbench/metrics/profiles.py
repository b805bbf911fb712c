"""Profiles: what is known of each person, one row each."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Final

from workbench.charts.formats import number
from workbench.charts.spec import Bars, Chart
from workbench.errors import InvalidArgument
from workbench.metrics import coverage, queries
from workbench.metrics.messages import MESSAGES
from workbench.results import Answer, Definition

if TYPE_CHECKING:
    from datetime import date, datetime

    import pandas as pd

    from workbench.store.base import Snapshot

_DAYS: Final = (1, 2, 4, 8, 15, 29, 57, 113)
"""Active days at which the bars of the chart begin."""


@dataclass(frozen=True, kw_only=True)
class ProfileDefinition(Definition):
    """What `profiles` counts."""

    question: ClassVar[str] = "profiles"
    now: datetime
    tz: str
    messages: tuple[str, ...] = MESSAGES


@dataclass(frozen=True, kw_only=True, eq=False)
class Profiles(Answer):
    """People.

    `frame` has one row per person, by `user_id`: `first_seen`, `last_seen` (UTC), `active_days` (days of `tz` with an
    event), `events`, `messages`, `sessions`, `session_seconds`, `raids` (distinct, joined), `raid_actions`,
    `ai_interactions`, `wallets`, `purchases`, `value_usd`, `platforms` (distinct), `main_platform` (of most events).
    """

    definition: ProfileDefinition

    def people(self, *, active_days: str | None = None) -> list[str]:
        """List everybody, one for each row; or only those behind a bar of the chart, by its name.

        Raises:
            InvalidArgument: No bar has that name.
        """
        groups = _groups(self.frame["active_days"])
        if active_days is not None and active_days not in groups:
            raise InvalidArgument(f"active_days must be one of {', '.join(groups)}, got {active_days!r}")
        return sorted(self.frame["user_id"] if active_days is None else self.frame["user_id"][groups[active_days]])

    def of(self, user_id: str) -> pd.Series[Any]:
        """Return the row of one person.

        Raises:
            InvalidArgument: There is no such person.
        """
        rows = self.frame[self.frame["user_id"] == user_id]
        if rows.empty:
            raise InvalidArgument(f"the data has no person {user_id!r}")
        return rows.iloc[0]

    def chart(self) -> Chart:
        """Draw how many people were active on how many days."""
        bars = {name: float(rows.sum()) for name, rows in _groups(self.frame["active_days"]).items()}
        people = tuple(number(height, "count") for height in bars.values())
        marks = (Bars(x=tuple(bars), y=tuple(bars.values()), annotations=people),) if len(self.frame) else ()
        return Chart(title="People by active days", y_label="people", x_label="active days", marks=marks)

    def _reading(self) -> str:
        """Say how many there are, and how far they have come."""
        if self.frame.empty:
            return "Nobody was there yet."
        people = len(self.frame)
        shares = {
            name: number(float((self.frame[name] > 0).mean()), "percent") for name in ("raids", "wallets", "purchases")
        }
        return (
            f"{people:,} people, active on {self.frame['active_days'].median():,.0f} days in the median; "
            f"{shares['raids']} joined a raid, {shares['wallets']} connected a wallet, {shares['purchases']} bought, "
            f"for {number(float(self.frame['value_usd'].sum()), 'usd')} in all."
        )


def _groups(days: pd.Series[int]) -> dict[str, pd.Series[bool]]:
    """Say of each bar of the chart, by its name, whose active days it counts."""
    between = {
        f"{low}-{high - 1}" if high > low + 1 else str(low): (days >= low) & (days < high)
        for low, high in pairwise(_DAYS)
    }
    return {**between, f"{_DAYS[-1]}+": days >= _DAYS[-1]}


def profiles(snapshot: Snapshot, *, now: str | date | None = None, tz: str = "UTC") -> Profiles:
    """Gather what is known of each person.

    Args:
        snapshot: The events.
        now: When the question is asked: later events are not seen. The earlier of the present and the end of the
            data if not given.
        tz: Time zone of days and of a naive `now`.

    Raises:
        InvalidArgument: The time or the zone cannot be used.

    >>> from workbench.testing import store_of
    >>> answer = profiles(store_of({"ann": "first_message:0 raid_joined:5"}).snapshot())
    >>> int(answer.of("ann")["messages"]), answer.reading().split(";")[0]
    (1, '1 people, active on 1 days in the median')
    """
    span = coverage.span(snapshot, None, None, now, tz=tz, beginning=False)
    definition = ProfileDefinition(now=span.now, tz=tz, people=snapshot.people)
    sql = queries.text("profiles", snapshot.engine)
    found = snapshot.query(sql, {"now": span.now, "tz": tz, "messages": list(MESSAGES)})
    frame = found.to_pandas()
    return Profiles(frame=frame, sql=sql, definition=definition, data_version=snapshot.data_version, notes=span.notes)
