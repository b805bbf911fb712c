"""Drift: how far the people of today are from those that a model was trained on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from workbench.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

REFERENCE: Final = "reference.json"
SCORE: Final = "(prediction)"
"""Under this name stands the model's own prediction among the features."""

BINS: Final = 10
MODERATE: Final = 0.1
LARGE: Final = 0.25
_LEAST: Final = 1e-4
"""An empty group counts as this share: the index would be infinite."""


def reference(X: pd.DataFrame, predicted: pd.Series) -> bytes:
    """Write down, per feature and for the prediction, at which values tenths of the people begin, and their shares."""
    columns = {**{str(name): X[name].to_numpy() for name in X}, SCORE: predicted.to_numpy()}
    facts = {}
    for name, values in columns.items():
        known = values[~np.isnan(values)]
        edges = np.unique(np.quantile(known, np.arange(1, BINS) / BINS)) if len(known) else np.empty(0)
        facts[name] = {"edges": edges.tolist(), "shares": _shares(values, edges).tolist()}
    return json.dumps(facts).encode()


def drift(facts: bytes, X: pd.DataFrame, predicted: pd.Series) -> pd.DataFrame:
    """Compare people with those of a reference by the population stability index.

    Args:
        facts: What `reference` wrote when the model was trained.
        X: Features of the people of today.
        predicted: What the model says of them.

    Returns:
        One row per feature and `(prediction)`, the most changed first: `feature`, `psi` (Σ (now - then) · ln(now /
        then) over tenths of then, and those unknown), `change` (`stable` < 0.1 ≤ `moderate` < 0.25 ≤ `large`), `n`.

    Raises:
        ModelError: The reference is of other features.
    """
    known: dict[str, Any] = json.loads(facts)
    columns = {**{str(name): X[name].to_numpy() for name in X}, SCORE: predicted.to_numpy()}
    if missing := sorted(set(known) - set(columns)):
        raise ModelError(f"the reference is of features that are not there: {missing}")
    rows = []
    for name, fact in known.items():
        now = np.maximum(_shares(columns[name], np.asarray(fact["edges"])), _LEAST)
        then = np.maximum(np.asarray(fact["shares"]), _LEAST)
        rows.append({"feature": name, "psi": float(((now - then) * np.log(now / then)).sum())})
    table = pd.DataFrame(rows).sort_values("psi", ascending=False, kind="stable", ignore_index=True)
    change = np.array(["stable", "moderate", "large"], dtype=object)[np.digitize(table["psi"], [MODERATE, LARGE])]
    return table.assign(change=change, n=len(X))


def _shares(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of values in each group, and last of those that are unknown."""
    unknown = np.isnan(values)
    group = np.where(unknown, len(edges) + 1, np.searchsorted(edges, values, side="right"))
    shares: NDArray[np.float64] = np.bincount(group, minlength=len(edges) + 2) / max(len(values), 1)
    return shares
