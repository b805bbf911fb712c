"""Which store a command is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from workbench import config
from workbench.store.opening import open_store

if TYPE_CHECKING:
    from workbench.store.base import Place

StoreOption = Annotated[
    str | None, typer.Option("--store", help="Folder of a lake, clickhouse://…, chdb://folder; the settings' if none.")
]


def open_place(store: str | None, *, create: bool = False) -> Place:
    """Open the store of the option, or that of the settings; make it only if asked to."""
    return open_store(store, config.load(), create=create)
