"""Commits to the lake: durable, and checked afterwards. In the end all of a commit is there, or nothing of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import AddAction

from workbench.errors import StoreConflict, StoreCorrupt, StoreError
from workbench.store import deletion_vectors, delta_features, files
from workbench.store.commit_log import CommitLog, sync_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PARTITIONS: Final = ["month", "bucket"]
_NAMED: Final = 3
_known_folders: set[Path] = set()
"""Folders whose own names are on disk: nothing deletes a folder of a lake."""


def commit(
    table: DeltaTable,
    actions: Sequence[files.Action],
    moved: Mapping[str, int],
    *,
    replaced: tuple[str, int] | None = None,
) -> None:
    """Commit actions, and where each application in `moved` has come to, as one version of the table.

    The files, their folders, the entry of the log and its folder are on disk when this returns.

    Args:
        table: The table as it was opened; what others committed since is no conflict unless it moved one of `moved`.
        actions: Files to add and to remove; only additions if `replaced` is given.
        moved: Per source its new position.
        replaced: A cell (month, bucket) of which every file goes in the same step, with its deletion vector.

    Raises:
        StoreConflict: Since `table` was opened, another process moved one of them on.
        StoreFull: The disk is full.
        StoreError: A file that was added is gone: something other than Workbench deletes files here. The commit was
            undone, so that the batch can be written again.
        StoreCorrupt: The same, and another process went on from the commit, so that it stays.
    """
    root = deletion_vectors.folder(table)
    delta_features.refuse_unwritable(table, root.parent)
    added = [action for action in actions if isinstance(action, AddAction)]
    before = table.version()
    with files.disk_full_named(root):
        _sync_names(root, added)
        try:
            _write(table, actions, moved, replaced=replaced)
        except CommitFailedError as error:
            raise StoreConflict(f"another process committed {', '.join(moved)} first: {error}") from error
    CommitLog(root).record(after=before)
    gone = [action.path for action in added if not _is_whole(root, action)]
    if gone and replaced:
        raise StoreCorrupt(f"{_fault(root, gone)} Run `workbench doctor --repair`")
    if gone:
        _undo(table, root, actions, moved, gone)


def _write(
    table: DeltaTable,
    actions: Sequence[files.Action],
    moved: Mapping[str, int],
    *,
    replaced: tuple[str, int] | None = None,
) -> None:
    transactions = [Transaction(app_id, version) for app_id, version in moved.items()]
    properties = CommitProperties(app_transactions=transactions)
    table.create_write_transaction(
        [*actions],
        mode="overwrite" if replaced else "append",
        schema=table.schema(),
        partition_by=PARTITIONS,
        partition_filters=[("month", "=", replaced[0]), ("bucket", "=", str(replaced[1]))] if replaced else None,
        commit_properties=properties,
    )


def _sync_names(root: Path, added: Sequence[AddAction]) -> None:
    """Sync the folders that files were added to, and once those above, as these may be new."""
    for folder in sorted({(root / action.path).parent for action in added}):
        sync_folder(folder)
        if folder not in _known_folders:
            sync_folder(folder.parent)
            sync_folder(root)
            _known_folders.add(folder)


def _is_whole(root: Path, action: AddAction) -> bool:
    path = root / action.path
    return path.is_file() and path.stat().st_size == action.size


def _undo(
    table: DeltaTable, root: Path, actions: Sequence[files.Action], moved: Mapping[str, int], gone: Sequence[str]
) -> None:
    """Take back a commit of which files are gone, and raise what became of it."""
    fault = _fault(root, gone)
    newest = DeltaTable(root)
    present = {file.path: file for file in files.files_of(newest)}
    added = {action.path for action in actions if isinstance(action, AddAction)}
    removed = {action.path for action in actions} - added
    others = [source for source, end in moved.items() if newest.transaction_version(source) != end]
    if others or not added <= present.keys():
        raise StoreCorrupt(f"{fault} Another process went on from it: run `workbench doctor --repair`")
    back = {source: table.transaction_version(source) or 0 for source in moved}
    taken_back = [files.removal(present[path]) for path in sorted(added)]
    try:
        _write(newest, [*taken_back, *files.additions(table, removed)], back)
    except CommitFailedError as error:
        raise StoreCorrupt(f"{fault} Another process went on from it: run `workbench doctor --repair`") from error
    CommitLog(root).record(after=newest.version())
    raise StoreError(f"{fault} Nothing of this batch was kept: run again")


def _fault(root: Path, gone: Sequence[str]) -> str:
    named = ", ".join(gone[:_NAMED]) + (f" and {len(gone) - _NAMED} more" if gone[_NAMED:] else "")
    return f"{len(gone)} file(s) were deleted before their commit ended: {named}. Does another tool clean up {root}?"
