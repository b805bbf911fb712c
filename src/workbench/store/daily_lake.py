"""Tables by day in a lake: Delta tables beside the events, whose files record their checksums in their names too."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.transaction import AddAction

from workbench.store import deletion_vectors, delta_features, integrity
from workbench.store import files as files_of_events

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_APP: Final = "workbench.daily"
_DAY: Final = "date"


@dataclass(frozen=True)
class DayFile:
    """One file of a table by day: its path in the table, its size in bytes, and the day of its rows (ISO)."""

    path: str
    size: int
    day: str


def names(lake: Path) -> list[str]:
    """List the tables by day of a lake."""
    return sorted(path.parent.name for path in lake.glob("*/_delta_log") if path.parent.name != "events")


def open_table(root: Path) -> DeltaTable | None:
    """Open the table in a folder; `None` if there is none.

    Raises:
        StoreError: Another program gave it a feature that is not read here.
    """
    if not DeltaTable.is_deltatable(str(root)):
        return None
    table = DeltaTable(root)
    delta_features.refuse_unreadable(table, root)
    return table


def files(table: DeltaTable) -> list[DayFile]:
    """List the files of a table, ordered by path."""
    entries = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    day_files = [DayFile(row["path"], row["size_bytes"], str(row[f"partition.{_DAY}"])) for row in entries]
    return sorted(day_files, key=lambda file: file.path)


def replace(root: Path, name: str, dated: pa.Table, day: str) -> None:
    """Put rows in the place of those of a day, in one commit; columns that are new are added to the table.

    Args:
        root: Folder of the table; it is made if there is none.
        name: Of the table.
        dated: All rows of the day, with the column `date`.
        day: The day (ISO).

    Raises:
        DeltaError: Another process wrote to the table meanwhile.
        StoreError: The table cannot be written by Workbench.
    """
    table = open_table(root)
    if table is None:
        table = DeltaTable.create(root, dated.schema, mode="ignore", partition_by=[_DAY], name=name)
    delta_features.refuse_unwritable(table, root)
    known = {field.name for field in table.schema().fields}
    added = [column for column in dated.schema if column.name not in known]
    if added:
        table.alter.add_columns(Schema.from_arrow(pa.schema(added)).fields)
        table = DeltaTable(root)
    last = table.transaction_version(_APP) or 0
    actions = [_written(root, _as_table(dated, table).drop_columns([_DAY]), day)] if dated.num_rows else []
    table.create_write_transaction(
        list(actions),
        mode="overwrite",
        schema=table.schema(),
        partition_by=[_DAY],
        partition_filters=[(_DAY, "=", day)],
        commit_properties=CommitProperties(app_transactions=[Transaction(_APP, last + 1)]),
    )


def read(root: Path, table: DeltaTable, *, day: str | None = None) -> pa.Table:
    """Return the rows of a table, of one day or of all.

    Raises:
        StoreCorrupt: A file is missing or damaged.
    """
    schema = pa.schema(table.schema().to_arrow())
    deleted = deletion_vectors.deleted_rows(table)
    tables = [schema.empty_table()]
    for file in files(table):
        if day is None or file.day == day:
            rows = pq.read_table(pa.BufferReader(integrity.content(root, file)), partitioning=None)
            rows = deletion_vectors.remaining_rows(rows, deleted.get(file.path))
            dates = pa.array([file.day] * rows.num_rows, pa.string()).cast(pa.date32())
            tables.append(_as_table(rows.append_column(_DAY, dates), table))
    return pa.concat_tables(tables)


def days(table: DeltaTable) -> list[str]:
    """List the days (ISO) that a table has rows of, sorted."""
    deleted = deletion_vectors.deleted_rows(table)
    entries = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    return sorted(
        {
            str(row[f"partition.{_DAY}"])
            for row in entries
            if row["num_records"] is None or row["num_records"] > len(deleted.get(row["path"], ()))
        }
    )


def without_checksum(lake: Path) -> list[str]:
    """List the files, by path in the lake, that record no checksum: those of other programs and older versions."""
    return [f"{name}/{file.path}" for name, file in _all_files(lake) if not integrity.has_checksum(file.path)]


def damage(lake: Path) -> dict[str, str]:
    """Read every byte of the tables by day; describe what is wrong, by path in the lake."""
    reasons = {f"{name}/{file.path}": integrity.damage(lake / name, file) for name, file in _all_files(lake)}
    return {path: reason for path, reason in reasons.items() if reason}


def add_checksums(lake: Path) -> None:
    """Rewrite the days that have a file without checksum, or with a deletion vector."""
    for name in names(lake):
        root = lake / name
        table = open_table(root)
        if table is None:
            continue
        deleted = deletion_vectors.deleted_rows(table)
        stale = {file.day for file in files(table) if file.path in deleted or not integrity.has_checksum(file.path)}
        for day in sorted(stale):
            replace(root, name, read(root, table, day=day), day)
            table = DeltaTable(root)


def _all_files(lake: Path) -> Sequence[tuple[str, DayFile]]:
    tables = [(name, open_table(lake / name)) for name in names(lake)]
    return [(name, file) for name, table in tables if table is not None for file in files(table)]


def _as_table(rows: pa.Table, table: DeltaTable) -> pa.Table:
    """Give rows the columns of their table, in its order; a column that they do not have is null."""
    schema = pa.schema(table.schema().to_arrow())
    columns = [
        rows[field.name].cast(field.type) if field.name in rows.column_names else pa.nulls(rows.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _written(root: Path, rows: pa.Table, day: str) -> AddAction:
    """Write one file, which differs from every other, so that one commit can remove the same rows and add them."""
    temporary = root / f"{_DAY}={day}" / f"{uuid4().hex}.tmp"
    temporary.parent.mkdir(parents=True, exist_ok=True)
    try:
        pq.write_table(rows.replace_schema_metadata({"workbench.written": uuid4().hex}), temporary, compression="zstd")
        path = f"{_DAY}={day}/{integrity.Checksums.of(temporary).name}.parquet"
        size = files_of_events.settle(temporary, root / path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    statistics = f'{{"numRecords": {rows.num_rows}, "minValues": {{}}, "maxValues": {{}}, "nullCount": {{}}}}'
    return AddAction(path, size, {_DAY: day}, int(time.time() * 1000), True, statistics)
