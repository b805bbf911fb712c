"""Batches into the store, one after the other, in a thread of its own.

A batch is written in an order that makes every crash harmless: what is no event is set aside, then events and
positions are committed to history in one step, then to the live numbers in another. Whatever is repeated after a
crash is either refused by a position, or has the same name as before.
"""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workbench.errors import StoreConflict, StoreCorrupt, StoreError, StoreNotFound, StoreTooNew, WorkbenchError
from workbench.ingest import ledger, messages
from workbench.ingest.batches import conflicting
from workbench.ingest.ledger import Entry
from workbench.ingest.mappings import NATIVE
from workbench.ingest.messages import Messages
from workbench.times import DEFAULT_RULES, TimeRules

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Collection, Mapping, Sequence

    from workbench.ingest.base import Fetched
    from workbench.ingest.batches import Rejected
    from workbench.ingest.failpoints import Failpoints
    from workbench.ingest.files import Destination
    from workbench.store.base import Live
    from workbench.store.event_ids import Repeats

T = TypeVar("T")

FIRST_WAIT: Final = 0.1
LONGEST_WAIT: Final = 2.0
"""Seconds between two tries of what a full disk or a database that is away refused."""

_HOPELESS: Final = (StoreConflict, StoreCorrupt, StoreNotFound, StoreTooNew)


class Stopped(WorkbenchError):
    """The consumer was asked to stop while the store could not be written."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Messages to write.

    Attributes:
        fetched: The messages, those of one partition in order.
        starts: Per partition where the batch begins; the one before ended there.
        polled_at: When the first of them was fetched, by the clock of `time.monotonic`.
        behind: Partitions that have messages which nobody has fetched yet: live windows stay open for them.
    """

    fetched: Sequence[Fetched]
    starts: Mapping[str, int]
    polled_at: float
    behind: frozenset[str] = frozenset()

    @property
    def ends(self) -> dict[str, int]:
        """Per partition one past the last offset."""
        return {fetched.source: fetched.end for fetched in self.fetched}

    def without(self, sources: Collection[str]) -> Batch:
        """Leave partitions out."""
        starts = {source: start for source, start in self.starts.items() if source not in sources}
        kept = [each for each in self.fetched if each.source not in sources]
        return replace(self, fetched=kept, starts=starts, behind=self.behind - set(sources))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch.

    Attributes:
        committed: Per partition where history and live numbers both have come to.
        fenced: Partitions that another process committed meanwhile: nothing of them was written.
        read: Messages, rejected ones included.
        events: Events that went into history.
        rejected: Messages that are no events, by reason.
        seconds: From the first fetch until all was committed.
    """

    committed: dict[str, int] = field(default_factory=dict)
    fenced: frozenset[str] = frozenset()
    read: int = 0
    events: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


@dataclass(slots=True)
class _Written:
    """What was committed to history: from where to where, how many events, and what was refused as a conflict."""

    moved: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    conflicts: dict[str, list[Rejected]] = field(default_factory=dict)
    rows: int = 0


class Writer:
    """Writes one batch at a time; meanwhile the caller goes on fetching.

    Attributes:
        history: Per partition where history has come to.
        live: The same of the live numbers.
        trouble: Why the store cannot be written at the moment; `None` while it can.
    """

    def __init__(
        self,
        store: Destination,
        live: Live | None,
        *,
        failpoints: Failpoints,
        stopping: threading.Event,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        rules: TimeRules = DEFAULT_RULES,
    ) -> None:
        """Take where to write, what ends all waiting, and how times are read."""
        self.store, self.numbers = store, live
        self.history: dict[str, int] = {}
        self.live: dict[str, int] = {}
        self.trouble: str | None = None
        self._failpoints, self._stopping, self._now, self._rules = failpoints, stopping, now, rules
        self._thread = ThreadPoolExecutor(1, "workbench-writer")
        self._work: Future[Outcome] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether a batch can be submitted."""
        return self._work is None

    def submit(self, batch: Batch) -> None:
        """Begin to write a batch; `outcome` must have been taken before."""
        self._work = self._thread.submit(self._write, batch)

    def wait(self, seconds: float) -> None:
        """Wait until a batch that is being written is done, or for some seconds."""
        if self._work is not None:
            wait_for([self._work], timeout=seconds)

    def outcome(self, *, wait: float = 0.0) -> Outcome | None:
        """Return what became of the batch, once; `None` if there is none, or not after some seconds.

        Raises:
            StoreError: It cannot be written, and trying again is no use.
            Stopped: It could not be written until the consumer was stopped.
        """
        if self._work is None:
            return None
        try:
            done = self._work.result(timeout=wait)
        except TimeoutError:
            if not self._work.done():
                return None
            raise
        except BaseException:
            self._work = None
            raise
        self._work = None
        return done

    def begin(self, source: str) -> tuple[int, int]:
        """Look up where history and the live numbers have come to in a partition; both are kept in mind."""
        self.history[source] = self.persist(partial(self.store.position, source))
        self.live[source] = self.history[source]
        if self.numbers is not None:
            self.live[source] = self.persist(partial(self.numbers.position, source))
        return self.history[source], self.live[source]

    def close(self) -> None:
        """Wait for the thread to end."""
        self._thread.shutdown(wait=True)

    def persist(self, step: Callable[[], T]) -> T:
        """Do something to a store, again and again while it is full or away.

        Raises:
            StoreConflict, StoreCorrupt, StoreNotFound, StoreTooNew: Trying again is no use.
            Stopped: The consumer was asked to stop.
        """
        wait = FIRST_WAIT
        while True:
            try:
                done = step()
            except _HOPELESS:
                raise
            except (StoreError, OSError) as error:
                self.trouble = str(error)
            else:
                self.trouble = None
                return done
            if self._stopping.wait(wait):
                raise Stopped(f"stopped while waiting for the store: {self.trouble}")
            wait = min(LONGEST_WAIT, 2 * wait)

    def _write(self, batch: Batch) -> Outcome:
        now = self._now()
        self._failpoints.at("before_decode")
        found = messages.read(batch.fetched, now=now, rules=self._rules)
        self._failpoints.at("after_decode")
        self._set_aside(batch, found.rejected, now)
        self._failpoints.at("before_history")
        kept, events = self._into_history(batch, found.events, now)
        self._failpoints.at("after_history")
        found = self._without_conflicts(kept, found, events)
        kept = self._into_live(kept, found, now)
        self._failpoints.at("after_live")
        fenced = batch.starts.keys() - kept.starts.keys()
        rejected = [row for source, rows in found.rejected.items() if source not in fenced for row in rows]
        return Outcome(
            committed={source: min(self.history[source], self.live[source]) for source in kept.starts},
            fenced=frozenset(fenced),
            read=sum(len(each.values) for each in kept.fetched),
            events=events.rows,
            rejected=Counter(row.reject.reason for row in rejected),
            seconds=time.monotonic() - batch.polled_at,
        )

    def _set_aside(self, batch: Batch, rejected: Mapping[str, list[Rejected]], now: datetime) -> None:
        """Keep what is no event, and which offsets were stepped over, before any position moves on."""
        control = self.store.control
        gaps = [(each.source, gap) for each in batch.fetched for gap in each.gaps]
        if not (rejected or gaps):
            return
        self._failpoints.at("before_rejects")
        rows = {Entry(source, source, NATIVE): found for source, found in rejected.items()}
        self.persist(partial(ledger.set_aside_all, control, rows, now=now))
        for source, gap in gaps:
            self.persist(partial(ledger.note_gap, control, source, gap, now=now))
        self._failpoints.at("after_rejects")

    def _into_history(self, batch: Batch, events: pa.Table, now: datetime) -> tuple[Batch, _Written]:
        """Commit what history does not have yet; return the batch without what another process was faster with."""
        while True:
            moved = _moved(batch, self.history)
            if not moved:
                return batch, _Written()
            new, written = _after(events, batch, self.history), _Written(moved)
            keep = partial(self._keep_conflicts, batch, written, now)
            try:
                self.persist(partial(self.store.append_all, new, moved=moved, on_repeats=keep))
            except StoreConflict:
                lost = self._lost(moved)
                if not lost and moved == _moved(batch, self.history):
                    self._pause()  # others commit at the same time
                batch = batch.without(lost)
                continue
            self.history.update({source: end for source, (_, end) in moved.items()})
            written.rows = int(new.num_rows) - sum(map(len, written.conflicts.values()))
            return batch, written

    def _keep_conflicts(self, batch: Batch, written: _Written, now: datetime, repeats: Repeats) -> None:
        """Set aside, before anything is committed, what history is about to refuse."""
        written.conflicts = _conflicts(batch, repeats.conflicts)
        rows = {Entry(source, source, NATIVE): rows for source, rows in written.conflicts.items()}
        ledger.set_aside_all(self.store.control, rows, now=now)

    def _without_conflicts(self, batch: Batch, found: Messages, written: _Written) -> Messages:
        """Leave out the events that history refused, so that live numbers count what it counts.

        Of what history got earlier, from this process or another one, it is asked again.
        """
        conflicts = dict(written.conflicts)
        if self.numbers is not None:
            earlier = _between(found.events, batch, self.live, written.moved)
            if earlier.num_rows:
                repeats = self.persist(partial(self.store.conflicts, earlier))
                for source, rows in _conflicts(batch, repeats.conflicts).items():
                    conflicts[source] = [*conflicts.get(source, ()), *rows]
        if not conflicts:
            return found
        rejected = {source: [*rows] for source, rows in found.rejected.items()}
        for source, rows in conflicts.items():
            rejected[source] = [*rejected.get(source, ()), *rows]
        return Messages(_without(found.events, conflicts), rejected)

    def _lost(self, moved: Mapping[str, tuple[int, int]]) -> set[str]:
        """Find the partitions of a refused commit that others have moved on; those that came just as far are done."""
        lost = set()
        for source, (start, end) in moved.items():
            there = self.persist(partial(self.store.position, source))
            if there == end:  # an error hid that the commit went through, or another process read the same
                self.history[source] = end
            elif there != start:
                lost.add(source)
        return lost

    def _into_live(self, batch: Batch, found: Messages, now: datetime) -> Batch:
        """Add what the live numbers do not have yet; return the batch without what cannot be added."""
        numbers = self.numbers
        if numbers is None:
            self.live.update({source: self.history[source] for source in batch.starts})
            return batch
        unread = batch.behind & self.live.keys() - batch.starts.keys()
        waiting = {source: (self.live[source], self.live[source]) for source in unread}
        while moved := _moved(batch, self.live):
            new = _after(found.events, batch, self.live)
            rejected = {
                source: sum(row.position >= self.live[source] for row in found.rejected.get(source, ()))
                for source in moved
            }
            try:
                self.persist(partial(numbers.apply, new, moved=moved | waiting, rejected=rejected, now=now))
            except StoreConflict:
                waiting = {}  # it may have been one of these that others read by now
                there = {source: self.persist(partial(numbers.position, source)) for source in moved}
                behind = {source for source, (start, _) in moved.items() if there[source] < start}
                self.live.update({source: at for source, at in there.items() if source not in behind})
                batch = batch.without(behind)
                if moved == _moved(batch, self.live):
                    self._pause()
                continue
            self.live.update({source: end for source, (_, end) in moved.items()})
        return batch

    def _pause(self) -> None:
        """Wait a little before the same is tried again.

        Raises:
            Stopped: The consumer was asked to stop.
        """
        if self._stopping.wait(FIRST_WAIT):
            raise Stopped("stopped while other processes kept the store busy")


def _moved(batch: Batch, positions: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """Return from where to where each partition moves that has not come to the end of the batch yet."""
    return {source: (positions[source], end) for source, end in batch.ends.items() if end > positions[source]}


def _conflicts(batch: Batch, conflicts: pa.Table) -> dict[str, list[Rejected]]:
    """Return the messages of events that have the id of another one, by partition."""
    values = {
        (each.source, offset): value
        for each in (batch.fetched if conflicts.num_rows else ())
        for offset, value in zip(each.offsets, each.values, strict=True)
    }
    found: dict[str, list[Rejected]] = {}
    for row in conflicts.select(["source", "position", "detail"]).to_pylist():
        original = values[row["source"], row["position"]] or b""
        found.setdefault(row["source"], []).append(conflicting(row["position"], row["detail"], original))
    return found


def _without(events: pa.Table, conflicts: Mapping[str, list[Rejected]]) -> pa.Table:
    """Leave out the events at the positions of some rejects."""
    position, source = events["position"].to_numpy(), events["source"]
    kept = np.ones(events.num_rows, dtype=bool)
    for name, rows in conflicts.items():
        mine = pc.equal(source, name).to_numpy().astype(bool)
        kept &= ~(mine & np.isin(position, [row.position for row in rows]))
    return events.filter(pa.array(kept))


def _between(events: pa.Table, batch: Batch, live: Mapping[str, int], moved: Mapping[str, tuple[int, int]]) -> pa.Table:
    """Return the events that are new to the live numbers, and were not committed to history with this batch."""
    ends = batch.ends
    earlier = {name: moved[name][0] if name in moved else end for name, end in ends.items()}
    if all(live[name] >= end for name, end in earlier.items()):
        return events.slice(0, 0)
    position, source = events["position"].to_numpy(), events["source"]
    chosen = np.zeros(events.num_rows, dtype=bool)
    for name, end in earlier.items():
        mine = pc.equal(source, name).to_numpy().astype(bool)
        chosen |= mine & (position >= live[name]) & (position < end)
    return events.filter(pa.array(chosen))


def _after(events: pa.Table, batch: Batch, positions: Mapping[str, int]) -> pa.Table:
    """Keep the events of a batch's partitions that stand behind the positions these have come to."""
    sources = sorted(set(pc.unique(events["source"]).to_pylist()))
    if all(source in batch.starts and batch.starts[source] >= positions[source] for source in sources):
        return events
    position, source = events["position"].to_numpy(), np.asarray(events["source"].to_pylist(), dtype=object)
    kept = np.zeros(events.num_rows, dtype=bool)
    for name in batch.starts:
        kept |= (source == name) & (position >= positions[name])
    return events.filter(pa.array(kept))
