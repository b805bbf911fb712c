"""Which platforms each person uses, and how much is written on each a day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.metrics.kernels.compiled import compiled
from workbench.metrics.kernels.presence import lowest, take

if TYPE_CHECKING:
    from numpy.typing import NDArray


@compiled
def pairs(
    key: NDArray[np.int64],
    runs: NDArray[np.int64],
    at: NDArray[np.int64],
    place: NDArray[np.int16],
    message: NDArray[np.int8],
    cell: int,
    before: NDArray[np.int64],
    changes: NDArray[np.int64],
    after: NDArray[np.int64],
    first_cell: int,
    shape: tuple[int, int],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Walk over people, see `presence` for the lookup of days.

    Args:
        key: Whose each row is.
        runs: Where each run of rows sorted by `key` begins, and behind the last where it ends.
        at: When, in microseconds since 1970.
        place: The platform of each row, from 0.
        message: 1 for a message, else 0.
        cell: Length of the cells of the lookup, in microseconds.
        before: Day of a cell up to `changes`.
        changes: Instant in a cell from which on its day is `after`.
        after: Day of a cell from `changes` on.
        first_cell: Number of the lookup's first cell since 1970.
        shape: How many days, how many platforms.

    Returns:
        Per person `key` and a bit per platform they used; per day and platform the messages, and the events.
    """
    head, end = runs[:-1].copy(), runs[1:]
    begin = head.copy()
    who, used = np.empty(len(key), np.int64), np.zeros(len(key), np.int64)
    messages, events = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    people = 0
    while True:
        person, there = lowest(key, head, end)
        if not there:
            break
        take(person, key, head, end, begin)
        who[people] = person
        for run in range(len(head)):
            for row in range(begin[run], head[run]):
                number = at[row] // cell - first_cell
                day = before[number] if at[row] < changes[number] else after[number]
                used[people] |= 1 << place[row]
                messages[day, place[row]] += message[row]
                events[day, place[row]] += 1
        people += 1
    return who[:people].copy(), used[:people].copy(), messages, events
