"""One version of the lake, read through DuckDB over the explicit list of its files."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING

import duckdb

from workbench.errors import StoreCorrupt
from workbench.store import arrivals, duck
from workbench.store.base import STORED_EVENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    import pyarrow as pa

    from workbench.store.files import LakeFile

COLUMNS = ", ".join(duck.quote_name(name) for name in STORED_EVENT.names)


class LakeSnapshot:
    """The events of one version. Safe to ask from several threads."""

    def __init__(
        self, root: Path, version: int, files: Sequence[LakeFile], *, known_at: datetime | None = None
    ) -> None:
        """Take the files of `version` under `root`; nothing is read before the first question."""
        self.root = root
        self.version = version
        self.files = tuple(files)
        self.known_at = known_at
        self._engine: duckdb.DuckDBPyConnection | None = None
        self._lock = threading.Lock()

    @property
    def data_version(self) -> str:
        """Name of the version: its number, and a hash of its files, so that two lakes are not mistaken."""
        names = "".join(file.path for file in self.files)
        suffix = "" if self.known_at is None else f" as known at {self.known_at.isoformat()}"
        return f"{self.version}-{hashlib.blake2b(names.encode(), digest_size=4).hexdigest()}{suffix}"

    def query(self, sql: str, params: Mapping[str, object] | None = None) -> pa.Table:
        """Run one SELECT over the view `events`; see `base.Snapshot.query`."""
        with self._lock:
            if self._engine is None:
                self._engine = self._open()
            cursor = self._engine.cursor()
        try:
            return duck.select(cursor, sql, params or {})
        except (duckdb.IOException, duckdb.InvalidInputException) as error:
            missing = [file.path for file in self.files if not (self.root / file.path).exists()]
            if not missing and isinstance(error, duckdb.InvalidInputException) and "parquet" not in str(error).lower():
                raise
            raise StoreCorrupt(_explained(self.root, missing, error)) from error
        finally:
            cursor.close()

    def _open(self) -> duckdb.DuckDBPyConnection:
        engine = duck.connect(allowed=[self.root.parent])
        history = duck.parquet(self.root, [file.path for file in self.files if not file.in_tail])
        tail = duck.parquet(self.root, [file.path for file in self.files if file.in_tail])
        known = (
            "true"
            if self.known_at is None
            else f"ingested_at <= {duck.quote_text(self.known_at.isoformat())}::TIMESTAMPTZ"
        )
        sources = [f"SELECT {COLUMNS} FROM {history} WHERE {known}"] if history else []  # noqa: S608 - own files
        try:
            if tail:
                arrived = duck.select(engine, f"SELECT {COLUMNS} FROM {tail} WHERE {known}", {})  # noqa: S608 - own files
                engine.register("new_events", arrivals.new_events(arrived, history, root=self.root))
                engine.execute("CREATE TABLE tail AS SELECT * FROM new_events")
                sources.append("SELECT * FROM tail")
            if not sources:
                engine.execute(f"CREATE TABLE nothing ({duck.COLUMN_TYPES})")
                sources.append("SELECT * FROM nothing")
            engine.execute(f"CREATE VIEW events AS {' UNION ALL '.join(sources)}")
        except duckdb.IOException as error:
            missing = [file.path for file in self.files if not (self.root / file.path).exists()]
            raise StoreCorrupt(_explained(self.root, missing, error)) from error
        return engine


def _explained(root: Path, missing: list[str], error: Exception) -> str:
    if missing:
        return (
            f"{len(missing)} file(s) of this version are gone from {root}, the first is {missing[0]}: if the version "
            "is old, vacuum has removed them (open the newest one); otherwise run `workbench doctor --scrub`"
        )
    return f"cannot read {root}: {error}; run `workbench doctor --scrub`"
