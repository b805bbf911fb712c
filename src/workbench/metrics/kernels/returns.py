"""Who came back when: per person and cohort the periods with a return, as bits.

Only persons matter here, not the order of their rows, so rows are walked person by person through the sorted runs that
they come in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.metrics.kernels.compiled import compiled
from workbench.metrics.kernels.periods import period_of
from workbench.metrics.kernels.presence import lowest

if TYPE_CHECKING:
    from numpy.typing import NDArray

START, RETURN = 1, 2
"""What a row can be, as bits."""

_LATE = np.iinfo(np.int64).max
_EARLY = np.iinfo(np.int64).min


@compiled
def returns(
    key: NDArray[np.int64],
    runs: NDArray[np.int64],
    at: NDArray[np.int64],
    bits: NDArray[np.int8],
    segment: NDArray[np.int16],
    edges: NDArray[np.int64],
    periods: int,
    entry: NDArray[np.int64],
    recurring: bool,
    rolling: int,
    floor: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.uint64]]:
    """Find who started when, and in which periods they came back.

    Args:
        key: Whose each row is.
        runs: Where each run of rows sorted by `key` begins, and behind the last where it ends.
        at: When, in microseconds since 1970.
        bits: `START`, `RETURN`, or both.
        segment: What each row names; empty where nothing is broken down.
        edges: Where each period begins, and behind the last where it ends.
        periods: How many periods there are at most after a start, its own included.
        entry: since and until (exclusive) of starts.
        recurring: A cohort for each period with a start, or only that of the first start ever.
        rolling: Length of a period counted from each start, in microseconds; 0 for the calendar's.
        floor: Starts are moved back to a multiple of this for the rolling clock; 1 leaves them.

    Returns:
        One entry per person and cohort: `key`, cohort (the period of the start), segment (that the start names), and
        the periods since the start with a return, bit p % 64 of word p // 64.
    """
    words = (periods + 63) // 64
    limit = 0
    for row in range(len(bits)):
        limit += bits[row] & START
    who, cohort, named = np.empty(limit, np.int64), np.empty(limit, np.int64), np.empty(limit, np.int64)
    came = np.zeros((limit, words), dtype=np.uint64)
    head, end = runs[:-1].copy(), runs[1:]
    begin = head.copy()
    count = len(edges) - 1
    started, latest, names = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.int64)
    found = 0
    while True:
        person, there = lowest(key, head, end)
        if not there:
            break
        started[:], latest[:], names[:] = _LATE, _EARLY, 0
        opened = _LATE
        period = 0
        for run in range(len(head)):
            row = begin[run] = head[run]
            while row < end[run] and key[row] == person:
                here = period_of(at[row], edges, period)
                if 0 <= here < count:
                    period = here
                    if bits[row] & RETURN:
                        latest[period] = max(latest[period], at[row])
                    if bits[row] & START and (not recurring or entry[0] <= at[row] < entry[1]):
                        _open(period, at[row], segment[row] if len(segment) else 0, started, names)
                        opened = min(opened, at[row])
                row += 1
            head[run] = row
        for period in range(count):
            if not entry[0] <= started[period] < entry[1] or not (recurring or started[period] == opened):
                continue
            who[found], cohort[found], named[found] = person, period, names[period]
            if rolling:
                _roll(begin, head, at, bits, started[period], rolling, floor, came[found])
            else:
                _mark(period, started[period], latest, came[found])
            found += 1
    return who[:found], cohort[:found], named[:found], came[:found]


@compiled
def gathered(
    cohort: NDArray[np.int64], first: NDArray[np.int64], number: NDArray[np.int32], periods: int
) -> NDArray[np.uint64]:
    """Mark in which periods since their cohort's people did anything; in its own each has at least started.

    Args:
        cohort: The period in which each person started.
        first: Where the periods of each begin in `number`, and behind the last where they end.
        number: Periods in which people did anything.
        periods: How many there are at most after a start, its own included.
    """
    came = np.zeros((len(cohort), (periods + 63) // 64), dtype=np.uint64)
    for person in range(len(cohort)):
        for place in range(first[person], first[person + 1]):
            since = number[place] - cohort[person]
            if since >= 0:
                came[person, since >> 6] |= np.uint64(1) << np.uint64(since & 63)
    return came


@compiled
def _open(period: int, at: int, segment: int, started: NDArray[np.int64], names: NDArray[np.int64]) -> None:
    """Keep the first start of a period, and the segment it names; of several at once the first."""
    if at < started[period]:
        started[period], names[period] = at, segment
    elif at == started[period]:
        names[period] = min(names[period], segment)


@compiled
def _mark(cohort: int, started: int, latest: NDArray[np.int64], came: NDArray[np.uint64]) -> None:
    """Mark the calendar's periods with a return at the start or later."""
    for period in range(cohort, len(latest)):
        if latest[period] >= started:
            came[(period - cohort) >> 6] |= np.uint64(1) << np.uint64((period - cohort) & 63)


@compiled
def _roll(
    begin: NDArray[np.int64],
    end: NDArray[np.int64],
    at: NDArray[np.int64],
    bits: NDArray[np.int8],
    started: int,
    length: int,
    floor: int,
    came: NDArray[np.uint64],
) -> None:
    """Mark the periods of a person's own clock with a return."""
    zero = started - started % floor
    for run in range(len(begin)):
        for row in range(begin[run], end[run]):
            if bits[row] & RETURN and at[row] >= started:
                period = (at[row] - zero) // length
                came[period >> 6] |= np.uint64(1) << np.uint64(period & 63)
