"""One attempt at steps in whatever order: `trial` gets the row by which any k of them were done, and its instant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.metrics.kernels.compiled import compiled
from workbench.metrics.kernels.instants import NONE, seat_row

if TYPE_CHECKING:
    from numpy.typing import NDArray


@compiled
def reused_in_any_order(
    instant: int,
    starts: NDArray[np.int64],
    mask: NDArray[np.int64],
    bits: NDArray[np.int64],
    at: NDArray[np.int64],
    following: NDArray[np.int64],
    trial: NDArray[np.int64],
    closes: int,
) -> int:
    """Follow one attempt at steps in whatever order, where each row may be all that it can be."""
    steps = trial.shape[1]
    done, length = 0, 0
    while instant != NONE and at[starts[instant]] <= closes:
        for step in range(steps):
            if mask[instant] & ~done & (1 << step):
                done |= 1 << step
                trial[1, length] = instant
                for row in range(starts[instant], starts[instant + 1]):
                    if bits[row] >> step & 1:
                        trial[0, length] = row
                        break
                length += 1
        instant = _nearest(((1 << steps) - 1) & ~done, instant + 1, following)
    return length


@compiled
def in_any_order(
    instant: int,
    starts: NDArray[np.int64],
    mask: NDArray[np.int64],
    bits: NDArray[np.int64],
    at: NDArray[np.int64],
    following: NDArray[np.int64],
    trial: NDArray[np.int64],
    closes: int,
    ties: bool,
) -> int:
    """Follow one attempt at steps in whatever order, each row one step; without ties, each instant one step.

    Only instants are looked at in which a row can be a step that is free, or can push another row towards one.
    """
    steps = trial.shape[1]
    holder = np.full(steps, NONE, dtype=np.int64)
    can = bits if ties else mask
    length = 0
    while length < steps and instant != NONE and at[starts[instant]] <= closes:
        begin, end = (starts[instant], starts[instant + 1]) if ties else (instant, instant + 1)
        for row in range(begin, end):
            tried = np.zeros(steps, dtype=np.bool_)
            if length < steps and seat_row(row, can, holder, tried):
                trial[0, length], trial[1, length] = (row if ties else starts[instant]), instant
                length += 1
        instant = _nearest(_useful(holder, can), instant + 1, following)
    return length


@compiled
def _nearest(wanted: int, instant: int, following: NDArray[np.int64]) -> int:
    """Return the first instant from one on that has a wanted bit."""
    nearest = NONE
    for bit in range(len(following)):
        ahead = following[bit, instant]
        if wanted >> bit & 1 and ahead != NONE and (nearest == NONE or ahead < nearest):
            nearest = ahead
    return nearest


@compiled
def _useful(holder: NDArray[np.int64], bits: NDArray[np.int64]) -> int:
    """Return the steps that are free, and those whose row could move towards a free one, as bits."""
    useful = 0
    for step in range(len(holder)):
        if holder[step] == NONE:
            useful |= 1 << step
    grown = True
    while grown:
        grown = False
        for step in range(len(holder)):
            if not useful >> step & 1 and bits[holder[step]] & useful:
                useful |= 1 << step
                grown = True
    return useful
