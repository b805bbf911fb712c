"""Commands about live numbers: what they are, whether they are those of history, and how to make them anew."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from workbench import config
from workbench.cli.lakes import StoreOption, open_place
from workbench.cli.show import columns
from workbench.errors import InvalidArgument, StoreCorrupt, StoreError, StoreNotFound

if TYPE_CHECKING:
    from workbench.bench import Bench
    from workbench.metrics.live_check import LiveCheck
    from workbench.store.base import Place

live = typer.Typer(no_args_is_help=True, help="Numbers of the last hour, as events come in.")


def add_to(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.add_typer(live, name="live")


@live.command("show", epilog="Example: workbench live show")
def show(*, store: StoreOption = None) -> None:
    """Say what the live numbers are, each in a sentence, and what became of the messages of each source."""
    numbers = _bench(store).live()
    for answer in (numbers.active_users(), numbers.volume(), numbers.performance(), numbers.raids()):
        typer.echo(answer.reading())
    found = numbers.sources()
    rows = [
        tuple(f"{value:%H:%M:%S}" if hasattr(value, "hour") else str(value) for value in row) for row in found.values
    ]
    typer.echo("\n" + columns(tuple(found.columns), rows))


@live.command("check", epilog="Example: workbench live check")
def check(*, store: StoreOption = None) -> None:
    """Compare every closed window with history; print what differs, by its cause. Exit 1 if any of it has none."""
    found = _bench(store).live_check()
    typer.echo(_table(found))
    typer.echo("\n" + found.reading())
    if found.unexplained:
        raise StoreCorrupt(
            f"live numbers differ from history by {found.unexplained:,.0f} without a known cause: "
            "make them anew with `workbench live rebuild`"
        )


@live.command("rebuild", epilog="Example: workbench live rebuild")
def rebuild(*, store: StoreOption = None) -> None:
    """Make the live numbers anew from the newest hours of history, with the windows that the settings say."""
    from workbench.store.live import LiveStore  # noqa: PLC0415
    from workbench.store.live_open import of_settings  # noqa: PLC0415
    from workbench.store.live_rebuild import rebuild as rebuild_  # noqa: PLC0415

    opened = open_place(store)
    numbers = of_settings(config.load(), opened)
    if not isinstance(numbers, LiveStore):
        raise InvalidArgument(f"{numbers.name} are filled by what is inserted: there is nothing to make anew")
    counted = rebuild_(numbers, opened.snapshot())
    typer.echo(f"{counted:,} events of history counted anew in {numbers.name}")


def health_lines(place: Place) -> list[str]:
    """Say how the live numbers of a store are, for `workbench doctor`."""
    from workbench.store.live_health import health  # noqa: PLC0415
    from workbench.store.live_open import of_settings  # noqa: PLC0415

    try:
        numbers = of_settings(config.load(), place, create=False)
        found = health(numbers, now=datetime.now(UTC))
        numbers.close()
    except StoreNotFound:
        return ["live      none: `workbench stream` keeps them while it runs"]
    except StoreError as error:
        return [f"live      broken: {error}"]
    counts = ", ".join(f"{count:,} {name}" for name, count in found.counts.items())
    return [f"live      {found.name}, {found.size / 1e6:,.1f} MB; {found.reading()}", f"          {counts}"]


def _bench(store: str | None) -> Bench:
    from workbench.bench import open_  # noqa: PLC0415 - loads pandas

    return open_(store, create=False)


def _table(found: LiveCheck) -> str:
    rows = [
        tuple(value if isinstance(value, str) else f"{float(value):,.5g}" for value in row)
        for row in found.frame.astype(object).values.tolist()
    ]
    return columns(tuple(name.replace("_", " ") for name in found.frame.columns), rows)
