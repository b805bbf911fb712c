"""How likely the journeys that are still open are to end here, or without reaching a goal: and how good that is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from workbench.charts.formats import number
from workbench.charts.spec import Band, Chart, Line, Points
from workbench.errors import InvalidArgument, NotEnoughData
from workbench.metrics import clustered, journey_hazard, sequences
from workbench.metrics.journey_view import View, of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.metrics.journey_hazard import Hazard, Scale
    from workbench.metrics.journey_trails import Trails
    from workbench.metrics.journeys import JourneyDefinition, Journeys

_FEWEST_PATHS: Final = 200
_FEWEST: Final = 20
"""Looks at paths that were lost, and at such that were not, under which nothing is calibrated or judged."""

_PARTS: Final = (0.6, 0.8)
"""Up to which share of the paths, by when they began, the hazard learns, and up to which it is calibrated."""

_SETTLED: Final = 0.99
_GROUPS: Final = 10
_EVERY: Final = 0.618
"""Instants at which paths are looked at are apart by so much of the pause: no round part of an hour."""

_MICRO: Final = timedelta(microseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Score:
    """How good the risk was for the newest paths, which it had not seen.

    Attributes:
        looks: At how many moments of open paths it was asked.
        paths: Of how many paths.
        brier: Its mean squared error.
        baseline: That of the share that was lost before, said of everybody.
        gain: By how much it is better, with the 95% interval `gain_ci_low`, `gain_ci_high` (clustered by person).
    """

    looks: int
    paths: int
    brier: float
    baseline: float
    gain: float
    gain_ci_low: float
    gain_ci_high: float


@dataclass(frozen=True, kw_only=True, eq=False)
class DropOff(View):
    """The risk of the journeys that are open.

    `frame` has one row per open journey, and so per person, the highest risk first: `user_id`, `started_at`,
    `last_event`, `steps` (events so far), `silent_seconds`, `risk` (the calibrated probability that it ends with this
    event; or, given a goal, that it ends without reaching the goal: journeys that have reached it are not listed).

    The risk comes from `journey_hazard`, learnt from the oldest 60% of the journeys that are over, calibrated on the
    next 20%, and judged on the newest 20%, each looked at as they were at evenly spaced instants while they were open.
    `calibration` has one row per group of looks with a similar risk: `predicted` (mean risk), `observed` (share that
    was lost) with its 95% interval `ci_low`, `ci_high` (clustered by person), `looks`, `people`.
    """

    goal: str | None
    calibration: pd.DataFrame = field(repr=False)
    score: Score

    def people(self, at_least: float = 0.0, below: float = np.inf) -> list[str]:
        """List the people whose open journey has a risk in a range: as many as the frame has rows in it."""
        risk = self.frame["risk"]
        return sorted(self.frame.loc[(risk >= at_least) & (risk < below), "user_id"])

    def chart(self) -> Chart:
        """Draw what was predicted beside what happened."""
        table = self.calibration
        x = tuple(table["predicted"])
        marks = (
            Line(x=(0.0, 1.0), y=(0.0, 1.0), label="as predicted", dashed=True),
            Line(x=x, y=tuple(table["observed"]), label="what happened"),
            Band(x=x, low=tuple(table["ci_low"]), high=tuple(table["ci_high"]), label="what happened"),
            Points(x=x, y=tuple(table["observed"]), label="what happened"),
        )
        note = f"{self.score.looks:,} looks at {self.score.paths:,} later paths; 95% interval, clustered by person"
        return Chart(
            title=f"Does a risk to {self._lost} come true?", x_scale="linear", x_label="predicted risk",
            y_label="share that did", y_format="percent", marks=marks, note=note,
        )  # fmt: skip

    @property
    def _lost(self) -> str:
        return "end here" if self.goal is None else f"end without {self.goal}"

    def _reading(self) -> str:
        """Say how many are open, how many of them will be lost, and whether the risk can be trusted."""
        tested, risk = self.score, self.frame["risk"]
        told = f"{len(self.frame):,} journeys are open"
        if len(self.frame):
            told += f"; {number(float(risk.mean()), 'percent')} of them can be expected to {self._lost}"
        beside = (
            f"Brier score {number(tested.brier, 'decimal')} beside {number(tested.baseline, 'decimal')} of one rate"
        )
        sure = tested.gain_ci_low > 0
        return f"{told}. Of later paths the risk {'knows more' if sure else 'knows no more'} than one rate ({beside})."


def drop_off(journeys: Journeys, goal: str | None) -> DropOff:
    """Say how likely the journeys that are still open are to end here, or without reaching a goal.

    Raises:
        InvalidArgument: The journeys are such that nobody can tell whether one is open, or no path has the goal.
        NotEnoughData: Too few journeys are over to learn from, to calibrate and to judge.
    """
    gap, horizon = _pause(journeys.definition), _horizon(journeys.definition)
    trails = journeys.trails
    place = -1 if goal is None else trails.place(goal)
    began, last = trails.at[trails.starts[:-1]], trails.at[trails.starts[1:] - 1]
    is_open = last + gap >= horizon
    parts = _parted(began, last, ~is_open, horizon - gap)
    hazard = journey_hazard.fit(trails, parts[0], goal=place, gap=gap)
    before, after = (_Looks.at(trails, hazard, part, place, gap) for part in parts[1:])
    scale = journey_hazard.scale(before.risk, before.lost)
    calibration, score = _judged(scale(after.risk), after, float(before.lost.mean()))
    waiting = is_open if goal is None else is_open & (trails.anchors((goal,)) < 0)
    frame = _open(journeys, np.flatnonzero(waiting), hazard, scale, horizon)
    view = of(journeys, "drop-off", goal=goal)
    return DropOff(frame=frame, goal=goal, calibration=calibration, score=score, paths=trails.paths, **view)


def _pause(asked: JourneyDefinition) -> int:
    """Return the pause that ends a journey; where none does, or not all is seen of each, there is no risk to tell."""
    if not isinstance(asked.sessions, timedelta):
        raise InvalidArgument(
            f"whether a journey is open is known where a pause ends it, such as sessions='30m', got {asked.sessions!r}"
        )
    if asked.collapse:
        raise InvalidArgument("how long a journey is silent is known where every event is kept: ask without `collapse`")
    if asked.having or asked.without:
        raise InvalidArgument("journeys chosen by what they have are chosen by how they end: ask of all of them")
    return asked.sessions // _MICRO


def _horizon(asked: JourneyDefinition) -> int:
    """Return until when journeys are seen, in microseconds since 1970."""
    seen = asked.now if asked.until is None else min(asked.now, asked.until)
    return (seen - _EPOCH) // _MICRO


def _parted(
    began: NDArray[np.int64], last: NDArray[np.int64], over: NDArray[np.bool_], horizon: int
) -> tuple[NDArray[np.bool_], ...]:
    """Part the journeys that are over by when they began; of the last ones only the short are, so they are left out."""
    longest = np.quantile((last - began)[over], _SETTLED) if over.any() else 0
    settled = over & (began < horizon - longest)
    if settled.sum() < _FEWEST_PATHS:
        raise NotEnoughData(f"{settled.sum()} journeys are over; {_FEWEST_PATHS} are needed to tell the risk of others")
    first, second = np.quantile(began[settled], _PARTS)
    return settled & (began < first), settled & (began >= first) & (began < second), settled & (began >= second)


@dataclass(frozen=True, slots=True)
class _Looks:
    """Paths as they were at some instants: the risk that the hazard tells, what came of it, and of whom."""

    risk: NDArray[np.float64]
    lost: NDArray[np.bool_]
    person: NDArray[np.int64]
    paths: int

    @classmethod
    def at(cls, trails: Trails, hazard: Hazard, chosen: NDArray[np.bool_], goal: int, gap: int) -> _Looks:
        from workbench.metrics.kernels.drop_off import looks  # noqa: PLC0415 - loads Numba

        every = max(int(gap * _EVERY), 1)
        row, silent, lost = looks(trails.starts, trails.code, trails.at, chosen, goal, gap, every)
        least = min(int(lost.sum()), int((~lost).sum()))
        if least < _FEWEST:
            raise NotEnoughData(
                f"of journeys that are over, {lost.sum()} looks saw one that was lost, {(~lost).sum()} one that was "
                f"not; {_FEWEST} of each are needed to calibrate the risk, and again to judge it"
            )
        path = np.searchsorted(trails.starts, row, side="right") - 1
        risk = hazard.risk(trails.code[row], row - trails.starts[path], silent)
        return cls(risk, lost, trails.person[path], len(np.unique(path)))


def _judged(risk: NDArray[np.float64], looks: _Looks, rate: float) -> tuple[pd.DataFrame, Score]:
    """Compare what was predicted with what happened, and with one rate said of everybody."""
    edges = np.unique(np.quantile(risk, np.arange(1, _GROUPS) / _GROUPS, method="lower"))
    group = np.searchsorted(edges, risk)
    _, group = np.unique(group, return_inverse=True)
    groups = int(group.max()) + 1
    happened = clustered.sums(looks.person, group, looks.lost.astype(np.float64), groups)
    low, high = happened.interval()
    table = pd.DataFrame(
        {
            "predicted": np.bincount(group, risk, groups) / happened.n, "observed": happened.rate,
            "ci_low": low, "ci_high": high,
            "looks": happened.n.astype(np.int64), "people": happened.people.astype(np.int64),
        }
    )  # fmt: skip
    own, other = (risk - looks.lost) ** 2, (rate - looks.lost) ** 2
    better = clustered.sums(looks.person, np.zeros(len(own), np.int64), other - own, 1)
    gain, half = float(better.rate[0]), NormalDist().inv_cdf(0.975) * float(np.sqrt(better.variance[0]))
    score = Score(len(risk), looks.paths, float(own.mean()), float(other.mean()), gain, gain - half, gain + half)
    return table, score


def _open(journeys: Journeys, paths: NDArray[np.int64], hazard: Hazard, scale: Scale, horizon: int) -> pd.DataFrame:
    trails = journeys.trails
    first, last = trails.starts[paths], trails.starts[paths + 1] - 1
    silent = horizon - trails.at[last]
    names = sequences.names_of(journeys.source.snapshot, trails.user_key[trails.person[paths]])
    frame = pd.DataFrame(
        {
            "user_id": np.array(names, dtype=object),
            "started_at": pd.to_datetime(trails.at[first], unit="us", utc=True),
            "last_event": np.array(trails.names, dtype=object)[trails.code[last]],
            "steps": last - first + 1,
            "silent_seconds": silent / 1e6,
            "risk": scale(hazard.risk(trails.code[last], last - first, silent)),
        }
    )
    # close to equal risks are told apart by who, not by the last digit
    order = np.lexsort((frame["user_id"], -frame["risk"].round(9)))
    return frame.iloc[order].reset_index(drop=True)
