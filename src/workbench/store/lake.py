"""The lake: one Delta Lake table on local disk that several processes may read and write at once."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import DeltaError, TableNotFoundError

from workbench.errors import InvalidArgument, StoreConflict, StoreCorrupt, StoreError, StoreNotFound, StoreTooNew
from workbench.store import commits, conflicts, daily_lake, delta_features, files, integrity, maintenance
from workbench.store.base import SOURCE_START, STORED_EVENT, as_stored
from workbench.store.commit_log import CommitLog
from workbench.store.event_ids import SAME
from workbench.store.lake_ids import LakeIds
from workbench.store.lake_locks import LakeLocks
from workbench.store.losses import warn_of_losses
from workbench.store.snapshot import LakeSnapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from workbench.store.commit_log import LogFault
    from workbench.store.event_ids import Repeats, Verdicts

LAYOUT: Final = 1
"""Version of the layout on disk: columns, partitions, names of files."""

ATTEMPTS: Final = 50
"""How often a batch is compared anew when others commit meanwhile, before it is refused."""

_LAYOUT_APP: Final = "workbench.layout"
_IDS_APP: Final = "workbench.ids"
"""Moves with every batch of events, so that no batch is committed that was compared with fewer ids than there are."""

_CONFIGURATION: Final = {"delta.deletedFileRetentionDuration": f"interval {maintenance.LONGEST_GRACE} hours"}
"""How long the log remembers when a file went: a stream makes and sorts away some 100,000 a day."""

_TABLE: Final = pa.schema([*STORED_EVENT, ("month", pa.string()), ("bucket", pa.int32())])


class LakeStore:
    """Events in `<path>/events` (Delta Lake), control state in `<path>/control.db` (SQLite)."""

    def __init__(self, path: str | Path, *, create: bool = True, check: bool = True) -> None:
        """Open the lake at `path`. Warns with `LostEventsWarning` where it has lost events for good.

        Args:
            path: Its folder.
            create: Make an empty one where there is none.
            check: Look at it at once; without, at the first use, which may come after a repair.

        Raises:
            StoreNotFound: There is none, and `create` is false.
            StoreTooNew: It was written by a newer Workbench.
            StoreCorrupt: Its log is not as it was committed.
            StoreError: The path holds something else.
        """
        self.path = Path(path).absolute()
        self.root = self.path / "events"
        self.control = self.path / "control.db"
        self.log = CommitLog(self.root)
        self.locks = LakeLocks(self.path)
        self._last: LakeSnapshot | None = None
        self._lock = threading.Lock()
        self._ids = LakeIds(self.root)
        if not check:
            return
        if self.log.journal.exists() or DeltaTable.is_deltatable(str(self.root)):
            _refuse_newer(self._table(), self.path)
            warn_of_losses(self.path, self.positions)
        elif create:
            self._create()
        else:
            raise StoreNotFound(f"no lake at {self.path}: ingest a file first, with `workbench ingest FILE`")

    @property
    def name(self) -> str:
        """Where it is."""
        return str(self.path)

    def snapshot(self, *, known_at: datetime | None = None, version: int | None = None) -> LakeSnapshot:
        """Open a version, the newest unless said otherwise, seen as known at `known_at` if that is given.

        Raises:
            InvalidArgument: There is no such version.
        """
        table = self._table()
        newest = table.version()
        if version is not None and version != newest:
            if not 0 <= version < newest:
                raise InvalidArgument(f"no version {version} of {self.path}: versions are 0 to {newest}")
            self._refuse_faults(self.log.faults_before(version) if self.log.entry(version).exists() else [])
            try:
                table.load_as_version(version)
            except DeltaError as error:
                raise InvalidArgument(f"version {version} of {self.path} is no longer kept: {error}") from error
            delta_features.refuse_unreadable(table, self.path)
        with self._lock:
            last = self._last
            if last is None or (last.version, last.known_at) != (table.version(), known_at):
                last = LakeSnapshot(self.root, table.version(), files.files_of(table), known_at=known_at)
                self._last = last
        return last

    def position(self, source: str) -> int:
        """Return where to resume reading `source`; see `base.Store.position`."""
        return self._table().transaction_version(source) or SOURCE_START

    def positions(self, sources: Iterable[str]) -> dict[str, int]:
        """Return where to resume reading each of some sources."""
        table = self._table()
        return {source: table.transaction_version(source) or SOURCE_START for source in sources}

    def append(
        self,
        events: pa.Table,
        *,
        source: str,
        start: int,
        end: int,
        ingested_at: datetime,
        on_repeats: Callable[[Repeats], object] | None = None,
    ) -> int:
        """Commit events and the new position of their source in one step; see `base.Store.append`."""
        stored = STORED_EVENT.empty_table()
        if events.num_rows:
            stored = as_stored(events, source=source, ingested_at=ingested_at)
        return self.append_all(stored, moved={source: (start, end)}, on_repeats=on_repeats)

    def append_all(
        self,
        events: pa.Table,
        *,
        moved: Mapping[str, tuple[int, int]],
        on_repeats: Callable[[Repeats], object] | None = None,
    ) -> int:
        """Commit events of several sources and where each has come to in one step; see `base.Store.append_all`."""
        with self.locks.writing():
            return self.append_locked(events, moved, on_repeats)

    def append_locked(
        self,
        events: pa.Table,
        moved: Mapping[str, tuple[int, int]],
        on_repeats: Callable[[Repeats], object] | None = None,
    ) -> int:
        """Do what `append_all` does, for a caller who keeps vacuum away."""
        table = self._table()
        _refuse_moved(table, moved)
        for _ in range(ATTEMPTS):
            try:
                return self._append(table, events, moved, on_repeats)
            except StoreConflict as error:
                last = error
                table.update_incremental()
                if any(_committed(table, source) != start for source, (start, _) in moved.items()):
                    raise
        raise StoreConflict(f"{ATTEMPTS} times another process was faster: {last}")

    def conflicts(self, events: pa.Table) -> Repeats:
        """Compare events that were written before with what is stored; see `base.Store.conflicts`."""
        return self._ids.compare(events, files.files_of(self._table())).repeats(events)

    def _append(
        self,
        table: DeltaTable,
        events: pa.Table,
        moved: Mapping[str, tuple[int, int]],
        on_repeats: Callable[[Repeats], object] | None,
    ) -> int:
        """Commit a batch as the next version, unless others commit events first."""
        ends = {source: end for source, (_, end) in moved.items()}
        if events.num_rows == 0:
            commit(table, [], ends)
            return 0
        is_large = events.num_rows >= maintenance.BULK
        verdicts = self._ids.judge(events, files.files_of(table), complete=is_large)
        if on_repeats is not None and not verdicts.new.all():
            on_repeats(verdicts.repeats(events))
        ends[_IDS_APP] = (table.transaction_version(_IDS_APP) or 0) + 1
        if is_large and not any(file.in_tail for file in files.files_of(table)):
            new = np.flatnonzero(verdicts.new)
            paths = maintenance.sort_in(table, self.root, events, new, moved=ends, commit=commit)
            self._ids.committed(events, verdicts, paths, tail=False)
            return int(events.num_rows - len(new))
        return self._append_to_tail(table, events, verdicts, ends)

    def _append_to_tail(self, table: DeltaTable, events: pa.Table, verdicts: Verdicts, ends: Mapping[str, int]) -> int:
        """Commit what is no conflict as one file; repeated events are dropped when it is sorted."""
        kept = verdicts.rows <= SAME
        rows = events if kept.all() else events.filter(pa.array(kept))
        added = [files.write(rows, self.root, month=files.TAIL, bucket=files.TAIL_BUCKET)] if rows.num_rows else []
        commit(table, [*added], ends)
        self._ids.committed(events, verdicts, [action.path for action in added], tail=True)
        return int(events.num_rows - rows.num_rows)

    def maintain(self, *, full: bool = False) -> int:
        """Sort what has arrived into its cells and drop repeated events; see `base.Store.maintain`."""
        runs = 1 if full else maintenance.RUNS
        keep = partial(conflicts.keep, self.control)
        with self.locks.maintaining():
            dropped = maintenance.compact(self._table, self.root, runs=runs, commit=commit, on_conflicts=keep)
            if full:
                daily_lake.add_checksums(self.path)
            maintenance.trim_log(self.root)
        return dropped

    def expire(self, *, before: datetime) -> int:
        """Drop the events that occurred before an instant; return how many.

        Their bytes stay for the readers of older versions until `vacuum`.
        """
        with self.locks.maintaining():
            return maintenance.expire(self._table, self.root, before=before, commit=commit)

    def vacuum(self, *, grace_hours: float = 24) -> list[Path]:
        """Delete the files that no version younger than the grace needs; return what was deleted.

        Files that no commit ever named stay for 24 hours before the newest commit, whatever the grace.

        Raises:
            InvalidArgument: The grace is longer than the log remembers.
            StoreError: Others who write did not end in time, or the lake cannot be written.
        """
        with self.locks.vacuuming():
            gone = maintenance.vacuum(self._table(), self.root, grace_hours=grace_hours)
            self.log.trim()
        return gone

    def scrub(self) -> dict[str, str]:
        """Check every byte of the newest version and of the tables by day; return what is wrong, by file."""
        found = {file.path: files.damage(self.root, file) for file in self.snapshot().files}
        return {path: damage for path, damage in found.items() if damage} | daily_lake.damage(self.path)

    def files_without_checksum(self) -> list[str]:
        """List the files that record no checksum, so that damage of them would not be seen.

        Other programs write such files; `maintain(full=True)` writes them anew, with one.
        """
        events = [file.path for file in self.snapshot().files if not integrity.has_checksum(file.path)]
        return events + daily_lake.without_checksum(self.path)

    def misfits(self) -> dict[str, str]:
        """Look whether each file of the newest version is there with its size; return what is wrong, by file."""
        found = {file.path: files.misfit(self.root, file) for file in self.snapshot().files}
        return {path: misfit for path, misfit in found.items() if misfit}

    def close(self) -> None:
        """Let go of nothing: files are open only while they are read."""

    def _table(self) -> DeltaTable:
        self._refuse_faults(self.log.faults())
        try:
            table = DeltaTable(self.root)
        except TableNotFoundError as error:
            raise StoreNotFound(f"no lake at {self.path}: it was there a moment ago") from error
        except DeltaError as error:
            unknown = delta_features.unknown_feature(error, self.root, self.path)
            raise unknown or StoreError(f"cannot open the lake at {self.path}: {error}") from error
        delta_features.refuse_unreadable(table, self.path)
        return table

    def _refuse_faults(self, faults: Sequence[LogFault]) -> None:
        if faults:
            raise StoreCorrupt(
                f"{self.path}: {faults[0]}{f', and {len(faults) - 1} more' if faults[1:] else ''}: nothing is answered "
                "or written, as events would be missing; run `workbench doctor --repair`"
            )

    def _create(self) -> None:
        if self.path.is_file() or (self.root.is_dir() and any(self.root.iterdir())):
            raise StoreError(f"{self.path} holds something that is not a lake: name an empty or a new folder")
        self.make_table()

    def make_table(self) -> None:
        """Make an empty table, whatever files are in its folder; leave one that is there as it is."""
        layout = CommitProperties(app_transactions=[Transaction(_LAYOUT_APP, LAYOUT)])
        with files.disk_full_named(self.path):
            self.root.mkdir(parents=True, exist_ok=True)
            DeltaTable.create(
                self.root,
                _TABLE,
                mode="ignore",
                name="events",
                partition_by=commits.PARTITIONS,
                configuration=_CONFIGURATION,
                commit_properties=layout,
            )
            self.log.record(after=-1)


def _refuse_moved(table: DeltaTable, moved: Mapping[str, tuple[int, int]]) -> None:
    """Raise `StoreConflict` unless every source is committed up to where its batch begins."""
    for source, (start, _) in moved.items():
        committed = _committed(table, source)
        if committed != start:
            raise StoreConflict(f"{source} is committed up to {committed:,}, not {start:,}: another process reads it")


def _committed(table: DeltaTable, source: str) -> int:
    return table.transaction_version(source) or SOURCE_START


def commit(
    table: DeltaTable,
    actions: list[files.Action],
    moved: Mapping[str, int],
    *,
    replaced: tuple[str, int] | None = None,
) -> None:
    """Commit actions and positions as one durable version; see `commits.commit`."""
    commits.commit(table, actions, moved, replaced=replaced)


def _refuse_newer(table: DeltaTable, path: Path) -> None:
    layout = table.transaction_version(_LAYOUT_APP)
    if layout is None:
        raise StoreError(f"{path} holds a Delta table that Workbench did not make: name another folder")
    if layout > LAYOUT:
        raise StoreTooNew(f"{path} has layout {layout}, this Workbench knows up to {LAYOUT}: upgrade it")
