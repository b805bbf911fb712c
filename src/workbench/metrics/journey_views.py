"""The sides from which journeys are looked at: each an answer with its frame, its chart and its people."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
import pandas as pd

from workbench.charts.formats import duration, number
from workbench.charts.spec import Bars, Chart, Grid
from workbench.errors import InvalidArgument
from workbench.metrics import intervals
from workbench.results import Answer

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.metrics.journeys import Journeys

START, END = "(start)", "(end)"
MOST_SHOWN: Final = 15
"""Events that a chart shows, the most common ones; the frame has them all."""

ARROW: Final = " → "
_LONGEST: Final = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class View(Answer):
    """A look at journeys."""

    question: ClassVar[str] = "journeys"
    journeys: Journeys = field(repr=False)


@dataclass(frozen=True, kw_only=True, eq=False)
class Transitions(View):
    """What follows what.

    `frame` has one row per pair that occurs: `from_event`, `to_event` (with `(start)` and `(end)` of paths), `count`,
    `share` (of all), `per_path` (on average), `probability_out` (of what follows `from_event`), `probability_in` (of
    what precedes `to_event`), `people`, `mean_seconds` (between the two; missing at the ends).
    """

    def people(self, from_event: str, to_event: str) -> list[str]:
        """List the people who went from one event to another: as many as `people`."""
        from workbench.metrics.kernels.journeys import who_stepped  # noqa: PLC0415 - loads Numba

        trails = self.journeys.trails
        places = {START: len(trails.names), END: len(trails.names) + 1}
        before, after = (places[name] if name in places else trails.place(name) for name in (from_event, to_event))
        return self.journeys.people(
            who_stepped(trails.starts, trails.person, trails.code, len(trails.names), before, after)
        )

    def chart(self) -> Chart:
        """Draw the probability of what follows each event as a heat map."""
        common = self.frame.groupby("from_event")["count"].sum().nlargest(MOST_SHOWN + 1).index
        rows = tuple(name for name in (START, *self.journeys.trails.names) if name in common)
        columns = (*(name for name in rows if name != START), END)
        cells = self.frame.set_index(["from_event", "to_event"])["probability_out"]
        values = tuple(tuple(_value(cells, (row, column)) for column in columns) for row in rows)
        return Chart(
            title="What follows what", y_label="from", x_label="to", y_format="percent",
            marks=(Grid(rows=rows, columns=columns, values=values),) if rows else (),
            note=f"share of what follows each event · {self.journeys.trails.paths:,} paths",
        )  # fmt: skip

    def reading(self) -> str:
        """Say what most paths begin with, and the most common step."""
        if self.frame.empty:
            return "There is no path in this time."
        begins = self.frame[self.frame["from_event"] == START].nlargest(1, "count").iloc[0]
        inner = self.frame[~self.frame["from_event"].eq(START) & ~self.frame["to_event"].eq(END)]
        told = (
            f"{self.journeys.trails.paths:,} paths; most, {number(begins['probability_out'], 'percent')}, begin with "
            f"{begins['to_event']}."
        )
        if inner.empty:
            return f"{told} No path has a second event."
        most = inner.nlargest(1, "count").iloc[0]
        return (
            f"{told} The most common step is from {most['from_event']} to {most['to_event']}, "
            f"{number(most['count'], 'count')} times, {duration(most['mean_seconds'])} apart on average."
        )


def transitions(journeys: Journeys) -> Transitions:
    """Count what follows what."""
    from workbench.metrics.kernels.journeys import transitions as kernel  # noqa: PLC0415 - loads Numba

    trails = journeys.trails
    count, people, seconds = kernel(trails.starts, trails.person, trails.code, trails.at, len(trails.names))
    names = np.array([*trails.names, START, END], dtype=object)
    before, after = np.nonzero(count)
    inner = (before < len(trails.names)) & (after < len(trails.names))
    times = count[before, after]
    frame = pd.DataFrame(
        {
            "from_event": names[before],
            "to_event": names[after],
            "count": times,
            "share": intervals.rate(times, np.full(len(times), count.sum())),
            "per_path": intervals.rate(times, np.full(len(times), trails.paths)),
            "probability_out": intervals.rate(times, count.sum(axis=1)[before]),
            "probability_in": intervals.rate(times, count.sum(axis=0)[after]),
            "people": people[before, after],
            "mean_seconds": np.where(inner, intervals.rate(seconds[before, after], times), np.nan),
        }
    )
    return Transitions(frame=frame, **of(journeys))


@dataclass(frozen=True, kw_only=True, eq=False)
class StepMatrix(View):
    """Where paths are some steps before and after a centre.

    `frame` has one row per event and step: `event` (with `(start)` for not begun and `(end)` for ended), `step` (0
    is the centre), `paths`, `share` (of the paths that have the centre).
    """

    centre: str | None
    paths: int

    def chart(self) -> Chart:
        """Draw the shares as a heat map, the most common events first."""
        totals = self.frame[~self.frame["event"].isin([START, END])].groupby("event")["paths"].sum()
        rows = (*totals[totals > 0].nlargest(MOST_SHOWN).index, END)
        steps = sorted(self.frame["step"].unique())
        cells = self.frame.set_index(["event", "step"])["share"]
        values = tuple(tuple(_value(cells, (row, step)) for step in steps) for row in rows)
        grid = Grid(rows=tuple(rows), columns=tuple(f"{step:+d}" if step else "0" for step in steps), values=values)
        around = f"the first {self.centre}" if self.centre else "the first event"
        return Chart(
            title="Step by step", y_label="event", x_label=f"steps from {around}", y_format="percent",
            marks=(grid,) if self.paths else (), note=f"share of {self.paths:,} paths with {around}",
        )  # fmt: skip

    def reading(self) -> str:
        """Say what most often comes next, and how many paths end there."""
        centre = self.centre or "the first event"
        after = self.frame[self.frame["step"] == 1]
        if not self.paths or after.empty:
            return f"No path has {centre}." if not self.paths else f"Nothing was asked of what follows {centre}."
        ended = number(float(after.loc[after["event"] == END, "share"].sum()), "percent")
        goes_on = after[~after["event"].eq(END)].nlargest(1, "share").iloc[0]
        told = f"; else {goes_on['event']} comes next most often ({number(goes_on['share'], 'percent')})"
        return f"Of {self.paths:,} paths with {centre}, {ended} end right after it{told if goes_on['share'] else ''}."


def step_matrix(journeys: Journeys, centre: str | None, *, before: int, after: int) -> StepMatrix:
    """Say where paths are some steps before and after a centre."""
    from workbench.metrics.kernels.journeys import around  # noqa: PLC0415 - loads Numba

    for name, value in (("before", before), ("after", after)):
        bounded(value, 0, 100, name)
    trails = journeys.trails
    place = trails.place(centre) if centre else -1
    counts, paths_ = around(trails.starts, trails.code, len(trails.names), place, before, after)
    names, steps = [*trails.names, START, END], range(-before, after + 1)
    frame = pd.DataFrame(
        {
            "event": np.repeat(np.array(names, dtype=object), len(steps)),
            "step": np.tile(np.array(steps), len(names)),
            "paths": counts.ravel(),
            "share": intervals.rate(counts.ravel(), np.full(counts.size, paths_)),
        }
    )
    return StepMatrix(frame=frame, centre=centre, paths=paths_, **of(journeys))


@dataclass(frozen=True, kw_only=True, eq=False)
class Paths(View):
    """The most common whole paths.

    `frame` has one row per path: `path`, `length`, `paths` (how many are so), `share` (of all), `people`.
    """

    def chart(self) -> Chart:
        """Draw a bar per path."""
        return bars(self, "Most common paths", "path", "share")

    def reading(self) -> str:
        """Say which is the most common path, and how much of all the listed ones are."""
        if self.frame.empty:
            return "There is no path in this time."
        first = self.frame.iloc[0]
        return (
            f"The most common path is {first['path']} ({number(first['share'], 'percent')} of "
            f"{self.journeys.trails.paths:,}); the {len(self.frame)} most common ones are "
            f"{number(float(self.frame['share'].sum()), 'percent')} of all."
        )


def paths(journeys: Journeys, top: int) -> Paths:
    """List the most common whole paths."""
    from workbench.metrics.kernels.journeys import digests  # noqa: PLC0415 - loads Numba

    trails, most = journeys.trails, bounded(top, 1, 1_000, "top")
    _, example, place, count = np.unique(
        digests(trails.starts, trails.code), return_index=True, return_inverse=True, return_counts=True
    )
    chosen = sorted(range(len(count)), key=lambda kind: (-count[kind], _named(trails, int(example[kind]))))[:most]
    rows = [
        (
            _named(trails, int(example[kind])),
            int(np.diff(trails.starts)[example[kind]]),
            int(count[kind]),
            count[kind] / trails.paths,
            len(np.unique(trails.person[place == kind])),
        )
        for kind in chosen
    ]
    return Paths(frame=pd.DataFrame(rows, columns=["path", "length", "paths", "share", "people"]), **of(journeys))


def _named(trails: Any, path: int) -> str:  # noqa: ANN401
    codes = trails.code[trails.starts[path] : trails.starts[path + 1]]
    shown = [trails.names[code] for code in codes[: 2 * _LONGEST]]
    return ARROW.join([*shown, f"… {len(codes) - len(shown):,} more"] if len(codes) > len(shown) else shown)


@dataclass(frozen=True, kw_only=True, eq=False)
class Patterns(View):
    """The most common runs of events inside paths.

    `frame` has one row per run: `pattern`, `paths` (that have it, once or more), `share` (of all paths). Longer paths
    have more of everything.
    """

    length: int

    def people(self, pattern: str) -> list[str]:
        """List the people with a run of events in a path, as the frame names it."""
        trails = self.journeys.trails
        wanted = [trails.place(name) for name in pattern.split(ARROW)]
        found = _grams(self.journeys, len(wanted))
        code = 0
        for place in wanted:
            code = code * len(trails.names) + place
        return self.journeys.people(trails.person[found[found[:, 1] == code, 0]])

    def chart(self) -> Chart:
        """Draw a bar per run."""
        return bars(self, f"Most common runs of {self.length}", "pattern", "share")

    def reading(self) -> str:
        """Say which run is the most common."""
        if self.frame.empty:
            return f"No path has {self.length} events."
        first = self.frame.iloc[0]
        return f"{first['pattern']} is in {number(first['share'], 'percent')} of {self.journeys.trails.paths:,} paths."


def patterns(journeys: Journeys, length: int, *, top: int) -> Patterns:
    """List the most common runs of events inside paths."""
    trails, most = journeys.trails, bounded(top, 1, 10_000, "top")
    found = _grams(journeys, bounded(length, 1, _LONGEST, "length"))
    codes, count = np.unique(found[:, 1], return_counts=True)
    order = np.argsort(-count, kind="stable")[:most]
    rows = []
    for code, times in zip(codes[order], count[order], strict=True):
        events, rest = [], int(code)
        for _ in range(length):
            rest, place = divmod(rest, len(trails.names))
            events.append(trails.names[place])
        rows.append((ARROW.join(reversed(events)), int(times), times / trails.paths))
    frame = pd.DataFrame(rows, columns=["pattern", "paths", "share"])
    return Patterns(frame=frame, length=length, **of(journeys))


def _grams(journeys: Journeys, length: int) -> NDArray[np.int64]:
    from workbench.metrics.kernels.journeys import grams  # noqa: PLC0415 - loads Numba

    return grams(journeys.trails.starts, journeys.trails.code, len(journeys.trails.names), length)


@dataclass(frozen=True, kw_only=True, eq=False)
class Loops(View):
    """Events that repeat, and ways there and back.

    `frame` has one row per loop: `loop` (`a → a`, or `a → b → a`), `paths` (that have it), `share` (of all paths).
    """

    def chart(self) -> Chart:
        """Draw a bar per loop."""
        return bars(self, "Loops", "loop", "share")

    def reading(self) -> str:
        """Say which loop is the most common."""
        if self.frame.empty:
            return "No path comes back to where it was."
        first = self.frame.iloc[0]
        return f"The most common loop is {first['loop']}, in {number(first['share'], 'percent')} of the paths."


def loops(journeys: Journeys) -> Loops:
    """Count events that repeat, and ways there and back."""
    every = pd.concat([patterns(journeys, length, top=10_000).frame for length in (2, 3)], ignore_index=True)
    events = every["pattern"].str.split(ARROW)
    back = events.map(lambda names: names[0] == names[-1] and (len(names) == 2 or names[1] != names[0]))  # noqa: PLR2004
    found = every[back.astype(bool)].rename(columns={"pattern": "loop"})
    frame = found.sort_values("paths", ascending=False, kind="stable", ignore_index=True)
    return Loops(frame=frame, **of(journeys))


def of(journeys: Journeys) -> dict[str, Any]:
    """Return what every view says of where it comes from."""
    return {
        "sql": journeys.sql, "definition": journeys.definition, "data_version": journeys.data_version,
        "journeys": journeys,
    }  # fmt: skip


def bars(view: View, title: str, name: str, share: str) -> Chart:
    """Draw a bar per row of a view's frame, the first rows only."""
    shown = view.frame.head(MOST_SHOWN)
    drawn = Bars(x=tuple(map(str, shown[name])), y=tuple(map(float, shown[share])))
    marks = (drawn,) if len(shown) else ()
    note = f"share of {view.journeys.trails.paths:,} paths"
    return Chart(title=title, y_label="share of paths", y_format="percent", marks=marks, note=note)


def _value(cells: pd.Series[float], key: tuple[object, object]) -> float | None:
    found = cells.get(key)
    return None if found is None or found != found else float(found)  # noqa: PLR0124 - NaN


def bounded(value: int, low: int, high: int, name: str) -> int:
    """Check that a number lies between two, and return it.

    Raises:
        InvalidArgument: It does not.
    """
    if type(value) is not int or not low <= value <= high:
        raise InvalidArgument(f"{name} must be a whole number from {low} to {high:,}, got {value!r}")
    return value
