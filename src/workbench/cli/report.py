"""Commands of reports: which there are, making them, what moved between two, and sending them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from workbench import config
from workbench.cli.jobs import assignment
from workbench.cli.lakes import StoreOption  # noqa: TC001 - read at run time, for the options
from workbench.cli.show import columns
from workbench.errors import DeliveryError, InvalidArgument, ReportError
from workbench.metrics.arguments import day
from workbench.store.opening import resolved

if TYPE_CHECKING:
    from workbench.pipeline.report import Made
    from workbench.reports.pins import Pins

report = typer.Typer(no_args_is_help=True, help="Reports: make them, send them, and say what moved between two.")
IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Its id, or the beginning of it: the newest counts.")]
ToOption = Annotated[
    list[str] | None,
    typer.Option("--to", help="Instead of the catalog's: mailto:…, https://…, slack:…, folder:…, s3://…"),
]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.add_typer(report, name="report")


@report.command("list", epilog="Example: workbench report list")
def list_reports(*, limit: Annotated[int, typer.Option(help="Most to list.", min=1)] = 20) -> None:
    """List the reports of the catalog, and those that were made, the newest first."""
    from workbench.reports import catalog, pins  # noqa: PLC0415

    known = [
        (each.name, each.title, each.schedule or "by hand", ", ".join(each.formats), f"{len(each.to)} recipients")
        for each in catalog.load().values()
    ]
    typer.echo(columns(("report", "title", "schedule", "formats", "for"), known))
    made = pins.listed(config.resolved(config.load().reports))[:limit]
    if made:
        rows = [(p.report_id, p.status, p.until, p.data_version, ", ".join(p.files) or p.detail[:60]) for p in made]
        typer.echo("\n" + columns(("made", "status", "data up to", "data", "files"), rows))


@report.command("run", epilog="Example: workbench report run weekly_product --set weeks=12 --deliver")
def run(
    name: Annotated[str, typer.Argument(metavar="REPORT", help="Which one of the catalog.")],
    *,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE of a parameter; the value as YAML. Repeatable.")
    ] = None,
    date_: Annotated[
        str | None, typer.Option("--date", help="First day after the data, YYYY-MM-DD; their last day if not given.")
    ] = None,
    deliver: Annotated[bool, typer.Option("--deliver", help="Send it to its recipients.")] = False,
    to: ToOption = None,
    store: StoreOption = None,
) -> None:
    """Make a report: its page, and the other formats that the catalog names; 1 if it failed."""
    from workbench.pipeline.report import make  # noqa: PLC0415

    settings = config.load()
    recipients = _recipients(name, to) if deliver or to else []
    where = resolved(store or settings.store)
    values, until = dict(map(assignment, set_ or [])), None if date_ is None else day(date_)
    made = make(name, values, store=where, settings=settings, until=until, told=typer.echo)
    _said(made)
    if recipients:
        _delivered(made.pins, recipients)


@report.command("show", epilog="Example: workbench report show weekly_product")
def show(report_id: IdArgument) -> None:
    """Say what a report was made from, and what it says."""
    from workbench.reports import pins  # noqa: PLC0415

    folder = pins.find(config.resolved(config.load().reports), report_id)
    made = pins.Pins.read(folder)
    facts = {
        "report": f"{made.report_id} {made.status}", "data": f"{made.data_version}, up to {made.until}",
        "known at": made.known_at, "parameters": made.values, "notebook": made.notebook_hash, "code": made.code_hash,
        "settings": made.settings_hash, "files": ", ".join(str(folder / file) for file in made.files),
    }  # fmt: skip
    typer.echo("\n".join(f"{name:11}{value}" for name, value in facts.items()))
    for answer in made.answers:
        typer.echo(f"\n{answer.name} ({answer.question}, {answer.rows} rows, {answer.frame_hash})\n{answer.reading}")
    if made.detail:
        typer.echo(f"\n{made.detail}")


@report.command("again", epilog="Example: workbench report again weekly_product-20261123")
def again(report_id: IdArgument, *, store: StoreOption = None) -> None:
    """Make a report once more from what it pinned, and compare; 1 if a number is another one."""
    from workbench.pipeline.report import again as once_more  # noqa: PLC0415
    from workbench.reports import moved, pins  # noqa: PLC0415

    settings = config.load()
    folder = pins.find(config.resolved(settings.reports), report_id)
    made = once_more(folder.name, store=resolved(store or settings.store), settings=settings, told=typer.echo)
    _said(made)
    found = moved.between(folder, made.folder)
    typer.echo(found.told())
    if found.answers_moved:
        raise ReportError(f"{', '.join(found.answers_moved)}: not the same as in {folder.name}")


@report.command("diff", epilog="Example: workbench report diff weekly_product-20261116 weekly_product-20261123")
def diff(
    one: Annotated[str, typer.Argument(metavar="A", help="The earlier one, or the beginning of its id.")],
    other: Annotated[str, typer.Argument(metavar="B", help="The later one.")],
    *,
    why: Annotated[bool, typer.Option("--why/--no-why", help="Also say why: the questions are asked again.")] = True,
    store: StoreOption = None,
) -> None:
    """Say which numbers moved between two reports, by how much, and why."""
    from workbench.reports import moved, pins  # noqa: PLC0415

    settings = config.load()
    folders = [pins.find(config.resolved(settings.reports), each) for each in (one, other)]
    found = moved.between(*folders)
    typer.echo(found.told())
    if why and found.answers_moved:
        typer.echo("\n" + moved.why(*folders, names=found.answers_moved, store=resolved(store or settings.store)))


@report.command("deliver", epilog="Example: workbench report deliver weekly_product --to mailto:ann@example.com")
def deliver(report_id: IdArgument, *, to: ToOption = None) -> None:
    """Send a report that was made; 1 if one of its recipients did not get it."""
    from workbench.reports import pins  # noqa: PLC0415

    made = pins.Pins.read(pins.find(config.resolved(config.load().reports), report_id))
    _delivered(made, _recipients(made.report, to))


def _said(made: Made) -> None:
    for file in made.pins.files:
        typer.echo(str(made.folder / file))
    if made.pins.status != "succeeded":
        raise ReportError(f"{made.pins.report_id} failed: {made.pins.detail}")


def _recipients(name: str, to: list[str] | None) -> list[str]:
    """Say who gets a report, before it is made: those who are named here, or those of the catalog."""
    from workbench.reports import catalog, deliver  # noqa: PLC0415

    found = [deliver.check(each) for each in to] if to else list(catalog.report(name).to)
    if not found:
        raise InvalidArgument(f"report {name} has no recipients: name them under `to` in the catalog, or by --to")
    return found


def _delivered(made: Pins, recipients: list[str]) -> None:
    from workbench.reports import deliver, letter  # noqa: PLC0415

    settings = config.load()
    folder = config.resolved(settings.reports) / made.report_id
    done = deliver.send(letter.of(made, folder, settings), recipients, settings)
    for each in done:
        typer.echo(f"{each.to} {each.status} {each.detail}".rstrip())
    if failed := [each.to for each in done if each.status != "delivered"]:
        raise DeliveryError(f"{len(failed)} of {len(done)} recipients did not get it: {', '.join(failed)}")
