"""Which events people did on the way through a funnel, and which only once they were through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.metrics.kernels.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray


@compiled
def met(
    key: NDArray[np.int64],
    first: NDArray[np.int64],
    at: NDArray[np.int64],
    code: NDArray[np.int64],
    wanted: NDArray[np.int64],
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
    codes: int,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Say what each wanted person did from when on and before when, and what from then on.

    Args:
        key: Of each person of these rows.
        first: Where the rows of each begin; one more than persons.
        at: When.
        code: What, from 0; -1 for what is of no interest.
        wanted: Keys of the wanted people, rising; those of other rows are passed over.
        begins: From when on, per wanted person.
        ends: Before when.
        codes: How many.

    Returns:
        Per wanted person and code whether they did it before, and whether after.
    """
    before = np.zeros((len(wanted), codes), dtype=np.bool_)
    after = np.zeros((len(wanted), codes), dtype=np.bool_)
    for person in range(len(key)):
        place = np.searchsorted(wanted, key[person])
        if place == len(wanted) or wanted[place] != key[person]:
            continue
        for row in range(first[person], first[person + 1]):
            if code[row] < 0 or at[row] < begins[place]:
                continue
            if at[row] < ends[place]:
                before[place, code[row]] = True
            else:
                after[place, code[row]] = True
    return before, after
