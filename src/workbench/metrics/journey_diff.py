"""What follows what in some paths, and in others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from workbench.charts.formats import number
from workbench.charts.spec import Bars, Chart
from workbench.metrics import clustered, significance
from workbench.metrics.clustered import Sums
from workbench.metrics.journey_trails import ARROW
from workbench.metrics.journey_transitions import stepped
from workbench.metrics.journey_view import MOST_SHOWN, View, ends, of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from workbench.metrics.journey_trails import Trails
    from workbench.metrics.journeys import Journeys

Table: TypeAlias = Any
"""A sparse table of SciPy, which has no types."""

_KEYS = ["from_event", "to_event"]
_FEWEST = 5
"""People under whom nothing is tested."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TransitionDiff(View):
    """What follows what, here and in other paths.

    `frame` has one row per pair that occurs in either, of events that both have: `from_event`, `to_event`,
    `probability_out`, `other` (`probability_out` there), `difference`, `ci_low`, `ci_high` (95%), `pvalue` (missing
    where fewer than 5 people leave `from_event` here or there), `pvalue_adjusted` (Benjamini-Hochberg over all pairs
    tested), `people`, `people_other`; the surest first. Denominators are the ways out of `from_event`, so that longer
    paths do not count for more; intervals and tests are clustered by person, also where the same people are on both
    sides (see `clustered`).
    """

    other: Journeys = field(repr=False)

    def people(self, from_event: str, to_event: str, *, other: bool = False) -> list[str]:
        """List the people who went from one event to another, here or there: as many as the frame says."""
        return stepped(self.other if other else self.journeys, from_event, to_event)

    def chart(self) -> Chart:
        """Draw a bar per pair, the surest differences first."""
        shown = self.frame.head(MOST_SHOWN)
        bars = Bars(
            x=tuple(f"{row.from_event}{ARROW}{row.to_event}" for row in shown.itertuples()),
            y=tuple(shown["difference"]), low=tuple(shown["ci_low"]), high=tuple(shown["ci_high"]),
        )  # fmt: skip
        marks = (bars,) if len(shown) else ()
        note = f"{self.paths:,} paths beside {self.other.trails.paths:,}; 95% intervals, clustered by person"
        return Chart(
            title="What differs", y_label="difference in probability", y_format="percent", marks=marks, note=note
        )

    def _reading(self) -> str:
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
    known = tuple(sorted({*journeys.names, *other.names}))
    users = np.union1d(journeys.trails.user_key, other.trails.user_key)
    size = len(known) + 2
    one, two = (_walked(each.trails.among(known), users) for each in (journeys, other))
    met = np.flatnonzero((np.diff(one.indptr) > 0) | (np.diff(two.indptr) > 0))
    events = [(one[:, mine], two[:, mine], mine) for mine in np.split(met, np.flatnonzero(np.diff(met // size)) + 1)]
    compared = [(here, there, mine) for here, there, mine in events if here.nnz and there.nnz]
    pair = np.concatenate([np.empty(0, np.int64), *(mine for _, _, mine in compared)])
    here, there = (Sums(*_joined((_summed(each[side]) for each in compared), 6)) for side in (0, 1))
    together = clustered.covariance(here, there, _joined((_crossed(*each[:2]) for each in compared), 4))
    low, high, pvalue = clustered.difference(here, there, together)
    pvalue = np.where(np.minimum(here.people, there.people) < _FEWEST, np.nan, pvalue)
    adjusted, tested = np.full(len(pair), np.nan), ~np.isnan(pvalue)
    adjusted[tested] = significance.adjusted(pvalue[tested])
    names = np.array([*known, *ends(known)[:2]], dtype=object)
    frame = pd.DataFrame({"from_event": names[pair // size], "to_event": names[pair % size]}).assign(
        probability_out=here.rate, other=there.rate, difference=here.rate - there.rate, ci_low=low, ci_high=high,
        pvalue=pvalue, pvalue_adjusted=adjusted,
        people=np.diff(one.indptr)[pair], people_other=np.diff(two.indptr)[pair],
    )  # fmt: skip
    frame = frame.sort_values(["pvalue", *_KEYS], kind="stable", ignore_index=True)
    view = of(journeys, "diff", other=other.definition)
    return TransitionDiff(frame=frame, other=other, paths=journeys.trails.paths, **view)


def _walked(trails: Trails, users: NDArray[np.int64]) -> Table:
    """Count the steps of each of some people, one row a person, one column a pair."""
    from scipy.sparse import csc_array  # noqa: PLC0415 - takes a moment to load

    from workbench.metrics.kernels.journeys import steps  # noqa: PLC0415 - loads Numba

    kind, firsts = steps(trails.starts, trails.code, len(trails.names))
    row = np.searchsorted(users, trails.user_key)[np.repeat(trails.person, np.diff(firsts))]
    return csc_array((np.ones(len(kind)), (row, kind)), shape=(len(users), (len(trails.names) + 2) ** 2))


def _summed(steps: Table) -> tuple[NDArray[np.float64], ...]:
    """Add up, over people, what `Sums` holds of the steps out of one event."""
    ways = steps.sum(axis=1)
    same = np.ones(steps.shape[1])
    x = steps.sum(axis=0)
    return np.count_nonzero(ways) * same, x, x.sum() * same, (steps**2).sum(axis=0), steps.T @ ways, ways @ ways * same


def _crossed(one: Table, other: Table) -> tuple[NDArray[np.float64], ...]:
    """Add up, over people, what `clustered.covariance` asks of the steps out of one event on both sides."""
    n, m = one.sum(axis=1), other.sum(axis=1)
    return (one * other).sum(axis=0), one.T @ m, other.T @ n, n @ m * np.ones(one.shape[1])


def _joined(rows: Iterable[tuple[NDArray[np.float64], ...]], width: int) -> list[NDArray[np.float64]]:
    """Put the columns of several rows one after the other."""
    columns = list(zip(*rows, strict=True)) or [()] * width
    return [np.concatenate([np.empty(0), *column]) for column in columns]
