"""Tables beside the events that have one set of rows per day: replaced as a whole, or not at all.

In a lake a table is a Delta table of its own beside `events`, which other programs read as they read that one; in
ClickHouse it is a table whose partitions are the days.
"""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import pyarrow as pa
from deltalake.exceptions import DeltaError

from workbench.errors import InvalidArgument, StoreConflict, StoreError
from workbench.store import daily_lake, files
from workbench.store.clickhouse import ClickHouseStore

if TYPE_CHECKING:
    from workbench.store.lake import LakeStore

_NAME: Final = re.compile(r"[a-z][a-z_]{0,40}")
_TRIES: Final = 5
_BY_DAY: Final = "ENGINE = MergeTree PARTITION BY date ORDER BY user_id"
_KINDS: Final = {
    "string": "String",
    "large_string": "String",
    "double": "Float64",
    "bool": "Bool",
    "int64": "Int64",
    "date32[day]": "Date",
}


def replace(store: LakeStore | ClickHouseStore, name: str, day: date, rows: pa.Table) -> None:
    """Put rows in the place of those of a day, in one step; the same again changes nothing.

    Args:
        store: Where.
        name: Of the table; it is made when there is none.
        day: Of all the rows.
        rows: All columns but `date`.

    Raises:
        InvalidArgument: The name is none, or a column holds what no table by day can hold.
        StoreConflict: Others wrote the same day over and over.
        StoreError: The table cannot be written.
        StoreCorrupt: A file of it is missing or damaged.
    """
    if not _NAME.fullmatch(name) or name in ("events", "batches", "control"):
        raise InvalidArgument(f"{name!r} is no name of a table by day: use lower-case letters and _")
    for each in rows.schema:
        _kind(each)
    dated = rows.add_column(0, "date", pa.array([day] * rows.num_rows, pa.date32()))
    if isinstance(store, ClickHouseStore):
        _replace_partition(store, name, day, dated)
        return
    for last in (*[False] * (_TRIES - 1), True):
        try:
            with files.disk_full_named(store.path):
                daily_lake.replace(store.path / name, name, dated, day.isoformat())
            return
        except (pa.ArrowException, OSError) as error:
            raise StoreError(f"cannot write {name} of {store.path}: {error}") from error
        except DeltaError as error:
            if last:
                raise StoreConflict(
                    f"others write {name} of {day} in {store.path} at the same time: {error}"
                ) from error


def read(store: LakeStore | ClickHouseStore, name: str, *, day: date | None = None) -> pa.Table | None:
    """Return the rows of a table, of one day or of all, `date` among the columns; `None` if there is no such table."""
    if isinstance(store, ClickHouseStore):
        return _selected(store, name, day)
    try:
        table = daily_lake.open_table(store.path / name)
        if table is None:
            return None
        return daily_lake.read(store.path / name, table, day=None if day is None else day.isoformat())
    except (DeltaError, OSError, pa.ArrowException) as error:
        raise StoreError(f"cannot read {name} of {store.path}: {error}") from error


def days(store: LakeStore | ClickHouseStore, name: str) -> list[date]:
    """Return the days that a table has rows of, sorted."""
    if isinstance(store, ClickHouseStore):
        table = _selected(store, name, None, what="DISTINCT date")
        return [] if table is None else sorted(table["date"].to_pylist())
    table = daily_lake.open_table(store.path / name)
    return [] if table is None else [date.fromisoformat(each) for each in daily_lake.days(table)]


def _replace_partition(store: ClickHouseStore, name: str, day: date, dated: pa.Table) -> None:
    """Write the rows to a table of this writer's own, and put its partition in the place of the day's."""
    columns = ", ".join(f"{each.name} {_kind(each)}" for each in dated.schema)
    store.command(f"CREATE TABLE IF NOT EXISTS {name} ({columns}) {_BY_DAY}")  # those of a migration are there
    if not dated.num_rows:
        store.command(f"ALTER TABLE {name} DROP PARTITION '{day.isoformat()}'")
        return
    mine = f"{name}_{uuid4().hex}"
    store.command(f"CREATE TABLE {mine} AS {name} {_BY_DAY}")
    try:
        store.insert(mine, dated)
        store.command(f"ALTER TABLE {name} REPLACE PARTITION '{day.isoformat()}' FROM {mine}")
    finally:
        store.command(f"DROP TABLE {mine}")


def _kind(column: pa.Field) -> str:
    kind = _KINDS.get(str(column.type))
    if kind is None:
        raise InvalidArgument(f"column {column.name!r} is of type {column.type}: there are {', '.join(_KINDS)}")
    return kind if column.name in ("date", "user_id") else f"Nullable({kind})"


def _selected(store: ClickHouseStore, name: str, day: date | None, *, what: str = "*") -> pa.Table | None:
    if not store.has(name):
        return None
    if day is None:
        return store.select(f"SELECT {what} FROM {name}")  # noqa: S608 - a name of ours
    return store.select(f"SELECT {what} FROM {name} WHERE date = $day", {"day": day})  # noqa: S608 - a name of ours
