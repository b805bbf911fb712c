"""The names of properties that a question uses: known in the data, or an error that suggests the nearest.

`properties.x` is the property `x` whatever else has that name; `x` alone is the field where there is a field `x`, but
for `value`: people are told apart by the property `value`, where events have one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from workbench.errors import UnknownProperty
from workbench.metrics import arguments
from workbench.metrics.steps import EXPLICIT, FIELDS, property_of
from workbench.metrics.words import words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workbench.metrics.steps import Step
    from workbench.store.base import Snapshot

_SIMPLE: Final = re.compile(r"[A-Za-z0-9_ .$-]+", re.ASCII)
"""Names that JSON writes in one way only, so that text without it has no such property."""

_NAMES: Final = {
    "duckdb": "SELECT DISTINCT unnest(json_keys(properties)) AS name FROM events",
    "clickhouse": "SELECT DISTINCT arrayJoin(JSONExtractKeys(ifNull(properties, ''))) AS name FROM events",
}
_CONTAINS: Final = {"duckdb": "contains(properties, $text)", "clickhouse": "position(properties, $text) > 0"}


def named(snapshot: Snapshot, given: str | None, *, name: str) -> str | None:
    """Take the field or property that people are told apart by.

    Args:
        snapshot: The events that are asked.
        given: Its name; `properties.x` is the property `x`, whatever fields there are.
        name: What the argument is called, for the error.

    Returns:
        The name, as `properties.value` where events have a property `value`; `None` for none.

    Raises:
        UnknownProperty: No event has such a property; the nearest name is suggested.
        InvalidArgument: It is no name.
    """
    if given is None:
        return None
    chosen = arguments.property_name(given, name=name)
    if chosen == "value" and _exists(snapshot.everybody, "value"):
        return f"{EXPLICIT}value"
    check(snapshot, [chosen], name=name)
    return chosen


def check(snapshot: Snapshot, names: Iterable[str], *, name: str) -> None:
    """Check that each name is a field, or a property that any event has; where there are no events, anything may come.

    Raises:
        UnknownProperty: One is not.
    """
    events = snapshot.everybody
    for each in names:
        wanted = property_of(each)
        if wanted is None or _exists(events, wanted) or not _any(events):
            continue
        raise UnknownProperty(
            f"{name}: no event has the property {arguments.unknown(wanted, {*_every(events), *FIELDS})}"
        )


def check_steps(snapshot: Snapshot, steps: Iterable[Step]) -> None:
    """Check the conditions of steps; see `check`."""
    check(snapshot, [name for each in steps for name, _ in each.where], name="where")


def _exists(events: Snapshot, name: str) -> bool:
    """Say whether an event has a property; most are found in the first rows that are looked at."""
    known = _KNOWN.setdefault(events, {})
    if name not in known:
        known[name] = _found(events, name) or name in _every(events)
    return known[name]


def _found(events: Snapshot, name: str) -> bool:
    own = words(events.engine)
    condition, bound = f"{own.property('$key')} IS NOT NULL", {"key": own.key_of(name)}
    if _SIMPLE.fullmatch(name):
        condition, bound["text"] = f"{_CONTAINS[events.engine]} AND {condition}", f'"{name}"'
    sql = f"SELECT 1 AS there FROM events WHERE {condition} LIMIT 1"  # noqa: S608 - our own words
    return bool(events.query(sql, bound).num_rows)


def _every(events: Snapshot) -> frozenset[str]:
    """Return the names of all properties: looked up only where one is not found."""
    if events not in _ALL:
        _ALL[events] = frozenset(events.query(_NAMES[events.engine])["name"].to_pylist())
    return _ALL[events]


def _any(events: Snapshot) -> bool:
    return bool(events.query("SELECT 1 AS there FROM events LIMIT 1").num_rows)


_KNOWN: Final[WeakKeyDictionary[Snapshot, dict[str, bool]]] = WeakKeyDictionary()
_ALL: Final[WeakKeyDictionary[Snapshot, frozenset[str]]] = WeakKeyDictionary()
