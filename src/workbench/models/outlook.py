"""What customers are likely to spend next, from their purchases alone, with an interval and without any training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
import pandas as pd

from workbench.charts.formats import number
from workbench.charts.spec import Bars, Chart
from workbench.errors import NotEnoughData
from workbench.models.features import features
from workbench.models.purchasing import fit_bg_nbd, fit_gamma_gamma, rfm
from workbench.models.spending import YEAR_DAYS
from workbench.results import Answer, Definition

if TYPE_CHECKING:
    from datetime import datetime

    from workbench.store.base import Snapshot

RESAMPLES: Final = 40
GROUPS: Final = 5


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
    told = {"sql": "", "definition": definition, "data_version": snapshot.data_version}
    try:
        found = _expected(X, X, definition)
        totals = _drawn_again(X, found, definition)
    except NotEnoughData as error:
        return PurchaseOutlook(frame=_groups(found=None, totals=None), why=str(error), **told)  # type: ignore[arg-type]
    whole = totals.sum(axis=1)
    low, high = np.quantile(whole, [0.05, 0.95])
    total = (float(found["usd"].sum()), float(low), float(high))
    return PurchaseOutlook(frame=_groups(found, totals), total=total, **told)  # type: ignore[arg-type]


def _expected(learn: pd.DataFrame, people: pd.DataFrame, asked: OutlookDefinition) -> pd.DataFrame:
    """Learn from some customers, and say of others what is to be expected."""
    buying = fit_bg_nbd(*rfm(learn))
    paying = fit_gamma_gamma(learn["purchase_days"], learn["spend_usd"] / learn["purchase_days"])
    known, bought = rfm(people), people["purchase_days"].to_numpy()
    purchases = buying.expected_purchases(asked.days, *known)
    each = paying.expected_value(bought, people["spend_usd"].to_numpy() / bought)
    worth = (1 + asked.discount) ** (-asked.days / 2 / YEAR_DAYS)  # spread evenly, half lies behind
    frame = pd.DataFrame({"purchases": purchases, "usd": purchases * each * worth, "alive": buying.alive(*known)})
    order = frame["usd"].rank(method="first")
    return frame.assign(group=np.ceil(order * GROUPS / len(frame)).astype(int))


def _drawn_again(X: pd.DataFrame, found: pd.DataFrame, asked: OutlookDefinition) -> np.ndarray:
    """Return the totals of each fifth, from models fitted to customers drawn again, who are then the customers."""
    rng, totals = np.random.default_rng(asked.seed), []
    for _ in range(RESAMPLES):
        rows = rng.integers(0, len(X), len(X))
        try:
            again = _expected(X.iloc[rows], X.iloc[rows], asked)
        except NotEnoughData:  # nobody who was drawn bought twice
            continue
        own = again.assign(group=found["group"].to_numpy()[rows]).groupby("group")["usd"].sum()
        totals.append(own.reindex(range(1, GROUPS + 1), fill_value=0.0))
    if len(totals) < RESAMPLES // 2:
        raise NotEnoughData(f"there are {len(X)} customers, of whom too few bought twice to say how sure that is")
    return np.array(totals)


def _groups(found: pd.DataFrame | None, totals: np.ndarray | None) -> pd.DataFrame:
    columns = ["group", "customers", "alive", "expected_purchases", "ltv", "total_usd", "ci_low", "ci_high"]
    if found is None or totals is None:
        return pd.DataFrame(columns=columns)
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
    return frame.assign(ci_low=low[at], ci_high=high[at])[columns]
