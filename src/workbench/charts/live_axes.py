"""What bqplot needs for a chart's scales and axes, as traits that can be set again when the numbers change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bqplot
import numpy as np

from workbench.charts import axes, formats, look, shapes
from workbench.charts.layout import has_axes
from workbench.charts.spec import Grid

if TYPE_CHECKING:
    from workbench.charts.axes import Axis
    from workbench.charts.layout import Layout
    from workbench.charts.spec import Chart

Plan = tuple[type, dict[str, Any]]
"""A class of bqplot, and the traits of one of it."""


def scales(chart: Chart, x: Axis, y: Axis) -> dict[str, Plan]:
    """Return the scales of a chart by name.

    `x` and `y` are the axes'; `place` and `place_y` run over the places of a category axis, so that something
    can stand between two names.
    """
    grid = next((mark for mark in chart.marks if isinstance(mark, Grid)), None)
    if grid is not None:
        low, high = shapes.color_range(grid)
        return {
            "x": _names(x),
            "y": _names(y, reverse=True),
            "place": _range(x),
            "place_y": _range(y, reverse=True),
            "color": (bqplot.ColorScale, {"min": low, "max": high, "colors": list(look.VIRIDIS)}),
        }
    if x.names:
        return {"x": _names(x), "place": _range(x), "y": _range(y)}
    return {"x": _instants(x) if x.pattern else _range(x), "y": _range(y)}


def drawn_axes(chart: Chart, x: Axis, y: Axis, layout: Layout) -> list[Plan]:
    """Return the axes of a chart: none for a ring, a flow or an empty chart, else light rules and a base line."""
    if axes.is_empty(chart) or not has_axes(chart):
        return []
    ticks = {"font-size": f"{look.SMALL}px", "fill": look.MUTED}
    bottom = {"tick_style": {**ticks, "text-anchor": "end" if layout.turn else "middle"}, "tick_rotate": layout.turn}
    heat = any(isinstance(mark, Grid) for mark in chart.marks)
    rules = {"grid_lines": "none" if heat else "solid", "grid_color": look.RULE}
    line = {"color": "transparent"}
    pattern = {} if y.names else {"tick_format": formats.D3[chart.y_format]}  # while new labels are on their way
    return [
        (bqplot.Axis, {**_ticks(x, layout.x_labels), **bottom, **line, "side": "bottom", "grid_lines": "none"}),
        (bqplot.Axis, {**pattern, **_ticks(y, y.labels), **rules, **line, "tick_style": ticks, "side": "left"}),
    ]


def _names(axis: Axis, **traits: bool) -> Plan:
    return bqplot.OrdinalScale, {"domain": list(axis.names), "allow_padding": False, **traits}


def _range(axis: Axis, **traits: bool) -> Plan:
    return bqplot.LinearScale, {"min": axis.low, "max": axis.high, "allow_padding": False, **traits}


def _instants(axis: Axis) -> Plan:
    ends = {"min": axes.instant(axis.low), "max": axes.instant(axis.high)}
    return bqplot.DateScale, {**ends, "allow_padding": False}


def _ticks(axis: Axis, labels: tuple[str, ...]) -> dict[str, Any]:
    if axis.pattern:
        moments = np.array([round(tick * 1000) for tick in axis.ticks], dtype="datetime64[ms]")
        return {"tick_values": moments, "tick_format": axis.pattern}
    if axis.names:
        shown = {axis.names[int(tick)]: label for tick, label in zip(axis.ticks, labels, strict=True)}
        return {"tick_labels": {name: shown.get(name, "") for name in axis.names}}  # every name has a tick
    keys = [_script(tick) for tick in axis.ticks]
    return {"tick_values": np.array(axis.ticks, dtype=float), "tick_labels": dict(zip(keys, labels, strict=True))}


def _script(value: float) -> str:
    """Write a number as JavaScript does, since the browser looks its label up by that."""
    return str(int(value)) if value.is_integer() else repr(value).replace("e-0", "e-")
