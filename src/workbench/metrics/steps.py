"""A step of a question: which events count, by type and by conditions on their fields or properties."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias
from weakref import WeakKeyDictionary

from workbench.errors import InvalidArgument, UnknownEvent
from workbench.metrics import arguments

if TYPE_CHECKING:
    from datetime import datetime

    from workbench.metrics.words import Words
    from workbench.store.base import Snapshot

Scalar: TypeAlias = str | int | float | bool

FIELDS: Final = ("platform", "user_id", "session_id", "raid_id", "message_id", "value")
"""Fields of an event that a condition may name; any other name is a property."""

EXPLICIT: Final = "properties."
"""Before the name of a property that is called as a field is."""

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
            several of which it must have one; `properties.value` is a property that is called as a field is.
            Numbers equal numbers (5 is 5.0), text equals text and what JSON writes for it. An event without
            the field does not count.

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
    if not isinstance(name, str) or not name or name in arguments.RESERVED:
        raise InvalidArgument(f"where cannot name {name!r}: use {', '.join(FIELDS)} or the name of a property")
    values = (wanted,) if isinstance(wanted, str | int | float) else _several(name, wanted)
    for value in values:
        if not isinstance(value, str | int | float) or (isinstance(value, float) and not math.isfinite(value)):
            raise InvalidArgument(
                f"where[{name!r}] must be text, a number, true or false, or a list of them, got {value!r}"
            )
    return values


def _several(name: str, wanted: Iterable[Scalar]) -> tuple[Scalar, ...]:
    several = isinstance(wanted, Iterable) and not isinstance(wanted, Mapping | bytes | bytearray)
    values = tuple(wanted) if several else ()
    if not values:
        raise InvalidArgument(f"where[{name!r}] must be a value or a list of values, got {wanted!r}")
    return values


def conditions(steps: Iterable[Step], words: Words) -> tuple[list[str], dict[str, object]]:
    """Write each step as a SQL condition on a row of `events`, and the values bound in them.

    Returns:
        One condition per step, and the values: `$event_1`, … and those of the filters.
    """
    texts, values = [], dict[str, object]()
    for k, each in enumerate(steps, start=1):
        values[f"event_{k}"] = each.event
        parts = [f"event_type = $event_{k}"]
        for number, (name, wanted) in enumerate(each.where, start=1):
            part, bound = _condition(name, wanted, f"{k}_{number}", words)
            parts.append(part)
            values |= bound
        texts.append(" AND ".join(parts))
    return texts, values


def coded(steps: Sequence[Step], matches: Sequence[str], words: Words) -> str:
    """Write which steps a row can be as a number, bit k for step k+1; `matches` are what `conditions` returned."""
    plain: dict[str, int] = {}
    parts = []
    for place, (each, match) in enumerate(zip(steps, matches, strict=True)):
        if each.where:
            parts.append(f"CASE WHEN {match} THEN {1 << place} ELSE 0 END")
        else:
            plain[each.event] = plain.get(each.event, 0) | 1 << place
    numbers = {f"$event_{k}": plain[each.event] for k, each in enumerate(steps, start=1) if not each.where}
    return " + ".join([words.number_of("event_type", numbers), *parts] if numbers else parts)


def column(name: str, suffix: str, words: Words) -> tuple[str, dict[str, object]]:
    """Write a field or property as text, and the value bound in it."""
    wanted = property_of(name)
    if wanted is not None:
        return words.property(f"$property_{suffix}"), {f"property_{suffix}": words.key_of(wanted)}
    return (words.text("value") if name == "value" else name), {}


def property_of(name: str) -> str | None:
    """Return the property that a name means; `None` where it is a field.

    >>> property_of("plan"), property_of("platform"), property_of("properties.platform")
    ('plan', None, 'platform')
    """
    if name in FIELDS:
        return None
    return name.removeprefix(EXPLICIT) or name


def _condition(name: str, wanted: tuple[Scalar, ...], suffix: str, words: Words) -> tuple[str, dict[str, object]]:
    """Compare one field or property with the values it may have."""
    numbers = [float(value) for value in wanted if _is_number(value)]
    texts = [str(value).lower() if isinstance(value, bool) else str(value) for value in wanted if not _is_number(value)]
    found, bound = column(name, suffix, words)
    parts = []
    if texts:
        bound[f"texts_{suffix}"] = texts
        parts.append(words.one_of(found, f"$texts_{suffix}"))
    if numbers:
        bound[f"numbers_{suffix}"] = numbers
        parts.append(words.one_of("value" if name == "value" else words.number(found), f"$numbers_{suffix}"))
    return f"({' OR '.join(parts)})", bound


def _is_number(value: Scalar) -> bool:
    return isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _EXACT)


def seen(snapshot: Snapshot) -> dict[str, tuple[datetime, datetime]]:
    """Return when each type of event first and last occurred; asked once of a snapshot, which never changes."""
    if snapshot not in _KNOWN:
        rows = snapshot.query(_SEEN).to_pylist()
        _KNOWN[snapshot] = {row["event_type"]: (row["first_at"], row["last_at"]) for row in rows}
    return _KNOWN[snapshot]


_KNOWN: Final[WeakKeyDictionary[Snapshot, dict[str, tuple[datetime, datetime]]]] = WeakKeyDictionary()
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
