"""Repair of a damaged lake: what can be saved is saved, the rest is taken out and noted as lost.

A damaged log is cut back to the last version before the damage. The data files of later versions are still there,
as vacuum refuses a damaged lake: their events are added again, and those that the lake has already are dropped as
repeated. Positions stay those of the older version, so that an ingest or a stream reads on from there, and drops what
it finds repeated too. A data file whose bytes are gone is taken out of the table.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from workbench.store import commits, files, integrity, losses, maintenance
from workbench.store.base import STORED_EVENT
from workbench.store.commit_log import ASIDE, REPAIRING, intact, sync_folder
from workbench.store.lake import LakeStore
from workbench.store.losses import Loss

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

    from workbench.store.files import LakeFile

_SLACK_SECONDS: Final = maintenance.ORPHAN_HOURS * 3600.0
"""How long before its commit a file may have been written."""

_NAME: Final = len(f"{0:020}.json")


@dataclass(frozen=True, slots=True)
class Repair:
    """What was done.

    Attributes:
        log_files: Files of the log that were moved to `<lake>/damaged`.
        saved: Events of them whose files were found; those that the lake has already are dropped when it is read.
        losses: What was noted as lost.
    """

    log_files: tuple[str, ...]
    saved: int
    losses: tuple[Loss, ...]


def repair(lake: Path, *, expected: Mapping[str, int], now: datetime) -> Repair:
    """Make a damaged lake readable again; a sound one stays as it is.

    Args:
        lake: Its folder.
        expected: Per source where the control state says that the lake had come to.
        now: The present.

    Raises:
        StoreCorrupt: The list of losses cannot be read.
        StoreError: Others who write did not end in time, or the lake cannot be written.
    """
    store = LakeStore(lake, check=False)
    known = losses.read(lake)
    with store.locks.vacuuming(), store.log.repairing() as interrupted:
        cut = _cut_log(store, interrupted=interrupted)
        saved = _later_files(store, cut) if cut.names else _Saved()
        noted = [*_log_losses(store, cut, expected, now), *_file_losses(store, now)]
        if noted:  # first, so that a crash leaves a note too many and never one too few
            names = {loss.name for loss in noted}
            losses.write(lake, [*(loss for loss in known if loss.name not in names), *noted])
        _remove(store.root, [*saved.removed, *(loss.name for loss in noted)])
        events = sum(_add_again(store, path) for path in saved.added)
    return Repair(tuple(path.name for path in cut.files), events, tuple(noted))


@dataclass(slots=True)
class _Cut:
    """What was damaged in the log, and where its files from there on are now, oldest first."""

    names: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)


@dataclass(slots=True)
class _Saved:
    """Data files of versions that the log lost: those with their events, and those they replaced."""

    added: list[Path] = field(default_factory=list)
    removed: set[str] = field(default_factory=set)


def _cut_log(store: LakeStore, *, interrupted: bool) -> _Cut:
    """Move the log from the first damaged entry on aside."""
    log, aside = store.log, store.path / ASIDE
    cut = _Cut()
    if interrupted:
        cut.names, cut.files = [REPAIRING], [path for path in aside.iterdir() if path.name != REPAIRING]
    while faults := log.faults(again=True):
        first = faults[0]
        cut.names += [fault.name for fault in faults]
        is_checkpoint = first.name.endswith(".parquet")  # it repeats what the entries before it say
        gone = [log.folder / first.name] if is_checkpoint else _from(log.folder, first.version)
        for path in [*gone, log.folder / "_last_checkpoint"]:
            if path.exists():
                cut.files.append(path.rename(_free(aside / path.name)))
        if log.folder.is_dir():
            sync_folder(log.folder)
        sync_folder(aside)
        if is_checkpoint:
            log.forget_file(first.name)
        else:
            log.forget(after=first.version - 1)
        if not is_checkpoint and first.version == 0:
            store.make_table()
    cut.files.sort()
    return cut


def _from(folder: Path, version: int) -> list[Path]:
    numbered = [path for path in folder.glob("*") if path.name[:20].isdigit()]
    return sorted(path for path in numbered if int(path.name[:20]) >= version)


def _free(path: Path) -> Path:
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}.{number}")
    return free


def _later_files(store: LakeStore, cut: _Cut) -> _Saved:
    """Find the data files that only the lost part of the log named."""
    table = DeltaTable(store.root)
    present = {file.path for file in files.files_of(table)}
    added, removed, named = dict[str, None](), set[str](), set[str]()
    for entry in (path for path in cut.files if ".json" in path.name):
        actions = list(intact(entry))
        adds = [action["add"]["path"] for action in actions if "add" in action]
        removes = [action["remove"]["path"] for action in actions if "remove" in action]
        is_whole = len(actions) == len(entry.read_bytes().splitlines()) and entry.name[:_NAME] not in cut.names
        if not is_whole or not all(_is_sound(store.root, path) for path in adds):
            continue  # which of its files are there is looked up below
        named |= {*adds, *removes}
        added.update(dict.fromkeys(adds))
        for path in removes:
            added.pop(path, None)
        removed |= {path for path in removes if path in present}
    start = store.log.entry(table.version())
    since = start.stat().st_mtime - _SLACK_SECONDS if start.exists() and table.version() else 0.0
    orphans = maintenance.unneeded(table, grace_hours=0, orphans=True)
    orphans -= maintenance.unneeded(table, grace_hours=0, orphans=False)
    for path in sorted(orphans - named):
        if (store.root / path).stat().st_mtime >= since and _is_sound(store.root, path):
            added.setdefault(path)
    return _Saved([store.root / path for path in added if path not in present], removed)


def _is_sound(root: Path, path: str) -> bool:
    """Whether a data file has the bytes that it is named by."""
    file = root / path
    return file.is_file() and integrity.has_checksum(file) and integrity.is_intact(file)


def _add_again(store: LakeStore, path: Path) -> int:
    """Add the events of a data file as if they had just arrived, so that repeats are dropped; return how many."""
    events = pq.read_table(path, partitioning=None, schema=STORED_EVENT)
    store.append_locked(events, {})
    return int(events.num_rows)


def _log_losses(store: LakeStore, cut: _Cut, expected: Mapping[str, int], now: datetime) -> Iterable[Loss]:
    """Note the sources of which the control state knows more than the log does, if the log was cut."""
    if not cut.names:
        return
    ends = {source: end for source, end in expected.items() if store.position(source) < end}
    if ends:
        yield Loss(cut.names[0], "the log was damaged from here on", now.isoformat(), positions=ends)


def _file_losses(store: LakeStore, now: datetime) -> Iterable[Loss]:
    """Note the files of the newest version whose bytes are not those that were committed."""
    table = DeltaTable(store.root)
    rows = {row["path"]: row for row in pa.table(table.get_add_actions(flatten=True)).to_pylist()}
    for file in files.files_of(table):
        wrong = files.damage(store.root, file)
        if wrong:
            yield _loss(file, rows[file.path], wrong, store.log.origin(file.path), now)


def _loss(file: LakeFile, row: Mapping[str, Any], wrong: str, positions: dict[str, int], now: datetime) -> Loss:
    sources = {source: end for source, end in positions.items() if not source.startswith("workbench.")}
    return Loss(
        name=file.path,
        reason=wrong,
        noted_at=now.isoformat(),
        rows=file.rows,
        since=row["min.occurred_at"].isoformat(),
        until=row["max.occurred_at"].isoformat(),
        positions=sources,
    )


def _remove(root: Path, paths: Iterable[str]) -> None:
    """Take files out of the table; names of others are left alone."""
    table = DeltaTable(root)
    present = {file.path: file for file in files.files_of(table)}
    actions = [files.removal(present[path]) for path in sorted({*paths} & present.keys())]
    if actions:
        commits.commit(table, actions, maintenance.next_run(table))
