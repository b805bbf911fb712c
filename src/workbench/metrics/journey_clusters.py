"""Kinds of paths: grouped by what they are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from workbench.charts.formats import number
from workbench.errors import NotEnoughData
from workbench.metrics import intervals
from workbench.metrics.journey_view import View, bars, bounded, of, row_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.charts.spec import Chart
    from workbench.metrics.journey_trails import Trails
    from workbench.metrics.journeys import Journeys

_FEWEST: Final = 30
_FEWEST_KINDS: Final = 3
"""Two kinds of paths are two clusters, and nothing to find."""
_LOOKED_AT: Final = 10_000
_SAMPLED: Final = 2_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Clusters(View):
    """Paths grouped by what they are made of.

    `frame` has one row per group: `cluster`, `paths`, `share`, `people`, `median_length`, `more_of` (the events that
    are most over-represented, with how many times the share they have in all paths).
    """

    label: NDArray[np.int64] = field(repr=False)
    silhouette: float

    def people(self, cluster: int) -> list[str]:
        """List the people with a path of a group."""
        row_of(self, "cluster", cluster)
        return self.journeys.named(self.journeys.trails.person[self.label == cluster])

    def chart(self) -> Chart:
        """Draw a bar per group."""
        return bars(self, "Kinds of paths", "cluster")

    def _reading(self) -> str:
        """Say how many groups there are, how well they part, and what the largest is made of."""
        first = self.frame.iloc[0]
        return (
            f"{len(self.frame)} kinds of paths (silhouette {number(self.silhouette, 'decimal')}); the largest, "
            f"{number(first['share'], 'percent')}, has more of {first['more_of']}."
        )


def clusters(journeys: Journeys, k: int | None, *, seed: int) -> Clusters:
    """Group paths by the shares of their events (k-means; k by the best silhouette of a sample, if not given).

    Raises:
        NotEnoughData: There are fewer than 30 paths, or they are all alike.
    """
    from workbench.metrics.kernels.journeys import shares as kernel  # noqa: PLC0415 - loads Numba

    trails = journeys.trails
    if trails.paths < _FEWEST:
        raise NotEnoughData(f"{trails.paths} paths are too few to group; {_FEWEST} are needed")
    shares = kernel(trails.starts, trails.code, len(trails.names))
    kinds = len(np.unique(shares[:_LOOKED_AT], axis=0))
    if kinds < _FEWEST_KINDS:
        raise NotEnoughData("all paths are made of the same events in the same shares: there is nothing to group")
    tried = range(2, min(8, kinds - 1) + 1) if k is None else [bounded(k, 2, kinds - 1, "k")]
    score, label = max((_grouped(shares, size, seed) for size in tried), key=lambda found: found[0])
    order = np.argsort(-np.bincount(label), kind="stable")
    label = np.argsort(order)[label]
    overall = shares.mean(axis=0)
    rows = [_cluster(trails, shares, overall, place, label == place) for place in range(len(order))]
    columns = ["cluster", "paths", "share", "people", "median_length", "more_of"]
    frame = pd.DataFrame(rows, columns=columns)
    view = of(journeys, "clusters", k=k, seed=seed)
    return Clusters(frame=frame, label=label, silhouette=score, paths=trails.paths, **view)


def _grouped(shares: NDArray[np.float64], size: int, seed: int) -> tuple[float, NDArray[np.int64]]:
    """Group paths into so many; return how well they part (-1 for not at all), and the group of each."""
    from sklearn.cluster import KMeans  # noqa: PLC0415 - heavy, and only needed here
    from sklearn.metrics import silhouette_score  # noqa: PLC0415

    sample = np.random.default_rng(seed).choice(len(shares), size=min(len(shares), _SAMPLED), replace=False)
    model = KMeans(n_clusters=size, n_init=3, random_state=seed).fit(shares[sample])
    _, label = np.unique(model.predict(shares), return_inverse=True)
    parted = 1 < len(np.unique(label[sample])) < len(sample)
    return float(silhouette_score(shares[sample], label[sample])) if parted else -1.0, label


def _cluster(
    trails: Trails, shares: NDArray[np.float64], overall: NDArray[np.float64], place: int, mine: NDArray[np.bool_]
) -> tuple[object, ...]:
    lift = intervals.rate(shares[mine].mean(axis=0), overall)
    most = [event for event in np.argsort(-np.nan_to_num(lift), kind="stable")[:3] if lift[event] > 1]
    told = ", ".join(f"{trails.names[event]} ({lift[event]:.1f}x)" for event in most)
    people = len(np.unique(trails.person[mine]))
    return place, int(mine.sum()), float(mine.mean()), people, float(np.median(trails.lengths[mine])), told
