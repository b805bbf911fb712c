"""From arrays to events: what a kind of event is made of, JSON text, ids, and the table of one day."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workbench.events import EVENT_TABLE, SCHEMA_VERSION
from workbench.simulate.plan import PLATFORMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.simulate.plan import Array

_HEX: Final = np.frombuffer(
    bytes.fromhex("".join(f"{ord(c):02x}" for n in range(256) for c in f"{n:02x}")), dtype="<u2"
)


class Json(NamedTuple):
    """An Arrow string array that is JSON already."""

    values: pa.Array


@dataclass(frozen=True)
class Rows:
    """Events of one type. Arrays have one row per event; -1 and NaN stand for "none".

    Attributes:
        event_type: Their type.
        user: Row of the person in `People`.
        at: When, in microseconds.
        platform: Index into `PLATFORMS`.
        properties: JSON objects as an Arrow string array.
        session: Number of the session.
        raid: Number of the raid.
        message: Number of the message.
        value: In USD.
    """

    event_type: str
    user: Array
    at: Array
    platform: Array
    properties: pa.Array
    session: Array | None = field(default=None, kw_only=True)
    raid: Array | None = field(default=None, kw_only=True)
    message: Array | None = field(default=None, kw_only=True)
    value: Array | None = field(default=None, kw_only=True)


def table(rows: Sequence[Rows], *, user_ids: pa.Array, salt: int, first: int, keep: Array | None = None) -> pa.Table:
    """Make one table of all rows, in the order of time, as `EVENT_TABLE`.

    Args:
        rows: Events of several types.
        user_ids: The id of every person.
        salt: Salt of all ids.
        first: Number of the first event; events are counted on from it.
        keep: Which of the rows, in the order given, are recorded; all if left out.
    """
    at = np.concatenate([part.at for part in rows])
    order = np.argsort(at, kind="stable")
    if keep is not None:
        order = order[keep[order]]
    kind = np.repeat(np.arange(len(rows)), [len(part.at) for part in rows])[order]
    value = _joined(rows, "value", np.nan)[order]
    columns = {
        "event_id": hex_ids(np.arange(first, first + len(order)), salt=salt),
        "event_type": pa.array([part.event_type for part in rows]).take(pa.array(kind)),
        "user_id": user_ids.take(pa.array(_joined(rows, "user", -1)[order])),
        "occurred_at": pa.array(at[order], pa.timestamp("us", "UTC")),
        "platform": pa.array(PLATFORMS).take(pa.array(_joined(rows, "platform", -1)[order])),
        "session_id": hex_ids(_joined(rows, "session", -1)[order], salt=salt + 1),
        "raid_id": raid_ids(_joined(rows, "raid", -1)[order]),
        "message_id": hex_ids(_joined(rows, "message", -1)[order], salt=salt + 2),
        "value": pa.array(value, mask=np.isnan(value)),
        "properties": pa.concat_arrays([part.properties for part in rows]).take(pa.array(order)),
        "schema_version": pa.array(np.full(len(order), SCHEMA_VERSION, dtype=np.int32)),
    }
    return pa.table(columns, schema=EVENT_TABLE)


def _joined(rows: Sequence[Rows], name: str, none: float) -> Array:
    """Concatenate one column over all rows, `none` for those that do not have it."""
    parts = ((getattr(part, name), len(part.at)) for part in rows)
    return np.concatenate([np.full(size, none) if column is None else column for column, size in parts])


def hex_ids(numbers: Array, *, salt: int) -> pa.Array:
    """Turn numbers into 16 hex digits that look random and never collide under one salt; negative is null.

    >>> hex_ids(np.array([0, 1, -1]), salt=7).to_pylist()
    ['c584133ac916ab3c', '85e7bb0f12278575', None]
    """
    # The finaliser of SplitMix64: a bijection of 64 bits, so distinct numbers stay distinct.
    bits = numbers.astype(np.uint64) + np.uint64((salt + 1) * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    bits ^= bits >> np.uint64(31)
    digits = _HEX[bits.astype(">u8").view(np.uint8)]
    offsets = np.arange(len(bits) + 1, dtype=np.int32) * 16
    ids = pa.StringArray.from_buffers(len(bits), pa.py_buffer(offsets), pa.py_buffer(digits))
    return pc.if_else(pa.array(numbers >= 0), ids, pa.scalar(None, pa.string()))


def numbered(prefix: str, numbers: Array, *, digits: int) -> pa.Array:
    """Write numbers behind a prefix, with leading zeros.

    >>> numbered("u", np.array([7]), digits=6).to_pylist()
    ['u000007']
    """
    return pc.binary_join_element_wise(prefix, pc.utf8_lpad(pc.cast(pa.array(numbers), pa.string()), digits, "0"), "")


def raid_ids(numbers: Array) -> pa.Array:
    """Name raids `r000000` and on; negative is null."""
    return pc.if_else(pa.array(numbers >= 0), numbered("r", numbers, digits=6), pa.scalar(None, pa.string()))


def objects(**fields: Any) -> pa.Array:  # noqa: ANN401 - Arrow and NumPy arrays of any type
    """Write one JSON object per row; a null leaves its field out. The first field has none.

    Text is written as it is, so it must hold nothing that JSON escapes.

    >>> objects(chars=pa.array([4, 5]), thread=pa.array(["t1", None])).to_pylist()
    ['{"chars":4,"thread":"t1"}', '{"chars":5}']
    """
    pieces: list[Any] = []
    for name, values in fields.items():
        start = f'{"," if pieces else "{"}"{name}":'
        column = values.values if isinstance(values, Json) else pa.array(values)
        quote = '"' if pa.types.is_string(column.type) and not isinstance(values, Json) else ""
        written = [start + quote, pc.cast(column, pa.string()), quote]
        pieces += written if column.null_count == 0 else [pc.coalesce(pc.binary_join_element_wise(*written, ""), "")]
    return pc.binary_join_element_wise(*pieces, "}", "")


def chosen(rng: np.random.Generator, names: Sequence[str], size: int, *, p: Sequence[float] | None = None) -> pa.Array:
    """Draw names."""
    return pa.array(list(names)).take(pa.array(rng.choice(len(names), size, p=p)))


def sometimes(present: Array, values: pa.Array) -> pa.Array:
    """Keep values where `present`, null elsewhere."""
    return pc.if_else(pa.array(present), values, pa.scalar(None, values.type))
