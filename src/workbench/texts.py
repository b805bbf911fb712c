"""Text in tables: bytes that are text, and whole numbers that became fractions on their way."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Collection

WHOLE_FLOAT: Final = re.compile(r"-?\d{1,15}\.0", re.ASCII)
"""A whole number as a library writes it that made fractions of a column with gaps: `123.0`."""

EXACT: Final = 2**53
"""Up to here a float holds every whole number; an id beyond it has lost digits."""

_WHOLE_COLUMN: Final = r"^-?\d{1,15}\.0$"


def readable(table: pa.Table, *, strict: Collection[str] = ()) -> pa.Table:
    """Return a table whose bytes are text, also in lists and structures, as many systems write text without marking it.

    Text of a fixed length loses the zero bytes that fill it. A column of bytes that are not UTF-8 stays as it is,
    unless it is one of `strict`: that is passed on as text, for its rows to be rejected.

    >>> readable(pa.table({"user": pa.array([b"ann", b"bob"])}))["user"].to_pylist()
    ['ann', 'bob']
    """
    for number, name in enumerate(table.column_names):
        column = table.column(number)
        if _has_bytes(column.type):
            table = table.set_column(number, name, _as_text(column, strict=name in strict))
    return table


def whole_ids(column: pa.Array) -> pa.Array:
    """Return ids without the `.0` of fractions, where every id of the column is such a number; else as they are.

    >>> whole_ids(pa.array(["7.0", None])).to_pylist(), whole_ids(pa.array(["7.0", "7.5"])).to_pylist()
    (['7', None], ['7.0', '7.5'])
    """
    return without_fraction(column) if are_whole_floats(column) else column


def are_whole_floats(column: pa.Array) -> bool:
    """Tell whether every text of a column, empty ones left out, is a whole number with `.0`."""
    texts = column.drop_null()
    texts = texts.filter(pc.not_equal(texts, ""))
    return len(texts) > 0 and pc.all(pc.match_substring_regex(texts, _WHOLE_COLUMN)).as_py()


def without_fraction(column: pa.Array) -> pa.Array:
    """Take the `.0` off every whole number of a column of text."""
    return pc.if_else(
        pc.fill_null(pc.match_substring_regex(column, _WHOLE_COLUMN), False),
        pc.utf8_slice_codeunits(column, 0, -2),
        column,
    )


def check_text(value: object) -> object:
    """Return what YAML says, unless an escape makes half of a character, which nothing can write down.

    Raises:
        UnicodeEncodeError: A text in it holds a lone surrogate.
    """
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, dict):
        for member in (*value, *value.values()):
            check_text(member)
    elif isinstance(value, list):
        for member in value:
            check_text(member)
    return value


def _has_bytes(kind: pa.DataType) -> bool:
    if isinstance(kind, pa.UuidType):
        return True
    if pa.types.is_dictionary(kind):
        return _has_bytes(kind.value_type)
    if pa.types.is_nested(kind):
        return any(_has_bytes(kind.field(number).type) for number in range(kind.num_fields))
    return _is_bytes(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    of_any_length = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)
    return bool(of_any_length or pa.types.is_fixed_size_binary(kind))


def _as_text(column: pa.ChunkedArray, *, strict: bool) -> pa.ChunkedArray:
    if isinstance(column.type, pa.UuidType):
        values = [None if value is None else str(uuid.UUID(bytes=bytes(value))) for value in _storage(column)]
        return pa.chunked_array([pa.array(values, pa.string())])
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        if not _is_bytes(column.type):
            return column.cast(_text_type(column.type))
        text = column.cast(pa.binary()).cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        if not strict or not _is_bytes(column.type):
            return column
        return pa.chunked_array([piece.cast(pa.binary()).view(pa.string()) for piece in column.chunks], pa.string())
    return pc.utf8_rtrim(text, characters="\0") if pa.types.is_fixed_size_binary(column.type) else text


def _storage(column: pa.ChunkedArray) -> list[bytes | None]:
    return [value for piece in column.chunks for value in piece.storage.to_pylist()]


def _text_type(kind: pa.DataType) -> pa.DataType:
    """Return a nested type with text in place of bytes."""
    if _is_bytes(kind):
        return pa.string()
    if pa.types.is_dictionary(kind):
        return _text_type(kind.value_type)
    if pa.types.is_struct(kind):
        fields = [kind.field(number) for number in range(kind.num_fields)]
        return pa.struct([field.with_type(_text_type(field.type)) for field in fields])
    if pa.types.is_map(kind):
        return pa.map_(_text_type(kind.key_type), _text_type(kind.item_type))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        of = pa.list_ if pa.types.is_list(kind) else pa.large_list
        return of(kind.value_field.with_type(_text_type(kind.value_type)))
    return kind
