"""Who converts by when, those still on their way included."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
import pandas as pd

from workbench.charts import formats
from workbench.charts.spec import Band, Chart, Line
from workbench.errors import InvalidArgument
from workbench.metrics import arguments, funnel_frames, intervals
from workbench.metrics.funnel_views import MOST_DRAWN, THIN
from workbench.results import Answer, Definition

if TYPE_CHECKING:
    from datetime import timedelta

    from numpy.typing import NDArray

    from workbench.metrics.funnel_attempts import Attempts
    from workbench.metrics.funnel_definition import FunnelDefinition
    from workbench.metrics.funnels import Funnel

_MOST_POINTS: Final = 400
_Z95: Final = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, kw_only=True)
class SurvivalDefinition(Definition):
    """Which funnel, and up to which step."""

    question: ClassVar[str] = "conversion over time"
    funnel: FunnelDefinition
    to_step: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Survival(Answer):
    """Share that has converted by each time since entry, estimated with those still in flight (Kaplan-Meier).

    `frame` has one row per time at which somebody converted, the start and the end (per segment, named first):
    `seconds` since entry, `at_risk` (not converted before, and seen so long), `converted`, `censored` (seen no longer
    than until the next row), `conversion` (the estimated share by then), `ci_low`, `ci_high` (95%, NaN where nobody
    has converted yet, or nobody is left).
    """

    definition: SurvivalDefinition
    funnel: Funnel = field(repr=False)

    def by(self, time: str | timedelta, *, segment: str | None = None) -> float:
        """Return the estimated share that has converted by some time after entry; NaN when nobody entered.

        Raises:
            InvalidArgument: The time cannot be read, or there is no such segment.
        """
        length = arguments.duration(time, name="time").total_seconds()
        self.funnel.place(segment)
        frame = self.frame if segment is None else self.frame[self.frame["segment"] == segment]
        until = frame[frame["seconds"] <= length]
        return float(until["conversion"].iloc[-1]) if len(until) else np.nan

    def chart(self) -> Chart:
        """Draw the share that has converted as time goes by."""
        marks: list[Line | Band] = []
        by = self.definition.funnel.by is not None
        names = self.funnel.attempts.segments[:MOST_DRAWN] if by else ("",)
        for name in names:
            frame = _thinned(self.frame[self.frame["segment"] == name] if by else self.frame)
            hours = frame["seconds"] / 3600
            sure = ~frame["ci_low"].isna()
            ends = (tuple(frame[end][sure].tolist()) for end in ("ci_low", "ci_high"))
            marks.append(Band(x=tuple(hours[sure].tolist()), low=next(ends), high=next(ends)))
            shares = tuple(None if np.isnan(share) else share for share in frame["conversion"].tolist())
            marks.append(Line(x=tuple(hours.tolist()), y=shares, label=name or "converted"))
        return Chart(
            title=f"{self._share()} convert within {formats.duration(self.definition.funnel.within.total_seconds())}",
            marks=tuple(marks),
            x_label="hours since entry",
            y_label="share that has converted",
            x_scale="linear",
            y_format="percent",
            note=f"Kaplan-Meier with 95% intervals · {self.funnel.entered:,} {self.definition.funnel.unit}"
            f" · {self.funnel.in_flight:,} in flight",
        )

    def _reading(self) -> str:
        """Say how many are expected to convert, those in flight included."""
        if not self.funnel.entered:
            return "Nobody entered, so there is no curve to read."
        within = formats.duration(self.definition.funnel.within.total_seconds())
        thin = " So few are too thin to go by." if self.funnel.entered < THIN else ""
        return (
            f"By {within} after entry {self._share()} are expected to have converted. Of {self.funnel.entered:,} "
            f"{self.definition.funnel.unit}, the {self.funnel.in_flight:,} people in flight count for as long as they "
            f"have been seen.{thin}"
        )

    def _share(self) -> str:
        if self.definition.funnel.by is None:
            return formats.number(self.frame["conversion"].iloc[-1] if len(self.frame) else None, "percent")
        last = self.frame.groupby("segment", sort=False)["conversion"].last()
        low, high = (formats.number(share, "percent") for share in (last.min(), last.max()))
        return f"{low} to {high} (by segment)"


def survival(funnel: Funnel, to_step: int | None = None) -> Survival:
    """Estimate how many have come to a step by when (Kaplan-Meier).

    Who did not is seen until their window closes or until now, whichever is first, and then censored. Variance by
    Greenwood, interval of log(-log S) (Kalbfleisch and Prentice, The Statistical Analysis of Failure Time Data, 1.4).

    Args:
        funnel: The funnel.
        to_step: The step that is waited for, from 2; the last if not given.

    Raises:
        InvalidArgument: There is no such step.
    """
    last = len(funnel.definition.steps)
    to_step = last if to_step is None else to_step
    if isinstance(to_step, bool) or to_step not in range(2, last + 1):
        raise InvalidArgument(f"to_step must be from 2 to {last}, got {to_step!r}")
    asked = funnel.definition
    parts = [(name, kaplan_meier(*_seen(found, to_step, asked))) for name, found in funnel.parts()]
    nobody = np.zeros(0), np.zeros(0, dtype=bool)
    frame = funnel_frames.together(asked, parts, empty=lambda: kaplan_meier(*nobody))
    definition = SurvivalDefinition(people=funnel.definition.people, funnel=funnel.definition, to_step=to_step)
    return Survival(
        frame=frame,
        sql=funnel.sql,
        definition=definition,
        data_version=funnel.data_version,
        notes=funnel.notes,
        funnel=funnel,
    )


def _seen(found: Attempts, to_step: int, asked: FunnelDefinition) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return for how many seconds each attempt was seen, and whether it then came to the step."""
    came, entered = found.at[:, to_step - 1] >= 0, found.at[:, 0]
    open_for = asked.now.timestamp() - entered / 1e6
    waited = np.minimum(np.maximum(open_for, 0.0), asked.within.total_seconds())
    return np.where(came, (found.at[:, to_step - 1] - entered) / 1e6, waited), came


def kaplan_meier(seconds: NDArray[np.float64], converted: NDArray[np.bool_]) -> pd.DataFrame:
    """Estimate the share converted by each time; see `Survival` for the columns."""
    ends = np.union1d(seconds[converted], [0.0, seconds.max()] if len(seconds) else [])
    order = np.sort(seconds)
    at_risk = len(order) - np.searchsorted(order, ends, side="left")
    events = np.diff(np.append(np.searchsorted(np.sort(seconds[converted]), ends, side="left"), converted.sum()))
    waiting = np.sort(seconds[~converted])
    censored = np.diff(np.append(np.searchsorted(waiting, ends, side="left"), len(waiting)))
    stay = np.cumprod(1 - intervals.rate(events, at_risk))
    spread = np.cumsum(intervals.rate(events, at_risk * (at_risk - events).astype(np.float64)))
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.exp(_Z95 * np.sqrt(spread) / np.log(stay))
        low, high = 1 - stay**factor, 1 - stay ** (1 / factor)
    return pd.DataFrame(
        {
            "seconds": ends,
            "at_risk": at_risk,
            "converted": events,
            "censored": censored,
            "conversion": 1 - stay,
            "ci_low": np.where(stay == 1, np.nan, low),
            "ci_high": np.where(stay == 1, np.nan, high),
        }
    )


def _thinned(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep as many points as a line can show, the ends among them."""
    if len(frame) <= _MOST_POINTS:
        return frame
    return frame.iloc[np.unique(np.linspace(0, len(frame) - 1, _MOST_POINTS).astype(int))]
