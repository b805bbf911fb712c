"""Rows one by one: a mapping applied to a decoded row, and the row read as an event."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from workbench.events import EARLIEST, MAX_NESTING, Event, Reject, convert, is_missing_value, is_too_deep, parse
from workbench.ingest.mappings import NATIVE, REST, SPREAD, Mapping
from workbench.texts import EXACT
from workbench.times import DEFAULT_RULES, PER_SECOND, excel_time

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workbench.times import TimeRules

Row = dict[str, Any]

NO_ID: Final = "\0"
"""Stands for the id of an event that will get one computed from its row."""

NULLS: Final = ("", r"\N")
"""What stands in a cell that has no value: nothing, or what Postgres and MySQL write."""

_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE: Final = re.compile(r"\d{1,18}", re.ASCII)
_INTEGER: Final = re.compile(r"[+-]?\d{1,19}", re.ASCII)
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
        self._unique = [_parted(path) for path in mapping.unique]
        led = [*mapping.unique, *(path for field in mapping.fields for path in mapping.paths(field))]
        self._dotted = {path for path in led if "." in path}
        self._spread = tuple(path for path in mapping.kept if path.endswith(SPREAD))
        self._deep = {path for path in self._dotted if path.count(".") > 1}
        self._heads = {path.partition(".")[0] for path in (*self._dotted, *mapping.kept) if path != REST}
        self._whole = mapping.kept[0].removesuffix(SPREAD) if _is_one_object(mapping) else None
        self._rest: dict[tuple[str, ...], list[str]] = {}
        self._flat: dict[tuple[str, ...], dict[str, dict[str, str]]] = {}

    def fields(self, row: Row) -> Row:
        """Return the fields that a row gives, each as `convert` takes it where that is possible."""
        found: Row = dict(self.mapping.constants)
        given = row
        row, inner = self._opened(row)
        for field, paths, convert_ in self._fields:
            for head, tail in paths:
                value = inner[head].get(tail)
                if value is None or value in NULLS:
                    continue
                if convert_ is not None:
                    if (value := convert_(value)) is None:
                        continue
                elif type(value) is not str:
                    value = name(value)
                found[field] = value
                break
        if self._unique:
            self._name(found, inner)
        if self.mapping.hashes and "event_id" not in found:
            found["event_id"] = NO_ID
        flat = self._flattened(row) if self._spread else _NONE_FLAT
        found["properties"] = dig(row, self._whole) if self._whole and not flat else self._properties(row, flat, given)
        return found

    def _name(self, found: Row, inner: dict[str, Row]) -> None:
        """Make the id of all parts of the key; a row that lacks one has none."""
        found.pop("event_id", None)
        parts = [inner[head].get(tail) for head, tail in self._unique]
        if not (None in parts or "" in parts or r"\N" in parts):
            found["event_id"] = unique_id(parts)

    def _flattened(self, row: Row) -> dict[str, dict[str, str]]:
        """List the columns that hold members of an object each, such as `properties.page`, by path and name."""
        columns = tuple(row)
        flat = self._flat.get(columns)
        if flat is None:
            if len(self._flat) >= _CACHED:
                self._flat.clear()
            flat = {path: members for path in self._spread if (members := spread_columns(path, columns))}
            self._flat[columns] = flat
        return flat

    def _opened(self, row: Row) -> tuple[Row, dict[str, Row]]:
        """Look up the objects that paths lead into, once for all paths; "" stands for the row itself."""
        inner: dict[str, Row] = {}
        for head in self._heads:
            value = row.get(head)
            if type(value) is str or type(value) is list:
                value = opened(value)
                row = {**row, head: value}
            inner[head] = value if type(value) is dict else {}
        inner[""] = row
        for path in self._deep if self._dotted.isdisjoint(row) else self._dotted:
            head, tail = _parted(path)
            inner[head] = {**inner[head], tail: dig(row, path)}
        return row, inner

    def _properties(self, row: Row, flat: dict[str, dict[str, str]], given: Row) -> object:
        """Gather what is kept beside the fields; of two members of one name the one named first stays."""
        members: Row = {}
        for path in reversed(self.mapping.kept):
            if path == REST:
                members |= self._remaining(row, given)
                continue
            value = dig(row, path.removesuffix(SPREAD))
            if path in flat:
                cells = ((name, row[column]) for column, name in flat[path].items())
                members.update((name, cell) for name, cell in cells if cell is not None and cell not in NULLS)
            if value is None:
                continue
            if not path.endswith(SPREAD):
                members[path.rpartition(".")[2]] = value
            elif isinstance(value, dict):
                members.update(value)
            else:
                return value
        return members

    def _remaining(self, row: Row, given: Row) -> Row:
        """Gather the columns that feed no field; of a list of keys with values its members."""
        members: Row = {}
        for name in self._others(row):
            value = row[name]
            if type(given[name]) is list and type(pairs := opened(value)) is dict:
                members = {**pairs, **members}
            elif value is not None and value != "":
                members[name] = value
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
    for path in mapping.kept:
        fed.update(spread_columns(path, columns))
    return [column for column in columns if column not in fed]


def spread_columns(path: str, columns: Sequence[str]) -> dict[str, str]:
    """Return the columns that hold one member each of an object whose members are spread, with the members' names.

    >>> spread_columns("properties.*", ["event", "properties.page"])
    {'properties.page': 'page'}
    """
    if not path.endswith(SPREAD):
        return {}
    head = path.removesuffix(SPREAD) + "."
    return {column: column.removeprefix(head) for column in columns if column.startswith(head) and column != head}


def unique_id(parts: Sequence[object]) -> str:
    """Make an id of several values: the same for a whole number, its text, and the float that it became."""
    texts = [part if type(part) is str else str(name(part)) for part in parts]
    return hashlib.blake2b(msgspec.json.encode(texts), digest_size=16).hexdigest()


def name(value: Any) -> Any:  # noqa: ANN401 - what is no name is left for `convert` to explain
    """Write whole numbers as text, also those that became floats; beyond 2**53 these have lost digits."""
    if type(value) is int or (type(value) is float and value.is_integer() and abs(value) < EXACT):
        return str(int(value))
    return value


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
    """Return what is done to the values of a field; `None` comes out for one that means that there is none.

    To a name nothing is done but `name`.
    """
    convert_ = _typed(field, mapping)
    if field not in mapping.missing:
        return convert_
    missing = {str(name(value)) for value in mapping.missing[field]}
    return lambda value: None if str(name(value)) in missing else (convert_ or name)(value)


def _typed(field: str, mapping: Mapping) -> Callable[[Any], Any] | None:
    if field == "occurred_at":
        return partial(instant, unit=mapping.time)
    if field == "event_type" and mapping.event_types:
        return lambda value: mapping.event_types.get(str(value), name(value))
    return {"value": number, "schema_version": _whole}.get(field)


def opened(value: Any) -> Any:  # noqa: ANN401 - whatever was there
    """Decode JSON text that holds an object, and a list of keys with values; leave everything else.

    Empty text is nothing.
    """
    if type(value) is list:
        return _of_pairs(value)
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


def _of_pairs(items: list[Any]) -> Any:  # noqa: ANN401
    """Make an object of a list of `{key, value: {string_value, int_value, …}}`, as GA4 exports parameters."""
    members: Row = {}
    for item in items:
        value = item.get("value") if type(item) is dict else None
        if type(value) is not dict or type(item.get("key")) is not str or not value.keys() <= _GA4_VALUES:
            return items
        for kind, read in _GA4_TYPES.items():
            if value.get(kind) is not None:
                members[item["key"]] = read(value[kind])
                break
    return members if items else items


_NONE_FLAT: Final[dict[str, dict[str, str]]] = {}


def instant(value: Any, unit: str) -> Any:  # noqa: ANN401 - what is no instant is left for `convert` to explain
    """Turn a number of seconds, or parts of them, since 1970 into a time; and one of days, as spreadsheets count."""
    if unit == "iso":
        return value if type(value) is str else _days(value)
    if isinstance(value, str | Decimal):
        text = value.strip() if isinstance(value, str) else ""
        value = int(text) if _INTEGER.fullmatch(text) else number(value)
    if type(value) is not int and type(value) is not float:
        return value
    if (days := excel_time(value)) is not None:
        return days
    try:
        if type(value) is int:
            return EARLIEST + timedelta(microseconds=value * 1_000_000 // PER_SECOND[unit])
        return EARLIEST + timedelta(microseconds=round(value * 1_000_000 / PER_SECOND[unit]))
    except (OverflowError, ValueError):
        pass
    return value


def _days(value: Any) -> Any:  # noqa: ANN401
    """Turn a number that can only be the days of a spreadsheet into a time."""
    days = excel_time(value) if type(value) in (int, float, Decimal) else None
    return value if days is None else days


def number(value: Any) -> Any:  # noqa: ANN401 - what is no number is left for `convert` to explain
    """Turn text that is a number into one, for tables without types have only text; and decimals into floats.

    What means that there is no number is `None`.
    """
    if isinstance(value, str):
        if _NUMBER.fullmatch(value.strip()):
            return float(value)
    elif isinstance(value, Decimal):
        return float(value)
    return None if is_missing_value(value) else value


def _whole(value: Any) -> Any:  # noqa: ANN401
    return int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else value


def reader(
    mapping: Mapping, *, format: str, now: datetime, rules: TimeRules = DEFAULT_RULES
) -> Callable[[bytes], Event | Reject]:
    """Return what reads one row as it was set down: a line of JSONL, or the JSON object that stands for another row.

    Native JSON lines are messages, for which the schema is strict; everything else is mapped.
    """
    if mapping.name == NATIVE and format == "jsonl":
        return lambda original: parse(original, now=now, rules=rules)
    fields = RowMapper(mapping).fields

    def read(original: bytes) -> Event | Reject:
        row = decoded(original)
        return row if isinstance(row, Reject) else convert(fields(row), original=original, now=now, rules=rules)

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


_GA4_TYPES: Final[dict[str, Callable[[Any], Any]]] = {
    "string_value": str,
    "int_value": _whole,
    "float_value": number,
    "double_value": number,
}
_GA4_VALUES: Final = frozenset((*_GA4_TYPES, "set_timestamp_micros"))
