"""A Sankey: nodes in columns, as high as what goes through them, and ribbons between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.charts import flow, formats, look
from workbench.charts.flow import Area, Drawing, Text

if TYPE_CHECKING:
    from workbench.charts.flow import Point
    from workbench.charts.spec import Chart, Flow

_WIDE = 11
_APART = 16
_HEADING = 22
_LOWEST = 1.5
_LABELS = 128
"""Room for the names beside the last column."""
_TURNS = 20


def drawing(chart: Chart, mark: Flow, plot: tuple[float, float]) -> Drawing:
    """Lay a Sankey out: the nodes of a column from the top, in their order."""
    boxes, scale = _boxes(mark, plot)
    colors, amounts = flow.colors(mark), flow.amounts(mark)
    links = [
        Area(_between(start, end, link[2] * scale), colors[link[0]], flow.LINK_OPACITY, flow.told(chart, mark, link), (
            (start[0] + end[0]) / 2, (start[1] + end[1] + link[2] * scale) / 2), mark.links.index(link))
        for link, start, end in _ends(mark, boxes, scale)
    ]  # fmt: skip
    nodes, texts = [], []
    letters = max(look.letters(min(_gap(mark, plot), _LABELS) - _WIDE - 8, look.SMALL), 4)
    for name, color, amount, (x, y, tall) in zip(mark.nodes, colors, amounts, boxes, strict=True):
        written = formats.short(amount, chart.y_format)
        outline = ((x, y), (x + _WIDE, y), (x + _WIDE, y + tall), (x, y + tall))
        words = f"{formats.shorten(name, 40)} · {written}"
        nodes.append(Area(outline, color, 1.0, words, (x + _WIDE / 2, y + tall / 2)))
        middle, beside = y + tall / 2, x + _WIDE + 5
        shift = look.SMALL * 0.65 if tall > 2.4 * look.SMALL else 0.0
        texts.append(Text(formats.shorten(name, letters), (beside, middle - shift)))
        if shift:
            texts.append(Text(written, (beside, middle + shift), ink=look.MUTED))
    for turn, heading in enumerate(mark.headings):
        texts.append(Text(heading, (turn * _gap(mark, plot), _HEADING / 2 - 4), ink=look.MUTED))
    return Drawing((*links, *nodes), tuple(texts))


def _gap(mark: Flow, plot: tuple[float, float]) -> float:
    """Return how far columns stand from each other."""
    return (plot[0] - _LABELS) / max(1, *mark.columns)


def _boxes(mark: Flow, plot: tuple[float, float]) -> tuple[list[tuple[float, float, float]], float]:
    """Return the left, top and height of each node, and the pixels of an amount of one."""
    amounts = flow.amounts(mark)
    room = plot[1] - _HEADING
    totals = [[amounts[node] for node in _column(mark, turn)] for turn in sorted(set(mark.columns))]
    apart = min(_APART, room / 2 / max(map(len, totals)))
    scale = min((room - (apart + _LOWEST) * len(column)) / (sum(column) or 1.0) for column in totals)
    boxes = [(0.0, 0.0, 0.0)] * len(mark.nodes)
    for turn in set(mark.columns):
        down = float(_HEADING)
        for node in _column(mark, turn):
            tall = max(amounts[node] * scale, _LOWEST)
            boxes[node] = (turn * _gap(mark, plot), down, tall)
            down += tall + apart
    return boxes, scale


def _column(mark: Flow, turn: int) -> list[int]:
    return [node for node, column in enumerate(mark.columns) if column == turn]


def _ends(
    mark: Flow, boxes: list[tuple[float, float, float]], scale: float
) -> list[tuple[tuple[int, int, float], Point, Point]]:
    """Return each link with the upper points at which it leaves and arrives, so that few links cross."""
    links = flow.drawn(mark)
    left, arrived = [y for _, y, _ in boxes], [y for _, y, _ in boxes]
    start, end = {}, {}
    for link in sorted(links, key=lambda link: boxes[link[1]][1]):
        start[link] = (boxes[link[0]][0] + _WIDE, left[link[0]])
        left[link[0]] += link[2] * scale
    for link in sorted(links, key=lambda link: boxes[link[0]][1]):
        end[link] = (boxes[link[1]][0], arrived[link[1]])
        arrived[link[1]] += link[2] * scale
    return [(link, start[link], end[link]) for link in links]


def _between(start: Point, end: Point, tall: float) -> tuple[Point, ...]:
    """Outline a ribbon that leaves and arrives level."""
    upper = []
    for turn in range(_TURNS + 1):
        share = turn / _TURNS
        eased = share * share * (3 - 2 * share)
        upper.append((start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * eased))
    tall = max(tall, _LOWEST / 2)
    return (*upper, *((x, y + tall) for x, y in reversed(upper)))
