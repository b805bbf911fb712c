"""Possible futures of customers: what each of them spends, drawn from Pareto/NBD and Gamma-Gamma with their doubts."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.models.pareto_nbd import ParetoNbd, fit_pareto_nbd
from workbench.models.purchasing import GammaGamma, draw_gamma_gamma

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from workbench.models.customers import Customers

MODELS: Final = 50
FUTURES: Final = 20
"""Of each of the models; fewer where there are very many customers."""

_MOST_DRAWN: Final = 20_000_000
_LEAST: Final = 0.1


@dataclass(frozen=True, eq=False)
class Fitted:
    """Models of when customers buy and what they pay, that fit about equally well.

    Attributes:
        best: The likeliest model of when they buy.
        buying: Models of it.
        paying: Models of what they pay.
    """

    best: ParetoNbd
    buying: list[ParetoNbd]
    paying: list[GammaGamma]

    def expected_usd(self, known: Customers, days: float) -> NDArray[np.float64]:
        """Expect the USD of each customer in so many days, on average over the models."""
        means = [self._usd(buying, paying, known, days) for buying, paying in self._pairs()]
        return np.asarray(np.mean(means, axis=0), dtype="float64")

    def totals(
        self,
        known: Customers,
        days: float,
        group: NDArray[np.int64],
        *,
        seed: int,
        futures: int = FUTURES,
        progress: Callable[[], object] = lambda: None,
    ) -> NDArray[np.float64]:
        """Draw futures: a row per future, a column per group (from 1), the USD of its customers."""
        rng, size = np.random.default_rng(seed), int(group.max())
        often = max(2, min(futures, _MOST_DRAWN // (MODELS * len(known))))
        rows = []
        for buying, paying in self._pairs():
            count = buying.draw(days, known.frequency, known.recency, known.T, futures=often, rng=rng)
            rate = rng.gamma(paying.p * known.days + paying.q, 1 / (paying.v + known.usd), count.shape)
            usd = np.where(count > 0, rng.gamma(np.maximum(paying.p * count, _LEAST)) / rate, 0.0)
            rows += [np.bincount(group, weights=future, minlength=size + 1)[1:] for future in usd]
            progress()
        return np.array(rows)

    def _pairs(self) -> list[tuple[ParetoNbd, GammaGamma]]:
        return list(zip(self.buying, self.paying, strict=True))

    @staticmethod
    def _usd(buying: ParetoNbd, paying: GammaGamma, known: Customers, days: float) -> NDArray[np.float64]:
        value = paying.p * (paying.v + known.usd) / np.maximum(paying.p * known.days + paying.q - 1, _LEAST)
        return buying.expected_purchases(days, known.frequency, known.recency, known.T) * value


def fit(known: Customers, *, seed: int = 0) -> Fitted:
    """Fit both models to customers.

    Raises:
        NotEnoughData: Fewer than 20 customers, or none of them bought on two days.
    """
    best, buying = fit_pareto_nbd(known.frequency, known.recency, known.T, draws=MODELS, seed=seed)
    paying = draw_gamma_gamma(known.days, known.usd / known.days, draws=MODELS, seed=seed)
    return Fitted(best, buying, paying)


def spread(totals: NDArray[np.float64]) -> float:
    """Return the standard deviation of the logarithm of totals, from the middle 90 % of them."""
    low, high = np.quantile(totals, [0.05, 0.95])
    return math.log(max(high, 1e-9) / max(low, 1e-9)) / (2 * 1.644854)
