"""Commands about events: simulate, ingest, rejects, the lake and its health."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from workbench import config
from workbench.cli.lakes import StoreOption, open_place
from workbench.cli.send import send_community
from workbench.cli.show import columns
from workbench.dashboards import token_strength
from workbench.errors import InvalidArgument
from workbench.metrics.arguments import day

rejects = typer.Typer(no_args_is_help=True, help="Messages that were no events: why, and how to try them again.")
lake = typer.Typer(no_args_is_help=True, help="Housekeeping of the lake: layout, expiry, free disk space.")


def add_to(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command(epilog="Example: workbench simulate --users 5000 --days 180 --out data/sample/events.parquet")(simulate)
    app.command(epilog="Example: workbench ingest export.jsonl.gz --mapping mixpanel")(ingest)
    app.command("config", epilog="Example: WORKBENCH_PORT=9000 workbench config")(show_config)
    app.add_typer(rejects, name="rejects")
    app.add_typer(lake, name="lake")


def simulate(
    *,
    users: Annotated[int, typer.Option(help="How many people join over the whole time.")] = 2500,
    days: Annotated[int, typer.Option(help="How many days to live through.")] = 120,
    seed: Annotated[int, typer.Option(help="The same seed gives the same community.")] = 7,
    until: Annotated[
        str | None, typer.Option(help="First day after the end, YYYY-MM-DD; a fixed day if not given.")
    ] = None,
    out: Annotated[Path, typer.Option(help="File to write: .parquet, .jsonl or .jsonl.gz.")] = Path(
        "data/sample/events.parquet"
    ),
    to: Annotated[str | None, typer.Option(help="Send them as they happen instead: kafka://host:port/topic.")] = None,
    rate: Annotated[
        float | None, typer.Option(help="With --to: messages a second on average; so many people take part.")
    ] = None,
    speed: Annotated[str, typer.Option(help="With --to: how much faster than life.")] = "60x",
) -> None:
    """Write the events of a simulated community, and beside them the truth that they were made from; or send them."""
    if to is not None:
        send_community(to, users=users, days=days, seed=seed, rate=rate, speed=speed)
        return
    from tqdm import tqdm  # noqa: PLC0415

    from workbench.simulate import write  # noqa: PLC0415

    end = {} if until is None else {"until": day(until)}
    with tqdm(total=days, unit="day", desc=f"simulating {out.name}", disable=None) as bar:
        made = write(config.resolved(out), users=users, days=days, seed=seed, progress=lambda *_: bar.update(), **end)
    typer.echo(
        f"{made.events:,} simulated events of {made.users:,} people in {made.seconds:.1f} s: {made.path}\n"
        f"{made.duplicates:,} of them repeat an earlier one, {made.late:,} arrive late; the truth is in {made.truth}"
    )


def ingest(
    path: Annotated[str, typer.Argument(help="A file, a folder of files, or - for standard input.")],
    *,
    mapping: Annotated[
        str, typer.Option(help="native, mixpanel, amplitude, posthog, segment, or a YAML file of your own.")
    ] = "native",
    format: Annotated[
        str | None, typer.Option(help="jsonl, csv or parquet, where the name of the file does not say it.")
    ] = None,
    store: StoreOption = None,
) -> None:
    """Add the events of an export to the lake: each once, however often this is repeated or interrupted."""
    from tqdm import tqdm  # noqa: PLC0415

    from workbench.ingest import mappings, sources  # noqa: PLC0415
    from workbench.ingest.files import ingest as ingest_  # noqa: PLC0415

    bar = partial(tqdm, disable=None)  # none where the output is not a terminal
    settings = config.load()
    mappings.load(mapping)
    sources.find(path, format=format)  # what is mistyped makes no lake
    place = open_place(store, create=True)
    summary = ingest_(
        place, path, mapping=mapping, format=format, progress=bar, rules=settings.time_rules,
        retention_days=settings.retention_days,
    )  # fmt: skip
    typer.echo(summary.reading())


@rejects.command("list", epilog="Example: workbench rejects list --reason bad_time --limit 20")
def list_rejects(
    *,
    reason: Annotated[str | None, typer.Option(help="Only those rejected for this reason.")] = None,
    limit: Annotated[int, typer.Option(help="Most to list.", min=1)] = 50,
    store: StoreOption = None,
) -> None:
    """List messages that were set aside, the newest first."""
    from workbench.ingest import rejects as room  # noqa: PLC0415

    found = room.list_(open_place(store).control, reason=reason, limit=limit)
    if not found:
        typer.echo("No rejects.")
        return
    rows = [(r.reject_id, r.name, str(r.position), r.reason, r.detail[:60], r.replayed_at or "") for r in found]
    typer.echo(columns(("id", "from", "position", "reason", "detail", "replayed"), rows))


@rejects.command("show", epilog="Example: workbench rejects show 3f9c1a20")
def show_reject(
    reject_id: Annotated[str, typer.Argument(help="Its id, or the beginning of it.")], *, store: StoreOption = None
) -> None:
    """Print one message as it came, and why it is no event."""
    from workbench.ingest import rejects as room  # noqa: PLC0415

    found = room.show(open_place(store).control, reject_id)
    typer.echo(f"{found.reason}: {found.detail}\n{found.name}, position {found.position}, {found.size_bytes:,} bytes\n")
    typer.echo(found.original)


@rejects.command("replay", epilog="Example: workbench rejects replay --reason wrong_type --mapping fixed.yaml")
def replay_rejects(
    *,
    reason: Annotated[str | None, typer.Option(help="Only those rejected for this reason.")] = None,
    mapping: Annotated[str | None, typer.Option(help="Read them with another mapping than at first.")] = None,
    store: StoreOption = None,
) -> None:
    """Try messages that were set aside again; what is an event now goes into the lake, once."""
    from workbench.ingest import rejects as room  # noqa: PLC0415

    rules = config.load().time_rules
    typer.echo(room.replay(open_place(store), reason=reason, mapping=mapping, rules=rules).reading())


@lake.command("compact", epilog="Example: workbench lake compact --full")
def compact(
    *,
    full: Annotated[bool, typer.Option("--full", help="Also merge cells that hold several files.")] = False,
    store: StoreOption = None,
) -> None:
    """Sort what has arrived by user and time, and drop repeated events."""
    dropped = open_place(store).maintain(full=full)
    typer.echo(f"Compacted; {dropped:,} repeated events dropped.")


@lake.command("tables", epilog="Example: workbench lake tables --days 2 --store clickhouse://127.0.0.1:8123/default")
def tables(
    *,
    days: Annotated[
        int | None, typer.Option(help="Look at so many days, today included; at everything if not given.", min=1)
    ] = None,
    store: StoreOption = None,
) -> None:
    """Write the tables beside the events that other tools read: profiles, journeys, AI answers; of ClickHouse only."""
    from workbench.store.clickhouse_tables import fill  # noqa: PLC0415 - an extra

    settings, place, now = config.load(), open_place(store), datetime.now(UTC)
    if not hasattr(place, "select"):
        raise InvalidArgument(f"{place.name} is a lake, whose files other tools read as they are: name a database")
    since = None if days is None else now - timedelta(days=days - 1)
    for table, rows in fill(place, now=now, since=since, prices=settings.prices).items():  # type: ignore[arg-type]
        typer.echo(f"{table:20} {rows:12,} rows")


@lake.command("expire", epilog="Example: workbench lake expire --days 365")
def expire(
    *,
    days: Annotated[
        int | None, typer.Option(help="Age in days; retention_days of the settings if not given.", min=1)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Drop them even if they are more than 5 % of all events.")] = False,
    store: StoreOption = None,
) -> None:
    """Drop events older than the retention. Ages count from the newest event, or from now if that is earlier."""
    from workbench.store.expiry import expire as expire_  # noqa: PLC0415

    retention = days or config.load().retention_days
    if retention is None:
        raise InvalidArgument("nothing expires, as retention_days is not set: set it, or give an age with --days")
    dropped = expire_(open_place(store), days=retention, now=datetime.now(UTC), confirmed=yes)
    typer.echo(f"{dropped.events:,} events from before {dropped.before:%Y-%m-%d %H:%M} UTC dropped.")


@lake.command("vacuum", epilog="Example: workbench lake vacuum --grace-hours 1")
def vacuum(
    *,
    grace_hours: Annotated[
        float | None, typer.Option(help="Keep what younger versions need; the settings' if not given.", min=0, max=26)
    ] = None,
    store: StoreOption = None,
) -> None:
    """Delete files that no version inside the grace needs; files that no version ever had stay for 24 hours."""
    grace = config.load().vacuum_grace_hours if grace_hours is None else grace_hours
    gone = open_place(store).vacuum(grace_hours=grace)
    typer.echo(f"{len(gone):,} files deleted.")


def show_config() -> None:
    """Print every setting as it is in force here."""
    settings = config.load()
    fields = type(settings).model_fields
    told = {name: config.masked(str(getattr(settings, name)), settings) for name in fields}
    rows = [(name, told[name], field.description or "") for name, field in fields.items()]
    typer.echo(columns(("setting", "value", "meaning"), rows))
    token = settings.dashboards.token
    if token is not None and (weak := token_strength.warning(token.get_secret_value())):
        typer.secho(f"warning: {weak}", fg="yellow", err=True)
