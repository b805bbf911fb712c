"""A mode and how sure it is: penalised maximum likelihood with the curvature of the loss at its minimum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.optimize import minimize

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

_STEP: Final = 1e-3
_LARGEST: Final = 12.0
"""Of the logarithm of a parameter."""


def laplace(
    loss: Callable[[NDArray[np.float64]], float], prior: Sequence[tuple[float, float]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the most likely logarithms of parameters, and their covariance.

    A prior on each keeps flat directions of the likelihood from running away: regular payers say nothing of how rates
    differ, and few customers nothing of how lifetimes do.

    Args:
        loss: Negative log-likelihood of all examples, given the logarithms.
        prior: Mean and standard deviation of each logarithm.

    Returns:
        The mode, and the covariance of the normal distribution around it.

    >>> mode, cov = laplace(lambda logs: 50 * float((logs[0] - 1) ** 2), [(0.0, 10.0)])
    >>> round(float(mode[0]), 2), round(float(cov[0, 0]), 3)
    (1.0, 0.01)
    """
    mean, spread = np.array(prior).T

    def penalised(logs: NDArray[np.float64]) -> float:
        return loss(logs) + float((((logs - mean) / spread) ** 2).sum()) / 2

    bounds = [(-_LARGEST, _LARGEST)] * len(mean)
    mode = np.asarray(minimize(penalised, mean, method="L-BFGS-B", bounds=bounds).x)
    values, vectors = np.linalg.eigh(_hessian(penalised, mode))
    # Rounding may bend a flat direction the wrong way; its prior is what is known of it.
    curvature = np.maximum(values, (1 / spread**2).min())
    return mode, (vectors / curvature) @ vectors.T


def _hessian(loss: Callable[[NDArray[np.float64]], float], at: NDArray[np.float64]) -> NDArray[np.float64]:
    steps, size = np.eye(len(at)) * _STEP, len(at)
    found = np.empty((size, size))
    for row in range(size):
        for column in range(row, size):
            one, other = steps[row], steps[column]
            bent = loss(at + one + other) - loss(at + one - other) - loss(at - one + other) + loss(at - one - other)
            found[row, column] = found[column, row] = bent / (4 * _STEP**2)
    return found
