"""Which events of a table are repeated: found by the hash of their ids, told by the ids themselves."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

import numba
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workbench.store.event_keys import event_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_SALT: Final = np.uint64(secrets.randbits(64) | 1)
"""Scatters keys, so that nobody can choose ids that crowd in one place of the table of them. It is given to the kernel,
which is kept on disk and would keep the salt of another process."""

_NEAR: Final = np.uint64(48)
"""By their upper 16 bits, keys that are not among a few are told apart with one look."""


def first_of_each(events: pa.Table, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Tell which rows are the first ingested of their `event_id`; most are, and are not looked at."""
    kept = np.ones(len(keys), dtype=bool)
    rows = _rows_of(keys, repeated(keys))
    if len(rows):
        few = events.select(["event_id", "ingested_at", "source", "position"]).take(pa.array(rows))
        few = few.append_column("row", pa.array(rows))
        few = few.sort_by([(name, "ascending") for name in ("ingested_at", "source", "position")])
        codes = pc.dictionary_encode(few["event_id"].combine_chunks()).indices.to_numpy()
        _, first = np.unique(codes, return_index=True)
        kept[rows] = False
        kept[few["row"].to_numpy()[first]] = True
    return kept


def not_among(events: pa.Table, keys: NDArray[np.uint64], event_ids: Sequence[str]) -> NDArray[np.bool_]:
    """Tell which rows have none of some ids."""
    known = pa.chunked_array([pa.array(event_ids, pa.string())])
    rows = _rows_of(keys, event_keys(known))
    kept = np.ones(len(keys), dtype=bool)
    same = pc.is_in(events["event_id"].take(pa.array(rows)), value_set=known.combine_chunks())
    kept[rows[same.to_numpy(zero_copy_only=False)]] = False
    return kept


def repeated(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the keys that come again, each as often as it does; zero, which marks a free place, whenever it comes.

    >>> repeated(np.array([7, 5, 7, 9, 7, 9], dtype=np.uint64))
    array([7, 7, 9], dtype=uint64)
    """
    size = max(1, 2 * len(keys)).bit_length()
    places = np.zeros(2**size, dtype=np.uint64)
    found = np.empty(len(keys), dtype=np.uint64)
    return found[: _repeated(keys, places, np.uint64(64 - size), _SALT, found)]


@numba.njit(cache=True, nogil=True)
def _repeated(
    keys: NDArray[np.uint64],
    places: NDArray[np.uint64],
    shift: np.uint64,
    salt: np.uint64,
    found: NDArray[np.uint64],
) -> int:
    """Put each key into the first free place from its own on, unless it is there; return how many were.

    Dietzfelbinger et al., A Reliable Randomized Algorithm for the Closest-Pair Problem (1997): where its own is.
    """
    count, last = 0, np.uint64(len(places) - 1)
    for key in keys:
        place = (key * salt) >> shift
        while places[place] != 0 and places[place] != key:
            place = (place + np.uint64(1)) & last
        if places[place] == key:
            found[count] = key
            count += 1
        places[place] = key
    return count


def _rows_of(keys: NDArray[np.uint64], few: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the rows of those keys that are among a few."""
    few = np.unique(few)
    near = np.zeros(1 << (64 - int(_NEAR)), dtype=bool)
    near[few >> _NEAR] = True
    rows = np.flatnonzero(near[keys >> _NEAR])
    if len(rows):
        place = np.minimum(np.searchsorted(few, keys[rows]), len(few) - 1)
        rows = rows[few[place] == keys[rows]]
    return rows
