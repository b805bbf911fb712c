"""Train the models on what was known, measure them on what came after, publish them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from workbench.errors import InvalidArgument, NotEnoughData
from workbench.metrics import queries
from workbench.models import evaluate
from workbench.models.churn import ChurnModel, both_classes
from workbench.models.engagement import EngagementModel
from workbench.models.examples import Examples, Fold, History, history
from workbench.models.features import MIN_EXAMPLES, version
from workbench.models.registry import About, Registry
from workbench.models.training import Training, TrainingDefinition

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from workbench.models.labels import Weights
    from workbench.store.base import Snapshot


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """How one model is trained and judged.

    Attributes:
        metrics: By which it is judged.
        truth: What it predicts, of the examples.
        fit: Train it: on earlier and on later examples.
        baseline: What it has to beat: learnt from all that the model saw, asked of others.
    """

    metrics: dict[str, evaluate.Metric]
    truth: Callable[[Examples], pd.Series]
    fit: Callable[[Examples, Examples, int], EngagementModel | ChurnModel]
    baseline: Callable[[Examples, Examples], pd.Series]


def train(
    snapshot: Snapshot,
    *,
    cutoff: datetime | None = None,
    registry: Path | None = None,
    churn_days: int = 28,
    weights: Weights | None = None,
    models: Sequence[str] = ("engagement", "churn"),
    seed: int = 0,
) -> Training:
    """Train models, and measure them out of time beside baselines.

    Each validation trains on examples that were complete before the validated cutoff, as it would have been done
    then; their predictions are pooled. The models that are published are trained the same way on all examples.

    Args:
        snapshot: The events.
        cutoff: End of the data to use, exclusive; just after the last event when not given.
        registry: Folder to publish to, as the new champions; nothing is published when not given.
        churn_days: Days without an event after which a person counts as churned; also how far ahead engagement is
            predicted.
        weights: Of the engagement score.
        models: Which: `engagement`, `churn`.
        seed: Of all chance.

    Raises:
        NotEnoughData: The history is too short, too few people were active, or nearly all or none of them churned.
        InvalidArgument: A cutoff after the data, `churn_days` below 1, or a model that is not known.
    """
    if not models or set(models) - set(LESSONS):
        raise InvalidArgument(f"models are some of {', '.join(LESSONS)}, not {list(models)}")
    seen = history(snapshot, cutoff=cutoff, churn_days=churn_days, weights=weights)
    folds, final = seen.folds()
    judged = {name: pd.concat([_judged(seen, fold, LESSONS[name], seed) for fold in folds]) for name in models}
    table = pd.concat([_measured(name, found, seed) for name, found in judged.items()], ignore_index=True)
    trained = {name: _fit(seen, final, LESSONS[name], seed) for name in models}
    newest = seen.examples([final.calibrate])
    churn = judged.get("churn", pd.DataFrame({"truth": [], "model": []}))
    return Training(
        frame=table,
        sql=queries.text("features", snapshot.engine, room="models"),
        definition=TrainingDefinition(
            cutoff=seen.cutoff,
            churn_days=churn_days,
            weights=seen.weights,
            models=tuple(models),
            seed=seed,
            features=version(),
            validated=tuple(fold.validate for fold in folds if fold.validate),
        ),
        data_version=snapshot.data_version,
        calibration=evaluate.calibration(churn["truth"], churn["model"]),
        importances=pd.concat([_importances(name, model, newest) for name, model in trained.items()]),
        churn_rate=float(newest.churned.mean()),
        versions={} if registry is None else _publish(Registry(registry), seen, trained, table),
    )


def _judged(seen: History, fold: Fold, lesson: Lesson, seed: int) -> pd.DataFrame:
    """Predict the validated cutoff of a fold: `truth`, `model`, `baseline`, one row per person."""
    asked = _some(seen, [fold.validate] if fold.validate else [])
    model = _fit(seen, fold, lesson, seed)
    baseline = lesson.baseline(seen.examples([*fold.fit, fold.calibrate]), asked)
    return pd.DataFrame({"truth": lesson.truth(asked), "model": model.predict(asked.X), "baseline": baseline})


def _fit(seen: History, fold: Fold, lesson: Lesson, seed: int) -> EngagementModel | ChurnModel:
    return lesson.fit(_some(seen, fold.fit), _some(seen, [fold.calibrate]), seed)


def _some(seen: History, cutoffs: Sequence[datetime]) -> Examples:
    known = seen.examples(cutoffs)
    if len(known) < MIN_EXAMPLES:
        raise NotEnoughData(
            f"{len(known)} people were active in the {seen.churn_days} days before {cutoffs[0]:%Y-%m-%d}; at least "
            f"{MIN_EXAMPLES} are needed there"
        )
    return known


def _measured(name: str, found: pd.DataFrame, seed: int) -> pd.DataFrame:
    table = evaluate.compare(
        LESSONS[name].metrics, found["truth"], found["model"], baseline=found["baseline"], seed=seed
    )
    table.insert(0, "model", name)
    return table


def _importances(name: str, model: EngagementModel | ChurnModel, known: Examples) -> pd.DataFrame:
    shares = model.importances(known.X).sort_values(ascending=False, kind="stable")
    return shares.rename_axis("feature").reset_index().assign(model=name)[["model", "feature", "importance"]]


def _publish(
    registry: Registry, seen: History, trained: dict[str, EngagementModel | ChurnModel], table: pd.DataFrame
) -> dict[str, str]:
    versions = {}
    for name, model in trained.items():
        rows = table[table["model"] == name]
        about = About(
            trained_until=seen.cutoff,
            data_version=seen.snapshot.data_version,
            feature_version=version(),
            horizon_days=seen.churn_days,
            metrics=dict(zip(rows["metric"], rows["value"].astype(float), strict=True)),
        )
        versions[name] = registry.publish(name, model, about=about, alias="champion").version
    return versions


def _engagement(early: Examples, late: Examples, seed: int) -> EngagementModel:
    X, y = pd.concat([early.X, late.X]), pd.concat([early.next_score, late.next_score])
    return EngagementModel(seed=seed).fit(X, y)


def _churn(early: Examples, late: Examples, seed: int) -> ChurnModel:
    return ChurnModel(seed=seed).fit(early.X, early.churned).calibrate(late.X, late.churned)


def _recency(known: Examples, asked: Examples) -> pd.Series:
    """Predict churn by the days since the last event alone."""
    silence, asked_silence = (np.log1p(part.X[["days_since_last_active"]]) for part in (known, asked))
    line = LogisticRegression().fit(silence, both_classes(known.churned))
    return pd.Series(line.predict_proba(asked_silence)[:, 1], index=asked.X.index)


LESSONS: Final = {
    "engagement": Lesson(
        metrics=evaluate.ENGAGEMENT,
        truth=lambda known: known.next_score,
        fit=_engagement,
        baseline=lambda _, asked: asked.recent_score,
    ),
    "churn": Lesson(metrics=evaluate.CHURN, truth=lambda known: known.churned, fit=_churn, baseline=_recency),
}
