"""What customers are likely to spend next, from their purchases alone, with an interval and without any training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
import pandas as pd

from workbench.charts.formats import number
from workbench.charts.spec import Bars, Chart
from workbench.errors import NotEnoughData
from workbench.models.features import features
from workbench.models.purchasing import fit_bg_nbd, fit_gamma_gamma, rfm
from workbench.models.spending import Spending
from workbench.results import Answer, Definition

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from workbench.models.purchasing import BgNbd
    from workbench.store.base import Snapshot

RESAMPLES: Final = 40
GROUPS: Final = 5
_COLUMNS: Final = ["group", "customers", "alive", "expected_purchases", "ltv", "total_usd", "ci_low", "ci_high"]


@dataclass(frozen=True, kw_only=True)
class OutlookDefinition(Definition):
    """What is looked ahead at: purchases before `cutoff`, spending in the `days` after it, discounted."""

    question: ClassVar[str] = "purchase_outlook"
    cutoff: datetime
    days: int
    discount: float
    seed: int


@dataclass(frozen=True, kw_only=True, eq=False)
class PurchaseOutlook(Answer):
    """What customers are likely to spend.

    `frame` has one row per fifth of the customers, those of whom least is expected first: `group`, `customers`,
    `alive` (mean probability of still being one), `expected_purchases`, `ltv` (mean USD, discounted), `total_usd`,
    `ci_low`, `ci_high` (90%, of the total: the models fitted anew to customers drawn again). Empty where there are too
    few customers; `why` says so.
    """

    definition: OutlookDefinition
    why: str = ""
    total: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def chart(self) -> Chart:
        """Draw what each fifth is likely to spend."""
        bars = Bars(
            x=tuple(f"fifth {group}" for group in self.frame["group"]), y=tuple(self.frame["total_usd"]),
            low=tuple(self.frame["ci_low"]), high=tuple(self.frame["ci_high"]),
        )  # fmt: skip
        days = self.definition.days
        return Chart(title=f"Expected in the next {days} days", y_label="USD", y_format="usd", marks=(bars,))

    def reading(self) -> str:
        """Say what is to be expected of all, and how much of it of the best fifth."""
        if self.frame.empty:
            return f"Not enough data for an outlook: {self.why}."
        total, low, high = self.total
        best = self.frame.iloc[-1]
        share = best["total_usd"] / total if total else 0.0
        return (
            f"{int(self.frame['customers'].sum()):,} customers are likely to spend {number(total, 'usd')} in the next "
            f"{self.definition.days} days (90% interval {number(low, 'usd')} to {number(high, 'usd')}); {share:.0%} of "
            f"it comes from the fifth of whom most is expected, {best['ltv']:,.2f} USD each."
        )


def purchase_outlook(
    snapshot: Snapshot, cutoff: datetime, *, days: int, discount: float = 0.0, seed: int = 0
) -> PurchaseOutlook:
    """Fit BG/NBD and Gamma-Gamma to everybody who ever bought, and say what each fifth of them is likely to spend.

    Args:
        snapshot: The events.
        cutoff: Purchases from here on are not looked at.
        days: How far ahead.
        discount: By how much a dollar is worth less a year later.
        seed: Of the customers that are drawn again for the interval.
    """
    definition = OutlookDefinition(cutoff=cutoff, days=days, discount=discount, seed=seed, people=snapshot.people)
    X = features(snapshot, cutoff).X
    X = X[(X["purchase_days"] > 0) & (X["spend_usd"] > 0)]
    told: dict[str, Any] = {"sql": "", "definition": definition, "data_version": snapshot.data_version}
    try:
        found = _expected(X, definition)
        totals = _drawn_again(X, found["group"].to_numpy(), definition)
    except NotEnoughData as error:
        return PurchaseOutlook(frame=pd.DataFrame(columns=_COLUMNS), why=str(error), **told)
    low, high = np.quantile(totals.sum(axis=1), [0.05, 0.95])
    total = (float(found["usd"].sum()), float(low), float(high))
    return PurchaseOutlook(frame=_groups(found, totals), total=total, **told)


def _fitted(customers: pd.DataFrame, asked: OutlookDefinition) -> tuple[BgNbd, Spending]:
    """Learn from customers when they buy, and what they will spend."""
    buying = fit_bg_nbd(*rfm(customers))
    paying = fit_gamma_gamma(customers["purchase_days"], customers["spend_usd"] / customers["purchase_days"])
    return buying, Spending(
        buying=buying,
        paying=paying,
        newcomers_usd=0.0,
        buyers_usd=0.0,
        horizon_days=asked.days,
        discount=asked.discount,
    )


def _expected(X: pd.DataFrame, asked: OutlookDefinition) -> pd.DataFrame:
    """Say what is to be expected of each customer, and in which fifth of them that puts them."""
    buying, spending = _fitted(X, asked)
    known, usd = rfm(X), spending.predict(X).to_numpy()
    frame = pd.DataFrame(
        {"purchases": buying.expected_purchases(asked.days, *known), "usd": usd, "alive": buying.alive(*known)}
    )
    order = frame["usd"].rank(method="first")
    return frame.assign(group=np.ceil(order * GROUPS / len(frame)).astype(int))


def _drawn_again(X: pd.DataFrame, group: NDArray[np.int64], asked: OutlookDefinition) -> NDArray[np.float64]:
    """Return the totals of each fifth, from models fitted to customers drawn again, who are then the customers."""
    rng, totals = np.random.default_rng(asked.seed), []
    for _ in range(RESAMPLES):
        rows = rng.integers(0, len(X), len(X))
        drawn = X.iloc[rows]
        try:
            usd = _fitted(drawn, asked)[1].predict(drawn)
        except NotEnoughData:  # nobody who was drawn bought twice
            continue
        totals.append(np.bincount(group[rows], weights=usd, minlength=GROUPS + 1)[1:])
    if len(totals) < RESAMPLES // 2:
        raise NotEnoughData(f"there are {len(X)} customers, of whom too few bought twice to say how sure that is")
    return np.array(totals)


def _groups(found: pd.DataFrame, totals: NDArray[np.float64]) -> pd.DataFrame:
    grouped = found.groupby("group")
    low, high = np.quantile(totals, [0.05, 0.95], axis=0)
    frame = pd.DataFrame(
        {
            "customers": grouped.size(), "alive": grouped["alive"].mean(),
            "expected_purchases": grouped["purchases"].mean(), "ltv": grouped["usd"].mean(),
            "total_usd": grouped["usd"].sum(),
        }
    ).reset_index()  # fmt: skip
    at = frame["group"].to_numpy() - 1
    return frame.assign(ci_low=low[at], ci_high=high[at])[_COLUMNS]
