"""Where paths are step by step, before and after a centre: as a matrix, and as a Sankey of who goes on to where."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from workbench.charts.formats import number
from workbench.charts.spec import Chart, Flow, Grid
from workbench.errors import InvalidArgument
from workbench.metrics import arguments, intervals
from workbench.metrics.journey_trails import ARROW
from workbench.metrics.journey_view import MOST_SHOWN, View, bounded, ends, events_of, of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.metrics.journeys import Journeys


@dataclass(frozen=True, slots=True)
class Walk:
    """Where the paths that have a centre are at each step from it.

    Attributes:
        centre: The events that follow each other there, or none for the start of the path.
        names: What may be met: the events, `(start)` for not begun, `(end)` for ended, `(other)` for the rest.
        steps: From the first to the last; 0 is the centre's first event.
        where: Place in `names`, one row per step, one column per path.
        person: Whose each path is.
    """

    centre: tuple[str, ...]
    names: tuple[str, ...]
    steps: range
    where: NDArray[np.int64]
    person: NDArray[np.int64]

    @property
    def ends(self) -> tuple[str, str, str]:
        """What not begun, ended, and the rest are called: the last of `names`."""
        start, end, rest = self.names[-3:]
        return start, end, rest

    @property
    def around(self) -> str:
        """What the steps are counted from."""
        return f"the first {ARROW.join(self.centre)}" if self.centre else "the first event"

    def row(self, step: int) -> NDArray[np.int64]:
        """Return where the paths are at a step; one that was not asked for is an error."""
        if step not in self.steps:
            raise InvalidArgument(f"step must be from {self.steps[0]} to {self.steps[-1]}, got {step!r}")
        found: NDArray[np.int64] = self.where[self.steps.index(step)]
        return found

    def place(self, event: str) -> int:
        """Return the place of a name; one that is not met is an error."""
        if event not in self.names:
            raise InvalidArgument(f"no step has {arguments.unknown(str(event), self.names)}")
        return self.names.index(event)

    def tally(self, kind: NDArray[np.int64], kinds: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Count the paths of each kind (negative: of none), and their people."""
        from workbench.metrics.kernels.journeys import tally  # noqa: PLC0415 - loads Numba

        _, paths, people = tally(kind, np.arange(len(kind) + 1), self.person, kinds)
        return paths, people


def _walk(journeys: Journeys, centre: str | Sequence[str] | None, before: int, after: int) -> Walk:
    from workbench.metrics.kernels.journeys import at_step  # noqa: PLC0415 - loads Numba

    events = () if centre is None else events_of(centre, "centre")
    bounded(before, 0, 100, "before")
    bounded(after, 0, 100, "after")
    trails = journeys.trails
    anchor = trails.anchors(events)
    own, steps = anchor >= 0, range(-before if events else 0, after + 1)
    found = [at_step(trails.starts, trails.code, anchor, step, len(trails.names))[own] for step in steps]
    return Walk(events, (*trails.names, *ends(trails.names)), steps, np.stack(found), trails.person[own])


def _signed(step: int) -> str:
    return f"{step:+d}" if step else "0"


@dataclass(frozen=True, kw_only=True, eq=False)
class StepMatrix(View):
    """Where paths are some steps before and after a centre.

    `frame` has one row per event and step: `event` (with `(start)` for not begun and `(end)` for ended), `step` (0
    is the centre's first event), `paths`, `share` (of the paths that have the centre), `people`.
    """

    walk: Walk = field(repr=False)

    def people(self, event: str, step: int) -> list[str]:
        """List the people with a path that is at an event at a step: as many as `people`."""
        return self.journeys.named(self.walk.person[self.walk.row(step) == self.walk.place(event)])

    def chart(self) -> Chart:
        """Draw the shares as a heat map, the most common events first."""
        start, end, _ = self.walk.ends
        totals = self.frame[~self.frame["event"].isin([start, end])].groupby("event")["paths"].sum()
        rows = (*totals[totals > 0].nlargest(MOST_SHOWN).index, end)
        cells = self.frame.set_index(["event", "step"])["share"].to_dict()
        values = tuple(tuple(cells[row, step] for step in self.walk.steps) for row in rows)
        columns = tuple(_signed(step) for step in self.walk.steps)
        return Chart(
            title="Step by step", y_label="event", x_label=f"steps from {self.walk.around}", y_format="percent",
            marks=(Grid(rows=rows, columns=columns, values=values),) if self.paths else (),
            note=f"share of {self.paths:,} paths with {self.walk.around}",
        )  # fmt: skip

    def _reading(self) -> str:
        """Say what most often comes next, and how many paths end there."""
        centre, last = self.walk.around, max(len(self.walk.centre), 1)
        after = self.frame[self.frame["step"] == last]
        if not self.paths or after.empty:
            return f"No path has {centre}." if not self.paths else f"Nothing was asked of what follows {centre}."
        end = self.walk.ends[1]
        ended = number(float(after.loc[after["event"] == end, "share"].sum()), "percent")
        goes_on = after[~after["event"].eq(end)].nlargest(1, "share").iloc[0]
        told = f"; else {goes_on['event']} comes next most often ({number(goes_on['share'], 'percent')})"
        return f"Of {self.paths:,} paths with {centre}, {ended} end right after it{told if goes_on['share'] else ''}."


def step_matrix(journeys: Journeys, centre: str | Sequence[str] | None, *, before: int, after: int) -> StepMatrix:
    """Say where paths are some steps before and after a centre."""
    walk = _walk(journeys, centre, before, after)
    names = walk.names[:-1]
    counts = np.stack([walk.tally(row, len(names)) for row in walk.where], axis=-1)
    frame = pd.DataFrame(
        {
            "event": np.repeat(np.array(names, dtype=object), len(walk.steps)),
            "step": np.tile(np.array(walk.steps), len(names)),
            "paths": counts[0].ravel(),
            "share": intervals.rate(counts[0].ravel(), np.full(counts[0].size, len(walk.person))),
            "people": counts[1].ravel(),
        }
    )
    view = of(journeys, "step matrix", centre=walk.centre, before=before, after=after)
    return StepMatrix(frame=frame, walk=walk, paths=len(walk.person), **view)


@dataclass(frozen=True, kw_only=True, eq=False)
class StepSankey(View):
    """Who goes on to where, step by step from a centre.

    `frame` has one row per step and pair that occurs: `step` (of the first of the two; 0 is the centre's first event),
    `from_event`, `to_event` (`(start)` for not begun, `(end)` for ended, `(other)` for all but the most common events
    of a step), `paths`, `share` (of the paths that have the centre), `people`. What has not begun, and what has ended,
    goes nowhere from there.
    """

    walk: Walk = field(repr=False)

    def people(self, step: int, from_event: str, to_event: str) -> list[str]:
        """List the people with a path that goes from one event to another at a step: as many as `people`."""
        here, there = self.walk.row(step), self.walk.row(step + 1)
        chosen = (here == self.walk.place(from_event)) & (there == self.walk.place(to_event))
        return self.journeys.named(self.walk.person[chosen])

    def chart(self) -> Chart:
        """Draw a ribbon per row, as high as it has paths, between columns of events."""
        nodes = [*zip(self.frame["step"], self.frame["from_event"], strict=True)]
        nodes += zip(self.frame["step"] + 1, self.frame["to_event"], strict=True)
        places = {node: place for place, node in enumerate(sorted(set(nodes), key=self._order))}
        ends = [places[node] for node in nodes]
        amounts = map(float, self.frame["paths"])
        links = tuple(zip(ends[: len(self.frame)], ends[len(self.frame) :], amounts, strict=True))
        flow = Flow(
            nodes=tuple(event for _, event in places),
            links=links,
            columns=tuple(int(step) - self.walk.steps[0] for step, _ in places),
            headings=tuple(_signed(step) for step in self.walk.steps),
        )
        return Chart(
            title="Step by step", y_label="paths", x_label=f"steps from {self.walk.around}",
            marks=(flow,) if links else (), note=f"{self.paths:,} paths with {self.walk.around}",
        )  # fmt: skip

    def _order(self, node: tuple[int, str]) -> tuple[int, int, int]:
        """Sort the events of a step by their paths; the rest, what has not begun, and what has ended come last."""
        step, event = node
        start, end, rest = self.walk.ends
        last = (rest, start, end).index(event) + 1 if event in (rest, start, end) else 0
        return int(step), last, -int((self.walk.row(int(step)) == self.walk.place(event)).sum())

    def _reading(self) -> str:
        """Say which way most take from the centre on, and how many have ended at the last step."""
        first = self.frame[self.frame["step"] == 0]
        if not self.paths or first.empty:
            return f"No path has {self.walk.around}." if not self.paths else "Nothing was asked of what follows."
        most = first.nlargest(1, "paths").iloc[0]
        ended = float((self.walk.where[-1] == self.walk.place(self.walk.ends[1])).mean())
        return (
            f"Of {self.paths:,} paths with {self.walk.around}, most go from {most['from_event']} to {most['to_event']} "
            f"({number(most['share'], 'percent')}); {number(ended, 'percent')} have ended "
            f"{self.walk.steps[-1]} steps on."
        )


def step_sankey(
    journeys: Journeys, centre: str | Sequence[str] | None, *, before: int, after: int, top: int
) -> StepSankey:
    """Say who goes on to where, step by step; all but the `top` events of a step are one."""
    bounded(after, 1, 100, "after")
    bounded(top, 1, 100, "top")
    walk = _walk(journeys, centre, before, after)
    kinds = len(walk.names)
    for row in walk.where:
        paths = np.bincount(row, minlength=kinds)[: kinds - 3]
        rare = np.ones(kinds, dtype=np.bool_)
        rare[[*np.argsort(-paths, kind="stable")[:top], kinds - 3, kinds - 2]] = False
        row[rare[row]] = kinds - 1
    rows = []
    for step, (here, there) in zip(walk.steps, zip(walk.where, walk.where[1:], strict=False), strict=False):
        stays = (here == kinds - 2) | (there == kinds - 3)
        pair, kind = np.unique(np.where(stays, -1, here * kinds + there), return_inverse=True)
        counted = walk.tally(np.where(stays, -1, kind), len(pair))
        rows += [
            (step, walk.names[code // kinds], walk.names[code % kinds], paths, people)
            for code, paths, people in zip(pair, *counted, strict=True)
            if code >= 0
        ]
    frame = pd.DataFrame(rows, columns=["step", "from_event", "to_event", "paths", "people"])
    frame = frame.astype({"step": "int64", "paths": "int64", "people": "int64"})
    frame.insert(4, "share", intervals.rate(frame["paths"], np.full(len(frame), len(walk.person))))
    view = of(journeys, "step sankey", centre=walk.centre, before=before, after=after, top=top)
    return StepSankey(frame=frame, walk=walk, paths=len(walk.person), **view)
