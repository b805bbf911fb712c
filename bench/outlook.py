"""How far the purchase outlook can be trusted: its 90-day interval against what simulated communities came to spend.

Each community is cut 90 days before its end. The outlook sees what came before; what its customers spent after it is
the truth. At most 10 seconds an outlook, and 85 to 95 of 100 intervals have to hold.
"""

from __future__ import annotations

import argparse
import time
from datetime import timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from tqdm.auto import tqdm

import workbench as wb
from workbench.simulate import community
from workbench.simulate.plan import DEFAULT_UNTIL

DAYS_AHEAD = 90
COVERED = (0.85, 0.95)
MOST_SECONDS = 10.0


def main(arguments: list[str]) -> int:
    """Print coverage, mean ratio and seconds; 1 if coverage or the longest time is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench outlook", description=__doc__)
    parser.add_argument("--communities", type=int, default=100, help="how many, each of the next seed")
    parser.add_argument("--seed", type=int, default=1, help="of the first one")
    parser.add_argument("--users", type=int, default=2_000, help="people of each")
    parser.add_argument("--days", type=int, default=210, help="days of each, the 90 that are held back included")
    chosen = parser.parse_args(arguments)
    seeds = tqdm(range(chosen.seed, chosen.seed + chosen.communities), desc="communities", disable=None)
    rows = np.array([outlook(seed, users=chosen.users, days=chosen.days) for seed in seeds])
    ratio, low, high, seconds = rows.T
    held = (low <= 1) & (high >= 1)
    print(
        f"outlook: {held.sum()} of {len(held)} 90% intervals of {DAYS_AHEAD} days held ({(low > 1).sum()} too high, "
        f"{(high < 1).sum()} too low); expected / spent: mean {ratio.mean():.2f}, median {np.median(ratio):.2f}; "
        f"mean width {np.mean(high - low):.2f}; {seconds.mean():.1f} s each, at most {seconds.max():.1f} s"
    )
    return int(not COVERED[0] <= held.mean() <= COVERED[1] or seconds.max() > MOST_SECONDS)


def outlook(seed: int, *, users: int, days: int) -> tuple[float, float, float, float]:
    """Return total, low and high as shares of what the customers came to spend, and the seconds that it took."""
    cutoff = pd.Timestamp(DEFAULT_UNTIL, tz="UTC") - timedelta(days=DAYS_AHEAD)
    bought = purchases_of(seed, users=users, days=days)
    bench = wb.from_frame(bought.to_pandas(), user="user_id", event="event_type", time="occurred_at")
    start = time.perf_counter()
    found = bench.purchase_outlook(until=cutoff.to_pydatetime(), days=DAYS_AHEAD)
    seconds = time.perf_counter() - start
    table = bought.to_pandas()
    after = table["occurred_at"] >= cutoff
    customers = set(table.loc[~after, "user_id"])
    spent = table.loc[after & table["user_id"].isin(customers), "value"].sum()
    total, low, high = found.total
    return total / spent, low / spent, high / spent, seconds


def purchases_of(seed: int, *, users: int, days: int) -> pa.Table:
    """Simulate a community, and keep each purchase once: nothing else matters to the outlook."""
    parts = [
        part.filter(pc.equal(pc.cast(part["event_type"], pa.string()), "purchase"))
        for part in community(users=users, days=days, seed=seed)
    ]
    names = ["event_id", "user_id", "event_type", "occurred_at", "value"]
    table = pa.concat_tables(parts).select(names)
    table = table.set_column(2, "event_type", pc.cast(table["event_type"], pa.string()))
    return pa.Table.from_pandas(table.to_pandas().drop_duplicates("event_id"), preserve_index=False)
