"""What people are told when a job has failed for good: which, why, in which cell, and the end of what it wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workbench.reports.deliver import Message, send
from workbench.reports.render import fill

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workbench.config import Settings
    from workbench.store.job_runs import JobRun

_LOG_BYTES: Final = 3_000


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
