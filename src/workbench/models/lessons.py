"""How each model of people is trained, what it has to beat, and by what it is judged.

Adding a model: its class in a module of its own, and its lesson in `LESSONS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from workbench.errors import InvalidArgument
from workbench.models import evaluate
from workbench.models.churn import ChurnModel, both_classes
from workbench.models.conformal import LEVEL
from workbench.models.engagement import EngagementModel
from workbench.models.examples import joined
from workbench.models.labels import ACTIONS, DISCOUNT
from workbench.models.ltv import LtvModel
from workbench.models.next_action import NextActionModel
from workbench.models.spending import fit_spending

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workbench.models.examples import Examples

_SURE: Final = 1e-6
"""No action is called impossible by the baseline: a single surprise would cost without bounds."""


@dataclass(frozen=True, kw_only=True)
class Horizons:
    """How many days ahead each model looks, and what a dollar of later is worth.

    Attributes:
        churn: Days without an event after which a person counts as churned; engagement is of the same days, and only
            who was active in as many days before is predicted at all.
        ltv: Days of spending.
        next_action: Days in which the next action counts.
        discount: By how much a dollar is worth less a year later.

    Raises:
        InvalidArgument: A horizon below 1.
    """

    churn: int = 28
    ltv: int = 90
    next_action: int = 7
    discount: float = DISCOUNT

    def __post_init__(self) -> None:
        if min(self.churn, self.ltv, self.next_action) < 1:
            raise InvalidArgument(f"horizons are at least 1 day, not {self}")


class PersonModel(Protocol):
    """A model of people: what training, scoring and the conformance tests ask of it."""

    kind: ClassVar[str]
    file_names: ClassVar[frozenset[str]]
    feature_names_in_: tuple[str, ...]

    def fit(self, X: pd.DataFrame, y: Any) -> Any:  # noqa: ANN401 - itself; y is of its own type
        """Learn from examples."""

    def calibrate(self, X: pd.DataFrame, y: Any) -> Any:  # noqa: ANN401 - itself; y is of its own type
        """Fit what it says to later examples."""

    def predict(self, X: pd.DataFrame) -> pd.Series:
        """Return one number per row, in its order."""

    def outputs(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return the columns that are kept of a prediction."""

    def contributions(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return what moves each prediction, per feature, and `base`."""

    def importances(self, X: pd.DataFrame) -> pd.Series:
        """Return each feature's share of what moves the predictions."""

    def files(self) -> dict[str, bytes]:
        """Return the model as files without code."""

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], features: tuple[str, ...]) -> Any:  # noqa: ANN401 - of this class
        """Rebuild it."""


Judged = dict[str, tuple["pd.Series", "pd.Series", "pd.Series"]]
"""Per aspect: what came true, what the model said, what the baseline said."""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """How one model is trained and judged.

    Attributes:
        model: Its class.
        horizon: Name of its horizon in `Horizons`.
        metrics: Per aspect, by which it is judged.
        truth: What it predicts, of the examples.
        baseline: What it has to beat: learnt from all that the model saw, asked of others.
        judge: Turn truth, model, baseline and the examples asked into aspects.
        loss: The metric by which a challenger has to be better, less being better.
        score: The metric, more being better, whose fall below a share of what it was calls for a training.
    """

    model: type[Any]
    horizon: str
    metrics: dict[str, dict[str, evaluate.Metric]]
    truth: Callable[[Examples], pd.Series]
    baseline: Callable[[Examples, Examples, Horizons], Any]
    judge: Callable[[pd.Series, Any, Any, Examples], Judged]
    loss: str
    score: str

    def fit(self, early: Examples, late: Examples, *, seed: int, horizons: Horizons) -> PersonModel:
        """Train on earlier examples, calibrate on later ones."""
        trained: PersonModel = self.model(seed=seed).fit(early.X, self.truth(early)).calibrate(late.X, self.truth(late))
        if isinstance(trained, LtvModel):
            spending = fit_spending(joined(early, late), horizon_days=horizons.ltv, discount=horizons.discount)
            trained.stand_beside(spending, late.X, self.truth(late))
        return trained

    def rivals(self, trained: PersonModel) -> dict[str, PersonModel]:
        """Return the forms of a trained model that may serve, by method; the better one does. Most have one form."""
        if isinstance(trained, LtvModel):
            return {method: trained.by(method) for method in trained.methods}
        return {"": trained}


def _recency(known: Examples, asked: Examples, _: Horizons) -> pd.Series:
    """Predict churn by the days since the last event alone."""
    silence, asked_silence = (np.log1p(part.X[["days_since_last_active"]]) for part in (known, asked))
    line = LogisticRegression().fit(silence, both_classes(known.churned))
    return pd.Series(line.predict_proba(asked_silence)[:, 1], index=asked.X.index)


def _purchases(known: Examples, asked: Examples, horizons: Horizons) -> pd.Series:
    """Predict spending by BG/NBD and Gamma-Gamma."""
    return fit_spending(known, horizon_days=horizons.ltv, discount=horizons.discount).predict(asked.X)


def _habit(known: Examples, asked: Examples, _: Horizons) -> pd.DataFrame:
    """Predict the next action by what people with the same most frequent action of the last 28 days did next."""
    did, habits = known.action.to_numpy(), [_most_frequent(part.X) for part in (known, asked)]
    table = pd.crosstab(habits[0], did).reindex(index=list(ACTIONS), columns=list(ACTIONS), fill_value=0) + _SURE
    overall = pd.Series(did).value_counts().reindex(list(ACTIONS), fill_value=0) + 1.0
    shares = (table + overall / overall.sum()).pipe(lambda counts: counts.div(counts.sum(axis=1), axis=0))
    return shares.loc[habits[1]].set_axis(asked.X.index)


def _most_frequent(X: pd.DataFrame) -> list[str]:
    counts = X[["ai_interactions_28", "messages_28", "raids_28", "purchases_28"]].to_numpy()
    names = np.array(["ai", "message", "raid", "purchase"], dtype=object)
    return list(np.where(counts.sum(axis=1) > 0, names[counts.argmax(axis=1)], "none"))


def _value(truth: pd.Series, model: PersonModel, baseline: pd.Series, asked: Examples) -> Judged:
    """Judge a number, and where the model has intervals, whether they hold."""
    said = model.outputs(asked.X)
    low, high = (next((said[name] for name in said if str(name).endswith(end)), None) for end in ("_low", "_high"))
    judged: Judged = {"value": (truth, model.predict(asked.X), baseline)}
    if low is not None and high is not None:
        inside = pd.Series(((truth >= low) & (truth <= high)).astype("float64"), index=truth.index)
        judged["interval"] = (truth * 0.0, inside, truth * 0.0 + LEVEL)
    return judged


def _choice(truth: pd.Series, model: NextActionModel, baseline: pd.DataFrame, asked: Examples) -> Judged:
    """Judge probabilities of several actions: by the surprise at what was done, by hits, and the likeliest's share."""
    place = np.searchsorted(np.array(ACTIONS), truth.to_numpy().astype(str))
    rows, said = np.arange(len(place)), model.predict_proba(asked.X)
    zero = pd.Series(0.0, index=truth.index)
    aspects: Judged = {}
    shares = {"model": said.to_numpy(), "baseline": baseline.to_numpy()}
    losses = {name: zero - np.log(np.maximum(table[rows, place], _SURE)) for name, table in shares.items()}
    hits = {name: zero + (table.argmax(axis=1) == place) for name, table in shares.items()}
    aspects["surprise"] = (zero, losses["model"], losses["baseline"])
    aspects["hit"] = (zero, hits["model"], hits["baseline"])
    aspects["value"] = (hits["model"], said.max(axis=1), baseline.max(axis=1))
    return aspects


LESSONS: Final = {
    "engagement": Lesson(
        model=EngagementModel,
        horizon="churn",
        metrics={"value": {"mae": evaluate.mae, "r2": evaluate.r2}, "interval": {"coverage": evaluate.mean}},
        truth=lambda known: known.next_score,
        baseline=lambda _known, asked, _horizons: asked.recent_score,
        judge=_value,
        loss="mae",
        score="r2",
    ),
    "churn": Lesson(
        model=ChurnModel,
        horizon="churn",
        metrics={
            "value": {
                "auc": evaluate.auc,
                "pr_auc": evaluate.pr_auc,
                "brier": evaluate.brier,
                "calibration_error": evaluate.calibration_error,
            }
        },
        truth=lambda known: known.churned,
        baseline=_recency,
        judge=_value,
        loss="brier",
        score="auc",
    ),
    "ltv": Lesson(
        model=LtvModel,
        horizon="ltv",
        metrics={
            "value": {
                "deviance": evaluate.deviance,
                "mae": evaluate.mae,
                "gini": evaluate.gini,
                "total_error": evaluate.total_error,
            },
            "interval": {"coverage": evaluate.mean},
        },
        truth=lambda known: known.value_usd,
        baseline=_purchases,
        judge=_value,
        loss="deviance",
        score="gini",
    ),
    "next_action": Lesson(
        model=NextActionModel,
        horizon="next_action",
        metrics={
            "surprise": {"log_loss": evaluate.mean},
            "hit": {"accuracy": evaluate.mean},
            "value": {"calibration_error": evaluate.calibration_error},
        },
        truth=lambda known: known.action,
        baseline=_habit,
        judge=_choice,
        loss="log_loss",
        score="accuracy",
    ),
}
