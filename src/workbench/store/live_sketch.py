"""Response times by the thousandfold: bins whose width grows with the time, so that a quantile is right within 1%.

The bins are those of DDSketch (Masson, Rim, Lee 2019): bin i holds the times in (g^(i-1), g^i] microseconds, where
g = (1 + a) / (1 - a). The middle that stands for all of them is at most `ERROR` = a away from each, relatively. Counts
of bins add up, so that minutes are merged without losing anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ERROR: Final = 0.01
"""How far a quantile may be from the measured time that it stands for, as a share of that time."""

SHORTEST_MS: Final = 0.001
"""Times below a microsecond are all taken for 0."""

LONGEST_MS: Final = 86_400_000.0
"""What took longer than a day is not taken for a response time."""

NONE: Final = -1
"""The bin of what has no response time."""

_BASE: Final = (1 + ERROR) / (1 - ERROR)


def bins(response_ms: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return the bin of each time in milliseconds, `NONE` where there is none (NaN) or it is out of range.

    >>> bins(np.array([0.0, 0.001, 1.0, 1e9])).tolist()
    [0, 1, 347, -1]
    """
    known = (response_ms >= 0) & (response_ms <= LONGEST_MS)
    measured = np.where(known, np.maximum(response_ms, SHORTEST_MS), SHORTEST_MS)
    places = np.ceil(np.log(measured / SHORTEST_MS) / np.log(_BASE)).astype(np.int32) + 1
    return np.where(known, np.where(response_ms < SHORTEST_MS, 0, places), NONE).astype(np.int32)


def middles(places: NDArray[np.int32]) -> NDArray[np.float64]:
    """Return the time in milliseconds that stands for each bin."""
    return np.where(places == 0, 0.0, SHORTEST_MS * 2 * _BASE ** (places - 1.0) / (_BASE + 1))


def rank(count: int, permille: int) -> int:
    """Return which of `count` ordered times is the quantile (from 1): the smallest that so many do not exceed.

    >>> rank(4, 500), rank(5, 500), rank(1, 990), rank(1000, 999)
    (2, 3, 1, 999)
    """
    return max((count * permille + 999) // 1000, 1)


def quantile(places: NDArray[np.int32], counts: NDArray[np.int64], permille: int) -> float:
    """Return a quantile in milliseconds, right within `ERROR`; NaN where nothing was measured.

    Args:
        places: Bins, in any order, perhaps repeated.
        counts: How many times are in each.
        permille: 500 for the median, 990 for the 99th percentile.
    """
    total = int(counts.sum())
    if not total:
        return float("nan")
    order = np.argsort(places, kind="stable")
    reached = np.cumsum(counts[order])
    place = places[order][np.searchsorted(reached, rank(total, permille))]
    return float(middles(np.array([place], dtype=np.int32))[0])
