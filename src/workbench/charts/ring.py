"""A ring of shares, and the table beside it: what each colour is, how much, and what share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.charts import formats, look

if TYPE_CHECKING:
    from workbench.charts.layout import Layout
    from workbench.charts.spec import Chart, Slices

HOLE = 0.62
_COLUMN = 320
_AMOUNTS = 190
"""A table narrower than this has shares only."""
_TALLEST_ROW = 26


@dataclass(frozen=True, slots=True)
class Text:
    """A text of the table; its place in pixels from the plot's left edge, and the side it is aligned to."""

    words: str
    at: float
    ink: str
    align: str = "left"


@dataclass(frozen=True, slots=True)
class Row:
    """One share, and its row in the table, in pixels from the plot's top."""

    value: float
    share: float
    color: str
    y: float
    texts: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Ring:
    """A ring in a plot: its middle and radius in pixels, its total and its size of type, and the rows beside it."""

    center: tuple[float, float]
    radius: float
    total: str
    size: int
    rows: tuple[Row, ...]


def ring(chart: Chart, slices: Slices, layout: Layout) -> Ring:
    """Lay out a ring at the left of the plot and its table to the right of it, both in the middle of its height."""
    wide, tall = layout.plot
    radius = min(tall / 2 - 6, wide / 5)
    left = 2 * radius + min(64, wide * 0.08)
    values = [value if math.isfinite(value) and value > 0 else 0.0 for value in slices.values]
    total = sum(values) or 1.0
    height = min(_TALLEST_ROW, tall / max(len(values), 1))
    top = tall / 2 - height * (len(values) - 1) / 2
    right = min(wide, left + _COLUMN)
    amounts = right - left >= _AMOUNTS
    rows = []
    for turn, (label, value) in enumerate(zip(slices.labels, values, strict=True)):
        color = look.series_color(turn)
        letters = look.letters(right - left - (150 if amounts else 80), look.BODY)
        texts = [
            Text("■", left, color),
            Text(formats.shorten(label, max(letters, 6)), left + 20, look.INK),
            Text(formats.number(value / total, "percent"), right, look.MUTED, "right"),
        ]
        if amounts:
            texts.insert(2, Text(formats.number(value, chart.y_format), right - 64, look.INK, "right"))
        rows.append(Row(value, value / total, color, top + turn * height, tuple(texts)))
    written = formats.short(sum(values), chart.y_format)
    size = min(18, look.letters(2 * radius * HOLE * 0.9, max(len(written), 1)))
    return Ring((radius + 2, tall / 2), radius, written, size, tuple(rows))
