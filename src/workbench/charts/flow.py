"""What a flow is drawn of: areas and texts, their places in pixels from the plot's upper left corner."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.charts import formats, look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.charts.spec import Chart, Flow

Point = tuple[float, float]

LINK_OPACITY = 0.42


@dataclass(frozen=True, slots=True)
class Area:
    """The area of a link or a node, what hovering over its middle says, and where that is."""

    outline: tuple[Point, ...]
    color: str
    opacity: float
    words: str
    middle: Point
    link: int | None = None
    """Which of the flow's links it is; none for a node."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text, and the side of it that stands at its place."""

    words: str
    at: Point
    align: str = "left"
    ink: str = look.INK
    size: int = look.SMALL


@dataclass(frozen=True, slots=True)
class Drawing:
    """Areas, the first below the others, and the texts upon them."""

    areas: tuple[Area, ...]
    texts: tuple[Text, ...]


def colors(flow: Flow) -> tuple[str, ...]:
    """Return the colour of each node: one for each name, grey for names in brackets, which are no events."""
    names = dict.fromkeys(name for name in flow.nodes if not name.startswith("("))
    known = {name: look.series_color(turn) for turn, name in enumerate(names)}
    return tuple(known.get(name, look.MUTED) for name in flow.nodes)


def amounts(flow: Flow) -> tuple[float, ...]:
    """Return how much goes through each node: what comes in, or what goes out where that is more."""
    into, out = [0.0] * len(flow.nodes), [0.0] * len(flow.nodes)
    for source, target, amount in drawn(flow):
        out[source] += amount
        into[target] += amount
    return tuple(map(max, into, out))


def drawn(flow: Flow) -> list[tuple[int, int, float]]:
    """Return the links that have an amount."""
    return [link for link in flow.links if math.isfinite(link[2]) and link[2] > 0]


def told(chart: Chart, flow: Flow, link: tuple[int, int, float]) -> str:
    """Say what a link is."""
    source, target = (formats.shorten(flow.nodes[place], 40) for place in link[:2])
    return f"{source} → {target} · {formats.number(link[2], chart.y_format)}"


def ribbon(line: Sequence[Point], width: float, *, head: float = 0.0) -> tuple[Point, ...]:
    """Outline a line of some width, with an arrow's head of some length before its end if asked."""
    body = [*line]
    tip = body[-1]
    while head and len(body) > 2 and math.dist(body[-1], tip) < head:  # noqa: PLR2004 - two points are a line
        body.pop()
    left, right = [], []
    for place, (x, y) in enumerate(body):
        (ax, ay), (bx, by) = body[max(place - 1, 0)], body[min(place + 1, len(body) - 1)]
        long = math.dist((ax, ay), (bx, by)) or 1.0
        dx, dy = -(by - ay) / long * width / 2, (bx - ax) / long * width / 2
        left.append((x + dx, y + dy))
        right.append((x - dx, y - dy))
    if not head:
        return (*left, *reversed(right))
    (x, y), wide = body[-1], head * 0.5 + width / 2
    long = math.dist((x, y), tip) or 1.0
    dx, dy = -(tip[1] - y) / long * wide, (tip[0] - x) / long * wide
    return (*left, (x + dx, y + dy), tip, (x - dx, y - dy), *reversed(right))
