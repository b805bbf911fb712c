"""Files of a lake that another program touched, written anew as Workbench writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.store import files, integrity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from deltalake import DeltaTable

    from workbench.store.maintenance import Commit


def leave_out_deleted(
    opened: Callable[[], DeltaTable], root: Path, *, next_job: Callable[[DeltaTable], dict[str, int]], commit: Commit
) -> None:
    """Rewrite the files that have a deletion vector, so that the deleted rows are gone for good.

    All files of their cell are rewritten, in one commit each: `deltalake` removes a file together with its vector only
    when it replaces the cell.

    Args:
        opened: Opens the table at its newest version.
        root: Its folder.
        next_job: The transaction of a maintenance job.
        commit: How to commit.

    Raises:
        StoreConflict: Another maintenance job came first.
        StoreCorrupt: A file is damaged.
    """
    while True:
        table = opened()
        present = files.files_of(table)
        cell = next(((file.month, file.bucket) for file in present if file.deleted is not None), None)
        if cell is None:
            return
        inside = [file for file in present if (file.month, file.bucket) == cell]
        commit(table, _rewritten(root, inside), next_job(table), replaced=cell)


def add_checksums(
    table: DeltaTable, root: Path, *, next_job: Callable[[DeltaTable], dict[str, int]], commit: Commit
) -> None:
    """Rewrite the files without recorded checksum; whether their bytes are as they were written, nobody knows.

    Args:
        table: Opened at its newest version.
        root: Its folder.
        next_job: The transaction of a maintenance job.
        commit: How to commit.

    Raises:
        StoreConflict: Another maintenance job came first.
    """
    unchecked = [file for file in files.files_of(table) if not integrity.has_checksum(file.path)]
    if unchecked:
        commit(table, [*map(files.removal, unchecked), *_rewritten(root, unchecked)], next_job(table))


def _rewritten(root: Path, present: Sequence[files.LakeFile]) -> list[files.Action]:
    return [action for file in present if (action := files.rewrite(root, file)) is not None]
