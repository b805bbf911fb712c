"""The identity of the events that came last: who did what when, by the hash of their ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workbench.store.event_ids import NEW, SAME
from workbench.store.event_keys import event_keys

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROOM: Final = 1_000_000
"""Events that are remembered at most, 32 bytes each; those that came first are forgotten first."""

PIECES: Final = 4
"""Into how many pieces at least the memory falls: one is forgotten at a time."""

_KEY: Final = 0
"""The row of a piece that holds the keys, ascending; below it are the fields in the order of `events.IDENTITY`."""


class RecentEvents:
    """A bounded memory of events. Texts are remembered by their 64-bit hashes."""

    def __init__(self, room: int = ROOM) -> None:
        """Make a memory of so many events."""
        self._room = room
        self._pieces: list[NDArray[np.uint64]] = []

    def add(self, keys: NDArray[np.uint64], events: pa.Table) -> None:
        """Remember events by the keys of their ids (columns `event_type`, `user_key`, `occurred_at`)."""
        if not len(keys):
            return
        piece = _ascending(_identities(keys, events))
        while self._pieces and self._pieces[-1].shape[1] <= 2 * piece.shape[1]:
            if self._pieces[-1].shape[1] + piece.shape[1] > self._room // PIECES:
                break
            piece = _ascending(np.concatenate([self._pieces.pop(), piece], axis=1))
        self._pieces.append(piece)
        while len(self._pieces) > 1 and sum(piece.shape[1] for piece in self._pieces) > self._room:
            self._pieces.pop(0)

    def among(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Tell which keys are remembered."""
        found = np.zeros(len(keys), dtype=bool)
        for piece in self._pieces:
            found |= piece[_KEY][_places(piece, keys)] == keys
        return found

    def differences(self, keys: NDArray[np.uint64], events: pa.Table) -> NDArray[np.int8]:
        """Compare events with those of the same key that are remembered; see `event_ids.differences`."""
        verdicts = np.full(len(keys), NEW, dtype=np.int8)
        mine = _identities(keys, events) if self._pieces else None
        for piece in self._pieces:
            place = _places(piece, keys)
            rows = np.flatnonzero((piece[_KEY][place] == keys) & (verdicts == NEW))
            if mine is None or not len(rows):
                continue
            verdicts[rows] = SAME
            for bit in range(len(mine) - 1):
                differs = mine[bit + 1][rows] != piece[bit + 1][place[rows]]
                verdicts[rows[differs]] |= 1 << bit
        return verdicts


def _places(piece: NDArray[np.uint64], keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return where keys are in a piece, if they are."""
    places: NDArray[np.int64] = np.minimum(np.searchsorted(piece[_KEY], keys), piece.shape[1] - 1)
    return places


def _ascending(piece: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Sort a piece by key; of several with one key the one that was remembered first stays the first."""
    return np.ascontiguousarray(piece[:, np.argsort(piece[_KEY], kind="stable")])


def _identities(keys: NDArray[np.uint64], events: pa.Table) -> NDArray[np.uint64]:
    kind = pc.dictionary_encode(events["event_type"].combine_chunks())
    names = event_keys(pa.chunked_array([kind.dictionary]))
    occurred = events["occurred_at"].cast(pa.int64()).to_numpy()
    user = events["user_key"].to_numpy()
    return np.stack([keys, names[kind.indices.to_numpy()], user.view(np.uint64), occurred.view(np.uint64)])
