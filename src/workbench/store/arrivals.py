"""What has arrived but was not sorted yet: which of its events are new, and in which order they will lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workbench.store import duck, file_reads

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.store.files import LakeFile

BUCKETS: Final = 16
"""Classes of users, by the low bits of `user_key`."""


def new_rows(arrived: pa.Table, history: Sequence[LakeFile], *, root: Path) -> NDArray[np.int64]:
    """Return the rows of the events that are new: not those that history has, and the first ingested of several.

    Args:
        arrived: The columns of `STORED_EVENT`.
        history: The files of what is already sorted.
        root: Folder of the table.

    Raises:
        StoreCorrupt: A file of history is damaged, so nobody can tell what is new.
    """
    rows = np.arange(arrived.num_rows)
    engine = duck.connect(allowed=[root.parent], memory="1GB")
    keys = arrived.select(["event_id", "ingested_at", "source", "position"])
    engine.register("arrived", keys.append_column("row", pa.array(rows)))
    past = file_reads.relation(engine, root, history, "event_id")
    known = f"SELECT event_id FROM {past} SEMI JOIN arrived USING (event_id)" if past else _NONE  # noqa: S608
    again = duck.select(engine, _AGAIN.format(known=known), {})["row"].to_numpy()
    engine.close()
    return np.delete(rows, again)


_NONE: Final = "SELECT event_id FROM arrived WHERE false"
_AGAIN: Final = """
    WITH known AS ({known}),
    repeated AS (SELECT event_id FROM arrived GROUP BY event_id HAVING count(*) > 1)
    SELECT row FROM arrived SEMI JOIN known USING (event_id)
    UNION
    SELECT row FROM (
        SELECT row, row_number() OVER (PARTITION BY event_id ORDER BY ingested_at, source, position) AS time
        FROM arrived SEMI JOIN repeated USING (event_id)
    )
    WHERE time > 1
"""


def sorted_cells(events: pa.Table, rows: NDArray[np.int64] | None = None) -> list[tuple[str, int, pa.Table]]:
    """Cut events, or some rows of them, into cells (month, bucket, events), each sorted by user, then time.

    Events of one user at one instant keep the order in which they were ingested.
    """
    rows = np.arange(events.num_rows) if rows is None else rows
    if len(rows) == 0:
        return []
    user_key = events["user_key"].to_numpy()[rows]
    occurred_at = events["occurred_at"].to_numpy()[rows]
    month = occurred_at.astype("datetime64[M]")
    bucket = user_key % BUCKETS
    cell = month.astype(np.int64) * BUCKETS + bucket
    arrival = (events["position"].to_numpy()[rows], events["ingested_at"].to_numpy()[rows].astype(np.int64))
    order = np.lexsort((*arrival, occurred_at.astype(np.int64), user_key, cell))
    ordered = events.take(pa.array(rows[order]))
    starts = np.flatnonzero(np.diff(cell[order], prepend=cell[order[0]] - 1))
    ends = np.append(starts[1:], len(order))
    return [
        (str(month[order[start]]), int(bucket[order[start]]), ordered.slice(start, end - start))
        for start, end in zip(starts, ends, strict=True)
    ]


def since(events: pa.Table, instant: pa.Scalar) -> pa.Table:
    """Keep the events that occurred at an instant or later."""
    return events.filter(pc.greater_equal(events["occurred_at"], instant))
