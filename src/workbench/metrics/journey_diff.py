"""What follows what in some paths, and in others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workbench.charts.formats import number
from workbench.charts.spec import Bars, Chart
from workbench.metrics import intervals, significance
from workbench.metrics.journey_views import ARROW, MOST_SHOWN, View, of

if TYPE_CHECKING:
    from workbench.metrics.journeys import Journeys


@dataclass(frozen=True, kw_only=True, eq=False)
class TransitionDiff(View):
    """What follows what, here and in other paths.

    `frame` has one row per pair that occurs in either: `from_event`, `to_event`, `probability_out`, `other`
    (`probability_out` there), `difference`, `ci_low`, `ci_high` (95%, Newcombe), `pvalue` (of two proportions),
    `pvalue_adjusted` (Benjamini-Hochberg over all pairs), the surest first. Denominators are the ways out of
    `from_event`, so that longer paths do not count for more; ways of one person are taken as independent.
    """

    def chart(self) -> Chart:
        """Draw a bar per pair, the surest differences first."""
        shown = self.frame.head(MOST_SHOWN)
        bars = Bars(
            x=tuple(f"{row.from_event}{ARROW}{row.to_event}" for row in shown.itertuples()),
            y=tuple(shown["difference"]), low=tuple(shown["ci_low"]), high=tuple(shown["ci_high"]),
        )  # fmt: skip
        marks = (bars,) if len(shown) else ()
        return Chart(title="What differs", y_label="difference in probability", y_format="percent", marks=marks)

    def reading(self) -> str:
        """Say how many pairs differ surely, and which one most."""
        sure = self.frame[self.frame["pvalue_adjusted"] < 0.05]  # noqa: PLR2004 - the usual level
        if sure.empty:
            return "Nothing differs surely in what follows what."
        first = sure.iloc[0]
        return (
            f"{len(sure)} of {len(self.frame)} steps differ surely; first, {first['from_event']} to "
            f"{first['to_event']}: {number(first['probability_out'], 'percent')} here, "
            f"{number(first['other'], 'percent')} there."
        )


def diff(journeys: Journeys, other: Journeys) -> TransitionDiff:
    """Compare what follows what with other paths."""
    keys = ["from_event", "to_event"]
    ours, theirs = (each.transitions().frame for each in (journeys, other))
    both = ours[[*keys, "count"]].merge(theirs[[*keys, "count"]], on=keys, how="outer", suffixes=("", "_other"))
    both = both.fillna({"count": 0, "count_other": 0}).astype({"count": "int64", "count_other": "int64"})
    for name in ("count", "count_other"):
        both[f"{name}_out"] = both.groupby("from_event")[name].transform("sum")
    met = both[(both["count_out"] > 0) & (both["count_other_out"] > 0)].reset_index(drop=True)
    times, out, times_other, out_other = (
        np.asarray(met[name], dtype=np.int64) for name in ("count", "count_out", "count_other", "count_other_out")
    )
    here, there = intervals.rate(times, out), intervals.rate(times_other, out_other)
    low, high = significance.newcombe(times, out, times_other, out_other)
    pvalue = significance.independence(times, out - times, times_other, out_other - times_other)
    frame = met[keys].assign(
        probability_out=here, other=there, difference=here - there, ci_low=low, ci_high=high, pvalue=pvalue,
        pvalue_adjusted=significance.adjusted(pvalue),
    )  # fmt: skip
    frame = frame.sort_values(["pvalue", *keys], kind="stable", ignore_index=True)
    return TransitionDiff(frame=frame, **of(journeys))
