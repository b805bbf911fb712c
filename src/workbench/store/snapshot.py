"""One version of the lake, read through DuckDB over the explicit list of its files."""

from __future__ import annotations

import hashlib
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import duckdb
import numpy as np
import pyarrow as pa

from workbench.errors import StoreCorrupt
from workbench.store import arrivals, duck
from workbench.store.base import STORED_EVENT
from workbench.store.files import MISSING, damage

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.store.files import LakeFile

COLUMNS = ", ".join(duck.quote_name(name) for name in STORED_EVENT.names)


class LakeSnapshot:
    """The events of one version. Safe to ask from several threads."""

    engine: Final = "duckdb"
    parts: Final = arrivals.BUCKETS

    def __init__(
        self,
        root: Path,
        version: int,
        files: Sequence[LakeFile],
        *,
        known_at: datetime | None = None,
        members: NDArray[np.int64] | None = None,
        people: Hashable | None = None,
    ) -> None:
        """Take the files of `version` under `root`; nothing is read before the first question."""
        self.root = root
        self.version = version
        self.files = tuple(files)
        self.known_at = known_at
        self.people = people
        self._members = members
        self._engines: dict[bool, duckdb.DuckDBPyConnection] = {}
        self._arrived: pa.Table | None = None
        self._lock = threading.Lock()

    @property
    def data_version(self) -> str:
        """Name of the version: its number, and a hash of its files, so that two lakes are not mistaken."""
        names = "".join(file.path for file in self.files)
        suffix = "" if self.known_at is None else f" as known at {self.known_at.isoformat()}"
        return f"{self.version}-{hashlib.blake2b(names.encode(), digest_size=4).hexdigest()}{suffix}"

    def only(self, keys: NDArray[np.int64], *, people: Hashable) -> LakeSnapshot:
        """Return the events of some people alone; see `base.Snapshot.only`."""
        members = keys if self._members is None else np.intersect1d(keys, self._members)
        return LakeSnapshot(self.root, self.version, self.files, known_at=self.known_at, members=members, people=people)

    def known(self, at: datetime) -> LakeSnapshot:
        """Return what had been ingested by an instant; see `base.Snapshot.known`."""
        return LakeSnapshot(self.root, self.version, self.files, known_at=at, members=self._members, people=self.people)

    def query(self, sql: str, params: Mapping[str, object] | None = None, *, part: int | None = None) -> pa.Table:
        """Run one SELECT over the view `events`; see `base.Snapshot.query`."""
        with self._damage_named():
            cursor = self._engine(parted=part is not None).cursor()
            try:
                if part is not None:
                    cursor.execute(f"USE part_{part:d}")
                return duck.select(cursor, sql, params or {})
            finally:
                cursor.close()

    @contextmanager
    def _damage_named(self) -> Iterator[None]:
        """When something goes wrong that is no fault of the question, look whether the files are what they were."""
        try:
            yield
        except (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException):
            raise
        except duckdb.Error as error:
            damaged = {file.path: wrong for file in self.files if (wrong := damage(self.root, file))}
            if not damaged:
                raise
            raise StoreCorrupt(_explained(self.root, damaged)) from error

    def _engine(self, *, parted: bool) -> duckdb.DuckDBPyConnection:
        """Return the engine that sees everybody, with all threads; or the one for parts, which are asked side by side.

        That one has a thread for each question: two questions then share two processors better than one does.
        """
        with self._lock:
            if parted not in self._engines:
                engine = duck.connect(allowed=[self.root.parent], threads=1 if parted else None)
                self._fill(engine, parted=parted)
                self._engines[parted] = engine
            return self._engines[parted]

    def _fill(self, engine: duckdb.DuckDBPyConnection, *, parted: bool) -> None:
        """Make the view `events` of everybody, or one in a schema of its own for each part."""
        if self._members is not None:
            engine.register("given", pa.table({"user_key": pa.array(self._members, pa.int64())}))
            engine.execute("CREATE TABLE members AS SELECT DISTINCT user_key FROM given")
        history = [file for file in self.files if not file.in_tail]
        tail = self._tail(engine)
        if not parted:
            engine.execute(f"CREATE VIEW events AS {self._source(history, tail)}")
            return
        for part in range(self.parts):
            own = [file for file in history if file.bucket == part]
            waiting = tail and f"{tail} WHERE user_key & {arrivals.BUCKETS - 1} = {part}"
            engine.execute(f"CREATE SCHEMA part_{part}")
            engine.execute(f"CREATE VIEW part_{part}.events AS {self._source(own, waiting)}")

    def _source(self, files: Sequence[LakeFile], tail: str) -> str:
        """Write the SELECT of the events in some files, in their order, and of the tail."""
        history = duck.parquet(self.root, [file.path for file in files])
        parts = [f"SELECT {COLUMNS} FROM {history} WHERE {self._known}"] if history else []  # noqa: S608 - own files
        if tail:
            parts.append(tail)
        everybody = " UNION ALL ".join(parts) or f"SELECT {COLUMNS} FROM main.nothing"  # noqa: S608 - own names
        if self._members is None:
            return everybody
        return f"SELECT * FROM ({everybody}) SEMI JOIN main.members USING (user_key)"  # noqa: S608 - own names

    def _tail(self, engine: duckdb.DuckDBPyConnection) -> str:
        """Keep what has arrived and is not sorted yet in memory, each event once; empty text if there is nothing."""
        engine.execute(f"CREATE TABLE nothing ({duck.COLUMN_TYPES})")
        tail = duck.parquet(self.root, [file.path for file in self.files if file.in_tail])
        if not tail:
            return ""
        if self._arrived is None:
            history = duck.parquet(self.root, [file.path for file in self.files if not file.in_tail])
            arrived = duck.select(engine, f"SELECT {COLUMNS} FROM {tail} WHERE {self._known}", {})  # noqa: S608 - own files
            self._arrived = arrived.take(pa.array(arrivals.new_rows(arrived, history, root=self.root)))
        engine.register("new_events", self._arrived)
        engine.execute("CREATE TABLE tail AS SELECT * FROM new_events")
        return f"SELECT {COLUMNS} FROM main.tail"  # noqa: S608 - own names

    @property
    def _known(self) -> str:
        if self.known_at is None:
            return "true"
        return f"ingested_at <= {duck.quote_text(self.known_at.isoformat())}::TIMESTAMPTZ"


def _explained(root: Path, damaged: Mapping[str, str]) -> str:
    path, wrong = next(iter(damaged.items()))
    what = (
        f"{len(damaged)} file(s) of this version are not as they were committed; the first, {root / path}, is {wrong}"
    )
    if all(wrong == MISSING for wrong in damaged.values()):
        return f"{what}: if the version is old, vacuum has removed them, and the newest one can be opened"
    return f"{what}: run `workbench doctor --scrub`, and restore them, or ingest again into a new lake"
