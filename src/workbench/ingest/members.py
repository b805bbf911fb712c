"""Names for the processes of this machine that read one store: a restarted one gets the name of the dead."""

from __future__ import annotations

import fcntl
import re
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from workbench.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST: Final = 256
"""Processes of one machine in one group."""


@contextmanager
def member(folder: Path, group: str) -> Iterator[str]:
    """Take the first name that no living process has, for as long as this one lives.

    A lock on a file stands for each name: the system lets go of it when the process ends, however it ends.

    Args:
        folder: Where the locks are; shared by the processes that share a store.
        group: The group that they read as.

    Raises:
        SourceError: There are too many processes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(MOST):
        with (folder / f"{_plain(group)}-{number}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield f"{_plain(socket.gethostname())}-{number}"
            return
    raise SourceError(f"{MOST} processes of this machine read as {group!r} already")


def _plain(text: str) -> str:
    """Keep what may stand in a name.

    >>> _plain("my host/1")
    'my-host-1'
    """
    return re.sub(r"[^A-Za-z0-9._-]", "-", text)[:100]
