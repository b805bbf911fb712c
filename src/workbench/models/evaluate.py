"""How good a prediction is, and how sure of that one can be: metrics, intervals, calibration.

Every metric takes `(y, p, w)`: what came true, what was predicted *in descending order*, and how often
each example counts, which is what a bootstrap varies.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Values: TypeAlias = NDArray[np.float64]
Metric: TypeAlias = Callable[[Values, Values, Values], float]

RESAMPLES: Final = 200
BINS: Final = 10
CENT: Final = 0.01
"""Less than a cent is not predicted of an amount: its deviance would be without bounds."""


def mae(y: Values, p: Values, w: Values) -> float:
    """Mean absolute error."""
    return float(np.average(np.abs(y - p), weights=w))


def r2(y: Values, p: Values, w: Values) -> float:
    """Share of the variance that is predicted; below 0 where the mean would have been better."""
    spread = np.average((y - np.average(y, weights=w)) ** 2, weights=w)
    return float(1 - np.average((y - p) ** 2, weights=w) / spread) if spread > 0 else float("nan")


def auc(y: Values, p: Values, w: Values) -> float:
    """Chance that a random positive is predicted above a random negative; ties count half."""
    positive, negative = _by_prediction(y, p, w)
    above = np.cumsum(positive) - positive / 2
    pairs = positive.sum() * negative.sum()
    return float((negative * above).sum() / pairs) if pairs else float("nan")


def pr_auc(y: Values, p: Values, w: Values) -> float:
    """Average precision: the area under precision over recall."""
    positive, negative = _by_prediction(y, p, w)
    if not positive.sum():
        return float("nan")
    taken = np.cumsum(positive + negative)
    precision = np.cumsum(positive) / np.where(taken > 0, taken, 1)
    return float((positive * precision).sum() / positive.sum())


def brier(y: Values, p: Values, w: Values) -> float:
    """Mean squared error of a probability."""
    return float(np.average((y - p) ** 2, weights=w))


def calibration_error(y: Values, p: Values, w: Values) -> float:
    """Mean distance of predicted and observed share over ten groups of equal size by prediction."""
    group = _groups(len(p))
    return float(np.abs(np.bincount(group, w * (y - p))).sum() / w.sum())


def deviance(y: Values, p: Values, w: Values) -> float:
    """Mean Poisson deviance of an amount: 0 for a perfect prediction; least for the mean, whatever the spread."""
    said = np.maximum(p, CENT)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(y > 0, y * np.log(y / said), 0.0)
    return float(2 * np.average(logs - (y - said), weights=w))


def gini(y: Values, p: Values, w: Values) -> float:
    """How well the order of the predictions finds where the amounts are: 0 by chance, 1 in the order of the truth."""
    best = _concentration(y, y, w)
    return _concentration(y, p, w) / best if best > 0 else float("nan")


def total_error(y: Values, p: Values, w: Values) -> float:
    """By what share the sum of the predictions is off."""
    total = float((w * y).sum())
    return abs(float((w * p).sum()) / total - 1) if total > 0 else float("nan")


def mean(y: Values, p: Values, w: Values) -> float:
    """Mean of what was given as predicted: for losses and hits that were worked out example by example."""
    del y
    return float(np.average(p, weights=w))


LESS_IS_BETTER: Final = frozenset({"mae", "brier", "calibration_error", "deviance", "total_error", "log_loss"})


def compare(
    metrics: dict[str, Metric], y: pd.Series, predicted: pd.Series, *, baseline: pd.Series, seed: int = 0
) -> pd.DataFrame:
    """Measure a prediction beside a baseline, on the same examples.

    Args:
        metrics: Which, by name.
        y: What came true (index `user_id`; a person may occur at several cutoffs).
        predicted: By the model, aligned with `y`.
        baseline: By the baseline, aligned with `y`.
        seed: Of the bootstrap.

    Returns:
        One row per metric: `metric`, `value` with its 95% interval `ci_low`, `ci_high`, `baseline`, `gain` (how much
        better than the baseline, whichever direction is better) with `gain_ci_low`, `gain_ci_high`, and `n` (examples).
        Intervals are bootstrapped over people, so that one person's cutoffs stay together.
    """
    truth = np.asarray(y, dtype="float64")
    people, person = np.unique(np.asarray(y.index, dtype=object), return_inverse=True)
    ranked = [_ranked(truth, values) for values in (predicted, baseline)]

    def measure(weights: Values) -> Values:
        return np.array([[metric(t, p, weights[order]) for t, p, order in ranked] for metric in metrics.values()])

    rng = np.random.default_rng(seed)
    found = measure(np.ones(len(truth)))
    drawn = [
        measure(np.bincount(rng.integers(0, len(people), len(people)), minlength=len(people))[person].astype("float64"))
        for _ in range(RESAMPLES)
    ]
    return _table(list(metrics), found, np.stack(drawn), len(truth))


def _table(names: list[str], found: Values, drawn: Values, n: int) -> pd.DataFrame:
    """Lay out values (metrics, 2) and their resamples (resamples, metrics, 2); the last axis is model, baseline."""
    sign = np.array([-1.0 if name in LESS_IS_BETTER else 1.0 for name in names])
    low, high = np.nanquantile(drawn, [0.025, 0.975], axis=0)
    gains = sign * (drawn[:, :, 0] - drawn[:, :, 1])
    gain_low, gain_high = np.nanquantile(gains, [0.025, 0.975], axis=0)
    return pd.DataFrame(
        {
            "metric": names,
            "value": found[:, 0],
            "ci_low": low[:, 0],
            "ci_high": high[:, 0],
            "baseline": found[:, 1],
            "gain": sign * (found[:, 0] - found[:, 1]),
            "gain_ci_low": gain_low,
            "gain_ci_high": gain_high,
            "n": n,
        }
    )


def calibration(y: pd.Series, predicted: pd.Series) -> pd.DataFrame:
    """Compare predicted and observed values in ten groups of equal size by prediction.

    Returns:
        One row per group, lowest first: `predicted` (mean), `observed` (mean of what came true) with its 95% interval
        `ci_low`, `ci_high` (Wilson's where only 0 and 1 came true, else by the standard error), and `n`.
    """
    order = np.argsort(np.asarray(predicted), kind="stable")
    rows = pd.DataFrame(
        {"p": np.asarray(predicted)[order], "y": np.asarray(y, dtype="float64")[order], "group": _groups(len(y))}
    )
    table = rows.groupby("group").agg(
        predicted=("p", "mean"), observed=("y", "mean"), n=("y", "size"), spread=("y", "std")
    )
    observed, n = table["observed"].to_numpy(), table["n"].to_numpy(dtype="float64")
    if rows["y"].isin([0.0, 1.0]).all():
        low, high = wilson(observed, n)
    else:
        half = 1.959964 * table["spread"].to_numpy() / np.sqrt(n)
        low, high = observed - half, observed + half
    return table.assign(ci_low=low, ci_high=high)[["predicted", "observed", "ci_low", "ci_high", "n"]].reset_index(
        drop=True
    )


def wilson(share: Values, n: Values) -> tuple[Values, Values]:
    """Return Wilson's 95% interval of a share.

    >>> [round(float(bound[0]), 3) for bound in wilson(np.array([0.5]), np.array([100.0]))]
    [0.404, 0.596]
    """
    z = 1.959964
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


def _ranked(truth: Values, values: pd.Series) -> tuple[Values, Values, NDArray[np.intp]]:
    order = np.argsort(-np.asarray(values, dtype="float64"), kind="stable")
    return truth[order], np.asarray(values, dtype="float64")[order], order


def _groups(n: int) -> NDArray[np.intp]:
    return np.arange(n) * min(BINS, n) // max(n, 1)


def _by_prediction(y: Values, p: Values, w: Values) -> tuple[Values, Values]:
    """Add up the weights of positives and negatives per distinct prediction, highest first."""
    starts = np.flatnonzero(np.r_[True, p[1:] != p[:-1]])
    return np.add.reduceat(w * y, starts), np.add.reduceat(w * (1 - y), starts)


def _concentration(y: Values, by: Values, w: Values) -> float:
    """Return the area between the curve of amounts over people, those with the largest `by` first, and the diagonal."""
    order = np.argsort(-by, kind="stable")
    people, amounts = np.cumsum(w[order]), np.cumsum((w * y)[order])
    if not amounts[-1] > 0:
        return 0.0
    curve, share = np.r_[0.0, amounts / amounts[-1]], np.r_[0.0, people / people[-1]]
    return float(((curve[1:] + curve[:-1]) / 2 * np.diff(share)).sum() - 0.5)
