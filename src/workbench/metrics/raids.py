"""Raids: which ran, who joined, how they ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from workbench.charts.formats import duration, number
from workbench.charts.spec import Chart, Points
from workbench.errors import InvalidArgument
from workbench.metrics import arguments, coverage, queries, who
from workbench.metrics.series import SpanDefinition, drawn, note
from workbench.results import Answer

if TYPE_CHECKING:
    from datetime import date

    import pandas as pd

    from workbench.store.base import Snapshot


@dataclass(frozen=True, kw_only=True)
class RaidDefinition(SpanDefinition):
    """What `raid_activity` lists."""

    question: ClassVar[str] = "raid_activity"


@dataclass(frozen=True, kw_only=True, eq=False)
class RaidActivity(Answer):
    """Raids, and who took part.

    `frame` has one row per raid, oldest first: `raid_id`, `started_at`, `ended_at` (missing while it runs),
    `participants` (distinct people who joined), `actions`, `success` (missing while it runs), `running`.
    """

    definition: RaidDefinition
    snapshot: Snapshot = field(repr=False)

    def people(self, raid_id: str) -> list[str]:
        """List who joined a raid: as many as its `participants`.

        Raises:
            InvalidArgument: The frame has no such raid.
        """
        if raid_id not in set(self.frame["raid_id"]):
            raise InvalidArgument(f"there is no raid {arguments.unknown(str(raid_id), self.frame['raid_id'])}")
        return who.who(self.snapshot, who.JOINED, {"raid": raid_id, "now": self.definition.now})

    @property
    def success_rate(self) -> float:
        """Share of successes among the raids that ended and say how; NaN for none."""
        known = self.frame["success"].dropna()
        return float(known.astype(float).mean()) if len(known) else float("nan")

    def drawn(self) -> dict[str, pd.DataFrame]:
        """Return the rows that the chart draws, by the label of their points."""
        groups = {
            "succeeded": self.frame["success"].eq(True),
            "failed": self.frame["success"].eq(False),
            "ended": self.frame["success"].isna() & ~self.frame["running"],
            "running": self.frame["running"],
        }
        return {label: self.frame[rows] for label, rows in groups.items() if rows.any()}

    def chart(self) -> Chart:
        """Draw each raid by when it started, how many joined, and how it ended."""
        marks = tuple(
            Points(
                label=label,
                x=tuple(drawn(rows["started_at"], self.definition.tz)),
                y=tuple(map(float, rows["participants"])),
            )
            for label, rows in self.drawn().items()
        )
        return Chart(
            title="Raids", y_label="people who joined", x_scale="time", marks=marks, note=note(self.definition)
        )

    def _reading(self) -> str:
        """Say how many raids there were, how many joined, and how many succeeded."""
        if self.frame.empty:
            return "No raid ran in this time."
        return (
            f"{len(self.frame):,} raids, with {self.frame['participants'].median():,.0f} people in the median;"
            f" {int(self.frame['running'].sum())} are running. {self._ends()}"
        )

    def _ends(self) -> str:
        ended = self.frame[~self.frame["running"]]
        if ended.empty:
            return "None has ended yet."
        lasted = duration(float((ended["ended_at"] - ended["started_at"]).dt.total_seconds().median()))
        told = int(ended["success"].notna().sum())
        rate = number(self.success_rate, "percent")
        success = f"of the {told:,} that say how, {rate} succeeded" if told else "none says how"
        return f"{len(ended):,} ended, after {lasted} in the median; {success}."


def raid_activity(
    snapshot: Snapshot,
    *,
    since: str | date | None = None,
    until: str | date | None = None,
    now: str | date | None = None,
    tz: str = "UTC",
) -> RaidActivity:
    """List the raids that ran at any moment of the time asked for; arguments as in `active_users`."""
    span = coverage.span(snapshot, since, until, now, tz=tz)
    sql = queries.text("raid_activity", snapshot.engine)
    frame = snapshot.query(sql, span.entries()).to_pandas()
    frame["running"] = frame["ended_at"].isna()
    definition = RaidDefinition(since=span.since, until=span.until, now=span.now, tz=tz, people=snapshot.people)
    return RaidActivity(
        frame=frame,
        sql=sql,
        definition=definition,
        data_version=snapshot.data_version,
        notes=span.notes,
        snapshot=snapshot,
    )
