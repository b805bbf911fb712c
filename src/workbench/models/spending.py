"""What BG/NBD and Gamma-Gamma say that people will spend: what the LTV network stands beside, and has to beat."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from itertools import combinations, permutations
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from workbench.errors import ModelError, NotEnoughData
from workbench.models.purchasing import BgNbd, GammaGamma, fit_bg_nbd, fit_gamma_gamma, rfm

if TYPE_CHECKING:
    from workbench.models.examples import Examples

YEAR_DAYS: Final = 365.25
_LEAST_USD: Final = 0.01
"""Less than a cent has no logarithm that says anything."""


@dataclass(frozen=True, kw_only=True)
class Spending:
    """Expected USD over a horizon from purchases alone.

    Attributes:
        buying: When they buy; `None` where too few ever bought twice.
        paying: How much; `None` where too few ever bought.
        newcomers_usd: Mean of who had not bought yet.
        buyers_usd: Mean of who had; used where `buying` or `paying` is missing.
        horizon_days: How far ahead.
        discount: By how much a dollar is worth less a year later.
    """

    buying: BgNbd | None
    paying: GammaGamma | None
    newcomers_usd: float
    buyers_usd: float
    horizon_days: int
    discount: float

    def predict(self, X: pd.DataFrame) -> pd.Series:
        """Return the expected discounted USD of each row, in its order."""
        frequency, recency, T = rfm(X)
        bought = X["purchase_days"].to_numpy()
        usd = np.where(bought > 0, self.buyers_usd, self.newcomers_usd)
        if self.buying is not None and self.paying is not None:
            expected = self.buying.expected_purchases(self.horizon_days, frequency, recency, T)
            mean = X["spend_usd"].to_numpy() / np.maximum(bought, 1)
            worth = (1 + self.discount) ** (-self.horizon_days / 2 / YEAR_DAYS)  # spread evenly, half lies behind
            usd = np.where(bought > 0, expected * self.paying.expected_value(bought, mean) * worth, usd)
        return pd.Series(usd, index=X.index, name="ltv_bg_nbd").clip(lower=0.0)

    @property
    def fitted(self) -> bool:
        """Whether it says more than a mean: enough people bought twice."""
        return self.buying is not None and self.paying is not None

    def contributions(self, X: pd.DataFrame) -> pd.DataFrame:
        """Say what moves each prediction: per feature and `base`; a row adds up to the logarithm of the USD.

        Shapley values over how often, how much and when somebody bought, from what is expected of who never did. When
        is shared between the first and the last purchase.
        """
        parts = (("purchase_days",), ("spend_usd",), ("days_since_first_purchase", "days_since_purchase"))
        none = X.assign(purchase_days=0.0, spend_usd=0.0, days_since_first_purchase=np.nan, days_since_purchase=np.nan)
        with_parts = {
            chosen: np.log(
                self.predict(none.assign(**{n: X[n] for at in chosen for n in parts[at]})).clip(lower=_LEAST_USD)
            )
            for size in range(len(parts) + 1)
            for chosen in combinations(range(len(parts)), size)
        }
        moved = pd.DataFrame(0.0, index=X.index, columns=[*X.columns, "base"])
        moved["base"] = with_parts[()]
        orders = list(permutations(range(len(parts))))
        for order in orders:
            for place, part in enumerate(order):
                before, after = (tuple(sorted(order[:end])) for end in (place, place + 1))
                gain = (with_parts[after] - with_parts[before]) / len(orders) / len(parts[part])
                for name in parts[part]:
                    moved[name] += gain
        return moved

    def to_json(self) -> bytes:
        """Return it as JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, content: bytes) -> Spending:
        """Rebuild it.

        Raises:
            ModelError: The bytes hold something else.
        """
        try:
            fields = json.loads(content)
            fields["buying"] = fields["buying"] and BgNbd(**fields["buying"])
            fields["paying"] = fields["paying"] and GammaGamma(**fields["paying"])
            return cls(**fields)
        except (ValueError, TypeError, KeyError) as error:
            raise ModelError(f"the purchase model cannot be read: {error}") from error


def fit_spending(known: Examples, *, horizon_days: int, discount: float) -> Spending:
    """Fit it on everybody who ever bought, active or not, and on what those who had not bought spent afterwards."""
    bought = known.X["purchase_days"] > 0
    means = [float(known.value_usd[rows].mean()) if rows.any() else 0.0 for rows in (~bought, bought)]
    # A person counts once, at the latest cutoff: these models want each customer's whole history.
    latest = known.buyers[~known.buyers.index.duplicated(keep="last")]
    paid = latest[latest["spend_usd"] > 0]
    try:
        buying = fit_bg_nbd(*rfm(latest))
        paying = fit_gamma_gamma(paid["purchase_days"], paid["spend_usd"] / paid["purchase_days"])
    except NotEnoughData:  # too few buyers for their own rates: the mean is what is left to say
        buying, paying = None, None
    return Spending(
        buying=buying,
        paying=paying,
        newcomers_usd=means[0],
        buyers_usd=means[1],
        horizon_days=horizon_days,
        discount=discount,
    )
