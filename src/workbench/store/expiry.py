"""Expiry: which events are older than the retention, and whether so many may go without a confirmation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from workbench.errors import InvalidArgument

if TYPE_CHECKING:
    from workbench.store.base import Place, Snapshot

MOST_SHARE: Final = 0.05
"""Share of the events that goes without a confirmation: a daily job drops 1 in 365 of a steady year."""

_NEWEST: Final = "SELECT max(occurred_at) AS newest FROM events"
_OLDER: Final = "SELECT count(*) AS events FROM events WHERE occurred_at < $before"


@dataclass(frozen=True, slots=True)
class Expiry:
    """What an expiry drops.

    Attributes:
        before: Events that occurred before this instant are past the retention.
        events: How many these are.
        total: Events in the store, those included.
    """

    before: datetime
    events: int
    total: int

    @property
    def share(self) -> float:
        """Share of the events that is past the retention, in [0, 1]."""
        return self.events / self.total if self.total else 0.0


def cutoff(snapshot: Snapshot, *, days: int, now: datetime) -> datetime:
    """Return the instant before which events are past a retention.

    Ages count from the newest event where that is earlier than now: an old export does not age while it lies there, and
    a clock that is ahead makes nothing older.
    """
    newest = snapshot.query(_NEWEST)["newest"].to_pylist()[0]
    end = now if newest is None else min(now, newest.astimezone(UTC))
    return end - timedelta(days=days)


def plan(snapshot: Snapshot, *, days: int, now: datetime) -> Expiry:
    """Count the events that are past a retention of so many days."""
    before = cutoff(snapshot, days=days, now=now)
    events = int(snapshot.query(_OLDER, {"before": before})["events"].to_pylist()[0])
    total = int(snapshot.query("SELECT count(*) AS events FROM events")["events"].to_pylist()[0])
    return Expiry(before, events, total)


def expire(store: Place, *, days: int, now: datetime, confirmed: bool = False) -> Expiry:
    """Drop the events that are past a retention; return what was dropped.

    Args:
        store: Where from.
        days: Age in days, from the earlier of `now` and the newest event.
        now: The present.
        confirmed: Drop more than `MOST_SHARE` of the events too.

    Raises:
        InvalidArgument: It would drop more than that, and is not confirmed; nothing was dropped.
    """
    planned = plan(store.snapshot(), days=days, now=now)
    if planned.share > MOST_SHARE and not confirmed:
        raise InvalidArgument(
            f"{planned.events:,} of {planned.total:,} events ({planned.share:.1%}) are from before "
            f"{planned.before:%Y-%m-%d %H:%M} UTC; more than {MOST_SHARE:.0%} are dropped only when that is confirmed. "
            f"Nothing was dropped. To drop them: workbench lake expire --days {days} --yes"
        )
    if planned.events == 0:
        return planned
    return Expiry(planned.before, store.expire(before=planned.before), planned.total)
