"""Which lake a command is about."""

from __future__ import annotations

from typing import Annotated

import typer

from workbench import config
from workbench.store.lake import LakeStore

StoreOption = Annotated[str | None, typer.Option("--store", help="Folder of the lake; the settings' if not given.")]


def open_lake(store: str | None, *, create: bool = False) -> LakeStore:
    """Open the lake of the option, or that of the settings; make it only if asked to."""
    return LakeStore(config.resolved(store or config.load().store), create=create)
