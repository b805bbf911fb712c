"""Deletion vectors of the Delta protocol: rows of a data file that another program deleted without rewriting it.

Spark deletes a person by a bitmap of row numbers beside each file (https://github.com/delta-io/delta, PROTOCOL.md,
"Deletion Vectors"). `deltalake` decodes all three kinds of storage (inline, relative, absolute) and checks the CRC-32
of each; the readers here get a list of files, so they leave out those rows themselves.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import numpy as np
import pyarrow as pa
from deltalake.exceptions import DeltaError

from workbench.errors import StoreCorrupt
from workbench.store import duck

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from deltalake import DeltaTable
    from numpy.typing import NDArray

    from workbench.store.files import LakeFile

FEATURE: Final = "deletionVectors"
_FILE: Final = re.compile(r"deletion_vector_[0-9a-f-]{36}\.bin")
_COLUMNS: Final = pa.schema([("filename", pa.string()), ("file_row_number", pa.int64())])


def deleted_rows(table: DeltaTable) -> Mapping[str, NDArray[np.int64]]:
    """Return the numbers of the deleted rows, ascending from 0, by path of the data file.

    Raises:
        StoreCorrupt: A vector is missing or damaged.
    """
    if FEATURE not in (table.protocol().reader_features or []):
        return {}
    root = folder(table)
    try:
        vectors = pa.table(table.deletion_vectors())
    except (DeltaError, OSError) as error:
        raise StoreCorrupt(
            f"a deletion vector of {root} cannot be read, so deleted events would come back: {error}; restore its "
            "file, or delete the events again with the program that wrote it"
        ) from error
    deleted: dict[str, NDArray[np.int64]] = {}
    for batch in vectors.to_batches():
        for path, selection in zip(batch["filepath"].to_pylist(), batch["selection_vector"], strict=True):
            mask = np.asarray(selection.values.to_numpy(zero_copy_only=False), dtype=bool)
            local = unquote(path.removeprefix("file://"))
            deleted[str(Path(local).relative_to(root))] = np.flatnonzero(~mask)
    return deleted


def folder(table: DeltaTable) -> Path:
    """Return the folder of a table on local disk."""
    return Path(unquote(table.table_uri.removeprefix("file://")))


def is_vector_file(path: str | Path) -> bool:
    """Tell whether a file holds deletion vectors, by the name that the protocol gives it."""
    return _FILE.fullmatch(Path(path).name) is not None


def remaining_rows(events: pa.Table, deleted: NDArray[np.int64] | None) -> pa.Table:
    """Leave deleted rows out of a whole file.

    >>> remaining_rows(pa.table({"row": [0, 1, 2]}), np.array([1]))["row"].to_pylist()
    [0, 2]
    """
    if deleted is None:
        return events
    remaining = np.ones(events.num_rows, dtype=bool)
    remaining[deleted] = False
    return events.filter(pa.array(remaining))


def deletions(root: Path, files: Iterable[LakeFile]) -> pa.Table | None:
    """Return the deleted rows of some files as `relation` leaves them out; `None` if there are none."""
    tables = [
        pa.table([pa.repeat(str(root / file.path), len(file.deleted)), pa.array(file.deleted)], schema=_COLUMNS)
        for file in files
        if file.deleted is not None
    ]
    return pa.concat_tables(tables) if tables else None


def relation(root: Path, files: Sequence[LakeFile], columns: str, *, deletions: str) -> str | None:
    """Write the relation that reads exactly these files and leaves out their deleted rows; `None` for no files.

    Args:
        root: Folder of the table.
        files: In which order they are read.
        columns: Column list of the relation.
        deletions: Name of a relation of `deletions`; not used if no file has any.
    """
    whole = duck.parquet(root, [file.path for file in files if file.deleted is None])
    cut = duck.parquet(root, [file.path for file in files if file.deleted is not None], numbered=True)
    if cut is None:
        return whole
    selects = [f"SELECT {columns} FROM {whole}"] if whole else []  # noqa: S608 - own files
    selects.append(f"SELECT {columns} FROM {cut} ANTI JOIN {deletions} USING (filename, file_row_number)")  # noqa: S608
    return f"({' UNION ALL '.join(selects)})"
