"""The Parquet files of the lake: written once, named by their content, so that damage can be seen.

A file's name is made of the checksums of its bytes. The commit that adds a file to the table thereby records
them, and `integrity` can tell a damaged file from a good one without any other bookkeeping.
"""

from __future__ import annotations

import errno
import json
import os
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake.transaction import AddAction, RemoveAction

from workbench.errors import StoreConflict, StoreFull
from workbench.store import deletion_vectors, integrity
from workbench.store.base import STORED_EVENT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from deltalake import DeltaTable
    from numpy.typing import NDArray

Action: TypeAlias = AddAction | RemoveAction

TAIL: Final = "tail"
"""The `month` of events that have arrived and were not yet sorted into their cell."""

TAIL_BUCKET: Final = -1
MISSING: Final = integrity.MISSING
ROW_GROUP: Final = 131_072
_DICTIONARY: Final = [
    "event_type",
    "platform",
    "user_id",
    "session_id",
    "raid_id",
    "source",
    "ingested_at",
    "schema_version",
]


@dataclass(frozen=True, slots=True)
class LakeFile:
    """One file of one version of the table."""

    path: str
    month: str
    bucket: int
    rows: int
    """Events in it, those that a deletion vector leaves out not counted."""
    size: int
    ingested_from: int
    """The earliest `ingested_at` in it, in microseconds since 1970: the order in which files arrived."""
    deleted: NDArray[np.int64] | None = field(default=None, compare=False, repr=False)
    """Numbers of the rows that another program deleted without rewriting the file, from 0; `None` for none."""

    @property
    def in_tail(self) -> bool:
        """Whether its events still wait to be sorted into their cells."""
        return self.month == TAIL


def files_of(table: DeltaTable) -> list[LakeFile]:
    """List the files of the version that `table` is open at, ordered by path.

    Raises:
        StoreCorrupt: A deletion vector cannot be read.
    """
    actions = pa.table(table.get_add_actions(flatten=True))
    if actions.num_rows == 0:
        return []
    vectors = deletion_vectors.deleted_rows(table)
    root = deletion_vectors.folder(table)
    files = [_file(root, row, vectors.get(row["path"])) for row in actions.to_pylist()]
    return sorted(files, key=lambda file: file.path)


def _file(root: Path, row: dict[str, Any], deleted: NDArray[np.int64] | None) -> LakeFile:
    """Build a file from its entry in the log; other programs may leave the statistics out."""
    rows, first = row["num_records"], row.get("min.ingested_at")
    if rows is None:
        rows = pq.read_metadata(root / row["path"]).num_rows
    return LakeFile(
        path=row["path"],
        month=row["partition.month"],
        bucket=row["partition.bucket"],
        rows=rows - (0 if deleted is None else len(deleted)),
        size=row["size_bytes"],
        ingested_from=0 if first is None else int(first.timestamp() * 1_000_000),
        deleted=deleted,
    )


def read(root: Path, files: Sequence[LakeFile]) -> pa.Table:
    """Read files whole, one after the other, each only if its bytes are those that were committed.

    What is rewritten gets a new checksum, so damage that went in here would never be seen again.

    Raises:
        StoreCorrupt: A file is missing or damaged.
    """
    tables = []
    for file in files:
        events = pq.read_table(pa.BufferReader(integrity.content(root, file)), partitioning=None, schema=STORED_EVENT)
        tables.append(deletion_vectors.remaining_rows(events, file.deleted))
    return pa.concat_tables(tables).combine_chunks()


def rewrite(root: Path, file: LakeFile) -> AddAction | None:
    """Write the events of a file anew, without its deleted rows; `None` if all are deleted.

    The new file differs from every other, so one commit can remove the old and add the new.
    """
    events = read(root, [file])
    if not events.num_rows:
        return None
    if not file.in_tail:  # other programs need not write person by person
        order = np.lexsort((events["occurred_at"].cast(pa.int64()).to_numpy(), events["user_key"].to_numpy()))
        events = events.take(pa.array(order))
    unique = events.replace_schema_metadata({"workbench.rewritten": uuid.uuid4().hex})
    return write(unique, root, month=file.month, bucket=file.bucket)


def write(events: pa.Table, root: Path, *, month: str, bucket: int) -> AddAction:
    """Write one file under `root` and return the action that adds it to the table.

    Args:
        events: The columns of `STORED_EVENT`, at least one row, in the order to keep.
        root: Folder of the table.
        month: `YYYY-MM`, or `TAIL`.
        bucket: 0 to 15, or `TAIL_BUCKET`.

    Raises:
        StoreFull: The disk is full; what was written of the file is removed.
    """
    folder = f"month={month}/bucket={bucket}"
    temporary = root / folder / f"{uuid.uuid4().hex}.tmp"
    with disk_full_named(root):
        temporary.parent.mkdir(parents=True, exist_ok=True)
        try:
            pq.write_table(
                events,
                temporary,
                # what is rewritten soon is written quickly, what stays is written small
                compression="lz4" if month == TAIL else "zstd",
                use_dictionary=_DICTIONARY,
                row_group_size=ROW_GROUP,
                write_page_checksum=False,  # the file's name covers every byte
            )
            path = f"{folder}/{integrity.Checksums.of(temporary).name}.parquet"
            size = settle(temporary, root / path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    values = {"month": month, "bucket": str(bucket)}
    return AddAction(path, size, values, int(time.time() * 1000), True, _statistics(events))


def removal(file: LakeFile) -> RemoveAction:
    """Return the action that takes `file` out of the table; its bytes stay until `vacuum`.

    Raises:
        StoreConflict: It has a deletion vector, which such an action cannot name, so it would not go.
    """
    if file.deleted is not None:
        raise StoreConflict(f"{file.path} has a deletion vector since this job began: run it again")
    values: dict[str, str | None] = {"month": file.month, "bucket": str(file.bucket)}
    return RemoveAction(file.path, True, int(time.time() * 1000), file.size, values)


def additions(table: DeltaTable, paths: Collection[str]) -> list[AddAction]:
    """Return the actions that add files to a table again, which are in the version that it is open at."""
    actions = pa.table(table.get_add_actions(flatten=True))
    return [
        AddAction(
            row["path"],
            row["size_bytes"],
            {"month": row["partition.month"], "bucket": str(row["partition.bucket"])},
            int(time.time() * 1000),
            True,
            _statistics_of(row["num_records"], *(_bounds(row, name) for name in ("occurred_at", "ingested_at"))),
        )
        for row in actions.to_pylist()
        if row["path"] in paths
    ]


def damage(root: Path, file: LakeFile) -> str | None:
    """Say what is wrong with a file, or return `None` when its bytes are those that were committed."""
    return integrity.damage(root, file)


def misfit(root: Path, file: LakeFile) -> str | None:
    """Say whether a file is missing or of another size than was committed, without a look at its bytes."""
    path = root / file.path
    if not path.exists():
        return MISSING
    size = path.stat().st_size
    return None if size == file.size else f"{size:,} bytes, {file.size:,} bytes were committed"


@contextmanager
def disk_full_named(root: Path) -> Iterator[None]:
    """Turn "no space left" into `StoreFull`."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT} or "No space left" in str(error):
            raise StoreFull(
                f"no space left for {root}: free some and run again, nothing of this batch was kept"
            ) from error
        raise


def settle(temporary: Path, path: Path) -> int:
    """Make the bytes durable before a commit can name them; return how many there are."""
    with temporary.open("rb+") as stream:
        os.fsync(stream.fileno())
        size = os.fstat(stream.fileno()).st_size
    temporary.rename(path)
    return size


def _statistics(events: pa.Table) -> str:
    """Return Delta's statistics of a file, by which readers skip it (milliseconds, rounded outwards)."""
    occurred_at, ingested_at = (pc.min_max(events[name]).as_py() for name in ("occurred_at", "ingested_at"))
    outwards = timedelta(microseconds=999)
    return _statistics_of(
        events.num_rows,
        (occurred_at["min"], occurred_at["max"] + outwards),
        (ingested_at["min"], ingested_at["max"] + outwards),
    )


def _statistics_of(rows: int, occurred_at: tuple[datetime, datetime], ingested_at: tuple[datetime, datetime]) -> str:
    lows, highs = (
        {"occurred_at": _instant(occurred_at[end]), "ingested_at": _instant(ingested_at[end])} for end in (0, 1)
    )
    return json.dumps({"numRecords": rows, "minValues": lows, "maxValues": highs, "nullCount": {}})


def _bounds(row: Mapping[str, datetime], name: str) -> tuple[datetime, datetime]:
    return row[f"min.{name}"], row[f"max.{name}"]


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
