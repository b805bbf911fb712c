"""Predictions for one person, and the forecast: the models behind one object."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Final

from workbench.errors import InvalidArgument
from workbench.models.forecast import forecast
from workbench.models.score import predictions
from workbench.models.train import train

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    import pandas as pd

    from workbench.models.training import Training
    from workbench.store.base import Snapshot

ACTIONS: Final = {
    "high": "a personal message from a moderator",
    "medium": "an invitation to the next raid",
    "low": "none",
    "churned": "a win-back message",
}
"""What to do by level. Whether it helps is not known before it is measured with a holdout."""


class UserBehaviorPredictor:
    """Predicts engagement, churn and activity at one cutoff, from models that it trains or finds in a registry."""

    def __init__(self, snapshot: Snapshot, registry: Path, *, cutoff: datetime | None = None) -> None:
        """Take the events, the folder of the models, and the instant to predict at (the end of the events)."""
        self.snapshot = snapshot
        self.registry = registry
        self.cutoff = cutoff

    def train_engagement_model(self, *, churn_days: int = 28, seed: int = 0) -> Training:
        """Train, measure and publish the engagement model; see `train.train`."""
        return self._train("engagement", churn_days, seed)

    def train_churn_model(self, *, churn_days: int = 28, seed: int = 0) -> Training:
        """Train, measure and publish the churn model; see `train.train`."""
        return self._train("churn", churn_days, seed)

    def predict_churn_risk(self, user_id: str) -> dict[str, object]:
        """Predict one person's churn, ranked among everybody who is active.

        Returns:
            `user_id`, `churn_risk` (probability; `None` for who has churned already), `risk_level` (`high`, `medium`,
            `low` by capacity, or `churned`), `recommended_action`.

        Raises:
            InvalidArgument: Nobody of this id was seen before the cutoff.
            ModelError: There is no intact champion.
        """
        if user_id in self._scored.index:
            row = self._scored.loc[user_id].to_dict()
        elif self._seen(user_id):
            row = {"churn_risk": None, "risk_level": "churned"}
        else:
            raise InvalidArgument(f"no event of user {user_id!r} is known before the cutoff")
        level = row["risk_level"]
        return {
            "user_id": user_id,
            "churn_risk": row["churn_risk"],
            "risk_level": level,
            "recommended_action": ACTIONS[level],
        }

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
    def _scored(self) -> pd.DataFrame:
        return predictions(self.snapshot, self.registry, self.cutoff).frame.set_index("user_id")

    def _seen(self, user_id: str) -> bool:
        sql = "SELECT count(*) AS n FROM events WHERE user_id = $user AND ($cutoff IS NULL OR occurred_at < $cutoff)"
        return bool(self.snapshot.query(sql, {"user": user_id, "cutoff": self.cutoff})["n"][0].as_py())

    def _train(self, model: str, churn_days: int, seed: int) -> Training:
        self.__dict__.pop("_scored", None)
        return train(
            self.snapshot, cutoff=self.cutoff, registry=self.registry, churn_days=churn_days, models=[model], seed=seed
        )
