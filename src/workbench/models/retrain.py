"""When a model is to be trained again: it is time, its people changed, or it has become worse."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

import pandas as pd

from workbench.errors import GateFailed, ModelError, NotEnoughData
from workbench.models import evaluate
from workbench.models.drift import REFERENCE, SCORE, drift
from workbench.models.examples import history, span
from workbench.models.features import features, version
from workbench.models.lessons import LESSONS, Horizons
from workbench.models.train import train

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from workbench.models.labels import Weights
    from workbench.models.promotion import Decision
    from workbench.models.registry import Registry, Serving
    from workbench.store.base import Snapshot

Often = Literal["daily", "weekly", "monthly", "never"]
_EVERY: Final[dict[str, timedelta | None]] = {
    "daily": timedelta(days=1), "weekly": timedelta(days=7), "monthly": timedelta(days=30), "never": None,
}  # fmt: skip
WATCHED: Final = 0.02
"""Drift is watched of features with at least this share of what moves the predictions, and of the prediction."""


@dataclass(frozen=True, kw_only=True)
class When:
    """When to train again.

    Attributes:
        often: Per model.
        threshold: Share of the score that a champion had when it was promoted, below which it is trained anew.
        psi: Population stability index from which on people have changed.
        margin: Share of the champion's loss that a challenger has to save.
    """

    often: Mapping[str, Often]
    threshold: float = 0.85
    psi: float = 0.25
    margin: float = 0.01


@dataclass(frozen=True, kw_only=True)
class Retrained:
    """What became of one model.

    Attributes:
        model: Its name.
        reasons: Why it was trained again; empty where it was not due.
        decision: What was decided; `None` where it was not trained.
        trouble: Why it could not be trained, or is not fit to serve.
    """

    model: str
    reasons: tuple[str, ...]
    decision: Decision | None = None
    trouble: str = ""


def retrain(
    snapshot: Snapshot,
    registry: Registry,
    *,
    when: When,
    cutoff: datetime | None = None,
    horizons: Horizons | None = None,
    weights: Weights | None = None,
    models: Sequence[str] = tuple(LESSONS),
) -> list[Retrained]:
    """Train each model that is due, and let the new one serve only if it is better by the margin.

    What goes wrong with one model is told and does not stop the others; the champions go on serving.

    Args:
        snapshot: The events.
        registry: Where models are.
        when: When they are due.
        cutoff: End of the data to use; just after the last event when not given.
        horizons: How far ahead each looks.
        weights: Of the engagement score.
        models: Which.
    """
    instant = cutoff or span(snapshot)[1]
    looking = horizons or Horizons()
    done = []
    for name in models:
        reasons = due(snapshot, registry, name, when=when, cutoff=instant, horizons=looking, weights=weights)
        if not reasons:
            done.append(Retrained(model=name, reasons=()))
            continue
        try:
            found = train(
                snapshot, cutoff=instant, registry=registry, horizons=looking, weights=weights, models=[name],
                margin=when.margin,
            )  # fmt: skip
            trouble = _gated(found)
            done.append(Retrained(model=name, reasons=tuple(reasons), decision=found.decisions[0], trouble=trouble))
        except NotEnoughData as error:
            done.append(Retrained(model=name, reasons=tuple(reasons), trouble=str(error)))
    return done


def due(
    snapshot: Snapshot,
    registry: Registry,
    name: str,
    *,
    when: When,
    cutoff: datetime,
    horizons: Horizons,
    weights: Weights | None = None,
) -> list[str]:
    """Return why a model is to be trained again; nothing if it is not.

    Its age counts from the newest version, whether that serves or not: what was not better yesterday is not tried anew
    each hour.
    """
    if not registry.turns(name):
        return ["there is no champion yet"]
    try:
        champion = registry.serving(LESSONS[name].model, name)
    except ModelError as error:
        return [f"no champion can be loaded: {error}"]
    reasons = []
    if champion.manifest.feature_version != version():
        return [f"the champion was made for features {champion.manifest.feature_version}, which are {version()} now"]
    newest = registry.manifest(name, registry.versions(name)[-1]).trained_until
    every = _EVERY[when.often.get(name, "never")]
    if every is not None and cutoff - newest >= every:
        reasons.append(f"the newest version knows nothing after {newest:%Y-%m-%d}, and is trained {when.often[name]}")
    reasons += _drifted(snapshot, registry, name, champion, cutoff=cutoff, psi=when.psi, days=horizons.churn)
    reasons += _worse(snapshot, name, champion, cutoff=cutoff, when=when, days=horizons.churn, weights=weights)
    return reasons


def drift_of(
    snapshot: Snapshot, registry: Registry, name: str, *, cutoff: datetime | None = None, active_days: int = 28
) -> pd.DataFrame:
    """Compare the people of a cutoff with those that a champion was trained on; see `drift.drift`.

    Returns:
        The rows of `drift.drift`, with `importance` (share of what moves the predictions).

    Raises:
        ModelError: There is no champion, or it keeps no reference.
    """
    champion = registry.serving(LESSONS[name].model, name)
    X = features(snapshot, cutoff or span(snapshot)[1]).active(active_days).X
    return _compared(registry, name, champion, X)


def _compared(registry: Registry, name: str, champion: Serving[Any], X: pd.DataFrame) -> pd.DataFrame:
    files = registry.intact(name, champion.manifest.version)[1]
    if REFERENCE not in files:
        raise ModelError(f"{name} {champion.manifest.version} keeps no reference to compare people with")
    table = drift(files[REFERENCE], X, champion.model.predict(X))
    shares = champion.model.importances(X.head(1_000)) if len(X) else pd.Series(dtype="float64")
    return table.assign(importance=table["feature"].map(shares).where(table["feature"] != SCORE, 1.0))


def _drifted(
    snapshot: Snapshot,
    registry: Registry,
    name: str,
    champion: Serving[Any],
    *,
    cutoff: datetime,
    psi: float,
    days: int,
) -> list[str]:
    X = features(snapshot, cutoff).active(days).X
    if X.empty or REFERENCE not in champion.manifest.files:
        return []
    table = _compared(registry, name, champion, X)
    changed = table[(table["psi"] >= psi) & (table["importance"] >= WATCHED)]
    if changed.empty:
        return []
    told = ", ".join(f"{row.feature} {row.psi:.2f}" for row in changed.head(3).itertuples())
    return [f"people have changed: stability index {told} (from {psi})"]


def _worse(
    snapshot: Snapshot,
    name: str,
    champion: Serving[Any],
    *,
    cutoff: datetime,
    when: When,
    days: int,
    weights: Weights | None,
) -> list[str]:
    """Measure the champion on the newest weeks whose outcome is known; tell if it fell below its threshold."""
    lesson, horizon = LESSONS[name], champion.manifest.horizon_days
    seen = history(snapshot, cutoff=cutoff, horizon_days=horizon, weights=weights, active_days=days)
    asked = seen.examples([cutoff - timedelta(days=horizon)])
    before = champion.manifest.metrics.get(lesson.score)
    if before is None or asked.X.empty:
        return []
    truth = lesson.truth(asked)
    aspect, metric = next((a, m[lesson.score]) for a, m in lesson.metrics.items() if lesson.score in m)
    baseline = pd.DataFrame(1.0, index=asked.X.index, columns=range(6)) if name == "next_action" else truth * 0.0
    came, said, _ = lesson.judge(truth, champion.model, baseline, asked)[aspect]
    now = float(evaluate.compare({lesson.score: metric}, came, said, baseline=said)["value"].iloc[0])
    if math.isnan(now) or now >= when.threshold * before:
        return []
    return [f"its {lesson.score} was {before:.3f} when it was trained and is {now:.3f} on the newest weeks"]


def _gated(found: Any) -> str:  # noqa: ANN401 - a training
    try:
        found.gate()
    except GateFailed as error:
        return str(error)
    return ""
