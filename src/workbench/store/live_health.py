"""How a live store is: up to when events have come, from which sources, and what was left out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from workbench.charts.formats import duration
from workbench.store.live_state import instant

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from workbench.store.live import LiveReader
    from workbench.store.live_state import State

BEHIND: Final = timedelta(minutes=1)
"""Event time that is so far behind the clock is worth saying: a replay, or a backlog."""


@dataclass(frozen=True, slots=True)
class Health:
    """How a live store is, at one moment.

    Attributes:
        name: Where it is.
        as_of: Up to when events have come; `None` before the first.
        silent: How long nothing has come; `None` where nothing ever has.
        behind: How far event time is behind the clock; `None` before the first event.
        idle: Sources that are silent for longer than others wait for them.
        stale: Whether all of them are.
        counts: Over all sources, how many messages were counted, revised, late, duplicate and rejected.
        size: Bytes that it takes.
    """

    name: str
    as_of: datetime | None
    silent: timedelta | None
    behind: timedelta | None
    idle: Sequence[str]
    stale: bool
    counts: dict[str, int]
    size: int

    def reading(self) -> str:
        """Say how it is in one sentence."""
        if self.as_of is None or self.silent is None or self.behind is None:
            return "no event has come yet"
        said = f"as of {self.as_of:%Y-%m-%d %H:%M:%S} UTC"
        if self.behind > BEHIND:
            said += f", {duration(self.behind.total_seconds())} behind the clock"
        if self.stale:
            return f"{said}; nothing has come for {duration(self.silent.total_seconds())}"
        return f"{said}; idle: {', '.join(self.idle)}" if self.idle else said


def health(live: LiveReader, *, now: datetime) -> Health:
    """Look how a live store is."""
    return health_of(live.state(), name=live.name, size=live.size, now=now)


def health_of(state: State, *, name: str, now: datetime, size: int = 0) -> Health:
    """Say how a live store is, from its state."""
    waits = timedelta(seconds=state.policy.idle)
    silent = {source: max(now - instant(known.seen_at), timedelta()) for source, known in state.sources.items()}
    idle = sorted(source for source, length in silent.items() if length > waits)
    as_of = None if state.watermark is None else instant(state.watermark)
    return Health(
        name=name,
        as_of=as_of,
        silent=min(silent.values(), default=None),
        behind=None if as_of is None else max(now - as_of, timedelta()),
        idle=idle,
        stale=len(idle) == len(silent),
        counts={what: sum(getattr(known, what) for known in state.sources.values()) for what in COUNTS},
        size=size,
    )


COUNTS: Final = ("counted", "revised", "late", "duplicate", "rejected")
