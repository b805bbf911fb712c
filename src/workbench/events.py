"""What an event is: its schema, and how one is read.

`parse` reads one message (JSON bytes, as they come from a queue or a JSONL file), `convert` one row of
any other format; `workbench.validate` checks a whole Arrow table (as it comes from Parquet). All apply
the same rules and give the same reason codes; their tests hold them to each other.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime  # noqa: TC003 - msgspec reads the annotations of `Event`
from operator import attrgetter
from typing import Annotated, Any, Final, Literal, get_args

import msgspec
import pyarrow as pa

from workbench import times
from workbench.times import DEFAULT_RULES, TimeRules

SCHEMA_VERSION: Final = 1
MAX_NAME: Final = 256
"""Longest `event_id`, `event_type`, `user_id` or other name, in characters."""

MAX_MESSAGE: Final = 1_048_576
"""Longest message, in bytes; a longer one is rejected as `too_large` without being decoded."""

MAX_NESTING: Final = 500
"""Objects and lists inside each other that a message may have: how many a decoder bears depends on the Python."""

MAX_VALUE: Final = 1e12
"""From here on, up or down, a `value` is a fault of the sender: one such row spoils every mean and every model."""

MISSING_VALUES: Final = frozenset({"", "nan", "null", "none", "na", "n/a", "<na>", "\\n"})
"""Texts, in small letters, by which databases and libraries write that there is no `value`."""

EARLIEST: Final = times.EPOCH

Reason = Literal[
    "too_large",  # longer than MAX_MESSAGE bytes
    "bad_encoding",  # not UTF-8
    "bad_json",  # not JSON, or not a JSON object
    "bad_row",  # a row of a table that does not fit its header
    "missing_field",  # a required field is absent, null or empty
    "wrong_type",  # a field holds another type, or a name is longer than MAX_NAME
    "bad_time",  # no timestamp, before `events_since`, or more than a day in the future
    "bad_value",  # infinite, or 1e12 or more, up or down
    "newer_schema",  # schema_version is above the one this version knows
    "conflicting_id",  # the store has its event_id with another event_type, user_id or occurred_at
]
REASONS: Final[tuple[Reason, ...]] = get_args(Reason)

IDENTITY: Final = ("event_type", "user_id", "occurred_at")
"""What an event that repeats another one's `event_id` shares with it; any other is a `conflicting_id`."""

REQUIRED: Final = ("event_id", "event_type", "user_id", "occurred_at")
ALIASES: Final = {"timestamp": "occurred_at"}
"""Names that older producers use for a field; the field itself wins where both are given."""

NOT_TAKEN: Final = "ingested_at"
"""What only the store may say. Any other unknown field becomes a property."""

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]
Label = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME)]


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """One thing that one person did.

    `occurred_at` is when it happened (UTC, microseconds); when it was ingested is added by the
    store. `properties` is a JSON object, kept as its bytes. `value` is in USD where it is money.
    """

    event_id: Name
    event_type: Name
    user_id: Name
    occurred_at: datetime
    platform: Label | None = None
    session_id: Label | None = None
    raid_id: Label | None = None
    message_id: Label | None = None
    value: float | None = None
    properties: msgspec.Raw = msgspec.Raw(b"{}")
    schema_version: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)] = SCHEMA_VERSION


class Reject(msgspec.Struct, frozen=True):
    """A message that is not an event: why, in words, and its original bytes."""

    reason: Reason
    detail: str
    original: bytes


FIELDS: Final = tuple(Event.__struct_fields__)
LABELS: Final = ("platform", "session_id", "raid_id", "message_id")

EVENT_TABLE: Final = pa.schema(
    [
        pa.field("event_id", pa.string(), nullable=False),
        pa.field("event_type", pa.string(), nullable=False),
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("occurred_at", pa.timestamp("us", "UTC"), nullable=False),
        ("platform", pa.string()),
        ("session_id", pa.string()),
        ("raid_id", pa.string()),
        ("message_id", pa.string()),
        ("value", pa.float64()),
        ("properties", pa.string()),
        ("schema_version", pa.int32()),
    ]
)
"""Events as columns, in the order of `Event`. `properties` is the JSON object as text."""


def parse(message: bytes, *, now: datetime | None = None, rules: TimeRules = DEFAULT_RULES) -> Event | Reject:
    """Read one message: an event, or why it is none. Never raises for anything that it holds.

    Args:
        message: One JSON object with the fields of `Event`, UTF-8. `timestamp` may stand for
            `occurred_at`; unknown fields become properties.
        now: The ingesting clock, to refuse events from the future.
        rules: Zone of times that have none, and the first instant that is allowed.

    >>> parse(b'{"event_id": "1", "event_type": "view", "user_id": "ann", "timestamp": "2026-11-01T09:00:00Z"}').user_id
    'ann'
    >>> parse(b'{"event_id": "1"}').reason
    'missing_field'
    """
    if len(message) > MAX_MESSAGE:
        return Reject("too_large", f"{len(message):,} bytes, at most {MAX_MESSAGE:,} are read", message)
    if is_too_deep(message):
        return Reject("bad_json", f"nested deeper than {MAX_NESTING}", message)
    try:
        if not message.isascii():
            message.decode()
        event = _DECODER.decode(message)
    except msgspec.ValidationError:
        return _second_look(message, now, rules)
    except UnicodeDecodeError as error:
        return Reject("bad_encoding", f"byte {error.start} is not UTF-8", message)
    except (msgspec.DecodeError, RecursionError) as error:
        return Reject("bad_json", str(error), message)
    if not bytes(event.properties).startswith(b"{"):
        return _second_look(message, now, rules)
    return _checked(event, message, now, rules)


def is_too_deep(text: bytes, *, limit: int = MAX_NESTING) -> bool:
    """Tell whether JSON has more than `limit` objects and lists inside each other.

    >>> is_too_deep(b'{"a": [1, {"b": "[[["}]}', limit=3), is_too_deep(b'{"a": [1, {"b": "[[["}]}', limit=2)
    (False, True)
    """
    if len(text) <= limit or text.count(b"{") + text.count(b"[") <= limit:
        return False
    depth = deepest = 0
    for bracket in _NOT_BRACKETS.sub(b"", text):
        depth += 1 if bracket in b"{[" else -1
        deepest = max(deepest, depth)
    return deepest > limit


def convert(
    fields: Mapping[str, Any], *, original: bytes, now: datetime | None = None, rules: TimeRules = DEFAULT_RULES
) -> Event | Reject:
    """Make an event of decoded fields: what `parse` does after decoding, for rows of any format.

    Args:
        fields: Values by the names of `Event`; `properties` as a mapping or as `msgspec.Raw`;
            `occurred_at` as a `datetime` or as text that `times.read_time` reads. Absent, `None` and `""` are the same,
            and so is a `value` of `MISSING_VALUES` or NaN.
        original: The bytes to keep if it is rejected.
        now: The ingesting clock.
        rules: Zone of times that have none, and the first instant that is allowed.
    """
    if len(original) > MAX_MESSAGE:
        return Reject("too_large", f"{len(original):,} bytes, at most {MAX_MESSAGE:,} are read", original)
    named = {name: value for name, value in fields.items() if value is not None and value != ""}
    for alias, name in ALIASES.items():
        if alias in named and name not in named:
            named[name] = named.pop(alias)
    if "value" in named and is_missing_value(named["value"]):
        del named["value"]
    if not named.keys() >= _REQUIRED:
        missing = next(name for name in REQUIRED if name not in named)
        return Reject("missing_field", f"no {missing}", original)
    strays = {}
    if not named.keys() <= _FIELDS:
        strays = {name: named.pop(name) for name in named.keys() - _FIELDS}
        strays.pop(NOT_TAKEN, None)
    try:
        named["properties"] = _joined(named.get("properties"), strays)
    except _BAD_VALUE as error:
        return Reject("wrong_type", f"properties is not an object: {error}", original)
    try:
        event = msgspec.convert(named, Event)
    except _BAD_VALUE:
        time = times.read_time(text) if isinstance(text := named["occurred_at"], str) else None
        if time is None:
            return _explained(named, original, now, rules)
        try:
            event = msgspec.convert({**named, "occurred_at": time}, Event)
        except _BAD_VALUE:
            return _explained({**named, "occurred_at": time}, original, now, rules)
    return _checked(event, original, now, rules)


def is_missing_value(value: object) -> bool:
    r"""Tell whether what stands for `value` means that there is none.

    >>> [is_missing_value(value) for value in ("NaN", r"\N", " ", float("nan"), "0", 0)]
    [True, True, True, True, False, False]
    """
    if isinstance(value, str):
        return value.strip().lower() in MISSING_VALUES
    return isinstance(value, float) and math.isnan(value)


def _joined(properties: Mapping[str, Any] | msgspec.Raw | None, strays: dict[str, Any]) -> msgspec.Raw:
    """Make one JSON object of the properties and of the fields that an event does not have."""
    if isinstance(properties, msgspec.Raw):
        members: Mapping[str, Any] = _MEMBERS.decode(properties)
        if not strays:
            return properties
    elif properties is None or isinstance(properties, (dict, Mapping)):  # the first check is much the faster
        members = properties or {}
    else:
        raise TypeError(f"got {type(properties).__name__}")
    return msgspec.Raw(msgspec.json.encode({**strays, **members} if strays else members))


def _explained(named: dict[str, Any], original: bytes, now: datetime | None, rules: TimeRules) -> Reject:
    """Find the first fault in the order of the fields, so that the reason does not depend on theirs."""
    try:
        msgspec.convert({name: named[name] for name in FIELDS if name in named}, Event)
    except _BAD_VALUE as error:
        detail = str(error)
    if not detail.endswith("$.occurred_at`"):
        return Reject("wrong_type", detail, original)
    given = named["occurred_at"]
    detail = f"occurred_at {str(given)[:_SHOWN]!r} is no time in ISO 8601{rules.unit_hint(given, now)}"
    return Reject("bad_time", detail, original)


def _checked(event: Event, original: bytes, now: datetime | None, rules: TimeRules) -> Event | Reject:
    """Apply the rules that a type cannot say."""
    if event.value is not None and not -MAX_VALUE < event.value < MAX_VALUE:
        return Reject("bad_value", f"value is {event.value:g}, it must be between -1e12 and 1e12", original)
    if event.schema_version > SCHEMA_VERSION:
        detail = f"schema_version {event.schema_version}, at most {SCHEMA_VERSION} is known"
        return Reject("newer_schema", detail, original)
    occurred_at = event.occurred_at
    naive = None
    if occurred_at.tzinfo is None:
        occurred_at, naive = times.localized(occurred_at, rules.zone)
        event = msgspec.structs.replace(event, occurred_at=occurred_at)
    if not rules.allows(occurred_at, now):
        return Reject("bad_time", rules.refusal(occurred_at, now), original)
    if naive is not None:
        rules.naive.add(naive)
    return event


def _second_look(message: bytes, now: datetime | None, rules: TimeRules) -> Event | Reject:
    """Decode without the schema: for an alias, a stray field, or a fault that deserves a good explanation."""
    try:
        members = _MEMBERS.decode(message)
    except (msgspec.MsgspecError, RecursionError) as error:
        return Reject("bad_json", str(error), message)
    fields: dict[str, Any] = {name: value for name, value in members.items() if bytes(value) not in _NOTHING}
    for name in fields.keys() & {*FIELDS, *ALIASES}:
        value = fields[name]
        if name == "properties" and bytes(value).startswith(b"{"):
            continue
        try:
            fields[name] = msgspec.json.decode(value)
        except (msgspec.MsgspecError, RecursionError) as error:
            return Reject("wrong_type", f"{name}: {error}", message)
    return convert(fields, original=message, now=now, rules=rules)


_FIELDS: Final = frozenset(FIELDS)
_NOTHING: Final = (b"null", b'""')
_REQUIRED: Final = frozenset(REQUIRED)
_SHOWN: Final = 60
_BAD_VALUE: Final = (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError)
_DECODER: Final = msgspec.json.Decoder(Event)
_NOT_BRACKETS: Final = re.compile(rb'"(?:[^"\\]|\\.)*"?|[^"{}\[\]]+', re.DOTALL)
"""What says nothing about nesting: text, also where it was cut off, and all else."""

_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def to_table(events: list[Event]) -> pa.Table:
    """Turn events into columns: one row per event, in the same order, as `EVENT_TABLE`."""
    arrays = []
    for field in EVENT_TABLE:
        values = map(attrgetter(field.name), events)
        if field.name == "properties":
            arrays.append(pa.array(map(bytes, values), pa.binary(), size=len(events)).cast(field.type))
        else:
            arrays.append(pa.array(values, field.type, size=len(events)))
    return pa.table(arrays, schema=EVENT_TABLE)
