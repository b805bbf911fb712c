"""Rows of a person told apart by a code, such as their sessions; and the code they had last."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.metrics.kernels.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray


@compiled
def told_apart(
    first: NDArray[np.int64], code: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Split each person's rows by a code, their order kept.

    Returns:
        The numbers of the rows in their new order, where each group begins (and behind the last where it ends), and
        the number of the person it is of.
    """
    rows = np.empty(len(code), dtype=np.int64)
    starts, person = np.empty(len(code) + 1, dtype=np.int64), np.empty(len(code), dtype=np.int64)
    longest = np.max(np.diff(first)) if len(first) > 1 else 0
    begins, met = np.empty(longest + 1, dtype=np.int64), np.empty(longest, dtype=np.int64)
    groups = 0
    for owner in range(len(first) - 1):
        mine, stretches = groups, 0
        for place in range(first[owner], first[owner + 1]):
            if place == first[owner] or code[place] != code[place - 1]:
                begins[stretches], met[stretches] = place, code[place]
                stretches += 1
        begins[stretches] = first[owner + 1]
        order = np.argsort(met[:stretches], kind="mergesort")
        place = first[owner]
        for number in range(stretches):
            stretch = order[number]
            if number == 0 or met[stretch] != met[order[number - 1]]:
                starts[groups] = place
                groups += 1
            for row in range(begins[stretch], begins[stretch + 1]):
                rows[place] = row
                place += 1
        person[mine:groups] = owner
    starts[groups] = len(code)
    return rows, starts[: groups + 1].copy(), person[:groups].copy()


@compiled
def latest(
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
    at: NDArray[np.int64],
    code: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return the last code above 0 up to the instant of each given row; 0 where there was none.

    Args:
        begins: Where the rows of its group begin, per given row.
        ends: Where they end.
        at: When, per row.
        code: The code of each row.
        rows: The given rows.
    """
    found = np.zeros(len(rows), dtype=np.int64)
    for number in range(len(rows)):
        row = rows[number]
        while row + 1 < ends[number] and at[row + 1] == at[rows[number]]:
            row += 1
        while row >= begins[number] and found[number] == 0:
            found[number] = code[row]
            row -= 1
    return found
