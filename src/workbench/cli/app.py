"""`workbench`: the commands, and how errors reach a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from workbench import __version__
from workbench.cli import data, doctor, jobs, live, models, report, runs, schedule, send, stores, stream
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from collections.abc import Sequence

INTERRUPTED: Final = 130
"""Exit code after Ctrl-C, as shells have it."""

app = typer.Typer(
    name="workbench",
    help="Ask questions of a community's events: ingest them, run the pipeline, serve the dashboards.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data.add_to(app)
doctor.add_to(app)
jobs.add_to(app)
runs.add_to(app)
report.add_to(app)
schedule.add_to(app)
stream.add_to(app)
send.add_to(app)
live.add_to(app)
stores.add_to(app)
models.add_to(app)


@app.callback(invoke_without_command=True)
def version(
    *, version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False
) -> None:
    """Ask questions of a community's events: ingest them, run the pipeline, serve the dashboards."""
    if version:
        typer.echo(__version__)
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit: 0 when all went well, 1 on an error, 2 on wrong usage, 130 on Ctrl-C."""
    try:
        app(arguments)
    except WorkbenchError as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        sys.exit(1)
    except OSError as error:
        what = f"{error.strerror}: {error.filename}" if error.filename else str(error)
        typer.secho(f"error: {what}", fg="red", err=True)
        sys.exit(1)
    except SystemExit as stop:
        if stop.code == INTERRUPTED:
            typer.secho("\nInterrupted. What was committed is kept: run the same command again to go on.", err=True)
        raise
