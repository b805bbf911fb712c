"""What a chart shows, without how it is drawn: plain values that every renderer reads.

A question's answer makes a `Chart` of its frame; `live.figure` draws it with bqplot in a notebook or
a dashboard, `static.svg` draws the same for a report. A chart made twice from equal frames is equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

Coordinate: TypeAlias = datetime | float | str
"""An instant (time axis), a number (linear axis) or a name (category axis)."""

Format: TypeAlias = Literal["count", "percent", "decimal", "usd", "seconds"]
"""How numbers are written: 12,345 · 12.3% · 0.123 · $12.34 · 1 h 12 min."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A line through points; `None` breaks it."""

    x: tuple[Coordinate, ...]
    y: tuple[float | None, ...]
    label: str = ""
    dashed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Band:
    """The area between two lines, such as an interval."""

    x: tuple[Coordinate, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    label: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bars:
    """One bar a name or instant, with an interval where `low` and `high` are given."""

    x: tuple[Coordinate, ...]
    y: tuple[float, ...]
    label: str = ""
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    annotations: tuple[str, ...] = ()
    """A short text on each bar; empty for none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Points:
    """Single points."""

    x: tuple[Coordinate, ...]
    y: tuple[float, ...]
    label: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Grid:
    """A heat map: `values[row][column]`, `None` where there is nothing to show."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]
    hatched: tuple[tuple[bool, ...], ...] = ()
    """Cells that are not final (drawn hatched); empty for none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Slices:
    """Shares of a whole, largest first."""

    labels: tuple[str, ...]
    values: tuple[float, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Flow:
    """Amounts that go from node to node: a Sankey where nodes stand in columns, else a graph of arrows."""

    nodes: tuple[str, ...]
    """In a column from the top; of a graph, the first at the left and the last at the right."""
    links: tuple[tuple[int, int, float], ...]
    """From which node, to which (places in `nodes`), and how much."""
    columns: tuple[int, ...] = ()
    """The column of each node, 0-based; empty for a graph."""
    headings: tuple[str, ...] = ()
    """What stands above each column."""


Mark: TypeAlias = Line | Band | Bars | Points | Grid | Slices | Flow


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """A titled drawing of one or more marks over shared axes."""

    title: str
    marks: tuple[Mark, ...]
    x_label: str = ""
    y_label: str = ""
    x_scale: Literal["time", "linear", "category"] = "category"
    y_format: Format = "count"
    note: str = ""
    """One line under the drawing: the definition in short, how many are in flight, the sample size."""
