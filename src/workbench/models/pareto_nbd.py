"""Pareto/NBD: how often customers buy who leave unseen at a time of their own.

Schmittlein, Morrison, Colombo (1987), "Counting your customers: who are they and what will they do next?", Management
Science 33(1). While alive, customers buy at random at a rate of their own; lifetimes are exponential with a rate of
their own. BG/NBD lets customers leave only right after a purchase, so that whoever bought once is alive for certain and
whoever buys much seems loyal: in communities that people leave at any time it promises too much.

The likelihood is an integral over the time of leaving, which quadrature gives without hypergeometric functions: it
neither overflows nor loses digits, however often somebody bought.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import gammaln

from workbench.errors import NotEnoughData
from workbench.models.laplace import laplace
from workbench.models.purchasing import customers

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MOST_CUSTOMERS: Final = 5_000
"""Most customers fitted on, drawn by a seed: more say hardly more about four parameters."""

PRIOR: Final = ((0.0, 3.0), (2.0, 3.0), (0.0, 0.5), (3.0, 1.5))
"""Mean and standard deviation of the logarithms of r, alpha, s and beta, in tenths of the mean age of the customers.

Rates are left to the data. Lifetimes are held near an exponential mixture of the length of what was seen, for short
histories cannot tell a few who leave at once from all who leave slowly."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
_AT, _SHARE = (_NODES + 1) / 2, _WEIGHTS / 2
_NEAR_ONE: Final = 1e-6


@dataclass(frozen=True, kw_only=True)
class ParetoNbd:
    """A fitted Pareto/NBD model; times are in the unit of the fit.

    Attributes:
        r: Shape of the gamma distribution of buying rates.
        alpha: Its rate.
        s: Shape of the gamma distribution of leaving rates.
        beta: Its rate.
    """

    r: float
    alpha: float
    s: float
    beta: float

    def alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> NDArray[np.float64]:
        """Return the probability that each customer is still one."""
        x, t_x, age = (np.asarray(values, dtype="float64") for values in (frequency, recency, T))
        gone, stays = _terms(np.log([self.r, self.alpha, self.s, self.beta]), x, t_x, age)
        with np.errstate(over="ignore"):
            return np.asarray(1 / (1 + np.exp(gone - stays)))

    def expected_purchases(
        self, t: float, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike
    ) -> NDArray[np.float64]:
        """Expect how many purchases each customer makes within `t` from now."""
        x, t_x, age = (np.asarray(values, dtype="float64") for values in (frequency, recency, T))
        return self.alive(x, t_x, age) * (self.r + x) / (self.alpha + age) * self.expected_life(t, age)

    def expected_life(self, t: float, T: ArrayLike) -> NDArray[np.float64]:
        """Expect how much of the next `t` a customer of age `T` who is alive will live."""
        reach = self.beta + np.asarray(T, dtype="float64")
        shrunk = np.log(reach / (reach + t))
        if abs(self.s - 1) < _NEAR_ONE:
            return np.asarray(-reach * shrunk)
        return np.asarray(reach / (self.s - 1) * -np.expm1((self.s - 1) * shrunk))

    def draw(
        self,
        t: float,
        frequency: ArrayLike,
        recency: ArrayLike,
        T: ArrayLike,
        *,
        futures: int,
        rng: np.random.Generator,
    ) -> NDArray[np.int64]:
        """Draw how many purchases each customer makes within `t` from now: a row per future."""
        x, t_x, age = (np.asarray(values, dtype="float64") for values in (frequency, recency, T))
        shape = (futures, len(x))
        alive = rng.random(shape) < self.alive(x, t_x, age)
        rate = rng.gamma(self.r + x, 1 / (self.alpha + age), shape)
        with np.errstate(over="ignore"):
            life = (self.beta + age) * np.expm1(rng.exponential(1 / self.s, shape))
        return np.asarray(rng.poisson(np.where(alive, rate * np.minimum(life, t), 0.0)))


def fit_pareto_nbd(
    frequency: ArrayLike,
    recency: ArrayLike,
    T: ArrayLike,
    *,
    draws: int = 0,
    prior: tuple[tuple[float, float], ...] = PRIOR,
    seed: int = 0,
) -> tuple[ParetoNbd, list[ParetoNbd]]:
    """Fit a Pareto/NBD model by penalised maximum likelihood.

    Args:
        frequency: Repeat purchases of each customer, at least 0.
        recency: Time from the first purchase to the last; 0 where there is no repeat.
        T: Time from the first purchase to the end of what was seen, at least `recency`.
        draws: How many other models to draw that fit about as well.
        prior: See `PRIOR`.
        seed: Of the draws, and of the customers where there are more than 5,000.

    Returns:
        The likeliest model, and the models drawn.

    Raises:
        InvalidArgument: Numbers that cannot be, or not as many of each.
        NotEnoughData: Fewer than 20 customers, or none of them bought again.
    """
    x, t_x, age = customers(frequency, recency, T)
    rng = np.random.default_rng(seed)
    if len(x) > MOST_CUSTOMERS:
        some = rng.choice(len(x), MOST_CUSTOMERS, replace=False)
        x, t_x, age = x[some], t_x[some], age[some]
    unit = float(age.mean()) / 10
    (x, t_x, age), times = np.unique(np.stack([x, t_x / unit, age / unit]), axis=1, return_counts=True)

    def loss(logs: NDArray[np.float64]) -> float:
        gone, stays = _terms(logs, x, t_x, age)
        r, alpha = np.exp(logs[:2])
        start = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        return -float(times @ (start + np.logaddexp(gone, stays)))

    mode, cov = laplace(loss, prior)
    if not np.isfinite(mode).all() or not np.isfinite(cov).all():
        raise NotEnoughData(f"the purchases of {times.sum()} customers fit no model of buying and leaving")
    drawn = rng.multivariate_normal(mode, cov, draws) if draws else np.empty((0, 4))
    return _model(mode, unit), [_model(logs, unit) for logs in drawn]


def _model(logs: NDArray[np.float64], unit: float) -> ParetoNbd:
    r, alpha, s, beta = (float(value) for value in np.exp(logs))
    return ParetoNbd(r=r, alpha=alpha * unit, s=s, beta=beta * unit)


def _terms(
    logs: NDArray[np.float64], x: NDArray[np.float64], t_x: NDArray[np.float64], age: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the logarithms of what leaving between the last purchase and now adds to the likelihood, and staying."""
    (r, alpha, s, beta), (_, _, log_s, log_beta) = np.exp(logs), logs
    left = t_x[:, None] + (age - t_x)[:, None] * _AT
    density = log_s + s * log_beta - (s + 1) * np.log(beta + left) - (r + x)[:, None] * np.log(alpha + left)
    with np.errstate(divide="ignore"):  # who bought just now has had no time to leave
        width = np.log(age - t_x)
    gone = np.logaddexp.reduce(density + np.log(_SHARE), axis=1) + width
    stays = s * (log_beta - np.log(beta + age)) - (r + x) * np.log(alpha + age)
    return gone, stays
