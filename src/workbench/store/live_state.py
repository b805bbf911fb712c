"""What a live store keeps, as plain values: how it counts, where it is, and what each raid and minute has come to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from workbench.errors import InvalidArgument

LAYOUT: Final = 1
"""Version of what is kept; another one is not read."""

SECOND: Final = 1_000_000
MINUTE: Final = 60
"""Microseconds of a second, seconds of a minute."""

LOOKBACK: Final = 3600
"""How many seconds the longest trailing window looks back."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How event time is read: all in seconds.

    Attributes:
        lateness: How far behind the watermark a window is closed.
        horizon: How far behind the watermark an event still counts; a later one is left to history.
        idle: A source that sent nothing for so long holds the watermark back no more.
    """

    lateness: int = 5
    horizon: int = 3600
    idle: int = 30

    def __post_init__(self) -> None:
        """Check it.

        Raises:
            InvalidArgument: A time is negative, or the horizon shorter than the lateness or than a minute.
        """
        if self.lateness < 0 or self.idle < 1 or self.horizon < max(self.lateness, MINUTE):
            raise InvalidArgument(
                f"live windows need lateness >= 0, idle >= 1 and horizon >= 60 and >= lateness (seconds), got {self}"
            )


class Source(msgspec.Struct):
    """How far one source has been read, and what became of its messages since.

    Every message is one of `counted`, `late` (left to history), `duplicate` and `rejected`; `revised` are those
    of the counted that came after their window was closed. What stands before `began` was never read live.
    """

    position: int = 0
    began: int = 0
    watermark: int | None = None
    seen_at: int = 0
    counted: int = 0
    late: int = 0
    duplicate: int = 0
    rejected: int = 0
    revised: int = 0


class Held(msgspec.Struct):
    """A minute that is kept: the transaction that changed it last, and which pieces of its event ids there are."""

    changed: int
    first: int = 0
    last: int = 0


class RaidTimes(msgspec.Struct):
    """When a raid was first told to start, first told to end, and last told of; microseconds since 1970."""

    started: int | None = None
    ended: int | None = None
    last: int = 0


class State(msgspec.Struct, kw_only=True):
    """All of a live store but its minutes, event ids and people of raids, which it lists.

    Attributes:
        layout: Version of what is kept.
        generation: Another one for each store that was made anew.
        policy: How event time was read by the last transaction.
        transaction: Its number.
        watermark: Up to when events have come, microseconds since 1970; `None` before the first.
        known_from: What lies before this second is not known, as it was pruned, expired or never read.
        ids_from: The ids of events before this second are forgotten: a repeat among them would count again, also when
            the horizon has been made longer since.
        sources: By name.
        minutes: By minutes since 1970.
        raids: By `raid_id`.
    """

    generation: str
    layout: int = LAYOUT
    policy: Policy = Policy()
    transaction: int = 0
    watermark: int | None = None
    known_from: int | None = None
    ids_from: int = 0
    sources: dict[str, Source] = {}
    minutes: dict[int, Held] = {}
    raids: dict[str, RaidTimes] = {}

    @property
    def closed(self) -> int | None:
        """The second up to which windows are closed: what ends later may still grow without being revised."""
        return None if self.watermark is None else self.watermark // SECOND - self.policy.lateness

    @property
    def edge(self) -> int | None:
        """The first second that an event may still be of."""
        if self.watermark is None:
            return None
        return max(self.watermark // SECOND - self.policy.horizon, self.ids_from)

    @property
    def oldest(self) -> int | None:
        """The first second that is kept: an hour before the edge, for the people of the hour up to a minute."""
        return None if self.edge is None else max(self.edge - LOOKBACK, 0) // MINUTE * MINUTE

    def expire(self) -> None:
        """Know nothing any more of what has been, but how far it was read."""
        self.minutes, self.raids = {}, {}
        if self.watermark is not None:
            self.known_from = self.watermark // SECOND + 1

    def advance(self, now: int) -> None:
        """Move the watermark to the least of the sources that are not idle; never back.

        A source that was only named so far holds it where it is, until it is idle: what it has may be old.
        """
        waits = self.policy.idle * SECOND
        active = [source.watermark for source in self.sources.values() if now - source.seen_at <= waits]
        known = [watermark for watermark in active if watermark is not None]
        if known and len(known) == len(active):
            self.watermark = max(min(known), self.watermark or 0)


def micros(instant: datetime) -> int:
    """Return an instant as microseconds since 1970."""
    return (instant - _EPOCH) // _TICK


def instant(micros: int) -> datetime:
    """Return the instant that is so many microseconds after 1970."""
    return _EPOCH + micros * _TICK
