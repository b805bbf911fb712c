"""Predictions for everybody: engagement and churn of the active, by the champions of the registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
import pandas as pd

from workbench.charts.spec import Bars, Chart
from workbench.errors import InvalidArgument
from workbench.metrics import queries
from workbench.models.churn import ChurnModel
from workbench.models.engagement import EngagementModel
from workbench.models.examples import span
from workbench.models.features import features
from workbench.models.registry import Registry
from workbench.results import Answer, Definition

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from workbench.store.base import Snapshot

LEVELS: Final = ("high", "medium", "low")


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """How many people can be cared for: shares of the scored population, most at risk first.

    Raises:
        InvalidArgument: The shares are below 0 or add up to more than 1.
    """

    high: float = 0.05
    medium: float = 0.15

    def __post_init__(self) -> None:
        if not (self.high >= 0 and self.medium >= 0 and self.high + self.medium <= 1):
            raise InvalidArgument(f"shares of people are at least 0 and at most 1 together, not {self}")


@dataclass(frozen=True, kw_only=True)
class PredictionsDefinition(Definition):
    """Who was scored, and by what."""

    question: ClassVar[str] = "predictions"
    cutoff: datetime
    horizon_days: int
    capacity: Capacity
    engagement_version: str
    churn_version: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions(Answer):
    """Predictions at a cutoff. `frame` has one row per person active in the horizon before it, by `user_id`.

    `frame`: `user_id`, `engagement_score` (predicted, in [0, 1]), `churn_risk` (probability), `risk_level` (`high`,
    `medium`, `low`: by capacity), `engagement_version`, `churn_version`. Who was silent for longer has churned
    already and is not scored.
    """

    definition: PredictionsDefinition

    def chart(self) -> Chart:
        """Draw how the risks are spread."""
        counts, edges = np.histogram(self.frame["churn_risk"], bins=10, range=(0, 1))
        names = tuple(f"{low:.0%}-{low + 0.1:.0%}" for low in edges[:-1])
        return Chart(
            title="Churn risk of the active people",
            marks=(Bars(x=names, y=tuple(float(count) for count in counts)),),
            x_label="probability of churning",
            y_label="people",
            note=f"{len(self.frame):,} people active in the {self.definition.horizon_days} days before",
        )

    def reading(self) -> str:
        """Say how many are at risk."""
        people, days = self.frame, self.definition.horizon_days
        if people.empty:
            return f"Nobody was active in the {days} days before {self.definition.cutoff:%Y-%m-%d}: nobody to score."
        high = people[people["risk_level"] == "high"]
        return (
            f"Of {len(people):,} people active in the {days} days before {self.definition.cutoff:%Y-%m-%d}, "
            f"{people['churn_risk'].sum():,.0f} are expected to be silent for the next {days}. The {len(high):,} most "
            f"at risk ({self.definition.capacity.high:.0%}: the capacity to act) have a mean risk of "
            f"{high['churn_risk'].mean():.0%}. Mean predicted engagement is {people['engagement_score'].mean():.2f}."
        )


def predictions(
    snapshot: Snapshot, registry: Path, cutoff: datetime | None = None, *, capacity: Capacity | None = None
) -> Predictions:
    """Score everybody who was active before the cutoff.

    Args:
        snapshot: The events.
        registry: Folder of the models; its champions are used.
        cutoff: Exclusive; just after the last event when not given.
        capacity: Shares of people to call at `high` and `medium` risk.

    Raises:
        ModelError: A champion is missing, altered, or made for other features.
        NotEnoughData: There are no events.
    """
    models, limits = Registry(registry), capacity or Capacity()
    engagement, engaged = models.load(EngagementModel, "engagement")
    churn, churning = models.load(ChurnModel, "churn")
    instant = cutoff or span(snapshot)[1]
    X = features(snapshot, instant).active(churning.horizon_days).X
    risk = churn.predict(X)
    frame = pd.DataFrame(
        {
            "engagement_score": engagement.predict(X),
            "churn_risk": risk,
            "risk_level": levels(risk, limits),
            "engagement_version": engaged.version,
            "churn_version": churning.version,
        }
    )
    return Predictions(
        frame=frame.reset_index(),
        sql=queries.text("features", snapshot.engine, room="models"),
        definition=PredictionsDefinition(
            cutoff=instant,
            horizon_days=churning.horizon_days,
            capacity=limits,
            engagement_version=engaged.version,
            churn_version=churning.version,
        ),
        data_version=snapshot.data_version,
    )


def levels(risk: pd.Series, capacity: Capacity) -> pd.Series:
    """Sort people into levels by how many can be cared for; of equal risks the lesser `user_id` comes first.

    >>> levels(pd.Series({"ann": 0.2, "bob": 0.9}), Capacity(high=0.5, medium=0.0)).to_dict()
    {'ann': 'low', 'bob': 'high'}
    """
    order = np.lexsort((np.asarray(risk.index, dtype=str), -risk.to_numpy()))
    place = np.empty(len(risk), dtype=np.int64)
    place[order] = np.arange(len(risk))
    bounds = np.floor(len(risk) * np.cumsum([capacity.high, capacity.medium]) + 1e-9)
    return pd.Series(np.array(LEVELS, dtype=object)[np.digitize(place, bounds)], index=risk.index, name="risk_level")
