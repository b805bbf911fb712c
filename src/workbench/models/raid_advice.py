"""What to do with the next raid: recommendations with intervals, from what raids of the past came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
import pandas as pd

from workbench.charts.spec import Chart
from workbench.errors import InvalidArgument, NotEnoughData
from workbench.metrics import queries
from workbench.metrics.raid_facts import raid_facts
from workbench.models.logistic import share
from workbench.models.raid_design import SLOT_HOURS, SLOTS, Design, exposure_now
from workbench.models.raids import DRAWS, LEVEL, RaidSuccess, raid_success
from workbench.results import Answer, Definition

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from workbench.store.base import Snapshot

_PARAMETERS: Final = (
    "recommended_duration", "min_participants", "expected_participation", "success_probability",
    "expected_from_audience",
)  # fmt: skip
GOOD_ENOUGH: Final = 0.95
"""The reward that is suggested reaches this share of what the highest reward seen reaches."""

RECENT_DAYS: Final = 28


@dataclass(frozen=True, kw_only=True, eq=False)
class Turnout:
    """How many people come to a raid: ln(participants), linear in reward, slot, platform, exposure and weekend.

    Attributes:
        design: Of the columns, without participants.
        mean: Coefficients.
        cov: Their covariance.
        spread: Standard deviation of what is left.
    """

    design: Design
    mean: NDArray[np.float64]
    cov: NDArray[np.float64]
    spread: float

    def draws(self, raid: pd.DataFrame, *, seed: int) -> NDArray[np.float64]:
        """Draw how many come to one raid."""
        rng = np.random.default_rng(seed)
        beta = rng.multivariate_normal(self.mean, self.cov, size=DRAWS, method="cholesky")
        logs = beta @ self.design.matrix(raid)[0] + rng.normal(0, self.spread, DRAWS)
        return np.asarray(np.exp(np.clip(logs, 0, 15)), dtype="float64")


def fit_turnout(raids: pd.DataFrame, chosen: Design) -> Turnout:
    """Fit by least squares, held a little at zero so that a platform with one raid says little."""
    X, y = chosen.matrix(raids), np.log(raids["participants"].clip(lower=1).to_numpy(dtype="float64"))
    pull = np.diag([0.01 if name in ("base", "log reward", "log exposure") else 1.0 for name in chosen.names])
    inner = X.T @ X + pull
    mean = np.linalg.solve(inner, X.T @ y)
    spread = float(np.sqrt(((y - X @ mean) ** 2).sum() / max(len(y) - X.shape[1], 1)))
    return Turnout(
        design=chosen, mean=mean, cov=np.asarray(spread**2 * np.linalg.inv(inner), dtype="float64"), spread=spread
    )


@dataclass(frozen=True, kw_only=True)
class RaidAdviceDefinition(Definition):
    """What raid was asked about."""

    question: ClassVar[str] = "raid_advice"
    until: datetime | None
    tz: str
    platform: str | None
    seed: int


@dataclass(frozen=True, kw_only=True, eq=False)
class RaidAdvice(Answer):
    """How to set up the next raid. `frame` has one row per parameter, and none where there is not enough data.

    `frame`: `parameter`, `value`, `low`, `high` (90%), `note`.

    Attributes:
        told: What `RaidPerformanceAnalyzer.recommend_raid_parameters` says.
        success: Why raids succeed; `None` where there is not enough data.
    """

    told: dict[str, object]
    success: RaidSuccess | None
    definition: RaidAdviceDefinition

    def chart(self) -> Chart:
        """Draw success by participants."""
        return self.success.chart() if self.success else self._nothing()

    def duration_chart(self) -> Chart:
        """Draw success by duration."""
        return self.success.duration_chart() if self.success else self._nothing()

    def reward_chart(self) -> Chart:
        """Draw success by reward."""
        return self.success.reward_chart() if self.success else self._nothing()

    def reading(self) -> str:
        """Say why raids succeed and what to do, or that there is not enough data."""
        if self.success is None:
            return f"{str(self.told['reason']).capitalize()}."
        value, low, high = (self.frame.set_index("parameter")[name].to_dict() for name in ("value", "low", "high"))
        chance, people = "success_probability", "expected_participation"
        return (
            f"{self.success.reading()} The next raid, set up at {self.told['optimal_start_time']} for "
            f"{value['recommended_duration']:.0f} minutes and {value['base_xp']:.0f} XP, is joined by "
            f"{value[people]:.0f} people ({low[people]:.0f} to {high[people]:.0f}) and succeeds with a probability of "
            f"{value[chance]:.0%} ({low[chance]:.0%} to {high[chance]:.0%})."
        )

    def _nothing(self) -> Chart:
        return Chart(title="Not enough raids", marks=())


class RaidPerformanceAnalyzer:
    """Answers why raids succeed, and what to do with the next one, at one instant."""

    def __init__(
        self, snapshot: Snapshot, *, until: datetime | None = None, tz: str = "UTC", audience: Snapshot | None = None
    ) -> None:
        """Take the events, the instant (the present), the time zone of slots, and the events of an audience."""
        self.snapshot = snapshot
        self.audience = audience
        self._options: dict[str, Any] = {"until": until, "tz": tz}

    def analyze_raid_success_factors(self) -> dict[str, object]:
        """Say what successful raids have in common.

        Returns:
            `optimal_duration` (minutes with a 90% interval, or `None`), `best_time_slots` (slots by effect, the best
            first, with intervals), `participant_threshold` (for an even chance, or `None`), `engagement_patterns` (all
            drivers), `raids` and `success_rate`.

        Raises:
            NotEnoughData: Too few raids have ended.
        """
        found = self.success()
        slots = found.frame[found.frame["driver"].str.startswith("slot ")].sort_values("effect", ascending=False)
        return {
            "optimal_duration": _interval(found.best_duration),
            "best_time_slots": slots[["driver", "effect", "ci_low", "ci_high"]].to_dict("records"),
            "participant_threshold": _interval(found.threshold()),
            "engagement_patterns": found.frame.to_dict("records"),
            "raids": len(found.raids),
            "success_rate": float(found.raids["success"].mean()),
        }

    def recommend_raid_parameters(self, target_audience: str | None = None, *, seed: int = 0) -> dict[str, object]:
        """Recommend how to set up the next raid.

        Args:
            target_audience: The platform to call it on; any when not given.
            seed: Of the draws behind the intervals.

        Returns:
            `enough_data`; if so `recommended_duration` (minutes), `optimal_start_time` (the best slot's middle),
            `min_participants` (for an even chance), `reward_structure` (`base_xp`: the smallest reward that does nearly
            as well as the highest; `curve`), `expected_participation` and `success_probability`, each with `low` and
            `high`; for an audience of people, `expected_from_audience`. Else `reason`. What raids do not vary, such as
            multipliers, is not recommended.

        Raises:
            InvalidArgument: No raid was ever called on that platform.
        """
        try:
            found = self.success(seed=seed)
        except NotEnoughData as error:
            return {"enough_data": False, "reason": str(error)}
        if target_audience is not None and target_audience not in found.design.platforms:
            raise InvalidArgument(f"no raid was called on {target_audience!r}: {', '.join(found.design.platforms)}")
        slots = found.frame[found.frame["driver"].str.startswith("slot ")]
        slot = str(slots["driver"].iloc[int(slots["effect"].argmax())]).removeprefix("slot ")
        minutes = found.best_duration or (float(found.raids["duration_min"].median()),) * 3
        reward = _reward(found)
        raid = self._raid(found, platform=target_audience, slot=slot, minutes=minutes[0], reward=reward)
        people = fit_turnout(found.raids, _without(found.design)).draws(raid, seed=seed)
        told: dict[str, object] = {
            "enough_data": True,
            "recommended_duration": _interval(minutes),
            "optimal_start_time": f"{SLOTS.index(slot) * SLOT_HOURS + SLOT_HOURS // 2:02d}:00 {self._options['tz']}",
            "min_participants": _interval(found.threshold()),
            "reward_structure": {"base_xp": reward, "curve": found.rewards.to_dict("records")},
            "expected_participation": _spread(people),
            "success_probability": _spread(_chances(found, raid, people, seed=seed)),
        }
        if self.audience is not None:
            told["expected_from_audience"] = self._from_audience(found.definition.until)
        return told

    def advice(self, target_audience: str | None = None, *, seed: int = 0) -> RaidAdvice:
        """Give the recommendation as an answer; arguments as in `recommend_raid_parameters`."""
        told = self.recommend_raid_parameters(target_audience, seed=seed)
        enough = bool(told["enough_data"])
        definition = RaidAdviceDefinition(**self._options, platform=target_audience, seed=seed)
        return RaidAdvice(
            frame=_table(told),
            sql=queries.text("raid_facts", self.snapshot.engine),
            definition=definition,
            data_version=self.snapshot.data_version,
            told=told,
            success=self.success(seed=seed) if enough else None,
        )

    def success(self, *, seed: int = 0) -> RaidSuccess:
        """Ask why raids succeed; see `raids.raid_success`."""
        return raid_success(self.snapshot, **self._options, seed=seed)

    def _raid(
        self, found: RaidSuccess, *, platform: str | None, slot: str, minutes: float, reward: float
    ) -> pd.DataFrame:
        usual = str(found.raids["platform"].mode().iloc[0])
        reach = exposure_now(self.snapshot, platform, until=found.definition.until, tz=self._options["tz"])
        return pd.DataFrame(
            {
                "platform": [platform or usual],
                "slot": [slot],
                "weekend": [0.0],
                "duration_min": [minutes],
                "reward_xp": [reward],
                "exposure": [max(reach, 1.0)],
                "participants": [1.0],
            }
        )

    def _from_audience(self, until: datetime) -> dict[str, float]:
        """Count who of the audience came to the raids of the last four weeks."""
        since = until - pd.Timedelta(days=RECENT_DAYS)
        frames = [
            raid_facts(seen, since=since, until=until, now=until).frame.set_index("raid_id")["participants"]
            for seen in (self.snapshot, self.audience)
            if seen is not None
        ]
        joined = frames[1].reindex(frames[0].index, fill_value=0)
        mean = float(joined.mean()) if len(joined) else 0.0
        half = 1.644854 * float(joined.std() / np.sqrt(len(joined))) if len(joined) > 1 else float("nan")
        return {"value": mean, "low": max(mean - half, 0.0), "high": mean + half, "raids": float(len(joined))}


def _table(told: dict[str, object]) -> pd.DataFrame:
    rows = []
    for name in _PARAMETERS:
        found = told.get(name)
        if isinstance(found, dict):
            rows.append({"parameter": name, **{end: found[end] for end in ("value", "low", "high")}, "note": ""})
    reward = told.get("reward_structure")
    if isinstance(reward, dict):
        rows.append({"parameter": "base_xp", "value": reward["base_xp"], "note": "does nearly as well as the highest"})
    return pd.DataFrame(rows, columns=["parameter", "value", "low", "high", "note"])


def _without(chosen: Design) -> Design:
    return Design(platforms=chosen.platforms, minutes=chosen.minutes, exposure=chosen.exposure, participants=False)


def _chances(found: RaidSuccess, raid: pd.DataFrame, people: NDArray[np.float64], *, seed: int) -> NDArray[np.float64]:
    """Draw the chance of success, over what is not known of the coefficients and of who will come."""
    rows = pd.concat([raid] * len(people), ignore_index=True).assign(participants=people)
    draws = found.posterior.draws(len(people), seed=seed + 1)
    return share((draws * found.design.matrix(rows)).sum(axis=1))


def _reward(found: RaidSuccess) -> float:
    seen = np.sort(found.raids["reward_xp"].dropna().astype("float64").unique())
    if not len(seen):
        return float("nan")
    curve = np.interp(seen, found.rewards["reward_xp"], found.rewards["success_probability"])
    return float(seen[np.argmax(curve >= GOOD_ENOUGH * curve.max())])


def _spread(values: NDArray[np.float64]) -> dict[str, float]:
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return {"value": float(values.mean()), "low": float(low), "high": float(high)}


def _interval(found: tuple[float, ...] | None) -> dict[str, float] | None:
    return None if found is None else dict(zip(("value", "low", "high"), found, strict=True))
