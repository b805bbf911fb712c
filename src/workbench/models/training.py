"""What a training says: how good the models are, what they look at, and which of them serve."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final

from workbench.charts.spec import Bars, Chart, Line
from workbench.models.promotion import gate, gates
from workbench.results import Answer, Definition

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from workbench.models.labels import Weights
    from workbench.models.lessons import Horizons
    from workbench.models.promotion import Decision

SHOWN_FEATURES: Final = 12
_AXES: Final = {
    "churn": ("Churn: predicted and observed", "predicted risk", "share who churned", "percent"),
    "engagement": ("Engagement: predicted and observed", "predicted score", "mean score", "decimal"),
    "ltv": ("LTV, next {days} days: predicted and observed", "predicted USD", "mean USD spent", "usd"),
    "next_action": ("Next action: certainty and hits", "probability of the likeliest", "share of hits", "percent"),
}


@dataclass(frozen=True, kw_only=True)
class TrainingDefinition(Definition):
    """How the models were trained."""

    question: ClassVar[str] = "training"
    cutoff: datetime
    horizons: Horizons
    weights: Weights
    models: tuple[str, ...]
    seed: int
    features: str
    validated: tuple[datetime, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Training(Answer):
    """Models measured out of time. `frame` has one row per model and metric.

    `frame`: `model`, `metric`, `value` with its 95% interval `ci_low`, `ci_high`, `baseline` (engagement: the score
    of the last 28 days again; churn: a logistic regression on the days since the last event; LTV: BG/NBD with
    Gamma-Gamma; next action: what people of the same habit did; of a coverage: what the interval claims), `gain` over
    it with `gain_ci_low`, `gain_ci_high` (above 0 is better), `n` (people times validated cutoffs).

    Attributes:
        calibration: Per model, in ten groups by prediction: `model`, `predicted`, `observed`, `ci_low`, `ci_high`, `n`.
        importances: `model`, `feature`, `importance` (share; largest first per model).
        churn_rate: Share of the people of the newest labelled cutoff who churned.
        decisions: What was published, and whether it serves now; empty if nothing was.
        methods: Which of several methods predicts, by model: of LTV, whichever was better out of time.
        chosen: Why, in words.
        note: What else is to be said, such as why nothing was trained.
    """

    calibration: pd.DataFrame
    importances: pd.DataFrame
    churn_rate: float
    decisions: tuple[Decision, ...]
    methods: dict[str, str] = field(default_factory=dict)
    chosen: tuple[str, ...] = ()
    note: str = ""
    definition: TrainingDefinition

    @property
    def versions(self) -> dict[str, str]:
        """What was published, by model."""
        return {decision.model: decision.version for decision in self.decisions}

    def gate(self) -> Training:
        """Stop here if a model is not fit to serve; return the training itself.

        Raises:
            GateFailed: By a measure out of time a model is worse than its baseline, or its numbers cannot be taken at
                their word. It was not promoted; the champion stays.
        """
        models = self.definition.models
        gate([(model, wrong) for model in models for wrong in gates(model, self._rows(model))])
        return self

    def chart(self, model: str | None = None) -> Chart:
        """Draw what was predicted against what came true; on the diagonal it can be taken at its word.

        Args:
            model: Which; churn if it is among them, else the first, when not given.
        """
        chosen = self._chosen(model)
        if chosen is None:
            return Chart(title="Not trained", marks=())
        curve = self.calibration[self.calibration["model"] == chosen]
        title, x_label, y_label, y_format = _AXES[chosen]
        title = title.format(days=self.definition.horizons.ltv)
        top = 1.0 if y_format != "usd" else max(float(curve["predicted"].max()), float(curve["observed"].max()))
        return Chart(
            title=title,
            marks=(
                Line(x=(0.0, top), y=(0.0, top), label="perfect", dashed=True),
                Line(x=tuple(curve["predicted"]), y=tuple(curve["observed"]), label=f"{chosen} model"),
            ),
            x_label=x_label,
            y_label=y_label,
            x_scale="linear",
            y_format=y_format,  # type: ignore[arg-type] # one of the formats, from the table above
            note=f"{curve['n'].sum():,} people in {len(curve)} groups by prediction",
        )

    def importance_chart(self, model: str | None = None) -> Chart:
        """Draw what a model looks at most."""
        chosen = self._chosen(model)
        if chosen is None:
            return Chart(title="Not trained", marks=())
        top = self.importances[self.importances["model"] == chosen].head(SHOWN_FEATURES)
        return Chart(
            title=f"What the {chosen} model looks at",
            marks=(Bars(x=tuple(top["feature"]), y=tuple(top["importance"])),),
            y_label="share of what moves the prediction",
            y_format="percent",
        )

    def reading(self) -> str:
        """Say how good the models are, and which of them serve, in one paragraph."""
        sentences = {
            "churn": self._churn_reading,
            "engagement": self._engagement_reading,
            "ltv": self._ltv_reading,
            "next_action": self._action_reading,
        }
        told = [sentences[model]() for model in sentences if model in self.definition.models]
        told += [
            f"The new {decision.model} model {'serves' if decision.promoted else 'was not promoted'}: {decision.why}."
            for decision in self.decisions
        ]
        return " ".join([*told, *([f"{self.note}."] if self.note else [])])

    def _chosen(self, model: str | None) -> str | None:
        models = self.definition.models
        return model or ("churn" if "churn" in models else next(iter(models), None))

    def _churn_reading(self) -> str:
        auc, brier, error = (self._row("churn", metric) for metric in ("auc", "brier", "calibration_error"))
        return (
            f"Measured on {auc['n']:,.0f} people at a later cutoff ({self.churn_rate:.0%} go silent for "
            f"{self.definition.horizons.churn} days), the churn model puts a person who leaves above one who stays "
            f"{auc['value']:.1%} of the time ({auc['ci_low']:.1%} to {auc['ci_high']:.1%}; by days of silence alone "
            f"{auc['baseline']:.1%}). Its probabilities are off by {error['value']:.1%} on average; by Brier score it "
            f"is {_verdict(brier)}. It looks first at {self._first('churn')}."
        )

    def _engagement_reading(self) -> str:
        mae, days = self._row("engagement", "mae"), self.definition.horizons.churn
        if math.isnan(self._row("engagement", "r2")["value"]):
            return (
                f"Engagement could not be judged: in the {days} days that were predicted everybody has the same score. "
                "It counts messages, session time, raids and AI use; does the export name them as the docs do?"
            )
        held = self._row("engagement", "coverage")["value"]
        return (
            f"Engagement over the next {days} days is predicted to within {mae['value']:.3f} of "
            f"a score from 0 to 1 on average, where assuming no change gives {mae['baseline']:.3f}: the model is "
            f"{_verdict(mae)}. Its 90% intervals held for {held:.0%} of the people. It looks first at "
            f"{self._first('engagement')}."
        )

    def _ltv_reading(self) -> str:
        gini, loss, total = (self._row("ltv", metric) for metric in ("gini", "deviance", "total_error"))
        held = self._row("ltv", "coverage")["value"]
        return (
            f"LTV, what people spend over the next {self.definition.horizons.ltv} days: {''.join(self.chosen)}. Its "
            f"order finds {gini['value']:.0%} of what a perfect order would find (BG/NBD with Gamma-Gamma "
            f"{gini['baseline']:.0%}); by deviance it is {_verdict(loss)}. The sum of its predictions was off by "
            f"{total['value']:.0%}, and its 90% intervals held for {held:.0%} of the people. It looks "
            f"first at {self._first('ltv')}."
        )

    def _action_reading(self) -> str:
        hit, surprise = self._row("next_action", "accuracy"), self._row("next_action", "log_loss")
        return (
            f"What a person does first in the next {self.definition.horizons.next_action} days, if anything, is "
            f"foreseen for {hit['value']:.0%} (by habit alone {hit['baseline']:.0%}); by log loss the model is "
            f"{_verdict(surprise)}. It looks first at {self._first('next_action')}."
        )

    def _rows(self, model: str) -> pd.DataFrame:
        return self.frame[self.frame["model"] == model]

    def _row(self, model: str, metric: str) -> pd.Series:
        rows = self._rows(model)
        return rows[rows["metric"] == metric].iloc[0]

    def _first(self, model: str) -> str:
        return str(self.importances.loc[self.importances["model"] == model, "feature"].iloc[0])


def _verdict(row: pd.Series) -> str:
    if row["gain_ci_low"] > 0:
        return "better than the baseline beyond chance"
    if row["gain_ci_high"] < 0:
        return "worse than the baseline and should not be used"
    return "not distinguishable from the baseline"
