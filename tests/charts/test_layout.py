from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from workbench.charts import layout, look
from workbench.charts.spec import Bars, Chart, Line


def laid_out(chart, width=720, height=None):
    return layout.lay_out(chart, *layout.plan(chart, width), width=width, height=height)


def words(chart):
    return [text.words for text in laid_out(chart).texts]


def test_the_plot_keeps_most_of_the_drawing(chart):
    wide, tall = laid_out(chart).plot
    assert wide > 720 / 2
    assert tall > 100


def test_texts_of_one_row_do_not_overlap(chart):
    texts = laid_out(chart).texts
    for text in texts:
        right = [other.dx for other in texts if (other.dy, other.below) == (text.dy, text.below) and other.dx > text.dx]
        assert all(text.dx + look.text_width(text.words, text.size) * 0.8 <= other for other in right)


def test_one_series_needs_no_legend_and_two_do(charts):
    assert "daily active" not in words(charts.trend)
    assert {"seen", "expected", "80% interval", "unusual"} <= set(words(charts.forecast))


def test_a_legend_too_long_for_one_row_takes_more():
    marks = tuple(Line(x=(0.0, 1.0), y=(1.0, 2.0), label=f"a rather long label {n}") for n in range(12))
    drawn = laid_out(Chart(title="t", marks=marks, x_scale="linear"))
    assert len({text.dy for text in drawn.texts if text.words.startswith("a rather")}) > 1


def test_the_year_is_said_where_the_ticks_do_not(charts):
    assert "2026" in words(charts.trend)
    assert "2026" not in words(replace(charts.trend, x_label="day"))


def test_hatched_cells_are_explained(charts):
    assert "not final yet" in words(charts.retention)


def test_many_long_names_are_turned_and_a_few_short_ones_are_not(charts):
    assert laid_out(charts.many).turn < 0
    assert laid_out(charts.funnel).turn == 0


def test_a_grid_grows_with_its_rows_unless_a_height_is_given(charts):
    assert laid_out(charts.retention).height < 400
    assert laid_out(charts.retention, height=700).height == 700


def test_a_long_note_is_wrapped_to_three_lines(charts):
    notes = [text for text in laid_out(charts.hostile).texts if text.below and text.words.endswith("…")]
    assert len(notes) == 1


def test_a_chart_without_any_text_has_only_its_plot():
    assert laid_out(Chart(title="", marks=(Bars(x=("a",), y=(1.0,)),))).texts == ()


def test_the_day_is_said_where_the_ticks_have_only_the_clock():
    start = datetime(2026, 11, 26, 9, tzinfo=UTC)
    minutes = tuple(start + timedelta(minutes=minute) for minute in range(90))
    chart = Chart(title="t", x_scale="time", marks=(Line(x=minutes, y=tuple(map(float, range(90)))),))
    assert "26 Nov 2026" in words(chart)
