"""Where the control state and the store disagree on how far sources were read: a commit that was lost shows there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.store import control

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.store.base import Place


@dataclass(frozen=True, slots=True)
class Difference:
    """One source of which two records differ.

    Attributes:
        source: As in the events' column `source`.
        name: What a person calls it: a path, a topic's partition.
        record: Which record says otherwise: `ingests` or `live numbers`.
        recorded: Where that record has come to.
        position: Where the store has come to.
    """

    source: str
    name: str
    record: str
    recorded: int
    position: int

    def __str__(self) -> str:
        """Say what differs, and what mends it."""
        if self.recorded < self.position:
            return f"{self.name}: {self.record} end at {self.recorded:,}, the store at {self.position:,}"
        lost = f"rows {self.position:,} to {self.recorded:,} may be missing"
        again = "ingest it again" if self.record == "ingests" else "the stream reads them again"
        return f"{self.name}: {self.record} end at {self.recorded:,}, the store at {self.position:,}: {lost}; {again}"


def differences(store: Place, live: Mapping[str, int]) -> list[Difference]:
    """Compare what `ingests` and the live numbers say with the positions that the store committed.

    An ingest that was killed before it noted how far it came is no difference.

    Args:
        store: Where events are.
        live: Per source where the live numbers have come to; they follow history, and are never ahead of it.
    """
    found = []
    recorded = _ingests(store)
    positions = _positions(store, [*recorded, *live])
    for source, (name, position, is_finished) in recorded.items():
        now = positions[source]
        if position > now or (is_finished and position != now):
            found.append(Difference(source, name, "ingests", position, now))
    for source, position in live.items():
        if position > positions[source]:
            found.append(Difference(source, source, "live numbers", position, positions[source]))
    return found


def recorded_positions(store: Place, live: Mapping[str, int]) -> dict[str, int]:
    """Return per source the furthest that any record says the store had come to."""
    ends = {source: position for source, (_, position, _) in _ingests(store).items()}
    return {source: max(ends.get(source, 0), live.get(source, 0)) for source in {*ends, *live}}


def _ingests(store: Place) -> dict[str, tuple[str, int, bool]]:
    if not store.control.exists():
        return {}
    with control.connect(store.control) as connection:
        rows = connection.execute("SELECT source, name, position, finished_at FROM ingests ORDER BY started_at, source")
        return {row["source"]: (row["name"], row["position"], row["finished_at"] is not None) for row in rows}


def _positions(store: Place, sources: list[str]) -> dict[str, int]:
    from workbench.store.lake import LakeStore  # noqa: PLC0415 - loads the database, which other stores do without

    if isinstance(store, LakeStore):
        return store.positions(sources)
    return {source: store.position(source) for source in sources}
