"""Tell the live numbers on a topic: each second of event time once it is closed, and again when it was revised."""

from __future__ import annotations

import fcntl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import msgspec

from workbench.errors import SourceError, StoreError
from workbench.store.live_closed import Cursor, closed_since

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from workbench.ingest.base import Outlet
    from workbench.store.live import LiveReader

EVERY_SECONDS: Final = 1.0
_LONGEST_PAUSE: Final = 30.0


class Announcer:
    """Tells windows in a thread of its own until it is stopped. Readers of the topic see each at least once.

    Of the processes that keep the same live numbers one tells, whoever locks the file first; when that one is gone,
    another goes on from where it came to.
    """

    def __init__(
        self, live: LiveReader, open_outlet: Callable[[], Outlet], file: Path, *, every: float = EVERY_SECONDS
    ) -> None:
        """Take what to tell, the topic, the file that says how far it was told, and how often to look."""
        self.trouble: str | None = None
        self._live, self._open, self._file, self._every = live, open_outlet, file, every
        self._stopping = threading.Event()
        self._outlet: Outlet | None = None
        self._thread = threading.Thread(target=self._run, name="announce", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Tell what is closed by now, and end."""
        self._stopping.set()
        self._thread.join()

    def tell(self) -> int:
        """Tell what was closed or revised since the last time; return how many windows that is.

        Raises:
            SourceError: The queue did not take them; they are told again.
            StoreError: The live numbers cannot be read.
        """
        windows, cursor = closed_since(self._live, self._cursor())
        told = 0
        for window in windows:
            self._outlet = self._outlet or self._open()
            self._outlet.send(msgspec.json.encode(window), key=window.start.isoformat().encode())
            told += 1
        if told and self._outlet:
            self._outlet.flush()
        self._save(cursor)
        return told

    def _run(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.with_suffix(".lock").open("w") as lock:
            pause = self._every
            while not self._stopping.wait(pause):
                pause = self._turn(pause) if _locked(lock.fileno()) else self._every
            if _locked(lock.fileno()):
                self._turn(pause)
        if self._outlet is not None:
            self._close()

    def _turn(self, pause: float) -> float:
        """Tell; return how long to wait then: longer and longer while it fails."""
        try:
            self.tell()
        except (SourceError, StoreError) as error:
            self.trouble = str(error)
            self._close()
            return min(2 * pause, _LONGEST_PAUSE)
        self.trouble = None
        return self._every

    def _close(self) -> None:
        """Let go of the connection; what it did not take is told again."""
        outlet, self._outlet = self._outlet, None
        if outlet is None:
            return
        try:
            outlet.close()
        except SourceError as error:
            self.trouble = str(error)

    def _cursor(self) -> Cursor | None:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Cursor)
        except (FileNotFoundError, msgspec.DecodeError):  # nothing was told yet, or nobody knows what
            return None

    def _save(self, cursor: Cursor) -> None:
        new = self._file.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(cursor))
        new.replace(self._file)


def _locked(file: int) -> bool:
    """Try to be the one who tells; the system lets go of the lock when the process ends, however it ends."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def announcing(live: LiveReader, open_outlet: Callable[[], Outlet], file: Path) -> Iterator[Announcer]:
    """Tell the live numbers while the block runs."""
    announcer = Announcer(live, open_outlet, file)
    announcer.start()
    try:
        yield announcer
    finally:
        announcer.stop()
