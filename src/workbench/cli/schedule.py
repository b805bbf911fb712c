"""Commands of the schedule: the daemon, and what it would run when."""

from __future__ import annotations

import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workbench import config
from workbench.cli.lakes import StoreOption, open_place
from workbench.cli.show import columns
from workbench.errors import StoreNotFound

if TYPE_CHECKING:
    from workbench.pipeline.jobs import Schedule

schedule = typer.Typer(help="Run pipeline, training, reports and upkeep by the clock.", invoke_without_command=True)
FileOption = Annotated[
    Path | None, typer.Option("--file", help="YAML of the jobs; the settings' `schedule`, or what comes along.")
]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.add_typer(schedule, name="schedule")


@schedule.callback(epilog="Example: workbench schedule --file schedule.yaml")
def daemon(
    context: typer.Context,
    *,
    file: FileOption = None,
    once: Annotated[bool, typer.Option("--once", help="Run what is due now, and end; for cron.")] = False,
    store: StoreOption = None,
) -> None:
    """Run the jobs by the clock until Ctrl-C or SIGTERM; one daemon a store."""
    if context.invoked_subcommand is not None:
        return
    from workbench.pipeline.jobs import load  # noqa: PLC0415
    from workbench.pipeline.schedule import Daemon, is_alive  # noqa: PLC0415
    from workbench.store.opening import is_for_one_process  # noqa: PLC0415

    settings, jobs = config.load(), load(file)
    where = store or settings.store
    place = open_place(store, create=True)  # its jobs may be what ingests the first event
    place.close()
    running = Daemon(
        jobs, place.control, settings, logs=config.resolved(settings.products) / "logs",
        at_once=1 if is_for_one_process(where) else None,
        told=lambda line: typer.echo(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {config.masked(line, settings)}"),
    )  # fmt: skip
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: running.stop())
    if not once:
        typer.echo(f"{len(jobs.jobs)} jobs; Ctrl-C ends. `workbench schedule list` says when each is due.")
    if once and is_alive(place.control):
        typer.echo("What is due runs already.")  # cron comes again, and would mail an error each time
        return
    with config.store_of_children(where):
        running.run(once=once)


@schedule.command("list", epilog="Example: workbench schedule list")
def list_jobs(*, file: FileOption = None, store: StoreOption = None) -> None:
    """List the jobs: what each runs, when it is due next, and how its last run went."""
    from workbench.store import job_runs  # noqa: PLC0415

    jobs, now = _load(file), datetime.now(UTC)
    try:
        control = open_place(store).control
    except StoreNotFound:  # nothing has run yet, and a look makes no lake
        control = None
    rows = []
    for job in jobs.jobs:
        last = next(iter(job_runs.list_(control, limit=1, job=job.name)), None) if control else None
        due = job.cron.after(now).astimezone(job.cron.zone)
        told = f"{last.status} {last.at:%Y-%m-%d %H:%M}" if last and last.at else "never"
        rows.append((job.name, job.schedule, f"{due:%Y-%m-%d %H:%M %Z}", told, "workbench " + " ".join(job.command)))
    typer.echo(columns(("job", "schedule", "next", "last", "command"), rows))


@schedule.command("check", epilog="Example: workbench schedule check --file schedule.yaml")
def check(*, file: FileOption = None) -> None:
    """Say whether the file can be used; every fault is named."""
    typer.echo(f"{len(_load(file).jobs)} jobs, all of them can be run.")


@schedule.command("now", epilog="Example: workbench schedule now weekly_product")
def now(
    name: Annotated[str, typer.Argument(metavar="JOB", help="Which job.")],
    *,
    file: FileOption = None,
    store: StoreOption = None,
) -> None:
    """Queue a job at once, for the daemon that runs; without one, the next daemon starts it."""
    from workbench.store import job_runs  # noqa: PLC0415

    job = _load(file).job(name)
    run_id = job_runs.add(open_place(store, create=True).control, job.name, job.command, now=datetime.now(UTC))
    typer.echo(f"{job.name} is queued as {run_id}: `workbench runs show {run_id}`")


def _load(file: Path | None) -> Schedule:
    from workbench.pipeline.jobs import load  # noqa: PLC0415

    return load(file)
