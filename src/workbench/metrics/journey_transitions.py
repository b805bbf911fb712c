"""What follows what, as a table, a heat map and a graph."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import pandas as pd

from workbench.charts.formats import duration, number
from workbench.charts.spec import Chart, Flow, Grid
from workbench.metrics import arguments, intervals
from workbench.metrics.clustered import Sums
from workbench.metrics.journey_view import MOST_SHOWN, View, bounded, ends, of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.charts.spec import Format
    from workbench.metrics.journey_trails import Source, Trails
    from workbench.metrics.journeys import Journeys
    from workbench.metrics.sequences import Runs

Weight = Literal["count", "share", "per_path", "probability_out", "probability_in"]

WEIGHTS: Final[dict[Weight, tuple[str, Format]]] = {
    "count": ("how often", "count"),
    "share": ("share of all steps", "percent"),
    "per_path": ("times in an average path", "decimal"),
    "probability_out": ("share of what follows the event", "percent"),
    "probability_in": ("share of what precedes the event", "percent"),
}
"""In what a step is measured: what it is called, and how it is written."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Transitions(View):
    """What follows what.

    `frame` has one row per pair that occurs: `from_event`, `to_event` (with `(start)` and `(end)` of paths), `count`,
    `share` (of all), `per_path` (on average), `probability_out` (of what follows `from_event`) with its 95% interval
    `ci_low`, `ci_high` (clustered by person: see `clustered`), `probability_in` (of what precedes `to_event`),
    `people`, `mean_seconds` (between the two; missing at the ends).
    """

    weight: Weight
    sums: Sums = field(repr=False)
    """What the probabilities are made of, row by row."""

    def people(self, from_event: str, to_event: str) -> list[str]:
        """List the people who went from one event to another: as many as `people`."""
        return stepped(self.journeys, from_event, to_event)

    def chart(self) -> Chart:
        """Draw the weight of each step as a heat map."""
        common = self.frame.groupby("from_event")["count"].sum().nlargest(MOST_SHOWN + 1).index
        start, end, _ = ends(self.journeys.names)
        rows = tuple(name for name in (start, *self.journeys.names) if name in common)
        columns = (*(name for name in rows if name != start), end)
        cells = self.frame.set_index(["from_event", "to_event"])[self.weight].to_dict()
        values = tuple(tuple(cells.get((row, column)) for column in columns) for row in rows)
        told, form = WEIGHTS[self.weight]
        return Chart(
            title="What follows what", y_label="from", x_label="to", y_format=form,
            marks=(Grid(rows=rows, columns=columns, values=values),) if rows else (),
            note=f"{told} · {self.paths:,} paths",
        )  # fmt: skip

    def _reading(self) -> str:
        """Say what most paths begin with, and the most common step."""
        if self.frame.empty:
            return "There is no path in this time."
        start, end, _ = ends(self.journeys.names)
        begins = self.frame[self.frame["from_event"] == start].nlargest(1, "count").iloc[0]
        inner = self.frame[~self.frame["from_event"].eq(start) & ~self.frame["to_event"].eq(end)]
        told = (
            f"{self.paths:,} paths; most, {number(begins['probability_out'], 'percent')}, begin with "
            f"{begins['to_event']}."
        )
        if inner.empty:
            return f"{told} No path has a second event."
        most = inner.nlargest(1, "count").iloc[0]
        return (
            f"{told} The most common step is from {most['from_event']} to {most['to_event']}, "
            f"{number(most['count'], 'count')} times, {duration(most['mean_seconds'])} apart on average."
        )


def transitions(journeys: Journeys, weight: Weight) -> Transitions:
    """Count what follows what."""
    arguments.choice(weight, tuple(WEIGHTS), name="weight")
    source = journeys.source
    if journeys.is_read or source.given:
        parts = [_along(journeys.trails)]
    else:
        parts = source.each_unordered(lambda runs: _cutting(runs, source))
    pair, place = np.unique(np.concatenate([part.pair for part in parts]), return_inverse=True)
    columns = np.concatenate([part.columns for part in parts], axis=1)
    times, people, seconds, xx, xn = (_added(place, column, len(pair)) for column in columns)
    paths = sum(part.paths for part in parts)
    size = len(journeys.names) + 2
    names, (before, after) = np.array([*journeys.names, *ends(journeys.names)[:2]], dtype=object), np.divmod(pair, size)
    leavers, squares = (sum(getattr(part, name) for part in parts) for name in ("leavers", "squares"))
    out, into = (_added(end, times, size)[end] for end in (before, after))
    found = Sums(leavers[before], times, out, xx, xn, squares[before])
    low, high = found.interval()
    frame = pd.DataFrame(
        {
            "from_event": names[before],
            "to_event": names[after],
            "count": times.astype(np.int64),
            "share": intervals.rate(times, np.full(len(times), times.sum())),
            "per_path": intervals.rate(times, np.full(len(times), paths)),
            "probability_out": found.rate,
            "ci_low": low,
            "ci_high": high,
            "probability_in": intervals.rate(times, into),
            "people": people.astype(np.int64),
            "mean_seconds": np.where((before < size - 2) & (after < size - 2), intervals.rate(seconds, times), np.nan),
        }
    )
    view = of(journeys, "transitions", weight=weight)
    return Transitions(frame=frame, weight=weight, sums=found, paths=paths, **view)


@dataclass(frozen=True, slots=True)
class _Counted:
    """What a kernel counts in one part, of the pairs that occur there."""

    pair: NDArray[np.int64]
    columns: NDArray[np.float64]
    """Per pair how often, by how many people, the seconds, and the sums of x² and xn; see the kernel."""
    leavers: NDArray[np.float64]
    squares: NDArray[np.float64]
    paths: int


def _along(trails: Trails) -> _Counted:
    from workbench.metrics.kernels.transitions import along  # noqa: PLC0415 - loads Numba

    sums, leavers, squares = along(trails.starts, trails.person, trails.code, trails.at, len(trails.names))
    pair = np.flatnonzero(sums[0])
    return _Counted(pair, sums[:, pair], leavers, squares, trails.paths)


def _cutting(runs: Runs, source: Source) -> _Counted:
    from workbench.metrics.kernels.transitions import cutting  # noqa: PLC0415 - loads Numba

    sums, leavers, squares, paths = cutting(
        runs.user_key, runs.at, runs.columns["code"], runs.runs, len(source.names), source.gap, source.collapse
    )
    pair = np.flatnonzero(sums[0])
    return _Counted(pair, sums[:, pair], leavers, squares, paths)


def _added(place: NDArray[np.int64], values: NDArray[np.float64], places: int) -> NDArray[np.float64]:
    """Add up the values of each place."""
    return np.asarray(np.bincount(place, values, places), dtype=np.float64)


def stepped(journeys: Journeys, from_event: str, to_event: str) -> list[str]:
    """List the people who went from one event to another."""
    from workbench.metrics.kernels.journeys import steps  # noqa: PLC0415 - loads Numba

    trails = journeys.trails
    start, end, _ = ends(trails.names)
    places = {start: len(trails.names), end: len(trails.names) + 1}
    before, after = (places[name] if name in places else trails.place(name) for name in (from_event, to_event))
    kind, firsts = steps(trails.starts, trails.code, len(trails.names))
    return journeys.named(np.repeat(trails.person, np.diff(firsts))[kind == before * (len(trails.names) + 2) + after])


@dataclass(frozen=True, kw_only=True, eq=False)
class Graph(View):
    """The heaviest steps among the most common events, as a graph.

    `frame` has one row per step that is drawn, the heaviest first: `from_event`, `to_event`, `weight` (in which it is
    measured), `value`, `people`.
    """

    weight: Weight
    steps: int
    """How many there are, drawn or not."""
    order: tuple[str, ...] = field(repr=False)
    """The events: those that more paths begin than end with come first."""

    def people(self, from_event: str, to_event: str) -> list[str]:
        """List the people who went from one event to another: as many as `people`."""
        return stepped(self.journeys, from_event, to_event)

    def chart(self) -> Chart:
        """Draw an arrow per step, as wide as it is heavy."""
        met = {*self.frame["from_event"], *self.frame["to_event"]}
        start, end, _ = ends(self.journeys.names)
        nodes = [name for name in (start, *self.order, end) if name in met]
        places = {name: place for place, name in enumerate(nodes)}
        told, form = WEIGHTS[self.weight]
        rows = zip(self.frame["from_event"], self.frame["to_event"], self.frame["value"], strict=True)
        flow = Flow(nodes=tuple(nodes), links=tuple((places[a], places[b], float(value)) for a, b, value in rows))
        return Chart(
            title="The way from event to event", y_label=told, y_format=form, marks=(flow,) if nodes else (),
            note=f"the {len(self.frame)} heaviest of {self.steps} steps · {self.paths:,} paths",
        )  # fmt: skip

    def _reading(self) -> str:
        """Say which step is the heaviest."""
        if self.frame.empty:
            return "There is no path in this time."
        first = self.frame.iloc[0]
        told, form = WEIGHTS[self.weight]
        return (
            f"The heaviest of {self.steps} steps is from {first['from_event']} to {first['to_event']}: "
            f"{number(first['value'], form)} ({told})."
        )


def graph(journeys: Journeys, weight: Weight, *, top: int) -> Graph:
    """Draw the heaviest steps as a graph."""
    bounded(top, 1, 200, "top")
    every = transitions(journeys, weight)
    start, end, _ = ends(journeys.names)
    common = every.frame.groupby("from_event")["count"].sum().nlargest(MOST_SHOWN + 1).index.union([end])
    among = every.frame[every.frame["from_event"].isin(common) & every.frame["to_event"].isin(common)]
    rows = among.sort_values(weight, ascending=False, kind="stable", ignore_index=True).head(top)
    frame = rows[["from_event", "to_event"]].assign(weight=weight, value=rows[weight], people=rows["people"])
    view = of(journeys, "graph", weight=weight, top=top)
    return Graph(
        frame=frame,
        weight=weight,
        steps=len(every.frame),
        order=_order(every.frame, start, end),
        paths=every.paths,
        **view,
    )


def _order(steps: pd.DataFrame, start: str, end: str) -> tuple[str, ...]:
    """Sort events by the share of their occurrences that begin a path, less that of those that end one."""
    begun = steps[steps["from_event"] == start].set_index("to_event")["probability_in"]
    ended = steps[steps["to_event"] == end].set_index("from_event")["probability_out"]
    events = sorted({*steps["from_event"], *steps["to_event"]} - {start, end})
    return tuple(sorted(events, key=lambda event: ended.get(event, 0.0) - begun.get(event, 0.0)))
