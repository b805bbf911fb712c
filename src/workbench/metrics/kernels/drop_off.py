"""How paths went on: what a hazard of going on is made of, and what is seen of paths at given instants."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.metrics.kernels.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray


@compiled
def exposure(
    starts: NDArray[np.int64],
    code: NDArray[np.int16],
    at: NDArray[np.int64],
    chosen: NDArray[np.bool_],
    goal: int,
    edges: NDArray[np.int64],
    shape: tuple[int, int],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Count how long paths were silent after each event, and where they went on to.

    Args:
        starts: Where each path begins, and behind the last where it ends.
        code: What.
        at: When.
        chosen: Which paths are looked at; they are all over.
        goal: The event at which a path is no longer looked at; negative for none.
        edges: Where each spell of silence begins, from 0, in microseconds.
        shape: How many events there are, and how many steps are told apart (later ones are like the last).

    Returns:
        Per event, step and spell how often a path was still silent, and how often it went on within the spell; and per
        event how often which other followed.
    """
    events, steps = shape
    spells, moved = np.zeros((2, events, steps, len(edges))), np.zeros((events, events))
    for path in range(len(starts) - 1):
        if not chosen[path]:
            continue
        for row in range(starts[path], starts[path + 1]):
            event, step = code[row], min(row - starts[path], steps - 1)
            if event == goal:
                break
            goes_on = row + 1 < starts[path + 1]
            for spell in range(len(edges)):
                spells[0, event, step, spell] += 1
                last = spell + 1 == len(edges)
                if goes_on and (last or at[row + 1] - at[row] < edges[spell + 1]):
                    spells[1, event, step, spell] += 1
                    moved[event, code[row + 1]] += 1
                    break
    return spells, moved


@compiled
def looks(
    starts: NDArray[np.int64],
    code: NDArray[np.int16],
    at: NDArray[np.int64],
    chosen: NDArray[np.bool_],
    goal: int,
    gap: int,
    every: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Look at paths at the same instants, one `every` so many microseconds, while they are open and have no goal yet.

    Returns:
        Of each look the last row before it, how long the path was silent then, and whether it later ended without the
        goal (or, without a goal, with this very row).
    """
    rows, silent, lost = [np.int64(0) for _ in range(0)], [np.int64(0) for _ in range(0)], [True for _ in range(0)]
    for path in range(len(starts) - 1):
        if not chosen[path]:
            continue
        reached = starts[path + 1]
        for row in range(starts[path], starts[path + 1]):
            if code[row] == goal:
                reached = row
                break
        for row in range(starts[path], reached):
            last = row + 1 == starts[path + 1]
            until = at[row] + gap if last else at[row + 1] - 1
            moment = -(-at[row] // every) * every
            while moment <= until:
                rows.append(np.int64(row))
                silent.append(moment - at[row])
                lost.append(last if goal < 0 else reached == starts[path + 1])
                moment += every
    return np.array(rows), np.array(silent), np.array(lost)
