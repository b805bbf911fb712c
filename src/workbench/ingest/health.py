"""Whether a queue answers, how far behind its partitions the store is, and whether it moves."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workbench.ingest import queues

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from workbench.config import KafkaSettings
    from workbench.ingest.base import Bounds
    from workbench.store.base import Store

LOOK_AGAIN: Final = 3.0
"""Seconds between two looks, by which a partition that moves is told from one that is stuck."""


@dataclass(frozen=True, slots=True)
class Partition:
    """How far one partition is read.

    Attributes:
        source: Which one.
        position: Up to which offset the store has it.
        begin: The first offset that the brokers still have.
        end: One past the last.
        is_stuck: Whether messages wait and none was committed between two looks.
    """

    source: str
    position: int
    begin: int
    end: int
    is_stuck: bool = False

    @property
    def lag(self) -> int:
        """Messages that are not in the store yet, and can still be read."""
        return max(0, self.end - max(self.position, self.begin))

    @property
    def expired(self) -> int:
        """Messages that were deleted before they were read."""
        return max(0, self.begin - self.position) if self.position else 0


def partitions(settings: KafkaSettings, topic: str, store: Store, *, look_again: float = LOOK_AGAIN) -> list[Partition]:
    """Say how far each partition of a topic is read; looks twice where messages wait.

    Raises:
        SourceError: No broker answers, or it refuses us.
    """
    bounds = queues.bounds(settings, topic)
    first = _positions(store, bounds)
    now = first
    if any(bound.end > first[source] for source, bound in bounds.items()):
        time.sleep(look_again)
        now = _positions(store, bounds)
    return [
        Partition(
            source,
            now[source],
            bound.begin,
            bound.end,
            is_stuck=bound.end > max(now[source], bound.begin) and now[source] == first[source],
        )
        for source, bound in sorted(bounds.items(), key=lambda item: (len(item[0]), item[0]))
    ]


def _positions(store: Store, sources: Collection[str] | Mapping[str, Bounds]) -> dict[str, int]:
    return {source: store.position(source) for source in sources}
