"""One attempt at a job: a command in processes of its own, bounded in time, memory and words, of which none is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import psutil

from workbench.store.job_runs import tail

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

MARK: Final = "JOB_RUN_OF_WORKBENCH"
"""Variable by which the processes of an attempt are known, wherever they have moved to."""

GRACE_SECONDS: Final = 8.0
"""How long a command may take to end after it was interrupted."""

LOOK_SECONDS: Final = 0.5
MOST_LOG: Final = 8 << 20
KEPT_LOG: Final = 1 << 20
"""Bytes that are kept of both ends of a log that became longer than `MOST_LOG`."""

MOST_DETAIL: Final = 1_000
MEGABYTE: Final = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How an attempt ended.

    Attributes:
        status: `succeeded`, `failed` or `cancelled`.
        exit_code: Of the command; negative for a signal.
        peak_mb: Most memory of all its processes together, without what they share with others.
        detail: Why it did not succeed.
    """

    status: str
    exit_code: int
    peak_mb: float
    detail: str


class Child:
    """A running attempt. `poll` must be called a few times a second: it is what keeps the bounds."""

    def __init__(
        self, run_id: str, words: Sequence[str], *, log: Path, timeout: float, memory_mb: float | None = None
    ) -> None:
        """Start it.

        Args:
            run_id: Of which job run it is an attempt.
            words: What comes after `workbench`.
            log: Where what it writes is added.
            timeout: Seconds.
            memory_mb: Of all its processes together; no bound if `None`.
        """
        self.run_id, self.log = run_id, log
        self._timeout, self._memory_mb = timeout, memory_mb
        self._begun, self._looked, self._peak = time.monotonic(), 0.0, 0.0
        self._why: tuple[str, str] | None = None
        self._stopped_at = 0.0
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as written:  # appended to, so that it can be cut while it is written
            self._process = subprocess.Popen(  # noqa: S603 - our own command, its words checked
                [sys.executable, "-m", "workbench", *words],
                stdin=subprocess.DEVNULL, stdout=written, stderr=subprocess.STDOUT, start_new_session=True,
                env={**os.environ, MARK: run_id, "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip
        self.pid = self._process.pid
        self.pid_started = psutil.Process(self.pid).create_time()

    def poll(self) -> Ended | None:
        """Keep the bounds; return how it ended, once it has and all its processes with it."""
        code, now = self._process.poll(), time.monotonic()
        if code is None and now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._look(now)
        if code is None:
            if self._why is not None and now - self._stopped_at > GRACE_SECONDS:
                end_all(self.run_id, self.pid)
            return None
        end_all(self.run_id, self.pid)
        cut(self.log)
        return self._ended(code)

    def stop(self, why: str, *, status: str = "failed") -> None:
        """Interrupt it, as Ctrl-C does, so that it can say so in its own history; later it is killed."""
        if self._why is None:
            self._why, self._stopped_at = (status, why), time.monotonic()
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGINT)

    def _look(self, now: float) -> None:
        cut(self.log)
        used = sum(map(_own_bytes, _family(self.pid))) / MEGABYTE
        self._peak = max(self._peak, used)
        if now - self._begun > self._timeout:
            self.stop(f"it was stopped after {self._timeout:,.0f} s, the longest that it may take")
        elif self._memory_mb is not None and used > self._memory_mb:
            self.stop(f"it was stopped at {used:,.0f} MB of memory, of {self._memory_mb:,.0f} MB that it may take")

    def _ended(self, code: int) -> Ended:
        status, why = self._why or ("succeeded" if code == 0 else "failed", "")
        said = "" if status == "succeeded" else last_words(self.log)
        if not why and code < 0:
            why = f"it was killed by {signal.Signals(-code).name}"
        detail = "; ".join(part for part in (why, said) if part)[:MOST_DETAIL]
        return Ended(status=status, exit_code=code, peak_mb=round(self._peak, 1), detail=detail)


def end_all(run_id: str, pid: int | None = None) -> int:
    """Kill every process of an attempt, until there is none; return how many there were."""
    ended = set[int]()
    for _ in range(100):
        found = list(_processes(run_id, pid))
        if not found:
            break
        for process in found:
            with suppress(psutil.Error):
                process.kill()
        ended.update(process.pid for process in found)
        time.sleep(0.05)  # not waited for: who started it is to get its exit code
    return len(ended)


def is_running(pid: int | None, pid_started: float | None) -> bool:
    """Tell whether a process lives that began when it is said to have."""
    try:
        return pid is not None and abs(psutil.Process(pid).create_time() - (pid_started or 0)) < 1
    except psutil.Error:
        return False


def cut(log: Path) -> None:
    """Keep both ends of a log that has become too long."""
    with suppress(FileNotFoundError):
        size = log.stat().st_size
        if size <= MOST_LOG:
            return
        with log.open("r+b") as file:
            file.seek(size - KEPT_LOG)
            tail = file.read()
            file.truncate(KEPT_LOG)
        with log.open("ab") as file:
            file.write(f"\n… {size - KEPT_LOG - len(tail):,} bytes are left out …\n".encode() + tail)


def last_words(log: Path) -> str:
    """Return the error that a log ends with, else its last line."""
    text = tail(log, 65_536)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error:")]
    return (errors or lines or [""])[-1][:MOST_DETAIL]


def _processes(run_id: str, pid: int | None) -> Iterator[psutil.Process]:
    """Find the processes of an attempt: those below its first one, and those that carry its mark."""
    family = {process.pid: process for process in _family(pid)} if pid is not None else {}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid in family or process.environ().get(MARK) == run_id:
                family[process.pid] = process
    for process in family.values():
        with suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(MARK) == run_id:
                yield process


def _family(pid: int) -> list[psutil.Process]:
    try:
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    except psutil.Error:
        return []


def _own_bytes(process: psutil.Process) -> int:
    """Return the memory of a process that it shares with no other, about."""
    try:
        memory = process.memory_info()
    except psutil.Error:
        return 0
    return int(memory.rss - getattr(memory, "shared", 0))
