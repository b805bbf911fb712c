"""One attempt at steps in their order, of which each may come a little before the one before it.

As Mixpanel reads events that arrive out of order: https://docs.mixpanel.com/docs/reports/funnels/funnels-faq,
"simultaneous events".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.metrics.kernels.compiled import compiled
from workbench.metrics.kernels.instants import NONE

if TYPE_CHECKING:
    from numpy.typing import NDArray


@compiled
def with_grace(
    reached: int,
    instant: int,
    starts: NDArray[np.int64],
    bits: NDArray[np.int64],
    at: NDArray[np.int64],
    following: NDArray[np.int64],
    trial: NDArray[np.int64],
    closes: int,
    grace: int,
    earliest: int,
    reuse: bool,
) -> int:
    """Follow one attempt: each step is the first row that is free, from `grace` before the step before it.

    Where no row can be two steps this gets as far as can be: an early row never closes a way that a later one opens.

    Args:
        reached: How many steps it came without grace, which it keeps if it does not get as far with it.
        instant: The instant that opens the attempt.
        starts: Where the rows of each instant begin.
        bits: Bit k for a row that can be step k+1.
        at: When, per row.
        following: The first instant, from each on, that has a bit.
        trial: The row of each step, and its instant.
        closes: When the window closes.
        grace: How much earlier a step may be than the one before.
        earliest: No row before this is taken.
        reuse: Whether a row may be several steps.

    Returns:
        How many steps it came.
    """
    steps, length, here = trial.shape[1], 0, instant
    other = np.empty_like(trial)
    while length < steps:
        row = NONE
        while here != NONE and at[starts[here]] <= closes:
            row = _free(starts[here], starts[here + 1], bits, other[0, :length], length, reuse)
            if row != NONE:
                break
            here = following[length, here + 1]
        if row == NONE:
            break
        other[0, length], other[1, length] = row, here
        length += 1
        if length < steps:
            here = following[length, _first(max(at[row] - grace, earliest), here, starts, at)]
    if length < reached:
        return reached
    trial[:, :length] = other[:, :length]
    return length


@compiled
def _free(begin: int, end: int, bits: NDArray[np.int64], taken: NDArray[np.int64], step: int, reuse: bool) -> int:
    """Return a row of an instant that can be a step and is none yet; of several the one that can be the least."""
    found = NONE
    for row in range(begin, end):
        if bits[row] >> step & 1 and (reuse or not np.any(taken == row)) and (found == NONE or bits[row] < bits[found]):
            found = row
    return found


@compiled
def _first(when: int, known: int, starts: NDArray[np.int64], at: NDArray[np.int64]) -> int:
    """Return the first instant that is not before a time, of those up to one that is not."""
    low = 0
    while low < known:
        middle = (low + known) // 2
        if at[starts[middle]] >= when:
            known = middle
        else:
            low = middle + 1
    return known
