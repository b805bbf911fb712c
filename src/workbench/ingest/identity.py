"""Ids for events whose export has none: the hash of the row, and its number among identical rows.

The same file again, or another file with some of the same rows, gives the same ids, so that each
event counts once; and a row that really occurs twice in one file counts twice.

To number identical rows of a file, a 64-bit hash of every row without an id is kept while the file is
read, in sorted arrays: 8 bytes a row, 80 MB for 10 million (twice that for a moment, when arrays are
merged). Two different rows with equal 64-bit hashes would merely number one of them 1 instead of 0.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

_MERGE_FACTOR: Final = 2


class Identities:
    """Gives ids to the rows of one file, which must all pass through in order."""

    def __init__(self) -> None:
        """Begin a file."""
        self._runs: list[npt.NDArray[np.uint64]] = []

    def ids(self, rows: Sequence[bytes]) -> list[str]:
        """Return an id for each row.

        >>> a, b, again = Identities().ids([b"view", b"buy", b"view"])
        >>> a == again.removesuffix("-1"), a == b
        (True, False)
        """
        digests = [hashlib.blake2b(row, digest_size=16).digest() for row in rows]
        keys = np.frombuffer(b"".join(digests), dtype="<u8")[::2]
        return [row_id(digest, ordinal) for digest, ordinal in zip(digests, self._ordinals(keys).tolist(), strict=True)]

    def _ordinals(self, keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """Count for each key how often it came before, and remember them all."""
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        within = np.arange(len(keys)) - np.searchsorted(ordered, ordered, side="left")
        ordinals = np.empty(len(keys), dtype=np.int64)
        ordinals[order] = within
        for run in self._runs:
            ordinals += np.searchsorted(run, keys, side="right") - np.searchsorted(run, keys, side="left")
        self._remember(ordered)
        return ordinals

    def _remember(self, run: npt.NDArray[np.uint64]) -> None:
        """Keep a sorted run; merge runs of like size, so that there are few of them."""
        while self._runs and len(self._runs[-1]) < _MERGE_FACTOR * len(run):
            run = np.sort(np.concatenate([self._runs.pop(), run]), kind="stable")
        self._runs.append(run)


def row_id(digest: bytes, ordinal: int) -> str:
    """Write down the id of the row with a digest that is number `ordinal` among identical ones."""
    return f"{digest.hex()}-{ordinal}" if ordinal else digest.hex()


def replayed_id(row: bytes, ordinal: int) -> str:
    """Return the id that a row had got, or would have got, in its file."""
    return row_id(hashlib.blake2b(row, digest_size=16).digest(), ordinal)
