"""Live numbers in one SQLite file beside the lake: any number of readers, and writers one after the other."""

from __future__ import annotations

import sqlite3
import threading
import time
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

from workbench.errors import StoreConflict, StoreError, StoreFull
from workbench.store.live import ROOMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from workbench.store.live import Changes, Get

T = TypeVar("T")

FILE: Final = "live.db"
"""Its name beside a lake."""

BUSY_SECONDS: Final = 30
_MOST_BOUND: Final = 500
_PAUSE_SECONDS: Final = 0.02


class SQLiteBlobs:
    """A table a room. A transaction survives the process being killed; if the power fails, the last few may be undone.

    Undone with their positions, so that they are read again: nothing is lost or counted twice.
    """

    def __init__(self, path: Path, *, create: bool = True) -> None:
        """Open the file at `path`; make it if it is not there and `create` is true.

        Raises:
            StoreError: It cannot be opened, or is no SQLite file.
        """
        self.path = path
        self._lock = threading.Lock()
        mode = "rwc" if create else "rw"
        with self._named():
            self._connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={mode}",
                uri=True,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
            self._close = weakref.finalize(self, self._connection.close)  # closed also where nobody calls `close`
            try:
                self._prepare()
            except BaseException:
                self._close()
                raise

    @property
    def name(self) -> str:
        """Where it is."""
        return str(self.path)

    @property
    def size(self) -> int:
        """Bytes of the file, without those of its journal."""
        with self._lock, self._named():
            (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
            (bytes_,) = self._connection.execute("PRAGMA page_size").fetchone()
        return int(pages) * int(bytes_)

    def read(self, work: Callable[[Get], T]) -> T:
        """Read as of one moment; see `live.Blobs.read`."""
        with self._transaction("BEGIN"):
            return work(self._get)

    def change(self, work: Callable[[Get], tuple[Changes, T]]) -> T:
        """Read and write in one transaction, no other writer in between; see `live.Blobs.change`."""
        with self._transaction("BEGIN IMMEDIATE"):
            changes, result = work(self._get)
            self._write(changes)
            return result

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._close()

    def _prepare(self) -> None:
        """Make the file what it has to be; of several that open a new one at once, the first does."""
        deadline = time.monotonic() + BUSY_SECONDS
        while self._connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError:  # locked: this one change does not wait by itself
                if time.monotonic() > deadline:
                    raise
                time.sleep(_PAUSE_SECONDS)
        self._connection.execute("PRAGMA synchronous = NORMAL")
        for room in ROOMS:
            self._connection.execute(f"CREATE TABLE IF NOT EXISTS {room} (key TEXT PRIMARY KEY, bytes BLOB) STRICT")

    def _get(self, room: str, keys: Sequence[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for start in range(0, len(keys), _MOST_BOUND):
            some = keys[start : start + _MOST_BOUND]
            marks = ", ".join("?" * len(some))
            found |= self._connection.execute(f"SELECT key, bytes FROM {room} WHERE key IN ({marks})", some).fetchall()  # noqa: S608 - own names
        return found

    def _write(self, changes: Changes) -> None:
        for room in ROOMS:
            if changes.clear:
                self._connection.execute(f"DELETE FROM {room}")  # noqa: S608 - own names
            dropped = [(key,) for where, key in changes.drop if where == room]
            put = [(key, packed) for (where, key), packed in changes.put.items() if where == room]
            self._connection.executemany(f"DELETE FROM {room} WHERE key = ?", dropped)  # noqa: S608 - own names
            self._connection.executemany(f"INSERT OR REPLACE INTO {room} VALUES (?, ?)", put)  # noqa: S608 - own names

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        with self._lock, self._named():
            self._connection.execute(begin)
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _named(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorname", "")
            kind = (
                StoreFull if code == "SQLITE_FULL" else StoreConflict if code.startswith("SQLITE_BUSY") else StoreError
            )
            raise kind(f"cannot use the live numbers in {self.path}: {error}") from error
