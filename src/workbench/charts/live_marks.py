"""What bqplot needs to draw each mark: which of its classes, with what data, on which scales."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import bqplot
import numpy as np
from bqplot.traits import array_dimension_bounds, array_serialization
from traittypes import Array

from workbench.charts import axes, formats, live_flow, live_parts, look, shapes
from workbench.charts.clicks import Click
from workbench.charts.live_parts import Part
from workbench.charts.ring import HOLE, ring
from workbench.charts.spec import Band, Bars, Flow, Grid, Line, Points, Slices

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workbench.charts.axes import XY, Axis
    from workbench.charts.clicks import Answers
    from workbench.charts.layout import Layout
    from workbench.charts.spec import Chart

_MOST_HOVERS = 400
"""A longer line has no points to hover over; its shape is what matters."""
_XY = {"x": "x", "y": "y"}
_PLACED = {"x": "place", "y": "y"}


class HeatMap(bqplot.GridHeatMap):  # type: ignore[misc]
    """bqplot's own, which makes a line of numbers out of a grid of one row or one column, and then refuses it."""

    color = (
        Array(None, allow_none=True)
        .tag(sync=True, scaled=True, rtype="Color", atype="bqplot.ColorAxis", **array_serialization)
        .valid(array_dimension_bounds(2, 2))
    )


def parts(chart: Chart, plan: tuple[Axis, Axis], layout: Layout) -> list[Part]:
    """Return what draws a chart: marks with the spec's own numbers, then the texts around the plot."""
    drawn = [live_parts.nothing()] if axes.is_empty(chart) else list(_marks(chart, plan[0], layout))
    return drawn + [live_parts.beside(text) for text in layout.texts]


def coordinates(mark: XY, axis: Axis) -> np.ndarray[Any, Any]:
    """Return a mark's horizontal coordinates as bqplot takes them: names, instants or numbers."""
    if axis.names:
        return np.array(formats.distinct(mark.x), dtype=str)
    return live_parts.on_axis(axis.places(mark.x), axis)


def _marks(chart: Chart, x: Axis, layout: Layout) -> Iterator[Part]:
    colors = shapes.colors(chart)
    if any(axes.is_xy(mark) for mark in chart.marks):
        yield _base()
    yield from _bars(chart, x, colors)
    for mark, color in zip(chart.marks, colors, strict=True):
        match mark:
            case Band():
                yield _band(mark, x, color)
            case Line():
                yield from _line(chart, mark, x, color)
            case Points():
                yield _points(chart, mark, x, color)
            case Grid():
                yield from _grid(chart, mark, layout)
            case Slices():
                yield from _slices(chart, mark, layout)
            case Flow():
                yield from live_flow.parts(chart, mark, layout)


def _base() -> Part:
    """The line at zero; it is outside of the drawing where the axis does not reach zero."""
    traits = {
        "x": live_parts.floats([0.0, 1.0]),
        "y": live_parts.floats([0.0, 0.0]),
        "colors": [look.MUTED],
        "stroke_width": 1.0,
    }
    return Part(bqplot.Lines, traits, {"x": "frame_x", "y": "y"})


def _bars(chart: Chart, x: Axis, colors: Sequence[str]) -> Iterator[Part]:
    """All bars are one bqplot mark, which puts those of one place side by side."""
    bars = {place: mark for place, mark in enumerate(chart.marks) if isinstance(mark, Bars)}
    if not bars:
        return
    names = [coordinates(mark, x) for mark in bars.values()]
    every = list(dict.fromkeys(name for each in names for name in each.tolist()))
    heights = [
        [_zero(known.get(name)) for name in every]
        for known in (
            dict(zip(each.tolist(), mark.y, strict=True)) for each, mark in zip(names, bars.values(), strict=True)
        )
    ]
    traits = {
        "x": np.array(every, dtype=str if x.names else names[0].dtype),
        "y": np.array(heights if len(heights) > 1 else heights[0]),
        "colors": [colors[place] for place in bars],
        "labels": [mark.label for mark in bars.values()],
        "type": "grouped",
        "padding": look.BAR_GAP,
        "stroke": None,
    }
    places = {name: at for at, name in enumerate(every)}
    clicks: Answers = {
        (places[name], turn): Click(x=mark.x[at], label=mark.label, at=at)
        for turn, (each, mark) in enumerate(zip(names, bars.values(), strict=True))
        for at, name in enumerate(each.tolist())
    }
    yield Part(bqplot.Bars, traits, _XY, live_parts.tooltip(chart, x), clicks)
    for place, slot in shapes.slots(chart, x).items():
        yield from _on_bars(bars[place], slot, x)


def _on_bars(bars: Bars, slot: shapes.Slot, x: Axis) -> Iterator[Part]:
    if bars.low:
        ends = [((at, low), (at, high)) for at, low, high in zip(slot.middles, bars.low, bars.high, strict=True)]
        yield live_parts.segments(ends, _PLACED, x, colors=[look.INK], stroke_width=1.5)
    if any(bars.annotations):
        words = [formats.shorten(text, 28) for text in bars.annotations]
        traits = {
            "x": live_parts.on_axis(slot.middles, x),
            "y": np.array(shapes.tops(bars)),
            "text": words,
            "y_offset": -10,
        }
        yield live_parts.label(traits, _PLACED, size=look.SMALL)


def _band(band: Band, x: Axis, color: str) -> Part:
    traits = {
        "x": coordinates(band, x),
        "y": np.array([band.low, band.high], dtype=float),
        "labels": [band.label],
        "fill": "between",
        "fill_colors": [color],
        "fill_opacities": [look.BAND_OPACITY],
        "colors": [color],
        "opacities": [0.0, 0.0],
        "stroke_width": 0.0,
    }
    return Part(bqplot.Lines, traits, _XY)


def _line(chart: Chart, line: Line, x: Axis, color: str) -> Iterator[Part]:
    traits = {
        **live_parts.line(coordinates(line, x), live_parts.floats(line.y)),
        "labels": [line.label],
        "colors": [color],
        "stroke_width": look.LINE_WIDTH,
        "line_style": "dashed" if line.dashed else "solid",
    }
    yield Part(bqplot.Lines, traits, _XY)
    if len(line.x) <= _MOST_HOVERS:
        yield _dots(chart, line, x, color, seen=False)


def _points(chart: Chart, points: Points, x: Axis, color: str) -> Part:
    return _dots(chart, points, x, color, seen=True)


def _dots(chart: Chart, mark: Line | Points, x: Axis, color: str, *, seen: bool) -> Part:
    """Points to see, or the unseen points of a line that answer the mouse, and show where a line is one point."""
    known = [at for at, y in enumerate(mark.y) if y is not None and math.isfinite(y)]
    alone = {start for start, end in shapes.pieces(mark) if end == start + 1} if isinstance(mark, Line) else set()
    traits = {
        "x": coordinates(mark, x)[known],
        "y": live_parts.floats([mark.y[at] for at in known]),
        "names": np.array([live_parts.words(chart, mark, at) for at in known], dtype=str),
        "names_unique": False,
        "display_names": False,
        "colors": [color],
        "default_size": 40,
        "opacities": [1.0 if seen or at in alone else 0.0 for at in known],
        "stroke": look.PAPER if seen else None,
        "apply_clip": False,  # a dot on the edge is whole
    }
    clicks: Answers = {(place,): Click(x=mark.x[at], label=mark.label, at=at) for place, at in enumerate(known)}
    return Part(bqplot.Scatter, traits, _XY, {"fields": ["name"], "show_labels": False}, clicks)


def _grid(chart: Chart, grid: Grid, layout: Layout) -> Iterator[Part]:
    wide, tall = layout.plot
    drawn = shapes.cells(grid, chart.y_format, (wide / len(grid.columns), tall / len(grid.rows)))
    traits = {
        "row": np.array(formats.distinct(grid.rows), dtype=str),
        "column": np.array(formats.distinct(grid.columns), dtype=str),
        "color": np.array([live_parts.floats(row) for row in grid.values]),
        "stroke": look.PAPER,
        # bqplot paints missing cells black; those not selected are hidden
        "selected": np.array([(cell.row, cell.column) for cell in drawn]),
        "unselected_style": {"opacity": "0", "pointer-events": "none"},
    }
    fields = {
        "fields": ["row", "column", "color"],
        "formats": ["", "", formats.D3[chart.y_format]],
        "show_labels": False,
    }
    clicks: Answers = {
        (cell.row, cell.column): Click(
            x=grid.columns[cell.column], row=grid.rows[cell.row], at=cell.row * len(grid.columns) + cell.column
        )
        for cell in drawn
    }
    yield Part(HeatMap, traits, {"row": "y", "column": "x", "color": "color"}, fields, clicks)
    places = {"x": "place", "y": "place_y"}
    hatch = {"colors": [look.PAPER], "opacities": [look.HATCH_OPACITY], "stroke_width": 1.0}
    yield live_parts.segments(shapes.hatching(grid), places, None, **hatch)
    texts = {
        "x": live_parts.floats([cell.column for cell in drawn]),
        "y": live_parts.floats([cell.row for cell in drawn]),
        "text": [cell.text for cell in drawn],
        "colors": [cell.ink for cell in drawn],
    }
    yield live_parts.label(texts, places, size=look.TINY)


def _slices(chart: Chart, slices: Slices, layout: Layout) -> Iterator[Part]:
    wide, tall = layout.plot
    drawn = ring(chart, slices, layout)
    middle = (drawn.center[0] / wide, 1 - drawn.center[1] / tall)
    traits = {
        "sizes": live_parts.floats([row.value for row in drawn.rows]),
        "labels": list(formats.distinct(slices.labels)),
        "x": middle[0],
        "y": middle[1],
        "radius": drawn.radius,
        "inner_radius": drawn.radius * HOLE,
        "colors": [row.color for row in drawn.rows],
        "stroke": look.PAPER,
        "display_labels": "none",
        "apply_clip": False,  # the ring is drawn about its centre, and a narrow tile would cut it
    }
    fields = {"fields": ["label", "size"], "formats": ["", formats.D3[chart.y_format]], "show_labels": False}
    yield Part(bqplot.Pie, traits, {}, fields)
    yield live_parts.label(
        {"x": [middle[0]], "y": [middle[1]], "text": [drawn.total], "font_weight": "bold"}, live_parts.FRAMED, size=18
    )
    heights = live_parts.floats([1 - row.y / tall for row in drawn.rows])
    for column in zip(*(row.texts for row in drawn.rows), strict=True):
        texts = {
            "x": live_parts.floats([text.at / wide for text in column]),
            "y": heights,
            "text": [text.words for text in column],
            "colors": [text.ink for text in column],
            "align": "start" if column[0].align == "left" else "end",
        }
        yield live_parts.label(texts, live_parts.FRAMED, size=look.BODY)


def _zero(value: float | None) -> float:
    return value if value is not None and math.isfinite(value) else 0.0
