"""Conflicts that are found only when events are sorted: kept among the rejects, as what history knows of them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from workbench.events import FIELDS
from workbench.store import control

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

SOURCE: Final = "compaction"
"""Where such rejects come from: their first bytes are gone, so that they are kept as events in their native form."""

_INSERT: Final = """
    INSERT INTO rejects
        (reject_id, source, name, mapping, position, reason, detail, original, size_bytes, rejected_at)
    VALUES (?, ?, ?, 'native', ?, 'conflicting_id', ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""


def keep(path: Path, events: pa.Table) -> None:
    """Keep events that have the id of another one; each once, however often this is repeated.

    Args:
        path: The control file of the store.
        events: Columns of `STORED_EVENT`, and `detail`.
    """
    now, rows = datetime.now(UTC).isoformat(), []
    for row in events.to_pylist():
        known = {name: row[name] for name in FIELDS if row[name] is not None}
        original = msgspec.json.encode({**known, "properties": msgspec.Raw((row["properties"] or "{}").encode())})
        place = f"{row['source']}-{row['position']}-".encode()
        reject_id = hashlib.blake2b(place + original, digest_size=10).hexdigest()
        detail = f"{row['detail']} (found when events were sorted)"
        rows.append((reject_id, SOURCE, row["source"], row["position"], detail, original, len(original), now))
    with control.connect(path) as connection:
        connection.executemany(_INSERT, rows)
