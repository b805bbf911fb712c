"""How events reach the file: most on their day, some days late, some twice."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from workbench.simulate import effects

if TYPE_CHECKING:
    from workbench.simulate.plan import Array, Plan

LONGEST_DELAY: Final = 6
"""Days."""

SAME_DAY_SHARE: Final = 0.7
"""Share of copies that arrive on the day of their original; the others come one to three days later."""


class Delivery:
    """Holds back what comes later.

    Attributes:
        late: Events that arrived on a later day than they occurred on, duplicates left out.
        duplicates: Copies delivered beside the original, identical to it.
    """

    def __init__(self, plan: Plan) -> None:
        self.late = self.duplicates = 0
        self._plan = plan
        self._held: defaultdict[int, list[pa.Table]] = defaultdict(list)

    def deliver(self, day: int, events: pa.Table) -> pa.Table:
        """Return what arrives on a day: what was held back, the day's own events, same-day copies."""
        rng = self._plan.rng("delivery", day)
        n = events.num_rows
        delay = np.where(rng.random(n) < effects.LATE_RATE, rng.geometric(0.5, n).clip(1, LONGEST_DELAY), 0)
        late_on = self._due(day, delay)
        copied = rng.random(n) < effects.DUPLICATE_RATE
        copy_delay = np.where(rng.random(n) < SAME_DAY_SHARE, 0, rng.integers(1, 4, n))
        self.late += self._hold(events, np.where(late_on > day, late_on, -1))
        held = self._held.pop(day, [])
        self.duplicates += self._hold(events, np.where(copied, self._due(day, copy_delay), -1))
        copies = self._held.pop(day, [])
        return pa.concat_tables([*held, events.filter(pa.array(late_on == day)), *copies])

    def _due(self, day: int, delay: Array) -> Array:
        """Return the day of arrival: whatever is still on its way at the end arrives on the last day."""
        due: Array = np.minimum(day + delay, self._plan.days - 1)
        return due

    def _hold(self, events: pa.Table, due: Array) -> int:
        """Keep events for the day that `due` gives each, -1 for those that are not held; return how many."""
        for day in np.unique(due[due >= 0]).tolist():
            self._held[day].append(events.filter(pa.array(due == day)))
        return int((due >= 0).sum())
