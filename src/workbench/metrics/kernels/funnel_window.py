"""ClickHouse's `windowFunnel`, step by step as its source has it, so that its modes count whom it counts.

Per level it remembers a chain, which the latest replaces; with `strict_once` it remembers all, whose rows differ.
https://github.com/ClickHouse/ClickHouse/blob/master/src/AggregateFunctions/AggregateFunctionWindowFunnel.cpp
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.metrics.kernels.compiled import compiled
from workbench.metrics.kernels.instants import NONE

if TYPE_CHECKING:
    from numpy.typing import NDArray

ORDER, DEDUPLICATION, INCREASE, ONCE = 0, 1, 2, 3
"""Places of the modes."""


@compiled
def windows(
    first: NDArray[np.int64],
    at: NDArray[np.int64],
    bits: NDArray[np.int64],
    steps: int,
    within: int,
    entry: NDArray[np.int64],
    modes: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Follow each group of rows; arguments and results as those of `funnel.attempts`, modes by their places.

    A row is step 1 only from since up to until. The furthest step among closed windows is that of the funnel without
    the entries whose window is open.
    """
    groups = len(first) - 1
    group, settled = np.empty(groups, dtype=np.int64), np.zeros(groups, dtype=np.int64)
    rows, in_flight = np.full((groups, steps), NONE, dtype=np.int64), np.zeros(groups, dtype=np.bool_)
    path, size = np.empty(steps, dtype=np.int64), 0
    until = min(entry[1], entry[2] - within + 1)
    for place in range(groups):
        begin, end = first[place], first[place + 1]
        reached = _level(begin, end, at, bits, within, entry[0], entry[1], modes, path)
        if reached == 0:
            continue
        group[size], rows[size, :reached] = place, path[:reached]
        for row in range(begin, end):
            if bits[row] & 1 and entry[0] <= at[row] < entry[1] and at[row] >= until and reached < steps:
                in_flight[size] = True
        settled[size] = _level(begin, end, at, bits, within, entry[0], until, modes, path)
        size += 1
    return group[:size], rows[:size], settled[:size], in_flight[:size]


@compiled
def _level(
    begin: int,
    end: int,
    at: NDArray[np.int64],
    bits: NDArray[np.int64],
    within: int,
    since: int,
    until: int,
    modes: NDArray[np.bool_],
    path: NDArray[np.int64],
) -> int:
    """Return how far a group came; `path` gets the row of each step."""
    steps = len(path)
    chains = np.empty((steps, 4, steps), dtype=np.int64)
    known = np.zeros(steps, dtype=np.int64)
    stop = begin
    while begin < end:
        while stop < end and at[stop] == at[begin]:
            stop += 1
        for level in range(-1 if modes[ORDER] else 0, steps):
            for row in range(begin, stop):
                can = bits[row] & ((1 << steps) - 1)
                if not since <= at[row] < until:
                    can &= ~1
                if not (can == 0 if level < 0 else can >> level & 1):
                    continue
                if level < 0:
                    if known[0]:
                        return _reached(known, chains, path)
                    continue
                if level == 0:
                    chains = _kept(chains, known, 0, row, path, modes[ONCE])
                elif modes[DEDUPLICATION] and known[level]:
                    return _reached(known, chains, path)
                elif modes[ORDER] and known[0] and not known[level - 1]:
                    return _before_gap(known, chains, path)
                else:
                    chains = _continued(chains, known, level, row, at, within, modes, path)
                    if level == steps - 1 and known[level]:
                        return _reached(known, chains, path)
        begin = stop
    return _reached(known, chains, path)


@compiled
def _continued(
    chains: NDArray[np.int64],
    known: NDArray[np.int64],
    level: int,
    row: int,
    at: NDArray[np.int64],
    within: int,
    modes: NDArray[np.bool_],
    path: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Let the chains of the level before go on with a row, where the modes let them."""
    for number in range(known[level - 1]):
        last = chains[level - 1, number, level - 1]
        if at[row] > at[chains[level - 1, number, 0]] + within or (modes[INCREASE] and at[last] >= at[row]):
            continue
        path[:level] = chains[level - 1, number, :level]
        if modes[ONCE] and np.any(path[:level] == row):
            continue
        chains = _kept(chains, known, level, row, path, modes[ONCE])
    return chains


@compiled
def _kept(
    chains: NDArray[np.int64],
    known: NDArray[np.int64],
    level: int,
    row: int,
    path: NDArray[np.int64],
    every: bool,
) -> NDArray[np.int64]:
    """Remember the chain of a level, in the place of the one before or beside it."""
    number = known[level] if every else 0
    if number == chains.shape[1]:
        larger = np.empty((chains.shape[0], 2 * number, chains.shape[2]), dtype=np.int64)
        larger[:, :number] = chains
        chains = larger
    chains[level, number, :level] = path[:level]
    chains[level, number, level] = row
    known[level] = number + 1
    return chains


@compiled
def _reached(known: NDArray[np.int64], chains: NDArray[np.int64], path: NDArray[np.int64]) -> int:
    """Return the highest level that has a chain."""
    for level in range(len(known), 0, -1):
        if known[level - 1]:
            path[:level] = chains[level - 1, 0, :level]
            return level
    return 0


@compiled
def _before_gap(known: NDArray[np.int64], chains: NDArray[np.int64], path: NDArray[np.int64]) -> int:
    """Return the last level before the first that has no chain."""
    level = 0
    while level < len(known) and known[level]:
        level += 1
    if level:
        path[:level] = chains[level - 1, 0, :level]
    return level
