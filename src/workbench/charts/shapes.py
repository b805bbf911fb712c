"""Shapes that both renderers draw alike: who has which colour, where bars stand, how cells are filled and hatched."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from workbench.charts import formats, look
from workbench.charts.spec import Band, Bars, Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.charts.axes import Axis
    from workbench.charts.spec import Chart, Format, Grid

_STROKES = 3
_MOST_TEXTS = 240
_ROOM = (30, 15)
"""A cell narrower or lower than this, in pixels, has no text."""

Segment = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Slot:
    """Where the bars of one mark stand: the middle of each, and the width of all, in units of the axis."""

    middles: tuple[float, ...]
    width: float


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a heat map that has a value."""

    row: int
    column: int
    value: float
    color: str
    ink: str
    text: str


def colors(chart: Chart) -> tuple[str, ...]:
    """Return the colour of each mark: equal labels share one, a band has that of the line it surrounds."""
    keys: list[str] = []
    for place, mark in enumerate(chart.marks):
        label = getattr(mark, "label", "")
        keys.append(label or f"\0{place}")
    owners = [_owner(chart, place) for place in range(len(keys))]
    order = list(dict.fromkeys(keys[owner] for place, owner in enumerate(owners) if place == owner))
    return tuple(look.series_color(order.index(keys[owner])) for owner in owners)


def slots(chart: Chart, axis: Axis) -> dict[int, Slot]:
    """Place the bars of every `Bars` mark side by side, keyed by the mark's place in the chart."""
    bars = {place: mark for place, mark in enumerate(chart.marks) if isinstance(mark, Bars)}
    if not bars:
        return {}
    places = {place: axis.places(mark.x) for place, mark in bars.items()}
    steps = len(axis.names) or len({x for xs in places.values() for x in xs}) or 1
    room = (axis.high - axis.low) / steps * (1 - look.BAR_GAP)
    width = room / len(bars)
    shifts = {place: (turn + 0.5) * width - room / 2 for turn, place in enumerate(bars)}
    return {place: Slot(tuple(x + shifts[place] for x in xs), width) for place, xs in places.items()}


def tops(bars: Bars) -> tuple[float, ...]:
    """Return where the annotation of each bar stands: on the bar, or on its interval."""
    ends = bars.high or bars.y
    return tuple(max(0.0, *(v for v in pair if math.isfinite(v))) for pair in zip(bars.y, ends, strict=True))


def color_range(grid: Grid) -> tuple[float, float]:
    """Return the values of the first and the last colour.

    A column that is the same in every row, such as the 100% of period 0, does not stretch the colours.
    """
    rows = [[_finite(value) for value in row] for row in grid.values]
    columns = [[value for value in column if value is not None] for column in zip(*rows, strict=True)]
    varied = [column for column in columns if len(set(column)) > 1] or columns
    values = [value for column in varied for value in column]
    low, high = min(values, default=0.0), max(values, default=1.0)
    low = min(low, 0.0) if low < high / 2 or low == high else low
    return (low, high) if low < high else (low, low + 1)


def cells(grid: Grid, form: Format, size: tuple[float, float]) -> tuple[Cell, ...]:
    """Return the cells that have a value; their texts are empty where a cell of `size` pixels has no room."""
    low, high = color_range(grid)
    values = list(_values(grid))
    written = len(values) <= _MOST_TEXTS and all(a >= b for a, b in zip(size, _ROOM, strict=True))
    result = []
    for row, column, value in values:
        color = look.viridis((value - low) / (high - low))
        text = formats.short(value, form) if written else ""
        result.append(Cell(row, column, value, color, look.ink_on(color), text))
    return tuple(result)


def hatching(grid: Grid) -> tuple[Segment, ...]:
    """Return the strokes over the cells that are not final, in units of rows and columns."""
    marked = ((row, column) for row, column, _ in _values(grid) if grid.hatched and grid.hatched[row][column])
    return tuple(stroke for row, column in marked for stroke in _strokes(row, column))


def pieces(line: Line) -> tuple[tuple[int, int], ...]:
    """Return the stretches of a line without a gap, as half-open ranges of its points."""
    gaps = [-1, *(place for place, y in enumerate(line.y) if _finite(y) is None), len(line.y)]
    return tuple((left + 1, right) for left, right in pairwise(gaps) if right > left + 1)


def _owner(chart: Chart, place: int) -> int:
    """A band belongs to the line with its label or over the same x, else to the one before it, else to any."""
    band = chart.marks[place]
    if not isinstance(band, Band):
        return place
    lines = {other: mark for other, mark in enumerate(chart.marks) if isinstance(mark, Line)}
    near = [other for other, line in lines.items() if line.x == band.x or (band.label and line.label == band.label)]
    before = [other for other in lines if other < place]
    return (*near, *reversed(before), *lines, place)[0]


def _values(grid: Grid) -> Iterator[tuple[int, int, float]]:
    for row, values in enumerate(grid.values):
        for column, value in enumerate(values):
            if (number := _finite(value)) is not None:
                yield row, column, number


def _strokes(row: int, column: int) -> Iterator[Segment]:
    """Draw parallel diagonals, from the lower left to the upper right; rows count downwards."""
    for turn in range(1, 2 * _STROKES):
        shift = turn / _STROKES - 1
        start, end = max(0.0, shift), min(1.0, 1.0 + shift)
        left, right = column - 0.5 + start, column - 0.5 + end
        yield (left, row + 0.5 - (start - shift)), (right, row + 0.5 - (end - shift))


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None
