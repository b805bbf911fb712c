from __future__ import annotations

import pytest

from workbench.charts import live
from workbench.charts.clicks import Click, Clicks
from workbench.charts.spec import Bars, Chart, Grid, Line, Points

BARS = Chart(title="", marks=(Bars(x=("a", "b"), y=(1.0, 2.0)),))
GRID = Chart(title="", marks=(Grid(rows=("r",), columns=("c",), values=((1.0,),)),))


def click(figure, data):
    """Do what the page does when a mark is clicked."""
    for mark in figure.marks:
        mark._handle_custom_msgs(mark, {"event": "element_click", "data": data})


@pytest.mark.parametrize(
    ("spec", "data", "told"),
    [
        (BARS, {"x": "b", "y": 2.0, "index": 1}, Click(x="b")),
        (GRID, {"row": "r", "column": "c", "color": 1.0}, Click(x="c", row="r")),
        (Chart(title="", x_scale="linear", marks=(Points(x=(3.0,), y=(1.0,)),)), {"x": 3.0, "y": 1.0}, Click(x=3.0)),
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
    click(figure, {"x": "a"})
    live.update(figure, GRID)
    clicks.listen()
    click(figure, {"row": "r", "column": "c"})
    assert heard == [Click(x="a"), Click(x="c", row="r")]


def test_a_click_on_nothing_tells_nothing():
    heard = []
    figure = live.figure(Chart(title="", x_scale="linear", marks=(Line(x=(0.0, 1.0), y=(0.0, 1.0)),)))
    Clicks(figure, heard.append)
    click(figure, {})
    assert heard == []
