"""The SQL files of the questions, and the only way in which their text varies.

A file is complete SQL, but for names in braces that are replaced by text written here, never by anything that a user
gave: that is bound. Where ClickHouse needs other words, a sibling `<name>.clickhouse.sql` says them.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.store.base import Engine


def filled(sql: str, **parts: str) -> str:
    """Put text written by us in the place of each name in braces.

    >>> filled("SELECT {what}", what="1")
    'SELECT 1'
    """
    for name, part in parts.items():
        sql = sql.replace(f"{{{name}}}", part)
    return sql


@cache
def text(name: str, engine: Engine = "duckdb", *, room: str = "metrics") -> str:
    """Return the SQL file of that name, without its ending, of a room of this package, in the words of a database."""
    folder = resources.files(f"workbench.{room}").joinpath("sql")
    sibling = folder.joinpath(f"{name}.{engine}.sql")
    return (sibling if sibling.is_file() else folder.joinpath(f"{name}.sql")).read_text(encoding="utf-8")
