from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from tests.metrics.test_journeys import SHOP, cut, walked
from workbench.charts.spec import Flow, Grid
from workbench.errors import InvalidArgument
from workbench.metrics.journey_transitions import WEIGHTS


def edges(answer):
    return {(row.from_event, row.to_event): row for row in answer.frame.itertuples()}


def test_what_follows_what_is_weighed_in_five_ways():
    found = edges(walked(SHOP).transitions())
    row = found["view", "cart"]
    assert (row.count, row.share, row.per_path, row.probability_out, row.probability_in) == (2, 2 / 12, 0.5, 0.5, 2 / 3)
    assert (row.people, row.mean_seconds) == (1, 60.0)
    assert found["(start)", "view"].probability_out == 0.75
    assert found["buy", "(end)"].count == 1


@pytest.mark.parametrize("weight", WEIGHTS)
def test_the_heat_map_and_the_graph_show_the_weight_that_was_asked_for(weight):
    found = walked(SHOP)
    value = found.transitions().frame.set_index(["from_event", "to_event"])[weight]
    (grid,) = found.transitions(weight).chart().marks
    assert isinstance(grid, Grid)
    assert grid.values[grid.rows.index("view")][grid.columns.index("cart")] == value["view", "cart"]
    graph = found.graph(weight)
    assert graph.frame["value"].tolist() == sorted(value, reverse=True)
    (flow,) = graph.chart().marks
    assert isinstance(flow, Flow)
    drawn = {(flow.nodes[source], flow.nodes[target]): amount for source, target, amount in flow.links}
    assert drawn == value.to_dict()


def test_a_graph_has_the_heaviest_steps_alone_and_names_their_people():
    graph = walked(SHOP).graph(top=2)
    assert graph.frame[["from_event", "to_event", "value"]].to_numpy().tolist() == [
        ["(start)", "view", 3],
        ["cart", "(end)", 2],
    ]
    assert graph.people("(start)", "view") == ["ann", "bob"]
    assert graph.frame["people"].tolist() == [2, 2]
    with pytest.raises(InvalidArgument, match="top must be"):
        walked(SHOP).graph(top=0)


def test_a_graph_of_collapsed_paths_has_no_loop_of_one_event():
    people = {"ann": "view:0 view:1 view:2 cart:3"}
    assert ("view", "view") in edges(walked(people).graph())
    assert ("view", "view") not in edges(walked(people, collapse=True).graph())


def test_a_graph_goes_from_what_paths_begin_with_to_what_they_end_with():
    (flow,) = walked({f"p{number}": "zoom:0 mid:1 apex:2" for number in range(3)}).graph().chart().marks
    assert flow.nodes == ("(start)", "zoom", "mid", "apex", "(end)")


def test_one_who_repeats_a_step_a_hundred_times_is_not_a_hundred_witnesses():
    alone = {f"p{number}": "view:0 buy:1" if number % 2 else "view:0 cart:1" for number in range(20)}
    again = " ".join(f"view:{2 * turn} buy:{2 * turn + 1}" for turn in range(100))
    few, many = (edges(walked(people).transitions())["view", "buy"] for people in (alone, alone | {"bot": again}))
    assert many.probability_out > few.probability_out
    assert many.ci_high - many.ci_low > few.ci_high - few.ci_low


def test_paths_with_an_event_differ_from_those_without():
    people = {f"buyer {number}": "view:0 cart:1 buy:2" for number in range(40)}
    people |= {f"other {number}": "view:0 help:1" for number in range(40)}
    found = walked(people)
    answer = found.having("buy").diff(found.without("buy"))
    row = answer.frame.set_index(["from_event", "to_event"]).loc[("view", "cart")]
    assert (row["probability_out"], row["other"], row["difference"]) == (1.0, 0.0, 1.0)
    assert (row["people"], row["people_other"]) == (40, 0)
    assert row["ci_low"] > 0.8
    assert row["pvalue_adjusted"] < 0.001
    assert "differ surely" in answer.reading()
    assert len(answer.people("view", "cart")) == 40
    assert answer.people("view", "cart", other=True) == []


def test_what_one_person_does_often_is_no_sure_difference():
    calm = {f"p{number}": "view:0 buy:1" if number % 2 else "view:0 cart:1" for number in range(12)}
    often = " ".join(f"view:{2 * turn} buy:{2 * turn + 1}" for turn in range(300))
    wild = calm | {"bot": often}
    answer = walked(wild).diff(walked(calm))
    row = answer.frame.set_index(["from_event", "to_event"]).loc[("view", "buy")]
    assert row["difference"] > 0.4
    assert row["pvalue"] > 0.2
    assert "Nothing differs surely" in answer.reading()


def test_nothing_is_tested_of_fewer_than_five_people():
    answer = walked({f"p{n}": "view:0 cart:1" for n in range(4)}).diff(walked({f"q{n}": "view:0" for n in range(9)}))
    assert answer.frame["pvalue"][answer.frame["from_event"] == "view"].isna().all()


def test_the_same_paths_do_not_differ_from_themselves():
    found = walked({f"p{number}": "view:0 cart:1 view:2" if number % 3 else "view:0" for number in range(30)})
    frame = found.diff(found).frame
    assert frame["difference"].eq(0).all()
    assert frame["pvalue"].gt(0.99).all()
    assert (frame["ci_low"].le(0) & frame["ci_high"].ge(0)).all()


def test_people_who_never_did_what_others_do_are_compared_with_them():
    frame = walked({f"p{n}": "a:0 c:1" for n in range(9)}).diff(walked({f"q{n}": "b:0 c:1" for n in range(9)})).frame
    rows = frame.set_index(["from_event", "to_event"])["difference"]
    assert rows.to_dict() == {("(start)", "a"): 1.0, ("(start)", "b"): -1.0, ("c", "(end)"): 0.0}


@given(
    st.dictionaries(
        st.sampled_from(["ann", "bob", "cem", "dan"]),
        st.lists(st.tuples(st.sampled_from(["a", "b", "é'"]), st.integers(0, 100)), min_size=1, max_size=10),
        min_size=1,
    ),
    st.sampled_from([None, 5, 30]),
    st.booleans(),
)
def test_transitions_and_their_spread_are_those_of_a_slow_walk(people, gap, collapse):
    written = {who: " ".join(f"{event}:{minute}" for event, minute in events) for who, events in people.items()}
    journeys = walked(written, sessions=None if gap is None else f"{gap}m", collapse=collapse)
    answer = journeys.transitions()
    assert not journeys.is_read
    assert journeys.trails.paths == answer.paths
    assert_frame_equal(journeys.transitions().frame, answer.frame)
    mine = defaultdict(Counter)
    for who, events in people.items():
        for path in cut(events, gap, collapse):
            mine[who].update(pairwise(["(start)", *path, "(end)"]))
    total = sum(mine.values(), Counter())
    assert {pair: row.count for pair, row in edges(answer).items()} == total
    for place, (before, after) in enumerate(edges(answer)):
        x = np.array([steps[before, after] for steps in mine.values()])
        n = np.array([sum(count for pair, count in steps.items() if pair[0] == before) for steps in mine.values()])
        row, sums = answer.frame.iloc[place], answer.sums
        assert answer.people(before, after) == sorted(who for who, steps in mine.items() if steps[before, after])
        assert row["people"] == len(answer.people(before, after))
        found = [getattr(sums, name)[place] for name in ("people", "x", "n", "xx", "xn", "nn")]
        assert found == [(n > 0).sum(), x.sum(), n.sum(), (x * x).sum(), (x * n).sum(), (n * n).sum()]
