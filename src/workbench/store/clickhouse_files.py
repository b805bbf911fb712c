"""Files by which rows and keys reach the engine in this process, which reads them where they are."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from workbench.errors import StoreError, StoreFull

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.store.clickhouse_client import Address

MEMORY: Final = ":memory:"
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextmanager
def a_file(where: Address) -> Iterator[str]:
    """Give a file beside the engine's own, where it has any, that is nobody else's to read and does not stay.

    Raises:
        StoreFull: The disk is full.
        StoreError: It cannot be written.
    """
    folder = _folder(where)
    try:
        if folder is not None:
            folder.mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=f"{os.getpid()}-") as file:
            yield file.name
    except OSError as error:
        place = folder or tempfile.gettempdir()
        if error.errno in _FULL:
            raise StoreFull(f"the disk of {place} is full; nothing of the batch counts") from error
        raise StoreError(f"{place} cannot be written to, through which rows reach {where}: {error.strerror}") from error


def sweep(where: Address) -> None:
    """Remove what a process left that was killed: whoever has the folder has it alone."""
    folder = _folder(where)
    for file in folder.glob("*-*") if folder is not None and folder.is_dir() else ():
        if not file.name.startswith(f"{os.getpid()}-"):
            file.unlink(missing_ok=True)


def _folder(where: Address) -> Path | None:
    return None if where.path == MEMORY else Path(where.path) / "incoming"
