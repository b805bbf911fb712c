"""Intervals around predictions: where the truth lay, in later examples that were predicted alike.

Split conformal prediction in groups by prediction (Vovk's Mondrian variant): the errors at people who are like
this one, not a formula about errors, say how wide the interval is. So a person who is predicted to spend nothing has
a narrow one, whatever others spend.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from workbench.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

LEVEL: Final = 0.9
GROUPS: Final = 10
FEWEST: Final = 30
"""Fewest examples of a group: of fewer, a twentieth is one or none."""

Kind = Literal["difference", "ratio"]


@dataclass(frozen=True, eq=False)
class Band:
    """What to add to a prediction, or multiply it by, for the ends of its interval.

    Attributes:
        kind: `difference` (added) or `ratio` (multiplied, for amounts that spread with their size).
        edges: Predictions at which the next group begins; one less than there are groups.
        low: Per group, for the lower end.
        high: Per group, for the upper end.
    """

    kind: Kind
    edges: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def around(self, predicted: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the ends of the interval of each prediction; it always holds the prediction itself."""
        group = np.searchsorted(self.edges, predicted, side="right")
        if self.kind == "difference":
            low, high = predicted + self.low[group], predicted + self.high[group]
        else:
            low, high = predicted * self.low[group], predicted * self.high[group]
        return np.minimum(low, predicted), np.maximum(high, predicted)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types."""
        numbers = {name: getattr(self, name).tolist() for name in ("edges", "low", "high")}
        return {"kind": self.kind, **numbers}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Band:
        """Rebuild a band.

        Raises:
            ModelError: The fields are not those of a band, or a number is not finite.
        """
        try:
            edges, low, high = (np.asarray(fields[name], dtype="float64") for name in ("edges", "low", "high"))
            kind = fields["kind"]
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"the intervals cannot be read: {error}") from error
        if kind not in ("difference", "ratio") or edges.ndim != 1 or not low.shape == high.shape == (edges.size + 1,):
            raise ModelError(f"the intervals are no band: kind {kind!r}, {edges.size} edges, {low.size} groups")
        if not (np.isfinite(edges).all() and np.isfinite(low).all() and np.isfinite(high).all()):
            raise ModelError("the intervals hold a number that is not finite")
        return cls(kind, edges, low, high)


def band(truth: NDArray[np.float64], predicted: NDArray[np.float64], *, kind: Kind, level: float = LEVEL) -> Band:
    """Learn from examples that the model did not see how far from a prediction the truth lies.

    Args:
        truth: What came true.
        predicted: What the model said.
        kind: Whether distances are differences or ratios.
        level: Share of the truths that the interval is to hold, in (0, 1).

    >>> said = np.repeat([1.0, 2.0], 500)
    >>> spread = band(said + np.tile(np.linspace(-1, 1, 500), 2), said, kind="difference", level=0.5)
    >>> [round(float(end[0]), 1) for end in spread.around(np.array([2.0]))]
    [1.5, 2.5]
    """
    groups = max(1, min(GROUPS, len(truth) // FEWEST))
    ranked = np.sort(predicted)
    edges = np.unique(ranked[[len(ranked) * g // groups for g in range(1, groups)]])
    edges = edges[edges > ranked[0]]
    group = np.searchsorted(edges, predicted, side="right")
    distance = truth - predicted if kind == "difference" else truth / np.maximum(predicted, 1e-9)
    ends = [_ends(distance[group == number], level) for number in range(len(edges) + 1)]
    low, high = np.array(ends).T
    return Band(kind, edges, low, high)


def _ends(distance: NDArray[np.float64], level: float) -> tuple[float, float]:
    """Return the quantiles that leave half of the rest on either side, one example further out each (conformal)."""
    ordered, tail = np.sort(distance), (1 - level) / 2
    last = len(ordered) - 1
    below = int(np.floor(tail * (last + 2))) - 1
    above = int(np.ceil((1 - tail) * (last + 2))) - 1
    return float(ordered[max(below, 0)]), float(ordered[min(above, last)])
