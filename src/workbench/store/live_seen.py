"""Which events of the last hour were counted: 64-bit hashes of their ids per minute, as pieces that are only added to.

A writer keeps the minutes that it is at sorted in memory and reads only the pieces that others have added since.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from workbench.store.live_state import Held

    Hashes = NDArray[np.uint64]

MINUTES: Final = 10
"""How many minutes are kept in memory."""

PIECES: Final = 32
"""Into how many pieces a minute may fall before they are written as one."""

_KIND: Final = np.dtype("<u8")


def key(minute: int, piece: int) -> str:
    """Name a piece of a minute."""
    return f"{minute}:{piece}"


class Seen:
    """The ids of the minutes that a writer is at, as far as they were read."""

    def __init__(self) -> None:
        self._generation = ""
        self._known: OrderedDict[int, tuple[int, Hashes]] = OrderedDict()

    def turn_to(self, generation: str) -> None:
        """Forget everything if the store was made anew."""
        if generation != self._generation:
            self._known.clear()
            self._generation = generation

    def missing(self, minute: int, held: Held) -> range:
        """Return the numbers of the pieces of a minute that have to be read."""
        read, _ = self._known.get(minute, (0, None))
        return range(read if held.first <= read <= held.last else held.first, held.last)

    def ids(self, minute: int, held: Held, pieces: Mapping[str, bytes]) -> Hashes:
        """Return all ids of a minute, ascending.

        Args:
            minute: Which.
            held: Its pieces.
            pieces: Those that were `missing`, by key.
        """
        read, known = self._known.get(minute, (0, np.empty(0, dtype=_KIND)))
        if not held.first <= read <= held.last:
            known = np.empty(0, dtype=_KIND)
        more = [np.frombuffer(pieces[key(minute, piece)], dtype=_KIND) for piece in self.missing(minute, held)]
        return joined([known, *more]) if more else known

    def keep(self, minute: int, last: int, ids: Hashes) -> None:
        """Remember the ids of a minute up to a piece; the minute that was not asked for longest is forgotten."""
        self._known[minute] = (last, ids)
        self._known.move_to_end(minute)
        while len(self._known) > MINUTES:
            self._known.popitem(last=False)


def joined(sorted_ids: Iterable[Hashes]) -> Hashes:
    """Join ascending ids into one ascending array."""
    return np.sort(np.concatenate([*sorted_ids]), kind="stable")


def fresh(events: Hashes, seen: Hashes) -> NDArray[np.bool_]:
    """Say which events were not seen before, neither in `seen` (ascending) nor earlier among themselves."""
    distinct, places = np.unique(events, return_index=True)
    if len(seen):
        there = np.minimum(np.searchsorted(seen, distinct), len(seen) - 1)
        places = places[seen[there] != distinct]
    first = np.zeros(len(events), dtype=bool)
    first[places] = True
    return first
