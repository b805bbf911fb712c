"""What the models learn to predict: who goes silent, and how engaged people will be."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.errors import InvalidArgument
from workbench.models.features import WINDOW_DAYS, person_by_person

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from workbench.store.base import Snapshot

ACTIONS: Final = ("ai", "message", "none", "purchase", "raid", "wallet")
"""What a person may do next; `none` where none of the others happens within the horizon."""

DISCOUNT: Final = 0.1
"""By how much a dollar is worth less a year later."""

SATURATION: Final = {"messages": 20.0, "session_hours": 4.0, "raids": 4.0, "ai_interactions": 10.0}
"""How much of each, in 28 days, gives 63% (1 - 1/e) of what it can add to the engagement score."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """How much each kind of activity counts in the engagement score; only their proportions matter.

    Raises:
        InvalidArgument: A weight is negative, or all are zero.
    """

    messages: float = 0.4
    session_time: float = 0.2
    raids: float = 0.25
    ai: float = 0.15

    def __post_init__(self) -> None:
        values = list(asdict(self).values())
        if not (min(values) >= 0 and 0 < sum(values) < float("inf")):
            raise InvalidArgument(f"engagement weights are at least 0, one of them more, not {asdict(self)}")


def outcomes(snapshot: Snapshot, since: datetime, until: datetime, *, discount: float = DISCOUNT) -> pd.DataFrame:
    """Count what each person did in `[since, until)`.

    Returns:
        One row per person with an event (index `user_id`): `events`, `messages`, `session_hours`, `raids`,
        `ai_interactions`, `value_usd` (of purchases, as worth at `since`), `action` (the first one, of `ACTIONS`).
        Who is missing did nothing.
    """
    table = person_by_person(snapshot, ("labels",), {"since": since, "until": until, "discount": discount})
    action = table["action"].astype("object").where(table["action"].notna(), "none")
    return table.drop(columns="action").astype("float64").assign(action=action)


def engagement_score(activity: pd.DataFrame, *, weights: Weights | None = None, days: float = WINDOW_DAYS) -> pd.Series:
    """Score activity in [0, 1]: a weighted mean of kinds of activity, each of which saturates.

    Each kind gives `1 - exp(-amount / saturation)`, so the tenth message counts more than the hundredth,
    and no single kind makes a person fully engaged.

    Args:
        activity: Columns `messages`, `session_hours`, `raids`, `ai_interactions`, one row per person.
        weights: How much each kind counts.
        days: Length of time in which the activity was counted; saturation is scaled to it.

    >>> import pandas as pd
    >>> one = pd.DataFrame({"messages": [20], "session_hours": [0], "raids": [0], "ai_interactions": [0]})
    >>> round(float(engagement_score(one)[0]), 3)
    0.253
    """
    chosen = weights or Weights()
    shares = np.array([chosen.messages, chosen.session_time, chosen.raids, chosen.ai])
    amounts = activity[list(SATURATION)].to_numpy(dtype="float64")
    saturated = 1 - np.exp(-amounts * WINDOW_DAYS / days / np.array(list(SATURATION.values())))
    score: pd.Series = (activity["messages"] * 0.0).add(saturated @ (shares / shares.sum())).rename("engagement_score")
    return score


def recent_score(X: pd.DataFrame, *, weights: Weights | None = None) -> pd.Series:
    """Score the last 28 days, from features: what the engagement model has to beat."""
    activity = X[[f"{name}_28" for name in SATURATION]].set_axis(list(SATURATION), axis=1)
    return engagement_score(activity, weights=weights)
