"""The loop between a queue and the store: fetch, hand over to the writer, hold back, come and go with the group.

Exactly once rests on the store alone: events and offsets are committed in one step, and a commit that does not
begin where the store stands is refused. All that the group does (who reads what, when somebody is gone) only
decides who works; so a process that wakes up late, or is thought dead and is not, can do no harm.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from workbench.errors import SourceError
from workbench.ingest import ledger
from workbench.ingest.base import Gap
from workbench.ingest.failpoints import Failpoints
from workbench.ingest.garbage import searched_rarely
from workbench.ingest.status import Limits, Status
from workbench.ingest.upkeep import Upkeep
from workbench.ingest.writer import LONGEST_WAIT, Batch, Stopped, Writer
from workbench.store.base import SOURCE_START
from workbench.times import DEFAULT_RULES, TimeRules

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from workbench.ingest.base import Bounds, Fetched, Listener, Source
    from workbench.ingest.files import Destination
    from workbench.ingest.writer import Outcome
    from workbench.store.base import Live

HORIZON: Final = timedelta(hours=1)
"""How far back live numbers go: what is older is not read again only for them."""


class Consumer:
    """Reads partitions into a store until it is stopped. It is the `Listener` of its source."""

    def __init__(
        self,
        open_source: Callable[[Listener], Source],
        store: Destination,
        live: Live | None = None,
        *,
        limits: Limits | None = None,
        failpoints: Failpoints | None = None,
        progress: Callable[[Status], object] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        rules: TimeRules = DEFAULT_RULES,
    ) -> None:
        """Take what to read and where to.

        Args:
            open_source: Connects to the queue; called again when a partition is stuck.
            store: History, which also keeps what is no event.
            live: The live numbers, if there are any.
            limits: How much at once.
            failpoints: For tests.
            progress: Called about every second.
            now: The ingesting clock.
            rules: Zone of times that have none, and the first instant that is allowed.
        """
        self.limits = limits or Limits()
        self._open, self._progress, self._now = open_source, progress, now
        self._failpoints = failpoints or Failpoints()
        self._stopping = threading.Event()
        self._lock = threading.RLock()  # revocations come from a thread of the client
        self._writer = Writer(store, live, failpoints=self._failpoints, stopping=self._stopping, now=now, rules=rules)
        self._upkeep = Upkeep(store, rows=self.limits.maintain_rows, batches=self.limits.maintain_batches)
        self._source: Source | None = None
        self._next: dict[str, int] = {}
        self._pending: list[Fetched] = []
        self._starts: dict[str, int] = {}
        self._since = 0.0
        self._rows = self._bytes = 0
        self._unconfirmed: set[str] = set()
        self._behind: set[str] = set()
        self._trouble: str | None = None
        self._paused = False
        self._moved_at: dict[str, float] = {}
        self._commits: dict[str, int] = {}
        self._told = self._watched = time.monotonic()
        self._total = {"read": 0, "events": 0, "batches": 0, "fenced": 0, "reopened": 0}
        self._rejected = Counter[str]()
        self._ends: Mapping[str, int] = {}
        self._seconds = 0.0

    def stop(self) -> None:
        """Finish what is being written, then stop; safe to call from a signal handler and from any thread."""
        self._stopping.set()

    def run(self) -> Status:
        """Read until `stop`, and return what was done.

        Raises:
            SourceError: The queue refuses us, or a topic was made anew behind our back.
            StoreError: The store cannot be written, and waiting is no use.
        """
        try:
            self._source = self._open(self)
            with searched_rarely():
                while not self._stopping.is_set():
                    self._turn(self._source)
            self._drain()
            self._finish(self._source)
        except Stopped:
            pass  # what was not written is read again
        finally:
            last = self.status("stopped")
            self._failpoints.at("before_close")
            if self._source is not None:
                self._source.close()
            self._writer.close()
            self._upkeep.close()
        return last

    def status(self, state: str | None = None) -> Status:
        """Say how it is going."""
        mine = list(self._next)  # another thread may ask
        positions = {source: min(self._writer.history[source], self._writer.live[source]) for source in mine}
        lag = {source: max(0, end - positions.get(source, 0)) for source, end in self._ends.items()}
        return Status(
            state=state or self._state(lag),
            trouble=self._trouble or self._writer.trouble or self._upkeep.trouble,
            rejected=Counter(self._rejected),
            positions=positions,
            lag={source: behind for source, behind in lag.items() if source in positions},
            seconds=self._seconds,
            **self._total,
        )

    def _state(self, lag: Mapping[str, int]) -> str:
        if self._paused:
            return "paused"
        if not self._next:
            return "joining"
        return "reading" if any(lag.values()) or self._pending else "waiting"

    def _turn(self, source: Source) -> None:
        """Go round once."""
        if self._is_full() and not self._paused:
            self._writer.wait(self.limits.pause_seconds)
        self._finish(source)
        if self._unconfirmed:
            self._restart(source)
        self._hand_over()
        self._hold_back(source)
        fetched = source.poll(self._patience())
        if fetched:
            self._failpoints.at("after_poll")
            with self._lock:
                self._accept(fetched)
        self._watch(source)
        if self._progress is not None and time.monotonic() - self._told >= 1:
            self._told = time.monotonic()
            self._progress(self.status())

    def _patience(self) -> float:
        """Return how long to wait for messages: not past the moment when those that wait are to be written."""
        if self._paused or not self._writer.is_idle:
            return 0.05
        return min(0.25, max(0.0, self._since + self.limits.seconds - time.monotonic())) if self._pending else 0.25

    # -- batches

    def _accept(self, fetched: Iterable[Fetched]) -> None:
        """Add what was fetched to the next batch, each partition without a hole and without a repetition."""
        for each in fetched:
            following = self._next.get(each.source)
            if following is None or each.end <= following:
                continue  # no longer ours, or fetched before we were told to begin elsewhere
            if not self._pending:
                self._since = time.monotonic()
            self._starts.setdefault(each.source, following)
            self._behind.discard(each.source)
            new = each.since(following)
            self._pending.append(new)
            self._rows, self._bytes = self._rows + len(new.values), self._bytes + new.nbytes
            self._next[each.source] = each.end
            self._moved_at[each.source] = time.monotonic()

    def _is_full(self) -> bool:
        return self._rows >= self.limits.rows or self._bytes >= self.limits.nbytes

    def _hand_over(self, *, at_once: bool = False) -> None:
        """Give the writer what waits, if it is enough or has waited long enough."""
        with self._lock:
            due = at_once or self._is_full() or time.monotonic() - self._since >= self.limits.seconds
            if self._pending and due and self._writer.is_idle:
                self._writer.submit(Batch(self._pending, self._starts, self._since, frozenset(self._behind)))
                self._pending, self._starts = [], {}
                self._rows = self._bytes = 0

    def _hold_back(self, source: Source) -> None:
        """Pause all partitions while a whole batch waits behind the one that is being written."""
        if self._is_full() and not self._writer.is_idle:
            source.pause(source.assignment())
            self._paused = True
        elif self._paused:
            source.resume(source.assignment())
            self._paused = False

    def _finish(self, source: Source) -> None:
        """Take note of what was written, and tell the queue."""
        with self._lock:
            outcome = self._writer.outcome()
            if outcome is not None:
                self._count(outcome)
                self._fenced(outcome.fenced)
            commits, self._commits = self._commits, {}
        if commits:
            self._failpoints.at("before_commit")
            source.commit(commits)
            self._failpoints.at("after_commit")

    def _count(self, outcome: Outcome) -> None:
        for name, number in (("read", outcome.read), ("events", outcome.events), ("batches", 1)):
            self._total[name] += number
        self._total["fenced"] += len(outcome.fenced)
        self._rejected.update(outcome.rejected)
        self._seconds = outcome.seconds
        self._commits.update(outcome.committed)
        self._upkeep.after(outcome.events)

    def _drain(self) -> None:
        """Write all that was read, at the end or before partitions go; not longer than the group waits."""
        until = time.monotonic() + self.limits.revoke_seconds
        while not (self._writer.is_idle and not self._pending) and time.monotonic() < until:
            outcome = self._writer.outcome(wait=max(0.0, until - time.monotonic()))
            if outcome is not None:
                self._count(outcome)
                self._fenced(outcome.fenced)
            self._hand_over(at_once=True)

    def _fenced(self, sources: Collection[str]) -> None:
        """Stop reading where another process was faster, until it is clear who is a member of the group."""
        ours = [name for name in sources if name in self._next]
        self._forget(ours)
        self._unconfirmed |= set(ours)

    def _restart(self, source: Source) -> None:
        """Read on where the store stands, if the group still counts us as who reads; if not, it will tell."""
        with self._lock:
            waiting = self._unconfirmed & source.assignment()
            starts = {name: min(self._writer.begin(name)) for name in waiting}
        if not starts or not source.confirm(starts):
            return
        with self._lock:
            for name in starts.keys() & self._unconfirmed:
                source.seek(name, starts[name])
                self._next[name], self._moved_at[name] = starts[name], time.monotonic()
            self._unconfirmed -= starts.keys()

    def _forget(self, sources: Collection[str]) -> None:
        """Discard what was read of some partitions and not handed over."""
        with self._lock:
            self._pending = [each for each in self._pending if each.source not in sources]
            self._rows = sum(len(each.values) for each in self._pending)
            self._bytes = sum(each.nbytes for each in self._pending)
            self._unconfirmed -= set(sources)
            self._behind -= set(sources)
            for name in sources:
                self._next.pop(name, None)
                self._starts.pop(name, None)
                self._commits.pop(name, None)

    # -- the group

    def assigned(self, bounds: Mapping[str, Bounds]) -> Mapping[str, int]:
        """Return where to read new partitions from: where the store stands; see `base.Listener`."""
        self._failpoints.at("on_assigned")
        with self._lock:
            self._drain()
            self._forget(bounds.keys())
            offsets = {source: self._offset(source, bound) for source, bound in bounds.items()}
            self._next.update(offsets)
            unread = {source for source, bound in bounds.items() if offsets[source] < bound.end}
            self._behind |= unread - self._moved_at.keys()  # once: one that stays stuck must not hold them for ever
            self._moved_at.update(dict.fromkeys(offsets, time.monotonic()))
        return offsets

    def _offset(self, source: str, bounds: Bounds) -> int:
        history, live = self._writer.begin(source)
        if history > bounds.end:
            raise SourceError(
                f"{source} was read up to offset {history:,}, and ends at {bounds.end:,}: the topic was made anew, or "
                "its brokers lost messages. Read it into another store, or under another topic's name"
            )
        if SOURCE_START < history < bounds.begin:
            gap = Gap(history, bounds.begin, "expired", "deleted by the broker before it was read")
            self._writer.persist(lambda: ledger.note_gap(self._writer.store.control, source, gap, now=self._now()))
        start = max(history, bounds.begin)
        if live >= history:
            return start
        recent = self._source.offset_at(source, self._now() - HORIZON) if self._source else None
        return min(start, max(live, bounds.begin, recent or SOURCE_START))

    def revoked(self, sources: Collection[str]) -> None:
        """Write what is complete before partitions go; see `base.Listener`."""
        self._leave(sources, drain=True)

    def lost(self, sources: Collection[str]) -> None:
        """Discard what was read of partitions that others may have; see `base.Listener`."""
        self._leave(sources, drain=False)

    def _leave(self, sources: Collection[str], *, drain: bool) -> None:
        """Let partitions go; what is still held of them after too long a wait, the store refuses where it must."""
        if not self._lock.acquire(timeout=self.limits.revoke_seconds):
            return
        try:
            if drain:
                self._drain()
        except Stopped:
            pass  # it is read again by whoever gets the partitions
        finally:
            self._forget(sources)
            self._lock.release()

    def _watch(self, source: Source) -> None:
        """Look how far behind we are; when a partition has messages and gives none, connect anew."""
        now = time.monotonic()
        if now - self._watched < self.limits.watch_seconds:
            return
        self._watched = now
        self._ends = source.ends()
        waiting = {name for name, following in self._next.items() if self._ends.get(name, 0) > following}
        for name in self._next:
            if self._paused or name not in waiting:
                self._moved_at[name] = now
        if any(now - self._moved_at[name] > self.limits.stuck_seconds for name in waiting):
            self._reopen(source)

    def _reopen(self, source: Source) -> None:
        self._drain()
        self._forget(list(self._next))
        source.close()
        while True:
            try:
                self._source = self._open(self)
            except SourceError as error:
                self._trouble = str(error)
                if self._stopping.wait(LONGEST_WAIT):
                    raise Stopped(f"stopped while waiting for the queue: {error}") from error
            else:
                self._trouble = None
                self._total["reopened"] += 1
                return
