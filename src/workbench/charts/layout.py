"""How a drawing is laid out, in pixels: the margins round the plot, and the texts above and below it."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workbench.charts import axes, formats, look, shapes
from workbench.charts.axes import Axis
from workbench.charts.spec import Band, Bars, Flow, Grid, Line, Points, Slices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.charts.spec import Chart, Mark

EDGE = 14
_ROW = 18
_LONGEST_NAME = 24
_TURN = -45
_SLOPE = 0.71
_TURNED_ROOM = 24
_PLOT_SHARE = 0.85
_SMALLEST = 60
"""No plot is lower or narrower than this, whatever size is asked for."""
_HEIGHT = 360
_FLOW_HEIGHT = 500
_CELL = 26
_GLYPHS: dict[type, str] = {Line: "━━", Band: "■", Bars: "■", Points: "●"}


@dataclass(frozen=True, slots=True)
class Text:
    """A text beside the plot: `dx` from the plot's left edge, `dy` down from its top, or from its foot if `below`."""

    words: str
    dx: float
    dy: float
    below: bool = False
    size: int = look.BODY
    color: str = look.MUTED

    @property
    def weight(self) -> str:
        """Titles are bold."""
        return "bold" if self.size == look.TITLE else "normal"


@dataclass(frozen=True, slots=True)
class Layout:
    """The size of a drawing, its margins, the texts around the plot, and the labels at the horizontal axis."""

    width: int
    height: int
    top: float
    right: float
    bottom: float
    left: float
    texts: tuple[Text, ...]
    x_labels: tuple[str, ...]
    turn: int
    """Degrees by which the labels at the horizontal axis are turned."""

    @property
    def plot(self) -> tuple[float, float]:
        """Width and height of the plot."""
        return self.width - self.left - self.right, self.height - self.top - self.bottom


def lay_out(chart: Chart, x: Axis, y: Axis, *, width: int, height: int | None) -> Layout:
    """Lay a chart out; without a height a heat map is as high as its rows need, anything else 360 pixels."""
    left, right = _sides(chart, y)
    labels, turn = _x_labels(x, width - left - right)
    if turn:
        left = max(left, EDGE + round(look.text_width(labels[0], look.SMALL) * _SLOPE))
    wide = max(width, round(left + right) + _SMALLEST)
    top, above = _above(chart, left, wide)
    bottom, below = _below(chart, x, turn, left=left, width=wide)
    grid = _grid(chart)
    tall = top + bottom + _CELL * max(len(grid.rows), 4) if grid else _FLOW_HEIGHT if _flow(chart) else _HEIGHT
    size = max(height or round(tall), round(top + bottom) + _SMALLEST)
    return Layout(wide, size, top, right, bottom, left, (*above, *below), labels, turn)


def plan(chart: Chart, width: int) -> tuple[Axis, Axis]:
    """Return the two axes of a chart; a heat map has its columns from the left and its rows from the top."""
    grid = _grid(chart)
    if grid is None:
        return _thinned(axes.x_axis(chart), width), axes.y_axis(chart)
    columns, rows = formats.distinct(grid.columns), formats.distinct(grid.rows)
    longest = min(_LONGEST_NAME, look.letters(width / 4, look.SMALL))
    shown = tuple(formats.shorten(name, longest) for name in rows)
    return _thinned(_places(columns, columns), width), _places(rows, shown)


def _thinned(axis: Axis, width: int) -> Axis:
    """Keep as many ticks as have room: names can be turned, so that each needs little more than a line."""
    widest = max((look.text_width(label, look.SMALL) for label in axis.labels), default=0)
    each = _TURNED_ROOM if axis.names else widest + 14
    every = math.ceil(len(axis.ticks) * each / (width * _PLOT_SHARE)) or 1
    return replace(axis, ticks=axis.ticks[::every], labels=axis.labels[::every])


def _places(names: tuple[str, ...], labels: tuple[str, ...]) -> Axis:
    return Axis(-0.5, len(names) - 0.5, tuple(float(place) for place in range(len(names))), labels, names)


def has_axes(chart: Chart) -> bool:
    """Tell whether a chart stands on axes: neither a ring nor a flow does."""
    return not any(isinstance(mark, Slices | Flow) for mark in chart.marks)


def _flow(chart: Chart) -> bool:
    return any(isinstance(mark, Flow) for mark in chart.marks)


def _grid(chart: Chart) -> Grid | None:
    return next((mark for mark in chart.marks if isinstance(mark, Grid)), None)


def _sides(chart: Chart, y: Axis) -> tuple[float, float]:
    if not has_axes(chart):
        return EDGE, EDGE
    widest = max((look.text_width(label, look.SMALL) for label in y.labels), default=0)
    return EDGE + round(widest) + 8, 22


def _x_labels(x: Axis, room: float) -> tuple[tuple[str, ...], int]:
    """Shorten the labels to the room that each has, or turn them where that would leave too little."""
    each = room / max(len(x.labels), 1)
    fitting = look.letters(each - 6, look.SMALL)
    longest = max(map(len, x.labels), default=0)
    if longest <= fitting or fitting >= 10 or not x.names:  # noqa: PLR2004 - ten letters tell most names
        most = max(fitting + 1, 4)  # widths are estimated generously
        return tuple(formats.shorten(label, most) if x.names else label for label in x.labels), 0
    return tuple(formats.shorten(label, _LONGEST_NAME) for label in x.labels), _TURN


def _above(chart: Chart, left: float, width: int) -> tuple[float, tuple[Text, ...]]:
    """Stack title, what is measured, and the legend; return the height that they take."""
    rows: list[list[Text]] = []
    start = EDGE - left
    if chart.title:
        title = formats.shorten(chart.title, look.letters((width - 2 * EDGE) * 0.9, look.TITLE))
        rows.append([Text(title, start, 0, size=look.TITLE, color=look.INK)])
    if chart.y_label:
        rows.append([Text(formats.shorten(chart.y_label, 90), start, 0)])
    rows.extend(_legend(chart, start, width - 2 * EDGE))
    height = EDGE + _ROW * len(rows) + (12 if rows else 0)
    placed = (replace(text, dy=EDGE + _ROW * (turn + 0.5) - height) for turn, row in enumerate(rows) for text in row)
    return height, tuple(placed)


def _legend(chart: Chart, start: float, room: float) -> Iterator[list[Text]]:
    """Yield rows of glyphs and labels, when there are two or more to tell apart."""
    row: list[Text] = []
    at = 0.0
    for glyph, color, label in _entries(chart):
        words = formats.shorten(label, 40)
        gap = 6 + 9 * len(glyph)
        wide = gap + look.text_width(words, look.BODY) + 14
        if row and at + wide > room:
            yield row
            row, at = [], 0.0
        row += [Text(glyph, start + at, 0, color=color), Text(words, start + at + gap, 0, color=look.INK)]
        at += wide
    if row:
        yield row


def _entries(chart: Chart) -> list[tuple[str, str, str]]:
    grid = _grid(chart)
    if grid:
        return [("▨", look.MUTED, "not final yet")] if shapes.hatching(grid) else []
    entries: dict[str, tuple[str, str, str]] = {}
    for mark, color in zip(chart.marks, shapes.colors(chart), strict=True):
        if axes.is_xy(mark) and mark.label:
            shown = look.pale(color) if isinstance(mark, Band) else color
            entries.setdefault(mark.label, (_glyph(mark), shown, mark.label))
    return list(entries.values()) if len(entries) > 1 else []


def _glyph(mark: Mark) -> str:
    return "╍╍" if isinstance(mark, Line) and mark.dashed else _GLYPHS[type(mark)]


def _below(chart: Chart, x: Axis, turn: int, *, left: float, width: int) -> tuple[float, tuple[Text, ...]]:
    """Stack ticks, the axis' label and the note; return the height that they take."""
    ticked = not axes.is_empty(chart) and has_axes(chart)
    longest = max((look.text_width(label[:_LONGEST_NAME], look.SMALL) for label in x.labels), default=0)
    at = (10 + round(longest * _SLOPE) + 8 if turn else 24) if ticked else 4
    texts = []
    label = chart.x_label or _dates(x)
    if label and (ticked or _flow(chart)):
        texts.append(Text(formats.shorten(label, 90), 0, at + _ROW / 2, below=True, size=look.SMALL))
        at += _ROW
    letters = look.letters(width - 2 * EDGE, look.SMALL)
    for line in textwrap.wrap(formats.clean(chart.note), letters, max_lines=3, placeholder=" …"):
        at += 15
        texts.append(Text(line, EDGE - left, at, below=True, size=look.SMALL))
    return at + EDGE, tuple(texts)


def _dates(x: Axis) -> str:
    """Say the year, or the day, where the ticks of a time axis do not."""
    if not x.pattern or "%Y" in x.pattern:
        return ""
    pattern = "%Y" if "%d" in x.pattern else "%d %b %Y"
    first, last = (axes.instant(end).strftime(pattern) for end in (x.low, x.high))
    return first if first == last else f"{first} to {last}"
