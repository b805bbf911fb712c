"""Facts of raids: what is known of each, for a person or a model that asks why some succeed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from workbench.charts.formats import number
from workbench.charts.spec import Chart, Points
from workbench.errors import InvalidArgument
from workbench.metrics import arguments, coverage, intervals, queries, who
from workbench.metrics.messages import MESSAGES
from workbench.metrics.series import SpanDefinition, note
from workbench.results import Answer

if TYPE_CHECKING:
    from datetime import date

    import pandas as pd

    from workbench.store.base import Snapshot


@dataclass(frozen=True, kw_only=True)
class RaidFactsDefinition(SpanDefinition):
    """What `raid_facts` gathers."""

    question: ClassVar[str] = "raid_facts"
    messages: tuple[str, ...] = MESSAGES


@dataclass(frozen=True, kw_only=True, eq=False)
class RaidFacts(Answer):
    """What is known of each raid.

    `frame` has one row per raid, in the order of their starts: `raid_id`, `platform`, `target`, `started_at`,
    `ended_at`, `success` (missing while it runs), `participants`, `actions`, `reward_xp`, `value_usd`, `messages`,
    `new_participants` (who had joined no raid before), `duration_min` (missing while it runs),
    `actions_per_participant`, `weekday` (0 for Monday) and `hour` of its start in `tz`.
    """

    definition: RaidFactsDefinition
    snapshot: Snapshot = field(repr=False)

    def people(self, raid_id: str, *, new: bool = False) -> list[str]:
        """List who joined a raid, or of them who had joined none before: `participants`, or `new_participants`.

        Raises:
            InvalidArgument: The frame has no such raid.
        """
        if raid_id not in set(self.frame["raid_id"]):
            raise InvalidArgument(f"there is no raid {arguments.unknown(str(raid_id), self.frame['raid_id'])}")
        where = who.NEW_TO_RAIDS if new else who.JOINED
        return who.who(self.snapshot, where, {"raid": raid_id, "now": self.definition.now})

    def drawn(self) -> dict[str, pd.DataFrame]:
        """Return the rows that the chart draws, by the label of their points."""
        ended = self.frame.dropna(subset=["duration_min"])
        groups = {"succeeded": ended["success"].eq(True), "did not": ~ended["success"].eq(True)}
        return {label: ended[rows] for label, rows in groups.items() if rows.any()}

    def chart(self) -> Chart:
        """Draw people against minutes, raids that succeeded apart from those that did not."""
        marks = tuple(
            Points(x=tuple(map(float, rows["duration_min"])), y=tuple(map(float, rows["participants"])), label=label)
            for label, rows in self.drawn().items()
        )
        return Chart(
            title="Raids", x_scale="linear", x_label="minutes", y_label="people who joined", marks=marks,
            note=note(self.definition),
        )  # fmt: skip

    def _reading(self) -> str:
        """Say how large raids are, and how many of the people are new to them."""
        if self.frame.empty:
            return "No raid started in this time."
        joined = int(self.frame["participants"].sum())
        new = number(float(self.frame["new_participants"].sum() / joined) if joined else float("nan"), "percent")
        return (
            f"{len(self.frame):,} raids, joined by {self.frame['participants'].median():,.0f} people in the median; "
            f"{new} of those who joined had joined none before."
        )


def raid_facts(
    snapshot: Snapshot,
    *,
    since: str | date | None = None,
    until: str | date | None = None,
    now: str | date | None = None,
    tz: str = "UTC",
) -> RaidFacts:
    """Gather what is known of each raid that started in a time; arguments as in `active_users`."""
    span = coverage.span(snapshot, since, until, now, tz=tz)
    definition = RaidFactsDefinition(since=span.since, until=span.until, now=span.now, tz=tz, people=snapshot.people)
    sql = queries.text("raid_facts", snapshot.engine)
    frame = snapshot.query(sql, {"messages": list(MESSAGES), **span.entries()}).to_pandas()
    begins = frame["started_at"].dt.tz_convert(tz)
    frame = frame.assign(
        success=frame["success"].astype("object"),
        duration_min=(frame["ended_at"] - frame["started_at"]).dt.total_seconds() / 60,
        actions_per_participant=intervals.rate(frame["actions"], frame["participants"]),
        weekday=begins.dt.day_of_week.astype("int64"),
        hour=begins.dt.hour.astype("int64"),
    )
    return RaidFacts(
        frame=frame,
        sql=sql,
        definition=definition,
        data_version=snapshot.data_version,
        notes=span.notes,
        snapshot=snapshot,
    )
