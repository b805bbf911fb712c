"""Customers by their purchases alone: how often, how lately, for how long, for how much."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from workbench.metrics import queries

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.store.base import Snapshot

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY: Final = 86_400_000_000


@dataclass(frozen=True, eq=False)
class Purchases:
    """All purchases before an instant, one array each, in any order.

    Attributes:
        customer: Number of the customer, from 0.
        at: Microseconds since 1970.
        usd: Value.
        sql: What was asked.
    """

    customer: NDArray[np.int64]
    at: NDArray[np.int64]
    usd: NDArray[np.float64]
    sql: str

    def before(self, cutoff: datetime) -> Customers:
        """Sum up, per customer, what was bought before a cutoff; who never paid more than was refunded is left out."""
        now = _micros(cutoff)
        seen = self.at < now
        age = now - self.at[seen]
        frame = pd.DataFrame(
            {"customer": self.customer[seen], "age": age, "day": (age - 1) // _DAY, "usd": self.usd[seen]}
        )
        grouped = frame.groupby("customer")
        table = pd.DataFrame(
            {
                "days": grouped["day"].nunique(), "first": grouped["age"].max() / _DAY,
                "last": grouped["age"].min() / _DAY, "usd": grouped["usd"].sum(),
            }
        )  # fmt: skip
        table = table[table["usd"] > 0]
        days, T = table["days"].to_numpy(dtype="float64"), table["first"].to_numpy(dtype="float64")
        recency = np.where(days > 1, T - table["last"].to_numpy(dtype="float64"), 0.0)
        return Customers(table.index.to_numpy(), days, recency, T, table["usd"].to_numpy(dtype="float64"))

    def days_before(self, cutoff: datetime) -> float:
        """Return how many days before a cutoff the first purchase was; 0 where there is none."""
        return float(_micros(cutoff) - self.at.min()) / _DAY if len(self.at) else 0.0

    def spent(self, known: Customers, since: datetime, days: float) -> float:
        """Return the USD that some customers spent in so many days from an instant."""
        begin, end = _micros(since), _micros(since + timedelta(days=days))
        rows = (self.at >= begin) & (self.at < end) & np.isin(self.customer, known.number)
        return float(self.usd[rows].sum())


@dataclass(frozen=True, eq=False)
class Customers:
    """Customers at a cutoff, one array each.

    Attributes:
        number: As in `Purchases.customer`.
        days: Days, counted back from the cutoff, with a purchase; at least 1.
        recency: Days from the first purchase to the last; 0 where there was one day.
        T: Days from the first purchase to the cutoff.
        usd: Spent so far, above 0.
    """

    number: NDArray[np.int64]
    days: NDArray[np.float64]
    recency: NDArray[np.float64]
    T: NDArray[np.float64]
    usd: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.number)

    @property
    def frequency(self) -> NDArray[np.float64]:
        """Repeat purchases."""
        return self.days - 1


def purchases(snapshot: Snapshot, until: datetime) -> Purchases:
    """Read every purchase before an instant, part by part; values beyond a million millions are left out."""
    sql = queries.text("purchases", snapshot.engine, room="models")
    parts = [snapshot.query(sql, {"until": until}, part=part).to_pandas() for part in range(snapshot.parts)]
    frame = pd.concat(parts, ignore_index=True).sort_values(["user_id", "at", "value"], kind="stable")
    customer, _ = pd.factorize(frame["user_id"])
    at, usd = frame["at"].to_numpy(dtype="int64"), frame["value"].to_numpy(dtype="float64")
    return Purchases(customer.astype("int64"), at, usd, sql)


def _micros(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(microseconds=1)
