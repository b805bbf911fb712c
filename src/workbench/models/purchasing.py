"""Buy till you die: how often a customer will buy, and for how much, from three numbers of the past.

* BG/NBD: Fader, Hardie, Lee (2005), "Counting your customers the easy way", Marketing Science 24(2). While alive,
  people buy at random at a rate of their own; after each purchase they leave for good with a probability of their own.
* Gamma-Gamma: Fader, Hardie (2013), "The Gamma-Gamma model of monetary value", after Colombo and Jiang (1999). What a
  person pays varies around a mean of their own, which does not depend on how often they buy.

Both are fitted here by maximum likelihood, and agree with what the papers print for the CDNOW sample (2,357 customers,
39 weeks to calibrate, in weeks): r = 0.243, alpha = 4.414, a = 0.793, b = 2.426, log-likelihood -9,582.4; and
p = 6.25, q = 3.74, v = 15.44 for the value of its 946 repeat buyers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.optimize import minimize
from scipy.special import betaln, gammaln, hyp2f1

from workbench.errors import InvalidArgument, NotEnoughData
from workbench.models.laplace import laplace

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

MIN_BUYERS: Final = 20
MOST_FITTED: Final = 5_000
GAMMA_GAMMA_PRIOR: Final = ((1.0, 3.0), (1.0, 1.0), (0.0, 3.0))
"""Of the logarithms of p, q and v (v in units of the mean value): only how much means differ is held, as few customers
could be of a kind of which one day somebody pays without bounds."""

_LARGEST: Final = 12.0
"""Of the logarithm of a parameter: beyond it nothing changes but the time that it takes."""


@dataclass(frozen=True, kw_only=True)
class BgNbd:
    """A fitted BG/NBD model; times are in the unit of the fit.

    Attributes:
        r: Shape of the gamma distribution of buying rates.
        alpha: Its rate.
        a: First parameter of the beta distribution of leaving after a purchase.
        b: Second parameter of it.
        log_likelihood: Of the customers fitted on.
        n: How many they were.
    """

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float
    n: int

    def expected_purchases(
        self, t: float, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike
    ) -> NDArray[np.float64]:
        """Expect how many purchases each customer makes within `t` from now (equation 10 of the paper).

        Args:
            t: How long, at least 0.
            frequency: Repeat purchases so far.
            recency: Time from the first purchase to the last.
            T: Time from the first purchase to now.
        """
        x, t_x, age = (np.asarray(values, dtype="float64") for values in (frequency, recency, T))
        r, alpha, a, b = self.r, self.alpha, self.a, self.b
        z = t / (alpha + age + t)
        series = hyp2f1(r + x, b + x, a + b + x - 1, z)
        grown = 1 - ((alpha + age) / (alpha + age + t)) ** (r + x) * series
        left = np.where(x > 0, a / (b + np.maximum(x, 1) - 1) * ((alpha + age) / (alpha + t_x)) ** (r + x), 0.0)
        expected: NDArray[np.float64] = (a + b + x - 1) / (a - 1) * grown / (1 + left)
        return expected

    def alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> NDArray[np.float64]:
        """Return the probability that each customer may buy again."""
        x, t_x, age = (np.asarray(values, dtype="float64") for values in (frequency, recency, T))
        gone = self.a / (self.b + np.maximum(x, 1) - 1) * ((self.alpha + age) / (self.alpha + t_x)) ** (self.r + x)
        return np.where(x > 0, 1 / (1 + gone), 1.0)


@dataclass(frozen=True, kw_only=True)
class GammaGamma:
    """A fitted Gamma-Gamma model of the value of a purchase.

    Attributes:
        p: Shape of the gamma distribution of single values.
        q: Shape of the one of its rate over customers.
        v: Rate of that.
        correlation: Of frequency and mean value among those fitted on: far from 0, the model does not apply.
        log_likelihood: Of them.
        n: How many they were.
    """

    p: float
    q: float
    v: float
    correlation: float
    log_likelihood: float
    n: int

    def expected_value(self, frequency: ArrayLike, monetary_value: ArrayLike) -> NDArray[np.float64]:
        """Expect what a purchase of each customer is worth: between their own mean and that of all."""
        x, mean = (np.asarray(values, dtype="float64") for values in (frequency, monetary_value))
        own: NDArray[np.float64] = self.p * (self.v + x * mean) / (self.p * x + self.q - 1)
        return own


def fit_bg_nbd(frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> BgNbd:
    """Fit a BG/NBD model by maximum likelihood.

    Args:
        frequency: Repeat purchases of each customer (the first one is not counted), at least 0.
        recency: Time from the first purchase to the last; 0 where there is no repeat.
        T: Time from the first purchase to the end of what was seen, at least `recency`.

    Raises:
        InvalidArgument: Numbers that cannot be, or not as many of each.
        NotEnoughData: Fewer than 20 customers, or none of them bought again.

    The parameters of the CDNOW sample are in the docstring of this module.
    """
    x, t_x, age = customers(frequency, recency, T)
    (x, t_x, age), times = np.unique(np.stack([x, t_x, age]), axis=1, return_counts=True)
    scale = float(np.average(age, weights=times)) / 10
    t_x, age = t_x / scale, age / scale

    def loss(logs: NDArray[np.float64]) -> float:
        r, alpha, a, b = np.exp(logs)
        start = gammaln(r + x) - gammaln(r) + r * math.log(alpha) + betaln(a, b + x) - betaln(a, b)
        stays = -(r + x) * np.log(alpha + age)
        goes = math.log(a) - np.log(b + np.maximum(x, 1) - 1) - (r + x) * np.log(alpha + t_x)
        return -float(times @ (start + np.logaddexp(stays, np.where(x > 0, goes, -np.inf)))) / float(times.sum())

    r, alpha, a, b = _smallest(loss, 4)
    # Time was divided by `scale`, which the likelihood sees once per repeat purchase.
    likelihood = -loss(np.log([r, alpha, a, b])) * float(times.sum()) - float(times @ x) * math.log(scale)
    return BgNbd(r=r, alpha=alpha * scale, a=a, b=b, log_likelihood=likelihood, n=int(times.sum()))


def fit_gamma_gamma(frequency: ArrayLike, monetary_value: ArrayLike) -> GammaGamma:
    """Fit a Gamma-Gamma model by maximum likelihood.

    Args:
        frequency: Purchases of each customer that the mean is of, at least 1.
        monetary_value: Mean value of them, above 0.

    Raises:
        InvalidArgument: Numbers that cannot be, or not as many of each.
        NotEnoughData: Fewer than 20 customers.

    The parameters of the CDNOW sample are in the docstring of this module.
    """
    x, mean = _values(frequency, monetary_value)
    scale = float(mean.mean())
    loss = _gamma_gamma_loss(x, mean / scale)
    p, q, v = _smallest(lambda logs: loss(logs) / len(x), 3)
    varied = len(np.unique(x)) > 1 and len(np.unique(mean)) > 1
    correlation = float(np.corrcoef(x, mean)[0, 1]) if varied else 0.0
    likelihood = -(loss(np.log([p, q, v])) + len(x) * math.log(scale))
    return GammaGamma(p=p, q=q, v=v * scale, correlation=correlation, log_likelihood=likelihood, n=len(x))


def draw_gamma_gamma(frequency: ArrayLike, monetary_value: ArrayLike, *, draws: int, seed: int = 0) -> list[GammaGamma]:
    """Draw Gamma-Gamma models that fit about as well as the likeliest; arguments and errors as `fit_gamma_gamma`."""
    x, mean = _values(frequency, monetary_value)
    scale, rng = float(mean.mean()), np.random.default_rng(seed)
    if len(x) > MOST_FITTED:
        some = rng.choice(len(x), MOST_FITTED, replace=False)
        x, mean = x[some], mean[some]
    mode, cov = laplace(_gamma_gamma_loss(x, mean / scale), GAMMA_GAMMA_PRIOR)
    models = np.exp(rng.multivariate_normal(mode, cov, draws))
    return [
        GammaGamma(p=float(p), q=float(q), v=float(v) * scale, correlation=math.nan, log_likelihood=math.nan, n=len(x))
        for p, q, v in models
    ]


def _values(frequency: ArrayLike, monetary_value: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, mean = (np.asarray(values, dtype="float64").ravel() for values in (frequency, monetary_value))
    if len(x) != len(mean) or not ((x >= 1) & (mean > 0) & np.isfinite(x * mean)).all():
        raise InvalidArgument("each customer has a frequency of at least 1 and a finite monetary_value above 0")
    if len(x) < MIN_BUYERS:
        raise NotEnoughData(f"there are {len(x)} customers who bought; at least {MIN_BUYERS} are needed")
    return x, mean


def _gamma_gamma_loss(x: NDArray[np.float64], size: NDArray[np.float64]) -> Callable[[NDArray[np.float64]], float]:
    """Return the negative log-likelihood of mean values, in units of their mean, by the logarithms of p, q and v."""

    def loss(logs: NDArray[np.float64]) -> float:
        p, q, v = np.exp(logs)
        total = (
            gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * math.log(v)
            + (p * x - 1) * np.log(size) + p * x * np.log(x) - (p * x + q) * np.log(x * size + v)
        )  # fmt: skip
        return -float(total.sum())

    return loss


def rfm(X: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Read `frequency` (repeat days with a purchase), `recency`, `T` (days) from features; 0 for who never bought."""
    bought = X["purchase_days"].to_numpy()
    T = np.nan_to_num(X["days_since_first_purchase"].to_numpy())
    recency = T - np.nan_to_num(X["days_since_purchase"].to_numpy())
    repeats = np.maximum(bought - 1, 0.0)
    return repeats, np.where(repeats > 0, recency, 0.0), T


def customers(
    frequency: ArrayLike, recency: ArrayLike, T: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the numbers of customers as arrays, once they are checked.

    Raises:
        InvalidArgument: Numbers that cannot be, or not as many of each.
        NotEnoughData: Fewer than 20 customers, or none of them bought again.
    """
    x, t_x, age = (np.asarray(values, dtype="float64").ravel() for values in (frequency, recency, T))
    if not len(x) == len(t_x) == len(age):
        raise InvalidArgument(f"frequency, recency and T are of {len(x)}, {len(t_x)} and {len(age)} customers")
    if len(x) < MIN_BUYERS:
        raise NotEnoughData(f"there are {len(x)} customers; at least {MIN_BUYERS} are needed")
    if not (np.isfinite(age).all() and (x >= 0).all() and (t_x >= 0).all() and (age >= t_x).all() and age.max() > 0):
        raise InvalidArgument("each customer has frequency >= 0 and finite 0 <= recency <= T, and T is not 0 for all")
    if not x.any():
        raise NotEnoughData(f"none of the {len(x)} customers bought again: there is no rate to learn")
    return x, t_x, age


def _smallest(loss: Callable[[NDArray[np.float64]], float], size: int) -> list[float]:
    """Minimise over positive parameters, given as logarithms: quasi-Newton from two starts, and polished."""
    bounds = [(-_LARGEST, _LARGEST)] * size
    tight = {"ftol": 1e-14, "gtol": 1e-9, "maxiter": 500}
    starts = (np.zeros(size), np.linspace(-1.0, 1.0, size))
    found = [minimize(loss, start, method="L-BFGS-B", bounds=bounds, options=tight) for start in starts]
    best = min(found, key=lambda each: float(each.fun))
    fine = {"xatol": 1e-6, "fatol": 1e-12, "maxiter": 400}
    polished = minimize(loss, best.x, method="Nelder-Mead", bounds=bounds, options=fine)
    return [float(value) for value in np.exp(polished.x if polished.fun <= best.fun else best.x)]
