"""A step of a question: which events count, by type and by conditions on their fields or properties."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from workbench.errors import InvalidArgument, UnknownEvent
from workbench.metrics import arguments

if TYPE_CHECKING:
    from datetime import datetime

    from workbench.store.base import Snapshot

Scalar: TypeAlias = str | int | float | bool

FIELDS: Final = {
    "platform": "platform",
    "user_id": "user_id",
    "session_id": "session_id",
    "raid_id": "raid_id",
    "message_id": "message_id",
    "value": "CAST(value AS VARCHAR)",
}
"""Fields of an event that a condition may name, and their text in SQL; any other name is a property."""

_RESERVED: Final = frozenset({"event_id", "event_type", "occurred_at", "ingested_at", "timestamp", "properties"})
_EXACT: Final = 2**53
"""Integers beyond this are not exact as floats, so they are compared as text."""


@dataclass(frozen=True, slots=True)
class Step:
    """Events of one type, of which each condition in `where` holds. Made by `step`."""

    event: str
    where: tuple[tuple[str, tuple[Scalar, ...]], ...] = ()

    def __str__(self) -> str:
        conditions = ", ".join(f"{name} = {' or '.join(map(str, values))}" for name, values in self.where)
        return f"{self.event} [{conditions}]" if conditions else self.event


def step(event: str, *, where: Mapping[str, Scalar | Iterable[Scalar]] | None = None) -> Step:
    """Name the events of one type, if wanted only some of them.

    Args:
        event: Their `event_type`.
        where: Per field (`platform`, `value`, `raid_id`, …) or property the value it must have, or
            several of which it must have one. Numbers equal numbers (5 is 5.0), text equals text and
            what JSON writes for it. An event without the field does not count.

    Raises:
        InvalidArgument: A name or a value cannot be compared.

    >>> str(step("message_sent", where={"platform": ["discord", "telegram"]}))
    'message_sent [platform = discord or telegram]'
    """
    if not isinstance(event, str) or not event:
        raise InvalidArgument(f"a step is the name of an event, got {event!r}")
    conditions = [(name, _values(name, wanted)) for name, wanted in (where or {}).items()]
    return Step(event, tuple(sorted(conditions)))


def as_step(given: str | Step) -> Step:
    """Take a name or a step."""
    return given if isinstance(given, Step) else step(given)


def _values(name: str, wanted: Scalar | Iterable[Scalar]) -> tuple[Scalar, ...]:
    if not isinstance(name, str) or not name or name in _RESERVED:
        raise InvalidArgument(f"where cannot name {name!r}: use {', '.join(FIELDS)} or the name of a property")
    values = (wanted,) if isinstance(wanted, str | int | float) else _several(name, wanted)
    for value in values:
        if not isinstance(value, str | int | float) or (isinstance(value, float) and not math.isfinite(value)):
            raise InvalidArgument(
                f"where[{name!r}] must be text, a number, true or false, or a list of them, got {value!r}"
            )
    return values


def _several(name: str, wanted: Iterable[Scalar]) -> tuple[Scalar, ...]:
    values = tuple(wanted) if isinstance(wanted, Iterable) and not isinstance(wanted, Mapping) else ()
    if not values:
        raise InvalidArgument(f"where[{name!r}] must be a value or a list of values, got {wanted!r}")
    return values


def conditions(steps: Iterable[Step]) -> tuple[list[str], dict[str, object]]:
    """Write each step as a SQL condition on a row of `events`, and the values bound in them.

    Returns:
        One condition per step, and the values: `$events` (all event types) and those of the filters.
    """
    texts, values, events = [], dict[str, object](), list[str]()
    for k, each in enumerate(steps, start=1):
        events.append(each.event)
        parts = [f"event_type = $events[{k}]"]
        for number, (name, wanted) in enumerate(each.where, start=1):
            part, bound = _condition(name, wanted, f"{k}_{number}")
            parts.append(part)
            values |= bound
        texts.append(" AND ".join(parts))
    return texts, {"events": events} | values


def _condition(name: str, wanted: tuple[Scalar, ...], suffix: str) -> tuple[str, dict[str, object]]:
    """Compare one field or property; only numbers, written by us, become part of the text."""
    numbers = [float(value) for value in wanted if _is_number(value)]
    texts = [str(value).lower() if isinstance(value, bool) else str(value) for value in wanted if not _is_number(value)]
    bound: dict[str, object] = {}
    column = FIELDS.get(name)
    if column is None:
        column = f"json_extract_string(properties, $property_{suffix})"
        bound[f"property_{suffix}"] = "/" + name.replace("~", "~0").replace("/", "~1")  # a JSON pointer
    parts = []
    if texts:
        bound[f"texts_{suffix}"] = texts
        parts.append(f"list_contains($texts_{suffix}, {column})")
    if numbers:
        bound[f"numbers_{suffix}"] = numbers
        parts.append(f"list_contains($numbers_{suffix}, TRY_CAST({column} AS DOUBLE))")
    return f"coalesce({' OR '.join(parts)}, false)", bound


def _is_number(value: Scalar) -> bool:
    return isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _EXACT)


def seen(snapshot: Snapshot) -> dict[str, tuple[datetime, datetime]]:
    """Return when each type of event first and last occurred."""
    rows = snapshot.query(_SEEN).to_pylist()
    return {row["event_type"]: (row["first_at"], row["last_at"]) for row in rows}


_SEEN: Final = (
    "SELECT event_type, min(occurred_at) AS first_at, max(occurred_at) AS last_at FROM events GROUP BY event_type"
)


def check_known(steps: Iterable[Step], known: Iterable[str]) -> None:
    """Check that each step's event occurs in the data; where there is no data yet, anything may come.

    Raises:
        UnknownEvent: One does not; the nearest name is suggested.
    """
    names = set(known)
    for each in steps:
        if names and each.event not in names:
            raise UnknownEvent(f"the data has no event {arguments.unknown(each.event, names)}")
