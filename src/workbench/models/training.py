"""What a training says: how good the models are, and what they look at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from workbench.charts.spec import Bars, Chart, Line
from workbench.results import Answer, Definition

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from workbench.models.labels import Weights

SHOWN_FEATURES: Final = 12


@dataclass(frozen=True, kw_only=True)
class TrainingDefinition(Definition):
    """How the models were trained."""

    question: ClassVar[str] = "training"
    cutoff: datetime
    churn_days: int
    weights: Weights
    models: tuple[str, ...]
    seed: int
    features: str
    validated: tuple[datetime, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Training(Answer):
    """Models measured out of time. `frame` has one row per model and metric.

    `frame`: `model`, `metric`, `value` with its 95% interval `ci_low`, `ci_high`, `baseline` (engagement: the score
    of the last 28 days again; churn: a logistic regression on the days since the last event), `gain` over it with
    `gain_ci_low`, `gain_ci_high` (above 0 is better), `n` (people times validated cutoffs).

    Attributes:
        calibration: Churn in ten groups by predicted risk: `predicted`, `observed`, `ci_low`, `ci_high`, `n`.
        importances: `model`, `feature`, `importance` (share; largest first per model).
        churn_rate: Share of the people of the newest labelled cutoff who churned.
        versions: What was published, by model; empty if nothing was.
    """

    calibration: pd.DataFrame
    importances: pd.DataFrame
    churn_rate: float
    versions: dict[str, str]
    definition: TrainingDefinition

    def chart(self) -> Chart:
        """Draw the churn probabilities against what came true; on the diagonal they can be taken at their word."""
        curve = self.calibration
        return Chart(
            title="Churn: predicted and observed",
            marks=(
                Line(x=(0.0, 1.0), y=(0.0, 1.0), label="perfect", dashed=True),
                Line(x=tuple(curve["predicted"]), y=tuple(curve["observed"]), label="churn model"),
            ),
            x_label="predicted risk",
            y_label="share who churned",
            x_scale="linear",
            y_format="percent",
            note=f"{curve['n'].sum():,} people in {len(curve)} groups by predicted risk",
        )

    def importance_chart(self, model: str = "churn") -> Chart:
        """Draw what a model looks at most."""
        top = self.importances[self.importances["model"] == model].head(SHOWN_FEATURES)
        return Chart(
            title=f"What the {model} model looks at",
            marks=(Bars(x=tuple(top["feature"]), y=tuple(top["importance"])),),
            y_label="share of what moves the prediction",
            y_format="percent",
        )

    def reading(self) -> str:
        """Say how good the models are, in one paragraph."""
        sentences = {"churn": self._churn_reading, "engagement": self._engagement_reading}
        return " ".join(sentences[model]() for model in sentences if model in self.definition.models)

    def _churn_reading(self) -> str:
        auc, brier, error = (self._row("churn", metric) for metric in ("auc", "brier", "calibration_error"))
        return (
            f"Measured on {auc['n']:,.0f} people at a later cutoff ({self.churn_rate:.0%} go silent for "
            f"{self.definition.churn_days} days), the churn model puts a person who leaves above one who stays "
            f"{auc['value']:.1%} of the time ({auc['ci_low']:.1%} to {auc['ci_high']:.1%}; by days of silence alone "
            f"{auc['baseline']:.1%}). Its probabilities are off by {error['value']:.1%} on average; by Brier score it "
            f"is {_verdict(brier)}. It looks first at {self._first('churn')}."
        )

    def _engagement_reading(self) -> str:
        mae, days = self._row("engagement", "mae"), self.definition.churn_days
        if math.isnan(self._row("engagement", "r2")["value"]):
            return (
                f"Engagement could not be judged: in the {days} days that were predicted everybody has the same score. "
                "It counts messages, session time, raids and AI use; does the export name them as the docs do?"
            )
        return (
            f"Engagement over the next {days} days is predicted to within {mae['value']:.3f} of "
            f"a score from 0 to 1 on average, where assuming no change gives {mae['baseline']:.3f}: the model is "
            f"{_verdict(mae)}. It looks first at {self._first('engagement')}."
        )

    def _row(self, model: str, metric: str) -> pd.Series:
        rows = self.frame[(self.frame["model"] == model) & (self.frame["metric"] == metric)]
        return rows.iloc[0]

    def _first(self, model: str) -> str:
        return str(self.importances.loc[self.importances["model"] == model, "feature"].iloc[0])


def _verdict(row: pd.Series) -> str:
    if row["gain_ci_low"] > 0:
        return "better than the baseline beyond chance"
    if row["gain_ci_high"] < 0:
        return "worse than the baseline and should not be used"
    return "not distinguishable from the baseline"
