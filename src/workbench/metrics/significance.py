"""Whether what differs differs by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

from workbench.metrics import intervals

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts: TypeAlias = NDArray[np.int64] | NDArray[np.float64]

EXACT_BELOW: Final = 5
"""Where a cell is expected to hold fewer, the exact test is taken."""


def newcombe(
    part: NDArray[np.int64], whole: NDArray[np.int64], other_part: NDArray[np.int64], other_whole: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the 95% interval of the difference of two rates (Newcombe, Statistics in Medicine 17, 1998, method 10)."""
    one, other = intervals.rate(part, whole), intervals.rate(other_part, other_whole)
    (low, high), (other_low, other_high) = intervals.wilson(part, whole), intervals.wilson(other_part, other_whole)
    down = np.sqrt((one - low) ** 2 + (other_high - other) ** 2)
    up = np.sqrt((high - one) ** 2 + (other - other_low) ** 2)
    return one - other - down, one - other + up


def independence(a: Counts, b: Counts, c: Counts, d: Counts) -> NDArray[np.float64]:
    """Return the p-value of each table [[a, b], [c, d]]: of χ², of Fisher's exact test where counts are small.

    Counts that are estimates, and no whole numbers, are rounded for the exact test.
    """
    from scipy import stats  # noqa: PLC0415 - takes a moment to load

    rows, columns = np.array([a + b, c + d], dtype=np.float64), np.array([a + c, b + d], dtype=np.float64)
    total = rows.sum(axis=0)
    least = rows.min(axis=0) * columns.min(axis=0) / np.maximum(total, 1)
    margins = rows.prod(axis=0) * columns.prod(axis=0)
    apart = np.asarray(a, dtype=np.float64) * d - np.asarray(b, dtype=np.float64) * c
    square = np.divide(total * apart**2, margins, out=np.zeros_like(total), where=margins > 0)
    pvalue = np.asarray(stats.chi2.sf(square, 1), dtype=np.float64)
    for place in np.flatnonzero(least < EXACT_BELOW):
        cells = [[round(float(each[place])) for each in row] for row in ((a, b), (c, d))]
        pvalue[place] = stats.fisher_exact(cells).pvalue
    return pvalue


def adjusted(pvalue: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjust p-values for their number (Benjamini and Hochberg): of those below 5%, one in twenty is by chance."""
    order = np.argsort(pvalue)
    scaled = pvalue[order] * len(pvalue) / np.arange(1, len(pvalue) + 1)
    result = np.empty(len(pvalue))
    result[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return result
