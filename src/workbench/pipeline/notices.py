"""What people are told when a job has failed for good: which, why, in which cell, and the end of what it wrote."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Final

from workbench.reports.deliver import Message, send
from workbench.reports.render import fill

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workbench.config import Settings
    from workbench.store.job_runs import JobRun

STOP_SECONDS: Final = 5.0
"""How long notices may still take once the schedule is stopped."""

_LOG_BYTES: Final = 3_000
_LOOK_SECONDS: Final = 0.1


def message(run: JobRun) -> Message:
    """Write the notice of a run that failed."""
    log = run.end_of_log(_LOG_BYTES).strip()
    due = f"{run.due_at:%Y-%m-%d %H:%M} UTC" if run.due_at else "by hand"
    facts = {
        "Job": run.job,
        "Run": run.run_id,
        "Due": due,
        "Attempts": str(run.attempt),
        "Exit code": str(run.exit_code),
        "Memory": f"{run.peak_mb or 0:,.0f} MB",
        "Command": " ".join(("workbench", *run.command)),
    }
    lines = [f"{name}: {value}" for name, value in facts.items()]
    text = "\n".join(
        [run.detail, "", *lines, "", "The end of what it wrote:", log, "", f"workbench runs logs {run.run_id}"]
    )
    page = fill("notice.html.j2", {"run": run, "facts": facts, "log": log})
    return Message(subject=f"Workbench: {run.job} failed", text=text, html=page, name=run.run_id)


def failed(run: JobRun, to: Sequence[str], settings: Settings, *, told: Callable[[str], object]) -> None:
    """Tell people; who cannot be reached is named, and keeps nothing from the others."""
    for delivery in send(message(run), to, settings):
        if delivery.status != "delivered":
            told(f"{run.job} {run.run_id}: {delivery.to} was not told: {delivery.detail}")


class Outbox:
    """Sends notices one after the other, beside the schedule, which waits for none of them.

    Its thread never holds the process: a mail server that does not answer keeps no daemon from ending.
    """

    def __init__(self, settings: Settings, *, told: Callable[[str], object]) -> None:
        """Start it.

        Args:
            settings: How notices are sent.
            told: Is given a line for whoever cannot be reached.
        """
        self._settings, self._told = settings, told
        self._queue: queue.SimpleQueue[tuple[JobRun, Sequence[str]] | None] = queue.SimpleQueue()
        self._pending = 0
        self._changed = threading.Condition()
        threading.Thread(target=self._send, name="workbench-notices", daemon=True).start()

    def add(self, run: JobRun, to: Sequence[str]) -> None:
        """Queue the notice of a run that failed, for these addresses."""
        with self._changed:
            self._pending += 1
        self._queue.put((run, to))

    def settle(self, stopping: threading.Event) -> None:
        """Wait until all is sent, or `stopping` is set."""
        while not self._is_empty(_LOOK_SECONDS) and not stopping.is_set():
            pass

    def close(self) -> None:
        """Take no more, and wait `STOP_SECONDS` at most for what is not sent yet."""
        self._queue.put(None)
        if not self._is_empty(STOP_SECONDS):
            self._told(f"{self._pending} notices were not sent: the schedule was stopped; see `workbench runs list`")

    def _is_empty(self, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: not self._pending, seconds)

    def _send(self) -> None:
        while (item := self._queue.get()) is not None:
            run, to = item
            try:
                failed(run, to, self._settings, told=self._told)
            except Exception as error:
                self._told(f"{run.job} {run.run_id}: nobody was told: {type(error).__name__}: {error}")
            with self._changed:
                self._pending -= 1
                self._changed.notify_all()
