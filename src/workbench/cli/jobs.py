"""Commands that run things: the pipeline, the dashboards."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
import yaml

from workbench import config
from workbench.cli.lakes import StoreOption  # noqa: TC001 - read at run time, for the options
from workbench.errors import InvalidArgument, UnknownTask
from workbench.store.opening import resolved


def add_to(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command(epilog="Example: workbench run --source export.jsonl --mapping mixpanel --date 2026-11-01")(run)
    app.command(epilog="Example: workbench serve --port 9000")(serve)


def run(
    *,
    source: Annotated[str | None, typer.Option(help="The export to ingest; the lake as it is, if not given.")] = None,
    mapping: Annotated[str, typer.Option(help="How to read it; see `workbench ingest --help`.")] = "native",
    date: Annotated[
        str | None, typer.Option(help="First day after the data, YYYY-MM-DD; their last day if not given.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Run every task, changed or not.")] = False,
    only: Annotated[
        str | None, typer.Option(help="Run this task, and what it builds on where that has changed.")
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE over one of env.yaml; the value as YAML. Repeatable.")
    ] = None,
    store: StoreOption = None,
) -> None:
    """Run the notebooks of pipeline.yaml whose data, code or parameters changed, and write the reports."""
    from workbench.dashboards.serve import address  # noqa: PLC0415
    from workbench.pipeline.run import Folders  # noqa: PLC0415 - loads Ploomber
    from workbench.pipeline.run import run as run_  # noqa: PLC0415
    from workbench.pipeline.show import Lines  # noqa: PLC0415

    settings = config.load()
    folders = Folders(
        root=config.root(),
        lake=store or settings.store,
        models=str(settings.models),
        products=str(settings.products),
        reports=str(settings.reports),
    )
    try:
        done = run_(
            folders,
            source=_from_here(source),
            mapping=mapping if not mapping.endswith((".yaml", ".yml")) else _from_here(mapping) or mapping,
            date=date,
            force=force,
            only=only,
            values=dict(map(assignment, set_ or [])),
            timezone=settings.timezone,
            progress=Lines(sys.stdout),
        )
    except UnknownTask as error:
        raise typer.BadParameter(str(error), param_hint="--only") from error
    if done.detail:
        typer.secho(done.detail, fg="yellow")
    typer.echo(f"run {done.run_id} {done.status}: {done.report}")
    typer.echo(f"dashboards: `workbench serve` (or `make serve`), then {address(settings.host, settings.port)}")


def _from_here(path: str | None) -> str | None:
    """Take a path from the folder that the command was typed in; the pipeline takes it from the project's."""
    here = Path.cwd()
    return path if path is None or here == config.root() else str(here / path)


def assignment(text: str) -> tuple[str, object]:
    """Split NAME=VALUE; the value is YAML."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InvalidArgument(f"--set takes NAME=VALUE, such as period=month, not {text!r}")
    try:
        return name.strip(), yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise InvalidArgument(f"--set {name}: {value!r} is no YAML value: {error}") from error


def serve(
    *,
    host: Annotated[str | None, typer.Option(help="Address; this machine's own only.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 picks a free one.", min=0, max=65535)] = None,
    store: StoreOption = None,
) -> None:
    """Serve the dashboards with Voilà until Ctrl-C."""
    from workbench.dashboards.serve import serve as serve_  # noqa: PLC0415

    settings = config.load()
    serve_(
        config.resolved("notebooks/dashboards"),
        host=host or settings.host,
        port=settings.port if port is None else port,
        store=resolved(store or settings.store),
        announce=typer.echo,
    )
