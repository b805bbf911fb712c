"""The queue and the history of what runs by the clock, in the control state of a store."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from workbench.errors import InvalidArgument
from workbench.store import control as state

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

ACTIVE: Final = ("queued", "running")


@dataclass(frozen=True, kw_only=True)
class JobState:
    """A job as the daemon knows it.

    Attributes:
        seen_at: Of every due instant up to here it was decided what becomes of it.
        next_due: The first one after the last look.
    """

    job: str
    kind: str
    schedule: str
    timezone: str
    seen_at: datetime
    next_due: datetime | None


@dataclass(frozen=True, kw_only=True)
class JobRun:
    """One time that a job was due, or was asked for by hand.

    Attributes:
        run_id: Begins with `j`, then its time and a few random digits.
        job: Its name.
        due_at: When it was due; `None` when it was asked for by hand.
        command: The words of the command, without secrets.
        status: `queued`, `running`, `succeeded`, `failed`, `cancelled` or `skipped`.
        attempt: How often it was started.
        not_before: When a queued one may start.
        started_at: Of the last attempt.
        finished_at: Of the last attempt.
        pid: Of a running one.
        pid_started: When that process began, in seconds since 1970.
        exit_code: Of the last attempt; negative for a signal.
        peak_mb: Most memory of all its processes together.
        log: What it wrote.
        detail: Why it did not succeed, or was skipped.
        cancelled_by: Who asked to stop it.
    """

    run_id: str
    job: str
    due_at: datetime | None
    command: tuple[str, ...]
    status: str
    attempt: int
    not_before: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    pid: int | None
    pid_started: float | None
    exit_code: int | None
    peak_mb: float | None
    log: str | None
    detail: str
    cancelled_by: str | None

    @property
    def at(self) -> datetime | None:
        """When it started, or is due."""
        return self.started_at or self.due_at or self.not_before

    @property
    def again_at(self) -> datetime | None:
        """When it is tried again; `None` for one that has not failed, or will not be."""
        return self.not_before if self.status == "queued" and self.attempt else None

    def end_of_log(self, size: int) -> str:
        """Return the end of what it wrote, at most so many bytes of it."""
        return tail(Path(self.log), size) if self.log else ""


def tail(log: Path, size: int) -> str:
    """Return the end of a log, at most so many bytes of it; empty where there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - size))
            return file.read(size).decode(errors="replace")
    except OSError:
        return ""


_TIMES: Final = ("due_at", "not_before", "started_at", "finished_at")


def note_job(control: Path, job: JobState) -> None:
    """Keep how far a job was looked at."""
    with state.connect(control) as connection:
        connection.execute(
            "INSERT INTO jobs (job, kind, schedule, timezone, seen_at, next_due) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET kind = excluded.kind, schedule = excluded.schedule,"
            " timezone = excluded.timezone, seen_at = excluded.seen_at, next_due = excluded.next_due",
            (job.job, job.kind, job.schedule, job.timezone, _text(job.seen_at), _text(job.next_due)),
        )


def jobs(control: Path) -> list[JobState]:
    """Return the jobs that the daemon knows, by name."""
    with state.connect(control) as connection:
        rows = connection.execute("SELECT * FROM jobs ORDER BY job").fetchall()
    return [JobState(**{**dict(row), **{name: _time(row[name]) for name in ("seen_at", "next_due")}}) for row in rows]


def forget_jobs(control: Path, known: Sequence[str]) -> None:
    """Drop the jobs that are not scheduled any more; their history stays, and what of them waits is cancelled."""
    marks = ", ".join("?" * len(known))
    with state.connect(control) as connection:
        connection.execute(f"DELETE FROM jobs WHERE job NOT IN ({marks})", tuple(known))  # noqa: S608 - question marks
        connection.execute(
            "UPDATE job_runs SET status = 'cancelled', detail = 'the job is not in the schedule any more'"  # noqa: S608
            f" WHERE status = 'queued' AND due_at IS NOT NULL AND job NOT IN ({marks})",
            tuple(known),
        )


def new_id(now: datetime) -> str:
    """Make an id for a run."""
    return f"j{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def add(
    control: Path,
    job: str,
    command: Sequence[str],
    *,
    now: datetime,
    due_at: datetime | None = None,
    status: str = "queued",
    detail: str = "",
    run_id: str | None = None,
) -> str | None:
    """Queue a job, or write down that it is skipped; return its id, or `None` if that instant was decided before."""
    run_id = run_id or new_id(now)
    ended = _text(now) if status == "skipped" else None
    with state.connect(control) as connection:
        done = connection.execute(
            "INSERT INTO job_runs (run_id, job, due_at, command, status, not_before, finished_at, detail)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (job, due_at) DO NOTHING",
            (run_id, job, _text(due_at), json.dumps(list(command)), status, _text(now), ended, detail),
        )
    return run_id if done.rowcount else None


def update(control: Path, run_id: str, **values: object) -> None:
    """Change columns of one run."""
    known = JobRun.__dataclass_fields__
    if strange := values.keys() - known.keys():
        raise InvalidArgument(f"a run of a job has no {min(strange)!r}: it has {', '.join(known)}")
    sets = ", ".join(f"{name} = :{name}" for name in values)
    bound = {name: _text(value) if isinstance(value, datetime) else value for name, value in values.items()}
    with state.connect(control) as connection:
        connection.execute(
            f"UPDATE job_runs SET {sets} WHERE run_id = :run_id",  # noqa: S608 - names of the columns
            {**bound, "run_id": run_id},
        )


def list_(control: Path, *, limit: int = 20, job: str | None = None, status: Sequence[str] = ()) -> list[JobRun]:
    """Return the latest runs of jobs, the newest first."""
    wanted = " AND ".join(
        ["(:job IS NULL OR job = :job)", *([f"status IN ({', '.join(map(repr, status))})"] if status else [])]
    )
    if unknown := set(status) - {"queued", "running", "succeeded", "failed", "cancelled", "skipped"}:
        raise InvalidArgument(f"no status {min(unknown)!r}")
    with state.connect(control) as connection:
        rows = connection.execute(
            f"SELECT * FROM job_runs WHERE {wanted} ORDER BY coalesce(started_at, due_at, not_before) DESC, rowid DESC"  # noqa: S608
            " LIMIT :limit",
            {"job": job, "limit": limit},
        )
        return [_run(row) for row in rows.fetchall()]


def waiting(control: Path, now: datetime) -> list[JobRun]:
    """Return the runs that may start now, those that were due first first."""
    with state.connect(control) as connection:
        rows = connection.execute(
            "SELECT * FROM job_runs WHERE status = 'queued' AND not_before <= ?"
            " ORDER BY coalesce(due_at, not_before), rowid",
            (_text(now),),
        )
        return [_run(row) for row in rows.fetchall()]


def active(control: Path, job: str | None = None) -> list[JobRun]:
    """Return what is queued or runs, the oldest first."""
    return list_(control, limit=-1, job=job, status=ACTIVE)[::-1]


def show(control: Path, run_id: str) -> JobRun:
    """Return one run by its id, or the beginning of it.

    Raises:
        InvalidArgument: No run has such an id, or several have.
    """
    with state.connect(control) as connection:
        rows = connection.execute(
            "SELECT * FROM job_runs WHERE substr(run_id, 1, ?) = ? LIMIT 2", (len(run_id), run_id)
        ).fetchall()
    if len(rows) != 1:
        told = "several runs have an id that begins" if rows else "no run has an id that begins"
        raise InvalidArgument(f"{told} with {run_id!r}: see `workbench runs list`")
    return _run(rows[0])


def _run(row: sqlite3.Row) -> JobRun:
    values = dict(row)
    values |= {name: _time(values[name]) for name in _TIMES} | {"command": tuple(json.loads(values["command"]))}
    return JobRun(**values)


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.astimezone(UTC).isoformat(timespec="microseconds")


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
