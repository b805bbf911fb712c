"""Intervals of rates."""

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
    z2 = NormalDist().inv_cdf((1 + confidence) / 2) ** 2
    p = rate(successes, n)
    middle = (p + z2 / (2 * np.where(n > 0, n, np.nan))) / (1 + rate(z2, n))
    half = np.sqrt(rate(z2 * p * (1 - p), n) + rate(z2 * z2 / 4, n * n)) / (1 + rate(z2, n))
    # at 0% and 100% the ends are exact; rounding must not push them past
    return np.where(p == 0, 0.0, middle - half), np.where(p == 1, 1.0, middle + half)


def rate(part: ArrayLike, whole: ArrayLike) -> NDArray[np.float64]:
    """Divide; NaN where the whole is 0."""
    below = np.asarray(whole, dtype=np.float64)
    return np.asarray(part, dtype=np.float64) / np.where(below > 0, below, np.nan)
