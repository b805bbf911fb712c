"""A simulated export on disk: Parquet or JSON lines, with the truth in a folder beside it."""

from __future__ import annotations

import gzip
import os
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Protocol, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workbench.errors import InvalidArgument
from workbench.events import EVENT_TABLE
from workbench.simulate.columns import Json, objects
from workbench.simulate.community import community
from workbench.simulate.plan import DEFAULT_UNTIL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

FORMATS: Final = (".parquet", ".jsonl", ".jsonl.gz")
ROWS_PER_GROUP: Final = 100_000


@dataclass(frozen=True, slots=True)
class SimulationSummary:
    """What was written.

    Attributes:
        path: The file of events.
        truth: The folder of the ground truth.
        events: Rows in the file, duplicates included.
        users: People.
        duplicates: Rows that repeat an earlier event word for word.
        late: Events that arrived on a later day than they occurred on.
        seconds: How long it took.
    """

    path: Path
    truth: Path
    events: int
    users: int
    duplicates: int
    late: int
    seconds: float


def write(
    out: Path,
    *,
    users: int = 2000,
    days: int = 120,
    seed: int = 7,
    until: date = DEFAULT_UNTIL,
    progress: Callable[[int, int], object] | None = None,
) -> SimulationSummary:
    """Simulate a community into a file, and its ground truth into `<name>.truth/` beside it.

    Nothing appears under the final names before everything is written; an interruption leaves nothing
    behind, and an earlier export stays until it is replaced.

    Args:
        out: A `.parquet`, `.jsonl` or `.jsonl.gz` file; its folder is made if it is missing.
        users: How many people join over the whole time.
        days: For how many UTC days.
        seed: Which of all such communities.
        until: The day after the last one.
        progress: Called after each day with the days done and the days in all.

    Raises:
        InvalidArgument: Another kind of file, `users` or `days` below 1, or `seed` below 0.
    """
    began = time.perf_counter()
    out = Path(out)
    name, form = _named(out)
    crowd = community(users=users, days=days, seed=seed, until=until)
    out.parent.mkdir(parents=True, exist_ok=True)
    truth = out.with_name(f"{name}.truth")
    with _scratch(out) as scratch:
        with _SINKS[form](scratch / "events") as sink:
            for done, events in enumerate(crowd, start=1):
                sink.write(events)
                if progress is not None:
                    progress(done, days)
        crowd.truth.write(_made(scratch / "truth"))
        shutil.rmtree(truth, ignore_errors=True)
        os.replace(scratch / "truth", truth)
        os.replace(scratch / "events", out)
    known = crowd.truth.facts
    seconds = time.perf_counter() - began
    return SimulationSummary(out, truth, known["events"], users, known["duplicates"], known["late"], seconds)


def _named(out: Path) -> tuple[str, str]:
    """Split a file name into its stem and one of `FORMATS`."""
    for form in FORMATS:
        if not out.is_dir() and out.name.endswith(form) and out.name != form:
            return out.name.removesuffix(form), form
    raise InvalidArgument(f"a simulation is written to a file ending in {', '.join(FORMATS)}, not to {str(out)!r}")


@contextmanager
def _scratch(out: Path) -> Iterator[Path]:
    """Give a hidden folder beside the file, on the same disk, gone afterwards; what a killed run left is cleared."""
    folder = out.with_name(f".{out.name}.partial")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield _made(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


class Sink(Protocol):
    """Where the days go."""

    def write(self, events: pa.Table) -> None:
        """Take the events of one day."""


class _ParquetSink:
    """Gathers days into row groups of a good size."""

    def __init__(self, file: pq.ParquetWriter) -> None:
        self._file, self._days, self._rows = file, list[pa.Table](), 0

    def write(self, events: pa.Table) -> None:
        self._days.append(events)
        self._rows += events.num_rows
        if self._rows >= ROWS_PER_GROUP:
            self.flush()

    def flush(self) -> None:
        if self._rows:
            self._file.write_table(pa.concat_tables(self._days), row_group_size=self._rows)
        self._days, self._rows = [], 0


@contextmanager
def _parquet(path: Path) -> Iterator[Sink]:
    repeated = ["event_type", "user_id", "platform", "raid_id", "schema_version"]
    with pq.ParquetWriter(path, EVENT_TABLE, compression="zstd", compression_level=1, use_dictionary=repeated) as file:
        sink = _ParquetSink(file)
        yield sink
        sink.flush()


class _JsonSink:
    """Writes one JSON object per line."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, events: pa.Table) -> None:
        if events.num_rows:
            lines = json_lines(events.combine_chunks())
            whole = pa.ListArray.from_arrays(pa.array([0, len(lines)], pa.int32()), lines)
            self._file.write(pc.binary_join(whole, "\n")[0].as_buffer())
            self._file.write(b"\n")


def json_lines(events: pa.Table) -> pa.Array:
    """Write events as JSON objects in their native field names; nulls are left out."""
    columns: dict[str, Any] = {name: events[name].combine_chunks() for name in events.column_names}
    instants = events["occurred_at"].to_numpy().astype("datetime64[us]")
    columns["occurred_at"] = pc.binary_join_element_wise(pa.array(np.datetime_as_string(instants)), "Z", "")
    columns["properties"] = Json(columns["properties"])
    return objects(**columns)


@contextmanager
def _jsonl(path: Path) -> Iterator[Sink]:
    with path.open("wb") as file:
        yield _JsonSink(file)


@contextmanager
def _jsonl_gz(path: Path) -> Iterator[Sink]:
    # No name and no time in the header: equal communities are equal bytes.
    with path.open("wb") as raw, gzip.GzipFile("", "wb", compresslevel=3, fileobj=raw, mtime=0) as file:
        yield _JsonSink(cast("IO[bytes]", file))


_SINKS: Final = {".parquet": _parquet, ".jsonl": _jsonl, ".jsonl.gz": _jsonl_gz}
