"""The community, day by day: each room of the simulation adds its events to the day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import WorkbenchError
from workbench.simulate.ai import interactions, requests
from workbench.simulate.columns import Rows, table
from workbench.simulate.delivery import Delivery
from workbench.simulate.money import Wallets
from workbench.simulate.people import People, people
from workbench.simulate.plan import DEFAULT_UNTIL, Plan
from workbench.simulate.raids import Raids, raid_events, raids
from workbench.simulate.talk import messages
from workbench.simulate.truth import Truth, facts, ids_of, raids_truth, users_truth
from workbench.simulate.visits import NUMBERS_A_DAY, arrivals, sessions, sign_ups, usual, visits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    import pyarrow as pa


class Community:
    """A simulated community: iterate for its events, then ask for its truth.

    Iterating again starts over and gives the same tables.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._truth: Truth | None = None

    def __iter__(self) -> Iterator[pa.Table]:
        plan = self.plan
        crowd, wallets, delivery, user_ids = people(plan), Wallets(plan), Delivery(plan), ids_of(plan)
        history: list[Raids] = []
        events = raid_count = 0
        for day in range(plan.days):
            called, rows = _day(plan, day, crowd, wallets, raid_count)
            at = np.concatenate([part.at for part in rows])
            recorded = table(
                rows, user_ids=user_ids, salt=plan.salt, first=day * NUMBERS_A_DAY, keep=~plan.in_outage(at)
            )
            arrived = delivery.deliver(day, recorded)
            history.append(called)
            raid_count += len(called.number)
            events += arrived.num_rows
            yield arrived
        users = users_truth(plan, crowd, wallets, user_ids)
        known = facts(plan, delivery, events=events, users=users)
        self._truth = Truth(users, raids_truth(plan, history, user_ids), known)

    @property
    def truth(self) -> Truth:
        """What was true, known once all days have been iterated.

        Raises:
            WorkbenchError: The iteration has not come to its end.
        """
        if self._truth is None:
            raise WorkbenchError("the truth of a community is known after its last day: iterate it to the end first")
        return self._truth


def community(*, users: int = 2000, days: int = 120, seed: int = 7, until: date = DEFAULT_UNTIL) -> Community:
    """Simulate a community; equal arguments give equal events, ids and truth.

    Args:
        users: How many people join over the whole time.
        days: For how many UTC days.
        seed: Which of all such communities.
        until: The day after the last one.

    Returns:
        An iterable of one table per day with the columns of `events.EVENT_TABLE`, in the order of arrival:
        late events stand in the table of the day on which they arrived. `truth` is there after the last.

    Raises:
        InvalidArgument: `users` or `days` below 1, `seed` below 0, or days before 1970.

    >>> days = list(community(users=20, days=3, seed=1))
    >>> len(days), days[0].column_names[:3]
    (3, ['event_id', 'event_type', 'user_id'])
    """
    return Community(Plan(users, days, seed, until))


def _day(plan: Plan, day: int, crowd: People, wallets: Wallets, raid_count: int) -> tuple[Raids, list[Rows]]:
    """Return the raids and all events of a day, among them those that the outage will swallow."""
    present = crowd.present(plan, day)
    called = raids(plan, day, crowd, present, raid_count)
    raiding = called.visits(plan.rng("raid_visits", day))
    seen = visits(plan, day, crowd, [raiding, arrivals(plan, day, crowd, present), usual(plan, day, crowd, present)])
    # No raid touches the outage, so the visits of raids are the first ones, all of them.
    outcome = np.full(len(seen), -1)
    outcome[: len(called.member)] = called.outcome()
    raid_session = seen.number[: len(called.member)]
    return called, [
        *sign_ups(plan, day, crowd, seen),
        *sessions(plan, day, seen),
        *messages(plan, day, crowd, seen, outcome),
        *raid_events(plan, day, called, raid_session),
        interactions(plan, day, crowd, seen),
        requests(plan, day, seen),
        wallets.connect(plan, day, crowd, called, raid_session),
        wallets.purchases(plan, day, crowd, seen),
    ]
