"""In which period an instant lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.metrics.kernels.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray


@compiled
def period_of(at: int, edges: NDArray[np.int64], near: int) -> int:
    """Return the period that an instant lies in; -1 before the first, how many there are after the last.

    Args:
        at: The instant.
        edges: Where each period begins, and behind the last where it ends.
        near: The period of the instant before: rows come nearly in order, so it is this one or the next as a rule.
    """
    if edges[near] <= at:
        if at < edges[near + 1]:
            return near
        if near + 2 < len(edges) and at < edges[near + 2]:
            return near + 1
    return int(np.searchsorted(edges, at, side="right")) - 1
