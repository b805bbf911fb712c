"""Tables at once: a mapping applied to whole columns, where it only renames and joins simple ones.

What a mapping finds deeper, in objects or in JSON text, or has to convert is read row by row by
`rows`; both give the same events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workbench.events import EVENT_TABLE, LABELS
from workbench.ingest.mappings import REST, SPREAD, Mapping
from workbench.ingest.rows import NO_ID, spread_columns, unfed
from workbench.times import EXCEL_DAYS
from workbench.validate import is_text, plain, simple

if TYPE_CHECKING:
    import numpy.typing as npt

    Mask: TypeAlias = npt.NDArray[np.bool_]

_NAMES: Final = ("event_id", "event_type", "user_id", *LABELS)


def fits(mapping: Mapping, table: pa.Table) -> bool:
    """Whether a mapping does no more to a table than rename columns, choose among them and gather the rest."""
    if mapping.unique or mapping.missing or any(spread_columns(path, table.column_names) for path in mapping.kept):
        return False
    types = dict(zip(table.schema.names, map(_simple_type, table.schema.types), strict=True))
    fed = {field: [path for path in mapping.paths(field) if path in types] for field in mapping.fields}
    for field, columns in fed.items():
        if any(path.partition(".")[0] in types for path in mapping.paths(field) if path not in types):
            return False
        kinds = {types[column] for column in columns}
        if len(kinds) > 1 or not all(_is_plain(kind, field, mapping) for kind in kinds):
            return False
    if any(_has_spreadsheet_days(table[column]) for column in fed["occurred_at"]):
        return False
    if any(_are_pairs(types[name]) for name in _others(mapping, table)):
        return False
    whole = [path.removesuffix(SPREAD) for path in mapping.kept if path != REST]
    given = [path for path in whole if path.partition(".")[0] in types]
    if not given:
        return True
    alone = len(given) == 1 and given[0] in types and given[0] + SPREAD in mapping.kept
    return alone and pa.types.is_string(types[given[0]]) and not _others(mapping, table)


def mapped(table: pa.Table, mapping: Mapping) -> pa.Table:
    """Apply a mapping that fits: the columns for `validate`."""
    columns = {}
    for field in (*mapping.fields, *mapping.constants):
        found = [simple(table[path]) for path in mapping.paths(field) if path in table.column_names]
        column = (
            _as_field(pc.coalesce(*found) if len(found) > 1 else found[0], field, mapping)
            if found
            else pa.nulls(table.num_rows)
        )
        if field in mapping.constants:
            kind = EVENT_TABLE.field(field).type
            column = pc.fill_null(column.cast(kind), pa.scalar(mapping.constants[field], kind))
        columns[field] = column
    if mapping.event_types:
        columns["event_type"] = _renamed(columns["event_type"].cast(pa.string()), mapping.event_types)
    if mapping.hashes:
        columns["event_id"] = pc.fill_null(columns.get("event_id", pa.nulls(table.num_rows)).cast(pa.string()), NO_ID)
    columns["properties"] = _properties(table, mapping)
    return pa.table(columns)


def originals(table: pa.Table) -> list[bytes]:
    """Write rows as JSON objects, to keep those that are rejected and to tell rows apart."""
    plain = pa.table({name: _printable(table[name]) for name in table.column_names})
    return [msgspec.json.encode(row, enc_hook=str) for row in plain.to_pylist()]


def undecodable(table: pa.Table) -> Mask:
    """Find the rows with text that is not UTF-8, which Parquet files may hold."""
    broken = np.zeros(table.num_rows, dtype=bool)
    for column in table.columns:
        if not is_text(_simple_type(column.type)) or _is_valid(column):
            continue
        texts = simple(column).cast(pa.binary()).to_pylist()
        broken |= np.fromiter((text is not None and "\ufffd" in text.decode(errors="replace") for text in texts), bool)
    return broken


def _is_valid(column: pa.ChunkedArray) -> bool:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _has_spreadsheet_days(column: pa.ChunkedArray) -> bool:
    if not pa.types.is_integer(column.type):
        return False
    first, last = EXCEL_DAYS
    within = pc.and_(pc.greater_equal(column, first), pc.less_equal(column, last))
    return bool(pc.any(within, min_count=0).as_py())


def _are_pairs(kind: pa.DataType) -> bool:
    """Whether a type is a list of keys with values, as GA4 exports parameters."""
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)) or not pa.types.is_struct(kind.value_type):
        return False
    return {field.name for field in kind.value_type} == {"key", "value"}


def _is_plain(kind: pa.DataType, field: str, mapping: Mapping) -> bool:
    """Whether values of a type need nothing done to them, or only what `_as_field` does."""
    whole = pa.types.is_integer(kind) and not pa.types.is_uint64(kind)
    if field == "occurred_at":
        return bool(pa.types.is_timestamp(kind) or (is_text(kind) if mapping.time == "iso" else whole))
    if field == "value":
        return whole or bool(pa.types.is_floating(kind))
    return whole or (is_text(kind) and field != "schema_version")


def _as_field(column: pa.Array, field: str, mapping: Mapping) -> pa.Array:
    if not pa.types.is_integer(column.type):
        return column
    if field in _NAMES:
        return column.cast(pa.string())
    if field == "occurred_at":
        return column.cast(pa.int64()).cast(pa.timestamp(mapping.time, "UTC"))
    return column


def _renamed(event_type: pa.Array, names: dict[str, str]) -> pa.Array:
    encoded = event_type.dictionary_encode()
    dictionary = [names.get(name, name) for name in encoded.dictionary.to_pylist()]
    return pa.array(dictionary, pa.string()).take(encoded.indices)


def _properties(table: pa.Table, mapping: Mapping) -> pa.Array:
    """Return the JSON text that is there, or else write the columns that feed no field as JSON."""
    for path in mapping.kept:
        if path != REST and path.removesuffix(SPREAD) in table.column_names:
            return simple(table[path.removesuffix(SPREAD)])
    others = _others(mapping, table)
    if not others:
        return pa.nulls(table.num_rows, pa.string())
    rows = pa.table({name: _printable(table[name]) for name in others}).to_pylist()
    objects = ({name: value for name, value in row.items() if value is not None and value != ""} for row in rows)
    return pa.array([msgspec.json.encode(row, enc_hook=str).decode() for row in objects], pa.string())


def _others(mapping: Mapping, table: pa.Table) -> list[str]:
    return unfed(mapping, tuple(table.column_names)) if REST in mapping.kept else []


def _simple_type(kind: pa.DataType) -> pa.DataType:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.string() if is_text(kind) else kind


def _printable(column: pa.ChunkedArray) -> pa.Array:
    """Make of times, which Python may not reach, text; and of text that is not UTF-8 what can be printed."""
    array = plain(column)
    if pa.types.is_date(array.type):
        array = array.cast(pa.timestamp("ms"))
    if pa.types.is_timestamp(array.type):
        try:
            return array.cast(pa.string())
        except pa.ArrowInvalid:  # beyond the years that have a name
            return array.cast(pa.int64())
    if is_text(array.type) and not _is_valid(pa.chunked_array([array])):
        texts = array.cast(pa.binary()).to_pylist()
        return pa.array([text if text is None else text.decode(errors="backslashreplace") for text in texts])
    return array
