"""DuckDB, locked down: it sees the files it was given, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import duckdb

from workbench.errors import InvalidArgument
from workbench.store.base import STORED_EVENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

_TYPES: Final = {
    "string": "VARCHAR",
    "timestamp[us, tz=UTC]": "TIMESTAMPTZ",
    "double": "DOUBLE",
    "int32": "INTEGER",
    "int64": "BIGINT",
}


def connect(
    *, allowed: Sequence[Path] = (), threads: int | None = None, memory: str = "2GB", ordered: bool = False
) -> duckdb.DuckDBPyConnection:
    """Open an in-memory engine that can read under `allowed` and reach nothing else.

    Args:
        allowed: Folders whose files it may read; what does not fit in memory spills to `tmp` in the first.
        threads: Worker threads; all cores if not given.
        memory: Most memory it may use, with unit.
        ordered: Keep rows in the order of what is read, at some cost of time.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "memory_limit": memory,
        "preserve_insertion_order": ordered,
    }
    if threads is not None:
        config["threads"] = threads
    connection = duckdb.connect(":memory:", config=config)
    connection.execute("SET TimeZone = 'UTC'")
    if allowed:
        connection.execute(f"SET temp_directory = {quote_text(str(allowed[0] / 'tmp'))}")
        folders = ", ".join(quote_text(f"{folder}/") for folder in allowed)
        connection.execute(f"SET allowed_directories = [{folders}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def select(connection: duckdb.DuckDBPyConnection, sql: str, params: Mapping[str, object]) -> pa.Table:
    """Run one SELECT with bound values.

    Raises:
        InvalidArgument: It is not exactly one SELECT, so it might write.
    """
    statements = connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise InvalidArgument(f"only one SELECT statement can be asked, got {sql.strip()[:80]!r}")
    return connection.sql(sql, params=dict(params)).to_arrow_table()


def parquet(root: Path, paths: Sequence[str], *, numbered: bool = False) -> str | None:
    """Write the table function that reads exactly these files under `root`; `None` for none.

    Args:
        root: Folder of the table.
        paths: Relative to it.
        numbered: Add the columns `filename` and `file_row_number` (from 0).
    """
    if not paths:
        return None
    names = ", ".join(quote_text(str(root / path)) for path in paths)
    more = ", filename = true, file_row_number = true" if numbered else ""
    return f"read_parquet([{names}], hive_partitioning = false{more})"


def quote_text(text: str) -> str:
    """Quote a SQL string where a value cannot be bound (settings, file lists)."""
    return "'" + text.replace("'", "''") + "'"


def quote_name(name: str) -> str:
    """Quote a SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


COLUMN_TYPES: Final = ", ".join(f"{quote_name(field.name)} {_TYPES[str(field.type)]}" for field in STORED_EVENT)
"""The columns of `STORED_EVENT` as a CREATE TABLE takes them."""
