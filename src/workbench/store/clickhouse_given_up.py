"""Batches that were given up: their rows are deleted, and then their numbers forgotten.

Readers exclude each number that the log lists. Without forgetting, the list only grows, and questions ask every row for
its batch for ever.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from workbench.errors import StoreAway

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pyarrow as pa

    from workbench.store.clickhouse_log import Log
    from workbench.store.clickhouse_schema import Shape

LIVE: Final = ("live_cells", "live_people", "live_told", "live_sources")
"""Tables that views fill; see `clickhouse_live`."""

SHARDED: Final = ("events", *LIVE)
WHOLE: Final = ("positions",)
"""Tables whose rows name their batch: spread over the shards, and whole on every node."""

_SPREAD: Final = re.compile(r"\{(\w+)\}")
"""A table that is spread over the nodes, and is changed on each."""


def local(sql: str, shape: Shape) -> str:
    """Name tables where their rows are: of a statement that changes `{events}`, for a server or a cluster of them."""
    return _SPREAD.sub(f"\\1_local ON CLUSTER '{shape.cluster}'" if shape.cluster else r"\1", sql)


class GivenUp:
    """The batches of one store that were given up."""

    def __init__(
        self,
        shape: Shape,
        log: Log,
        *,
        do: Callable[[str, Mapping[str, object]], None],
        select: Callable[[str, Mapping[str, object]], pa.Table],
    ) -> None:
        """Take what the tables are made for, the log of batches, and how to run a statement with its values."""
        self._shape, self._log, self._do, self._select = shape, log, do, select

    def clean(self) -> None:
        """Delete rows of batches that were given up; forget the numbers of which no row exists or can arrive.

        A number stays as long as a replica is down, which may have rows of it.
        """
        batches = [*self._log.head().given_up]
        if not batches:
            return
        for table in (*SHARDED, *WHOLE):
            if self._with_rows(table, batches):
                name = table if table in WHOLE else f"{{{table}}}"
                sql = f"ALTER TABLE {name} DELETE WHERE batch IN $batches SETTINGS mutations_sync = 1"
                self._do(local(sql, self._shape), {"batches": batches})
        settled = self._log.settled(batches)
        clean = {*settled} - self._on_any_replica(settled) if settled else set()
        if clean:
            self._log.forget(clean)

    def _on_any_replica(self, batches: Sequence[int]) -> set[int]:
        """Return the batches of which some replica has rows; all of them where a replica cannot be asked."""
        cluster, found = self._shape.cluster, set()
        for table in (*SHARDED, *WHOLE):
            name = table if table in WHOLE else f"{table}_local"
            place = f"clusterAllReplicas('{cluster}', currentDatabase(), '{name}')" if cluster else table
            try:
                found |= self._with_rows(place, batches)
            except StoreAway:
                return {*batches}
        return found

    def _with_rows(self, place: str, batches: Sequence[int]) -> set[int]:
        sql = f"SELECT DISTINCT batch FROM {place} WHERE batch IN $batches"  # noqa: S608 - own names
        return {int(batch) for batch in self._select(sql, {"batches": [*batches]})["batch"].to_pylist()}
