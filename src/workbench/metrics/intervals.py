"""Intervals of rates, means and correlations."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def wilson(
    successes: ArrayLike, trials: ArrayLike, *, confidence: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the Wilson score interval of each rate `successes / trials`.

    It stays inside [0, 1] and is honest at 0% and 100%, where the textbook interval has no width.

    Args:
        successes: How often it happened.
        trials: How often it could have happened; where this is 0 the interval is NaN.
        confidence: Share of such intervals that hold the true rate.

    Returns:
        Lower and upper ends, with the shape of the arguments.

    >>> low, high = wilson([81], [263])
    >>> low.round(4).tolist(), high.round(4).tolist()
    ([0.2553], [0.3662])
    """
    n = np.asarray(trials, dtype=np.float64)
    z2 = z(confidence) ** 2
    p = rate(successes, n)
    middle = (p + z2 / (2 * np.where(n > 0, n, np.nan))) / (1 + rate(z2, n))
    half = np.sqrt(rate(z2 * p * (1 - p), n) + rate(z2 * z2 / 4, n * n)) / (1 + rate(z2, n))
    # at 0% and 100% the ends are exact; rounding must not push them past
    return np.where(p == 0, 0.0, middle - half), np.where(p == 1, 1.0, middle + half)


def mean(
    total: ArrayLike, squares: ArrayLike, n: ArrayLike, *, confidence: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean of `n` numbers with the interval that their spread gives, from their sum and that of squares.

    Args:
        total: Their sum.
        squares: The sum of their squares.
        n: How many there are; of none the mean is NaN, of one the interval.
        confidence: Share of such intervals that hold the true mean, where numbers are many.

    Returns:
        The mean, and the lower and upper end, with the shape of the arguments.

    >>> [end.round(3).tolist() for end in mean([6.0], [14.0], [3])]
    [[2.0], [0.868], [3.132]]
    """
    count = np.asarray(n, dtype=np.float64)
    middle = rate(total, count)
    spread = rate(np.clip(np.asarray(squares, dtype=np.float64) - count * middle**2, 0, None), count - 1)
    half = z(confidence) * np.sqrt(rate(spread, count))
    return middle, middle - half, middle + half


def z(confidence: float = 0.95) -> float:
    """Return half the width of a normal interval, in standard errors."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def rate(part: ArrayLike, whole: ArrayLike) -> NDArray[np.float64]:
    """Divide; NaN where the whole is 0."""
    below = np.asarray(whole, dtype=np.float64)
    return np.asarray(part, dtype=np.float64) / np.where(below > 0, below, np.nan)


def correlation(
    one: ArrayLike, other: ArrayLike, *, confidence: float = 0.95, fewest: int = 3
) -> tuple[float, float, float]:
    """Return Pearson's r of pairs of numbers with its interval by Fisher's z transformation (Fisher 1921).

    Args:
        one: The first of each pair.
        other: The second.
        confidence: Share of such intervals that hold the true correlation.
        fewest: Pairs under which nothing is said.

    Returns:
        r and the ends of its interval; NaN under `fewest` pairs, or where one of the two never changes. Three
        pairs have an r, and an interval that says nothing: -1 to 1.

    >>> [round(end, 3) for end in correlation(range(10), [1, 3, 2, 5, 4, 6, 8, 7, 9, 8])]
    [0.941, 0.762, 0.986]
    """
    a, b = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    if len(a) < fewest or np.ptp(a) == 0 or np.ptp(b) == 0:
        return np.nan, np.nan, np.nan
    r = float(np.clip(np.corrcoef(a, b)[0, 1], -1, 1))
    if len(a) <= 3 or abs(r) == 1:  # noqa: PLR2004 - Fisher's z has n - 3 degrees
        return r, *((r, r) if abs(r) == 1 and len(a) > 3 else (-1.0, 1.0))  # noqa: PLR2004
    half = z(confidence) / np.sqrt(len(a) - 3)
    return r, float(np.tanh(np.arctanh(r) - half)), float(np.tanh(np.arctanh(r) + half))
