"""Snapshots of people whose events have fields of their own."""

from __future__ import annotations

from workbench.store.memory import MemoryStore
from workbench.testing import events_of, stored


def community(*groups):
    """Make a snapshot of (journeys, fields) pairs; each event has an id of its own."""
    events = [event for journeys, fields in groups for event in events_of(journeys, **fields)]
    numbered = [
        type(event)(**{name: getattr(event, name) for name in event.__struct_fields__} | {"event_id": str(number)})
        for number, event in enumerate(events)
    ]
    return MemoryStore(stored(numbered)).snapshot()
