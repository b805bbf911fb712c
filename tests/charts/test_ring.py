from __future__ import annotations

import math

import pytest

from workbench.charts import layout
from workbench.charts.ring import ring
from workbench.charts.spec import Chart, Slices


def drawn(values, width=720):
    slices = Slices(labels=tuple(f"platform {n}" for n in range(len(values))), values=values)
    chart = Chart(title="t", marks=(slices,))
    return ring(chart, slices, layout.lay_out(chart, *layout.plan(chart, width), width=width, height=220))


def test_shares_are_of_the_whole_and_sum_to_one():
    rows = drawn((3.0, 1.0)).rows
    assert [row.share for row in rows] == [0.75, 0.25]
    assert [text.words for text in rows[0].texts] == ["■", "platform 0", "3", "75.0%"]


def test_what_is_not_a_positive_number_has_no_share():
    rows = drawn((4.0, -1.0, math.nan)).rows
    assert [row.share for row in rows] == [1, 0, 0]


def test_many_rows_stay_within_the_plot():
    rows = drawn(tuple(float(n) for n in range(30, 0, -1))).rows
    assert all(0 <= row.y <= 220 for row in rows)
    assert len({row.y for row in rows}) == 30


def test_a_narrow_table_has_shares_only():
    assert [len(row.texts) for row in drawn((3.0, 1.0), width=320).rows] == [3, 3]


@pytest.mark.parametrize("width", [240, 320, 720])
def test_the_total_fits_into_the_hole(width):
    shown = drawn((4_321_000.0, 1.0), width=width)
    assert len(shown.total) * shown.size * 0.58 <= 2 * shown.radius * 0.62
