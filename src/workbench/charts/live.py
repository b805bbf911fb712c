"""Charts that live in a notebook or a dashboard: bqplot figures that carry an SVG of themselves for reports."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import bqplot
import numpy as np

from workbench.charts import live_axes, live_parts, look
from workbench.charts.layout import lay_out, plan
from workbench.charts.live_marks import parts
from workbench.charts.spec import Flow

if TYPE_CHECKING:
    from ipywidgets import Widget

    from workbench.charts.clicks import Answers
    from workbench.charts.layout import Layout
    from workbench.charts.live_axes import Plan
    from workbench.charts.live_parts import Part
    from workbench.charts.spec import Chart, Line


_WIDTH, _FLOW_WIDTH = 720, 1000


class ChartFigure(bqplot.Figure):  # type: ignore[misc] # bqplot has no types
    """A bqplot figure of one chart. Where no widget can live, such as in static HTML, it shows as SVG.

    The SVG is drawn when the figure itself is displayed; inside a box of widgets it costs nothing.
    """

    def __init__(self, chart: Chart, *, width: int, height: int | None) -> None:
        # The title is drawn with the other texts, at the left; here it is for programs that look for it.
        super().__init__(display_toolbar=False, padding_x=0.0, padding_y=0.0, title_style={"display": "none"})
        self.width, self.height = width, height
        self.named_scales: dict[str, bqplot.Scale] = {}
        self.answers: dict[bqplot.Mark, Answers] = {}
        self.show(chart)

    def show(self, chart: Chart) -> None:
        """Show a chart: in place where it has the same marks as the one before, else drawn anew."""
        self.chart = chart
        x, y = plan(chart, self.width)
        layout = lay_out(chart, x, y, width=self.width, height=self.height)
        scales = live_axes.scales(chart, x, y)
        axes = live_axes.drawn_axes(chart, x, y, layout)
        new = parts(chart, (x, y), layout)
        with self.hold_sync():
            self._frame(layout)
            if not self._fits(scales, axes, new):
                self._rebuild(scales, axes, new)
        for name, (_, traits) in scales.items():
            _set(self.named_scales[name], traits)
        for axis, (_, traits) in zip(self.axes, axes, strict=True):
            _set(axis, traits)
        for mark, part in zip(self.marks, new, strict=True):
            _set(mark, part.traits)
        self.answers = {mark: part.answers for mark, part in zip(self.marks, new, strict=True)}

    def _frame(self, layout: Layout) -> None:
        self.title = self.chart.title
        self.fig_margin = {side: getattr(layout, side) for side in ("top", "right", "bottom", "left")}
        self.layout.width, self.layout.height = "100%", f"{layout.height}px"

    def _fits(self, scales: dict[str, Plan], axes: list[Plan], new: list[Part]) -> bool:
        return (
            {name: type(scale) for name, scale in self.named_scales.items()}
            == {n: kind for n, (kind, _) in scales.items()}
            and len(self.axes) == len(axes)
            and len(self.marks) == len(new)
            and all(_takes(mark, part) for mark, part in zip(self.marks, new, strict=True))
        )

    def _rebuild(self, scales: dict[str, Plan], axes: list[Plan], new: list[Part]) -> None:
        gone = [*self.marks, *self.axes, *self.named_scales.values()]
        self.named_scales = {name: kind(**traits) for name, (kind, traits) in scales.items()}
        self.axes: list[bqplot.Axis] = [
            kind(scale=self.named_scales[name], **traits) for name, (kind, traits) in zip("xy", axes, strict=False)
        ]
        self.marks: list[bqplot.Mark] = [self._mark(part) for part in new]
        for widget in gone:
            widget.close()

    def _mark(self, part: Part) -> bqplot.Mark:
        frame = {"frame_x": self.scale_x, "frame_y": self.scale_y, "place": self.named_scales.get("x")}
        known = {**frame, **self.named_scales}
        scales = {dimension: known[name] for dimension, name in part.scales.items()}
        tooltip = bqplot.Tooltip(**part.tooltip) if part.tooltip else None
        return part.kind(scales=scales, tooltip=tooltip, **part.traits)

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401 - IPython's include and exclude
        from workbench.charts.static import svg  # noqa: PLC0415 - matplotlib is loaded where a page needs it

        bundle = super()._repr_mimebundle_(**kwargs) or {}
        drawing = svg(self.chart, width=self.width, height=self.height)
        return {**bundle, "text/plain": self.chart.title, "image/svg+xml": drawing}


def figure(chart: Chart, *, width: int | None = None, height: int | None = None) -> ChartFigure:
    """Draw a chart with bqplot.

    Args:
        chart: What to draw; where it has no values the figure says so.
        width: Pixels to lay the texts out for, by default 720, or 1,000 for a flow; the figure fills its container.
        height: Pixels; by default 360, or what the rows of a heat map need.

    Returns:
        A figure whose marks hold the chart's numbers; `update` gives it new ones.
    """
    usual = _FLOW_WIDTH if any(isinstance(mark, Flow) for mark in chart.marks) else _WIDTH
    return ChartFigure(chart, width=width or usual, height=height)


def update(drawn: ChartFigure, chart: Chart) -> None:
    """Show other numbers in a figure, in place where the chart has the same marks: for live tiles."""
    drawn.show(chart)


def sparkline(line: Line, *, height: int = 40) -> bqplot.Figure:
    """Draw a line alone, without axes or texts: the shape of a number's past, beside the number."""
    traits = _shape(line)
    scales = {name: bqplot.LinearScale(allow_padding=False, **traits[name]) for name in "xy"}
    mark = bqplot.Lines(scales=scales, colors=[look.series_color(0)], stroke_width=1.5, **traits["mark"])
    margin = dict.fromkeys(("top", "right", "bottom", "left"), 3)
    drawn = bqplot.Figure(marks=[mark], fig_margin=margin, display_toolbar=False, padding_x=0.0, padding_y=0.0)
    drawn.layout.width, drawn.layout.height, drawn.layout.min_width = "100%", f"{height}px", "60px"
    return drawn


def update_sparkline(drawn: bqplot.Figure, line: Line) -> None:
    """Show another past in a sparkline, in place: a new one would stay in the kernel beside the old."""
    (mark,) = drawn.marks
    traits = _shape(line)
    _set(mark, traits["mark"])
    for name in "xy":
        _set(mark.scales[name], traits[name])


def _shape(line: Line) -> dict[str, dict[str, Any]]:
    """Return the traits of a sparkline's mark and of its scales."""
    known = [y for y in line.y if y is not None and math.isfinite(y)]
    low, high = min(known, default=0.0), max(known, default=1.0)
    return {
        "mark": live_parts.line(np.arange(len(line.y), dtype=float), live_parts.floats(line.y)),
        "x": {"min": 0.0, "max": float(max(len(line.y) - 1, 1))},
        "y": {"min": low, "max": high if high > low else low + 1},
    }


def _set(widget: Widget, traits: dict[str, Any]) -> None:
    """Give a widget new values in one message, and only those that differ."""
    with widget.hold_sync():
        for name, value in traits.items():
            if not _same(getattr(widget, name), value):
                widget.set_trait(name, value)


def _takes(mark: bqplot.Mark, part: Part) -> bool:
    """Say whether a mark can be given the traits of a part: a heat map never takes more rows or columns."""
    grid = isinstance(mark, bqplot.GridHeatMap)
    return type(mark) is part.kind and (not grid or np.shape(mark.color) == np.shape(part.traits["color"]))


def _same(old: object, new: object) -> bool:
    if isinstance(old, np.ndarray) and isinstance(new, np.ndarray):
        return (
            old.dtype == new.dtype
            and old.shape == new.shape
            and bool(np.array_equal(old, new, equal_nan=old.dtype.kind in "fM"))
        )
    return type(old) is type(new) and old == new
