"""Rates of things of which one person has many: what they say is worth what the people say, not what the things do.

The rate is a ratio of sums over people, x things of a kind among n. Its variance is that of a ratio estimator (Cochran,
Sampling Techniques, 1977, chapter 6; as the delta method in Deng, Knoblich and Lu, "Applying the Delta Method in Metric
Analytics", KDD 2018). Divided by it, p(1 - p) tells how many things that do not depend on each other would say as much
(Rao and Scott, "A Simple Method for the Analysis of Clustered Binary Data", Biometrics 48, 1992); with that many the
intervals and tests of plain proportions hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.metrics import intervals, significance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_LEVEL: Final = 0.975
_NORMAL: Final = NormalDist().inv_cdf(_LEVEL)
_LEAST: Final = 0.1
"""Degrees of freedom of a variance that one person decides; what is known then is next to nothing."""

_ALIKE: Final = 0.95
"""Estimates from the same people are taken to be no more alike than this."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over people, per rate; x of n things of a person are of the kind.

    Attributes:
        people: With any of the n.
        x: Things of the kind.
        n: Things.
        xx: Sum of x².
        xn: Sum of xn.
        nn: Sum of n².
    """

    people: NDArray[np.float64]
    x: NDArray[np.float64]
    n: NDArray[np.float64]
    xx: NDArray[np.float64]
    xn: NDArray[np.float64]
    nn: NDArray[np.float64]

    @property
    def rate(self) -> NDArray[np.float64]:
        """The share of things that are of the kind."""
        return intervals.rate(self.x, self.n)

    @property
    def variance(self) -> NDArray[np.float64]:
        """Of the rate."""
        spread = self.xx - 2 * self.rate * self.xn + self.rate**2 * self.nn
        few = intervals.rate(self.people, np.maximum(self.people - 1, 0))
        return np.maximum(spread, 0) * few * intervals.rate(1.0, self.n**2)

    @property
    def effective(self) -> NDArray[np.float64]:
        """How many independent things would say as much: no more than there are.

        The fewer people have most of the things, the less sure is the variance: their number, by weight, tells by how
        much (Carter, Schnepel and Steigerwald, Review of Economics and Statistics 99, 2017), and Student's t what that
        costs (Korn and Graubard, Survey Methodology 24, 1998). Where all things are of the kind or none is, or one
        person has all, nothing tells how alike a person's are; then each person counts once.
        """
        from scipy.special import stdtrit  # noqa: PLC0415 - takes a moment to load

        rate, variance = self.rate, self.variance
        known = (rate > 0) & (rate < 1) & (self.people > 1)
        alone = np.divide(rate * (1 - rate), variance, out=np.full(len(rate), np.inf), where=known & (variance > 0))
        by_weight = intervals.rate(self.n**2, self.nn)
        cost = (_NORMAL / stdtrit(np.maximum(by_weight - 1, _LEAST), _LEVEL)) ** 2
        return np.where(known, np.minimum(alone, self.n) * cost, self.people)

    def interval(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the 95% interval of each rate: Wilson's, of the effective number."""
        return intervals.wilson(self.rate * self.effective, self.effective)


def sums(person: NDArray[np.int64], group: NDArray[np.int64], x: NDArray[np.float64], groups: int) -> Sums:
    """Add up single things: of whom each is, in which group, and whether it is of the kind (or how much)."""
    each, place = np.unique(person * groups + group, return_inverse=True)
    mine, n, own = np.bincount(place, x), np.bincount(place).astype(np.float64), each % groups
    columns = (np.ones(len(each)), mine, n, mine**2, mine * n, n**2)
    return Sums(*(np.asarray(np.bincount(own, column, groups), dtype=np.float64) for column in columns))


def difference(
    one: Sums, other: Sums, together: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Compare two rates, of which the same people may have a part in both.

    Args:
        one: The sums of the one.
        other: Those of the other.
        together: The covariance of both rates, see `covariance`; 0 where nobody is in both.

    Returns:
        The ends of the 95% interval of the difference, and its p-value. The interval is put together from those of the
        rates (Zou and Donner, Statistics in Medicine 27, 2008); the test is that of two plain proportions.
    """
    p, q, m, n = one.rate, other.rate, one.effective, other.effective
    both = np.sqrt(one.variance * other.variance)
    alike = np.divide(together, both, out=np.zeros(len(p)), where=both > 0).clip(-_ALIKE, _ALIKE)
    (low, high), (other_low, other_high) = one.interval(), other.interval()
    down = (p - low) ** 2 + (other_high - q) ** 2 - 2 * alike * (p - low) * (other_high - q)
    up = (high - p) ** 2 + (q - other_low) ** 2 - 2 * alike * (high - p) * (q - other_low)
    # the variance of the difference is smaller where both move together, as if there were more of each
    fewer = 1 - 2 * alike * np.sqrt(m * n) / (m + n)
    m, n = m / fewer, n / fewer
    pvalue = significance.independence(p * m, (1 - p) * m, q * n, (1 - q) * n)
    return p - q - np.sqrt(np.maximum(down, 0)), p - q + np.sqrt(np.maximum(up, 0)), pvalue


def covariance(one: Sums, other: Sums, crossed: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the covariance of two rates.

    Args:
        one: The sums of the one: x and n.
        other: Those of the other: y and m.
        crossed: The sums over the people in both of xy, xm, ny and nm.
    """
    xy, xm, ny, nm = crossed
    spread = xy - other.rate * xm - one.rate * ny + one.rate * other.rate * nm
    return spread * intervals.rate(1.0, one.n * other.n)
