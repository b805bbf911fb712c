"""Files of a lake that another program touched, written anew as Workbench writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.store import files, integrity

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from deltalake import DeltaTable

    from workbench.store.maintenance import Commit


def rewrite(
    table: DeltaTable, root: Path, *, unnamed: bool, next_job: Callable[[DeltaTable], dict[str, int]], commit: Commit
) -> None:
    """Take deleted rows out of the files for good; if `unnamed`, also give checksums to files that have none.

    Every file of a cell with a deletion vector is rewritten: `deltalake` can remove a file with its vector only by
    replacing the whole cell.

    Args:
        table: Opened at the newest version.
        root: Its folder.
        unnamed: Rewrite the files without checksum too; nobody knows whether their bytes are as they were written.
        next_job: The transaction of a maintenance job.
        commit: How to commit.

    Raises:
        StoreConflict: Another maintenance job came first.
        StoreCorrupt: A file is damaged.
    """
    present = files.files_of(table)
    cells = sorted({(file.month, file.bucket) for file in present if file.deleted is not None})
    chosen = [
        file
        for file in present
        if (file.month, file.bucket) in cells or (unnamed and not integrity.has_checksum(file.path))
    ]
    if not chosen:
        return
    cells = sorted({(file.month, file.bucket) for file in chosen})
    inside = [file for file in present if (file.month, file.bucket) in cells]
    added = [action for file in inside if (action := files.rewritten(root, file)) is not None]
    commit(table, list(added), next_job(table), replaced=cells)
