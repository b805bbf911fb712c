"""Housekeeping of the lake: sort what arrived into cells, let old events go, free the disk.

History lies in cells, one for each month of `occurred_at` and each of 16 classes of users; the
events of a cell are sorted by user, then time. A question about journeys thereby reads each user's
events together, and an expired month is dropped without rewriting. Every job reads one version and
commits its result in one step, beside whatever is ingested meanwhile; of two that run at once, the
second finds the first's commit and gives up.
"""

from __future__ import annotations

import time
from itertools import groupby
from math import ceil
from operator import attrgetter
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
import pyarrow as pa

from workbench.errors import InvalidArgument, StoreConflict
from workbench.events import IDENTITY
from workbench.store import arrivals, deletion_vectors, files, foreign
from workbench.store.commit_log import sync
from workbench.store.event_ids import Verdicts, differences
from workbench.store.lake_ids import lookup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from deltalake import DeltaTable
    from numpy.typing import NDArray

RUNS: Final = 4
"""Most sorted files of about one size in a cell before they are merged, unless a full merge is asked for."""

GROWTH: Final = 2
"""A file that is more than so many times larger than all smaller ones of its cell together is left as it is."""

MOST: Final = 2_000_000
"""Events that are merged at once, at most, unless a full merge is asked for: this bounds memory."""

BATCH: Final = 500_000
"""About how many arrived events are sorted into cells at once: this bounds memory."""

VERSIONS: Final = 2_000
"""How many versions can be opened again at least: those that a stream makes in about 20 minutes."""

LONGEST_GRACE: Final = 26
"""Hours for which the log remembers when a file went; a daily job that leaves a day of grace needs no more."""

ORPHAN_HOURS: Final = 24
"""How long before the newest commit files stay that no commit named: longer than any batch is written."""

_APP: Final = "workbench.maintenance"

BULK: Final = 200_000
"""From this many events on, a batch is sorted into cells at once and never lies in the tail."""


class Commit(Protocol):
    """How a job commits: see `lake.commit`."""

    def __call__(
        self,
        table: DeltaTable,
        actions: list[files.Action],
        moved: Mapping[str, int],
        *,
        replaced: tuple[str, int] | None = None,
    ) -> None:
        """Commit `actions` as one version."""


def sort_in(
    table: DeltaTable,
    root: Path,
    events: pa.Table,
    new: NDArray[np.int64],
    *,
    moved: Mapping[str, int],
    commit: Commit,
) -> list[str]:
    """Sort the new rows of a large batch into their cells; return the files that were written.

    Counts as maintenance, of which there is one at a time: of two at once, the second is refused.

    Raises:
        StoreConflict: Maintenance ran meanwhile, or events wait in the tail that were ingested before.
    """
    if any(file.in_tail for file in files.files_of(table)):
        raise StoreConflict("events that arrived earlier wait to be sorted first")
    added = _written(root, events, new)
    commit(table, added, {**moved, **next_run(table)})
    return [action.path for action in added]


def compact(
    opened: Callable[[], DeltaTable],
    root: Path,
    *,
    runs: int,
    commit: Commit,
    on_conflicts: Callable[[pa.Table], object] = lambda _: None,
) -> int:
    """Sort arrived events into cells, each once, and merge files where more than `runs` are alike.

    Args:
        opened: Opens the newest version.
        root: Folder of the table.
        runs: How many files may be alike.
        commit: How to commit.
        on_conflicts: Called with dropped events that are not what they repeat, before they are dropped: what was
            appended has none, unless the lake is too large to know all its ids.

    Returns:
        How many repeated events were dropped. Stops early when another process does the same job.
    """
    dropped = 0
    try:
        foreign.leave_out_deleted(opened, root, next_job=next_run, commit=commit)
        if runs == 1:
            foreign.add_checksums(opened(), root, next_job=next_run, commit=commit)
        while True:
            table = opened()
            present = files.files_of(table)
            batch = _oldest(file for file in present if file.in_tail)
            if not batch:
                break
            history = [file for file in present if not file.in_tail]
            added, repeated = _sort(root, batch, history, on_conflicts)
            commit(table, [*map(files.removal, batch), *added], next_run(table))
            dropped += repeated
        merged: list[files.Action] = []
        for cell in _crowded(present, runs):
            merged += [*map(files.removal, cell), *_written(root, files.read(root, cell))]
        if merged:
            commit(table, merged, next_run(table))
    except StoreConflict:
        return dropped
    return dropped


def expire(opened: Callable[[], DeltaTable], root: Path, *, before: datetime, commit: Commit) -> int:
    """Drop events that occurred before an instant; rewrite the cells that it cuts."""
    compact(opened, root, runs=1, commit=commit)
    table = opened()
    boundary = before.strftime("%Y-%m")
    actions: list[files.Action] = []
    dropped = 0
    for file in files.files_of(table):
        if file.in_tail or file.month > boundary:
            continue
        kept = 0
        if file.month == boundary:
            events = arrivals.since(files.read(root, [file]), before)
            kept = events.num_rows
            if kept == file.rows:
                continue
            if kept:
                actions.append(files.write(events, root, month=file.month, bucket=file.bucket))
        actions.append(files.removal(file))
        dropped += file.rows - kept
    if actions:
        commit(table, actions, next_run(table))
    return dropped


def vacuum(table: DeltaTable, root: Path, *, grace_hours: float) -> list[Path]:
    """Delete files that no version younger than the grace needs, those of killed writers included.

    Files that the log never named may be those of a writer that is about to commit: they stay until they are older
    than `ORPHAN_HOURS`, by the clock of the newest commit, whatever the grace. By the clock of this process alone
    they would go when it is ahead.

    Raises:
        InvalidArgument: The grace is longer than the log remembers.
    """
    if not 0 <= grace_hours <= LONGEST_GRACE:
        raise InvalidArgument(f"grace_hours must be 0 to {LONGEST_GRACE}, as long as is remembered, got {grace_hours}")
    removed = unneeded(table, grace_hours=grace_hours, orphans=False)
    orphans = unneeded(table, grace_hours=0, orphans=True) - unneeded(table, grace_hours=0, orphans=False)
    now = time.time()
    newest = max((entry.get("timestamp", 0) / 1000 for entry in table.history(1)), default=0.0)
    gone = [root / path for path in removed if _older(root / path, now - grace_hours * 3600)]
    gone += [root / path for path in orphans if _older(root / path, min(now, newest) - ORPHAN_HOURS * 3600)]
    for path in sorted(gone):
        path.unlink(missing_ok=True)
    return sorted(gone)


def unneeded(table: DeltaTable, *, grace_hours: float, orphans: bool) -> set[str]:
    """Return the files that the log says were removed, or also those in the folder that it does not name."""
    hours = ceil(grace_hours)  # Delta counts whole hours: rather keep a file for longer
    listed = table.vacuum(retention_hours=hours, dry_run=True, enforce_retention_duration=False, full=orphans)
    return {path for path in listed if not deletion_vectors.is_vector_file(path)}  # the list holds those in use too


def trim_log(root: Path, *, versions: int = VERSIONS) -> int:
    """Delete the log of versions that are long past; return how many files that were.

    Every commit adds a file to the log, and opening the newest version takes longer the more there are: a stream
    commits some 100,000 times a day. The newest versions can be opened as before, back to a checkpoint.
    """
    log = root / "_delta_log"
    numbered = {path: int(path.name[:20]) for path in log.iterdir() if path.name[:20].isdigit()}
    checkpoints = [number for path, number in numbered.items() if path.name.endswith(".checkpoint.parquet")]
    past = max(numbered.values(), default=0) - versions
    oldest = max((number for number in checkpoints if number <= past), default=0)
    gone = [path for path, number in numbered.items() if number < oldest]
    if gone:
        sync(log / f"{oldest:020}.checkpoint.parquet")  # what is deleted can be read from there alone
    for path in gone:
        path.unlink(missing_ok=True)
    return len(gone)


def _older(path: Path, instant: float) -> bool:
    return path.is_file() and path.stat().st_mtime <= instant


def _oldest(tail: Iterator[files.LakeFile]) -> list[files.LakeFile]:
    """Take the files that arrived first, up to `BATCH` events: the first ingested of a repeated event stays."""
    batch: list[files.LakeFile] = []
    for file in sorted(tail, key=attrgetter("ingested_from", "path")):
        if batch and sum(taken.rows for taken in batch) + file.rows > BATCH:
            break
        batch.append(file)
    return batch


def _sort(
    root: Path,
    tail: Sequence[files.LakeFile],
    history: Sequence[files.LakeFile],
    on_conflicts: Callable[[pa.Table], object],
) -> tuple[list[files.Action], int]:
    """Write the new events of `tail` as one sorted file per cell; count those that were not new."""
    arrived = files.read(root, tail)
    new = arrivals.new_rows(arrived, history, root=root)
    if len(new) < arrived.num_rows:
        conflicts = _conflicts(root, arrived, new, history)
        if conflicts.num_rows:
            on_conflicts(conflicts)
    return _written(root, arrived, new), arrived.num_rows - len(new)


def _conflicts(root: Path, arrived: pa.Table, new: NDArray[np.int64], history: Sequence[files.LakeFile]) -> pa.Table:
    """Return the events among those that are not new which differ from what they repeat."""
    dropped = arrived.take(pa.array(np.delete(np.arange(arrived.num_rows), new)))
    columns = ["event_id", *IDENTITY]
    stored = [lookup(root, dropped["event_id"], history), arrived.select(columns).take(pa.array(new))]
    verdicts = differences(dropped, pa.concat_tables(stored, promote_options="permissive"))
    return Verdicts(verdicts, None, 0).repeats(dropped).conflicts


def _written(root: Path, events: pa.Table, rows: NDArray[np.int64] | None = None) -> list[files.Action]:
    cells = arrivals.sorted_cells(events, rows)
    return [files.write(cell, root, month=month, bucket=bucket) for month, bucket, cell in cells]


def _crowded(present: Sequence[files.LakeFile], runs: int) -> list[list[files.LakeFile]]:
    """List, for each cell that is to be tidied, the files to merge."""
    cell_of = attrgetter("month", "bucket")
    history = sorted((file for file in present if not file.in_tail), key=cell_of)
    cells = [list(cell) for _, cell in groupby(history, key=cell_of)]
    if runs == 1:
        return [cell for cell in cells if len(cell) > 1]
    return [group for group in map(_alike, cells) if len(group) > runs]


def _alike(cell: Sequence[files.LakeFile]) -> list[files.LakeFile]:
    """Take the smallest files, up to one that is much larger than they are together, or too many events for memory.

    Large files are thereby rewritten seldom: a stream's month would else be written anew with each half a million.
    """
    group: list[files.LakeFile] = []
    total = 0
    for file in sorted(cell, key=attrgetter("rows", "path")):
        if group and (file.rows > GROWTH * total or total + file.rows > MOST):
            break
        group.append(file)
        total += file.rows
    return group


def next_run(table: DeltaTable) -> dict[str, int]:
    """Return the transaction by which maintenance is one job at a time."""
    return {_APP: (table.transaction_version(_APP) or 0) + 1}
