"""Commands about what was run: by hand, or by the clock."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workbench import config
from workbench.cli.lakes import StoreOption, open_place
from workbench.cli.show import columns
from workbench.errors import InvalidArgument, PipelineError

if TYPE_CHECKING:
    from workbench.store.job_runs import JobRun

runs = typer.Typer(no_args_is_help=True, help="What was run, when, and how it went.")
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Its id, or the beginning of it.")]
BY_HAND_SECONDS = 24 * 3600.0


def add_to(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.add_typer(runs, name="runs")


@runs.command("list", epilog="Example: workbench runs list --limit 5")
def list_runs(
    *,
    limit: Annotated[int, typer.Option(help="Most to list.", min=1)] = 20,
    job: Annotated[str | None, typer.Option(help="Only of this job of the schedule.")] = None,
    store: StoreOption = None,
) -> None:
    """List the latest runs, the newest first: of the pipeline, and of the schedule's jobs (their ids begin with j)."""
    from workbench.store import job_runs  # noqa: PLC0415
    from workbench.store import runs as history  # noqa: PLC0415

    control = open_place(store).control
    rows = [] if job else [
        (r.started_at, (r.run_id, "pipeline", r.status, _when(r.started_at), r.data_version or "", r.detail[:60]))
        for r in history.list_(control, limit=limit)
    ]  # fmt: skip
    for each in job_runs.list_(control, limit=limit, job=job):
        at = each.at or datetime.now(UTC)
        rows.append((at, (each.run_id, each.job, _status(each), _when(at), "", each.detail[:60])))
    if not rows:
        typer.echo("Nothing was run yet: `workbench run --source FILE`")
        return
    latest = [row for _, row in sorted(rows, key=lambda row: row[0], reverse=True)[:limit]]
    typer.echo(columns(("run", "what", "status", "started or due", "data", "detail"), latest))


@runs.command("show", epilog="Example: workbench runs show 20261123-0915")
def show_run(run_id: RunArgument, *, store: StoreOption = None) -> None:
    """Say how one run went, task by task if it is one of the pipeline."""
    from workbench.pipeline.show import line  # noqa: PLC0415
    from workbench.store import job_runs  # noqa: PLC0415
    from workbench.store import runs as history  # noqa: PLC0415

    control = open_place(store).control
    if run_id.startswith("j"):
        each = job_runs.show(control, run_id)
        typer.echo(f"{each.run_id} {each.job} {_status(each)}\nworkbench {' '.join(each.command)}\n{each.detail}")
        facts = {
            "due": each.due_at and _when(each.due_at), "started": each.started_at and _when(each.started_at),
            "ended": each.finished_at and _when(each.finished_at), "attempts": each.attempt,
            "exit code": each.exit_code, "memory": each.peak_mb and f"{each.peak_mb:,.0f} MB", "log": each.log,
        }  # fmt: skip
        typer.echo("\n".join(f"{name:10} {value}" for name, value in facts.items() if value is not None))
        return
    found = history.show(control, run_id)
    typer.echo(f"{found.run_id} {found.status}, data {found.data_version or 'unknown'}\n{found.params}\n{found.detail}")
    for task in found.tasks:
        typer.echo(line(task))


@runs.command("logs", epilog="Example: workbench runs logs j20261123-0700")
def logs(run_id: RunArgument, *, store: StoreOption = None) -> None:
    """Print what a job's run wrote."""
    found = _job_run(run_id, store)
    if found.log is None or not Path(found.log).is_file():
        raise InvalidArgument(f"{found.run_id} is {found.status} and has no log")
    text = Path(found.log).read_text(encoding="utf-8", errors="replace")
    typer.echo(config.masked(text, config.load()), nl=False)


@runs.command("rerun", epilog="Example: workbench runs rerun j20261123-0700")
def rerun(run_id: RunArgument, *, store: StoreOption = None) -> None:
    """Run the same once more, now and with the same parameters; what is up to date is not computed again."""
    from workbench.pipeline import schedule  # noqa: PLC0415
    from workbench.store import job_runs  # noqa: PLC0415
    from workbench.store import runs as history  # noqa: PLC0415

    control = open_place(store).control
    if run_id.startswith("j"):
        before = job_runs.show(control, run_id)
        job, words = before.job, before.command
    else:
        job, words = "pipeline", tuple(_words(history.show(control, run_id).params))
    settings = config.load()
    with config.store_of_children(store or settings.store):
        done = schedule.execute(
            control, job, words, logs=config.resolved(settings.products) / "logs", timeout=BY_HAND_SECONDS
        )
    typer.echo(f"run {done.run_id} {done.status}: {done.detail or done.log}")
    if done.status != "succeeded":
        raise PipelineError(f"{done.job} {done.status}: `workbench runs logs {done.run_id}` says more")


@runs.command("cancel", epilog="Example: workbench runs cancel j20261123-0700")
def cancel(run_id: RunArgument, *, store: StoreOption = None) -> None:
    """Stop a run and all its processes; one that waits does not start."""
    from workbench.pipeline import child  # noqa: PLC0415
    from workbench.pipeline.schedule import is_alive  # noqa: PLC0415
    from workbench.store import job_runs  # noqa: PLC0415
    from workbench.store import runs as history  # noqa: PLC0415

    control = open_place(store).control
    if not run_id.startswith("j"):
        found = history.show(control, run_id)
        if found.status != "running" or found.pid is None:
            raise InvalidArgument(f"{found.run_id} does not run: it {found.status}")
        os.kill(found.pid, signal.SIGINT)
        typer.echo(f"{found.run_id} was interrupted.")
        return
    run = job_runs.show(control, run_id)
    if run.status not in job_runs.ACTIVE:
        raise InvalidArgument(f"{run.run_id} does not run and does not wait: it is {run.status}")
    job_runs.update(control, run.run_id, cancelled_by="workbench runs cancel")
    if not is_alive(control) and not (run.status == "running" and child.is_running(run.pid, run.pid_started)):
        job_runs.update(control, run.run_id, status="cancelled", detail="cancelled by workbench runs cancel")
    typer.echo(f"{run.run_id} is being stopped.")


def _job_run(run_id: str, store: str | None) -> JobRun:
    from workbench.store import job_runs  # noqa: PLC0415

    if not run_id.startswith("j"):
        raise InvalidArgument(f"{run_id} is a run of the pipeline, which keeps pages, no log: `workbench runs show`")
    return job_runs.show(open_place(store).control, run_id)


def _words(params: dict[str, object]) -> list[str]:
    """Turn what a run of the pipeline was asked for into the words of its command."""
    from workbench.pipeline.jobs import assigned  # noqa: PLC0415

    asked = {name: params.get(name) for name in ("source", "mapping", "date", "only")}
    values = params.get("values") or {}
    words = ["run", *(f"--{name}={value}" for name, value in asked.items() if value is not None)]
    words += assigned(dict(values))  # type: ignore[call-overload]
    return words + (["--force"] if params.get("force") else [])


def _status(run: JobRun) -> str:
    return f"again at {run.again_at:%H:%M}" if run.again_at else run.status


def _when(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"
