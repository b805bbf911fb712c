"""Checking a whole table of events at once: the rules of `workbench.events`, by column."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workbench import times
from workbench.events import (
    EARLIEST,
    EVENT_TABLE,
    FIELDS,
    MAX_MESSAGE,
    MAX_NAME,
    MAX_NESTING,
    MAX_VALUE,
    REQUIRED,
    SCHEMA_VERSION,
    Reason,
    is_too_deep,
)
from workbench.times import CLOCK_SKEW, DEFAULT_RULES, TIME, Localized, TimeRules
from workbench.times import mask as _mask

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import numpy.typing as npt

    Mask: TypeAlias = npt.NDArray[np.bool_]


class Fault(NamedTuple):
    """A row of a table that is not an event: which (0-based), and why."""

    row: int
    reason: Reason
    detail: str


class Check(NamedTuple):
    """A rule: the rows that break it, and what to call that; the detail may depend on the row."""

    broken: Mask
    reason: Reason
    detail: str | Callable[[int], str]


class Read(NamedTuple):
    """A column as it was understood.

    Attributes:
        values: Of the field's type; null where it was empty or could not be read.
        unfit: Where it could not be read.
        outside: Where it was read, and its value is not allowed.
        local: Of times, what was read by the clocks of a zone.
    """

    values: pa.Array
    unfit: list[Check]
    outside: list[Check]
    local: Localized | None = None


CHECKED: Final = EVENT_TABLE.append(pa.field("row", pa.int64(), nullable=False))
"""What `validate` returns: events as columns, and where in the given table each stood."""

_MAX_VERSION: Final = 2**31 - 1
_SHOWN: Final = 60


def validate(table: pa.Table, *, now: datetime, rules: TimeRules = DEFAULT_RULES) -> tuple[pa.Table, list[Fault]]:
    """Check every row of a table: `events.convert` for columns.

    Args:
        table: Columns by the names of `Event`, absent ones counting as empty; `properties` as JSON
            text, `occurred_at` as a timestamp or as text that `times.read_time` reads. Other columns are ignored.
        now: The ingesting clock.
        rules: Zone of times that have none, and the first instant that is allowed.

    Returns:
        The rows that are events, as `CHECKED`, and the faults of those that are not, both in order.
    """
    given = {name: simple(table[name]) if name in table.column_names else pa.nulls(table.num_rows) for name in FIELDS}
    decoded = {name: _decoded(column, name) for name, column in given.items()}
    columns = {name: column for name, (column, _) in decoded.items()}
    reads = {name: _read(name, column, now, rules) for name, column in columns.items()}
    checks = [
        Check(_longer(columns["properties"], MAX_MESSAGE), "too_large", f"properties over {MAX_MESSAGE:,} bytes"),
        *(check for _, check in decoded.values()),
        *(Check(_mask(columns[name].is_null()), "missing_field", f"no {name}") for name in REQUIRED),
        *reads["properties"].unfit,
        *(check for read in reads.values() for check in read.unfit),
        *(check for name in ("value", "schema_version", "occurred_at") for check in reads[name].outside),
    ]
    events, faults = _sifted({name: read.values for name, read in reads.items()}, checks)
    _count_naive(reads["occurred_at"].local, events["row"].to_numpy(), rules)
    return events, faults


def _sifted(columns: dict[str, pa.Array], checks: list[Check]) -> tuple[pa.Table, list[Fault]]:
    """Part the rows that pass all checks from those that do not; of several faults the first counts."""
    rows = len(columns["event_id"])
    first = np.full(rows, len(checks))
    for number in reversed(range(len(checks))):
        first[checks[number].broken] = number
    good = first == len(checks)
    columns["properties"] = pc.fill_null(columns["properties"], "{}")
    columns["schema_version"] = pc.fill_null(columns["schema_version"], SCHEMA_VERSION)
    events = pa.table([*(columns[name] for name in EVENT_TABLE.names), pa.array(np.arange(rows))], names=CHECKED.names)
    if not good.all():
        events = events.filter(pa.array(good))
    return events.cast(CHECKED), [_fault(int(row), checks[first[row]]) for row in np.flatnonzero(~good)]


def _fault(row: int, check: Check) -> Fault:
    return Fault(row, check.reason, check.detail if isinstance(check.detail, str) else check.detail(row))


def _count_naive(local: Localized | None, accepted: npt.NDArray[np.int64], rules: TimeRules) -> None:
    """Count the accepted events whose time had no zone."""
    if local is not None:
        masks = (_mask(local.instants.is_valid()), local.skipped, local.repeated)
        rules.naive.add(times.NaiveTimes(*(int(which[accepted].sum()) for which in masks)))


def plain(column: pa.ChunkedArray) -> pa.Array:
    """Return a column in one piece, without dictionaries, and text in one layout."""
    array = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    return array.cast(pa.string()) if is_text(array.type) else array


def simple(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as `plain` does, with nulls for empty text."""
    array = plain(column)
    if not pa.types.is_string(array.type):
        return array
    empty = pc.equal(pc.binary_length(array), 0)
    return pc.if_else(empty, None, array) if pc.any(empty).as_py() else array


def _decoded(column: pa.Array, name: str) -> tuple[pa.Array, Check]:
    """Null what is not UTF-8: Parquet files may hold such text, and Arrow does not look."""
    broken = np.zeros(len(column), dtype=bool)
    if pa.types.is_string(column.type):
        try:
            column.validate(full=True)
        except pa.ArrowInvalid:
            texts = column.cast(pa.binary()).to_pylist()
            broken = np.fromiter((text is not None and not _is_utf8(text) for text in texts), bool, len(texts))
            column = pc.if_else(pa.array(broken), None, column)
    return column, Check(broken, "bad_encoding", f"{name} is not UTF-8")


def _read(name: str, column: pa.Array, now: datetime, rules: TimeRules) -> Read:
    if name == "occurred_at":
        return _times(column, now, rules)
    if name == "value":
        return _value(column)
    if name == "schema_version":
        return _version(column)
    return _objects(column) if name == "properties" else _names(column, name)


def _names(column: pa.Array, name: str) -> Read:
    texts, unfit = _texts(column, name)
    long = _mask(pc.greater(pc.utf8_length(texts), MAX_NAME))
    return Read(texts, [*unfit, Check(long, "wrong_type", f"{name} is longer than {MAX_NAME} characters")], [])


def _objects(column: pa.Array) -> Read:
    """Read JSON objects: Arrow cannot check text to be JSON, but msgspec is fast."""
    texts, unfit = _texts(column, "properties")
    if _are_objects(texts.drop_null()):
        return Read(texts, unfit, [])
    values = texts.to_pylist()
    broken = np.fromiter((text is not None and not _is_object(text) for text in values), bool, len(values))
    return Read(texts, [*unfit, Check(broken, "wrong_type", "properties is not an object")], [])


def _value(column: pa.Array) -> Read:
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_null(column.type)):
        return Read(pa.nulls(len(column), pa.float64()), [_unfit(column, "value", "a number")], [])
    values = column.cast(pa.float64(), safe=False)
    values = pc.if_else(pc.fill_null(pc.is_nan(values), False), None, values)
    beyond = _mask(pc.greater_equal(pc.abs(values), MAX_VALUE))
    detail = "value is not between -1e12 and 1e12"
    return Read(values, [], [Check(beyond, "bad_value", detail)])


def _version(column: pa.Array) -> Read:
    if not (pa.types.is_integer(column.type) or pa.types.is_null(column.type)):
        return Read(pa.nulls(len(column), pa.int32()), [_unfit(column, "schema_version", "a whole number")], [])
    wrong = pc.or_(pc.less(column, 1), pc.greater(column, _MAX_VERSION))
    values = pc.if_else(pc.fill_null(wrong, False), None, column).cast(pa.int32())
    newer = Check(_mask(pc.greater(values, SCHEMA_VERSION)), "newer_schema", f"at most {SCHEMA_VERSION} is known")
    return Read(values, [Check(_mask(wrong), "wrong_type", f"not between 1 and {_MAX_VERSION:,}")], [newer])


def _times(column: pa.Array, now: datetime, rules: TimeRules) -> Read:
    """Read instants, and find those before `events_since` or in the future."""
    if pa.types.is_string(column.type):
        naive, zoned = times.read_texts(column)
    else:
        naive, zoned = pa.nulls(len(column), pa.timestamp("us")), pa.nulls(len(column), TIME)
        if pa.types.is_timestamp(column.type):
            naive, zoned = (naive, column) if column.type.tz else (column, zoned)
    unread = _mask(column.is_valid()) & ~_mask(naive.is_valid()) & ~_mask(zoned.is_valid())
    (naive, odd_naive), (zoned, odd_zoned) = _within_reach(naive, now), _within_reach(zoned, now)
    local = times.localize(naive, rules.zone)
    values = pc.coalesce(local.instants, zoned.cast(TIME)) if local.instants.null_count else local.instants
    latest = pa.scalar(now + CLOCK_SKEW, TIME)
    outside = _mask(pc.or_(pc.less(values, pa.scalar(rules.since, TIME)), pc.greater(values, latest)))

    def refusal(row: int) -> str:
        instant = values[row].as_py()
        if instant is None:
            return f"occurred_at is before {rules.since:%Y-%m-%d} or in the future"
        return rules.refusal(instant, now)

    def unreadable(row: int) -> str:
        given = str(column[row].as_py())
        return f"occurred_at {given[:_SHOWN]!r} is no time in ISO 8601{rules.unit_hint(given, now)}"

    beyond = Check(odd_naive | odd_zoned | outside, "bad_time", refusal)
    return Read(pc.if_else(pa.array(outside), None, values), [Check(unread, "bad_time", unreadable)], [beyond], local)


def _within_reach(column: pa.Array, now: datetime) -> tuple[pa.Array, Mask]:
    """Null what is before 1970 or far ahead, in the column's own unit, where nothing can overflow yet."""
    number = column.cast(pa.int64())
    latest = (now + 3 * CLOCK_SKEW - EARLIEST) // timedelta(microseconds=1) * times.PER_SECOND[column.type.unit]
    day = CLOCK_SKEW // timedelta(seconds=1) * times.PER_SECOND[column.type.unit]  # a local day may begin in 1969
    odd = _mask(pc.or_(pc.less(number, -day), pc.greater(number, latest // 1_000_000)))
    if odd.any():
        column = pc.if_else(pa.array(odd), None, column)
    zone = column.type.tz
    return column.cast(pa.timestamp("us", zone), safe=False), odd


def _texts(column: pa.Array, name: str) -> tuple[pa.Array, list[Check]]:
    if pa.types.is_string(column.type):
        return column, []
    return pa.nulls(len(column), pa.string()), [_unfit(column, name, "text")]


def _unfit(column: pa.Array, name: str, wanted: str) -> Check:
    return Check(_mask(column.is_valid()), "wrong_type", f"{name} is {column.type}, not {wanted}")


def _longer(column: pa.Array, limit: int) -> Mask:
    if not pa.types.is_string(column.type):
        return np.zeros(len(column), dtype=bool)
    return _mask(pc.greater(pc.binary_length(column), limit))


def is_text(kind: pa.DataType) -> bool:
    """Whether a type is text, in any of Arrow's layouts."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _are_objects(texts: pa.Array) -> bool:
    """Check all at once, as lines. No value can go on in a next line that begins like a value of its own."""
    if not pc.all(pc.and_(pc.starts_with(texts, "{"), pc.ends_with(texts, "}")), min_count=0).as_py():
        return False
    if any(is_too_deep(text, limit=MAX_NESTING - 1) for text in _long(texts)):
        return False
    lines = pc.binary_join(pa.ListArray.from_arrays([0, len(texts)], texts), "\n")[0].as_buffer()
    try:
        return len(_JSON.decode_lines(lines)) == len(texts)
    except (msgspec.MsgspecError, RecursionError):
        return False


def _long(texts: pa.Array) -> list[bytes]:
    """Return those texts that are long enough to be nested too deep."""
    long = texts.filter(pc.greater(pc.binary_length(texts), MAX_NESTING))
    return [text.encode() for text in long.to_pylist()]


def _is_object(text: str) -> bool:
    if is_too_deep(text.encode(), limit=MAX_NESTING - 1):  # it stands in a message
        return False
    try:
        return bytes(_JSON.decode(text)).startswith(b"{")
    except (msgspec.MsgspecError, RecursionError):
        return False


_JSON: Final = msgspec.json.Decoder(msgspec.Raw)
