"""Verified reads of some columns of data files, without the rows that are deleted in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from workbench.store import deletion_vectors, integrity

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import duckdb

    from workbench.store.files import LakeFile


def columns(root: Path, file: LakeFile, names: Sequence[str]) -> pa.Table:
    """Read columns of a file.

    Raises:
        StoreCorrupt: It is missing or damaged.
    """
    integrity.verify(root, [file])
    table: pa.Table = pq.read_table(root / file.path, columns=list(names), partitioning=None)
    return deletion_vectors.remaining_rows(table, file.deleted)


def relation(engine: duckdb.DuckDBPyConnection, root: Path, files: Sequence[LakeFile], names: str) -> str | None:
    """Make files readable for the next statement of an engine; return their relation, `None` for no files.

    Args:
        engine: May read under the folder of the table.
        root: That folder.
        files: In which order they are read.
        names: Column list of the relation.

    Raises:
        StoreCorrupt: A file is missing or damaged.
    """
    integrity.verify(root, files)
    deletions = deletion_vectors.deletions(root, files)
    if deletions is not None:
        engine.register("deletions", deletions)
    return deletion_vectors.relation(root, files, names, deletions="deletions")
