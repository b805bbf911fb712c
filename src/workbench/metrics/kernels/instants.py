"""The instants of one person: what their rows can be, and when something of it comes next.

Rows of one instant have no order, so they are taken together: `mask` is all that they can be (bit k for step k+1).
A row counts for one step, so where rows can be several steps, which are done is a matching of rows and steps, found
by augmenting paths (Kuhn 1955).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.metrics.kernels.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

NONE = -1


@compiled
def gather(
    begin: int,
    end: int,
    at: NDArray[np.int64],
    bits: NDArray[np.int64],
    starts: NDArray[np.int64],
    mask: NDArray[np.int64],
) -> int:
    """List the instants of the rows from `begin` to `end`: where each begins, and its mask; return how many there are.

    `starts` gets one more, where the last ends.
    """
    count = 0
    for row in range(begin, end):
        if row == begin or at[row] != at[row - 1]:
            starts[count] = row
            mask[count] = 0
            count += 1
        mask[count - 1] |= bits[row]
    starts[count] = end
    return count


@compiled
def next_with(count: int, mask: NDArray[np.int64], wanted: int, following: NDArray[np.int64]) -> None:
    """Fill, per bit and instant, the first instant from there on that has the bit; `NONE` where there is none.

    `wanted` is how many bits; `following` has a row per bit and one more column than there are instants.
    """
    for bit in range(wanted):
        seen = NONE
        following[bit, count] = NONE
        for instant in range(count - 1, -1, -1):
            if mask[instant] >> bit & 1:
                seen = instant
            following[bit, instant] = seen


@compiled
def seat_steps(begin: int, end: int, bits: NDArray[np.int64], step: int, last: int, takers: NDArray[np.int64]) -> int:
    """Return how many steps from `step` (0-based) up to `last` (exclusive) the rows of an instant are, each one step.

    `takers` gets the row of each of these steps, at the step's place.
    """
    if step >= last:
        return 0
    if end - begin == 1:
        takers[step] = begin
        return int(bits[begin] >> step & 1)
    holds = np.full(end - begin, NONE, dtype=np.int64)
    more = 0
    while step + more < last:
        tried = np.zeros(end - begin, dtype=np.bool_)
        if not _seat_step(step + more, begin, bits, holds, tried):
            break
        more += 1
    for place in range(end - begin):
        if holds[place] != NONE:
            takers[holds[place]] = begin + place
    return more


@compiled
def _seat_step(
    step: int, begin: int, bits: NDArray[np.int64], holds: NDArray[np.int64], tried: NDArray[np.bool_]
) -> bool:
    """Find a row for a step, moving other steps to other rows if need be."""
    for place in range(len(holds)):
        if tried[place] or not bits[begin + place] >> step & 1:
            continue
        tried[place] = True
        if holds[place] == NONE or _seat_step(holds[place], begin, bits, holds, tried):
            holds[place] = step
            return True
    return False


@compiled
def seat_row(row: int, bits: NDArray[np.int64], holder: NDArray[np.int64], tried: NDArray[np.bool_]) -> bool:
    """Find a step for a row, moving other rows to other steps if need be; `holder` has the row of each step."""
    for step in range(len(holder)):
        if tried[step] or not bits[row] >> step & 1:
            continue
        tried[step] = True
        if holder[step] == NONE or seat_row(holder[step], bits, holder, tried):
            holder[step] = row
            return True
    return False
