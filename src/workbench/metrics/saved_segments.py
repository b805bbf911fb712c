"""Segments kept by a name, in the control store of a lake."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from workbench.errors import InvalidArgument
from workbench.metrics import arguments
from workbench.metrics.segments import Segment, from_dict
from workbench.store import control

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

_NAME: Final = re.compile(r"\w[\w \-.]{0,79}")


def save(path: Path, name: str, segment: Segment, *, now: datetime) -> None:
    """Keep a segment by a name; one of that name is replaced.

    Raises:
        InvalidArgument: The name, or what should be kept, cannot be used.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidArgument(f"a segment's name is up to 80 letters, digits, blanks and '_-.', got {name!r}")
    if not isinstance(segment, Segment):
        raise InvalidArgument(f"only a segment can be kept, got {segment!r}: make one with wb.segment(...)")
    with control.connect(path) as connection:
        connection.execute(
            "INSERT INTO segments VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE "
            "SET definition = excluded.definition, saved_at = excluded.saved_at",
            (name, json.dumps(segment.to_dict()), now.isoformat()),
        )


def load_all(path: Path) -> dict[str, Segment]:
    """Return the segments that are kept, by name."""
    with control.connect(path) as connection:
        rows = connection.execute("SELECT name, definition FROM segments ORDER BY name").fetchall()
    return {row["name"]: from_dict(json.loads(row["definition"])) for row in rows}


def load(path: Path, name: str) -> Segment:
    """Return the segment of a name.

    Raises:
        InvalidArgument: There is none; the nearest name is suggested.
    """
    kept = load_all(path)
    if name not in kept:
        raise InvalidArgument(f"no segment is kept as {arguments.unknown(name, kept)}")
    return kept[name]
