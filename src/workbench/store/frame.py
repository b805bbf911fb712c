"""A frame that a notebook already has, asked like a store; nothing is written."""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from workbench.errors import InvalidArgument
from workbench.events import EVENT_TABLE, LABELS
from workbench.store import duck
from workbench.store.base import STORED_EVENT
from workbench.store.keys import user_keys
from workbench.store.memory import MemoryStore

_TAKEN: Final = ("event_id", *LABELS, "value")
"""Columns that mean the same in a frame as in an event, if the frame has them."""


def store_of_frame(frame: Any, *, user: str, event: str, time: str, tz: str = "UTC") -> MemoryStore:  # noqa: ANN401
    """Make a store of a pandas, Arrow or Polars frame: one row, one event.

    Args:
        frame: Anything that gives Arrow columns.
        user: Name of the column that says who.
        event: Name of the column that says what.
        time: Name of the column that says when: timestamps, dates or ISO 8601 text.
        tz: Time zone of times that have none.

    Columns named `event_id`, `platform`, `session_id`, `raid_id`, `message_id` and `value` are taken as
    such; all others become `properties`. Without `event_id`, every row is an event of its own.

    Raises:
        InvalidArgument: A column is missing, or rows lack a user, an event or a time.
    """
    table = _as_table(frame)
    for name in (user, event, time):
        if name not in table.column_names:
            raise InvalidArgument(f"the frame has no column {name!r}; it has {', '.join(table.column_names)}")
    rows = table.num_rows
    columns = {
        "event_id": _text(table, "event_id") if "event_id" in table.column_names else _numbered(rows),
        "event_type": _complete(_text(table, event), event),
        "user_id": _complete(_text(table, user), user),
        "occurred_at": _complete(_instants(table, time, tz), time),
        "properties": _properties(table, leave_out={user, event, time, *_TAKEN}),
        "schema_version": pa.array([1], pa.int32()).take(pa.array([0] * rows)),
        "source": pa.array(["frame"]).take(pa.array([0] * rows)),
        "position": pa.array(range(rows), pa.int64()),
    }
    columns["ingested_at"] = columns["occurred_at"]
    columns["user_key"] = user_keys(columns["user_id"])
    for name in (*LABELS, "value"):
        given = name in table.column_names and name not in {user, event, time}
        kind = EVENT_TABLE.field(name).type
        columns[name] = table[name].cast(kind) if given else pa.nulls(rows, kind)
    return MemoryStore(pa.table({name: columns[name] for name in STORED_EVENT.names}))


def _as_table(frame: Any) -> pa.Table:  # noqa: ANN401
    try:
        if hasattr(frame, "reset_index"):  # pandas: its index is no column of the event
            return pa.Table.from_pandas(frame, preserve_index=False)
        return pa.table(frame)
    except (TypeError, ValueError, pa.ArrowInvalid) as error:
        raise InvalidArgument(f"cannot read a {type(frame).__name__} as a frame: {error}") from error


def _text(table: pa.Table, name: str) -> pa.ChunkedArray:
    column = table[name]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.cast(pa.string())


def _instants(table: pa.Table, name: str, tz: str) -> pa.ChunkedArray:
    column = table[name]
    try:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = _parsed(column)
        if pa.types.is_date(column.type):
            column = column.cast(pa.timestamp("us"))
        if not pa.types.is_timestamp(column.type):
            raise InvalidArgument(f"column {name!r} holds {column.type}: make it timestamps first, or ISO 8601 text")
        if column.type.tz is None:
            column = pc.assume_timezone(column, tz, ambiguous="earliest", nonexistent="latest")
        return column.cast(pa.timestamp("us", "UTC"), safe=False)
    except pa.ArrowInvalid as error:
        raise InvalidArgument(f"column {name!r} holds a text that is no ISO 8601 time: {error}") from error


def _parsed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Read ISO 8601 text, with zones or without."""
    try:
        return column.cast(pa.timestamp("us", "UTC"))
    except pa.ArrowInvalid:
        return column.cast(pa.timestamp("us"))


def _complete(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    if column.null_count:
        raise InvalidArgument(
            f"column {name!r} is empty in {column.null_count:,} of {len(column):,} rows: drop or fill them"
        )
    return column


def _numbered(rows: int) -> pa.Array:
    return pc.binary_join_element_wise("row", pc.cast(pa.array(range(rows), pa.int64()), pa.string()), "-")


def _properties(table: pa.Table, *, leave_out: set[str]) -> pa.ChunkedArray:
    """Write the other columns of each row as one JSON object."""
    names = [name for name in table.column_names if name not in leave_out]
    if not names:
        return pa.repeat("{}", table.num_rows)
    fields = ", ".join(f"{duck.quote_text(name)}, {duck.quote_name(name)}" for name in names)
    engine = duck.connect(ordered=True)
    engine.register("frame", table)
    return duck.select(engine, f"SELECT json_object({fields})::VARCHAR AS properties FROM frame", {})["properties"]  # noqa: S608
