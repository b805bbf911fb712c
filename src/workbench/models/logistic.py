"""Logistic regression whose coefficients have intervals, and whose groups of categories are shrunk together.

The posterior is approximated by a normal distribution around its mode (Laplace). Within a group, such as the times of
day, coefficients come from one normal distribution: categories with few examples are pulled to the others. How wide it
is, is not known either: the posterior is a mean over spreads, weighted by how well each explains the data, so that
intervals are as wide as that makes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

WEAK: Final = 5.0
"""Standard deviation of the prior of a coefficient that is in no group: of odds e^10 to 1, next to nothing."""

SPREADS: Final = (0.1, 0.4, 0.8, 1.2, 1.6, 2.0)
"""Standard deviations that a group's coefficients may come from."""

_ROUNDS: Final = 60


@dataclass(frozen=True, kw_only=True, eq=False)
class Posterior:
    """What is known of the coefficients.

    Attributes:
        names: Of the columns.
        mean: Of the posterior.
        cov: Covariance around it.
    """

    names: tuple[str, ...]
    mean: NDArray[np.float64]
    cov: NDArray[np.float64]

    def draws(self, n: int, *, seed: int) -> NDArray[np.float64]:
        """Draw coefficients: one row per draw."""
        rng = np.random.default_rng(seed)
        drawn: NDArray[np.float64] = rng.multivariate_normal(self.mean, self.cov, size=n, method="cholesky")
        return drawn

    def place(self, name: str) -> int:
        """Return the column of a name."""
        return self.names.index(name)


def fit_logistic(
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    names: Sequence[str],
    groups: Mapping[str, Sequence[str]] | None = None,
) -> Posterior:
    """Fit.

    Args:
        X: One row per example, the intercept among the columns.
        y: 1 where it came true, else 0.
        names: Of the columns.
        groups: Per group, the names of its columns.

    >>> x = np.repeat([0.0, 1.0], 200)
    >>> came = np.concatenate([np.arange(200) < 50, np.arange(200) < 150]).astype(float)
    >>> found = fit_logistic(np.column_stack([np.ones(400), x]), came, ["base", "x"])
    >>> [round(float(value), 1) for value in found.mean]  # log-odds of 1/4, and from there to 3/4
    [-1.1, 2.2]
    """
    grouped = {group: [names.index(name) for name in members] for group, members in (groups or {}).items()}
    weights, means, covs = [], [], []
    for chosen in product(SPREADS, repeat=len(grouped)):
        prior = np.full(len(names), WEAK**-2)
        for columns, spread in zip(grouped.values(), chosen, strict=True):
            prior[columns] = spread**-2
        mean, hessian, height = _mode(X, y, prior)
        evidence = height + 0.5 * np.log(prior).sum() - 0.5 * np.linalg.slogdet(hessian)[1]
        weights.append(evidence)  # beforehand all spreads are as likely, as Gelman (2006) advises for few categories
        means.append(mean)
        covs.append(np.linalg.inv(hessian))
    share_of = np.exp(np.array(weights) - max(weights))
    share_of /= share_of.sum()
    centre = np.einsum("s,sk->k", share_of, np.array(means))
    apart = np.array(means) - centre
    cov = np.einsum("s,skl->kl", share_of, np.array(covs)) + np.einsum("s,sk,sl->kl", share_of, apart, apart)
    return Posterior(names=tuple(names), mean=centre, cov=cov)


def _mode(
    X: NDArray[np.float64], y: NDArray[np.float64], prior: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Climb to the mode by Newton's method; return it, the curvature there, and the log posterior but a constant."""
    beta = np.zeros(X.shape[1])
    value = _height(X, y, beta, prior)
    hessian = np.diag(prior)
    for _ in range(_ROUNDS):
        p = share(X @ beta)
        hessian = (X * (p * (1 - p))[:, None]).T @ X + np.diag(prior)
        step = np.linalg.solve(hessian, X.T @ (y - p) - prior * beta)
        size = 1.0
        while (higher := _height(X, y, beta + size * step, prior)) < value and size > 1e-4:  # noqa: PLR2004
            size /= 2
        beta = beta + size * step
        if abs(higher - value) < 1e-10:  # noqa: PLR2004 - far below what any figure shows
            break
        value = higher
    return beta, hessian, value


def _height(
    X: NDArray[np.float64], y: NDArray[np.float64], beta: NDArray[np.float64], prior: NDArray[np.float64]
) -> float:
    z = X @ beta
    return float((y * z - np.logaddexp(0.0, z)).sum() - 0.5 * (prior * beta**2).sum())


def share(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn log-odds into probabilities."""
    probability: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(logits, -35, 35)))
    return probability
