"""Runs: which jobs there are and when each is due, what ran by hand or by the clock, and what failed how."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import pandas as pd

from workbench import config
from workbench.dashboards.definition import Number, Page, Rows, Said, Section, Tile
from workbench.store import job_runs
from workbench.store import runs as history

if TYPE_CHECKING:
    from workbench.dashboards.definition import Content, View
    from workbench.store.job_runs import JobRun

MOST: Final = 25
_LOG_LINES: Final = 20
_LOG_BYTES: Final = 20_000
_DAY: Final = timedelta(days=1)


def _jobs(view: View) -> Content:
    """Show each job, when it is due next, and how it went last."""
    control, zone = view.bench.place.control, view.bench.settings.zone
    known = job_runs.jobs(control)
    rows = []
    for job in known:
        last = next(iter(job_runs.list_(control, limit=1, job=job.job)), None)
        due = f"{job.next_due.astimezone(zone):%a %d %b %H:%M}" if job.next_due else ""
        told = f"{_status(last)} {_when(last).astimezone(zone):%d %b %H:%M}" if last else "never ran"
        rows.append((job.job, job.schedule, due, told))
    frame = pd.DataFrame(rows, columns=["job", "schedule", "next", "last"])
    return Rows(
        title="Jobs", head=("job", "schedule", "due next", "last"), rows=tuple(rows),
        empty="No schedule runs for this store: start one with `workbench schedule`.", frame=frame,
    )  # fmt: skip


def _latest(view: View) -> Content:
    """Show what ran last, by hand or by the clock."""
    control, zone = view.bench.place.control, view.bench.settings.zone
    found = [
        (run.started_at, run.run_id, "pipeline", run.status, _length(run.started_at, run.finished_at), run.detail)
        for run in history.list_(control, limit=MOST)
    ]
    found += [
        (_when(run), run.run_id, run.job, _status(run), _length(run.started_at, run.finished_at), run.detail)
        for run in job_runs.list_(control, limit=MOST)
    ]
    found = sorted(found, key=lambda row: row[0], reverse=True)[:MOST]
    frame = pd.DataFrame(found, columns=["at", "run", "what", "status", "took", "detail"])
    masked = [config.masked(row[5], view.bench.settings)[:160] for row in found]
    rows = tuple(
        (f"{row[0].astimezone(zone):%d %b %H:%M}", row[2], row[3], row[4], row[1], detail)
        for row, detail in zip(found, masked, strict=True)
    )
    return Rows(
        title="Latest runs", head=("at", "what", "status", "took", "run", "detail"), rows=rows,
        empty="Nothing was run yet: `workbench run --source FILE`", frame=frame.assign(detail=masked),
    )  # fmt: skip


def _failed(view: View) -> Content:
    """Show the end of what the last job that failed wrote."""
    found = job_runs.list_(view.bench.place.control, limit=1, status=("failed",))
    if not found:
        return Said(title="Last failure", text="No job has failed.")
    run = found[0]
    text = run.end_of_log(_LOG_BYTES) or run.detail
    lines = config.masked(text, view.bench.settings).splitlines()[-_LOG_LINES:]
    at = f"{_when(run).astimezone(view.bench.settings.zone):%d %b %H:%M}"
    more = f"`workbench runs logs {run.run_id}` has all of it."
    return Rows(
        title=f"Last failure: {run.job}, {at}", head=("the end of its log",), rows=tuple((line,) for line in lines),
        empty=config.masked(run.detail, view.bench.settings), frame=pd.DataFrame({"line": lines}), said=more,
    )  # fmt: skip


def _counted(view: View, status: str) -> int:
    since = datetime.now(UTC) - _DAY
    ended = job_runs.list_(view.bench.place.control, limit=1_000, status=(status,))
    own = [run for run in history.list_(view.bench.place.control, limit=200) if run.status == status]
    return sum(_when(run) > since for run in ended) + sum(run.started_at > since for run in own)


def _running(view: View) -> Content:
    active = job_runs.active(view.bench.place.control)
    return Number(
        title="Running", value=sum(run.status == "running" for run in active),
        note=f"{sum(run.status == 'queued' for run in active)} wait",
    )  # fmt: skip


def _succeeded(view: View) -> Content:
    return Number(title="Succeeded, 24 h", value=_counted(view, "succeeded"))


def _failures(view: View) -> Content:
    count = _counted(view, "failed")
    return Number(title="Failed, 24 h", value=count, bad=count > 0)


def _when(run: JobRun) -> datetime:
    return run.at or datetime.now(UTC)


def _status(run: JobRun) -> str:
    return f"tried again {run.again_at:%H:%M} UTC" if run.again_at else run.status


def _length(started: datetime | None, ended: datetime | None) -> str:
    return f"{(ended - started).total_seconds():,.0f} s" if started and ended else ""


PAGE: Final = Page(
    name="runs",
    title="Runs",
    about="Which jobs there are, when each is due, what ran and how it went.",
    filters=(),
    sections=(
        Section(
            kind="cards",
            tiles=(
                Tile(name="running", title="Running", asks=_running),
                Tile(name="succeeded", title="Succeeded, 24 h", asks=_succeeded),
                Tile(name="failed", title="Failed, 24 h", asks=_failures),
            ),
        ),
        Section(
            kind="tiles",
            tiles=(
                Tile(name="jobs", title="Jobs", asks=_jobs, span=3),
                Tile(name="latest", title="Latest runs", asks=_latest, span=3),
                Tile(name="failure", title="Last failure", asks=_failed, span=3),
            ),
        ),
    ),
)
