"""Train the models on what was known, measure them on what came after, publish them, let the better ones serve."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from workbench.errors import InvalidArgument, ModelError, NotApplicable, NotEnoughData
from workbench.metrics import queries
from workbench.models import evaluate
from workbench.models.card import CARD, card
from workbench.models.drift import REFERENCE, reference
from workbench.models.examples import Examples, Fold, History, history, longest_horizon, span
from workbench.models.features import FEATURES, MIN_EXAMPLES, features, version
from workbench.models.lessons import LESSONS, Horizons, Lesson, PersonModel
from workbench.models.ltv import METHODS
from workbench.models.promotion import MARGIN, Decision, Rival, decide
from workbench.models.registry import About, Registry, Serving
from workbench.models.training import Training, TrainingDefinition

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from workbench.models.labels import Weights
    from workbench.store.base import Snapshot

SHORTEST_LTV_DAYS: Final = 14
"""A history too short for the LTV horizon shortens it, but not below this."""

_EQUAL: Final = 1e-9

EXPLAINED: Final = 2_000
"""Most people whose contributions are worked out for the importances."""


@dataclass(kw_only=True)
class _Taught:
    """What one lesson came to."""

    name: str
    lesson: Lesson
    seen: History
    model: PersonModel
    table: pd.DataFrame
    calibration: pd.DataFrame
    importances: pd.DataFrame
    rival: Rival | None
    method: str = ""
    chosen: str = ""
    validated: tuple[datetime, ...] = field(default=())


def train(
    snapshot: Snapshot,
    *,
    cutoff: datetime | None = None,
    registry: Registry | None = None,
    horizons: Horizons | None = None,
    weights: Weights | None = None,
    models: Sequence[str] = tuple(LESSONS),
    margin: float = MARGIN,
    seed: int = 0,
) -> Training:
    """Train models, measure them out of time beside baselines and the champions, and let the better ones serve.

    Each validation trains on examples that were complete before the validated cutoff, as it would have been done
    then; their predictions are pooled. The models that are published are trained the same way on all examples.

    Args:
        snapshot: The events.
        cutoff: End of the data to use, exclusive; just after the last event when not given.
        registry: Where to publish to, as challengers; those become champions that pass the gates and are better than
            the present one by the margin. Nothing is published when not given.
        horizons: How far ahead each model looks. That of LTV is shortened to what the history allows, to 14 days at
            least.
        weights: Of the engagement score.
        models: Which: `engagement`, `churn`, `ltv`, `next_action`.
        margin: Share of the champion's loss that a challenger has to save.
        seed: Of all chance.

    Raises:
        NotEnoughData: The history is too short, too few people were active, or nearly all did the same.
        NotApplicable: For each of the models, what it would predict is the same for everybody. Where that is so of
            some, the others are trained and the reading says so.
        InvalidArgument: A cutoff after the data, a horizon below 1, or a model that is not known.
    """
    if not models or set(models) - set(LESSONS):
        raise InvalidArgument(f"models are some of {', '.join(LESSONS)}, not {list(models)}")
    given = horizons or Horizons()
    begin, end = span(snapshot)
    looking = _fitting(given, cutoff=cutoff or end, begin=begin) if "ltv" in models else given
    seen: dict[int, History] = {}
    taught: list[_Taught] = []
    alike: dict[str, str] = {}
    for name in models:
        days = getattr(looking, LESSONS[name].horizon)
        if days not in seen:
            seen[days] = history(
                snapshot, cutoff=cutoff, horizon_days=days, weights=weights, active_days=looking.churn,
                discount=looking.discount,
            )  # fmt: skip
        try:
            taught.append(_taught(name, seen[days], registry=registry, horizons=looking, seed=seed))
        except NotApplicable as error:  # of one model: what it would predict is alike for all, the others go on
            alike[name] = str(error)
    if not taught:
        raise NotApplicable("; ".join(f"{name}: {reason}" for name, reason in alike.items()))
    note = "; ".join(f"The {name} model is {reason}" for name, reason in alike.items())
    return replace(_report(taught, looking, registry=registry, margin=margin, seed=seed), note=note)


def untrained(snapshot: Snapshot, *, reason: str, horizons: Horizons, weights: Weights) -> Training:
    """Say that nothing was trained, and why, in the form of a training."""
    columns = ["model", "metric", "value", "ci_low", "ci_high", "baseline", "gain", "gain_ci_low", "gain_ci_high", "n"]
    return Training(
        frame=pd.DataFrame(columns=columns),
        sql=queries.text("features", snapshot.engine, room="models"),
        definition=TrainingDefinition(
            cutoff=span(snapshot)[1], horizons=horizons, weights=weights, models=(), seed=0, features=version(),
            validated=(), people=snapshot.people,
        ),
        data_version=snapshot.data_version,
        calibration=pd.DataFrame(columns=["model", "predicted", "observed", "ci_low", "ci_high", "n"]),
        importances=pd.DataFrame(columns=["model", "feature", "importance"]),
        churn_rate=float("nan"),
        decisions=(),
        note=f"Not trained, and what served before goes on serving: {reason}",
    )  # fmt: skip


def _fitting(horizons: Horizons, *, cutoff: datetime, begin: datetime) -> Horizons:
    """Shorten the horizon of LTV to what the history allows, down to 14 days."""
    longest = longest_horizon((cutoff - begin) / timedelta(days=1))
    ltv = min(horizons.ltv, max(longest, SHORTEST_LTV_DAYS))
    return replace(horizons, ltv=ltv)


def _taught(name: str, seen: History, *, registry: Registry | None, horizons: Horizons, seed: int) -> _Taught:
    lesson = LESSONS[name]
    folds, final = seen.folds()
    _varied(name, lesson, seen, [*folds, final])
    validated = tuple(fold.validate for fold in folds if fold.validate)
    champion = _champion(registry, name, lesson, seen)
    parts = [_judged(seen, fold, lesson, champion=champion, horizons=horizons, seed=seed) for fold in folds]
    judged = {aspect: pd.concat([part[aspect] for part in parts]) for aspect in parts[0]}
    method, chosen = _better(name, lesson, judged)
    judged = {aspect: frame.assign(model=frame[f"model {method}"]) for aspect, frame in judged.items()}
    tables = [_compared(metrics, judged[aspect], seed=seed) for aspect, metrics in lesson.metrics.items()]
    rivals = lesson.rivals(_fit(seen, final, lesson, horizons=horizons, seed=seed))
    model = rivals.get(method) or next(iter(rivals.values()))
    newest = seen.examples([final.calibrate])
    value = judged["value"]
    return _Taught(
        name=name,
        lesson=lesson,
        seen=seen,
        model=model,
        table=pd.concat(tables, ignore_index=True),
        calibration=evaluate.calibration(value["truth"], value["model"]),
        importances=_importances(model, newest.X, seed),
        rival=_rival(champion, lesson, judged, validated, seed=seed),
        validated=validated,
        method=method,
        chosen=chosen,
    )


def _better(name: str, lesson: Lesson, judged: dict[str, pd.DataFrame]) -> tuple[str, str]:
    """Choose the form of a model with the least loss out of time: its method, and why in words."""
    aspect, metric = next((a, m[lesson.loss]) for a, m in lesson.metrics.items() if lesson.loss in m)
    rows = judged[aspect]
    methods = [str(column).removeprefix("model ") for column in rows if str(column).startswith("model ")]
    if len(methods) == 1:
        return methods[0], ""
    losses = {}
    for method in methods:
        order = np.argsort(-rows[f"model {method}"].to_numpy(), kind="stable")
        losses[method] = metric(
            rows["truth"].to_numpy()[order], rows[f"model {method}"].to_numpy()[order], np.ones(len(rows))
        )
    best, *rest = sorted(methods, key=lambda method: losses[method])
    others = ", ".join(f"{METHODS[method]} has {losses[method]:.4g}" for method in rest)
    return best, f"{name.upper()} is predicted by {METHODS[best]}, {lesson.loss} {losses[best]:.4g}; {others}"


def _varied(name: str, lesson: Lesson, seen: History, folds: list[Fold]) -> None:
    """Refuse to learn what is the same for everybody: all that is validated, or all that the last training sees.

    Raises:
        NotApplicable: It is.
    """
    validated = [fold.validate for fold in folds if fold.validate]
    for cutoffs in (validated, [*folds[-1].fit, folds[-1].calibrate]):
        known = seen.examples(cutoffs)
        truth = lesson.truth(known)
        if len(known) >= MIN_EXAMPLES and _constant(truth):
            raise NotApplicable(f"not applicable: {_alike(name, truth)}")


def _constant(truth: pd.Series) -> bool:
    if pd.api.types.is_float_dtype(truth):
        return bool(truth.max() - truth.min() <= _EQUAL)
    return truth.nunique() == 1


def _alike(name: str, truth: pd.Series) -> str:
    if name == "churn":
        left = int(truth.sum())
        return f"of {len(truth)} people {left} churned and {len(truth) - left} stayed"
    value = f"{truth.iloc[0]:.3g}" if pd.api.types.is_float_dtype(truth) else str(truth.iloc[0])
    return f"of all {len(truth)} people came the same, {value}"


def _compared(
    metrics: dict[str, evaluate.Metric], rows: pd.DataFrame, *, seed: int, to: str = "baseline"
) -> pd.DataFrame:
    return evaluate.compare(metrics, rows["truth"], rows["model"], baseline=rows[to], seed=seed)


def _champion(registry: Registry | None, name: str, lesson: Lesson, seen: History) -> Serving[Any] | None:
    """Load the model to beat; `None` where there is none that predicts the same from the same."""
    if registry is None or not registry.turns(name):
        return None
    try:
        champion = registry.serving(lesson.model, name)
    except ModelError:
        return None  # none that ever served can be loaded: whoever passes the gates is better
    same = (champion.manifest.feature_version, champion.manifest.horizon_days) == (version(), seen.horizon_days)
    return champion if same and champion.manifest.features == tuple(FEATURES) else None


def _judged(
    seen: History, fold: Fold, lesson: Lesson, *, champion: Serving[Any] | None, horizons: Horizons, seed: int
) -> dict[str, pd.DataFrame]:
    """Predict the validated cutoff of a fold, a row per person.

    Returns:
        Per aspect `truth`, `baseline`, `champion`, and `model ` with the method for each form of the model.
    """
    asked = _some(seen, [fold.validate] if fold.validate else [])
    truth, model = lesson.truth(asked), _fit(seen, fold, lesson, horizons=horizons, seed=seed)
    baseline = lesson.baseline(seen.examples([*fold.fit, fold.calibrate]), asked, horizons)
    found: dict[str, pd.DataFrame] = {}
    for method, form in lesson.rivals(model).items():
        for aspect, (came, predicted, beside) in lesson.judge(truth, form, baseline, asked).items():
            frame = found.get(aspect, pd.DataFrame({"truth": came, "baseline": beside}))
            found[aspect] = frame.assign(**{f"model {method}": predicted})
    if champion is not None:
        rivals = lesson.judge(truth, champion.model, baseline, asked)
        found = {aspect: frame.assign(champion=rivals[aspect][1]) for aspect, frame in found.items()}
    return found


def _fit(seen: History, fold: Fold, lesson: Lesson, *, horizons: Horizons, seed: int) -> PersonModel:
    return lesson.fit(_some(seen, fold.fit), _some(seen, [fold.calibrate]), seed=seed, horizons=horizons)


def _some(seen: History, cutoffs: Sequence[datetime]) -> Examples:
    known = seen.examples(cutoffs)
    if len(known) < MIN_EXAMPLES:
        raise NotEnoughData(
            f"{len(known)} people were active in the {seen.active_days} days before {cutoffs[0]:%Y-%m-%d}; at least "
            f"{MIN_EXAMPLES} are needed there"
        )
    return known


def _rival(
    champion: Serving[Any] | None,
    lesson: Lesson,
    judged: dict[str, pd.DataFrame],
    validated: tuple[datetime, ...],
    *,
    seed: int,
) -> Rival | None:
    if champion is None:
        return None
    aspect, metric = next((a, m[lesson.loss]) for a, m in lesson.metrics.items() if lesson.loss in m)
    table = _compared({lesson.loss: metric}, judged[aspect], seed=seed, to="champion")
    until = champion.manifest.trained_until
    return Rival(version=champion.manifest.version, trained_until=until, table=table, fair=until <= min(validated))


def _importances(model: PersonModel, X: pd.DataFrame, seed: int) -> pd.DataFrame:
    some = X.sample(EXPLAINED, random_state=seed) if len(X) > EXPLAINED else X
    shares = model.importances(some).sort_values(ascending=False, kind="stable")
    return shares.rename("importance").rename_axis("feature").reset_index()


def _report(
    taught: list[_Taught], horizons: Horizons, *, registry: Registry | None, margin: float, seed: int
) -> Training:
    decisions = [] if registry is None else [_publish(registry, one, margin=margin) for one in taught]
    churn = next((one.seen for one in taught if one.lesson.horizon == "churn"), taught[0].seen)
    newest = churn.examples([churn.folds()[1].calibrate])
    return Training(
        frame=pd.concat([_named(one.name, one.table) for one in taught], ignore_index=True),
        sql=queries.text("features", churn.snapshot.engine, room="models"),
        definition=TrainingDefinition(
            cutoff=churn.cutoff,
            horizons=horizons,
            weights=churn.weights,
            models=tuple(one.name for one in taught),
            seed=seed,
            features=version(),
            validated=taught[0].validated,
            people=churn.snapshot.people,
        ),
        data_version=churn.snapshot.data_version,
        calibration=pd.concat([_named(one.name, one.calibration) for one in taught], ignore_index=True),
        importances=pd.concat([_named(one.name, one.importances) for one in taught], ignore_index=True),
        churn_rate=float(newest.churned.mean()),
        decisions=tuple(decisions),
        methods={one.name: one.method for one in taught if one.method},
        chosen=tuple(one.chosen for one in taught if one.chosen),
    )


def _named(model: str, table: pd.DataFrame) -> pd.DataFrame:
    named = table.copy()
    named.insert(0, "model", model)
    return named


def _publish(registry: Registry, one: _Taught, *, margin: float) -> Decision:
    """Publish a model as the challenger, and let it serve if it deserves to."""
    seen = one.seen
    metrics = dict(zip(one.table["metric"], one.table["value"].astype(float), strict=True))
    about = About(
        trained_until=seen.cutoff,
        data_version=seen.snapshot.data_version,
        feature_version=version(),
        horizon_days=seen.horizon_days,
        metrics=metrics,
        method=one.method,
    )
    now = features(seen.snapshot, seen.cutoff).active(seen.active_days).X
    extras = {
        REFERENCE: reference(now, one.model.predict(now)),
        CARD: card(one.name, about, table=one.table, calibration=one.calibration, importances=one.importances),
    }
    manifest = registry.publish(one.name, one.model, about=about, alias="challenger", extras=extras)
    decision = decide(one.name, manifest.version, one.table, loss=one.lesson.loss, rival=one.rival, margin=margin)
    if decision.promoted:
        registry.promote(one.name, manifest.version, why=decision.why)
    return decision
