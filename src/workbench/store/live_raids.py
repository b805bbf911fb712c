"""Raids as they are told of: when each started and ended, and who joined it when."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.store.live_state import SECOND, RaidTimes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from workbench.store.live_batch import RaidEvent

LONGEST: Final = 86_400
"""Seconds after which a raid whose end was never told is not in progress any more."""

_KIND: Final = np.dtype("<i8")


class Joined:
    """Who joined a raid, and when first (microseconds since 1970)."""

    def __init__(self, packed: bytes | None = None) -> None:
        """Read it from bytes; nobody where there are none."""
        table = np.frombuffer(packed or b"", dtype=_KIND).reshape(2, -1)
        self.users: NDArray[np.int64] = table[0].astype(np.int64)
        self.joined: NDArray[np.int64] = table[1].astype(np.int64)

    def add(self, users: Sequence[int], joined: Sequence[int]) -> None:
        """Add people; who is in already joined at the earlier of both times."""
        everybody = np.concatenate([self.users, np.array(users, dtype=np.int64)])
        times = np.concatenate([self.joined, np.array(joined, dtype=np.int64)])
        order = np.lexsort((times, everybody))
        self.users, first = np.unique(everybody[order], return_index=True)
        self.joined = times[order][first]

    def participants(self, until: int) -> int:
        """Count who had joined before an instant."""
        return int(np.count_nonzero(self.joined < until))

    def pack(self) -> bytes:
        """Write it as bytes."""
        return np.stack([self.users, self.joined]).astype(_KIND).tobytes()


def tell(raids: dict[str, RaidTimes], told: Sequence[RaidEvent]) -> dict[str, list[RaidEvent]]:
    """Move the times of raids by what was told of them; return who joined, by raid.

    Hearing the same twice changes nothing, nor does hearing it late.
    """
    joins: dict[str, list[RaidEvent]] = defaultdict(list)
    for event in told:
        times = raids.setdefault(event.raid_id, RaidTimes())
        times.last = max(times.last, event.occurred)
        if event.event_type == "raid_started":
            times.started = event.occurred if times.started is None else min(times.started, event.occurred)
        elif event.event_type == "raid_ended":
            times.ended = event.occurred if times.ended is None else min(times.ended, event.occurred)
        else:
            joins[event.raid_id].append(event)
    return joins


def over(raids: Mapping[str, RaidTimes], before: int) -> list[str]:
    """Return the raids that had ended, or could be in progress no more, before an instant."""
    oldest = before - LONGEST * SECOND
    return [
        raid_id
        for raid_id, times in raids.items()
        if (times.ended is not None and times.ended < before and times.last < before)
        or (times.started if times.started is not None else times.last) < oldest
    ]


def running(raids: Mapping[str, RaidTimes], until: int) -> list[str]:
    """Return the raids in progress just before an instant, oldest first.

    One is in progress when it was told to start, at most `LONGEST` ago, and its end was not.
    """
    found = [
        (times.started, raid_id)
        for raid_id, times in raids.items()
        if times.started is not None
        and until - LONGEST * SECOND <= times.started < until
        and not (times.ended is not None and times.ended < until)
    ]
    return [raid_id for _, raid_id in sorted(found)]
