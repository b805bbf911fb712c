"""What every store can do: keep events exactly once, and show them as they were at one version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

import pyarrow as pa

from workbench.events import EVENT_TABLE
from workbench.store.keys import user_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from workbench.store.event_ids import Repeats

Engine: TypeAlias = Literal["duckdb", "clickhouse"]

PART_ROWS: Final = 1_500_000
"""About how many events are worked on at once, so that few are in memory."""

FEW_ROWS: Final = 250_000
"""Fewer in a part are not worth the asking; until then there are four, to be worked on side by side."""

SOURCE_START: Final = 0
"""The position of a source that nothing was taken from yet."""

STORED_EVENT: Final = pa.schema(
    [
        *EVENT_TABLE,
        pa.field("ingested_at", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("position", pa.int64(), nullable=False),
        pa.field("user_key", pa.int64(), nullable=False),
    ]
)
"""An event as stored: `EVENT_TABLE`, then when and from where it came (`source`, `position`), and
`user_key`, a stable 64-bit hash of `user_id` by which the store clusters and joins."""


def parts_of(rows: float) -> float:
    """Return into how many parts so many events are best divided."""
    return max(rows / PART_ROWS, min(rows / FEW_ROWS, 4))


def as_stored(events: pa.Table, *, ingested_at: datetime, source: str | None = None) -> pa.Table:
    """Add the columns that the store fills in: `EVENT_TABLE` and `position` become `STORED_EVENT`.

    Args:
        events: The columns of `EVENT_TABLE` and `position`; and `source`, where they are of several.
        ingested_at: Now, by the ingesting clock.
        source: What all of them were read from.
    """
    now = pa.scalar(ingested_at, pa.timestamp("us", "UTC"))
    complete = events.append_column("ingested_at", pa.repeat(now, events.num_rows))
    complete = complete.append_column("user_key", user_keys(events["user_id"]))
    if source is not None:
        complete = complete.append_column("source", pa.repeat(pa.scalar(source, pa.string()), events.num_rows))
    return complete.select(STORED_EVENT.names).cast(STORED_EVENT)


class Snapshot(Protocol):
    """The events as they were at one version; it never changes, whatever is ingested meanwhile."""

    @property
    def data_version(self) -> str:
        """Name of the version, to print beside every number: same name, same events."""

    @property
    def known_at(self) -> datetime | None:
        """Only events ingested up to this instant are seen; `None` for all of the version."""

    @property
    def people(self) -> Hashable | None:
        """Whom alone is seen, as what they were chosen by; `None` for everybody."""

    @property
    def everybody(self) -> Snapshot:
        """The same events of all people; itself, where nobody is left out."""

    def only(self, keys: NDArray[np.int64], *, people: Hashable) -> Snapshot:
        """Return the same version with the events of some people alone.

        Args:
            keys: Their `user_key`s.
            people: What they were chosen by, for definitions to record.
        """

    def known(self, at: datetime) -> Snapshot:
        """Return the same version with only the events that had been ingested by an instant."""

    @property
    def engine(self) -> Engine:
        """Which database answers, and so in whose words `query` is to be asked."""

    @property
    def total(self) -> int:
        """About how many events it has: those of people who are left out count, and those not known yet."""

    @property
    def parts(self) -> int:
        """Into how many parts the people are divided, by which big questions go. All of a person is in one."""

    def scan(
        self, columns: Sequence[str], *, part: int, since: int | None = None, until: int | None = None
    ) -> pa.Table | None:
        """Read some columns of all events of the people in a part, where that is quicker than to ask for them.

        Args:
            columns: Names of `STORED_EVENT`. Texts come as dictionaries.
            part: The people, 0-based.
            since: Events before this instant may be left out, in microseconds since 1970.
            until: Events from this instant on may be left out.

        Returns:
            One row per event, in a few runs each sorted by `user_key`; `None` from a store whose `query` is as quick.
        """

    def query(
        self, sql: str, params: Mapping[str, object] | None = None, *, part: int | range | None = None
    ) -> pa.Table:
        """Run one SELECT over the view `events`.

        `events` has one row per event (the columns of `STORED_EVENT`, each `event_id` once), in no
        particular order. Times have microseconds, the session's time zone is UTC.

        Args:
            sql: The statement in the words of `engine`, with `$name` for each value.
            params: The values, bound and never formatted in.
            part: See only the events of the people in this part, 0-based, or in these.

        Raises:
            StoreCorrupt: A file of the version is missing or unreadable.
        """


class Readable(Protocol):
    """What questions can be asked of: events that are kept somewhere."""

    def snapshot(self, *, known_at: datetime | None = None) -> Snapshot:
        """Open the newest version, seen as known at `known_at` if that is given."""


class Store(Readable, Protocol):
    """Where events are kept. Safe for several processes at once."""

    def position(self, source: str) -> int:
        """Return where to resume reading `source`: one past the last position committed."""

    def append(
        self,
        events: pa.Table,
        *,
        source: str,
        start: int,
        end: int,
        ingested_at: datetime,
        on_repeats: Callable[[Repeats], object] | None = None,
    ) -> int:
        """Commit events and the new position of their source in one step: both, or neither.

        An event whose id another event has, with another type, person or time, is not written.

        Args:
            events: The columns of `EVENT_TABLE` and `position` (int64, where in the source each
                event stood). May have no rows, when all of a batch was rejected.
            source: Name of what they were read from, stable across restarts.
            start: Where the batch begins; must be the source's committed position.
            end: One past the last position of the batch, rejected ones included.
            ingested_at: Now, by the ingesting clock.
            on_repeats: Called with the ids that are there already before anything is committed, and again with the
                same ones whenever the commit has to be tried again: for what must not be lost of a conflict.

        Returns:
            How many rows were not written, as repeated or as conflicts; repeats that were are left to `maintain`.

        Raises:
            StoreConflict: The committed position is not `start`: another process reads this source.
            StoreFull: The disk is full; nothing was written.
        """

    def append_all(
        self,
        events: pa.Table,
        *,
        moved: Mapping[str, tuple[int, int]],
        on_repeats: Callable[[Repeats], object] | None = None,
    ) -> int:
        """Commit events of several sources and the new position of each in one step: all, or nothing.

        Args:
            events: The columns of `STORED_EVENT`. May have no rows.
            moved: Per source where the batch begins, which must be its committed position, and one past the
                last position of the batch, rejected ones included.
            on_repeats: See `append`.

        Returns:
            How many rows were not written, as repeated or as conflicts; repeats that were are left to `maintain`.

        Raises:
            StoreConflict: The committed position of one is not where its batch begins.
            StoreFull: The disk is full; nothing was written.
        """

    def conflicts(self, events: pa.Table) -> Repeats:
        """Compare events with the stored ones of the same ids, and not with each other.

        For a batch that was committed before: of what was refused then it says the same again.

        Args:
            events: The columns of `STORED_EVENT`.
        """

    def maintain(self, *, full: bool = False) -> int:
        """Move what has arrived into the layout that questions are fast on; drop repeated events.

        Args:
            full: Also merge what earlier calls left in pieces: for the end of a bulk load.

        Returns:
            How many repeated events (same `event_id`, later ingested) were dropped.
        """


class Pinned(Snapshot, Protocol):
    """A snapshot that can be opened again."""

    @property
    def version(self) -> int:
        """Its number; `Place.snapshot` opens it again."""


class Place(Store, Protocol):
    """A store with a place of its own, and control state beside it: a lake, or a database."""

    @property
    def name(self) -> str:
        """Where it is, without a password."""

    @property
    def path(self) -> Path:
        """Folder of what is kept beside the events."""

    @property
    def control(self) -> Path:
        """Where its control file is."""

    def snapshot(self, *, known_at: datetime | None = None, version: int | None = None) -> Pinned:
        """Open a version, the newest unless said otherwise, seen as known at `known_at` if that is given.

        Raises:
            InvalidArgument: There is no such version.
        """

    def expire(self, *, before: datetime) -> int:
        """Drop the events that occurred before an instant; return how many."""

    def vacuum(self, *, grace_hours: float = 24) -> list[Path]:
        """Delete the files that no version younger than the grace needs; return what was deleted."""

    def close(self) -> None:
        """Let go of it; it cannot be asked any more."""


class Live(Protocol):
    """Numbers of the last hour or so, kept second by second beside the history."""

    def position(self, source: str) -> int:
        """Return where to resume reading `source` for live numbers: one past the last position applied."""

    def apply(
        self, events: pa.Table, *, moved: Mapping[str, tuple[int, int]], rejected: Mapping[str, int], now: datetime
    ) -> None:
        """Add a batch to the numbers and move the positions of its sources in one transaction: both, or neither.

        Args:
            events: The columns of `STORED_EVENT`; rows of several sources, and none where all was rejected.
            moved: Per source where the batch begins and one past where it ends.
            rejected: Per source how many messages of the batch were no events.
            now: The ingesting clock.

        Raises:
            StoreConflict: The committed position of a source is not where its batch begins.
            StoreFull: There is no room for more; nothing was added.
        """
