from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.charts import axes
from workbench.charts.spec import Bars, Chart, Line
from workbench.errors import InvalidArgument


def line(*heights, form="count"):
    return Chart(title="", marks=(Line(x=tuple(range(len(heights))), y=heights),), x_scale="linear", y_format=form)


def over(*moments):
    return Chart(title="", marks=(Line(x=moments, y=(1.0,) * len(moments)),), x_scale="time")


def days(count, start=datetime(2026, 1, 5)):
    return tuple(start + timedelta(days=day) for day in range(count))


def test_bars_start_at_zero_however_tall_they_are():
    chart = Chart(title="", marks=(Bars(x=("a", "b"), y=(990.0, 1000.0)),))
    assert axes.y_axis(chart).low == 0


def test_a_line_that_hardly_varies_is_not_squeezed_to_the_top():
    assert axes.y_axis(line(990.0, 1000.0)).low > 900
    assert axes.y_axis(line(400.0, 1000.0)).low == 0


def test_a_share_is_never_ticked_above_one_hundred_percent():
    assert axes.y_axis(line(0.1, 0.97, form="percent")).labels[-1] == "100%"


def test_counts_of_a_few_people_have_no_half_people_on_the_axis():
    assert axes.y_axis(line(0.0, 2.0)).ticks == (0, 1, 2)


def test_durations_are_ticked_in_units_of_clocks():
    assert axes.y_axis(line(0.0, 7000.0, form="seconds")).labels == ("0 s", "30 min", "1 h", "1 h 30 min", "2 h")


@given(st.lists(st.floats(-1e12, 1e12), min_size=1), st.sampled_from(["count", "percent", "decimal", "usd", "seconds"]))
def test_every_value_is_inside_the_axis_and_the_ticks_are_few_and_rising(heights, form):
    axis = axes.y_axis(line(*heights, form=form))
    assert axis.low <= min(heights)
    assert max(heights) <= axis.high
    assert 1 <= len(axis.ticks) <= 8
    assert all(left < right for left, right in pairwise(axis.ticks))


def test_a_few_weeks_are_ticked_at_each_of_them():
    chart = over(*(datetime(2026, 1, 5) + timedelta(weeks=week) for week in range(4)))
    assert axes.x_axis(chart).labels == ("05 Jan", "12 Jan", "19 Jan", "26 Jan")


def test_many_days_are_ticked_on_mondays():
    axis = axes.x_axis(over(*days(60)))
    assert {axes.instant(tick).weekday() for tick in axis.ticks} == {0}


def test_a_year_is_ticked_on_firsts_of_months():
    axis = axes.x_axis(over(*days(365)))
    assert axis.labels == ("Mar 2026", "May 2026", "Jul 2026", "Sep 2026", "Nov 2026", "Jan 2027")


def test_an_hour_is_ticked_by_the_clock():
    minutes = tuple(datetime(2026, 1, 5, 9) + timedelta(minutes=minute) for minute in range(60))
    assert axes.x_axis(over(*minutes)).labels[:2] == ("09:00", "09:15")


def test_an_instant_stands_at_its_own_wall_clock_in_every_zone():
    berlin = datetime(2026, 1, 5, 9, tzinfo=timezone(timedelta(hours=1)))
    assert axes.instant(axes.seconds(berlin)) == datetime(2026, 1, 5, 9)


@given(st.lists(st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)), min_size=1, max_size=40))
def test_time_ticks_are_few_and_within_the_axis(moments):
    axis = axes.x_axis(over(*moments))
    assert len(axis.ticks) <= 9
    assert all(axis.low <= tick <= axis.high for tick in axis.ticks)


def test_a_step_that_occurs_twice_in_a_funnel_has_two_places():
    chart = Chart(title="", marks=(Bars(x=("view", "buy", "view"), y=(3.0, 2.0, 1.0)),))
    assert axes.x_axis(chart).names == ("view", "buy", "view (2)")


def test_bars_at_the_ends_of_a_time_axis_are_whole():
    chart = Chart(title="", marks=(Bars(x=days(3), y=(1.0, 2.0, 3.0)),), x_scale="time")
    axis = axes.x_axis(chart)
    assert axis.high - axis.low == 3 * 86400


def test_a_name_on_a_time_axis_is_refused_by_name():
    with pytest.raises(InvalidArgument, match="'monday'"):
        axes.x_axis(over("monday"))
