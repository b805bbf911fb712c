"""Which platforms each person uses, and how much is written on each a day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.metrics.kernels.compiled import compiled
from workbench.metrics.kernels.periods import period_of
from workbench.metrics.kernels.presence import lowest

if TYPE_CHECKING:
    from numpy.typing import NDArray


@compiled
def pairs(
    key: NDArray[np.int64],
    runs: NDArray[np.int64],
    at: NDArray[np.int64],
    place: NDArray[np.int16],
    message: NDArray[np.int8],
    edges: NDArray[np.int64],
    platforms: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Walk over people.

    Args:
        key: Whose each row is.
        runs: Where each run of rows sorted by `key` begins, and behind the last where it ends.
        at: When, in microseconds since 1970.
        place: The platform of each row, from 0.
        message: 1 for a message, else 0.
        edges: Where each day begins, and behind the last where it ends; no row lies outside.
        platforms: How many there are.

    Returns:
        Per person `key` and a bit per platform they used; per day and platform the messages, and the events.
    """
    head, end = runs[:-1].copy(), runs[1:]
    who, used = np.empty(len(key), np.int64), np.zeros(len(key), np.int64)
    shape = (len(edges) - 1, platforms)
    messages, events = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    people = 0
    while True:
        person, there = lowest(key, head, end)
        if not there:
            break
        who[people] = person
        day = 0
        for run in range(len(head)):
            row = head[run]
            while row < end[run] and key[row] == person:
                day = period_of(at[row], edges, day)
                used[people] |= 1 << place[row]
                messages[day, place[row]] += message[row]
                events[day, place[row]] += 1
                row += 1
            head[run] = row
        people += 1
    return who[:people].copy(), used[:people].copy(), messages, events
