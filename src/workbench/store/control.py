"""The control state of a lake: a small SQLite file beside the events, with numbered migrations."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from importlib import resources
from typing import TYPE_CHECKING

from workbench.errors import StoreError, StoreFull, StoreTooNew

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BUSY_SECONDS = 30


@contextmanager
def connect(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the control file at `path`, made or migrated as needed; commit at the end, or roll back.

    Raises:
        StoreTooNew: The file has migrations that this version does not know.
        StoreFull: The disk is full.
        StoreError: The file cannot be opened, or is no SQLite file.
    """
    try:
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS)
    except sqlite3.Error as error:
        raise StoreError(f"cannot open {path}: {error}") from error
    connection.row_factory = sqlite3.Row
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")
        _migrate(connection, path)
        with connection:
            yield connection
    except sqlite3.Error as error:
        kind = StoreFull if "full" in str(error) else StoreError
        raise kind(f"cannot use {path}: {error}") from error
    finally:
        connection.close()


def _migrations() -> list[str]:
    """Return the migrations in order; number N brings `user_version` from N - 1 to N."""
    folder = resources.files("workbench.store") / "migrations"
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return [file.read_text(encoding="utf-8") for file in files]


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    migrations = _migrations()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(migrations):
        raise StoreTooNew(f"{path} is of version {version}, this Workbench knows {len(migrations)}: upgrade it")
    if version == len(migrations):
        return
    connection.execute("BEGIN IMMEDIATE")  # another process may be migrating: look again behind the lock
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for number, script in enumerate(migrations[version:], start=version + 1):
        for statement in filter(sqlite3.complete_statement, _statements(script)):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {number}")  # a pragma takes no bound value
    connection.commit()


def _statements(script: str) -> Iterator[str]:
    """Split a script at the ends of its statements (`executescript` would commit half-way)."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
