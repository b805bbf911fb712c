"""Which events of a table are repeated: found by the hash of their ids, told by the ids themselves."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numba
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workbench.events import EVENT_TABLE, IDENTITY
from workbench.store.event_keys import event_keys

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SALT: Final = np.uint64(secrets.randbits(64) | 1)
"""Scatters keys, so that nobody can choose ids that crowd in one place of the table of them. It is given to the kernel,
which is kept on disk and would keep the salt of another process."""

NEW: Final = -1
SAME: Final = 0
"""Verdicts on a row: its id is new, or it repeats an event. One above names the fields by which it does not."""

_DETAILS: Final = {
    bits: "its event_id is that of an event with another "
    + " and ".join(name for bit, name in enumerate(IDENTITY) if bits >> bit & 1)
    for bits in range(1, 1 << len(IDENTITY))
}
_IDENTITY_TABLE: Final = pa.schema([EVENT_TABLE.field(name) for name in IDENTITY])

_NEAR: Final = np.uint64(48)
"""By their upper 16 bits, keys that are not among a few are told apart with one look."""


def first_of_each(events: pa.Table, keys: NDArray[np.uint64] | None) -> NDArray[np.bool_]:
    """Tell which rows are the first ingested of their `event_id`; most are, and are not looked at.

    Without keys, which take a second to load the compiler for, equal ids are found by Arrow.
    """
    kept = np.ones(events.num_rows, dtype=bool)
    rows = _equal_rows(events) if keys is None else _rows_of(keys, repeated(keys))
    if len(rows):
        few = events.select(["event_id", "ingested_at", "source", "position"]).take(pa.array(rows))
        few = few.append_column("row", pa.array(rows))
        few = few.sort_by([(name, "ascending") for name in ("ingested_at", "source", "position")])
        codes = pc.dictionary_encode(few["event_id"].combine_chunks()).indices.to_numpy()
        _, first = np.unique(codes, return_index=True)
        kept[rows] = False
        kept[few["row"].to_numpy()[first]] = True
    return kept


@dataclass(frozen=True, slots=True)
class Repeats:
    """Events of a batch whose ids the store has, or that share an id with an earlier row of the batch.

    Attributes:
        known: Rows that repeat a stored event, in `IDENTITY` as well.
        conflicts: Rows that have the id of another event and differ in `IDENTITY`; the columns of the batch and
            `detail`, which names the fields.
    """

    known: int
    conflicts: pa.Table


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What was found of a batch before it is written.

    Attributes:
        rows: A verdict per row; see `differences`.
        keys: The hashes of their ids, where they were needed.
        known: How many repeat a stored event.
    """

    rows: NDArray[np.int8]
    keys: NDArray[np.uint64] | None
    known: int

    @property
    def new(self) -> NDArray[np.bool_]:
        """Which rows have a new id."""
        return np.asarray(self.rows == NEW)

    def repeats(self, events: pa.Table) -> Repeats:
        """Describe what is not new of the batch."""
        rows = np.flatnonzero(self.rows > SAME)
        details = pa.array([_DETAILS[verdict] for verdict in self.rows[rows].tolist()], pa.string())
        return Repeats(self.known, events.take(pa.array(rows)).append_column("detail", details))


def differences(events: pa.Table, stored: pa.Table) -> NDArray[np.int8]:
    """Compare events with those of the same id that a store has.

    Args:
        events: `event_id` and the columns of `IDENTITY`.
        stored: The same columns; of an id that is there twice the first counts.

    Returns:
        A verdict per row: `NEW`, `SAME`, or which fields differ, one bit each in the order of `IDENTITY`.
    """
    verdicts = np.full(events.num_rows, NEW, dtype=np.int8)
    if not stored.num_rows:
        return verdicts
    place = pc.index_in(events["event_id"].combine_chunks(), value_set=stored["event_id"].combine_chunks())
    rows = np.flatnonzero(place.is_valid().to_numpy(zero_copy_only=False))
    verdicts[rows] = SAME
    mine, theirs = events.select(IDENTITY).take(pa.array(rows)), stored.select(IDENTITY).cast(_IDENTITY_TABLE)
    theirs = theirs.take(place.drop_null())
    for bit, name in enumerate(IDENTITY):
        differs = pc.not_equal(mine[name], theirs[name]).to_numpy()
        verdicts[rows[differs.astype(bool)]] |= 1 << bit
    return verdicts


def compare(events: pa.Table, keys: NDArray[np.uint64], stored: pa.Table, verdicts: NDArray[np.int8]) -> None:
    """Enter the verdicts on the rows whose ids are among a few stored ones; see `differences`."""
    rows = _rows_of(keys, event_keys(stored["event_id"])) if stored.num_rows else np.empty(0, dtype=np.int64)
    if len(rows):
        found = differences(events.select(["event_id", *IDENTITY]).take(pa.array(rows)), stored)
        verdicts[rows[found != NEW]] = found[found != NEW]


def compare_within(events: pa.Table, keys: NDArray[np.uint64] | None, verdicts: NDArray[np.int8]) -> None:
    """Enter the verdicts on rows that a store does not have and whose ids are those of earlier rows of the batch."""
    first = first_of_each(events, keys)
    again = np.flatnonzero(~first & (verdicts == NEW))
    if len(again):
        wanted = events["event_id"].take(pa.array(again)).combine_chunks()
        same = pc.is_in(events["event_id"], value_set=wanted).to_numpy().astype(bool)
        reference = events.filter(pa.array(first & same & (verdicts == NEW)))
        verdicts[again] = differences(events.take(pa.array(again)), reference)


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


def _equal_rows(events: pa.Table) -> NDArray[np.int64]:
    """Return the rows whose ids are not the only ones of their kind."""
    ids = pc.dictionary_encode(events["event_id"].combine_chunks())
    codes = ids.indices.to_numpy()
    if len(ids.dictionary) == len(codes):
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(np.bincount(codes)[codes] > 1)


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
