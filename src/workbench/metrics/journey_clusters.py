"""Kinds of paths: grouped by what they are made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from workbench.charts.formats import number
from workbench.errors import InvalidArgument, NotEnoughData
from workbench.metrics import intervals
from workbench.metrics.journey_views import View, bars, bounded, of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.charts.spec import Chart
    from workbench.metrics.journeys import Journeys

_FEWEST: Final = 30


@dataclass(frozen=True, kw_only=True, eq=False)
class Clusters(View):
    """Paths grouped by what they are made of.

    `frame` has one row per group: `cluster`, `paths`, `share`, `median_length`, `more_of` (the events that are most
    over-represented in it, with how many times the share they have in all paths).
    """

    label: NDArray[np.int64] = field(repr=False)
    silhouette: float

    def people(self, cluster: int) -> list[str]:
        """List the people with a path of a group."""
        if cluster not in set(self.frame["cluster"]):
            raise InvalidArgument(f"there is no cluster {cluster!r}; there are {len(self.frame)}, from 0")
        return self.journeys.people(self.journeys.trails.person[self.label == cluster])

    def chart(self) -> Chart:
        """Draw a bar per group."""
        return bars(self, "Kinds of paths", "cluster", "share")

    def reading(self) -> str:
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
    from sklearn.cluster import KMeans  # noqa: PLC0415 - heavy, and only needed here
    from sklearn.metrics import silhouette_score  # noqa: PLC0415

    trails = journeys.trails
    if trails.paths < _FEWEST:
        raise NotEnoughData(f"{trails.paths} paths are too few to group; {_FEWEST} are needed")
    owner = np.repeat(np.arange(trails.paths), np.diff(trails.starts))
    counts = np.zeros((trails.paths, len(trails.names)))
    np.add.at(counts, (owner, trails.code), 1.0)
    shares = counts / counts.sum(axis=1, keepdims=True)
    kinds = len(np.unique(shares, axis=0)) if trails.paths < 10_000 else len(np.unique(shares[:10_000], axis=0))  # noqa: PLR2004
    if kinds < 3:  # noqa: PLR2004 - two kinds are two clusters, and nothing to find
        raise NotEnoughData("all paths are made of the same events in the same shares: there is nothing to group")
    sample = np.random.default_rng(seed).choice(trails.paths, size=min(trails.paths, 2_000), replace=False)
    tried = range(2, min(8, kinds - 1) + 1) if k is None else [bounded(k, 2, kinds - 1, "k")]
    best = None
    for size in tried:
        model = KMeans(n_clusters=size, n_init=3, random_state=seed).fit(shares[sample])
        label = model.predict(shares)
        score = float(silhouette_score(shares[sample], label[sample])) if len(set(label[sample])) > 1 else -1.0
        if best is None or score > best[0]:
            best = (score, label)
    score, label = best or (-1.0, np.zeros(trails.paths, dtype=np.int64))
    order = np.argsort(-np.bincount(label), kind="stable")
    label = np.argsort(order)[label]
    overall = shares.mean(axis=0)
    rows = [_cluster(journeys, shares[label == place], overall, place, label == place) for place in range(len(order))]
    columns = ["cluster", "paths", "share", "median_length", "more_of"]
    frame = pd.DataFrame([row for row in rows if row[1]], columns=columns)
    return Clusters(frame=frame, label=label, silhouette=score, **of(journeys))


def _cluster(
    journeys: Journeys, shares: NDArray[np.float64], overall: NDArray[np.float64], place: int, mine: NDArray[np.bool_]
) -> tuple[object, ...]:
    trails = journeys.trails
    lift = intervals.rate(shares.mean(axis=0) if len(shares) else overall * 0, overall)
    most = [event for event in np.argsort(-np.nan_to_num(lift), kind="stable")[:3] if lift[event] > 1]
    told = ", ".join(f"{trails.names[event]} ({lift[event]:.1f}x)" for event in most)
    lengths = np.diff(trails.starts)[mine]
    return place, len(shares), len(shares) / trails.paths, float(np.median(lengths)) if len(lengths) else np.nan, told
