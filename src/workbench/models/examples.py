"""Examples to learn from: what was known of people at a cutoff, and what they did after it.

    history ──┬───────────┬───────────┬───────────┬
              fit         calibrate   validate    cutoff of the training
              (and up to 5 earlier ones, half a horizon apart)

Each stage begins one whole horizon after the one before, so that no label was still open when the
next stage's features were taken: what is measured is what would have been measured then.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final

import pandas as pd

from workbench.errors import InvalidArgument, NotEnoughData
from workbench.metrics.coverage import coverage
from workbench.models.features import MIN_EXAMPLES, features
from workbench.models.labels import DISCOUNT, Weights, engagement_score, outcomes, recent_score

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.store.base import Snapshot

MAX_FIT_CUTOFFS: Final = 6
MAX_FOLDS: Final = 3
STAGES: Final = 3.5
"""Horizons of history that are needed: half a horizon to look back on, then one each to fit, calibrate and validate."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Examples:
    """People who were active at one or more cutoffs, one row each per cutoff, rows alike in all members.

    Attributes:
        X: Features (index `user_id`).
        churned: No event in the horizon after the cutoff.
        next_score: Engagement score of that horizon.
        recent_score: Engagement score of the 28 days before the cutoff.
        value_usd: USD spent in the horizon, as worth at the cutoff.
        action: The first thing done in the horizon, of `labels.ACTIONS`.
        buyers: Features of everybody who had bought before a cutoff, active or not; rows of their own.
    """

    X: pd.DataFrame
    churned: pd.Series
    next_score: pd.Series
    recent_score: pd.Series
    value_usd: pd.Series
    action: pd.Series
    buyers: pd.DataFrame

    def __len__(self) -> int:
        return len(self.X)


@dataclass(frozen=True, kw_only=True)
class Fold:
    """Cutoffs of one training. `validate` is `None` for the final one, which is measured by time alone."""

    fit: tuple[datetime, ...]
    calibrate: datetime
    validate: datetime | None


@dataclass(frozen=True, kw_only=True)
class History:
    """The part of a snapshot that a training may see, and how it is labelled.

    Attributes:
        snapshot: The events.
        begin: The first event.
        cutoff: The end, exclusive.
        horizon_days: How far ahead the labels look.
        weights: Of the engagement score.
        active_days: Only people with an event in so many days before a cutoff are examples.
        discount: By how much a dollar is worth less a year later.
    """

    snapshot: Snapshot
    begin: datetime
    cutoff: datetime
    horizon_days: int
    weights: Weights = field(default_factory=Weights)
    active_days: int = 28
    discount: float = DISCOUNT

    @cached_property
    def _known(self) -> dict[datetime, Examples]:
        return {}

    def examples(self, cutoffs: Sequence[datetime]) -> Examples:
        """Gather the examples of all cutoffs; each cutoff is computed once."""
        for cutoff in cutoffs:
            if cutoff not in self._known:
                self._known[cutoff] = self._at(cutoff)
        return joined(*(self._known[cutoff] for cutoff in cutoffs))

    def _at(self, cutoff: datetime) -> Examples:
        known = features(self.snapshot, cutoff)
        X = known.active(self.active_days).X
        until = cutoff + timedelta(days=self.horizon_days)
        after = outcomes(self.snapshot, cutoff, until, discount=self.discount).reindex(X.index)
        did = after.drop(columns="action").astype("float64").fillna(0.0)
        return Examples(
            X=X,
            churned=(did["events"] == 0).rename("churned"),
            next_score=engagement_score(did, weights=self.weights, days=self.horizon_days),
            recent_score=recent_score(X, weights=self.weights),
            value_usd=did["value_usd"],
            action=after["action"].astype("object").where(after["action"].notna(), "none"),
            buyers=known.X[known.X["purchase_days"] > 0],
        )

    def folds(self) -> tuple[list[Fold], Fold]:
        """Lay out the trainings: those that are validated, newest first and at most three, and the final one.

        Cutoffs at which nobody was active teach nothing and are left out, as are validations that are left with fewer
        than 50 people at a stage, unless no other is there.

        Raises:
            NotEnoughData: The history is shorter than three and a half horizons.
        """
        half = timedelta(days=self.horizon_days) / 2
        room = int((self.cutoff - self.begin) / half) - 2
        cutoffs = [self.cutoff - (step + 2) * half for step in range(max(0, room))]
        tested = [
            Fold(fit=tuple(cutoffs[at + 4 : at + 4 + MAX_FIT_CUTOFFS]), calibrate=cutoffs[at + 2], validate=cutoffs[at])
            for at in range(0, min(2 * MAX_FOLDS, len(cutoffs) - 4), 2)
        ]
        if not tested:
            raise NotEnoughData(self._too_short())
        final = Fold(fit=self._lively(cutoffs[2 : 2 + MAX_FIT_CUTOFFS]), calibrate=cutoffs[0], validate=None)
        lively = [replace(fold, fit=self._lively(fold.fit)) for fold in tested]
        return [fold for fold in lively if self._enough(fold)] or lively[:1], final

    def _lively(self, cutoffs: Sequence[datetime]) -> tuple[datetime, ...]:
        """Leave out the cutoffs at which nobody was active; where none is left, keep the first, to say so."""
        return tuple(cutoff for cutoff in cutoffs if len(self.examples([cutoff]))) or tuple(cutoffs[:1])

    def _enough(self, fold: Fold) -> bool:
        stages = [fold.fit, [fold.calibrate], [fold.validate] if fold.validate else []]
        return all(len(self.examples(stage)) >= MIN_EXAMPLES for stage in stages if stage)

    def _too_short(self) -> str:
        days = (self.cutoff - self.begin) / timedelta(days=1)
        possible = longest_horizon(days)
        hint = f"; with these events it can be at most {possible} days" if possible else ""
        return (
            f"there are {days:.0f} days of events before {self.cutoff:%Y-%m-%d}; a horizon of {self.horizon_days} days "
            f"needs {STAGES * self.horizon_days:.0f} (to look back, fit, calibrate and validate){hint}"
        )


def joined(*parts: Examples) -> Examples:
    """Put examples below each other."""
    names = [member.name for member in fields(Examples)]
    return Examples(**{name: pd.concat([getattr(part, name) for part in parts]) for name in names})


def longest_horizon(days: float) -> int:
    """Return how many days ahead can be learnt to look from so many days of events.

    >>> longest_horizon(120)
    34
    """
    return int(days / STAGES)


def history(
    snapshot: Snapshot,
    *,
    cutoff: datetime | None = None,
    horizon_days: int = 28,
    weights: Weights | None = None,
    active_days: int = 28,
    discount: float = DISCOUNT,
) -> History:
    """Say what a training may see.

    Args:
        snapshot: The events.
        cutoff: The end, exclusive; just after the last event when not given.
        horizon_days: How far ahead the labels look.
        weights: Of the engagement score.
        active_days: Only people with an event in so many days before a cutoff are examples.
        discount: By how much a dollar is worth less a year later, in [0, 1).

    Raises:
        InvalidArgument: A number out of its range, or a cutoff from which on events are missing.
        NotEnoughData: There are no events before the cutoff.
    """
    if min(horizon_days, active_days) < 1:
        raise InvalidArgument(f"horizon_days and active_days are at least 1, not {horizon_days} and {active_days}")
    if not 0 <= discount < 1:
        raise InvalidArgument(f"discount is at least 0 and below 1, not {discount}")
    begin, end = span(snapshot)
    if cutoff is not None and cutoff > end + timedelta(days=1):
        raise InvalidArgument(f"cutoff {cutoff.isoformat()} lies after the data, which ends {end.isoformat()}")
    if cutoff is not None and cutoff <= begin:
        raise NotEnoughData(f"there are no events before {cutoff.isoformat()}; the first is at {begin.isoformat()}")
    return History(
        snapshot=snapshot,
        begin=begin,
        cutoff=cutoff or end,
        horizon_days=horizon_days,
        weights=weights or Weights(),
        active_days=active_days,
        discount=discount,
    )


def covered(snapshot: Snapshot, until: datetime | None = None, *, tz: str = "UTC") -> datetime:
    """Return until when the data speak, at most until an instant: what comes after it was not seen.

    Raises:
        NotEnoughData: There are no events.
    """
    end = coverage(snapshot, tz).end
    if end is None:
        raise NotEnoughData("there are no events; ingest some first")
    return end if until is None else min(until, end)


def span(snapshot: Snapshot) -> tuple[datetime, datetime]:
    """Return where the data begin and end, as `metrics.coverage` has it: an early tail with a wrong clock is left out.

    Raises:
        NotEnoughData: There are no events, of these people, in between.
    """
    known = coverage(snapshot)
    row = snapshot.query("SELECT min(occurred_at) AS first, max(occurred_at) AS last FROM events").to_pylist()[0]
    if row["first"] is None or known.begin is None or known.end is None or row["last"] < known.begin:
        raise NotEnoughData("there are no events; ingest some first")
    return max(row["first"], known.begin), known.end
