from __future__ import annotations

from datetime import datetime

import pytest

from workbench.charts import live
from workbench.charts.clicks import Click, Clicks
from workbench.charts.spec import Bars, Chart, Flow, Grid, Line

BARS = Chart(title="", marks=(Bars(x=("a", "b"), y=(1.0, 2.0)),))
TWO = Chart(title="", marks=(Bars(x=("a",), y=(1.0,), label="old"), Bars(x=("a",), y=(4.0,), label="new")))
GRID = Chart(title="", marks=(Grid(rows=("r",), columns=("c",), values=((1.0,),)),))

TUESDAY = datetime(2026, 1, 6)
LINE = Line(x=(datetime(2026, 1, 5), TUESDAY), y=(None, 2.0), label="seen")
DAYS = Chart(title="", x_scale="time", marks=(LINE,))
FLOW = Chart(title="", marks=(Flow(nodes=("view", "buy"), links=((0, 1, 3.0),), columns=(0, 1)),))


def click(figure, data):
    """Do what the page does when a mark is clicked."""
    for mark in figure.marks:
        mark._handle_custom_msgs(mark, {"event": "element_click", "data": data})


@pytest.mark.parametrize(
    ("spec", "data", "told"),
    [
        (BARS, {"x": "b", "y": 2.0, "index": 1, "subIndex": 0}, Click(x="b", at=1)),
        (TWO, {"x": "a", "y": 4.0, "index": 0, "subIndex": 1}, Click(x="a", label="new")),
        (GRID, {"row": "r", "column": "c", "color": 1.0, "rowNum": 0, "columnNum": 0}, Click(x="c", row="r")),
        (DAYS, {"x": "2026-01-06T00:00:00Z", "y": 2.0, "index": 0}, Click(x=TUESDAY, label="seen", at=1)),
        (FLOW, {"x": 0.4, "y": 0.5, "index": 0}, Click(x="buy", row="view")),
    ],
)
def test_a_click_is_told_in_the_words_of_the_chart(spec, data, told):
    heard = []
    figure = live.figure(spec)
    Clicks(figure, heard.append)
    click(figure, data)
    assert heard == [told]


def test_a_drawing_that_is_drawn_anew_is_heard_once_more_and_not_twice():
    heard = []
    figure = live.figure(BARS)
    clicks = Clicks(figure, heard.append)
    live.update(figure, BARS)
    clicks.listen()
    click(figure, {"x": "a", "index": 0, "subIndex": 0})
    live.update(figure, GRID)
    clicks.listen()
    click(figure, {"row": "r", "column": "c", "rowNum": 0, "columnNum": 0})
    assert heard == [Click(x="a"), Click(x="c", row="r")]


def test_a_click_on_nothing_tells_nothing():
    heard = []
    figure = live.figure(Chart(title="", x_scale="linear", marks=(Line(x=(0.0, 1.0), y=(0.0, 1.0)),)))
    Clicks(figure, heard.append)
    click(figure, {})
    assert heard == []
