"""What somebody who knows the truth of a simulated community would predict: the best that any model can do.

Everything is in the columns of `users.parquet`; nights are counted from a cutoff, which is best a midnight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workbench.simulate.effects import FIRST_NIGHTS
from workbench.simulate.plan import DAY

if TYPE_CHECKING:
    from datetime import datetime

    from workbench.simulate.plan import Array


def gone(users: pa.Table, at: datetime) -> Array:
    """Tell who has left for good by an instant; one row per person, as in the table."""
    return np.asarray(_micros(users["churned_at"]) <= _instant(at))


def leaving(users: pa.Table, since: datetime, *, days: int) -> Array:
    """Return the true probability of leaving for good within so many nights, of who is there at `since`.

    The nights up to the seventh after joining have a hazard of their own.
    """
    joined = (_micros(users["joined_at"]) // DAY) * DAY
    night = (_instant(since) - joined) // DAY  # nights that lie behind, 0 on the day of joining
    early = np.clip(FIRST_NIGHTS - night, 0, days)
    first, daily = (users[name].to_numpy() for name in ("first_nights_hazard", "daily_hazard"))
    return np.asarray(1 - (1 - first) ** early * (1 - daily) ** (days - early))


def silence(users: pa.Table, since: datetime, *, days: int) -> Array:
    """Return the true probability of no event within so many days: gone, or leaving early, or rarely there.

    Visits come at random at each person's own rate; that they thin out in the last days is left aside.
    """
    rate = users["sessions_per_day"].to_numpy()
    still, quiet = np.ones(len(rate)), np.zeros(len(rate))
    before = np.zeros(len(rate))
    for day in range(1, days + 1):
        left = leaving(users, since, days=day)
        quiet += (left - before) * np.exp(-rate * day)
        before, still = left, 1 - left
    chance = quiet + still * np.exp(-rate * days)
    return np.where(gone(users, since), 1.0, chance)


def spending(users: pa.Table, since: datetime, *, days: int) -> Array:
    """Return the true expected USD within so many days, undiscounted, of who has a wallet by then; 0 for others."""
    wallet = users["wallet_connected_at"]
    has = np.asarray(pc.fill_null(pc.less(wallet, pa.scalar(since, wallet.type)), False))
    daily = users["sessions_per_day"].to_numpy() * users["purchases_per_session"].to_numpy()
    present = sum(1 - leaving(users, since, days=day) for day in range(days))
    expected = daily * users["mean_purchase_usd"].to_numpy() * present
    return np.where(has & ~gone(users, since), expected, 0.0)


def _micros(column: pa.ChunkedArray) -> Array:
    return np.asarray(column.cast(pa.int64()).to_numpy())


def _instant(at: datetime) -> int:
    return int(pa.scalar(at, pa.timestamp("us", "UTC")).value)
