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
    from collections.abc import Callable, Mapping

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
        """Wait until every earlier batch is settled; return what is seen then. One that takes too long is given up."""
        begun, pause = time.monotonic(), FIRST_PAUSE
        while True:
            head = self.head()
            earlier = self._select(_OPEN, {"after": head.batch, "before": batch}).to_pylist()
            waiting = [row for row in earlier if not row["settled"]]
            if not waiting:
                lost = [row["batch"] for row in earlier if row["given_up"]]
                if len(lost) == len(earlier):
                    return Head(head.batch, head.total, head.version, (*head.given_up, *lost))
                continue  # one has become complete since the head was read
            for row in waiting:
                if row["writer"] == self.writer or time.monotonic() - begun > self._lease:
                    self.give_up(row["batch"])
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

    def give_up(self, batch: int) -> bool:
        """Say that a batch will never be complete; tell whether that counts, or it was complete before."""
        return self._say(batch, GIVEN_UP, Head())[0] == GIVEN_UP

    def _say(self, batch: int, kind: str, head: Head, *, rows: int = 0) -> tuple[str, str]:
        """Say something about a batch; return what was said first, and by whom."""
        values: dict[str, Any] = {
            "batch": batch, "kind": kind, "writer": self.writer, "rows": rows, "total": head.total,
            "version": head.version, "given_up": [*head.given_up],
        }  # fmt: skip
        kinds = [CLAIMED] if kind == CLAIMED else [COMPLETE, GIVEN_UP]
        self._do(_SAY, values, f"batch-{batch}-{'claim' if kind == CLAIMED else 'outcome'}")
        said = self._select(_SAID, {"batch": batch, "kinds": kinds}).to_pylist()
        if not said:
            raise StoreAway(f"what was said of batch {batch} is not to be read yet: is a replica behind?")
        return str(said[0]["kind"]), str(said[0]["writer"])
