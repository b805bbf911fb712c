"""Wallets and purchases: some connect a wallet after a raid, and buy in later sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from workbench.simulate import effects
from workbench.simulate.columns import Rows, chosen, objects
from workbench.simulate.people import NEVER
from workbench.simulate.plan import MINUTE, SECOND

if TYPE_CHECKING:
    from workbench.simulate.people import People
    from workbench.simulate.plan import Array, Plan
    from workbench.simulate.raids import Raids
    from workbench.simulate.visits import Visits

CHAINS: Final = ("ethereum", "solana", "polygon")
ITEMS: Final = ("badge", "boost", "pass", "collectible")
SPREAD: Final = 0.5
"""Standard deviation of the logarithm of what one person pays from purchase to purchase."""


class Wallets:
    """Who has connected a wallet, when, and on which chain: the one thing that grows from day to day.

    Attributes:
        connected_at: Instant per person, `NEVER` for those without.
    """

    def __init__(self, plan: Plan) -> None:
        self.connected_at = np.full(plan.users, NEVER)
        self._chain = plan.rng("chains").choice(len(CHAINS), plan.users, p=[0.45, 0.4, 0.15])

    def connect(self, plan: Plan, day: int, crowd: People, called: Raids, session: Array) -> Rows:
        """Let participants of the day's raids connect one, in the minute after a raid; `session` is that of each."""
        rng = plan.rng("wallets", day)
        willing = effects.probability(effects.logit(effects.WALLET, activity=crowd.activity[called.member]))
        at = called.end[called.member_raid] + rng.integers(SECOND, MINUTE, len(called.member))
        new = self.connected_at[called.member] == NEVER
        rows = np.flatnonzero(new & (rng.random(len(at)) < willing) & ~plan.in_outage(at))
        rows = rows[np.argsort(at[rows], kind="stable")]
        rows = rows[np.unique(called.member[rows], return_index=True)[1]]
        user, platform = called.member[rows], called.platform[called.member_raid[rows]]
        self.connected_at[user] = at[rows]
        return Rows(
            "wallet_connected", user, at[rows], platform, objects(chain=self._chains(user)), session=session[rows]
        )

    def purchases(self, plan: Plan, day: int, crowd: People, seen: Visits) -> Rows:
        """Sell things in the sessions that began after the wallet was connected."""
        rng = plan.rng("purchases", day)
        rate = np.where(seen.at > self.connected_at[seen.user], crowd.purchases_per_session[seen.user], 0.0)
        visit = np.repeat(np.arange(len(seen)), rng.poisson(rate))
        user = seen.user[visit]
        paid = crowd.mean_purchase_usd[user] * rng.lognormal(-(SPREAD**2) / 2, SPREAD, len(user))
        properties = objects(chain=self._chains(user), item=chosen(rng, ITEMS, len(user), p=[0.4, 0.3, 0.2, 0.1]))
        return Rows(
            "purchase",
            user,
            seen.moments(rng, visit),
            seen.platform[visit],
            properties,
            session=seen.number[visit],
            value=np.round(paid, 2),
        )

    def _chains(self, user: Array) -> pa.Array:
        return pa.array(CHAINS).take(pa.array(self._chain[user]))
