"""What a stream of messages is to the consumer: partitions that are read from an offset on.

A partition is known by its source, `<topic>-<partition>`, under which the store keeps its events and where it
has come to. Whatever a queue itself remembers is advice to its other tools, never the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from workbench.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Gap:
    """Offsets that cannot be read: `start` is the first, `end` one past the last.

    Attributes:
        reason: `corrupt`, bytes that are not those that were written; or `expired`, deleted before they were read.
        detail: What the queue said.
    """

    start: int
    end: int
    reason: Literal["corrupt", "expired"]
    detail: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """Messages of one partition, in the order of their offsets.

    Attributes:
        source: The partition.
        offsets: Where each message stands. Offsets may be missing between them.
        values: The messages; `None` where one has no value.
        end: One past the last offset that this covers.
        gaps: What was stepped over.
    """

    source: str
    offsets: Sequence[int]
    values: Sequence[bytes | None]
    end: int
    gaps: tuple[Gap, ...] = ()

    @property
    def nbytes(self) -> int:
        """Bytes of all values."""
        return sum(map(len, filter(None, self.values)))

    def since(self, offset: int) -> Fetched:
        """Leave out what stands before an offset."""
        if not self.offsets or self.offsets[0] >= offset:
            return self
        first = next((number for number, at in enumerate(self.offsets) if at >= offset), len(self.offsets))
        return Fetched(self.source, self.offsets[first:], self.values[first:], self.end, self.gaps)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Which offsets of a partition there are: from `begin` up to, and without, `end`."""

    begin: int
    end: int


class Listener(Protocol):
    """Who is told that partitions come and go. The store's fence, not these calls, keeps events exactly once."""

    def assigned(self, bounds: Mapping[str, Bounds]) -> Mapping[str, int]:
        """Return the offset to read each new partition from."""

    def revoked(self, sources: Collection[str]) -> None:
        """Commit what is complete of partitions that go in an orderly way; may be called from another thread."""

    def lost(self, sources: Collection[str]) -> None:
        """Discard what was read of partitions that others may have by now; may be called from another thread."""


class Source(Protocol):
    """Reads the partitions that a group of readers shares. Used by one thread."""

    def poll(self, seconds: float) -> list[Fetched]:
        """Return what has come, after waiting up to some seconds for anything. The listener is called from here.

        Raises:
            SourceError: Reading cannot go on: wrong credentials, no such topic, another process has this identity.
        """

    def assignment(self) -> frozenset[str]:
        """Return the partitions that this process reads now."""

    def seek(self, source: str, offset: int) -> None:
        """Read a partition on from an offset."""

    def pause(self, sources: Collection[str]) -> None:
        """Fetch no more of some partitions; membership of the group goes on."""

    def resume(self, sources: Collection[str]) -> None:
        """Fetch them again."""

    def ends(self) -> Mapping[str, int]:
        """Return one past the last offset of each partition; empty while no broker answers."""

    def offset_at(self, source: str, instant: datetime) -> int | None:
        """Return the first offset of a partition that was written at an instant or later, its end if there is none.

        `None` while no broker answers.
        """

    def commit(self, positions: Mapping[str, int]) -> None:
        """Tell the queue where the store has come to, for other tools to see. Never fails, never waits for long."""

    def confirm(self, positions: Mapping[str, int]) -> bool:
        """Tell the queue, wait for its answer, and say whether it counts this process as who reads these partitions."""

    def close(self) -> None:
        """Stop reading."""


class Outlet(Protocol):
    """Writes messages to a topic."""

    def send(self, value: bytes, *, key: bytes | None = None) -> None:
        """Hand over one message; waits where the queue is slower than we are."""

    def flush(self) -> None:
        """Wait until all that was handed over is written.

        Raises:
            SourceError: Some of it was not.
        """

    def close(self) -> None:
        """Flush, and let go of the connection."""


def source_of(topic: str, partition: int) -> str:
    """Name a partition.

    >>> source_of("events", 3)
    'events-3'
    """
    return f"{topic}-{partition}"


def partition_of(source: str) -> tuple[str, int]:
    """Return the topic and the number of a partition.

    >>> partition_of("my-events-3")
    ('my-events', 3)
    """
    topic, dash, number = source.rpartition("-")
    if not (topic and dash and number.isdecimal()):
        raise InvalidArgument(f"{source!r} is no partition: they are named like events-0")
    return topic, int(number)
