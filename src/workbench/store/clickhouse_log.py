"""Which batches of events there are: a log that several processes extend, one batch after the other.

ClickHouse has no transactions over several statements. It does promise one thing: of inserts with the same
deduplication token only the first counts. So who wants to say something about batch N inserts it with a token made
of N, and reads back who was first. A batch is *claimed*, then its rows are written, then it is *complete*, or *given
up*.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from workbench.errors import StoreAway

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    import pyarrow as pa

LEASE_SECONDS: Final = 15.0
"""How long others wait for a batch that was claimed and is not complete, until they give it up."""

FIRST_PAUSE: Final = 0.01
LONGEST_PAUSE: Final = 0.5

CLAIMED, COMPLETE, GIVEN_UP = "claimed", "complete", "given up"

_HEAD: Final = """
    SELECT batch, total, version, given_up FROM batches
    WHERE kind = 'complete' AND batch <= $batch
    ORDER BY batch DESC LIMIT 1
"""
_LAST: Final = "SELECT batch FROM batches ORDER BY batch DESC LIMIT 1"
_SAID: Final = "SELECT kind, writer FROM batches WHERE batch = $batch AND kind IN $kinds ORDER BY at, writer LIMIT 1"
_OPEN: Final = """
    SELECT batch, any(writer) AS writer, max(kind != 'claimed') AS settled, max(kind = 'given up') AS given_up
    FROM batches WHERE batch > $after AND batch < $before
    GROUP BY batch ORDER BY batch
"""
_SAY: Final = """
    INSERT INTO batches (batch, kind, writer, rows, total, version, given_up)
    SELECT $batch, $kind, $writer, $rows, $total, $version, CAST($given_up AS Array(UInt64))
"""
_QUIET: Final = """
    SELECT max(batch) AS batch, max(at) < now64(3) - toIntervalSecond($seconds) AS quiet FROM batches
"""
_EVER: Final = 2**62

_SETTLED: Final = """
    SELECT batch FROM batches WHERE batch IN $batches AND kind IN ('claimed', 'given up')
    GROUP BY batch
    HAVING anyIf(writer, kind = 'claimed') = anyIf(writer, kind = 'given up')
        OR maxIf(at, kind = 'given up') < now64(3) - toIntervalSecond($seconds)
    ORDER BY batch
"""
_RECENT: Final = """
    SELECT min(batch) AS first, toInt64(sum(rows)) AS rows FROM (
        SELECT batch, rows, max(if(total = before + rows, 0, batch)) OVER () AS changed FROM (
            SELECT batch, rows, toInt64(total) AS total,
                lagInFrame(toInt64(batches.total), 1, toInt64(batches.total) - toInt64(batches.rows))
                    OVER (ORDER BY batch) AS before
            FROM batches
            WHERE kind = 'complete' AND batch <= $batch AND at > now64(3) - toIntervalSecond($seconds)
        )
    ) WHERE batch > changed
"""
"""Batches since rows were last taken away."""

LATE_SECONDS: Final = 900
"""Rows of a batch that others gave up may arrive so long after that: three times the usual timeout of an insert."""

RECENT_SECONDS: Final = 3_600
"""Of batches of so long is counted whether a replica has all rows; one that is further behind knows it."""

QUIET_SECONDS: Final = 10
"""Where the last batch is not so old, another one is likely to come while a question is answered."""


@dataclass(frozen=True, slots=True)
class Head:
    """What is seen: all batches up to one, but those that were given up.

    Attributes:
        batch: The last one that is complete; 0 before the first.
        total: Events in all of them.
        version: A hash of all of them, so that two stores are not mistaken for each other.
        given_up: Numbers of those that never became complete.
    """

    batch: int = 0
    total: int = 0
    version: str = ""
    given_up: tuple[int, ...] = ()


class Quiet:
    """Whether no batch was begun after that of a head, so that all rows there are belong to it.

    Rows are written after their batch is claimed. So what was read before this says `still` had no row of a later one.

    Attributes:
        likely: Whether it is worth while to ask; once a later batch was found, no more.
    """

    def __init__(self, select: Callable[[str, Mapping[str, object]], pa.Table], head: Head) -> None:
        """Take how to run a statement, and look how long ago the last batch was."""
        self._select, self._batch = select, head.batch
        last, quiet = self._look()
        self.likely = quiet and last == head.batch and not head.given_up

    def still(self) -> bool:
        """Look again. Threads may ask at the same time: each is told what it found itself."""
        last, _ = self._look()
        if last != self._batch:
            self.likely = False
        return last == self._batch

    def _look(self) -> tuple[int, bool]:
        (row,) = self._select(_QUIET, {"seconds": QUIET_SECONDS}).to_pylist()
        return row["batch"] or 0, bool(row["quiet"])


class Log:
    """The batches of one store, as one writer sees them."""

    def __init__(
        self,
        do: Callable[[str, Mapping[str, object], str], None],
        select: Callable[[str, Mapping[str, object]], pa.Table],
        *,
        lease: float = LEASE_SECONDS,
    ) -> None:
        """Take how to run a statement, with its values and the token by which only the first of several counts."""
        self._do, self._select, self._lease = do, select, lease
        self.writer = secrets.token_hex(8)

    def head(self, batch: int = _EVER) -> Head:
        """Return what is seen now, or was when a batch was the last."""
        for row in self._select(_HEAD, {"batch": batch}).to_pylist():
            return Head(row["batch"], row["total"], row["version"], tuple(row["given_up"]))
        return Head()

    def claim(self) -> int:
        """Take the next number; it is nobody else's."""
        while True:
            last = next(iter(self._select(_LAST, {})["batch"].to_pylist()), 0)
            if self._say(last + 1, CLAIMED, Head()) == (CLAIMED, self.writer):
                return int(last + 1)

    def turn(self, batch: int) -> Head:
        """Wait until every earlier batch is settled; return what is seen then. One that takes too long is given up.

        Raises:
            StoreAway: The claims of some earlier batches cannot be read: a replica is behind.
        """
        begun, pause = time.monotonic(), FIRST_PAUSE
        while True:
            head = self.head()
            earlier = self._select(_OPEN, {"after": head.batch, "before": batch}).to_pylist()
            waiting = [row for row in earlier if not row["settled"]]
            late = time.monotonic() - begun > self._lease
            missing = batch - head.batch - 1 - len(earlier)  # numbers have no gaps
            if missing > 0 and late:
                raise StoreAway(f"{missing} batches before {batch} are not to be read yet: is a replica behind?")
            if not waiting and missing <= 0:
                lost = [row["batch"] for row in earlier if row["given_up"]]
                if len(lost) == len(earlier):
                    return Head(head.batch, head.total, head.version, (*head.given_up, *lost))
                continue  # one has become complete since the head was read
            for row in waiting:
                if row["writer"] == self.writer or late:
                    self.give_up(row["batch"], settled=False)
            time.sleep(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)

    def complete(self, batch: int, head: Head, *, rows: int, what: object, gone: int = 0) -> Head | None:
        """Say that all rows of a batch are there; return what is seen then, or nothing if others gave it up before.

        Args:
            batch: Claimed by this writer, and its turn.
            head: What `turn` returned.
            rows: How many it has.
            what: What else distinguishes it.
            gone: How many of earlier batches it took away.
        """
        told = repr((head.version, batch, self.writer, rows, what)).encode()
        version = hashlib.blake2b(told, digest_size=4).hexdigest()
        new = Head(batch, max(head.total + rows - gone, 0), version, head.given_up)
        return new if self._say(batch, COMPLETE, new, rows=rows)[0] == COMPLETE else None

    def give_up(self, batch: int, *, settled: bool = True) -> bool:
        """Say that a batch will never be complete; tell whether that counts, or it was complete before.

        Args:
            batch: Its number.
            settled: Whether this is its writer, and every insert of its rows was answered: none can arrive later.
        """
        return self._say(batch, GIVEN_UP, Head(), writer=self.writer if settled else "")[0] == GIVEN_UP

    def settled(self, batches: Sequence[int]) -> list[int]:
        """Return the numbers of those that were given up of which no row can arrive any more."""
        rows = self._select(_SETTLED, {"batches": [*batches], "seconds": LATE_SECONDS})
        return [int(batch) for batch in rows["batch"].to_pylist()]

    def forget(self, batches: Collection[int]) -> Head | None:
        """Leave batches that were given up out of what readers exclude, by a batch of no rows.

        Args:
            batches: Given up and settled, and no table has a row of them.
        """
        batch = self.claim()
        head = self.turn(batch)
        rest = tuple(number for number in head.given_up if number not in batches)
        what = ("forget", *sorted(batches))
        return self.complete(batch, Head(head.batch, head.total, head.version, rest), rows=0, what=what)

    def recent(self, head: Head) -> tuple[int, int]:
        """Return the first batch of the last hour up to a head, and how many rows all of these have.

        Batches before rows were taken away, by `expire`, are left out. `(0, 0)` if there are none.
        """
        (row,) = self._select(_RECENT, {"batch": head.batch, "seconds": RECENT_SECONDS}).to_pylist()
        return int(row["first"] or 0), int(row["rows"] or 0)

    def _say(self, batch: int, kind: str, head: Head, *, rows: int = 0, writer: str | None = None) -> tuple[str, str]:
        """Say something about a batch; return what was said first, and by whom."""
        values: dict[str, Any] = {
            "batch": batch, "kind": kind, "writer": self.writer if writer is None else writer, "rows": rows,
            "total": head.total, "version": head.version, "given_up": [*head.given_up],
        }  # fmt: skip
        kinds = [CLAIMED] if kind == CLAIMED else [COMPLETE, GIVEN_UP]
        self._do(_SAY, values, f"batch-{batch}-{'claim' if kind == CLAIMED else 'outcome'}")
        said = self._select(_SAID, {"batch": batch, "kinds": kinds}).to_pylist()
        if not said:
            raise StoreAway(f"what was said of batch {batch} is not to be read yet: is a replica behind?")
        return str(said[0]["kind"]), str(said[0]["writer"])
