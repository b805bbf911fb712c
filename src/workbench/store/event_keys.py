"""The hash by which a repeated `event_id` is found: SipHash-2-4, which ClickHouse computes too, as `sipHash64`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numba
import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray

_START: Final = tuple(
    np.uint64(word) for word in (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
)
_LAST: Final = np.uint64(0xFF)
_WORD: Final = 8
_SHIFTS: Final = tuple(np.uint64(8 * place) for place in range(_WORD))


def event_keys(event_ids: pa.ChunkedArray) -> NDArray[np.uint64]:
    """Hash event ids to 64-bit integers, one per row.

    >>> f"{event_keys(pa.chunked_array([['ann']]))[0]:016x}"
    '32c6e8810c943152'
    """
    found = [_of_array(chunk) for chunk in event_ids.chunks if len(chunk)]
    return np.concatenate(found) if found else np.empty(0, dtype=np.uint64)


def _of_array(ids: pa.Array) -> NDArray[np.uint64]:
    wide = ids.cast(pa.large_string())
    _, offsets, data = wide.buffers()
    edges = np.frombuffer(offsets, dtype=np.int64, count=wide.offset + len(wide) + 1)[wide.offset :]
    text = np.frombuffer(data, dtype=np.uint8) if data is not None else np.empty(0, dtype=np.uint8)
    keys = np.empty(len(wide), dtype=np.uint64)
    _hash(text, edges, keys)
    return keys


def _turned(word: Any, by: int) -> Any:  # noqa: ANN401 - compiled: an unsigned 64-bit integer
    return (word << np.uint64(by)) | (word >> np.uint64(64 - by))


turn: Final = numba.njit(_turned, inline="always")


def _rounded(a: Any, b: Any, c: Any, d: Any) -> Any:  # noqa: ANN401 - compiled
    """Mix the state once."""
    a, c = a + b, c + d
    b, d = turn(b, 13) ^ a, turn(d, 16) ^ c
    a, c = turn(a, 32) + d, c + b
    b, d = turn(b, 17) ^ c, turn(d, 21) ^ a
    return a, b, turn(c, 32), d


_round: Final = numba.njit(_rounded)


@numba.njit(inline="always")
def _taken(a: Any, b: Any, c: Any, d: Any, word: Any) -> Any:  # noqa: ANN401 - compiled
    """Take eight bytes into the state."""
    a, b, c, d = _round(a, b, c, d ^ word)
    a, b, c, d = _round(a, b, c, d)
    return a ^ word, b, c, d


@numba.njit(cache=True, nogil=True)
def _hash(text: NDArray[np.uint8], edges: NDArray[np.int64], keys: NDArray[np.uint64]) -> None:
    """Hash the bytes between each edge and the next."""
    for row in range(len(keys)):
        place, end = edges[row], edges[row + 1]
        last = np.uint64(end - place) << np.uint64(56)
        a, b, c, d = _START
        while place + _WORD <= end:
            word = np.uint64(0)
            for byte in range(_WORD):  # of a number that the compiler knows: it reads all eight at once
                word |= np.uint64(text[place + byte]) << _SHIFTS[byte]
            a, b, c, d = _taken(a, b, c, d, word)
            place += _WORD
        for byte in range(end - place):
            last |= np.uint64(text[place + byte]) << _SHIFTS[byte]
        a, b, c, d = _taken(a, b, c, d, last)
        c ^= _LAST
        for _ in range(4):
            a, b, c, d = _round(a, b, c, d)
        keys[row] = a ^ b ^ c ^ d
