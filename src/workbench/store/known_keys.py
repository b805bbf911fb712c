"""Which keys are known: a Bloom filter, which tells most new ones apart without a look at what is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numba
import numpy as np

from workbench.store.event_keys import turn

if TYPE_CHECKING:
    from numpy.typing import NDArray

BITS: Final = 24
"""Of memory per key there is room for; when it is used up, 5 in 100,000 others are mistaken for known ones."""

_LINE: Final = 512
"""Bits of a block, which is a cache line: to ask for a key takes one look into memory."""

_AHEAD: Final = 32
"""Keys whose blocks are fetched before the bits of the first one are set."""

_MIX: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_AGAIN: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_FIELDS: Final = 6


class KnownKeys:
    """A set of 64-bit hashes that forgets none, and takes a few others for its own.

    Bloom, Communications of the ACM 13 (1970); in blocks: Putze, Sanders and Singler, Cache-, Hash- and
    Space-Efficient Bloom Filters (2007).

    Attributes:
        room: How many keys there is room for; with more, more are mistaken.
        count: How many were added.
    """

    def __init__(self, room: int) -> None:
        """Make room for so many keys: three bytes each."""
        self.room, self.count = room, 0
        self._bits = _aligned(room * BITS // _LINE + 1)

    def add(self, keys: NDArray[np.uint64]) -> None:
        """Know some more keys."""
        _add(self._bits, keys)
        self.count += len(keys)

    def among(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Tell which keys may be known; the others are not."""
        found = np.empty(len(keys), dtype=np.bool_)
        _among(self._bits, keys, found)
        return found


def _aligned(blocks: int) -> NDArray[np.uint64]:
    """Make empty blocks, each a cache line and not parts of two."""
    size = _LINE // 8
    memory = np.zeros((blocks + 1) * size, dtype=np.uint8)
    begin = -memory.ctypes.data % size
    return memory[begin : begin + blocks * size].view(np.uint64).reshape(blocks, _LINE // 64)


@numba.njit(inline="always")
def _line(bits: NDArray[np.uint64], key: np.uint64) -> np.uint64:
    """Return the block of a key, by its upper half."""
    return ((key >> np.uint64(32)) * np.uint64(len(bits))) >> np.uint64(32)


@numba.njit(inline="always")
def _place(key: np.uint64, number: int) -> np.uint64:
    """Return one of the bits of a key in its block: of two mixes, six times nine bits each."""
    mixed = (key ^ (key >> np.uint64(31))) * (_MIX if number < _FIELDS else _MIX_AGAIN)
    place: np.uint64 = turn(mixed, 9 * (number % _FIELDS + 1)) & np.uint64(_LINE - 1)
    return place


@numba.njit(cache=True, nogil=True)
def _add(bits: NDArray[np.uint64], keys: NDArray[np.uint64]) -> np.uint64:
    """Set the bits of some keys: of several at once, so that their blocks come from memory together.

    Returns:
        What was read to fetch them, so that it cannot be left out.
    """
    lines = np.empty(_AHEAD, dtype=np.uint64)
    read = np.uint64(0)
    for start in range(0, len(keys), _AHEAD):
        some = keys[start : start + _AHEAD]
        for row in range(len(some)):
            lines[row] = _line(bits, some[row])
            read ^= bits[lines[row], 0]
        for row in range(len(some)):
            for number in range(2 * _FIELDS):
                place = _place(some[row], number)
                bits[lines[row], place >> np.uint64(6)] |= np.uint64(1) << (place & np.uint64(63))
    return read


@numba.njit(cache=True, nogil=True)
def _among(bits: NDArray[np.uint64], keys: NDArray[np.uint64], found: NDArray[np.bool_]) -> None:
    """Look for the bits of each key, until one is not set."""
    for row in range(len(keys)):
        line = bits[_line(bits, keys[row])]
        found[row] = True
        for number in range(2 * _FIELDS):
            place = _place(keys[row], number)
            if not line[place >> np.uint64(6)] >> (place & np.uint64(63)) & np.uint64(1):
                found[row] = False
                break
