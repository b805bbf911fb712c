"""How long it took from one step of a funnel to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

import numpy as np
import pandas as pd

from workbench.charts import formats
from workbench.charts.spec import Bars, Chart
from workbench.errors import InvalidArgument
from workbench.metrics import arguments, sequences
from workbench.metrics.funnel_views import MOST_DRAWN, THIN
from workbench.results import Answer, Definition

if TYPE_CHECKING:
    from datetime import timedelta

    from numpy.typing import NDArray

    from workbench.metrics.funnel_attempts import Attempts
    from workbench.metrics.funnel_definition import FunnelDefinition
    from workbench.metrics.funnels import Funnel

Bins: TypeAlias = "int | Sequence[float | str | timedelta] | None"

MOST_BINS: Final = 1_000
_MOST_AUTOMATIC: Final = 60


@dataclass(frozen=True, kw_only=True)
class TimesDefinition(Definition):
    """Which times of which funnel."""

    question: ClassVar[str] = "times to convert"
    funnel: FunnelDefinition
    from_step: int
    to_step: int
    bins: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Times(Answer):
    """The times from one step to another, of the attempts that count and came to it.

    `frame` has one row per bin (and segment, named first): `bin` (1-based), `from_seconds`, `to_seconds` (exclusive
    but for the last), `users`; counting sessions or totals also `count`.
    """

    definition: TimesDefinition
    funnel: Funnel = field(repr=False)
    seconds: NDArray[np.float64] = field(repr=False)
    """One per attempt of the funnel; NaN where it did not come so far."""

    @property
    def mean_seconds(self) -> float:
        """Mean of all times, inside of the bins or not; NaN for none."""
        there = self.seconds[~np.isnan(self.seconds)]
        return float(there.mean()) if there.size else np.nan

    @property
    def median_seconds(self) -> float:
        """Median of all times; NaN for none."""
        there = self.seconds[~np.isnan(self.seconds)]
        return float(np.median(there)) if there.size else np.nan

    @property
    def outside(self) -> int:
        """How many times are in no bin."""
        return int((_binned(self.seconds, self.definition.bins) == 0).sum() - np.isnan(self.seconds).sum())

    def people(self, bin: int, *, segment: str | None = None) -> list[str]:
        """List the people whose times are in a bin: as many as its `users`.

        Raises:
            InvalidArgument: There is no such bin or segment.
        """
        bins = len(self.definition.bins) - 1
        if isinstance(bin, bool) or bin not in range(1, bins + 1):
            raise InvalidArgument(f"bin must be from 1 to {bins}, got {bin!r}")
        found = self.funnel.attempts
        chosen = (_binned(self.seconds, self.definition.bins) == bin) & (found.segment == self.funnel.place(segment))
        return sequences.user_ids(self.funnel.snapshot, np.unique(found.user_key[chosen]))

    def chart(self) -> Chart:
        """Draw how many took how long."""
        counted = "users" if self.definition.funnel.counting == "users" else "count"
        groups = [("", self.frame)]
        if self.definition.funnel.by is not None:
            names = self.funnel.attempts.segments[:MOST_DRAWN]
            groups = [(name, self.frame[self.frame["segment"] == name]) for name in names]
        marks = tuple(
            Bars(
                x=tuple(formats.duration(seconds) for seconds in frame["from_seconds"]),
                y=tuple(frame[counted].astype(float).tolist()),
                label=name or self.definition.funnel.unit,
            )
            for name, frame in groups
        )
        median, mean = formats.number(self.median_seconds, "seconds"), formats.number(self.mean_seconds, "seconds")
        title = f"Half take no more than {median} {self._way()}"
        note = f"{self._known():,} {self.definition.funnel.unit} · mean {mean}"
        return Chart(title=title, marks=marks, x_label="at least", y_label=self.definition.funnel.unit, note=note)

    def _reading(self) -> str:
        """Say how long it takes."""
        if not self._known():
            return f"Nobody came {self._way()}, so there are no times to read."
        quarter = formats.duration(float(np.nanquantile(self.seconds, 0.75)))
        sentences = [
            f"{self._known():,} {self.definition.funnel.unit} came {self._way()}: half within "
            f"{formats.duration(self.median_seconds)}, three quarters within {quarter}, "
            f"in the mean {formats.duration(self.mean_seconds)}."
        ]
        if self.outside:
            sentences.append(f"{self.outside:,} are in none of the bins.")
        if self._known() < THIN:
            sentences.append("So few times are too thin to go by.")
        return " ".join(sentences)

    def _known(self) -> int:
        return int((~np.isnan(self.seconds)).sum())

    def _way(self) -> str:
        labels = self.definition.funnel.labels
        return f"from {labels[self.definition.from_step - 1]} to {labels[self.definition.to_step - 1]}"


def times(funnel: Funnel, from_step: int = 1, to_step: int | None = None, *, bins: Bins = None) -> Times:
    """Say how long the attempts that count took from one step to another.

    Args:
        funnel: The funnel.
        from_step: 1-based.
        to_step: A later one; the last if not given.
        bins: How many; or their edges in order, as seconds, timedeltas or text such as `1h`; chosen from the times
            if not given (`numpy.histogram_bin_edges`, at most 60).

    Raises:
        InvalidArgument: There are no such steps or bins.
    """
    last = len(funnel.definition.steps)
    to_step = last if to_step is None else to_step
    if not all(isinstance(step, int) for step in (from_step, to_step)) or not 1 <= from_step < to_step <= last:
        raise InvalidArgument(f"from_step and to_step must be from 1 to {last}, the one before the other, got "
                              f"{from_step!r} and {to_step!r}")  # fmt: skip
    found = funnel.attempts
    came = found.at[:, to_step - 1] >= 0
    seconds = np.where(came, (found.at[:, to_step - 1] - found.at[:, from_step - 1]) / 1e6, np.nan)
    edges = _edges(bins, seconds[came])
    parts = [_histogram(found, seconds, edges, place, funnel.definition) for place in range(len(found.segments))]
    frame = pd.concat(parts or [_histogram(found, seconds, edges, 0, funnel.definition).iloc[:0]], ignore_index=True)
    if funnel.definition.by is not None:
        names = np.repeat(np.array(found.segments, dtype=object), len(edges) - 1)
        frame.insert(0, "segment", names)
    definition = TimesDefinition(
        people=funnel.definition.people, funnel=funnel.definition, from_step=from_step, to_step=to_step, bins=edges
    )
    return Times(
        frame=frame,
        sql=funnel.sql,
        definition=definition,
        data_version=funnel.data_version,
        notes=funnel.notes,
        funnel=funnel,
        seconds=seconds,
    )


def _edges(bins: Bins, seconds: NDArray[np.float64]) -> tuple[float, ...]:
    """Return the edges of the bins, in seconds."""
    if bins is None or (isinstance(bins, int) and not isinstance(bins, bool) and 1 <= bins <= MOST_BINS):
        if not seconds.size or seconds.min() == seconds.max():
            first = float(seconds[0]) if seconds.size else 0.0
            return tuple((first + np.arange((bins or 1) + 1)).tolist())
        edges = np.histogram_bin_edges(seconds, "auto" if bins is None else bins)
        if bins is None and len(edges) > _MOST_AUTOMATIC + 1:
            edges = np.histogram_bin_edges(seconds, _MOST_AUTOMATIC)
        return tuple(edges.tolist())
    given = bins if isinstance(bins, Sequence) and not isinstance(bins, str) else ()
    edges = np.array([_in_seconds(edge) for edge in given], dtype=np.float64)
    if not 1 < len(edges) <= MOST_BINS + 1 or not np.all(np.diff(edges) > 0):
        raise InvalidArgument(f"bins must be a number from 1 to {MOST_BINS:,} or a list of rising edges, got {bins!r}")
    return tuple(edges.tolist())


def _in_seconds(edge: float | str | timedelta) -> float:
    if isinstance(edge, int | float):
        return float(edge)
    return arguments.duration(edge, name="bins").total_seconds()


def _binned(seconds: NDArray[np.float64], edges: tuple[float, ...]) -> NDArray[np.int64]:
    """Return the 1-based bin of each time; 0 for none."""
    place = np.searchsorted(edges, seconds, side="right")
    place[seconds == edges[-1]] = len(edges) - 1
    return np.where(np.isnan(seconds) | (place == len(edges)), 0, place)


def _histogram(
    found: Attempts, seconds: NDArray[np.float64], edges: tuple[float, ...], place: int, asked: FunnelDefinition
) -> pd.DataFrame:
    mine = found.segment == place
    binned, keys = _binned(seconds[mine], edges), found.user_key[mine]
    bins = np.arange(1, len(edges))
    columns = {"bin": bins, "from_seconds": edges[:-1], "to_seconds": edges[1:]}
    columns["users"] = np.array([len(np.unique(keys[binned == number])) for number in bins], dtype=np.int64)
    if asked.counting != "users":
        columns["count"] = np.bincount(binned, minlength=len(edges))[1 : len(edges)]
    return pd.DataFrame(columns)
