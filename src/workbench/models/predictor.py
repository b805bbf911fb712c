"""Predictions for one person, and the forecast: the models behind one object."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from workbench.errors import InvalidArgument
from workbench.models.examples import span
from workbench.models.features import FeatureFrame, features
from workbench.models.forecast import forecast
from workbench.models.lessons import LESSONS
from workbench.models.policy import CHURNED
from workbench.models.score import predictions
from workbench.models.train import train

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from workbench.models.lessons import Horizons
    from workbench.models.policy import Policy
    from workbench.models.registry import Registry
    from workbench.models.score import Predictions
    from workbench.models.training import Training
    from workbench.store.base import Snapshot


class UserBehaviorPredictor:
    """Predicts people and activity at one cutoff, from models that it trains or finds in a registry."""

    def __init__(
        self,
        snapshot: Snapshot,
        registry: Registry,
        *,
        cutoff: datetime | None = None,
        rules: Policy | None = None,
        horizons: Horizons | None = None,
    ) -> None:
        """Take the events, the models, the instant to predict at (the end of the events), policy and horizons."""
        self.snapshot = snapshot
        self.registry = registry
        self.cutoff = cutoff
        self.rules = rules
        self.horizons = horizons

    def train_engagement_model(self, *, seed: int = 0) -> Training:
        """Train, measure and publish the engagement model; see `train.train`."""
        return self._train("engagement", seed)

    def train_churn_model(self, *, seed: int = 0) -> Training:
        """Train, measure and publish the churn model; see `train.train`."""
        return self._train("churn", seed)

    def train_ltv_model(self, *, seed: int = 0) -> Training:
        """Train, measure and publish the LTV model; see `train.train`."""
        return self._train("ltv", seed)

    def train_next_action_model(self, *, seed: int = 0) -> Training:
        """Train, measure and publish the next-action model; see `train.train`."""
        return self._train("next_action", seed)

    def predict_churn_risk(self, user_id: str) -> dict[str, object]:
        """Predict one person's churn, ranked among everybody who is active.

        Returns:
            `user_id`, `churn_risk` (probability; `None` for who has churned already), `risk_level` (`high`, `medium`,
            `low` by capacity or cost, or `churned`), `recommended_action` (`none` for who is left alone, by level or as
            part of the holdout).

        Raises:
            InvalidArgument: Nobody of this id was seen before the cutoff.
            ModelError: There is no intact champion.
        """
        row = self.predict(user_id)
        risk = None if row["risk_level"] == CHURNED else row["churn_risk"]
        told = {name: row[name] for name in ("risk_level", "recommended_action")}
        return {"user_id": user_id, "churn_risk": risk, **told}

    def predict(self, user_id: str) -> dict[str, Any]:
        """Return everything that is predicted of one person: the columns of `score.Predictions`; raises as above."""
        everybody = self._scored.everybody
        rows = everybody[everybody["user_id"] == user_id]
        if rows.empty:
            raise InvalidArgument(f"no event of user {user_id!r} is known before the cutoff")
        return {str(name): value for name, value in rows.iloc[0].items()}

    def contributions(self, user_id: str, model: str = "churn") -> pd.Series:
        """Say what moves one person's prediction: per feature and `base`, the largest first.

        They add up to the log-odds of churn, the engagement score, the logarithm of the USD, or the score of the
        likeliest next action.

        Raises:
            InvalidArgument: Nobody of this id was active before the cutoff, or there is no such model.
            ModelError: There is no intact champion.
        """
        if model not in LESSONS:
            raise InvalidArgument(f"models are {', '.join(LESSONS)}, not {model!r}")
        champion = self.registry.serving(LESSONS[model].model, model).model
        X = self._known.X
        if user_id not in X.index:
            raise InvalidArgument(f"no event of user {user_id!r} is known before the cutoff")
        moved: pd.Series = champion.contributions(X.loc[[user_id]]).iloc[0]
        return moved.reindex(moved.abs().sort_values(ascending=False, kind="stable").index).rename("contribution")

    def forecast_activity(self, days_ahead: int = 30) -> dict[str, object]:
        """Forecast daily active people.

        Returns:
            `forecast` (a frame of `ds`, `yhat`, `yhat_lower`, `yhat_upper`), `trend` (its mean over these days) and
            `seasonality` (effect by weekday, in people).
        """
        answer = forecast(self.snapshot, days_ahead=days_ahead, until=self.cutoff, test=False)
        effects = answer.seasonality.set_index("weekday")["effect"].to_dict()
        return {"forecast": answer.frame, "trend": answer.trend, "seasonality": effects}

    @cached_property
    def _known(self) -> FeatureFrame:
        return features(self.snapshot, self.cutoff or span(self.snapshot)[1])

    @cached_property
    def _scored(self) -> Predictions:
        return predictions(self.snapshot, self.registry, self._known.cutoff, rules=self.rules, known=self._known)

    def _train(self, model: str, seed: int) -> Training:
        self.__dict__.pop("_scored", None)
        return train(
            self.snapshot,
            cutoff=self.cutoff,
            registry=self.registry,
            horizons=self.horizons,
            models=[model],
            seed=seed,
        )
