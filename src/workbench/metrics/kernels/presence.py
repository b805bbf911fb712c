"""In which periods each person was there, as bits; rows are walked person by person through their sorted runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.metrics.kernels.compiled import compiled

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
def take(
    person: int, key: NDArray[np.int64], head: NDArray[np.int64], end: NDArray[np.int64], begin: NDArray[np.int64]
) -> None:
    """Move the heads of the runs behind the rows of a person; `begin` keeps where those began."""
    for run in range(len(head)):
        begin[run] = head[run]
        while head[run] < end[run] and key[head[run]] == person:
            head[run] += 1


@compiled
def presence(
    key: NDArray[np.int64],
    runs: NDArray[np.int64],
    at: NDArray[np.int64],
    cell: int,
    before: NDArray[np.int64],
    changes: NDArray[np.int64],
    after: NDArray[np.int64],
    first_cell: int,
    periods: int,
    entry: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint64], NDArray[np.int64]]:
    """Find in which periods people were there.

    Args:
        key: Whose each row is.
        runs: Where each run of rows sorted by `key` begins, and behind the last where it ends.
        at: When, in microseconds since 1970.
        cell: Length of the cells of the lookup (`calendars.Cells`), in microseconds.
        before: Period of a cell up to `changes`.
        changes: Instant in a cell from which on its period is `after`.
        after: Period of a cell from `changes` on.
        first_cell: Number of the lookup's first cell since 1970.
        periods: How many there are.
        entry: since and until (exclusive): what lies outside is not counted, only looked at for firsts.

    Returns:
        Per person: `key`, the period of their first row, and bit p % 64 of word p // 64 for being there in period p;
        and per period how many rows there were.
    """
    head, end = runs[:-1].copy(), runs[1:]
    begin = head.copy()
    people = 0
    while True:
        person, there = lowest(key, head, end)
        if not there:
            break
        take(person, key, head, end, begin)
        people += 1
    who, first = np.empty(people, np.int64), np.full(people, periods)
    days, events = np.zeros((people, (periods + 63) // 64), np.uint64), np.zeros(periods, np.int64)
    head[:] = runs[:-1]
    for place in range(people):
        person, _ = lowest(key, head, end)
        take(person, key, head, end, begin)
        who[place] = person
        for run in range(len(head)):
            for row in range(begin[run], head[run]):
                number = at[row] // cell - first_cell
                period = before[number] if at[row] < changes[number] else after[number]
                first[place] = min(first[place], period)
                if entry[0] <= at[row] < entry[1]:
                    days[place, period >> 6] |= np.uint64(1) << np.uint64(period & 63)
                    events[period] += 1
    return who, first, days, events


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
