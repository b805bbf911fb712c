"""Predictions for everybody, by the champions of the registry: one row per person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
import pandas as pd

from workbench.charts.spec import Bars, Chart
from workbench.errors import ModelError
from workbench.metrics import queries
from workbench.models.examples import span
from workbench.models.features import FeatureFrame, features
from workbench.models.lessons import LESSONS
from workbench.models.ltv import METHODS, NETWORK
from workbench.models.policy import CHURNED, Policy, policy
from workbench.results import Answer, Definition

if TYPE_CHECKING:
    from datetime import datetime

    from workbench.models.registry import Registry, Serving
    from workbench.store.base import Snapshot

NUMBERS: Final = (
    "engagement_score", "engagement_low", "engagement_high", "churn_risk", "predicted_ltv", "ltv_low", "ltv_high",
    "ltv_bg_nbd", "next_action_probability",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class PredictionsDefinition(Definition):
    """Who was scored, and by what."""

    question: ClassVar[str] = "predictions"
    cutoff: datetime
    horizon_days: int
    policy: str
    versions: tuple[tuple[str, str], ...]
    ltv_days: int | None = None
    ltv_method: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions(Answer):
    """Predictions at a cutoff. `frame` has one row per person active in the horizon before it, by `user_id`.

    `frame`: `user_id`, `engagement_score` (predicted, in [0, 1]) with its 90% interval `engagement_low`,
    `engagement_high`, `churn_risk` (probability), `risk_level` (`high`, `medium`, `low`: by capacity or cost),
    `predicted_ltv` (discounted USD) with `ltv_low`, `ltv_high`, `ltv_bg_nbd` (by purchases alone), `next_action`,
    `next_action_probability`, `recommended_action`, `held_out`, `propensity`, and `<model>_version` per model. What has
    no champion is missing. Who was silent for longer has churned already and is not scored: see `everybody`.

    Attributes:
        everybody: The same of all who were ever seen; those not in `frame` have the level `churned`, what is done for
            them, and nothing else.
        notes: What a reader should know, such as that an older champion serves.
    """

    everybody: pd.DataFrame
    notes: tuple[str, ...]
    definition: PredictionsDefinition

    def chart(self) -> Chart:
        """Draw how the risks are spread."""
        counts, edges = np.histogram(self.frame["churn_risk"].dropna(), bins=10, range=(0, 1))
        names = tuple(f"{low:.0%}-{low + 0.1:.0%}" for low in edges[:-1])
        return Chart(
            title="Churn risk of the active people",
            marks=(Bars(x=names, y=tuple(float(count) for count in counts)),),
            x_label="probability of churning",
            y_label="people",
            note=f"{len(self.frame):,} people active in the {self.definition.horizon_days} days before",
        )

    def reading(self) -> str:
        """Say how many are at risk, and what is expected of everybody."""
        people, days = self.frame, self.definition.horizon_days
        if people.empty:
            return f"Nobody was active in the {days} days before {self.definition.cutoff:%Y-%m-%d}: nobody to score."
        told = [f"Of {len(people):,} people active in the {days} days before {self.definition.cutoff:%Y-%m-%d}"]
        high = people[people["risk_level"] == "high"]
        if len(high):
            told[0] += (
                f", {people['churn_risk'].sum():,.0f} are expected to be silent for the next {days}. The {len(high):,} "
                f"called at high risk have a mean risk of {high['churn_risk'].mean():.0%}; "
                f"{people['held_out'].sum():,} people are left alone by chance, so that the effect can be measured"
            )
        if people["engagement_score"].notna().any():
            told.append(f"Mean predicted engagement is {people['engagement_score'].mean():.2f}")
        if people["predicted_ltv"].notna().any():
            told.append(
                f"LTV, next {self.definition.ltv_days} days: together they are expected to spend "
                f"${people['predicted_ltv'].sum():,.0f} by {METHODS.get(self.definition.ltv_method, 'the model')} (by "
                f"purchases alone ${people['ltv_bg_nbd'].sum():,.0f})"
            )
        return ". ".join([*told, *self.notes]) + "."


def predictions(
    snapshot: Snapshot,
    registry: Registry,
    cutoff: datetime | None = None,
    *,
    rules: Policy | None = None,
    known: FeatureFrame | None = None,
) -> Predictions:
    """Score everybody who is active at a cutoff with every model that has a champion.

    Args:
        snapshot: The events.
        registry: Where the models are; their champions are used, or where one is not intact, the one before it.
        cutoff: Exclusive; just after the last event when not given.
        rules: The policy; the default one when not given.
        known: Features of that cutoff, where they were worked out before.

    Raises:
        ModelError: There is no champion of any model, none of a model's is intact, one was made for other features, or
            `known` is of another cutoff or other events.
        NotEnoughData: There are no events.
    """
    chosen, serving = rules or policy(), _serving(registry)
    instant = cutoff or span(snapshot)[1]
    people = known or features(snapshot, instant)
    if (people.cutoff, people.data_version) != (instant, snapshot.data_version):
        raise ModelError(
            f"the features are of {people.cutoff.isoformat()}, data {people.data_version}, not of "
            f"{instant.isoformat()}, data {snapshot.data_version}: work them out anew"
        )
    days = serving["churn"].manifest.horizon_days if "churn" in serving else 28
    ltv = serving["ltv"].manifest if "ltv" in serving else None
    active = people.active(days).X
    frame = _scored(active, serving, chosen)
    return Predictions(
        frame=frame.reset_index(),
        sql=queries.text("features", snapshot.engine, room="models"),
        definition=PredictionsDefinition(
            cutoff=instant,
            horizon_days=days,
            policy=chosen.version,
            versions=tuple((name, each.manifest.version) for name, each in serving.items()),
            ltv_days=ltv.horizon_days if ltv else None,
            ltv_method=(ltv.method or NETWORK) if ltv else "",
            people=snapshot.people,
        ),
        data_version=snapshot.data_version,
        everybody=_with_lapsed(frame, people.X, chosen).rename_axis("user_id").reset_index(),
        notes=_notes(serving),
    )


def _serving(registry: Registry) -> dict[str, Serving[Any]]:
    found = {name: registry.serving(lesson.model, name) for name, lesson in LESSONS.items() if registry.turns(name)}
    if not found:
        raise ModelError(f"there is no champion of any model in {registry.shelf}; train one first")
    return found


def _scored(X: pd.DataFrame, serving: dict[str, Serving[Any]], rules: Policy) -> pd.DataFrame:
    empty = dict.fromkeys(NUMBERS, np.nan)
    frame = pd.DataFrame(empty, index=X.index, dtype="float64").assign(next_action=None)
    for name, each in serving.items():
        said = each.model.outputs(X)
        frame = frame.assign(**{column: said[column] for column in said}, **{f"{name}_version": each.manifest.version})
    for name in LESSONS:
        if name not in serving:
            frame[f"{name}_version"] = None
    ltv = frame["predicted_ltv"] if "ltv" in serving else None
    level = pd.Series(None, index=X.index, dtype="object")
    if "churn" in serving:
        level = rules.levels(frame["churn_risk"], ltv)
    return _ordered(frame.assign(risk_level=level).join(rules.recommend(level)))


def _with_lapsed(frame: pd.DataFrame, X: pd.DataFrame, rules: Policy) -> pd.DataFrame:
    lapsed = X.index.difference(frame.index)
    if lapsed.empty:
        return frame
    level = pd.Series(CHURNED, index=lapsed, dtype="object")
    gone = rules.recommend(level).assign(risk_level=level).reindex(columns=frame.columns)
    typed = gone.astype({name: kind for name, kind in frame.dtypes.items() if kind == "float64"})
    return pd.concat([frame, typed]).sort_index() if len(frame) else typed


def _ordered(frame: pd.DataFrame) -> pd.DataFrame:
    """Put numbers first, then what follows from them, then the versions."""
    versions = [f"{name}_version" for name in LESSONS]
    decided = ["risk_level", "next_action", "recommended_action", "held_out", "propensity"]
    return frame[[*NUMBERS, *decided, *versions]]


def _notes(serving: dict[str, Serving[Any]]) -> tuple[str, ...]:
    missing = [name for name in LESSONS if name not in serving]
    notes = [f"There is no champion of {', '.join(missing)} yet"] if missing else []
    for name, each in serving.items():
        if each.refused:
            older = f"Of {name} an older champion serves, {each.manifest.version}"
            notes.append(f"{older}; a newer one was refused: {each.refused[0]}")
    return tuple(notes)
