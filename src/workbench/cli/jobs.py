"""Commands that run things: the pipeline, its history, the dashboards."""

from __future__ import annotations

import typer

runs = typer.Typer(no_args_is_help=True, help="What was run, when, and how it went.")


def add_to(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command(epilog="Example: workbench run --source export.jsonl --mapping mixpanel --date 2026-11-01")(run)
    app.command(epilog="Example: workbench serve --port 9000")(serve)
    app.add_typer(runs, name="runs")
