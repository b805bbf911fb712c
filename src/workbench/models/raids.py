"""Why raids succeed: drivers beside each other, dose and response, and what to do next time; or "not enough data"."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
import pandas as pd

from workbench.charts.spec import Band, Chart, Line
from workbench.errors import NotApplicable, NotEnoughData
from workbench.metrics import queries
from workbench.models import evaluate
from workbench.models.logistic import Posterior, fit_logistic, share
from workbench.models.raid_design import Design, design, ended_raids
from workbench.results import Answer, Definition

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.store.base import Snapshot

LEVEL: Final = 0.9
MIN_RAIDS: Final = 60
MIN_OF_EACH: Final = 10
TEST_SHARE: Final = 0.3
DRAWS: Final = 1_000
_STEPS: Final = 24
_METRICS: Final[dict[str, evaluate.Metric]] = {
    "brier": evaluate.brier, "auc": evaluate.auc, "calibration_error": evaluate.calibration_error,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class RaidSuccessDefinition(Definition):
    """Which raids were looked at, and how."""

    question: ClassVar[str] = "raid_success"
    until: datetime
    tz: str
    seed: int
    level: float = LEVEL


@dataclass(frozen=True, kw_only=True, eq=False)
class RaidSuccess(Answer):
    """What drives the success of raids. `frame` has one row per driver.

    `frame`: `driver`, `effect` on the log-odds of success, all else as it is, with its 90% interval `ci_low`,
    `ci_high`, `odds_ratio`, `total_effect` (not holding participants fixed: what a driver does by bringing people
    counts as its own), `raids` (those that say something about it). Effects of a slot or platform are differences from
    the mean of all, shrunk to each other; of a `log` for e times as much (of `log2 duration`, see `durations`).

    Attributes:
        raids: The rows of `raid_design.ended_raids`.
        durations: Success by minutes, all else as it was: `duration_min`, `success_probability`, `ci_low`, `ci_high`.
        doses: Success by participants, likewise: `participants`, ….
        rewards: Success by reward, participants following: `reward_xp`, ….
        scores: Out of time: `metric`, `value`, `ci_low`, `ci_high`, `baseline` (the share of before), `gain`, …, `n`.
        calibration: Out of time, in groups by prediction: `predicted`, `observed`, `ci_low`, `ci_high`, `n`.
        posterior: Of the coefficients.
        design: Of the columns.
    """

    raids: pd.DataFrame
    durations: pd.DataFrame
    doses: pd.DataFrame
    rewards: pd.DataFrame
    scores: pd.DataFrame
    calibration: pd.DataFrame
    posterior: Posterior
    design: Design
    snapshot: Snapshot = field(repr=False)
    definition: RaidSuccessDefinition

    def chart(self) -> Chart:
        """Draw success by the number of participants."""
        return self._curve(self.doses, "participants", "people who join")

    def duration_chart(self) -> Chart:
        """Draw success by duration."""
        return self._curve(self.durations, "duration_min", "minutes")

    def reward_chart(self) -> Chart:
        """Draw success by reward."""
        return self._curve(self.rewards, "reward_xp", "XP promised")

    @property
    def best_duration(self) -> tuple[float, float, float] | None:
        """Minutes with the highest success, with a 90% interval; `None` where no best is seen among those tried."""
        draws = self.posterior.draws(DRAWS, seed=self.definition.seed)
        slope, bend = (draws[:, self.posterior.place(name)] for name in ("log2 duration", "log2 duration squared"))
        shortest, longest = self.raids["duration_min"].min(), self.raids["duration_min"].max()
        with np.errstate(over="ignore", divide="ignore"):
            best = self.design.minutes * 2.0 ** np.clip(-slope / (2 * bend), -10, 10)
        inside = (bend < 0) & (best >= shortest) & (best <= longest)
        if inside.mean() < LEVEL:
            return None
        low, middle, high = np.quantile(best[inside], [0.05, 0.5, 0.95])
        return float(middle), float(low), float(high)

    def threshold(self, target: float = 0.5) -> tuple[float, float, float] | None:
        """Return how many participants it takes for a chance of `target`, with a 90% interval.

        Other things are as they were. `None` where it is not reached among the numbers seen.
        """
        draws = self.posterior.draws(DRAWS, seed=self.definition.seed)
        counts = np.arange(1.0, float(self.raids["participants"].max()) + 1)
        curves = _standardised(self.raids, self.design, draws, "participants", counts)
        reached = curves >= target
        if reached.any(axis=1).mean() < LEVEL:
            return None
        first = counts[reached[reached.any(axis=1)].argmax(axis=1)]
        low, middle, high = np.quantile(first, [0.05, 0.5, 0.95])
        return float(middle), float(low), float(high)

    def reading(self) -> str:
        """Say what drives success, and how far that can be trusted."""
        brier, error = (self.scores.set_index("metric").loc[name] for name in ("brier", "calibration_error"))
        slots = self.frame[self.frame["driver"].str.startswith("slot ")].sort_values("effect")
        best, worst = slots.iloc[-1], slots.iloc[0]
        minutes, needed = self.best_duration, self.threshold()
        told = [
            f"Of {len(self.raids):,} raids {self.raids['success'].mean():.0%} succeeded",
            f"All else equal, the {best['driver'].removeprefix('slot ')} is the best time of day and the "
            f"{worst['driver'].removeprefix('slot ')} the worst",
            "Among the durations tried there is no best one that can be told apart"
            if minutes is None
            else f"The best duration is {minutes[0]:.0f} minutes ({minutes[1]:.0f} to {minutes[2]:.0f})",
            "Half of the raids succeed at no number of participants that was seen"
            if needed is None
            else f"It takes {needed[0]:.0f} participants ({needed[1]:.0f} to {needed[2]:.0f}) for an even chance",
            f"On {brier['n']:.0f} later raids the probabilities had a Brier score of {brier['value']:.3f}, where the "
            f"share of before has {brier['baseline']:.3f}, and were off by {error['value']:.1%} on average",
        ]
        return ". ".join(told) + "."

    def _curve(self, curve: pd.DataFrame, name: str, label: str) -> Chart:
        x = tuple(map(float, curve[name]))
        return Chart(
            title=f"Raid success by {label}",
            marks=(
                Band(x=x, low=tuple(curve["ci_low"]), high=tuple(curve["ci_high"]), label=f"{LEVEL:.0%} interval"),
                Line(x=x, y=tuple(curve["success_probability"]), label="probability of success"),
            ),
            x_label=label,
            y_label="probability of success",
            x_scale="linear",
            y_format="percent",
            note=f"{len(self.raids):,} raids; other things as they were",
        )


def raid_success(snapshot: Snapshot, *, until: datetime | None = None, tz: str = "UTC", seed: int = 0) -> RaidSuccess:
    """Ask why raids succeed.

    A logistic regression of success on everything at once: time of day, duration (with a bend), participants, reward,
    platform, weekend, and exposure, how many people could have come. So a driver is not credited with what came along
    with it. Success out of time is judged by fitting the first seven tenths and predicting the rest.

    Args:
        snapshot: The events.
        until: Only raids that were over before are looked at; the present when not given.
        tz: Time zone of the slots.
        seed: Of the draws behind the intervals.

    Raises:
        NotEnoughData: Fewer than 60 raids have ended, or fewer than 10 succeeded or failed.
    """
    now = until or datetime.now(UTC)
    raids = ended_raids(snapshot, until=now, tz=tz)
    enough_raids(raids)
    chosen = design(raids)
    posterior = fit_raids(raids, chosen)
    draws = posterior.draws(DRAWS, seed=seed)
    scores, calibration = _tested(raids, seed=seed)
    minutes, people, rewards = (_range(raids[name]) for name in ("duration_min", "participants", "reward_xp"))
    return RaidSuccess(
        frame=_drivers(raids, chosen, posterior),
        sql=queries.text("raid_facts", snapshot.engine),
        definition=RaidSuccessDefinition(until=now, tz=tz, seed=seed, people=snapshot.people),
        data_version=snapshot.data_version,
        raids=raids,
        durations=_curve(raids, chosen, draws, "duration_min", minutes),
        doses=_curve(raids, chosen, draws, "participants", people),
        rewards=_reward_curve(raids, rewards, seed=seed),
        scores=scores,
        calibration=calibration,
        posterior=posterior,
        design=chosen,
        snapshot=snapshot,
    )


def enough_raids(raids: pd.DataFrame) -> None:
    """Refuse to learn from too few raids.

    Raises:
        NotEnoughData: Fewer than 60, or fewer than 10 that succeeded or failed.
        NotApplicable: All succeeded, or all failed.
    """
    won = int(raids["success"].sum())
    if len(raids) >= MIN_RAIDS and won in (0, len(raids)):
        outcome = "succeeded" if won else "failed"
        raise NotApplicable(f"not applicable: all {len(raids)} raids {outcome}, so that nothing tells success apart")
    if len(raids) < MIN_RAIDS or min(won, len(raids) - won) < MIN_OF_EACH:
        raise NotEnoughData(
            f"not enough data: {len(raids)} raids have ended, {won} of them with success; at least {MIN_RAIDS} are "
            f"needed, {MIN_OF_EACH} of each outcome"
        )


def fit_raids(raids: pd.DataFrame, chosen: Design) -> Posterior:
    """Fit the regression of success on the columns of a design."""
    return fit_logistic(chosen.matrix(raids), raids["success"].to_numpy(), chosen.names, chosen.groups)


def effects(posterior: Posterior, chosen: Design) -> pd.DataFrame:
    """Return the effects with their 90% intervals; those of a group as differences from the group's mean.

    Returns:
        One row per column but the base: `driver`, `effect`, `ci_low`, `ci_high`.
    """
    centred = np.eye(len(posterior.names))
    for members in chosen.groups.values():
        places = [posterior.place(name) for name in members]
        centred[np.ix_(places, places)] -= 1 / len(places)
    mean = centred @ posterior.mean
    half = 1.644854 * np.sqrt(np.maximum(np.diag(centred @ posterior.cov @ centred.T), 0))
    table = pd.DataFrame({"driver": posterior.names, "effect": mean, "ci_low": mean - half, "ci_high": mean + half})
    return table[table["driver"] != "base"].reset_index(drop=True)


def _drivers(raids: pd.DataFrame, chosen: Design, posterior: Posterior) -> pd.DataFrame:
    table = effects(posterior, chosen)
    whole = replace(chosen, participants=False)
    total = effects(fit_raids(raids, whole), whole).set_index("driver")["effect"]
    counts = pd.Series((chosen.matrix(raids) != 0).sum(axis=0), index=chosen.names)
    return table.assign(
        odds_ratio=np.exp(table["effect"]),
        total_effect=table["driver"].map(total),
        raids=table["driver"].map(counts).astype("int64"),
    )


def _range(values: pd.Series) -> NDArray[np.float64]:
    known = values.dropna().astype("float64")
    low, high = (known.min(), known.quantile(0.98)) if len(known) else (1.0, 1.0)
    return np.unique(np.round(np.linspace(max(low, 1.0), max(high, 1.0), _STEPS)))


def _standardised(
    raids: pd.DataFrame, chosen: Design, draws: NDArray[np.float64], name: str, values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean chance of all raids had one thing been so: a row per draw, a column per value."""
    columns = [share(draws @ chosen.matrix(raids.assign(**{name: value})).T).mean(axis=1) for value in values]
    return np.column_stack(columns)


def _curve(
    raids: pd.DataFrame, chosen: Design, draws: NDArray[np.float64], name: str, values: NDArray[np.float64]
) -> pd.DataFrame:
    found = _standardised(raids, chosen, draws, name, values)
    low, high = np.quantile(found, [0.05, 0.95], axis=0)
    return pd.DataFrame({name: values, "success_probability": found.mean(axis=0), "ci_low": low, "ci_high": high})


def _reward_curve(raids: pd.DataFrame, values: NDArray[np.float64], *, seed: int) -> pd.DataFrame:
    """Work out success by reward without holding participants fixed: more reward brings more people, too."""
    whole = design(raids, participants=False)
    draws = fit_raids(raids, whole).draws(DRAWS, seed=seed)
    return _curve(raids, whole, draws, "reward_xp", values)


def _tested(raids: pd.DataFrame, *, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Fit the earlier raids and predict the later ones; the baseline is the share of before."""
    cut = int(len(raids) * (1 - TEST_SHARE))
    early, late = raids.iloc[:cut], raids.iloc[cut:].set_index("raid_id")
    if early["success"].nunique() < 2:  # noqa: PLR2004 - both outcomes
        raise NotEnoughData(f"not enough data: the first {cut} raids all ended alike, so that nothing can be tested")
    chosen = design(early)
    posterior = fit_raids(early, chosen)
    said = share(posterior.draws(DRAWS, seed=seed) @ chosen.matrix(late).T).mean(axis=0)
    predicted, base = pd.Series(said, index=late.index), pd.Series(early["success"].mean(), index=late.index)
    scores = evaluate.compare(_METRICS, late["success"], predicted, baseline=base, seed=seed)
    return scores, evaluate.calibration(late["success"], predicted)
