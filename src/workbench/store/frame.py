"""A frame that a notebook already has, asked like a store; nothing is written."""

from __future__ import annotations

import logging
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from workbench.errors import InvalidArgument
from workbench.events import EVENT_TABLE, LABELS, MAX_VALUE, is_missing_value
from workbench.store import duck
from workbench.store.base import STORED_EVENT
from workbench.store.keys import user_keys
from workbench.store.memory import MemoryStore
from workbench.texts import EXACT, readable, whole_ids
from workbench.times import DEFAULT_RULES, TIME, TimeRules, excel_time, localize, mask, read_texts
from workbench.validate import plain

_log = logging.getLogger(__name__)

_TAKEN: Final = ("event_id", *LABELS, "value")
"""Columns that mean the same in a frame as in an event, if the frame has them."""


def store_of_frame(
    frame: Any,  # noqa: ANN401
    *,
    user: str,
    event: str,
    time: str,
    rules: TimeRules = DEFAULT_RULES,
) -> MemoryStore:
    """Make a store of a pandas, Arrow or Polars frame: one row, one event.

    Args:
        frame: Anything that gives Arrow columns.
        user: Name of the column that says who.
        event: Name of the column that says what.
        time: Name of the column that says when: timestamps, dates, the days of a spreadsheet, or text that
            `times.read_time` reads.
        rules: Zone of times that have none, and the first instant that is allowed.

    Columns named `event_id`, `platform`, `session_id`, `raid_id`, `message_id` and `value` are taken as
    such; all others become `properties`. Without `event_id`, every row is an event of its own. Rows before
    `rules.since`, and those with a `value` of 1e12 or more, are left out, and a warning says how many.

    Raises:
        InvalidArgument: A column is missing, or rows lack a user, an event or a time.
    """
    table = readable(_as_table(frame))
    for name in (user, event, time):
        if name not in table.column_names:
            raise InvalidArgument(f"the frame has no column {name!r}; it has {', '.join(table.column_names)}")
    rows = table.num_rows
    columns = {
        "event_id": _id(table, "event_id") if "event_id" in table.column_names else _numbered(rows),
        "event_type": _complete(_text(table, event), event),
        "user_id": _complete(_id(table, user), user),
        "occurred_at": _complete(_instants(table, time, rules.zone), time),
        "properties": _properties(table, leave_out={user, event, time, *_TAKEN}),
        "schema_version": pa.array([1], pa.int32()).take(pa.array([0] * rows)),
        "source": pa.array(["frame"]).take(pa.array([0] * rows)),
        "position": pa.array(range(rows), pa.int64()),
    }
    columns["ingested_at"] = columns["occurred_at"]
    columns["user_key"] = user_keys(pa.chunked_array([columns["user_id"]]))
    for name in (*LABELS, "value"):
        given = name in table.column_names and name not in {user, event, time}
        columns[name] = _optional(table, name) if given else pa.nulls(rows, EVENT_TABLE.field(name).type)
    events = pa.table({name: columns[name] for name in STORED_EVENT.names})
    return MemoryStore(_allowed(events, rules))


def _allowed(events: pa.Table, rules: TimeRules) -> pa.Table:
    """Leave out what ingest would reject by its time or its value."""
    early = mask(pc.less(events["occurred_at"], pa.scalar(rules.since, TIME)))
    beyond = mask(pc.greater_equal(pc.abs(events["value"]), MAX_VALUE))
    for which, why in (
        (early, f"before {rules.since:%Y-%m-%d} (setting `events_since`)"),
        (beyond, "with a value that is not between -1e12 and 1e12"),
    ):
        if which.any():
            _log.warning("left out %s of %s rows %s", f"{which.sum():,}", f"{len(which):,}", why)
    left_out = early | beyond
    if left_out.any() and left_out.all():
        raise InvalidArgument(
            f"every row is before {rules.since:%Y-%m-%d} (setting `events_since`) or has a value of 1e12 or more"
        )
    return events.filter(pa.array(~left_out)) if left_out.any() else events


def _as_table(frame: Any) -> pa.Table:  # noqa: ANN401
    try:
        if hasattr(frame, "reset_index"):  # pandas: its index is no column of the event
            return pa.Table.from_pandas(frame, preserve_index=False)
        return pa.table(frame)
    except (TypeError, ValueError, pa.ArrowInvalid) as error:
        raise InvalidArgument(f"cannot read a {type(frame).__name__} as a frame: {error}") from error


def _text(table: pa.Table, name: str) -> pa.Array:
    column = plain(table[name])
    try:
        return column.cast(pa.string())
    except pa.ArrowInvalid as error:
        raise InvalidArgument(f"column {name!r} holds {column.type} that is not text: {error}") from error


def _id(table: pa.Table, name: str) -> pa.Array:
    """Return a column of ids; whole numbers that became floats, for want of one in some row, are whole again."""
    column = plain(table[name])
    if pa.types.is_floating(column.type):
        numbers = column.drop_null()
        exact = pc.and_(pc.equal(numbers, pc.round(numbers)), pc.less(pc.abs(numbers), EXACT))
        if pc.all(exact, min_count=0).as_py():
            return column.cast(pa.int64()).cast(pa.string())
        return _text(table, name)
    return whole_ids(_text(table, name))


def _optional(table: pa.Table, name: str) -> pa.Array:
    if name != "value":
        return _text(table, name) if name == "platform" else _id(table, name)
    column = plain(table[name])
    if pa.types.is_string(column.type):
        values = [None if text is None or is_missing_value(text) else text.strip() for text in column.to_pylist()]
        column = pa.array(values, pa.string())
    try:
        column = column.cast(pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InvalidArgument(f"column 'value' holds {column.type}, which is no number: {error}") from error
    return pc.if_else(pc.fill_null(pc.is_nan(column), False), None, column)


def _instants(table: pa.Table, name: str, zone: str) -> pa.Array:
    column = plain(table[name])
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("ms"))
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        column = _days(column, name)
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
        return column.cast(TIME) if column.type.tz else localize(column, zone).instants
    if not pa.types.is_string(column.type):
        raise InvalidArgument(f"column {name!r} holds {column.type}: make it timestamps first, or ISO 8601 text")
    naive, zoned = read_texts(column)
    unread = mask(column.is_valid()) & ~mask(naive.is_valid()) & ~mask(zoned.is_valid())
    if unread.any():
        first = column.filter(pa.array(unread))[0].as_py()
        raise InvalidArgument(
            f"column {name!r} holds {first!r} in {int(unread.sum()):,} of {len(column):,} rows, which is no ISO 8601 "
            "time: make it timestamps first, or drop these rows"
        )
    return pc.coalesce(localize(naive, zone).instants, zoned)


def _days(column: pa.Array, name: str) -> pa.Array:
    """Read the days of a spreadsheet; other numbers could be of any unit."""
    times = [None if value is None else excel_time(value) for value in column.to_pylist()]
    if any(time is None and value.is_valid for time, value in zip(times, column, strict=True)):
        raise InvalidArgument(
            f"column {name!r} holds {column.type}: make it timestamps first, as with pd.to_datetime(…, unit='s')"
        )
    return pa.array(times, pa.timestamp("us"))


def _complete(column: pa.Array, name: str) -> pa.Array:
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
