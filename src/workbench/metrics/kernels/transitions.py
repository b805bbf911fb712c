"""What follows what: counted along paths that are there, or while rows are brought into order and cut.

Where events are counted, their number stands for the start of a path, and one more for its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.metrics.kernels import order
from workbench.metrics.kernels.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Sums = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
    """Per pair, with x steps of the pair and n ways out of its first event for each person: the sum of x, how many
    people have any, the seconds in all, the sums of x² and of xn. Per event how many people leave it. Per event the sum
    of n²."""

_lowest, _rows_of, _take = order.lowest, order.rows_of, order.take


@compiled
def along(
    starts: NDArray[np.int64], person: NDArray[np.int64], code: NDArray[np.int16], at: NDArray[np.int64], events: int
) -> Sums:
    """Count the steps of paths; see `journey_trails.Trails`."""
    size = events + 2
    sums, leavers, squares, n = np.zeros((5, size * size)), np.zeros(size), np.zeros(size), np.zeros(size)
    x, spent, met = np.zeros(size * size, np.int64), np.zeros(size * size, np.int64), np.empty(size * size, np.int64)
    path = 0
    while path < len(person):
        who, pairs = person[path], 0
        while path < len(person) and person[path] == who:
            begin, end, before = starts[path], starts[path + 1], events
            for row in range(begin, end + 1):
                after = int(code[row]) if row < end else events + 1
                pair = before * size + after
                if x[pair] == 0:
                    met[pairs] = pair
                    pairs += 1
                x[pair] += 1
                if begin < row < end:
                    spent[pair] += at[row] - at[row - 1]
                before = after
            path += 1
        _add(met[:pairs], x, spent, n, sums, leavers, squares)
    return sums, leavers, squares


@compiled
def cutting(
    key: NDArray[np.int64],
    at: NDArray[np.int64],
    place: NDArray[Any],
    starts: NDArray[np.int64],
    events: int,
    gap: int,
    collapse: bool,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], int]:
    """Count the steps of people whose rows are in several runs by `key`, one person after the other.

    Nothing is kept of a person but the counts, so that no more memory is needed than for the rows of one.

    Args:
        key: Whose each row is.
        at: When, in microseconds.
        place: What: the place of the event, from 1.
        starts: Where each run begins, and behind the last where it ends.
        events: How many there are.
        gap: A longer pause begins another path, in microseconds; negative for one path a person.
        collapse: Leave out rows that repeat the one before them in their path.

    Returns:
        The sums, and how many paths there are.
    """
    size, head, paths, done = events + 2, starts[:-1].copy(), 0, 0
    sums, leavers, squares, n = np.zeros((5, size * size)), np.zeros(size), np.zeros(size), np.zeros(size)
    x, spent, met = np.zeros(size * size, np.int64), np.zeros(size * size, np.int64), np.empty(size * size, np.int64)
    when, what = np.empty(0, at.dtype), np.empty(0, place.dtype)
    while done < len(key):
        who, pairs, before, last = _lowest(key, head, starts), 0, -1, 0
        rows = _rows_of(who, key, head, starts)
        if rows > len(when):
            when, what = np.empty(2 * rows, at.dtype), np.empty(2 * rows, place.dtype)
        done += _take(who, key, at, place, head, starts, when, what)
        for row in range(rows):
            after = int(what[row]) - 1
            if before < 0 or (gap >= 0 and when[row] - when[row - 1] > gap):
                paths += 1
                if before >= 0:
                    ended = before * size + events + 1
                    if x[ended] == 0:
                        met[pairs] = ended
                        pairs += 1
                    x[ended] += 1
                pair = events * size + after
            elif collapse and after == before:
                continue
            else:
                pair = before * size + after
                spent[pair] += when[row] - when[last]
            if x[pair] == 0:
                met[pairs] = pair
                pairs += 1
            x[pair] += 1
            before, last = after, row
        ended = before * size + events + 1
        if x[ended] == 0:
            met[pairs] = ended
            pairs += 1
        x[ended] += 1
        _add(met[:pairs], x, spent, n, sums, leavers, squares)
    return sums, leavers, squares, paths


@compiled
def _add(
    met: NDArray[np.int64],
    x: NDArray[np.int64],
    spent: NDArray[np.int64],
    n: NDArray[np.float64],
    sums: NDArray[np.float64],
    leavers: NDArray[np.float64],
    squares: NDArray[np.float64],
) -> None:
    """Add what was counted of one person to the sums, and forget it."""
    size = len(leavers)
    for pair in met:
        n[pair // size] += x[pair]
    for pair in met:
        before, times = pair // size, float(x[pair])
        sums[0, pair] += times
        sums[1, pair] += 1
        sums[2, pair] += spent[pair] / 1e6
        sums[3, pair] += times * times
        sums[4, pair] += times * n[before]
    for pair in met:
        before = pair // size
        if n[before] > 0:
            leavers[before] += 1
            squares[before] += n[before] * n[before]
        n[before] = 0
        x[pair] = spent[pair] = 0
