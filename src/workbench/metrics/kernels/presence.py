"""In which periods each person was there, as bits; rows are walked person by person through their sorted runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.metrics.kernels.compiled import compiled
from workbench.metrics.kernels.periods import period_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LATE = np.iinfo(np.int64).max


@compiled
def lowest(key: NDArray[np.int64], head: NDArray[np.int64], end: NDArray[np.int64]) -> tuple[int, bool]:
    """Return the lowest key at the heads of the runs, and whether there is one."""
    found, there = _LATE, False
    for run in range(len(head)):
        if head[run] < end[run]:
            found, there = min(found, key[head[run]]), True
    return found, there


@compiled
def people_in(key: NDArray[np.int64], runs: NDArray[np.int64]) -> int:
    """Count the people whose rows are in some runs."""
    head, end, people = runs[:-1].copy(), runs[1:], 0
    while True:
        person, there = lowest(key, head, end)
        if not there:
            return people
        people += 1
        for run in range(len(head)):
            while head[run] < end[run] and key[head[run]] == person:
                head[run] += 1


@compiled
def presence(
    key: NDArray[np.int64],
    runs: NDArray[np.int64],
    at: NDArray[np.int64],
    edges: NDArray[np.int64],
    entry: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint64], NDArray[np.int64]]:
    """Find in which periods people were there.

    Args:
        key: Whose each row is.
        runs: Where each run of rows sorted by `key` begins, and behind the last where it ends.
        at: When, in microseconds since 1970.
        edges: Where each period begins, and behind the last where it ends; no row lies outside.
        entry: since and until (exclusive): what lies outside is not counted, only looked at for firsts.

    Returns:
        Per person: `key`, the period of their first row, and bit p % 64 of word p // 64 for being there in period p;
        and per period how many rows there were.
    """
    periods = len(edges) - 1
    head, end, people = runs[:-1].copy(), runs[1:], people_in(key, runs)
    who, first = np.empty(people, np.int64), np.full(people, periods)
    days, events = np.zeros((people, (periods + 63) // 64), np.uint64), np.zeros(periods, np.int64)
    for place in range(people):
        person, _ = lowest(key, head, end)
        who[place] = person
        period = 0
        for run in range(len(head)):
            row = head[run]
            while row < end[run] and key[row] == person:
                period = period_of(at[row], edges, period)
                first[place] = min(first[place], period)
                if entry[0] <= at[row] < entry[1]:
                    days[place, period >> 6] |= np.uint64(1) << np.uint64(period & 63)
                    events[period] += 1
                row += 1
            head[run] = row
    return who, first, days, events


@compiled
def gathered(
    first: NDArray[np.int64], number: NDArray[np.int32], count: NDArray[np.int64], periods: int
) -> tuple[NDArray[np.int64], NDArray[np.uint64], NDArray[np.int64]]:
    """Do the same from what was added up before.

    Args:
        first: Where the periods of each person begin, and behind the last where they end.
        number: Periods in which people were there.
        count: How many events there are to count in each; 0 where they tell only that it may be the first.
        periods: How many there are.
    """
    people = len(first) - 1
    earliest, days = np.full(people, periods), np.zeros((people, (periods + 63) // 64), np.uint64)
    events = np.zeros(periods, np.int64)
    for person in range(people):
        for place in range(first[person], first[person + 1]):
            period = number[place]
            earliest[person] = min(earliest[person], period)
            if count[place]:
                days[person, period >> 6] |= np.uint64(1) << np.uint64(period & 63)
                events[period] += count[place]
    return earliest, days, events


@compiled
def trailing(days: NDArray[np.uint64], periods: int, window: int) -> NDArray[np.int64]:
    """Count per period the people who were there in it or in the `window` - 1 before it."""
    users = np.zeros(periods, dtype=np.int64)
    for person in range(len(days)):
        last = -window
        for period in range(periods):
            if days[person, period >> 6] >> np.uint64(period & 63) & np.uint64(1):
                last = period
            if period - last < window:
                users[period] += 1
    return users
