"""The command `doctor`: how the store is, what of it is damaged or lost, and how to mend it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from workbench import config
from workbench.cli.lakes import StoreOption, open_place
from workbench.cli.live import health_lines
from workbench.cli.show import columns
from workbench.errors import InvalidArgument, SourceError, StoreCorrupt, StoreError
from workbench.store.commit_log import CommitLog
from workbench.store.lake import LakeStore
from workbench.store.opening import is_address, resolved

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.store.base import Place

_SPAN: Final = "SELECT count(*) AS events, min(occurred_at) AS first, max(occurred_at) AS last FROM events"


def add_to(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command(epilog="Example: workbench doctor --repair --from export.jsonl --mapping mixpanel")(doctor)


def doctor(
    *,
    scrub: Annotated[bool, typer.Option("--scrub", help="Read every byte and compare it with its checksum.")] = False,
    queue: Annotated[bool, typer.Option("--queue", help="Also ask Kafka how far behind the lake is.")] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Make a damaged lake readable: save what can be, note what is lost.")
    ] = False,
    export: Annotated[
        str | None,
        typer.Option("--from", metavar="FILE", help="With --repair: read this export again for what is missing."),
    ] = None,
    mapping: Annotated[str, typer.Option(help="With --from: the mapping it was ingested with.")] = "native",
    store: StoreOption = None,
) -> None:
    """Say how the store is: whether its log, its files and what the control state says of them fit together.

    Exit 1 if anything is damaged, lost or differs, no broker answers, or a partition with messages does not move.
    """
    if export is not None and not repair:
        raise InvalidArgument("--from is for --repair: it reads an export again for what a damaged lake lacks")
    if repair:
        _repair(store, export, mapping)
    _refuse_damaged_log(store)
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
    _audit(opened)


def _folder(store: str | None) -> Path | None:
    """Return the folder of the lake that is meant; `None` for a database."""
    name = resolved(store or config.load().store)
    return None if is_address(name) else config.resolved(name)


def _refuse_damaged_log(store: str | None) -> None:
    """List every fault of a lake's log, as it cannot be opened with one."""
    folder = _folder(store)
    faults = CommitLog(folder / "events").faults() if folder else []
    for fault in faults:
        typer.echo(f"damaged   {fault}")
    if faults:
        raise StoreCorrupt(f"the log of {folder} is damaged: run `workbench doctor --repair`")


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
    damaged = lake.scrub() if scrub else lake.misfits()
    for path, wrong in damaged.items():
        typer.echo(f"damaged   {path}: {wrong}")
    if damaged:
        raise StoreCorrupt(
            f"{len(damaged)} of {len(files)} files are damaged: restore them, or run `workbench doctor --repair`, with "
            "--from FILE if their export is still there"
        )
    if scrub:
        typer.echo(f"scrubbed  {len(files):,} files, every byte is as it was committed")


def _audit(place: Place) -> None:
    """Say what is lost, and where the control state says other than the store."""
    from workbench.ingest import audit  # noqa: PLC0415
    from workbench.store import losses  # noqa: PLC0415

    lost = losses.open_losses(place.path, place.positions) if isinstance(place, LakeStore) else []
    for loss in lost:
        typer.echo(f"gap       {loss.summary()}, noted {loss.noted_at[:10]}")
    differences = audit.differences(place, _live_positions(place))
    for difference in differences:
        typer.echo(f"differs   {difference}")
    if lost or differences:
        raise StoreCorrupt(
            f"{len(lost)} gap(s) and {len(differences)} difference(s): ingest what is named again, or run "
            "`workbench doctor --repair --from FILE`"
        )


def _live_positions(place: Place) -> dict[str, int]:
    """Return per source where the live numbers have come to; nothing where there are none, or they are broken."""
    from workbench.store.live_open import VIEWS, of_settings  # noqa: PLC0415

    settings = config.load()
    if settings.live == VIEWS:  # the database fills them from its own events
        return {}
    try:
        numbers = of_settings(settings, place, create=False)
    except StoreError:
        return {}  # `health_lines` says so
    try:
        return {source: state.position for source, state in numbers.state().sources.items()}
    except StoreError:
        return {}
    finally:
        numbers.close()


def _repair(store: str | None, export: str | None, mapping: str) -> None:
    """Repair a lake, then read an export again if one is named."""
    from workbench.ingest import audit  # noqa: PLC0415
    from workbench.ingest.refill import refill  # noqa: PLC0415
    from workbench.store.repair import repair  # noqa: PLC0415

    folder = _folder(store)
    if folder is None:
        raise InvalidArgument("only a lake is repaired: of a database, restore the tables")
    if not folder.is_dir():
        open_place(store)  # says that there is none
    unchecked = LakeStore(folder, check=False)
    expected = audit.recorded_positions(unchecked, _live_positions(unchecked))
    done = repair(folder, expected=expected, now=datetime.now(UTC))
    for name in done.log_files:
        typer.echo(f"moved     {name} to {folder / 'damaged'}")
    if done.saved:
        typer.echo(f"saved     {done.saved:,} events of files that the log had lost; repeats of others are dropped")
    for loss in done.losses:
        typer.echo(f"gap       {loss.summary()}")
    if not (done.log_files or done.losses):
        typer.echo("repaired  nothing: log and files are as they were committed")
    if export is not None:
        lake, rules = LakeStore(folder, create=False), config.load().time_rules
        again = refill(lake, config.resolved(export), mapping=mapping, rules=rules)
        typer.echo(f"refilled  {again.recovered:,} events from {export}\n{again.summary.reading()}")


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
