"""Segments kept by a name, in the control store of a lake."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from workbench.errors import InvalidArgument, StoreCorrupt, WorkbenchError
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
    """Return the segments that are kept, by name.

    Raises:
        StoreCorrupt: What is kept of one is not a segment.
    """
    with control.connect(path) as connection:
        rows = connection.execute("SELECT name, definition FROM segments ORDER BY name").fetchall()
    return {row["name"]: _read(path, row["name"], row["definition"]) for row in rows}


def _read(path: Path, name: str, definition: str) -> Segment:
    try:
        return from_dict(json.loads(definition))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, WorkbenchError) as error:
        raise StoreCorrupt(
            f"the segment {name!r} in {path} is damaged ({type(error).__name__}: {error}): save it again by that name"
        ) from error


def load(path: Path, name: str) -> Segment:
    """Return the segment of a name.

    Raises:
        InvalidArgument: There is none; the nearest name is suggested.
        StoreCorrupt: What is kept by the name is not a segment.
    """
    with control.connect(path) as connection:
        rows = connection.execute("SELECT name, definition FROM segments ORDER BY name").fetchall()
    definitions = {row["name"]: row["definition"] for row in rows}
    if name not in definitions:
        raise InvalidArgument(f"no segment is kept as {arguments.unknown(name, definitions)}")
    return _read(path, name, definitions[name])
