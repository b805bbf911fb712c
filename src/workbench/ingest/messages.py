"""Messages of a queue read as events: many at once where all of them are good, else one by one.

Both ways give the same: `events.parse` is what decides, and whatever is not plainly an event goes through it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workbench.events import CLOCK_SKEW, EARLIEST, EVENT_TABLE, MAX_MESSAGE, SCHEMA_VERSION, Event, parse, to_table
from workbench.ingest.batches import SLICE, Rejected
from workbench.ingest.lines import KEPT_BYTES
from workbench.store.base import as_stored

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from workbench.events import Reject
    from workbench.ingest.base import Fetched


@dataclass(frozen=True, slots=True)
class Messages:
    """What messages of several partitions hold: `events` as `STORED_EVENT`, and per partition what is no event."""

    events: pa.Table
    rejected: dict[str, list[Rejected]]


def read(batch: Sequence[Fetched], *, now: datetime) -> Messages:
    """Read messages.

    Args:
        batch: What was fetched.
        now: The ingesting clock.
    """
    values = list(chain.from_iterable(fetched.values for fetched in batch))
    offsets = np.fromiter(chain.from_iterable(fetched.offsets for fetched in batch), np.int64, len(values))
    sources = pa.array([fetched.source for fetched in batch], pa.string())
    came_from = np.repeat(np.arange(len(batch)), [len(fetched.values) for fetched in batch])
    tables, kept, rejected = [EVENT_TABLE.empty_table()], list[int](), dict[str, list[Rejected]]()
    for start in range(0, len(values), SLICE):
        part = values[start : start + SLICE]
        table = _at_once(part, now)
        if table is not None:
            kept.extend(range(start, start + len(part)))
        else:
            table, numbers, faults = _one_by_one(part, now)
            kept.extend(start + number for number in numbers)
            for number, reject, size in faults:
                source = batch[came_from[start + number]].source
                rejected.setdefault(source, []).append(Rejected(int(offsets[start + number]), reject, size))
        tables.append(table)
    rows = np.array(kept, dtype=np.int64)
    events = pa.concat_tables(tables).combine_chunks()
    located = events.append_column("position", pa.array(offsets[rows])).append_column(
        "source", sources.take(pa.array(came_from[rows]))
    )
    return Messages(as_stored(located, ingested_at=now), rejected)


def _at_once(values: Sequence[bytes | None], now: datetime) -> pa.Table | None:
    """Read messages all of which are events in the plainest form; `None` if one may not be.

    They are read as lines: see `_lines`. As many values as lines means that each line is one.
    """
    lines = _lines(values)
    if lines is None:
        return None
    try:
        if not lines.isascii():
            lines.decode()
        events = _DECODER.decode_lines(lines)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    if len(events) != len(values):
        return None
    table = to_table(events)
    return table if _is_sound(table, now) else None


def _lines(values: Sequence[bytes | None]) -> bytes | None:
    """Put messages one under the other; `None` unless each is one line that begins and ends as an object does.

    No value can go on behind such an end.
    """
    if None in values:
        return None
    lines = b"\n".join(values)  # type: ignore[arg-type]  # none is None
    lengths = np.fromiter(map(len, values), np.int64, len(values))  # type: ignore[arg-type]
    if lines.count(b"\n") != len(values) - 1 or lengths.min() < len("{}") or lengths.max() > MAX_MESSAGE:
        return None
    ends = np.cumsum(lengths + 1) - 1
    letters = np.frombuffer(lines, np.uint8)
    plain = (letters[ends - lengths] == ord("{")).all() and (letters[ends - 1] == ord("}")).all()
    return lines if plain else None


def _is_sound(table: pa.Table, now: datetime) -> bool:
    """Whether all events keep the rules that types cannot say: see `events.parse`."""
    times = pc.min_max(table["occurred_at"])
    return bool(
        times["min"].as_py() >= EARLIEST
        and times["max"].as_py() <= now + CLOCK_SKEW
        and pc.max(table["schema_version"]).as_py() <= SCHEMA_VERSION
        and pc.all(pc.is_finite(table["value"]), min_count=0).as_py()
        and pc.all(pc.starts_with(table["properties"], "{")).as_py()
    )


def _one_by_one(
    values: Sequence[bytes | None], now: datetime
) -> tuple[pa.Table, list[int], list[tuple[int, Reject, int]]]:
    """Read messages; return the events, which messages they were, and which were none, with their real size."""
    events, numbers, faults = list[Event](), list[int](), list[tuple[int, "Reject", int]]()
    for number, value in enumerate(values):
        found = parse(value or b"", now=now)
        if isinstance(found, Event):
            events.append(found)
            numbers.append(number)
        else:
            faults.append((number, _kept(found), len(value or b"")))
    return to_table(events), numbers, faults


def _kept(reject: Reject) -> Reject:
    """Keep a message whole, or the beginning of one that is too long."""
    if reject.reason != "too_large":
        return reject
    return msgspec.structs.replace(reject, original=reject.original[:KEPT_BYTES])


_DECODER: Final = msgspec.json.Decoder(Event)
