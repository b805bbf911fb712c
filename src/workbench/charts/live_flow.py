"""What bqplot needs to draw a flow: areas, the texts upon them, and unseen points that answer the mouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bqplot
import numpy as np

from workbench.charts import flow_graph, flow_sankey, formats, live_parts, look
from workbench.charts.clicks import Click
from workbench.charts.live_parts import FRAMED, Part

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workbench.charts.clicks import Answers
    from workbench.charts.flow import Area, Text
    from workbench.charts.layout import Layout
    from workbench.charts.spec import Chart, Flow

_ALIGN = {"left": "start", "right": "end", "center": "middle"}


def parts(chart: Chart, flow: Flow, layout: Layout) -> Iterator[Part]:
    """Return what draws a flow, its places as shares of the plot."""
    wide, tall = layout.plot
    drawn = (flow_sankey if flow.columns else flow_graph).drawing(chart, flow, layout.plot)
    yield _areas(drawn.areas, wide, tall)
    yield _answers(flow, drawn.areas, wide, tall)
    for align in _ALIGN:
        for size in sorted({text.size for text in drawn.texts}):
            some = [text for text in drawn.texts if text.align == align and text.size == size]
            yield live_parts.label(_texts(some, wide, tall, align), FRAMED, size=size)


def _areas(areas: Sequence[Area], wide: float, tall: float) -> Part:
    """All areas as one mark: of its curves each is filled; those with fewer points repeat their last."""
    longest = max(len(each.outline) for each in areas)
    outlines = [[*each.outline, *[each.outline[-1]] * (longest - len(each.outline))] for each in areas]
    traits = {
        "x": np.array([[x / wide for x, _ in outline] for outline in outlines]),
        "y": np.array([[1 - y / tall for _, y in outline] for outline in outlines]),
        "labels": [formats.clean(each.words) for each in areas],
        "fill": "inside",
        "fill_colors": [each.color for each in areas],
        "fill_opacities": [each.opacity for each in areas],
        "colors": [each.color for each in areas],
        "opacities": [1.0] * len(areas),  # of the areas as well
        "stroke_width": 0.0,
        "close_path": True,
    }
    return Part(bqplot.Lines, traits, FRAMED)


def _answers(flow: Flow, areas: Sequence[Area], wide: float, tall: float) -> Part:
    clicks: Answers = {(place,): _click(flow, area.link) for place, area in enumerate(areas) if area.link is not None}
    traits = {
        "x": live_parts.floats([each.middle[0] / wide for each in areas]),
        "y": live_parts.floats([1 - each.middle[1] / tall for each in areas]),
        "names": np.array([formats.clean(each.words) for each in areas], dtype=str),
        "names_unique": False,
        "display_names": False,
        "colors": [look.INK],
        "default_size": 160,
        "opacities": [0.0] * len(areas),
        "stroke": None,
        "apply_clip": False,
    }
    return Part(bqplot.Scatter, traits, FRAMED, {"fields": ["name"], "show_labels": False}, clicks)


def _click(flow: Flow, link: int) -> Click:
    source, target, _ = flow.links[link]
    return Click(x=flow.nodes[target], row=flow.nodes[source], at=link)


def _texts(texts: Sequence[Text], wide: float, tall: float, align: str) -> dict[str, object]:
    return {
        "x": live_parts.floats([text.at[0] / wide for text in texts]),
        "y": live_parts.floats([1 - text.at[1] / tall for text in texts]),
        "text": [text.words for text in texts],
        "colors": [text.ink for text in texts] or [look.INK],
        "align": _ALIGN[align],
    }
