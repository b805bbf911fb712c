"""Commands about the database of a store: its tables."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from workbench import config
from workbench.cli.lakes import StoreOption, open_place
from workbench.errors import InvalidArgument
from workbench.store.opening import is_address

if TYPE_CHECKING:
    from workbench.store.clickhouse import ClickHouseStore


def add_to(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command(epilog="Example: workbench migrate --store clickhouse://127.0.0.1:8123/default")(migrate)
    app.command(epilog="Example: workbench copy data/lake clickhouse://127.0.0.1:8123/default")(copy)


def migrate(
    *,
    ddl: Annotated[bool, typer.Option("--ddl", help="Print the statements for the settings' cluster instead.")] = False,
    store: StoreOption = None,
) -> None:
    """Bring the tables of a database up to this version: what was done already is left alone, nothing is lost.

    Safe to repeat, and to run from several machines at once: one does it, the others wait.
    """
    where = store or config.load().store
    if ddl:
        typer.echo(_statements())
        return
    if not is_address(where):
        raise InvalidArgument(f"{where} is a lake, which migrates itself: name a database, such as clickhouse://…")
    opened = _database(where)
    done = opened.migrated
    for migration in done:
        typer.echo(f"{migration.number:04} {migration.name}")
    typer.echo(f"{opened.name} is of version {opened.schema.version()}; {len(done)} migrations were done now.")


def copy(
    one: Annotated[str, typer.Argument(metavar="FROM", help="Folder of a lake, clickhouse://…, or chdb://folder.")],
    other: Annotated[str, typer.Argument(metavar="TO", help="The same, made where it is not there yet.")],
) -> None:
    """Copy all events from one store to another, and compare them day by day, by count and checksum.

    What was cut off is gone on with by the same command: days that are equal are not sent again. Afterwards sources,
    such as a topic, are read on from where they are. Rejects, runs and saved segments stay where they are.
    """
    from tqdm import tqdm  # noqa: PLC0415

    from workbench.store.copying import copy as copied  # noqa: PLC0415

    with tqdm(unit="month", desc="copying", disable=None) as bar:

        def told(done: int, of: int, month: str) -> None:
            bar.total, bar.n = of, done
            bar.set_postfix_str(month)

        with closing(open_place(one)) as source, closing(open_place(other, create=True)) as target:
            result = copied(source, target, progress=told)
    typer.echo(str(result))


def _database(where: str) -> ClickHouseStore:
    from workbench.store.clickhouse import ClickHouseStore  # noqa: PLC0415 - an extra

    opened = open_place(where, create=True)
    if not isinstance(opened, ClickHouseStore):
        raise InvalidArgument(f"{where} is no database")
    return opened


def _statements() -> str:
    from workbench.store.clickhouse_schema import Shape, migrations  # noqa: PLC0415

    shape = Shape(config.load().cluster)
    return "\n\n".join(f"{one};" for migration in migrations() for one in migration.statements(shape))
