"""Charts as SVG for reports: one self-contained element that can stand inline in a page, the same bytes every time."""

from __future__ import annotations

import hashlib
import io
import re
import threading
import warnings
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from matplotlib import style
from matplotlib.figure import Figure

from workbench.charts import axes, formats, look
from workbench.charts.layout import lay_out, plan
from workbench.charts.static_marks import draw

if TYPE_CHECKING:
    from workbench.charts.layout import Layout
    from workbench.charts.spec import Chart

_STYLE = {"svg.fonttype": "none", "text.parse_math": False, "text.usetex": False, "path.simplify": True}
_NAMESPACE = "http://www.w3.org/2000/svg"
_REFERENCE = re.compile(r"#([\w.-]+)")
_LOCK = threading.Lock()
"""Matplotlib's settings belong to the process: one drawing at a time changes and restores them."""


def svg(chart: Chart, *, width: int = 720, height: int | None = None) -> str:
    """Draw a chart as one `<svg>` element.

    Args:
        chart: What to draw; where it has no values the drawing says so.
        width: Pixels; the element shrinks with its container.
        height: Pixels; by default 360, or what the rows of a heat map need.

    Returns:
        Well-formed XML without header or doctype. It refers to nothing outside of itself, its texts are
        texts, and its ids begin with a digest of the chart, so that many can stand in one page.
    """
    with _LOCK, style.context(["default", _STYLE]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # the reader's fonts draw it, not ours
        drawn = io.StringIO()
        _figure(chart, width, height).savefig(
            drawn, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
        )
    return _tidy(drawn.getvalue(), chart)


def _figure(chart: Chart, width: int, height: int | None) -> Figure:
    x, y = plan(chart, width)
    layout = lay_out(chart, x, y, width=width, height=height)
    figure = Figure(figsize=(layout.width / 72, layout.height / 72), dpi=72, facecolor=look.PAPER)
    wide, tall = layout.plot
    area = figure.add_axes(
        (layout.left / layout.width, layout.bottom / layout.height, wide / layout.width, tall / layout.height),
        facecolor="none",
    )
    area.set_axis_off()
    if axes.is_empty(chart):
        area.text(0.5, 0.5, "no data", ha="center", va="center", size=look.TITLE, color=look.MUTED)
    else:
        draw(area, chart, (x, y), layout)
    _write(figure, layout)
    return figure


def _write(figure: Figure, layout: Layout) -> None:
    for text in layout.texts:
        down = layout.height - layout.bottom if text.below else layout.top
        figure.text(
            (layout.left + text.dx) / layout.width,
            1 - (down + text.dy) / layout.height,
            text.words,
            size=text.size,
            color=text.color,
            weight=text.weight,
            va="center_baseline",
        )


def _tidy(drawn: str, chart: Chart) -> str:
    """Make matplotlib's document an element: no doctype, no metadata, its own ids, its style its own."""
    root = ET.fromstring(drawn)  # noqa: S314 - our own drawing
    prefix = f"c{hashlib.blake2b(repr(chart).encode('utf-8', 'replace'), digest_size=5).hexdigest()}"
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag.endswith("metadata")]:
            parent.remove(child)
    _rename(root, prefix)
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{_NAMESPACE}}}")
        if element.tag == "style":
            element.text = (element.text or "").replace("*{", f"#{prefix} *{{")
        if element.tag == "text":
            element.set("style", re.sub(r"; font-family: [^;]*", "", element.get("style", "")))
    size = {side: root.get(side, "").removesuffix("pt") for side in ("width", "height")}
    label = formats.clean(". ".join(filter(None, (chart.title, chart.note))))
    css = f"max-width: 100%; height: auto; font-family: {look.FONT}"
    root.attrib.update({"xmlns": _NAMESPACE, "id": prefix, "role": "img", "aria-label": label, "style": css, **size})
    return ET.tostring(root, encoding="unicode")


def _rename(root: ET.Element, prefix: str) -> None:
    """Number the ids that something refers to, and drop the others."""
    values = [value for element in root.iter() for name, value in element.attrib.items() if name != "id"]
    wanted = dict.fromkeys(name for value in values for name in _REFERENCE.findall(value))
    names = {old: f"{prefix}-{number}" for number, old in enumerate(wanted)}
    for element in root.iter():
        for name, value in list(element.attrib.items()):
            if name == "id":
                del element.attrib[name]
                if value in names:
                    element.set("id", names[value])
            elif name.endswith("href") or "url(#" in value:
                del element.attrib[name]
                kept = "href" if name.endswith("href") else name
                element.set(kept, _REFERENCE.sub(lambda match: f"#{names[match[1]]}", value))
