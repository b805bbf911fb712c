"""What is common: whole paths, runs of events inside paths, and loops."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from workbench.charts.formats import number
from workbench.metrics import intervals
from workbench.metrics.journey_trails import ARROW
from workbench.metrics.journey_view import View, bars, bounded, events_of, of, row_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from workbench.charts.spec import Chart
    from workbench.metrics.journey_trails import Trails
    from workbench.metrics.journeys import Journeys

_LONGEST: Final = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class Paths(View):
    """The most common whole paths.

    `frame` has one row per path: `path`, `length`, `paths` (how many are so), `share` (of all), `people`.
    """

    kinds: NDArray[np.int64] = field(repr=False)
    """The row of the frame that each path is counted in; -1 for none."""

    def people(self, path: str) -> list[str]:
        """List the people with a path, as the frame names it: as many as `people`."""
        return self.journeys.named(self.journeys.trails.person[self.kinds == row_of(self, "path", path)])

    def chart(self) -> Chart:
        """Draw a bar per path."""
        return bars(self, "Most common paths", "path")

    def _reading(self) -> str:
        """Say which is the most common path, and how much of all the listed ones are."""
        if self.frame.empty:
            return "There is no path in this time."
        first = self.frame.iloc[0]
        return (
            f"The most common path is {first['path']} ({number(first['share'], 'percent')} of {self.paths:,}); the "
            f"{len(self.frame)} most common ones are {number(float(self.frame['share'].sum()), 'percent')} of all."
        )


def paths(journeys: Journeys, top: int) -> Paths:
    """List the most common whole paths."""
    from workbench.metrics.kernels.journeys import digests, tally  # noqa: PLC0415 - loads Numba

    bounded(top, 1, 1_000, "top")
    trails = journeys.trails
    digest = digests(trails.starts, trails.code, trails.starts[1:])
    _, example, kind = np.unique(digest, return_index=True, return_inverse=True)
    times, _, people = tally(kind, np.arange(trails.paths + 1), trails.person, len(example))
    named = _most(times, lambda place: trails.written(int(example[place])), top)
    rows = [
        (name, int(trails.lengths[example[place]]), times[place], times[place] / trails.paths, people[place])
        for name, place in named.items()
    ]
    frame = pd.DataFrame(rows, columns=["path", "length", "paths", "share", "people"])
    row = np.full(len(example), -1)
    row[list(named.values())] = np.arange(len(named))
    return Paths(frame=frame, kinds=row[kind], paths=trails.paths, **of(journeys, "paths", top=top))


def _most(times: NDArray[np.int64], written: Callable[[int], str], top: int) -> dict[str, int]:
    """Return the places of the most frequent, by their names; ties follow the alphabet.

    Long paths are written by their beginnings, so several may read alike: those are numbered.
    """
    least = np.sort(times)[-top] if len(times) > top else 0
    near = [(int(place), written(int(place))) for place in np.flatnonzero(times >= least)]
    found: dict[str, int] = {}
    for place, name in sorted(near, key=lambda each: (-times[each[0]], each[1], each[0]))[:top]:
        alike = sum(other == name or other.startswith(f"{name} (") for other in found)
        found[f"{name} ({alike + 1})" if alike else name] = place
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class Patterns(View):
    """The most common runs of events inside paths.

    `frame` has one row per run: `pattern`, `paths` (that have it, once or more), `share` (of all paths), `people`,
    `times` (in all; runs may overlap). Longer paths have more of everything.
    """

    length: int
    events: tuple[tuple[str, ...], ...] = field(repr=False)
    """The run of each row."""

    def people(self, pattern: str | Sequence[str]) -> list[str]:
        """List the people with a run of events in a path: as the frame names it, or any as a list of events."""
        named = isinstance(pattern, str) and pattern in set(self.frame["pattern"])
        events = self.events[row_of(self, "pattern", pattern)] if named else events_of(pattern, "pattern")
        trails = self.journeys.trails
        return self.journeys.named(trails.person[trails.anchors(events) >= 0])

    def chart(self) -> Chart:
        """Draw a bar per run."""
        return bars(self, f"Most common runs of {self.length}", "pattern")

    def _reading(self) -> str:
        """Say which run is the most common."""
        if self.frame.empty:
            return f"No path has {self.length} events."
        first = self.frame.iloc[0]
        return f"{first['pattern']} is in {number(first['share'], 'percent')} of {self.paths:,} paths."


def patterns(journeys: Journeys, length: int, *, top: int) -> Patterns:
    """List the most common runs of events inside paths."""
    bounded(top, 1, 10_000, "top")
    bounded(length, 1, _LONGEST, "length")
    frame, events = _runs(journeys.trails, length, top=top)
    view = of(journeys, "patterns", length=length, top=top)
    return Patterns(frame=frame, length=length, events=tuple(events), paths=journeys.trails.paths, **view)


def _runs(
    trails: Trails, length: int, *, loops: bool = False, top: int | None = None
) -> tuple[pd.DataFrame, list[tuple[str, ...]]]:
    """Count runs of events, the most common first; those alone that end where they begin, if asked."""
    from workbench.metrics.kernels.journeys import runs, tally  # noqa: PLC0415 - loads Numba

    code, firsts = runs(trails.starts, trails.code, len(trails.names), length)
    codes, kind = np.unique(code, return_inverse=True)
    places = np.stack([codes // len(trails.names) ** turn % len(trails.names) for turn in reversed(range(length))])
    times, having, people = tally(kind, firsts, trails.person, len(codes))
    chosen = np.argsort(-having, kind="stable")
    if loops:
        back = (places[0] == places[-1]) & ((places[0] != places[1]) | (length == 2))  # noqa: PLR2004 - a → a
        chosen = chosen[back[chosen]]
    chosen = chosen[:top]
    events = [tuple(trails.names[place] for place in run) for run in places[:, chosen].T]
    frame = pd.DataFrame(
        {
            "pattern": np.array([ARROW.join(run) for run in events], dtype=object),
            "paths": having[chosen],
            "share": intervals.rate(having[chosen], np.full(len(chosen), trails.paths)),
            "people": people[chosen],
            "times": times[chosen],
        }
    )
    return frame, events


@dataclass(frozen=True, kw_only=True, eq=False)
class Loops(View):
    """Events that repeat, and ways there and back.

    `frame` has one row per loop: `loop` (`a → a`, or `a → b → a`), `paths` (that have it), `share` (of all paths),
    `people`, `times`.
    """

    events: tuple[tuple[str, ...], ...] = field(repr=False)
    """The loop of each row."""

    def people(self, loop: str) -> list[str]:
        """List the people with a loop in a path: as many as `people`."""
        trails = self.journeys.trails
        return self.journeys.named(trails.person[trails.anchors(self.events[row_of(self, "loop", loop)]) >= 0])

    def chart(self) -> Chart:
        """Draw a bar per loop."""
        return bars(self, "Loops", "loop")

    def _reading(self) -> str:
        """Say which loop is the most common."""
        if self.frame.empty:
            return "No path comes back to where it was."
        first = self.frame.iloc[0]
        return f"The most common loop is {first['loop']}, in {number(first['share'], 'percent')} of the paths."


def loops(journeys: Journeys) -> Loops:
    """Count events that repeat, and ways there and back."""
    found = [_runs(journeys.trails, length, loops=True) for length in (2, 3)]
    every = pd.concat([frame for frame, _ in found], ignore_index=True).rename(columns={"pattern": "loop"})
    events = [run for _, runs in found for run in runs]
    frame = every.sort_values("paths", ascending=False, kind="stable")
    own = tuple(events[place] for place in frame.index)
    return Loops(frame=frame.reset_index(drop=True), events=own, paths=journeys.trails.paths, **of(journeys, "loops"))
