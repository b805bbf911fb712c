"""Rows one by one: a mapping applied to a decoded row, and the row read as an event."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from workbench.events import EARLIEST, MAX_NESTING, Event, Reject, convert, is_too_deep, parse
from workbench.ingest.mappings import NATIVE, REST, SPREAD, Mapping

if TYPE_CHECKING:
    from collections.abc import Callable

Row = dict[str, Any]

NO_ID: Final = "\0"
"""Stands for the id of an event that will get one computed from its row."""

PER_SECOND: Final = {"s": 1, "ms": 1_000, "us": 1_000_000}
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE: Final = re.compile(r"\d{1,10}", re.ASCII)
_OBJECT: Final = msgspec.json.Decoder(dict[str, Any])
_CACHED: Final = 1_000


class RowMapper:
    """Applies a mapping to rows: a row as decoded in, the fields for `events.convert` out."""

    def __init__(self, mapping: Mapping) -> None:
        """Take a mapping."""
        self.mapping = mapping
        self._fields = [
            (field, [_parted(path) for path in mapping.paths(field)], _converter(field, mapping))
            for field in mapping.fields
        ]
        self._dotted = {path for field in mapping.fields for path in mapping.paths(field) if "." in path}
        self._deep = {path for path in self._dotted if path.count(".") > 1}
        self._heads = {path.partition(".")[0] for path in (*self._dotted, *mapping.kept) if path != REST}
        self._whole = mapping.kept[0].removesuffix(SPREAD) if _is_one_object(mapping) else None
        self._rest: dict[tuple[str, ...], list[str]] = {}

    def fields(self, row: Row) -> Row:
        """Return the fields that a row gives, each as `convert` takes it where that is possible."""
        found: Row = dict(self.mapping.constants)
        row, inner = self._opened(row)
        for field, paths, convert_ in self._fields:
            for head, tail in paths:
                value = inner[head].get(tail)
                if value is not None and value != "":
                    found[field] = convert_(value) if convert_ else str(value) if type(value) is int else value
                    break
        if self.mapping.hashes and "event_id" not in found:
            found["event_id"] = NO_ID
        found["properties"] = dig(row, self._whole) if self._whole else self._properties(row)
        return found

    def _opened(self, row: Row) -> tuple[Row, dict[str, Row]]:
        """Look up the objects that paths lead into, once for all paths; "" stands for the row itself."""
        inner: dict[str, Row] = {}
        for head in self._heads:
            value = row.get(head)
            if type(value) is str:
                value = opened(value)
                row = {**row, head: value}
            inner[head] = value if type(value) is dict else {}
        inner[""] = row
        for path in self._deep if self._dotted.isdisjoint(row) else self._dotted:
            head, tail = _parted(path)
            inner[head] = {**inner[head], tail: dig(row, path)}
        return row, inner

    def _properties(self, row: Row) -> object:
        """Gather what is kept beside the fields; of two members of one name the one named first stays."""
        members: Row = {}
        for path in reversed(self.mapping.kept):
            if path == REST:
                members |= {
                    name: value for name in self._others(row) if (value := row[name]) is not None and value != ""
                }
                continue
            value = dig(row, path.removesuffix(SPREAD))
            if value is None:
                continue
            if not path.endswith(SPREAD):
                members[path.rpartition(".")[2]] = value
            elif isinstance(value, dict):
                members.update(value)
            else:
                return value
        return members

    def _others(self, row: Row) -> list[str]:
        """List the columns of a row that feed no field."""
        columns = tuple(row)
        if columns not in self._rest:
            if len(self._rest) >= _CACHED:
                self._rest.clear()
            self._rest[columns] = unfed(self.mapping, columns)
        return self._rest[columns]


def unfed(mapping: Mapping, columns: tuple[str, ...]) -> list[str]:
    """List the columns that `rest` stands for.

    Of the paths of a field the first that is a column is taken to feed it; the others stay, so that
    nothing is lost.
    """
    given = set(columns)
    fed = set(mapping.ignore)
    for field in mapping.fields:
        fed.update(next(([path] for path in mapping.paths(field) if path in given), []))
    fed.update(path.removesuffix(SPREAD) for path in mapping.kept)
    return [column for column in columns if column not in fed]


def dig(row: Row, path: str) -> Any:  # noqa: ANN401 - whatever is there
    """Follow a path: a column's name, or names joined by dots. Objects may be JSON text; `None` if it leads nowhere."""
    value: Any = row
    while True:
        if path in value:
            return value[path]
        head, dot, path = path.partition(".")
        value = opened(value.get(head)) if dot else None
        if not isinstance(value, dict):
            return None


def _parted(path: str) -> tuple[str, str]:
    """Part a path into the column and what is looked up in it; a column alone is looked up in the row itself."""
    head, dot, tail = path.partition(".")
    return (head, tail) if dot else ("", head)


def _converter(field: str, mapping: Mapping) -> Callable[[Any], Any] | None:
    """Return what is done to the values of a field; nothing, but writing out whole numbers, to a name."""
    if field == "occurred_at":
        return partial(instant, unit=mapping.time)
    if field == "event_type" and mapping.event_types:
        return lambda value: mapping.event_types.get(str(value), str(value) if type(value) is int else value)
    return {"value": number, "schema_version": _whole}.get(field)


def opened(value: Any) -> Any:  # noqa: ANN401 - whatever was there
    """Decode JSON text that holds an object; leave everything else. Empty text is nothing."""
    if not isinstance(value, str):
        return value
    if not value.lstrip().startswith("{"):
        return value or None
    if is_too_deep(value.encode(errors="replace"), limit=MAX_NESTING - 1):
        return value
    try:
        return _OBJECT.decode(value)
    except (msgspec.MsgspecError, RecursionError):
        return value


def instant(value: Any, unit: str) -> Any:  # noqa: ANN401 - what is no instant is left for `convert` to explain
    """Turn seconds, milliseconds or microseconds since 1970 into a time."""
    if unit == "iso":
        return value
    if isinstance(value, str | Decimal):
        value = number(value)
    try:
        if type(value) is int:
            return EARLIEST + timedelta(microseconds=value * (1_000_000 // PER_SECOND[unit]))
        if type(value) is float:
            return EARLIEST + timedelta(microseconds=round(value * (1_000_000 // PER_SECOND[unit])))
    except (OverflowError, ValueError):
        pass
    return value


def number(value: Any) -> Any:  # noqa: ANN401 - what is no number is left for `convert` to explain
    """Turn text that is a number into one, for tables without types have only text; and decimals into floats."""
    if isinstance(value, Decimal) or (isinstance(value, str) and _NUMBER.fullmatch(value)):
        return float(value)
    return value


def _whole(value: Any) -> Any:  # noqa: ANN401
    return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else value


def reader(mapping: Mapping, *, format: str, now: datetime) -> Callable[[bytes], Event | Reject]:
    """Return what reads one row as it was set down: a line of JSONL, or the JSON object that stands for another row.

    Native JSON lines are messages, for which the schema is strict; everything else is mapped.
    """
    if mapping.name == NATIVE and format == "jsonl":
        return lambda original: parse(original, now=now)
    fields = RowMapper(mapping).fields

    def read(original: bytes) -> Event | Reject:
        row = decoded(original)
        return row if isinstance(row, Reject) else convert(fields(row), original=original, now=now)

    return read


def decoded(original: bytes) -> Row | Reject:
    """Decode one JSON object."""
    if is_too_deep(original):
        return Reject("bad_json", f"nested deeper than {MAX_NESTING}", original)
    try:
        if not original.isascii():
            original.decode()
        return _OBJECT.decode(original)
    except UnicodeDecodeError as error:
        return Reject("bad_encoding", f"byte {error.start} is not UTF-8", original)
    except (msgspec.MsgspecError, RecursionError) as error:
        return Reject("bad_json", str(error), original)


def _is_one_object(mapping: Mapping) -> bool:
    return len(mapping.kept) == 1 and mapping.kept[0].endswith(SPREAD)
