"""One version of the lake, read through DuckDB over the explicit list of its files."""

from __future__ import annotations

import hashlib
import threading
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workbench.errors import StoreCorrupt
from workbench.store import arrivals, deletion_vectors, duck, integrity
from workbench.store.base import STORED_EVENT, parts_of
from workbench.store.files import damage

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

    def __init__(
        self,
        root: Path,
        version: int,
        files: Sequence[LakeFile],
        *,
        known_at: datetime | None = None,
        members: NDArray[np.int64] | None = None,
        people: Hashable | None = None,
        everybody: LakeSnapshot | None = None,
    ) -> None:
        """Take the files of `version` under `root`; nothing is read before the first question."""
        self.root = root
        self.version = version
        self.files = tuple(files)
        self.known_at = known_at
        self.people = people
        self._whole = everybody
        self._members = members
        self._engine: duckdb.DuckDBPyConnection | None = None
        self._footers: dict[str, pq.FileMetaData] = {}
        self._sized = False
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
        return LakeSnapshot(
            self.root, self.version, self.files, known_at=self.known_at, members=members, people=people,
            everybody=self.everybody,
        )  # fmt: skip

    def known(self, at: datetime) -> LakeSnapshot:
        """Return what had been ingested by an instant; see `base.Snapshot.known`."""
        return LakeSnapshot(
            self.root, self.version, self.files, known_at=at, members=self._members, people=self.people,
            everybody=self._whole and self._whole.known(at),
        )  # fmt: skip

    @property
    def everybody(self) -> LakeSnapshot:
        """See `base.Snapshot.everybody`."""
        return self._whole or self

    @property
    def total(self) -> int:
        """See `base.Snapshot.total`."""
        return sum(file.rows for file in self.files)

    @cached_property
    def parts(self) -> int:
        """Into how many parts the people are divided; see `base.Snapshot.parts`. Some buckets are in each."""
        wanted = parts_of(self.total)
        return next((parts for parts in (1, 2, 4, 8) if parts >= wanted), arrivals.BUCKETS)

    def query(
        self, sql: str, params: Mapping[str, object] | None = None, *, part: int | range | None = None
    ) -> pa.Table:
        """Run one SELECT over the view `events`; see `base.Snapshot.query`."""
        if isinstance(part, range):
            return pa.concat_tables([self.query(sql, params, part=each) for each in part])
        with self._damage_named():
            self._check_sizes()
            cursor = self._opened().cursor()
            try:
                integrity.verify(self.root, self.files if part is None else self._history(part))
                if part is not None:
                    cursor.execute(f"USE part_{part:d}")
                return duck.select(cursor, sql, params or {})
            finally:
                cursor.close()

    def scan(
        self, columns: Sequence[str], *, part: int, since: int | None = None, until: int | None = None
    ) -> pa.Table:
        """Read columns of a part straight from its files; see `base.Snapshot.scan`."""
        wanted = list(dict.fromkeys(["user_key", *columns, *(["ingested_at"] if self.known_at else [])]))
        with self._damage_named():
            self._check_sizes()
            files = [file for file in self._history(part) if _overlaps(file, since, until)]
            integrity.verify(self.root, files)
            tables = [self._read(file, wanted) for file in files]
            tables.append(self._waiting(part).select(wanted).cast(_scanned(wanted)))
        return pa.concat_tables([self._seen(table) for table in tables]).select(list(columns))

    def _check_sizes(self) -> None:
        """Compare the size of every file of the version with the log, before the first answer from any."""
        if not self._sized:
            integrity.verify_sizes(self.root, self.files)
            self._sized = True

    def _waiting(self, part: int) -> pa.Table:
        """Return what has arrived of a part and is not sorted into its cells yet, by person."""
        if not any(file.in_tail for file in self.files):
            return STORED_EVENT.empty_table()
        cursor = self._opened().cursor()
        try:
            return duck.select(cursor, f"SELECT {COLUMNS} FROM main.tail WHERE {self._is_in(part)}", {})  # noqa: S608
        finally:
            cursor.close()

    def _read(self, file: LakeFile, columns: Sequence[str]) -> pa.Table:
        """Read columns of a file; where they lie in it is kept in mind, as a file never changes."""
        texts = [name for name in columns if STORED_EVENT.field(name).type == pa.string()]
        known = self._footers.get(file.path)
        with pq.ParquetFile(self.root / file.path, metadata=known, read_dictionary=texts) as opened:
            self._footers[file.path] = opened.metadata
            table = deletion_vectors.remaining_rows(opened.read(columns, use_threads=False), file.deleted)
        return table if integrity.has_checksum(file.path) else _by_person(table)

    def _seen(self, table: pa.Table) -> pa.Table:
        """Leave out what was not known yet, and who is not asked about."""
        if self.known_at is not None:
            table = table.filter(pc.less_equal(table["ingested_at"], pa.scalar(self.known_at)))
        if self._members is not None:
            table = table.filter(pa.array(np.isin(table["user_key"].to_numpy(), self._members)))
        return table

    @contextmanager
    def _damage_named(self) -> Iterator[None]:
        """When something goes wrong that is no fault of the question, look whether the files are what they were."""
        try:
            yield
        except (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException):
            raise
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            damaged = {file.path: wrong for file in self.files if (wrong := damage(self.root, file))}
            if not damaged:
                raise
            raise StoreCorrupt(integrity.explanation(self.root, damaged)) from error

    def _opened(self) -> duckdb.DuckDBPyConnection:
        """Return the engine: with the view `events` of everybody, and one in a schema of its own for each part."""
        with self._lock:
            if self._engine is None:
                engine = duck.connect(allowed=[self.root.parent])
                self._fill(engine)
                self._engine = engine
            return self._engine

    def _fill(self, engine: duckdb.DuckDBPyConnection) -> None:
        if self._members is not None:
            engine.register("given", pa.table({"user_key": pa.array(self._members, pa.int64())}))
            engine.execute("CREATE TABLE members AS SELECT DISTINCT user_key FROM given")
        deletions = deletion_vectors.deletions(self.root, self.files)
        if deletions is not None:
            engine.register("vectors", deletions)
            engine.execute("CREATE TABLE deletions AS FROM vectors")
        history = [file for file in self.files if not file.in_tail]
        tail = self._tail(engine)
        engine.execute(f"CREATE VIEW events AS {self._source(history, tail)}")
        for part in range(self.parts):
            waiting = f"{tail} WHERE {self._is_in(part)}" if tail else ""
            engine.execute(f"CREATE SCHEMA part_{part}")
            engine.execute(f"CREATE VIEW part_{part}.events AS {self._source(self._history(part), waiting)}")

    def _history(self, part: int) -> list[LakeFile]:
        """Return the sorted files of a part: those of its buckets."""
        return [
            file for file in self.files if not file.in_tail and file.bucket * self.parts // arrivals.BUCKETS == part
        ]

    def _is_in(self, part: int) -> str:
        """Write the condition that an event is of a person in a part."""
        return f"(user_key & {arrivals.BUCKETS - 1}) * {self.parts} // {arrivals.BUCKETS} = {part}"

    def _source(self, files: Sequence[LakeFile], tail: str) -> str:
        """Write the SELECT of the events in some files, in their order, and of the tail."""
        history = self._relation(files)
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
        tail = self._relation([file for file in self.files if file.in_tail])
        if not tail:
            return ""
        integrity.verify(self.root, self.files)  # history decides what is new
        arrived = duck.select(engine, f"SELECT {COLUMNS} FROM {tail} WHERE {self._known}", {})  # noqa: S608 - own files
        sorted_files = [file for file in self.files if not file.in_tail]
        new = arrived.take(pa.array(arrivals.new_rows(arrived, sorted_files, root=self.root)))
        engine.register("new_events", new.sort_by([("user_key", "ascending"), ("occurred_at", "ascending")]))
        engine.execute("CREATE TABLE tail AS SELECT * FROM new_events")
        return f"SELECT {COLUMNS} FROM main.tail"  # noqa: S608 - own names

    def _relation(self, files: Sequence[LakeFile]) -> str | None:
        return deletion_vectors.relation(self.root, files, COLUMNS, deletions="main.deletions")

    @property
    def _known(self) -> str:
        if self.known_at is None:
            return "true"
        return f"ingested_at <= {duck.quote_text(self.known_at.isoformat())}::TIMESTAMPTZ"


def _overlaps(file: LakeFile, since: int | None, until: int | None) -> bool:
    """Tell whether a sorted file can have events in `[since, until)`, by its month; bounds are microseconds."""
    month = np.datetime64(file.month, "M")
    begins = since is None or np.datetime64(since, "us").astype("datetime64[M]") <= month
    return bool(begins and (until is None or month <= np.datetime64(until - 1, "us").astype("datetime64[M]")))


def _by_person(table: pa.Table) -> pa.Table:
    """Sort the rows of a file of another program, which need not lie person by person."""
    return table.take(pa.array(np.argsort(table["user_key"].to_numpy(), kind="stable")))


def _scanned(columns: Sequence[str]) -> pa.Schema:
    """Return how columns are scanned: texts as dictionaries."""
    stored = [STORED_EVENT.field(name) for name in columns]
    text = pa.dictionary(pa.int32(), pa.string())
    return pa.schema([each.with_type(text) if each.type == pa.string() else each for each in stored])
