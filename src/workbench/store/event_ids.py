"""Which events of a table are repeated: found by the hash of their ids, told by the ids themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workbench.store.event_keys import event_keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def first_of_each(events: pa.Table, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Tell which rows are the first ingested of their `event_id`; most are, and are not looked at."""
    kept = np.ones(len(keys), dtype=bool)
    order = np.argsort(keys)
    same = np.flatnonzero(keys[order[1:]] == keys[order[:-1]])
    rows = np.sort(order[np.union1d(same, same + 1)])
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
    rows = np.flatnonzero(_in(keys, np.unique(event_keys(known))))
    kept = np.ones(len(keys), dtype=bool)
    same = pc.is_in(events["event_id"].take(pa.array(rows)), value_set=known.combine_chunks())
    kept[rows[same.to_numpy(zero_copy_only=False)]] = False
    return kept


def _in(keys: NDArray[np.uint64], few: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Tell which keys are among a few ascending ones."""
    if not len(few):
        return np.zeros(len(keys), dtype=bool)
    place = np.minimum(np.searchsorted(few, keys), len(few) - 1)
    same: NDArray[np.bool_] = few[place] == keys
    return same
