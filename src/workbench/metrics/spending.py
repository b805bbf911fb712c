"""What people spend, by the month in which they came: lifetime value as it happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import pandas as pd

from workbench.charts.formats import number
from workbench.charts.spec import Chart, Line
from workbench.metrics import coverage, queries
from workbench.metrics.series import SpanDefinition
from workbench.results import Answer

if TYPE_CHECKING:
    from datetime import date

    from workbench.store.base import Snapshot

LEAST: Final = 30
"""Fewest people of a cohort whose mean is drawn: below it one purchase moves the line."""

MOST_LINES: Final = 6


@dataclass(frozen=True, kw_only=True)
class SpendingDefinition(SpanDefinition):
    """What `spending` adds up; `since` and `until` are about when people came."""

    question: ClassVar[str] = "spending"


@dataclass(frozen=True, kw_only=True, eq=False)
class CohortSpending(Answer):
    """What was spent, by month of coming.

    `frame` has one row per cohort and month since: `cohort` (first day of its month), `period` (0 is the month itself),
    `cohort_size`, `buyers` (people who bought in that month), `value_usd`, `value_per_user` (all that was
    spent by the end of that month, per person of the cohort, buyer or not), `mature` (that month is over).
    """

    definition: SpendingDefinition

    def chart(self) -> Chart:
        """Draw a line per cohort: what a person has brought by then, on average."""
        lines = []
        for cohort, rows in list(self.frame[self.frame["cohort_size"] >= LEAST].groupby("cohort"))[-MOST_LINES:]:
            over = rows[rows["mature"]]
            if len(over):
                lines.append(
                    Line(
                        label=f"{cohort:%b %Y}", x=tuple(map(str, over["period"])),
                        y=tuple(map(float, over["value_per_user"])),
                    )
                )  # fmt: skip
        return Chart(
            title="Spent per person, by month of coming", x_label="months since", y_label="USD per person so far",
            y_format="usd", marks=tuple(lines),
        )  # fmt: skip

    def _reading(self) -> str:
        """Say what the cohorts have brought."""
        if self.frame.empty:
            return "Nobody came in this time."
        last = self.frame[self.frame["mature"]].groupby("cohort").last()
        spent, came = self.frame["value_usd"].sum(), int(self.frame.groupby("cohort")["cohort_size"].first().sum())
        told = (
            f"{number(came, 'count')} people came in {self.frame['cohort'].nunique()} months; they have spent "
            f"{number(spent, 'usd')}, {spent / came:,.2f} USD each."
        )
        enough = last[last["cohort_size"] >= LEAST]
        if enough.empty:
            return f"{told} No month that is over has at least {LEAST} newcomers: means of fewer are not told."
        row = enough.reset_index().sort_values("value_per_user").iloc[-1]
        best = row["cohort"]
        return (
            f"{told} Most per person came from those of {best:%B %Y}: {row['value_per_user']:,.2f} USD in "
            f"{int(row['period']) + 1} months, from {int(row['cohort_size']):,} people."
        )


def spending(
    snapshot: Snapshot,
    *,
    since: str | date | None = None,
    until: str | date | None = None,
    now: str | date | None = None,
    tz: str = "UTC",
) -> CohortSpending:
    """Add up what people spent (`value` of `purchase`), by the month in which each was first seen.

    Args:
        snapshot: The events.
        since: People who came from here on.
        until: People who came, and what was spent, up to here; exclusive.
        now: A month counts as over when it is at this instant.
        tz: Of the months.
    """
    span = coverage.span(snapshot, since, until, now, tz=tz)
    definition = SpendingDefinition(since=span.since, until=span.until, now=span.now, tz=tz, people=snapshot.people)
    end = min(filter(None, [span.until, span.now]))
    begin = span.since or pd.Timestamp("1970-01-01", tz="UTC").to_pydatetime()
    sql = queries.text("spending", snapshot.engine)
    found = snapshot.query(sql, {"tz": tz, "since": begin, "until": end}).to_pandas()
    local = pd.Timestamp(end).tz_convert(tz).tz_localize(None)
    frame = _complete(found, local)
    return CohortSpending(
        frame=frame, sql=sql, definition=definition, data_version=snapshot.data_version, notes=span.notes
    )


def _complete(found: pd.DataFrame, end: pd.Timestamp) -> pd.DataFrame:
    """Add the months in which nobody bought, and sum up."""
    rows = []
    for cohort, own in found.groupby("cohort"):
        begins = pd.Timestamp(str(cohort))
        last = (end.year - begins.year) * 12 + end.month - begins.month - (end == end.normalize().replace(day=1))
        known = own.dropna(subset="period").set_index("period")
        size, total = int(own["cohort_size"].iloc[0]), 0.0
        for period in range(int(last) + 1):
            there = period in known.index
            buyers = int(known["buyers"].loc[period]) if there else 0
            value = float(known["value_usd"].loc[period]) if there else 0.0
            total += value
            over = begins + pd.DateOffset(months=period + 1) <= end
            rows.append((begins, period, size, buyers, value, total / size, bool(over)))
    columns = ["cohort", "period", "cohort_size", "buyers", "value_usd", "value_per_user", "mature"]
    return pd.DataFrame(rows, columns=columns)
