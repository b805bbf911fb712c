from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime

import bqplot
import numpy as np
import pytest

from workbench.charts import formats
from workbench.charts.live import figure, sparkline, update
from workbench.charts.live_marks import HeatMap
from workbench.charts.spec import Band, Bars, Chart, Flow, Grid, Line, Points, Slices


def marks(drawn, kind):
    return [mark for mark in drawn.marks if type(mark) is kind]


def texts(drawn):
    return [str(word) for mark in marks(drawn, bqplot.Label) for word in mark.text]


def lines(drawn):
    """Return the lines of data: not the one at zero, and neither intervals nor hatching."""
    return [mark for mark in marks(drawn, bqplot.Lines) if mark.labels]


def equal(drawn, numbers):
    return np.array_equal(np.asarray(drawn, dtype=float), np.array(numbers, dtype=float), equal_nan=True)


def holds(drawn, mark) -> bool:
    """Tell whether some bqplot mark holds exactly the numbers of a spec's mark."""
    match mark:
        case Line():
            return any(equal(line.y, mark.y) for line in lines(drawn) if line.y.ndim == 1)
        case Band():
            return any(equal(line.y, (mark.low, mark.high)) for line in lines(drawn) if line.y.ndim == 2)
        case Bars():
            (bars,) = marks(drawn, bqplot.Bars)
            shown = [dict(zip(bars.x.tolist(), row, strict=True)) for row in np.atleast_2d(bars.y)]
            names = [x if isinstance(x, datetime) else formats.clean(x) for x in mark.x]
            return any([row[name] for name in names] == list(mark.y) for row in shown)
        case Points():
            return any(equal(scatter.y, mark.y) for scatter in marks(drawn, bqplot.Scatter))
        case Grid():
            return equal(marks(drawn, HeatMap)[0].color, mark.values)
        case Slices():
            return equal(marks(drawn, bqplot.Pie)[0].sizes, mark.values)
        case Flow():
            (areas,) = lines(drawn)
            said = [formats.number(amount, drawn.chart.y_format) for _, _, amount in mark.links]
            assert set(areas.opacities) == {1.0}  # bqplot hides the area inside of a line that is hidden
            return len(areas.y) == len(mark.links) + len(mark.nodes) and set(said) <= {
                label.rpartition(" · ")[2] for label in areas.labels
            }


def test_a_figure_holds_exactly_the_numbers_of_its_chart(chart):
    drawn = figure(chart)
    assert isinstance(drawn, bqplot.Figure)
    assert drawn.title == chart.title
    if "no data" not in texts(drawn):
        assert all(holds(drawn, mark) for mark in chart.marks)


def test_every_trait_of_a_figure_can_be_sent_to_a_browser(chart):
    drawn = figure(chart)
    for widget in (drawn, *drawn.marks, *drawn.axes, *drawn.named_scales.values()):
        assert widget.get_state()


def test_instants_are_instants(charts):
    (line,) = lines(figure(charts.trend))
    assert line.x.dtype.kind == "M"
    assert line.x[0] == np.datetime64("2026-01-05")


def test_an_interval_and_an_annotation_stand_in_the_middle_of_their_bar(charts):
    drawn = figure(charts.funnel)
    strokes = marks(drawn, bqplot.Lines)[1]
    label = next(mark for mark in marks(drawn, bqplot.Label) if "12,345" in mark.text)
    assert strokes.x[::3].tolist() == label.x.tolist() == [0, 1, 2, 3]
    assert strokes.y[:2].tolist() == [1.0, 1.0]


def test_hovering_over_a_line_says_series_day_and_number(charts):
    names = [str(name) for scatter in marks(figure(charts.forecast), bqplot.Scatter) for name in scatter.names]
    assert "seen · Mon 05 Jan 2026 · 420" in names


def test_a_duration_is_read_in_hours_on_the_axis(charts):
    vertical = figure(charts.waiting).axes[1]
    assert list(vertical.tick_labels.values()) == ["0 s", "1 h", "2 h", "3 h"]
    assert list(vertical.tick_labels) == ["0", "3600", "7200", "10800"]


def test_an_arrow_and_a_node_say_what_they_are_under_the_mouse(charts):
    (dots,) = marks(figure(charts.sankey), bqplot.Scatter)
    assert {"view → cart · 40", "cart · 40", "(end) · 23"} <= set(dots.names.tolist())


def test_cells_without_a_value_are_hidden(charts):
    heat = marks(figure(charts.retention), HeatMap)[0]
    assert len(heat.selected) == np.isfinite(heat.color).sum()
    assert heat.unselected_style["opacity"] == "0"


@pytest.mark.parametrize("name", ["empty", "all_nan", "nowhere"])
def test_without_numbers_a_figure_says_so(charts, name):
    drawn = figure(getattr(charts, name))
    assert "no data" in texts(drawn)
    assert drawn.axes == []


def test_new_numbers_move_the_same_marks(charts):
    drawn = figure(charts.trend)
    before = [mark.model_id for mark in drawn.marks]
    update(drawn, replace(charts.trend, title="Later", marks=(replace(charts.trend.marks[0], y=(9000.0,) * 60),)))
    assert [mark.model_id for mark in drawn.marks] == before
    assert lines(drawn)[0].y.tolist() == [9000.0] * 60
    assert drawn.named_scales["y"].max >= 9000
    assert drawn.title == "Later"


def test_the_same_numbers_send_nothing(charts, monkeypatch):
    drawn = figure(charts.segments)
    sent = []
    for widget in (*drawn.marks, *drawn.axes, *drawn.named_scales.values()):
        widget.observe(sent.append)
    update(drawn, charts.segments)
    assert sent == []


def test_an_updated_figure_equals_a_new_one(chart):
    drawn = figure(replace(chart, note="before", marks=chart.marks[:1]))
    update(drawn, chart)
    new = figure(chart)
    assert texts(drawn) == texts(new)
    assert [type(mark) for mark in drawn.marks] == [type(mark) for mark in new.marks]
    assert {name: (s.keys, type(s)) for name, s in drawn.named_scales.items()} == {
        name: (s.keys, type(s)) for name, s in new.named_scales.items()
    }


def test_a_chart_of_other_marks_is_drawn_anew_and_the_old_marks_are_closed(charts):
    drawn = figure(charts.trend)
    old = list(drawn.marks)
    update(drawn, charts.retention)
    assert marks(drawn, HeatMap)
    assert all(mark.comm is None for mark in old)


def test_where_no_widget_lives_the_figure_is_an_svg_of_its_newest_chart(charts):
    drawn = figure(charts.trend)
    update(drawn, charts.funnel)
    bundle = drawn._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert charts.funnel.title in bundle["image/svg+xml"]


def test_names_that_only_differ_after_many_letters_keep_their_own_bars():
    long = ("a" * 90 + "1", "a" * 90 + "2")
    drawn = figure(Chart(title="", marks=(Bars(x=("b",), y=(1.0,), label="p"), Bars(x=long, y=(2.0, 3.0), label="q"))))
    assert marks(drawn, bqplot.Bars)[0].x.tolist() == ["b", *long]


def test_a_sparkline_is_a_line_and_nothing_else():
    drawn = sparkline(Line(x=(0.0, 1.0, 2.0), y=(5.0, None, 7.0)))
    assert drawn.axes == []
    (line,) = drawn.marks
    assert equal(line.y, [5.0, math.nan, 7.0])


@pytest.mark.parametrize(
    ("heights", "shown"),
    [((1.0, None, 2.0), 3), ((1.0, None, None), 1), ((None, 1.0, math.nan), 2), ((None, None), 1), ((), 0)],
)
def test_a_line_ends_where_its_numbers_do_as_bqplot_needs_a_place_for_its_name(heights, shown):
    line = Line(x=tuple(map(float, range(len(heights)))), y=heights)
    of_a_chart = marks(figure(Chart(title="", marks=(line, Line(x=(0.0, 3.0), y=(1.0, 2.0))))), bqplot.Lines)[1]
    assert [len(of_a_chart.x), len(of_a_chart.y)] == [shown, shown]
    (alone,) = sparkline(line).marks
    assert [len(alone.x), len(alone.y)] == [shown, shown]


def test_strokes_are_told_apart_by_gaps_and_end_with_none():
    bars = Bars(x=("a", "b"), y=(1.0, 2.0), low=(0.5, 1.5), high=(1.5, 2.5))
    strokes = marks(figure(Chart(title="", marks=(bars,))), bqplot.Lines)[-1]
    assert equal(strokes.y, [0.5, 1.5, math.nan, 1.5, 2.5])


@pytest.mark.parametrize("heights", [(), (None,), (3.0,), (3.0, 3.0)])
def test_a_flat_or_empty_sparkline_has_a_range(heights):
    drawn = sparkline(Line(x=tuple(map(float, range(len(heights)))), y=heights))
    scale = drawn.marks[0].scales["y"]
    assert scale.min < scale.max


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 3), (3, 1)])
def test_a_grid_of_one_row_or_one_column_is_drawn(rows, columns):
    values = tuple(tuple(float(row + column) for column in range(columns)) for row in range(rows))
    grid = Grid(rows=tuple("abc"[:rows]), columns=tuple("xyz"[:columns]), values=values)
    drawn = figure(Chart(title="few", marks=(grid,)))
    (cells,) = [mark for mark in drawn.marks if isinstance(mark, HeatMap)]
    assert cells.color.tolist() == [list(row) for row in values]


def test_a_heat_map_of_another_size_is_drawn_over_the_one_before():
    small, large = (
        Chart(title="", marks=(Grid(rows=rows, columns=("x", "y", "z")[: len(rows)], values=values),))
        for rows, values in ((("a", "b"), ((1.0, 2.0), (3.0, 4.0))), (("a", "b", "c"), ((1.0, 2.0, 3.0),) * 3))
    )
    for before, after in ((small, large), (large, small)):
        drawn = figure(before)
        update(drawn, after)
        heat = next(mark for mark in drawn.marks if isinstance(mark, bqplot.GridHeatMap))
        assert heat.color.tolist() == [list(row) for row in after.marks[0].values]
