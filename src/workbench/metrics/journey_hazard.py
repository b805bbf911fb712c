"""How likely a path is to end: a hazard in discrete time, spell of silence by spell, event by event.

After each event a path is silent for a while, and either goes on or, silent for the whole pause, is over. The pause is
divided into spells, and the hazard is the chance to go on within a spell of those who were silent until then (Singer
and Willett, "It's About Time", Journal of Educational Statistics 18, 1993), by event and step. Where it goes on to is a
Markov chain; the chance to end before a goal follows from both, from the last step told apart backwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.metrics.journey_trails import Trails

STEPS: Final = 6
"""Steps that are told apart; later ones are like the last."""

_SPELLS: Final = 7
_WORTH: Final = 10.0
"""How many observations what is known of all is worth beside those of one."""


@dataclass(frozen=True, slots=True)
class Hazard:
    """The chances of a path.

    Attributes:
        edges: Where each spell of silence begins, and behind the last where the pause is over, in microseconds.
        ends: Per event, step and spell the logarithm of the chance not to go on within it.
        later: Per event and step, of paths that go on, the chance to end before the goal; 0 without a goal.
    """

    edges: NDArray[np.int64]
    ends: NDArray[np.float64]
    later: NDArray[np.float64]

    def risk(self, event: NDArray[np.int16], step: NDArray[np.int64], silent: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the chance that paths end before the goal, by where they are and how long they have been silent."""
        place = np.minimum(step, STEPS - 1)
        left = (self.edges[1:] - silent[:, None]) / np.diff(self.edges)
        over = np.exp((self.ends[event, place] * left.clip(0, 1)).sum(axis=1))
        risk: NDArray[np.float64] = over + (1 - over) * self.later[event, place]
        return risk


def fit(trails: Trails, chosen: NDArray[np.bool_], *, goal: int, gap: int) -> Hazard:
    """Learn from paths that are over.

    Args:
        trails: Paths.
        chosen: Which of them to learn from.
        goal: The place of the event that paths are to reach; negative for none.
        gap: The pause after which a path is over, in microseconds.
    """
    from workbench.metrics.kernels.drop_off import exposure  # noqa: PLC0415 - loads Numba

    events = len(trails.names)
    edges = np.unique([0, *(gap // 2**turn for turn in range(_SPELLS))])
    (silent, went), moved = exposure(trails.starts, trails.code, trails.at, chosen, goal, edges[:-1], (events, STEPS))
    everywhere = (went.sum(axis=(0, 1)) + 0.5) / (silent.sum(axis=(0, 1)) + 1)
    of_event = _blend(went.sum(axis=1), silent.sum(axis=1), everywhere)
    hazard = _blend(went, silent, of_event[:, None])
    ends = np.log1p(-hazard)
    later = np.zeros((events, STEPS))
    if goal >= 0:
        follows = moved.sum(axis=0) / max(moved.sum(), 1)
        later = _later(ends.sum(axis=2), _blend(moved, moved.sum(axis=1, keepdims=True), follows), goal)
    return Hazard(edges, ends, later)


def _blend(part: NDArray[np.float64], whole: NDArray[np.float64], known: NDArray[np.float64]) -> NDArray[np.float64]:
    """Estimate shares, pulled towards what is known where there is little to see."""
    return (part + _WORTH * known) / (whole + _WORTH)


def _later(ends: NDArray[np.float64], follows: NDArray[np.float64], goal: int) -> NDArray[np.float64]:
    """Return, of paths that go on, the chance to end before the goal, per event and step."""
    over, towards = np.exp(ends), follows.copy()
    towards[:, goal] = 0.0
    last = over[:, -1]
    lost = np.linalg.solve(np.eye(len(last)) - (1 - last)[:, None] * towards, last)
    later = np.empty_like(over)
    for step in reversed(range(STEPS)):
        later[:, step] = towards @ lost
        lost = over[:, step] + (1 - over[:, step]) * later[:, step]
    return later


@dataclass(frozen=True, slots=True)
class Scale:
    """What turns chances into calibrated ones: a line on the scale of log odds (Cox, Biometrika 45, 1958)."""

    shift: float
    slope: float

    def __call__(self, risk: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrate chances."""
        return np.asarray(1 / (1 + np.exp(-(self.shift + self.slope * _log_odds(risk)))), dtype=np.float64)


def scale(risk: NDArray[np.float64], lost: NDArray[np.bool_]) -> Scale:
    """Find the line that makes chances what came true, by Newton's method; with little to see it stays as it was."""
    order = np.lexsort((lost, risk))  # the same sums, whatever order paths come in
    columns = np.stack([np.ones(len(risk)), _log_odds(risk[order])], axis=1)
    truth, start = lost[order].astype(np.float64), np.array([0.0, 1.0])
    line = start
    for _ in range(50):
        found = 1 / (1 + np.exp(-(columns @ line)))
        slope = columns.T @ (truth - found) - (line - start)
        curve = (columns * (found * (1 - found))[:, None]).T @ columns + np.eye(2)
        line = line + np.linalg.solve(curve, slope)
    return Scale(float(line[0]), float(line[1]))


def _log_odds(risk: NDArray[np.float64]) -> NDArray[np.float64]:
    inside = risk.clip(1e-6, 1 - 1e-6)
    return np.asarray(np.log(inside / (1 - inside)), dtype=np.float64)
