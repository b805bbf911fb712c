"""The few kinds of bqplot marks that drawings are made of, as values that can be compared and set again."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import bqplot
import numpy as np

from workbench.charts import axes, formats, look

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from workbench.charts.axes import Axis
    from workbench.charts.clicks import Answers
    from workbench.charts.layout import Text
    from workbench.charts.shapes import Segment
    from workbench.charts.spec import Chart, Line, Points

FRAMED = {"x": "frame_x", "y": "frame_y"}
"""The scales of the plot itself, from 0 to 1."""


@dataclass(frozen=True)
class Part:
    """One bqplot mark to be: its class, its traits, and the names of the scales of its dimensions."""

    kind: type[bqplot.Mark]
    traits: dict[str, Any]
    scales: dict[str, str]
    tooltip: dict[str, Any] = field(default_factory=dict)
    answers: Answers = field(default_factory=dict)
    """What its elements are when they are clicked."""


def nothing() -> Part:
    """Say that there is no data, in the middle."""
    return label({"x": [0.5], "y": [0.5], "text": ["no data"], "colors": [look.MUTED]}, FRAMED, size=look.TITLE)


def beside(text: Text) -> Part:
    """Write a text beside the plot, at a fixed distance from its corner."""
    traits = {
        "x": [0.0],
        "y": [0.0 if text.below else 1.0],
        "text": [text.words],
        "x_offset": round(text.dx),
        "y_offset": round(text.dy),
        "colors": [text.color],
        "align": "start",
        "font_weight": text.weight,
        "apply_clip": False,
    }
    return label(traits, FRAMED, size=text.size)


def label(traits: dict[str, Any], scales: dict[str, str], *, size: int) -> Part:
    """Write texts at points, dark and centred unless `traits` say otherwise."""
    given = {
        "align": "middle",
        "colors": [look.INK],
        "default_size": float(size),
        "font_weight": "normal",
        "apply_clip": False,
        **traits,
    }
    arrays = {name: np.array(given[name]) for name in ("x", "y")}
    return Part(bqplot.Label, {**given, **arrays, "text": np.array(given["text"], dtype=str)}, scales)


def segments(ends: Sequence[Segment], scales: dict[str, str], axis: Axis | None, **style: Any) -> Part:  # noqa: ANN401
    """Draw many strokes as one line with gaps."""
    x = [at for (left, _), (right, _) in ends for at in (left, right, right)]
    y = [at for (_, low), (_, high) in ends for at in (low, high, math.nan)]
    return Part(bqplot.Lines, {**line(on_axis(x, axis) if axis else floats(x), floats(y)), **style}, scales)


def line(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> dict[str, Any]:
    """Return the points of a line, up to the last that is known: at the last one bqplot puts the line's name."""
    known = np.flatnonzero(~np.isnan(y))
    end = known[-1] + 1 if len(known) else 1
    return {"x": x[:end], "y": y[:end]}


def on_axis(places: Sequence[float], axis: Axis) -> np.ndarray[Any, Any]:
    """Return places between names or instants as bqplot takes them: instants on a time axis, else numbers."""
    if not axis.pattern:
        return floats(places)
    return np.array([round(place * 1000) for place in places], dtype="datetime64[ms]")


def floats(values: Sequence[float | None]) -> np.ndarray[Any, Any]:
    """Return numbers as an array; what is missing becomes NaN, which breaks a line."""
    return np.array([axes.or_nan(value) for value in values], dtype=float)


def tooltip(chart: Chart, x: Axis) -> dict[str, Any]:
    """Say what hovering over a bar shows."""
    where = "%a %d %b %Y" if x.pattern else ""
    labels = [formats.shorten(chart.x_label, 40), formats.shorten(chart.y_label, 40)]
    return {
        "fields": ["x", "y"],
        "formats": [where, formats.D3[chart.y_format]],
        "labels": labels,
        "show_labels": all(labels),
    }


def words(chart: Chart, mark: Line | Points, at: int) -> str:
    """What hovering over a point says."""
    x = mark.x[at]
    if chart.x_scale == "category":
        where = formats.clean(str(x))
    else:
        place = axes.seconds(x)
        where = _when(axes.instant(place)) if chart.x_scale == "time" else formats.number(place, "decimal")
    value = formats.number(mark.y[at], chart.y_format)
    return " · ".join(filter(None, (formats.shorten(mark.label, 40), where, value)))


def _when(moment: datetime) -> str:
    midnight = moment == moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return moment.strftime("%a %d %b %Y" if midnight else "%a %d %b %Y %H:%M")
