from __future__ import annotations

import math

import pytest

from workbench.charts import axes, look, shapes
from workbench.charts.spec import Band, Bars, Chart, Grid, Line


def test_a_band_has_the_colour_of_the_line_it_surrounds(charts):
    band, seen, expected, unusual = shapes.colors(charts.forecast)
    assert band == expected
    assert len({seen, expected, unusual}) == 3


def test_marks_with_one_label_share_a_colour():
    marks = (
        Line(x=(0.0,), y=(1.0,), label="a"),
        Line(x=(0.0,), y=(2.0,), label="b"),
        Bars(x=(0.0,), y=(1.0,), label="a"),
    )
    first, second, third = shapes.colors(Chart(title="", marks=marks, x_scale="linear"))
    assert first == third != second


def test_a_band_alone_has_a_colour():
    chart = Chart(title="", marks=(Band(x=(0.0,), low=(0.0,), high=(1.0,)),), x_scale="linear")
    assert shapes.colors(chart) == (look.series_color(0),)


def test_bars_of_one_step_stand_side_by_side_around_its_middle(charts):
    slots = shapes.slots(charts.segments, axes.x_axis(charts.segments)).values()
    firsts = [slot.middles[0] for slot in slots]
    assert sum(firsts) == pytest.approx(0)
    assert firsts[1] - firsts[0] == pytest.approx(next(iter(slots)).width)


def test_the_hundred_percent_of_week_zero_does_not_use_up_the_colours(charts):
    low, high = shapes.color_range(charts.retention.marks[0])
    assert low == 0
    assert 0.3 < high < 0.5


def test_a_grid_of_one_value_still_has_a_range():
    assert shapes.color_range(Grid(rows=("a",), columns=("x",), values=((0.5,),))) == (0, 0.5)
    assert shapes.color_range(Grid(rows=("a",), columns=("x",), values=((0.0,),))) == (0, 1)


def test_cells_without_a_value_are_not_drawn_and_small_cells_have_no_text():
    grid = Grid(rows=("a",), columns=("x", "y", "z"), values=((0.5, None, math.nan),))
    assert [cell.text for cell in shapes.cells(grid, "percent", (60, 26))] == ["50%"]
    assert [cell.text for cell in shapes.cells(grid, "percent", (12, 26))] == [""]


def test_only_cells_that_are_not_final_are_hatched_and_inside_their_borders():
    grid = Grid(
        rows=("a", "b"), columns=("x", "y"), values=((1.0, 2.0), (3.0, None)), hatched=((False, True), (False, True))
    )
    points = [point for stroke in shapes.hatching(grid) for point in stroke]
    assert points
    assert all(0.5 <= x <= 1.5 and -0.5 <= y <= 0.5 for x, y in points)


def test_a_line_with_gaps_has_pieces():
    line = Line(x=(0.0, 1.0, 2.0, 3.0, 4.0), y=(1.0, None, 2.0, 3.0, math.nan))
    assert shapes.pieces(line) == ((0, 1), (2, 4))
