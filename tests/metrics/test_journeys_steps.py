from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.test_journeys import SHOP, cut, walked
from workbench.charts.spec import Flow
from workbench.errors import InvalidArgument


def test_the_step_matrix_looks_around_an_event():
    answer = walked(SHOP).step_matrix("cart", before=1, after=1)
    paths = answer.frame.set_index(["event", "step"])["paths"]
    places = [("view", -1), ("(start)", -1), ("cart", 0), ("buy", 1), ("(end)", 1)]
    assert [paths[place] for place in places] == [2, 1, 3, 1, 2]
    assert answer.people("view", -1) == ["ann"]
    assert answer.people("(end)", 1) == ["ann", "bob"]


def test_the_step_matrix_begins_with_the_first_event():
    answer = walked(SHOP).step_matrix(after=2)
    frame = answer.frame.set_index(["event", "step"])["share"]
    assert (frame["view", 0], frame["cart", 0], frame["cart", 1], frame["(end)", 2]) == (0.75, 0.25, 0.25, 0.5)
    assert "Of 4 paths with the first event, 50.0% end right after it" in answer.reading()


def test_the_centre_can_be_a_run_of_events():
    answer = walked(SHOP, sessions=None).step_matrix(["cart", "view"], before=1, after=3)
    paths = answer.frame.set_index(["event", "step"])["paths"]
    assert answer.paths == 1
    assert [paths[event, step] for event, step in (("view", -1), ("cart", 0), ("view", 1), ("buy", 3))] == [1, 1, 1, 1]
    assert "with the first cart → view, 0.0% end right after it; else cart comes next" in answer.reading()


def test_a_step_that_was_not_asked_for_has_no_people():
    answer = walked(SHOP).step_matrix("cart", before=1, after=1)
    with pytest.raises(InvalidArgument, match="step must be from -1 to 1, got 2"):
        answer.people("view", 2)
    with pytest.raises(InvalidArgument, match="nearest: 'view'"):
        answer.people("wiew", 0)


def test_the_sankey_says_who_goes_on_to_where():
    answer = walked(SHOP).step_sankey(after=2)
    rows = answer.frame[["step", "from_event", "to_event", "paths", "people"]].to_numpy().tolist()
    assert rows == [
        [0, "cart", "(end)", 1, 1],
        [0, "view", "cart", 1, 1],
        [0, "view", "view", 1, 1],
        [0, "view", "(end)", 1, 1],
        [1, "cart", "buy", 1, 1],
        [1, "view", "cart", 1, 1],
    ]
    assert answer.people(0, "view", "(end)") == ["bob"]
    assert "4 paths with the first event" in answer.chart().note


def test_a_sankey_around_an_event_begins_before_it():
    answer = walked(SHOP).step_sankey("cart", before=1, after=1)
    rows = {(row.step, row.from_event, row.to_event): row.paths for row in answer.frame.itertuples()}
    assert rows == {(-1, "(start)", "cart"): 1, (-1, "view", "cart"): 2, (0, "cart", "(end)"): 2, (0, "cart", "buy"): 1}
    (flow,) = answer.chart().marks
    assert flow.headings == ("-1", "0", "+1")


def test_rare_events_of_a_step_are_one():
    people = {f"p{number}": f"view:0 e{number}:1" for number in range(5)} | {"x": "view:0 cart:1", "y": "view:0 cart:1"}
    answer = walked(people).step_sankey(after=1, top=1)
    assert answer.frame[["to_event", "paths"]].to_numpy().tolist() == [["cart", 2], ["(other)", 5]]
    assert answer.people(0, "view", "(other)") == [f"p{number}" for number in range(5)]


def test_the_sankey_draws_its_frame():
    answer = walked(SHOP).step_sankey(after=2)
    (flow,) = answer.chart().marks
    assert isinstance(flow, Flow)
    drawn = [(flow.columns[a], flow.nodes[a], flow.nodes[b], paths) for a, b, paths in flow.links]
    rows = answer.frame[["step", "from_event", "to_event", "paths"]].itertuples(index=False)
    assert drawn == [tuple(row) for row in rows]


def test_bad_numbers_of_steps_are_refused():
    for wrong in ({"after": 0}, {"after": 101}, {"before": -1}, {"top": 0}, {"after": 1.5}):
        with pytest.raises(InvalidArgument, match="must be a whole number"):
            walked(SHOP).step_sankey("cart", **wrong)


@given(
    st.dictionaries(
        st.sampled_from(["ann", "bob", "cem"]),
        st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 60)), min_size=1, max_size=10),
        min_size=1,
    ),
    st.sampled_from([None, ("a",), ("a", "b")]),
    st.integers(0, 2),
    st.integers(1, 3),
)
def test_steps_are_those_of_a_slow_walk(people, centre, before, after):
    written = {who: " ".join(f"{event}:{minute}" for event, minute in events) for who, events in people.items()}
    found = walked(written)
    if not set(centre or ()) <= set(found.names):
        return
    slow = [
        (who, path, at)
        for who, events in people.items()
        for path in cut(events, 30, collapse=False)
        if (at := anchor(path, centre or ())) is not None
    ]
    steps = range(-before if centre else 0, after + 1)
    there, ways = defaultdict(list), defaultdict(list)
    for who, path, at in slow:
        for step in steps:
            there[where(path, at + step), step].append(who)
            here, onwards = where(path, at + step), where(path, at + step + 1)
            if step < after and here != "(end)" and onwards != "(start)":
                ways[step, here, onwards].append(who)
    matrix = found.step_matrix(centre, before=before, after=after)
    for row in matrix.frame.itertuples():
        assert (row.paths, row.people) == (len(there[row.event, row.step]), len(set(there[row.event, row.step])))
        assert matrix.people(row.event, row.step) == sorted(set(there[row.event, row.step]))
    if slow:
        assert np.allclose(matrix.frame.groupby("step")["share"].sum(), 1)
    sankey = found.step_sankey(centre, before=before, after=after)
    rows = {(row.step, row.from_event, row.to_event): [row.paths, row.people] for row in sankey.frame.itertuples()}
    assert rows == {way: [len(who), len(set(who))] for way, who in ways.items()}
    for way, who in ways.items():
        assert sankey.people(*way) == sorted(set(who))


def anchor(path, centre):
    return next((at for at in range(len(path)) if tuple(path[at : at + len(centre)]) == centre), None)


def where(path, at):
    return "(start)" if at < 0 else "(end)" if at >= len(path) else path[at]
