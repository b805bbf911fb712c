"""Draw each mark of a chart into one matplotlib axes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.patches import Polygon, Rectangle, Wedge

from workbench.charts import axes, flow_graph, flow_sankey, formats, look, shapes
from workbench.charts.layout import has_axes
from workbench.charts.ring import HOLE, ring
from workbench.charts.spec import Band, Bars, Flow, Grid, Line, Points, Slices

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from workbench.charts.axes import Axis
    from workbench.charts.layout import Layout
    from workbench.charts.shapes import Slot
    from workbench.charts.spec import Chart


def draw(area: Axes, chart: Chart, plan: tuple[Axis, Axis], layout: Layout) -> None:
    """Draw the marks in their order."""
    x, y = plan
    if has_axes(chart):
        _axes(area, x, y, layout, grid=any(isinstance(mark, Grid) for mark in chart.marks))
    slots = shapes.slots(chart, x)
    for place, (mark, color) in enumerate(zip(chart.marks, shapes.colors(chart), strict=True)):
        match mark:
            case Line():
                _line(area, mark, x, color)
            case Band():
                area.fill_between(
                    x.places(mark.x), mark.low, mark.high, color=color, alpha=look.BAND_OPACITY, linewidth=0
                )
            case Bars():
                _bars(area, mark, slots[place], color)
            case Points():
                area.scatter(x.places(mark.x), mark.y, s=36, color=color, edgecolors=look.PAPER, linewidths=1, zorder=4)
            case Grid():
                _grid(area, chart, mark, layout)
            case Slices():
                _slices(area, chart, mark, layout)
            case Flow():
                _flow(area, chart, mark, layout)


def _axes(area: Axes, x: Axis, y: Axis, layout: Layout, *, grid: bool) -> None:
    """Set ranges and ticks: light horizontal rules, a base line, nothing else."""
    area.set_axis_on()
    area.set_xlim(x.low, x.high)
    area.set_ylim(*((y.high, y.low) if grid else (y.low, y.high)))
    area.set_xticks(x.ticks, layout.x_labels)
    if layout.turn:
        for label in area.get_xticklabels():
            label.set(rotation=-layout.turn, rotation_mode="anchor", ha="right")
    area.set_yticks(y.ticks, y.labels)
    area.tick_params(length=0, pad=6, labelsize=look.SMALL, labelcolor=look.MUTED)
    area.spines[:].set_visible(False)
    area.set_axisbelow(True)
    if not grid:
        area.grid(axis="y", color=look.RULE, linewidth=1)
        if y.low <= 0:
            area.axhline(0, color=look.MUTED, linewidth=1, zorder=3)


def _line(area: Axes, line: Line, x: Axis, color: str) -> None:
    heights = [axes.or_nan(y) for y in line.y]
    area.plot(
        x.places(line.x),
        heights,
        color=color,
        linewidth=look.LINE_WIDTH,
        linestyle=(0, (4, 3)) if line.dashed else "solid",
        solid_joinstyle="round",
        zorder=3.5,
    )
    places = x.places(line.x)
    alone = [start for start, end in shapes.pieces(line) if end == start + 1]
    area.scatter([places[at] for at in alone], [heights[at] for at in alone], s=12, color=color, zorder=3.5)


def _bars(area: Axes, bars: Bars, slot: Slot, color: str) -> None:
    area.bar(slot.middles, bars.y, width=slot.width, color=color, linewidth=0, zorder=2)
    if bars.low:
        strokes = [((at, low), (at, high)) for at, low, high in zip(slot.middles, bars.low, bars.high, strict=True)]
        area.add_collection(LineCollection(strokes, colors=look.INK, linewidths=1.5, zorder=3))
    for at, top, words in zip(slot.middles, shapes.tops(bars), bars.annotations, strict=False):
        area.annotate(
            formats.shorten(words, 28),
            (at, top),
            xytext=(0, 4),
            textcoords="offset pixels",
            ha="center",
            va="bottom",
            size=look.SMALL,
            color=look.INK,
        )


def _grid(area: Axes, chart: Chart, grid: Grid, layout: Layout) -> None:
    wide, tall = layout.plot
    cells = shapes.cells(grid, chart.y_format, (wide / len(grid.columns), tall / len(grid.rows)))
    boxes = [Rectangle((cell.column - 0.5, cell.row - 0.5), 1, 1) for cell in cells]
    area.add_collection(
        PatchCollection(boxes, facecolors=[cell.color for cell in cells], edgecolors=look.PAPER, linewidths=1.5)
    )
    area.add_collection(
        LineCollection(shapes.hatching(grid), colors=look.PAPER, linewidths=1, alpha=look.HATCH_OPACITY)
    )
    for cell in cells:
        if cell.text:
            area.text(
                cell.column, cell.row, cell.text, ha="center", va="center_baseline", size=look.TINY, color=cell.ink
            )


def _slices(area: Axes, chart: Chart, slices: Slices, layout: Layout) -> None:
    wide, tall = layout.plot
    area.set_xlim(0, wide)
    area.set_ylim(tall, 0)
    drawn = ring(chart, slices, layout)
    turn = -90.0
    for row in drawn.rows:
        end = turn + 360 * row.share
        width = drawn.radius * (1 - HOLE)
        area.add_patch(
            Wedge(drawn.center, drawn.radius, turn, end, width=width, facecolor=row.color, edgecolor=look.PAPER)
        )
        turn = end
        for text in row.texts:
            area.text(text.at, row.y, text.words, color=text.ink, size=look.BODY, ha=text.align, va="center_baseline")
    x, y = drawn.center
    area.text(x, y, drawn.total, ha="center", va="center_baseline", size=drawn.size, weight="bold", color=look.INK)


def _flow(area: Axes, chart: Chart, flow: Flow, layout: Layout) -> None:
    wide, tall = layout.plot
    area.set_xlim(0, wide)
    area.set_ylim(tall, 0)
    drawn = (flow_sankey if flow.columns else flow_graph).drawing(chart, flow, layout.plot)
    outlines = [Polygon(each.outline, closed=True) for each in drawn.areas]
    inks = [(each.color, each.opacity) for each in drawn.areas]
    area.add_collection(PatchCollection(outlines, facecolors=inks, linewidths=0))
    for text in drawn.texts:
        area.text(
            text.at[0], text.at[1], text.words, color=text.ink, size=text.size, ha=text.align, va="center_baseline"
        )
