"""Data for tests and doctests, written as the journeys of people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from workbench.events import Event, to_table
from workbench.store.keys import user_keys
from workbench.store.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Mapping

START = datetime(2026, 1, 5, tzinfo=UTC)
"""Minute 0 of every journey: a Monday, midnight UTC."""


def events_of(
    journeys: Mapping[str, str],
    *,
    unit: timedelta = timedelta(minutes=1),
    start: datetime = START,
    **fields: Any,  # noqa: ANN401 - any field of Event
) -> list[Event]:
    """Write down events: one person a key, `event_type:when` apart by blanks.

    Args:
        journeys: Per person what they did and when, in `unit`s after `start`.
        unit: What one step of the numbers is.
        start: The instant 0.
        fields: Fields that all events get, such as `platform="discord"`; `properties` as a dict.
    """
    if "properties" in fields:
        fields["properties"] = msgspec.Raw(msgspec.json.encode(fields["properties"]))
    events = []
    for user_id, journey in journeys.items():
        for number, word in enumerate(journey.split()):
            event_type, _, when = word.rpartition(":")
            occurred_at = start + float(when) * unit
            identity = f"{user_id}/{number}/{event_type}"
            events.append(
                Event(event_id=identity, event_type=event_type, user_id=user_id, occurred_at=occurred_at, **fields)
            )
    return events


def stored(events: list[Event], *, ingested_at: datetime | None = None, source: str = "test") -> pa.Table:
    """Turn events into the columns of `STORED_EVENT`, ingested when they occurred unless said otherwise."""
    table = to_table(events)
    arrived = pa.array([ingested_at] * len(events), pa.timestamp("us", "UTC")) if ingested_at else table["occurred_at"]
    return (
        table.append_column("ingested_at", arrived)
        .append_column("source", pa.array([source] * len(events), pa.string()))
        .append_column("position", pa.array(range(len(events)), pa.int64()))
        .append_column("user_key", user_keys(table["user_id"]))
    )


def store_of(
    journeys: Mapping[str, str],
    *,
    unit: timedelta = timedelta(minutes=1),
    start: datetime = START,
    **fields: Any,  # noqa: ANN401 - any field of Event
) -> MemoryStore:
    """Make a store of journeys.

    >>> store_of({"ann": "view:0 buy:9"}).snapshot().query("SELECT count(*) AS n FROM events").to_pylist()
    [{'n': 2}]
    """
    return MemoryStore(stored(events_of(journeys, unit=unit, start=start, **fields)))
