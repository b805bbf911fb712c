"""Locks of a lake, between processes and threads: writers and vacuum exclude each other.

A writer makes its files durable before a commit names them. Until then no version needs them, so that to vacuum they
look like what a killed writer left. Each lock is an advisory lock on a file in `<lake>/locks`, which the kernel
releases when its process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from workbench.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WRITER_SECONDS: Final = 120.0
"""How long a writer waits for vacuum, which takes seconds."""

VACUUM_SECONDS: Final = 30.0
"""How long vacuum keeps new writers waiting for those that are at work."""

MAINTENANCE_SECONDS: Final = 600.0
"""How long vacuum waits for maintenance, which hinders nobody."""

_PAUSE_SECONDS: Final = 0.01


class LakeLocks:
    """The locks of one lake. Not reentrant: take one of them at the outermost level only."""

    def __init__(self, lake: Path) -> None:
        """Name the folder of the lake; nothing is made there before a lock is taken."""
        self._folder = lake / "locks"

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep vacuum away from files that this writer is about to commit; other writers go on.

        Raises:
            StoreError: Vacuum did not end in time, or the lake cannot be written.
        """
        with self._held("queue", fcntl.LOCK_SH, WRITER_SECONDS):
            pass  # a vacuum that waits goes first, however many writers follow each other
        with self._held("write", fcntl.LOCK_SH, WRITER_SECONDS):
            yield

    @contextmanager
    def maintaining(self) -> Iterator[None]:
        """Keep vacuum away from files that maintenance is about to commit, for minutes if need be.

        Raises:
            StoreError: Vacuum did not end in time, or the lake cannot be written.
        """
        with self._held("maintenance", fcntl.LOCK_SH, WRITER_SECONDS):
            yield

    @contextmanager
    def vacuuming(self) -> Iterator[None]:
        """Keep everybody away who writes; readers go on.

        Raises:
            StoreError: Others did not end in time, or the lake cannot be written.
        """
        with (
            self._held("maintenance", fcntl.LOCK_EX, MAINTENANCE_SECONDS),
            self._held("queue", fcntl.LOCK_EX, VACUUM_SECONDS),
            self._held("write", fcntl.LOCK_EX, VACUUM_SECONDS),
        ):
            yield

    @contextmanager
    def _held(self, name: str, kind: int, seconds: float) -> Iterator[None]:
        path = self._folder / f"{name}.lock"
        try:
            file = self._opened(path)
        except OSError as error:
            raise StoreError(f"cannot write to {self._folder.parent}: {error.strerror}") from error
        try:
            until = time.monotonic() + seconds
            while not _taken(file, kind):
                if time.monotonic() > until:
                    raise StoreError(f"{path} was held by another process for {seconds:,.0f} s: try again later")
                time.sleep(_PAUSE_SECONDS)
            yield
        finally:
            os.close(file)

    def _opened(self, path: Path) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        try:
            return os.open(path, flags, 0o666)
        except FileNotFoundError:
            self._folder.mkdir(parents=True, exist_ok=True)
            return os.open(path, flags, 0o666)


def _taken(file: int, kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
