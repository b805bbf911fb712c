from __future__ import annotations

import math
from itertools import pairwise

import pytest

from workbench.charts import flow, flow_graph, flow_sankey
from workbench.charts.spec import Chart, Flow

PLOT = (700.0, 400.0)


def drawn(mark):
    chart = Chart(title="", marks=(mark,))
    return (flow_sankey if mark.columns else flow_graph).drawing(chart, mark, PLOT)


def sides(area):
    x, y = zip(*area.outline, strict=True)
    return min(x), max(x), min(y), max(y)


def height_at(area, end):
    """Return how high a ribbon is at its left (0) or right (1) end."""
    edge = sides(area)[end]
    ys = [y for x, y in area.outline if x == edge]
    return max(ys) - min(ys)


SHOP = Flow(
    nodes=("view", "help", "cart", "(end)"),
    links=((0, 2, 30.0), (0, 3, 10.0), (1, 3, 20.0), (1, 2, 0.0)),
    columns=(0, 0, 1, 1),
)


def test_ribbons_and_nodes_are_as_high_as_their_amounts():
    ribbons, nodes = drawn(SHOP).areas[:3], drawn(SHOP).areas[3:]
    assert [area.words for area in nodes] == ["view · 40", "help · 20", "cart · 30", "(end) · 30"]
    one = height_at(ribbons[1], 0) / 10
    assert [round(height_at(area, end) / one) for area in ribbons for end in (0, 1)] == [30, 30, 10, 10, 20, 20]
    assert [round((sides(area)[3] - sides(area)[2]) / one) for area in nodes] == [40, 20, 30, 30]


def test_ribbons_leave_a_node_one_below_the_other_and_fill_it():
    areas = drawn(SHOP).areas
    first, second, view = areas[0], areas[1], areas[3]
    left = [sorted(y for x, y in area.outline if x == sides(area)[0]) for area in (first, second)]
    assert left[0][-1] == pytest.approx(left[1][0])
    assert (left[0][0], left[1][-1]) == pytest.approx(sides(view)[2:])


def test_nodes_of_a_column_do_not_overlap_and_nothing_leaves_the_plot():
    many = Flow(
        nodes=tuple(f"event {place}" for place in range(40)),
        links=tuple((place, 20 + (place * 7) % 20, 1.0 + place) for place in range(20)),
        columns=(0,) * 20 + (1,) * 20,
    )
    areas = drawn(many).areas
    for begin in (20, 40):
        column = sorted(sides(area)[2:] for area in areas[begin : begin + 20])
        assert all(low >= high for (_, high), (low, _) in pairwise(column))
    assert max(sides(area)[3] for area in areas) <= PLOT[1] + 1e-6


def test_an_event_has_one_colour_in_every_column_and_what_is_none_is_grey():
    twice = Flow(nodes=("view", "(end)", "view"), links=((0, 2, 1.0),), columns=(0, 1, 1))
    one, end, other = flow.colors(twice)
    assert one == other != end


GRAPH = Flow(nodes=("(start)", "a", "b", "c", "(end)"), links=((0, 1, 9.0), (1, 2, 1.0), (2, 1, 1.0), (3, 3, 4.0)))


def test_a_graph_goes_from_the_left_to_the_right():
    nodes = drawn(GRAPH).areas[4:]
    middles = [area.middle for area in nodes]
    assert min(middles) == middles[0]
    assert max(middles) == middles[-1]


def test_arrows_touch_no_node_but_point_at_theirs():
    drawing = drawn(GRAPH)
    arrow = next(area for area in drawing.areas if area.words.startswith("a → b"))
    (ax, ay), (bx, by) = (area.middle for area in drawing.areas if area.words in ("a", "b"))
    away = [math.dist(point, (bx, by)) for point in arrow.outline]
    tip = arrow.outline[away.index(min(away))]
    assert math.dist(tip, (ax, ay)) > math.dist(tip, (bx, by))
    assert min(away) > 7


def test_there_and_back_are_two_arrows_and_a_loop_is_one_of_its_own():
    drawing = drawn(GRAPH)
    there, back = (next(area for area in drawing.areas if area.words.startswith(way)) for way in ("a → b", "b → a"))
    assert math.dist(there.middle, back.middle) > 10
    loop = next(area for area in drawing.areas if area.words.startswith("c → c"))
    assert all(math.isfinite(value) for point in loop.outline for value in point)


def test_the_heavier_an_arrow_the_wider():
    drawing = drawn(GRAPH)
    wide, narrow = (next(area for area in drawing.areas if area.words.startswith(way)) for way in ("(start)", "a → b"))
    assert math.dist(wide.outline[0], wide.outline[-1]) > 3 * math.dist(narrow.outline[0], narrow.outline[-1])
