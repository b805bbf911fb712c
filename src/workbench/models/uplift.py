"""What the recommended actions did: people who got one beside those who were left alone by chance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
import pandas as pd

from workbench.charts.spec import Chart, Line
from workbench.errors import NotEnoughData
from workbench.models.batch import RECOMMENDATIONS
from workbench.models.labels import outcomes
from workbench.results import Answer, Definition
from workbench.store import daily

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.store.base import Snapshot
    from workbench.store.clickhouse import ClickHouseStore
    from workbench.store.lake import LakeStore

RESAMPLES: Final = 400
EVERYBODY: Final = "all"
MIN_ARM: Final = 10
_POINTS: Final = 20


@dataclass(frozen=True, kw_only=True)
class UpliftDefinition(Definition):
    """Whose recommendations were followed, for how long."""

    question: ClassVar[str] = "uplift"
    until: datetime
    horizon_days: int
    seed: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Uplift(Answer):
    """The effect of acting on staying. `frame` has one row per level, and `all`.

    `frame`: `risk_level`, `treated` and `held_out` (people), `stayed_treated` and `stayed_held_out` (shares with an
    event within the horizon, weighted by one over the propensity), `uplift` (their difference) with its 95% interval
    `ci_low`, `ci_high`, `enough` (at least 10 people in each arm). A person counts with their first recommendation
    whose horizon is over, as what was drawn for them then is drawn for them ever after.

    Attributes:
        qini: The curve: `share` of people, those most at risk first, `gained` (people who stayed thanks to the action,
            per person of the group), `random` (the same had they been treated in any order).
        qini_coefficient: Area between the two, with its 95% interval: above 0, the risk finds who can be persuaded.
    """

    qini: pd.DataFrame
    qini_coefficient: tuple[float, float, float]
    definition: UpliftDefinition

    def chart(self) -> Chart:
        """Draw the Qini curve."""
        x = tuple(self.qini["share"])
        return Chart(
            title="What acting on the most at risk first gains",
            marks=(
                Line(x=x, y=tuple(self.qini["gained"]), label="most at risk first"),
                Line(x=x, y=tuple(self.qini["random"]), label="in any order", dashed=True),
            ),
            x_label="share of people acted on",
            y_label="stayed thanks to it, per person",
            x_scale="linear",
            y_format="percent",
            note=f"{int(self.frame['treated'].iloc[-1] + self.frame['held_out'].iloc[-1]):,} people",
        )

    def reading(self) -> str:
        """Say what acting did."""
        row = self.frame[self.frame["risk_level"] == EVERYBODY].iloc[0]
        if not row["enough"]:
            return (
                f"Not enough data: {row['treated']:.0f} people were acted on and {row['held_out']:.0f} left alone; at "
                f"least {MIN_ARM} of each are needed."
            )
        verdict = "beyond chance" if row["ci_low"] > 0 or row["ci_high"] < 0 else "which may be chance"
        value, low, high = self.qini_coefficient
        return (
            f"Of {row['treated']:,.0f} people who were acted on {row['stayed_treated']:.1%} stayed, of "
            f"{row['held_out']:,.0f} who were left alone {row['stayed_held_out']:.1%}: a difference of "
            f"{row['uplift']:+.1%} ({row['ci_low']:+.1%} to {row['ci_high']:+.1%}), {verdict}. The Qini "
            f"coefficient of the risk is {value:+.3f} ({low:+.3f} to {high:+.3f})."
        )


def uplift(
    store: LakeStore | ClickHouseStore,
    snapshot: Snapshot,
    *,
    horizon_days: int = 28,
    until: datetime | None = None,
    seed: int = 0,
) -> Uplift:
    """Compare those acted on with those left alone by chance.

    Args:
        store: Where recommendations are logged.
        snapshot: The events.
        horizon_days: How long after a recommendation people are followed.
        until: Only recommendations whose horizon was over by then count; the present when not given.
        seed: Of the bootstrap.

    Raises:
        NotEnoughData: Nothing was recommended so long ago.
    """
    now = until or datetime.now(UTC)
    log = _followed(store, snapshot, horizon_days=horizon_days, until=now)
    levels = [*sorted(log["risk_level"].unique()), EVERYBODY]
    rows = [_effect(log if level == EVERYBODY else log[log["risk_level"] == level], seed) for level in levels]
    curve = _curve(log)
    return Uplift(
        frame=pd.DataFrame(rows).assign(risk_level=levels)[["risk_level", *rows[0]]],
        sql="",
        definition=UpliftDefinition(until=now, horizon_days=horizon_days, seed=seed, people=snapshot.people),
        data_version=snapshot.data_version,
        qini=curve,
        qini_coefficient=_coefficient(log, seed),
    )


def _followed(
    store: LakeStore | ClickHouseStore, snapshot: Snapshot, *, horizon_days: int, until: datetime
) -> pd.DataFrame:
    """Return the first recommendation of each person whose horizon is over: `treated`, `stayed`, weight and risk."""
    length = timedelta(days=horizon_days)
    parts = []
    for day in daily.days(store, RECOMMENDATIONS):
        begin = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        table = daily.read(store, RECOMMENDATIONS, day=day)
        if begin + length > until or table is None:
            continue
        rows = table.to_pandas().set_index("user_id")
        after = outcomes(snapshot, begin, begin + length)["events"].reindex(rows.index).fillna(0.0)
        parts.append(rows.assign(stayed=(after > 0).astype("float64")))
    if not parts:
        raise NotEnoughData(f"no recommendation was logged {horizon_days} days before {until:%Y-%m-%d} or earlier")
    log = pd.concat(parts)
    log = log[~log.index.duplicated(keep="first")]
    risk = log["churn_risk"].astype("float64").fillna(1.0)  # who has churned comes first
    treated, weight = ~log["held_out"].astype(bool), 1 / log["propensity"].astype("float64")
    whole: pd.DataFrame = log.assign(treated=treated, weight=weight, risk=risk)
    return whole


def _effect(log: pd.DataFrame, seed: int) -> dict[str, object]:
    treated, weight, stayed = (log[name].to_numpy(dtype="float64") for name in ("treated", "weight", "stayed"))
    arms = [int(treated.sum()), int((1 - treated).sum())]
    enough = min(arms) >= MIN_ARM
    nothing = (float("nan"),) * 3
    shares = _shares(treated, weight, stayed)
    low, high = nothing[:2]
    if enough:
        rng = np.random.default_rng(seed)
        picks = (rng.integers(0, len(log), len(log)) for _ in range(RESAMPLES))
        drawn = [_shares(treated[pick], weight[pick], stayed[pick]) for pick in picks]
        low, high = np.nanquantile([one - other for one, other in drawn], [0.025, 0.975])
    return {
        "treated": arms[0],
        "held_out": arms[1],
        "stayed_treated": shares[0],
        "stayed_held_out": shares[1],
        "uplift": shares[0] - shares[1],
        "ci_low": float(low),
        "ci_high": float(high),
        "enough": enough,
    }


def _shares(
    treated: NDArray[np.float64], weight: NDArray[np.float64], stayed: NDArray[np.float64]
) -> tuple[float, float]:
    """Return the weighted share who stayed in each arm; `nan` for an empty one."""
    found = []
    for arm in (treated, 1 - treated):
        total = float((arm * weight).sum())
        found.append(float((arm * weight * stayed).sum()) / total if total else float("nan"))
    return found[0], found[1]


def _curve(log: pd.DataFrame) -> pd.DataFrame:
    """Return what is gained by acting on the first so many, those most at risk first."""
    gained = _gains(*_ordered(log))
    places = np.unique(np.linspace(0, len(gained) - 1, _POINTS + 1).astype(int))
    share = places / max(len(gained) - 1, 1)
    return pd.DataFrame({"share": share, "gained": gained[places], "random": share * gained[-1]})


def _coefficient(log: pd.DataFrame, seed: int) -> tuple[float, float, float]:
    treated, weight, stayed = _ordered(log)
    rng = np.random.default_rng(seed)
    # A resample of people in their order of risk stays in that order when its picks are sorted.
    picks = (np.sort(rng.integers(0, len(treated), len(treated))) for _ in range(RESAMPLES))
    drawn = [_area(_gains(treated[pick], weight[pick], stayed[pick])) for pick in picks]
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return _area(_gains(treated, weight, stayed)), float(low), float(high)


def _ordered(log: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    ranked = log.sort_values(["risk"], ascending=False, kind="stable")
    treated, weight, stayed = (ranked[name].to_numpy(dtype="float64") for name in ("treated", "weight", "stayed"))
    return treated, weight, stayed


def _gains(
    treated: NDArray[np.float64], weight: NDArray[np.float64], stayed: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Add up, person by person, the weighted outcomes of who was treated less those of who was not, per person."""
    signed = np.where(treated > 0, 1.0, -1.0) * weight * stayed
    return np.concatenate([[0.0], np.cumsum(signed)]) / max(len(treated), 1)


def _area(gained: NDArray[np.float64]) -> float:
    line = np.linspace(0.0, gained[-1], len(gained))
    return float(np.mean(gained - line))
