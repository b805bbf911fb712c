"""What customers are likely to spend next, from their purchases alone, with an interval and without any training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
import pandas as pd

from workbench.charts.formats import number
from workbench.charts.spec import Bars, Chart
from workbench.errors import NotEnoughData
from workbench.models.customers import purchases
from workbench.models.purchase_draws import MODELS, fit, spread
from workbench.models.spending import YEAR_DAYS
from workbench.results import Answer, Definition

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from numpy.typing import NDArray

    from workbench.models.customers import Purchases
    from workbench.store.base import Snapshot

ORIGINS: Final = 3
"""Earlier cutoffs at which the method is tried, so that it is corrected by how far off it was."""

SHORTEST_BACKTEST: Final = 14
USUAL_ERROR: Final = (-0.05, 0.04)
"""Mean and standard deviation, over communities, of the logarithm of what was spent as a share of what was expected,
before it is known how this one went: measured by `python -m bench outlook`."""

_MOST_OFF: Final = 1.0
_TRIED: Final = 6
"""Futures per model at earlier cutoffs, where only their spread is looked at."""

GROUPS: Final = 5
_TESTED: Final = ["cutoff", "days", "expected_usd", "actual_usd"]
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
    `ci_low`, `ci_high` (90%, of the total: of futures drawn from models that fit about equally well). Empty where there
    are too few customers; `why` says so.

    Attributes:
        why: Why there is no outlook.
        total: USD of all customers, with its 90% interval.
        backtest: How far off the method was at earlier cutoffs, with all that was known then: `cutoff`, `days`,
            `expected_usd`, `actual_usd`. No rows where the history is too short to hold any back.
        correction: Factor that the expectations were multiplied by for it.
    """

    definition: OutlookDefinition
    why: str = ""
    total: tuple[float, float, float] = (0.0, 0.0, 0.0)
    backtest: pd.DataFrame
    correction: float = 1.0

    def chart(self) -> Chart:
        """Draw what each fifth is likely to spend."""
        bars = Bars(
            x=tuple(f"fifth {group}" for group in self.frame["group"]), y=tuple(self.frame["total_usd"]),
            low=tuple(self.frame["ci_low"]), high=tuple(self.frame["ci_high"]),
        )  # fmt: skip
        days = self.definition.days
        return Chart(
            title=f"LTV, next {days} days, by fifths of the customers", y_label="USD", y_format="usd", marks=(bars,)
        )

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
            f"it comes from the fifth of whom most is expected, {best['ltv']:,.2f} USD each.{self._tried()}"
        )

    def _tried(self) -> str:
        if self.backtest.empty:
            return " The history is too short to try this on the past."
        off = self.backtest["expected_usd"].sum() / max(self.backtest["actual_usd"].sum(), 0.01) - 1
        often = f"{len(self.backtest)} earlier date" + ("s" if len(self.backtest) > 1 else "")
        return (
            f" Tried at {often}, it came out {abs(off):.0%} too {'high' if off > 0 else 'low'} in sum, and was "
            f"multiplied by {self.correction:.2f}."
        )


def purchase_outlook(
    snapshot: Snapshot,
    cutoff: datetime,
    *,
    days: int,
    discount: float = 0.0,
    seed: int = 0,
    progress: Callable[..., Any] | None = None,
) -> PurchaseOutlook:
    """Expect what everybody who ever bought will spend, from their purchases alone, by fifths.

    Pareto/NBD says when they buy and how long they stay, Gamma-Gamma what they pay. Both are tried at earlier cutoffs,
    and corrected by how far off they were. Who has not bought yet is not counted.

    Args:
        snapshot: The events.
        cutoff: Purchases from here on are not looked at.
        days: How far ahead.
        discount: By how much a dollar is worth less a year later.
        seed: Of the futures that are drawn for the interval.
        progress: A bar such as `tqdm.auto.tqdm`; none if not given.
    """
    definition = OutlookDefinition(cutoff=cutoff, days=days, discount=discount, seed=seed, people=snapshot.people)
    bought = purchases(snapshot, cutoff)
    facts: dict[str, Any] = {"sql": bought.sql, "definition": definition, "data_version": snapshot.data_version}
    untested = pd.DataFrame(columns=_TESTED)
    known = bought.before(cutoff)
    origins = _origins(bought, cutoff, days)
    try:
        with _Bar(progress, (len(origins) + 1) * MODELS) as bar:
            fitted = fit(known, seed=seed)
            tested, errors = _backtest(bought, origins, seed=seed, step=bar.step)
            usd, group = _by_fifth(fitted.expected_usd(known, days))
            drawn = fitted.totals(known, days, group, seed=seed, progress=bar.step)
    except NotEnoughData as error:
        return PurchaseOutlook(frame=pd.DataFrame(columns=_COLUMNS), why=str(error), backtest=untested, **facts)
    off, doubt = _correction(errors)
    worth = math.exp(off) * (1 + discount) ** (-days / 2 / YEAR_DAYS)  # spread evenly, half lies behind
    doubts = np.exp(np.random.default_rng(seed).normal(0.0, doubt, (len(drawn), 1)))
    frame = pd.DataFrame(
        {
            "group": group,
            "alive": fitted.best.alive(known.frequency, known.recency, known.T),
            "purchases": fitted.best.expected_purchases(days, known.frequency, known.recency, known.T) * math.exp(off),
            "usd": usd * worth,
        }
    )
    totals = drawn * doubts * worth
    total = float(frame["usd"].sum())
    low, high = _interval(totals.sum(axis=1))
    return PurchaseOutlook(
        frame=_groups(frame, totals),
        total=(total, min(float(low), total), max(float(high), total)),
        backtest=tested,
        correction=math.exp(off),
        **facts,
    )


class _Bar:
    """A progress bar, or none."""

    def __init__(self, progress: Callable[..., Any] | None, steps: int) -> None:
        self.bar = None if progress is None else progress(total=steps, desc="purchase outlook", leave=False)

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def step(self) -> None:
        if self.bar is not None:
            self.bar.update()


def _origins(bought: Purchases, cutoff: datetime, days: int) -> list[tuple[datetime, int]]:
    """Lay out the earlier cutoffs, newest first, and how far ahead each looks; half of the history comes before all."""
    history = bought.days_before(cutoff)
    ahead = min(days, int(history / 2))
    if ahead < SHORTEST_BACKTEST:
        return []
    often = min(ORIGINS, int(history / 2 / ahead))
    return [(cutoff - timedelta(days=ahead * (number + 1)), ahead) for number in range(often)]


def _backtest(
    bought: Purchases, origins: list[tuple[datetime, int]], *, seed: int, step: Callable[[], object]
) -> tuple[pd.DataFrame, list[tuple[float, float]]]:
    """Try the method at earlier cutoffs: the rows of it, and per cutoff the error as a logarithm and its own spread."""
    rows, errors = [], []
    for origin, ahead in origins:
        known = bought.before(origin)
        try:
            fitted = fit(known, seed=seed)
        except NotEnoughData:  # so early that few had bought: nothing to learn from
            continue
        expected = float(fitted.expected_usd(known, ahead).sum())
        all_of_them = np.ones(len(known), dtype=np.int64)
        drawn = fitted.totals(known, ahead, all_of_them, seed=seed, futures=_TRIED, progress=step)
        actual = bought.spent(known, origin, ahead)
        error = math.log(max(actual, expected * math.exp(-_MOST_OFF)) / expected)
        rows.append((origin, ahead, expected, actual))
        errors.append((min(error, _MOST_OFF), spread(drawn[:, 0])))
    return pd.DataFrame(rows, columns=_TESTED), errors


def _correction(errors: list[tuple[float, float]]) -> tuple[float, float]:
    """Weigh what is usual with how this community went: the logarithm of a factor, and its standard deviation."""
    mean, usual = USUAL_ERROR
    weights = [1 / usual**2, *(1 / spread**2 for _, spread in errors if spread > 0)]
    values = [mean, *(error for error, spread in errors if spread > 0)]
    return float(np.average(values, weights=weights)), float(sum(weights) ** -0.5)


def _by_fifth(usd: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    order = pd.Series(usd).rank(method="first").to_numpy()
    return usd, np.ceil(order * GROUPS / len(usd)).astype(np.int64)


def _interval(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.quantile(totals, [0.05, 0.95], axis=0)


def _groups(found: pd.DataFrame, totals: NDArray[np.float64]) -> pd.DataFrame:
    grouped = found.groupby("group")
    low, high = _interval(totals)
    frame = pd.DataFrame(
        {
            "customers": grouped.size(), "alive": grouped["alive"].mean(),
            "expected_purchases": grouped["purchases"].mean(), "ltv": grouped["usd"].mean(),
            "total_usd": grouped["usd"].sum(),
        }
    ).reset_index()  # fmt: skip
    at = frame["group"].to_numpy() - 1
    total = frame["total_usd"].to_numpy()
    ends = {"ci_low": np.minimum(low[at], total), "ci_high": np.maximum(high[at], total)}
    return frame.assign(**ends)[_COLUMNS]
