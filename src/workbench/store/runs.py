"""The history of runs, in the control state of the lake that they were about."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from workbench.errors import InvalidArgument
from workbench.store import control as state

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class TaskRun:
    """One task of a run.

    Attributes:
        task: Its name.
        status: `skipped` (nothing of it had changed), `succeeded` or `failed`; on the way also
            `waiting` and `running`, and `not run` where something above it failed.
        seconds: Wall time.
        detail: Why it ran, or what went wrong.
    """

    task: str
    status: str
    seconds: float = 0.0
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of the pipeline.

    Attributes:
        run_id: Its time and a few random digits; sorts by time.
        status: `running`, `succeeded`, `failed` or `cancelled`.
        started_at: UTC.
        finished_at: UTC; `None` while it runs.
        params: What was asked for.
        data_version: Version of the events that its answers are about, if it came that far.
        detail: What went wrong.
        tasks: Those that were reached.
        pid: The process that runs it, or ran it.
        report: The page to open, where that is known.
    """

    run_id: str
    status: str
    started_at: datetime
    finished_at: datetime | None
    params: dict[str, object]
    data_version: str | None
    detail: str
    tasks: tuple[TaskRun, ...]
    pid: int | None = None
    report: Path | None = None


def begin(control: Path, params: Mapping[str, object]) -> str:
    """Write down that a run begins; return its id."""
    now = datetime.now(UTC)
    run_id = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    with state.connect(control) as connection:
        connection.execute(
            "INSERT INTO runs (run_id, started_at, status, params, pid) VALUES (?, ?, 'running', ?, ?)",
            (run_id, now.isoformat(), json.dumps(dict(params)), os.getpid()),
        )
    return run_id


def record(control: Path, run_id: str, task: TaskRun) -> None:
    """Write down how a task ended."""
    with state.connect(control) as connection:
        connection.execute(
            "INSERT INTO tasks (run_id, task, status, seconds, detail) VALUES (?, ?, ?, ?, ?)",
            (run_id, task.task, task.status, task.seconds, task.detail),
        )


def end(control: Path, run_id: str, *, status: str, data_version: str | None, detail: str = "") -> None:
    """Write down how a run ended."""
    with state.connect(control) as connection:
        connection.execute(
            "UPDATE runs SET finished_at = ?, status = ?, data_version = ?, detail = ? WHERE run_id = ?",
            (datetime.now(UTC).isoformat(), status, data_version, detail, run_id),
        )


def end_abandoned(control: Path) -> None:
    """Call failed what still says that it runs; for a process that knows that nothing does."""
    with state.connect(control) as connection:
        connection.execute(
            "UPDATE runs SET status = 'failed', detail = 'its process ended without a word', finished_at = ?"
            " WHERE status = 'running'",
            (datetime.now(UTC).isoformat(),),
        )


def list_(control: Path, *, limit: int = 20) -> list[Run]:
    """Return the latest runs, the newest first."""
    with state.connect(control) as connection:
        rows = connection.execute("SELECT * FROM runs ORDER BY started_at DESC, run_id DESC LIMIT ?", (limit,))
        return [_run(connection, row) for row in rows.fetchall()]


def show(control: Path, run_id: str) -> Run:
    """Return one run by its id, or the beginning of it.

    Raises:
        InvalidArgument: No run has such an id, or several have.
    """
    with state.connect(control) as connection:
        rows = connection.execute("SELECT * FROM runs WHERE substr(run_id, 1, ?) = ?", (len(run_id), run_id)).fetchall()
        if len(rows) != 1:
            raise InvalidArgument(f"{len(rows)} runs have an id that begins with {run_id!r}: see `workbench runs list`")
        return _run(connection, rows[0])


def _run(connection: sqlite3.Connection, row: sqlite3.Row) -> Run:
    tasks = connection.execute("SELECT * FROM tasks WHERE run_id = ? ORDER BY rowid", (row["run_id"],)).fetchall()
    return Run(
        run_id=row["run_id"],
        status=row["status"],
        started_at=datetime.fromisoformat(row["started_at"]),
        finished_at=datetime.fromisoformat(row["finished_at"]) if row["finished_at"] else None,
        params=json.loads(row["params"]),
        data_version=row["data_version"],
        detail=row["detail"],
        pid=row["pid"],
        tasks=tuple(
            TaskRun(task=t["task"], status=t["status"], seconds=t["seconds"], detail=t["detail"]) for t in tasks
        ),
    )
