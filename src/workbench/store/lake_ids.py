"""Which event ids a lake has, as one process knows them: so that an id that comes with another event is seen at once.

Few ids are looked up in the files. After that all keys are read once into Bloom filters, which are then kept up with
the files that each version adds; the identity of what came last, which is what comes again, stays in memory.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from workbench.events import EVENT_TABLE, IDENTITY
from workbench.store import duck, event_ids, file_reads
from workbench.store.event_ids import NEW, SAME, Verdicts
from workbench.store.event_keys import event_keys
from workbench.store.known_keys import KnownKeys
from workbench.store.recent_events import RecentEvents

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.store.files import LakeFile

FIRST_ROOM: Final = 1_000_000
"""Keys of the first filter; each further one has room for twice as many."""

MOST_KNOWN: Final = 80_000_000
"""Keys that are known at most: they take 240 to 480 MB. In a larger lake all rows of a large batch are looked up, and
of a small one only what is recent; compaction finds the rest."""

LOOKUPS: Final = 8
LOOKUP_ROWS: Final = 5_000_000
"""After so many batches whose ids were all looked up in the files, or files of so many events altogether, the keys are
read: that takes about as long, and a small ingest needs none of it."""

_COLUMNS: Final = ["event_id", "event_type", "user_key", "occurred_at"]
_STORED: Final = f"SELECT event_id, {', '.join(IDENTITY)} FROM {{files}} SEMI JOIN wanted USING (event_id)"  # noqa: S608 - own names


_NOTHING: Final = pa.schema(
    [EVENT_TABLE.field(name).with_nullable(True) for name in ("event_id", *IDENTITY)]
).empty_table()


@dataclass(slots=True)
class _Filters:
    """Keys of any number: filters that grow by adding larger ones."""

    parts: list[KnownKeys] = field(default_factory=list)

    @property
    def count(self) -> int:
        return sum(part.count for part in self.parts)

    def add(self, keys: NDArray[np.uint64]) -> None:
        """Know some more keys; those that are known already, or seem to be, take no room."""
        new = keys[~self.among(keys)]
        while len(new):
            if not self.parts or self.parts[-1].count >= self.parts[-1].room:
                self.parts.append(KnownKeys(2 * self.parts[-1].room if self.parts else FIRST_ROOM))
            last = self.parts[-1]
            some = new[: last.room - last.count]
            last.add(some)
            new = new[len(some) :]

    def among(self, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Tell which keys may be known; the others are not."""
        found = np.zeros(len(keys), dtype=bool)
        for part in self.parts:
            found |= part.among(keys)
        return found


class LakeIds:
    """Compares batches with what a lake has. Safe for several threads."""

    def __init__(self, root: Path) -> None:
        """Take the folder of the table; nothing is read before the first batch."""
        self._root = root
        self._lock = threading.Lock()
        self._filters: _Filters | None = None
        self._recent = RecentEvents()
        self._filtered: set[str] = set()
        self._remembered: set[str] = set()
        self._lookups = self._looked = 0

    def judge(self, events: pa.Table, files: Sequence[LakeFile], *, complete: bool) -> Verdicts:
        """Compare a batch with the files of a version, and with itself.

        Args:
            events: Columns of `STORED_EVENT`.
            files: All files of the version.
            complete: Whether the verdicts decide what is written; otherwise repeats may be left to compaction, in a
                lake that is too large to know all its keys.
        """
        with self._lock:
            if self._may_look_up(files):
                found = self._looked_up(events, files)
            else:
                keys = event_keys(events["event_id"])
                self._remember(files)
                rows = self._candidates(keys, files, complete=complete)
                found = self._compare(events, keys, rows, files)
            event_ids.compare_within(events, found.keys, found.rows)
            return found

    def compare(self, events: pa.Table, files: Sequence[LakeFile]) -> Verdicts:
        """Compare events that were read before with the files of a version, and not with each other."""
        with self._lock:
            return self._looked_up(events, files)

    def committed(self, events: pa.Table, verdicts: Verdicts, paths: Sequence[str], *, tail: bool) -> None:
        """Take note of what was written of a batch, once it is committed, and in which files."""
        if verdicts.keys is None:
            return  # what is not known yet is read from the files when it is needed
        with self._lock:
            new = verdicts.new
            if self._filters is not None:
                self._filters.add(verdicts.keys[new])
                self._filtered.update(paths)
            if tail:
                self._recent.add(verdicts.keys[new], events.filter(pa.array(new)))
                self._remembered.update(paths)

    def _may_look_up(self, files: Sequence[LakeFile]) -> bool:
        """Whether it is quicker to look all ids of a batch up than to know the keys."""
        self._lookups += 1 if files else 0
        self._looked += sum(file.rows for file in files)
        return self._filters is None and self._lookups <= LOOKUPS and self._looked <= LOOKUP_ROWS

    def _looked_up(self, events: pa.Table, files: Sequence[LakeFile]) -> Verdicts:
        stored = lookup(self._root, events["event_id"], files)
        verdicts = event_ids.differences(events, stored)
        return Verdicts(verdicts, None, int((verdicts == SAME).sum()))

    def _compare(
        self, events: pa.Table, keys: NDArray[np.uint64], rows: NDArray[np.int64], files: Sequence[LakeFile]
    ) -> Verdicts:
        """Compare some rows: by memory where what they repeat is recent, else by the files."""
        verdicts = np.full(len(keys), NEW, dtype=np.int8)
        if len(rows):
            verdicts[rows] = self._recent.differences(keys[rows], events.take(pa.array(rows)))
            rest = rows[verdicts[rows] == NEW]
            if len(rest):
                stored = lookup(self._root, events["event_id"].take(pa.array(rest)), files)
                event_ids.compare(events, keys, stored, verdicts)
        return Verdicts(verdicts, keys, int((verdicts == SAME).sum()))

    def _candidates(self, keys: NDArray[np.uint64], files: Sequence[LakeFile], *, complete: bool) -> NDArray[np.int64]:
        """Return the rows whose ids the lake may have."""
        everything = np.arange(len(keys))
        if sum(file.rows for file in files) > MOST_KNOWN:
            self._filters, self._filtered = None, set()
            return everything if complete else everything[self._recent.among(keys)]
        filters = self._filters = self._filters or _Filters()
        for file in files:
            if file.path not in self._filtered:
                filters.add(event_keys(self._read(file, ["event_id"])["event_id"]))
        self._filtered = {file.path for file in files}
        return np.flatnonzero(filters.among(keys))

    def _remember(self, files: Sequence[LakeFile]) -> None:
        """Keep up with what other processes have added: what is recent arrives in the tail."""
        tail = [file for file in files if file.in_tail]
        for file in tail:
            if file.path not in self._remembered:
                events = self._read(file, _COLUMNS)
                self._recent.add(event_keys(events["event_id"]), events)
        self._remembered = {file.path for file in tail}

    def _read(self, file: LakeFile, columns: list[str]) -> pa.Table:
        return file_reads.columns(self._root, file, columns)


def lookup(root: Path, wanted: pa.ChunkedArray, files: Sequence[LakeFile]) -> pa.Table:
    """Look some ids up in the files; of an id that is there twice, the event that was sorted comes first."""
    if not files or not len(wanted):
        return _NOTHING
    engine = duck.connect(allowed=[root.parent], memory="1GB")
    engine.register("wanted", pa.table({"event_id": wanted}))
    names = ", ".join(["event_id", *IDENTITY])
    tables = [_NOTHING]
    for in_tail in (False, True):
        source = file_reads.relation(engine, root, [file for file in files if file.in_tail == in_tail], names)
        if source:
            tables.append(duck.select(engine, _STORED.format(files=source), {}))
    engine.close()
    return pa.concat_tables(tables)
