"""A graph: nodes on an ellipse, from the first at the left to the last at the right, and arrows between them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from workbench.charts import flow, formats, look
from workbench.charts.flow import Area, Drawing, Text

if TYPE_CHECKING:
    from workbench.charts.flow import Point
    from workbench.charts.spec import Chart, Flow

_SIDE, _ABOVE = 96, 46
"""Room for names beside and above the ellipse."""
_NODE = (7.0, 20.0)
_ARROW = (1.2, 9.0)
_HEAD = 8.0
_LOOP = 13.0
_ASIDE = 0.9
_BEND, _INWARDS = 0.14, 0.4
"""How far arrows are bent, so that there and back are two, and so that they pass the nodes between."""
_TURNS = 24
_CORNERS = 28
_MOST_NUMBERS = 16
"""Arrows, the heaviest, that have their number beside them; all say it under the mouse."""


def drawing(chart: Chart, mark: Flow, plot: tuple[float, float]) -> Drawing:
    """Lay a graph out."""
    places = _places(len(mark.nodes), plot)
    amounts, colors, links = flow.amounts(mark), flow.colors(mark), flow.drawn(mark)
    most, heaviest = max(amounts, default=0.0) or 1.0, max((link[2] for link in links), default=1.0)
    radii = [_NODE[0] + (_NODE[1] - _NODE[0]) * math.sqrt(amount / most) for amount in amounts]
    texts = [_name(mark.nodes[node], places[node], radii[node], plot) for node in range(len(places))]
    arrows = []
    for turn, link in enumerate(sorted(links, key=lambda link: -link[2])):
        width = _ARROW[0] + (_ARROW[1] - _ARROW[0]) * link[2] / heaviest
        line = _line(link[0], link[1], places, radii, plot)
        middle = line[round(len(line) * 0.4)]
        outline = flow.ribbon(line, width, head=_HEAD + width / 2)
        told, place = flow.told(chart, mark, link), mark.links.index(link)
        arrows.append(Area(outline, colors[link[0]], flow.LINK_OPACITY, told, middle, place))
        if turn < _MOST_NUMBERS and all(_apart(middle, text.at) for text in texts):
            texts.append(Text(formats.short(link[2], chart.y_format), middle, "center", size=look.TINY))
    nodes = [_node(mark.nodes[node], places[node], radii[node], colors[node]) for node in range(len(places))]
    return Drawing((*reversed(arrows), *nodes), tuple(texts))


def _places(nodes: int, plot: tuple[float, float]) -> list[Point]:
    """Put the first node at the left, the last at the right, and the others above and below in turn."""
    wide, tall = plot[0] / 2 - _SIDE, plot[1] / 2 - _ABOVE
    above, below = (nodes - 1) // 2, max(nodes - 2, 0) // 2
    angles = [math.pi]
    for turn in range(max(nodes - 2, 0)):
        many, sign = (below, -1) if turn % 2 else (above, 1)
        angles.append(sign * math.pi * (1 - (turn // 2 + 1) / (many + 1)))
    angles.append(0.0)
    return [(plot[0] / 2 + wide * math.cos(a), plot[1] / 2 - tall * math.sin(a)) for a in angles[:nodes]]


def _line(source: int, target: int, places: list[Point], radii: list[float], plot: tuple[float, float]) -> list[Point]:
    """Return the points of an arrow from the rim of one node to that of another, bent a little."""
    (ax, ay), (bx, by) = places[source], places[target]
    if source == target:
        return _loop(places[source], radii[source], plot)
    mx, my = (ax + bx) / 2, (ay + by) / 2
    cx = mx + (by - ay) * _BEND + (plot[0] / 2 - mx) * _INWARDS
    cy = my - (bx - ax) * _BEND + (plot[1] / 2 - my) * _INWARDS
    points = []
    for turn in range(_TURNS * 2 + 1):
        t = turn / (_TURNS * 2)
        x = (1 - t) ** 2 * ax + 2 * t * (1 - t) * cx + t * t * bx
        y = (1 - t) ** 2 * ay + 2 * t * (1 - t) * cy + t * t * by
        if math.dist((x, y), (ax, ay)) > radii[source] and math.dist((x, y), (bx, by)) > radii[target] + 1:
            points.append((x, y))
    return points if len(points) > 1 else [(ax, ay), (bx, by)]


def _loop(place: Point, radius: float, plot: tuple[float, float]) -> list[Point]:
    """Return the points of an arrow from a node to itself, on its outer side, beside its name."""
    dx, dy = _outwards(place, plot)
    begin = math.atan2(-dy, -dx) + _ASIDE
    x, y = place[0] - math.cos(begin) * (radius + _LOOP * 0.6), place[1] - math.sin(begin) * (radius + _LOOP * 0.6)
    angles = (begin + math.pi * (0.3 + 1.4 * turn / _TURNS) for turn in range(_TURNS + 1))
    return [(x + _LOOP * math.cos(a), y + _LOOP * math.sin(a)) for a in angles]


def _apart(one: Point, other: Point) -> bool:
    """Whether two numbers can be read beside each other."""
    return abs(one[0] - other[0]) > 5 * look.TINY or abs(one[1] - other[1]) > 1.3 * look.TINY


def _outwards(place: Point, plot: tuple[float, float]) -> Point:
    dx, dy = place[0] - plot[0] / 2, (place[1] - plot[1] / 2) * plot[0] / plot[1]
    long = math.hypot(dx, dy) or 1.0
    return dx / long, dy / long


def _node(name: str, place: Point, radius: float, color: str) -> Area:
    turns = (2 * math.pi * turn / _CORNERS for turn in range(_CORNERS))
    rim = tuple((place[0] + radius * math.cos(a), place[1] + radius * math.sin(a)) for a in turns)
    return Area(rim, color, 1.0, name, place)


def _name(name: str, place: Point, radius: float, plot: tuple[float, float]) -> Text:
    dx, dy = _outwards(place, plot)
    align = "left" if dx > 0.35 else "right" if dx < -0.35 else "center"  # noqa: PLR2004 - a third of the way round
    at = (place[0] + dx * (radius + 6), place[1] + dy * (radius + 12))
    room = min(at[0], plot[0] - at[0]) if align == "center" else (plot[0] - at[0] if align == "left" else at[0])
    return Text(formats.shorten(name, max(look.letters(room, look.SMALL), 6)), at, align)
