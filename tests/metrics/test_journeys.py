from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.communities import community
from workbench.errors import InvalidArgument, NotEnoughData, UnknownEvent
from workbench.metrics.journeys import journeys
from workbench.testing import store_of

NOW = "2026-02-01"


def walked(people, **options):
    return journeys(store_of(people).snapshot(), **({"now": NOW} | options))


def paths(found):
    return dict(zip(found.paths(1000).frame["path"], found.paths(1000).frame["paths"], strict=True))


def edges(found):
    return {(row.from_event, row.to_event): row for row in found.transitions().frame.itertuples()}


SHOP = {"ann": "view:0 view:1 cart:2 view:100 cart:101 buy:105", "bob": "view:0 cart:40"}


def test_a_long_pause_begins_another_path():
    assert paths(walked(SHOP)) == {"view → view → cart": 1, "view → cart → buy": 1, "view": 1, "cart": 1}
    assert paths(walked(SHOP, sessions="40m"))["view → cart"] == 1
    assert paths(walked(SHOP, sessions=None)) == {"view → view → cart → view → cart → buy": 1, "view → cart": 1}


def test_given_sessions_are_paths_and_what_has_none_is_left_out():
    snapshot = community(
        ({"ann": "view:0 cart:500"}, {"session_id": "1"}),
        ({"ann": "buy:3", "bob": "buy:7"}, {"session_id": "2"}),
        ({"ann": "x:1"}, {}),
    )
    found = journeys(snapshot, sessions="given", now=NOW)
    assert paths(found) == {"view → cart": 1, "buy": 2}
    assert found.transitions().people("(start)", "buy") == ["ann", "bob"]


def test_events_of_one_instant_follow_the_alphabet():
    assert paths(walked({"ann": "view:0 buy:0 cart:0"})) == {"buy → cart → view": 1}


def test_repeats_can_be_one_and_events_left_out():
    assert "view → cart" in paths(walked(SHOP, collapse=True))
    assert paths(walked(SHOP, ignore=["view"], sessions=None)) == {"cart → cart → buy": 1, "cart": 1}
    assert paths(walked(SHOP, events=["buy"])) == {"buy": 1}


def test_what_follows_what_is_weighed_in_five_ways():
    found = edges(walked(SHOP))
    row = found["view", "cart"]
    assert (row.count, row.share, row.per_path, row.probability_out, row.probability_in) == (2, 2 / 12, 0.5, 0.5, 2 / 3)
    assert (row.people, row.mean_seconds) == (1, 60.0)
    assert found["(start)", "view"].probability_out == 0.75
    assert found["buy", "(end)"].count == 1


def test_the_step_matrix_looks_around_an_event():
    frame = walked(SHOP).step_matrix("cart", before=1, after=1).frame.set_index(["event", "step"])["paths"]
    assert (frame["view", -1], frame["(start)", -1], frame["cart", 0], frame["buy", 1], frame["(end)", 1]) == (
        2,
        1,
        3,
        1,
        2,
    )


def test_the_step_matrix_begins_with_the_first_event():
    answer = walked(SHOP).step_matrix(after=2)
    frame = answer.frame.set_index(["event", "step"])["share"]
    assert (frame["view", 0], frame["cart", 0], frame["cart", 1], frame["(end)", 2]) == (0.75, 0.25, 0.25, 0.5)
    assert "Of 4 paths with the first event, 50.0% end right after it" in answer.reading()


def test_patterns_count_paths_and_not_times():
    found = walked({"ann": "a:0 b:1 a:2 b:3 a:4"})
    assert found.patterns(2).frame[["pattern", "paths"]].to_numpy().tolist() == [["a → b", 1], ["b → a", 1]]
    assert found.patterns(2).people("a → b") == ["ann"]
    assert found.loops().frame["loop"].tolist() == ["a → b → a", "b → a → b"]


def test_paths_with_an_event_differ_from_those_without():
    people = {f"buyer {number}": "view:0 cart:1 buy:2" for number in range(40)}
    people |= {f"other {number}": "view:0 help:1" for number in range(40)}
    found = walked(people)
    answer = found.having("buy").diff(found.without("buy"))
    row = answer.frame.set_index(["from_event", "to_event"]).loc[("view", "cart")]
    assert (row["probability_out"], row["other"], row["difference"]) == (1.0, 0.0, 1.0)
    assert row["ci_low"] > 0.8
    assert row["pvalue_adjusted"] < 0.001
    assert "differ surely" in answer.reading()
    assert found.having("buy").definition.having == (("buy",),)


def test_kinds_of_paths_are_told_by_what_they_have_more_of():
    people = {f"talker {number}": "talk:0 talk:1 talk:2 view:3" for number in range(30)}
    people |= {f"buyer {number}": "view:0 cart:1 buy:2" for number in range(20)} | {"odd": "view:0"}
    answer = walked(people).clusters(2)
    assert answer.frame["paths"].tolist() == [30, 21]
    assert answer.frame["more_of"].iloc[0].startswith("talk")
    assert len(answer.people(0)) == 30
    with pytest.raises(InvalidArgument, match="no cluster 9"):
        answer.people(9)


def test_too_few_paths_or_paths_all_alike_are_not_grouped():
    with pytest.raises(NotEnoughData, match="too few"):
        walked(SHOP).clusters()
    with pytest.raises(NotEnoughData, match="same events"):
        walked({f"p{number}": "view:0" for number in range(40)}).clusters()


def test_unknown_events_and_bad_bounds_are_refused():
    with pytest.raises(UnknownEvent, match="nearest: 'view'"):
        walked(SHOP, events=["views"])
    found = walked(SHOP)
    for ask, wrong in (
        (found.step_matrix, "wiew"),
        (found.patterns, 0),
        (found.patterns, 6),
        (found.paths, 0),
        (found.having, "x"),
    ):
        with pytest.raises(InvalidArgument):
            ask(wrong)
    with pytest.raises(InvalidArgument, match="sessions"):
        walked(SHOP, sessions="0m")


def test_nobody_has_no_paths():
    found = walked({})
    for view in (found.transitions(), found.paths(), found.patterns(), found.loops(), found.step_matrix()):
        assert view.reading()
        assert view.chart().marks == () or not view.frame["paths"].any()


def test_every_view_draws_and_reads():
    found = walked(SHOP)
    for view in (found.transitions(), found.paths(), found.patterns(2), found.loops(), found.step_matrix("cart")):
        assert view.chart().marks
        assert view.reading()
        assert view.definition.journeys == found.definition


@given(
    st.dictionaries(
        st.sampled_from(["ann", "bob", "cem"]),
        st.lists(st.tuples(st.sampled_from(["a", "b", "é'"]), st.integers(0, 100)), min_size=1, max_size=10),
        min_size=1,
    ),
    st.sampled_from([None, 5, 30]),
    st.booleans(),
)
def test_views_are_those_of_a_slow_walk(people, gap, collapse):
    journeys_ = {who: " ".join(f"{event}:{minute}" for event, minute in events) for who, events in people.items()}
    found = walked(journeys_, sessions=None if gap is None else f"{gap}m", collapse=collapse)
    slow = [(who, path) for who, events in people.items() for path in cut(events, gap, collapse)]
    assert paths(found) == Counter(" → ".join(path) for _, path in slow)
    counts, there = Counter(), defaultdict(set)
    for who, path in slow:
        for pair in pairwise(["(start)", *path, "(end)"]):
            counts[pair] += 1
            there[pair].add(who)
    assert {pair: (row.count, row.people) for pair, row in edges(found).items()} == {
        pair: (count, len(there[pair])) for pair, count in counts.items()
    }
    for pair, who in there.items():
        assert found.transitions().people(*pair) == sorted(who)
    runs = Counter(run for _, path in slow for run in {" → ".join(path[at : at + 2]) for at in range(len(path) - 1)})
    frame = found.patterns(2, top=1000).frame
    assert dict(zip(frame["pattern"], frame["paths"], strict=True)) == runs
    matrix = found.step_matrix("a", before=1, after=1) if any("a" in path for _, path in slow) else None
    if matrix is not None:
        at = [(path, path.index("a")) for _, path in slow if "a" in path]
        ended = sum(place + 1 == len(path) for path, place in at)
        rows = matrix.frame.set_index(["event", "step"])["paths"]
        assert (matrix.paths, rows["(end)", 1]) == (len(at), ended)
        assert np.isclose(matrix.frame.groupby("step")["share"].sum(), 1).all()


def cut(events, gap, collapse):
    """Cut what one person did into paths."""
    found, last = [], None
    for event, minute in sorted(events, key=lambda row: (row[1], row[0])):
        if last is None or (gap is not None and minute - last > gap):
            found.append([])
        if not (collapse and found[-1] and found[-1][-1] == event):
            found[-1].append(event)
        last = minute
    return found
