"""Live numbers made anew from history: after they were lost, or when their windows are to be other ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from workbench.store.base import STORED_EVENT
from workbench.store.live_raids import LONGEST
from workbench.store.live_state import SECOND, Source, State, instant, micros

if TYPE_CHECKING:
    from workbench.store.base import Snapshot
    from workbench.store.live import LiveStore

_SOURCES: Final = """
    SELECT
        source,
        max(position) + 1 AS position,
        max(CASE WHEN occurred_at <= $now THEN occurred_at END) AS watermark,
        max(ingested_at) AS seen_at
    FROM events
    GROUP BY source
    ORDER BY source
"""
_EVENTS: Final = f"SELECT {', '.join(STORED_EVENT.names)} FROM events WHERE occurred_at >= $since"  # noqa: S608 - own names
_RAIDS: Final = f"""
    SELECT {", ".join(STORED_EVENT.names)} FROM events
    WHERE occurred_at < $since AND raid_id IN (
        SELECT raid_id FROM events WHERE event_type = 'raid_started' AND occurred_at >= $longest_ago
    )
"""  # noqa: S608 - own names


def rebuild(live: LiveStore, history: Snapshot, *, now: datetime | None = None) -> int:
    """Replace the live numbers by those of the newest hours of history.

    Reading goes on where history's events end: what was rejected after the last of them is read again, and what is
    read again counts once. A consumer that is running meanwhile is refused its next batch and begins anew from here.

    Args:
        live: What is replaced.
        history: The events.
        now: The present, if it is not that of the clock: what is dated after it moves no watermark.

    Returns:
        How many events were counted.
    """
    clock = now or datetime.now(UTC)
    known = live.state()
    policy = live.policy or known.policy
    sources = {
        row["source"]: Source(
            position=row["position"],
            watermark=None if row["watermark"] is None else micros(row["watermark"]),
            seen_at=micros(row["seen_at"]),
        )
        for row in history.query(_SOURCES, {"now": clock}).to_pylist()
    }
    reached = State(generation="", policy=policy, sources=sources)
    read_at = max((source.seen_at for source in sources.values()), default=0)
    reached.advance(read_at)
    since = instant((reached.oldest or 0) * SECOND)
    events = history.query(_EVENTS, {"since": since}).select(STORED_EVENT.names).cast(STORED_EVENT)
    longest_ago = since - timedelta(seconds=LONGEST)
    raids = history.query(_RAIDS, {"since": since, "longest_ago": longest_ago}).select(STORED_EVENT.names)
    used = {*events["source"].unique().to_pylist(), *known.sources}
    kept = {name: source for name, source in sources.items() if name in used}
    live.replace(events, kept, raids=raids.cast(STORED_EVENT), now=instant(read_at))
    return int(events.num_rows)
