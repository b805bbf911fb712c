"""Commands about events: simulate, ingest, rejects, the lake and its health."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from workbench import config
from workbench.cli.lakes import StoreOption, open_place
from workbench.cli.live import health_lines
from workbench.cli.send import send_community
from workbench.cli.show import columns
from workbench.dashboards import token_strength
from workbench.errors import InvalidArgument, SourceError, StoreCorrupt
from workbench.metrics.arguments import day
from workbench.store.lake import LakeStore

if TYPE_CHECKING:
    from workbench.store.base import Place

rejects = typer.Typer(no_args_is_help=True, help="Messages that were no events: why, and how to try them again.")
lake = typer.Typer(no_args_is_help=True, help="Housekeeping of the lake: layout, expiry, free disk space.")


def add_to(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command(epilog="Example: workbench simulate --users 5000 --days 180 --out data/sample/events.parquet")(simulate)
    app.command(epilog="Example: workbench ingest export.jsonl.gz --mapping mixpanel")(ingest)
    app.command(epilog="Example: workbench doctor --scrub")(doctor)
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
    rules = config.load().time_rules
    mappings.load(mapping)
    sources.find(path, format=format)  # what is mistyped makes no lake
    place = open_place(store, create=True)
    summary = ingest_(place, path, mapping=mapping, format=format, progress=bar, rules=rules)
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
    store: StoreOption = None,
) -> None:
    """Drop events older than the retention; importing old exports never drops anything by itself."""
    before = datetime.now(UTC) - timedelta(days=days or config.load().retention_days)
    dropped = open_place(store).expire(before=before)
    typer.echo(f"{dropped:,} events from before {before:%Y-%m-%d %H:%M} UTC dropped.")


@lake.command("vacuum", epilog="Example: workbench lake vacuum --grace-hours 1")
def vacuum(
    *,
    grace_hours: Annotated[
        float | None, typer.Option(help="Keep what younger versions need; the settings' if not given.", min=0, max=26)
    ] = None,
    store: StoreOption = None,
) -> None:
    """Delete files that no version inside the grace needs."""
    grace = config.load().vacuum_grace_hours if grace_hours is None else grace_hours
    gone = open_place(store).vacuum(grace_hours=grace)
    typer.echo(f"{len(gone):,} files deleted.")


_SPAN: Final = "SELECT count(*) AS events, min(occurred_at) AS first, max(occurred_at) AS last FROM events"


def doctor(
    *,
    scrub: Annotated[bool, typer.Option("--scrub", help="Read every byte and compare it with its checksum.")] = False,
    queue: Annotated[bool, typer.Option("--queue", help="Also ask Kafka how far behind the lake is.")] = False,
    store: StoreOption = None,
) -> None:
    """Say how the store is; with --scrub, whether any file of a lake is damaged; with --queue, if the stream flows.

    Exit 1 if a file is damaged, no broker answers, or a partition with messages does not move.
    """
    opened = open_place(store)
    snapshot = opened.snapshot()
    typer.echo(f"store     {opened.name}\nversion   {snapshot.data_version}")
    if isinstance(opened, LakeStore):
        _files(opened, scrub=scrub)
    elif scrub:
        raise InvalidArgument("only a lake is scrubbed: ClickHouse checks the sums of its parts at every read")
    (row,) = snapshot.query(_SPAN).to_pylist()
    typer.echo(f"events    {row['events']:,}")
    if row["events"]:
        typer.echo(f"from      {row['first']:%Y-%m-%d %H:%M} to {row['last']:%Y-%m-%d %H:%M} UTC")
    for line in health_lines(opened):
        typer.echo(line)
    if queue:
        _queue(opened)


def _files(lake: LakeStore, *, scrub: bool) -> None:
    """Say how the files of a lake are; look at every byte of them if `scrub`."""
    files = lake.snapshot().files
    waiting, size = sum(file.rows for file in files if file.in_tail), sum(file.size for file in files) / 1e6
    typer.echo(f"files     {len(files):,}, {size:,.1f} MB, {waiting:,} events not sorted yet")
    unchecked = lake.files_without_checksum()
    if unchecked:
        typer.echo(
            f"unchecked {len(unchecked):,} files of other programs or versions have no checksum, the first is "
            f"{unchecked[0]}: `workbench lake compact --full` adds them"
        )
    if not scrub:
        return
    damaged = lake.scrub()
    for path, wrong in damaged.items():
        typer.echo(f"damaged   {path}: {wrong}")
    if damaged:
        raise StoreCorrupt(f"{len(damaged)} of {len(files)} files are damaged: restore them, or ingest into a new lake")
    typer.echo(f"scrubbed  {len(files):,} files, every byte is as it was committed")


def _queue(place: Place) -> None:
    """Say how far each partition is read, and what of it could not be."""
    from workbench.ingest import health, ledger  # noqa: PLC0415

    settings = config.load().kafka
    found = health.partitions(settings, settings.events, place)
    typer.echo(f"broker    {settings.brokers} answers, topic {settings.events} has {len(found)} partitions")
    rows = [
        (each.source, f"{each.position:,}", f"{each.end:,}", f"{each.lag:,}", "stuck" if each.is_stuck else "")
        for each in found
    ]
    if rows:
        typer.echo(columns(("partition", "read to", "end", "behind", ""), rows))
    for gap in ledger.gaps(place.control):
        typer.echo(f"gap       {gap.source} {gap.start:,} to {gap.end:,}, {gap.reason}: {gap.detail}")
    stuck = [each.source for each in found if each.is_stuck]
    if stuck:
        raise SourceError(f"{', '.join(stuck)}: messages wait and nobody reads them; is `workbench stream` running?")


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
