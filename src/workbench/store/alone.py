"""A folder that one process at a time may have open: of two engines each would miss what the other wrote."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from pathlib import Path
from typing import Final

from workbench.errors import StoreError

WAIT_SECONDS: Final = 20.0
"""How long to wait for another process that is about to end."""

_PAUSE_SECONDS: Final = 0.05
_held: dict[str, tuple[int, int]] = {}
_lock = threading.Lock()


def hold(folder: str) -> None:
    """Keep other processes from a folder until `release`; within this process it may be held several times.

    Raises:
        StoreError: Another process has it.
    """
    with _lock:
        file, count = _held.get(folder) or (_locked(folder), 0)
        _held[folder] = file, count + 1


def release(folder: str) -> None:
    """Let others have the folder again, once this was said as often as `hold`."""
    with _lock:
        file, count = _held.pop(folder)
        if count > 1:
            _held[folder] = file, count - 1
        else:
            os.close(file)


def _locked(folder: str) -> int:
    lock = Path(f"{folder}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    until = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < until:
                time.sleep(_PAUSE_SECONDS)
                continue
            os.close(file)
            raise StoreError(
                f"chdb://{folder} is open in another process: the engine in a process is for one at a time. "
                "Close that notebook or command, or run a server and name it as clickhouse://…"
            ) from None
        return file
