"""What was ingested and what was set aside, in the control state of the store."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workbench.store import control

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from workbench.ingest.base import Gap
    from workbench.ingest.batches import Rejected
    from workbench.ingest.mappings import Mapping as Rules

_FILE: Final = re.compile(r"(?P<format>jsonl|csv|parquet)-(?P<content>stdin[0-9a-f]{32}|[0-9a-f]{32})-[0-9a-f]{8}")
"""The source that a file is; a partition of a queue is `<topic>-<number>`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file under one mapping, or one partition of a queue.

    Attributes:
        source: As in the events' column `source`: the format, then hashes of the content and of the mapping; or the
            partition.
        name: What a person calls it.
        mapping: What the mapping can be loaded by.
    """

    source: str
    name: str
    mapping: str


def format_of(source: str) -> str:
    """Return the format of the file that a source names; messages of a queue are read as lines of JSON are.

    >>> format_of("csv-" + 32 * "0" + "-1a2b3c4d"), format_of("csv-events-3")
    ('csv', 'jsonl')
    """
    file = _FILE.fullmatch(source)
    return file["format"] if file else "jsonl"


def is_complete(path: Path, source: str, *, position: int) -> bool:
    """Whether a source was read to its end, and the store still has it up to there."""
    with control.connect(path) as connection:
        row = connection.execute("SELECT finished_at, position FROM ingests WHERE source = ?", (source,)).fetchone()
    return row is not None and row["finished_at"] is not None and row["position"] == position


def known_key(path: Path, mapping: Rules) -> Rules:
    """Return the mapping by whose key a store knows its events: one that was begun by a single field goes on so.

    The ids of a key of several fields are others; events that are there would come in a second time.
    """
    single = mapping.single_key
    if single is None:
        return mapping
    with control.connect(path) as connection:
        query = "SELECT 1 FROM ingests WHERE substr(source, -9) = ? LIMIT 1"
        return mapping if connection.execute(query, (f"-{single.fingerprint}",)).fetchone() is None else single


def begin(path: Path, entry: Entry, *, now: datetime) -> None:
    """Note that a file is being read; the first start stays."""
    with control.connect(path) as connection:
        connection.execute(
            "INSERT INTO ingests (source, name, mapping, started_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (entry.source, entry.name, entry.mapping, now.isoformat()),
        )


def note(path: Path, source: str, *, position: int, finished_at: datetime | None) -> None:
    """Note how far a file was read, and when its end was reached."""
    with control.connect(path) as connection:
        connection.execute(
            "UPDATE ingests SET position = ?, finished_at = ?,"
            " rejected = (SELECT count(*) FROM rejects WHERE rejects.source = ingests.source) WHERE source = ?",
            (position, finished_at and finished_at.isoformat(), source),
        )


def set_aside(path: Path, entry: Entry, rejected: list[Rejected], *, now: datetime) -> None:
    """Keep what is no event; the same row of the same file once, however often this is repeated."""
    set_aside_all(path, {entry: rejected}, now=now)


def set_aside_all(path: Path, rejected: Mapping[Entry, list[Rejected]], *, now: datetime) -> None:
    """Keep what is no event of several sources, in one step."""
    rejected_at = now.isoformat()
    rows = [
        (
            _reject_id(place, row),
            entry.source,
            entry.name,
            entry.mapping,
            row.position,
            row.reject.reason,
            row.reject.detail,
            row.reject.original,
            row.size,
            rejected_at,
        )
        for entry, rows in rejected.items()
        for place in (_place(entry),)
        for row in rows
    ]
    if not rows:
        return
    with control.connect(path) as connection:
        connection.executemany(
            "INSERT INTO rejects (reject_id, source, name, mapping, position, reason, detail, original, size_bytes,"
            " rejected_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            rows,
        )


def _place(entry: Entry) -> str:
    """Name where rows stand; standard input has no identity but its format and mapping."""
    source, file = entry.source, _FILE.fullmatch(entry.source)
    if file and file["content"].startswith("stdin"):
        return source.replace(file["content"], "")
    return source


def _reject_id(place: str, row: Rejected) -> str:
    """Hash where the row stood and what it was."""
    return hashlib.blake2b(f"{place}-{row.position}-".encode() + row.reject.original, digest_size=10).hexdigest()


def note_gap(path: Path, source: str, gap: Gap, *, now: datetime) -> None:
    """Keep which offsets of a partition could not be read; once, however often this is repeated."""
    with control.connect(path) as connection:
        connection.execute(
            'INSERT INTO gaps (source, start, "end", reason, detail, noted_at) VALUES (?, ?, ?, ?, ?, ?)'
            ' ON CONFLICT DO UPDATE SET "end" = max("end", excluded."end")',
            (source, gap.start, gap.end, gap.reason, gap.detail, now.isoformat()),
        )


@dataclass(frozen=True, slots=True)
class NotedGap:
    """Offsets of a partition that could not be read: whose messages are in no store."""

    source: str
    start: int
    end: int
    reason: str
    detail: str
    noted_at: str


def gaps(path: Path) -> list[NotedGap]:
    """List what could not be read, the newest first."""
    with control.connect(path) as connection:
        rows = connection.execute(
            'SELECT source, start, "end", reason, detail, noted_at FROM gaps ORDER BY noted_at DESC, source, start'
        )
        return [NotedGap(*row) for row in rows]
