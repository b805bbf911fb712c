from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

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


def test_paths_of_a_time_are_cut_at_its_ends():
    found = walked(SHOP, since="2026-01-05T00:01", until="2026-01-05T01:41", now="2026-01-05T01:40")
    assert paths(found) == {"view → cart": 1, "view": 1, "cart": 1}


def test_paths_are_kept_by_an_event_or_by_several_that_follow_each_other():
    found = walked(SHOP, sessions=None)
    assert paths(found.having("buy")) == {"view → view → cart → view → cart → buy": 1}
    assert paths(found.having("cart", "view")) == paths(found.having("buy"))
    assert paths(found.having("cart").without("cart", "view")) == {"view → cart": 1}
    kept = found.having("cart").without("cart", "view").definition
    assert (kept.having, kept.without) == ((("cart",),), (("cart", "view"),))
    assert found.without("buy").people() == ["bob"]


def test_the_most_common_paths_count_paths_and_people():
    found = walked({"ann": "view:0 view:100", "bob": "view:0 cart:1"})
    frame = found.paths().frame.set_index("path")
    assert frame.loc["view"].tolist() == [1, 2, 2 / 3, 1]
    assert found.paths().people("view") == ["ann"]
    with pytest.raises(InvalidArgument, match="no path 'buy'"):
        found.paths().people("buy")


def test_long_paths_that_begin_alike_are_told_apart():
    way = " ".join(f"a:{minute}" for minute in range(12))
    answer = walked({"ann": way, "bob": f"{way} b:12", "cem": f"{way} c:12"}).paths()
    names = answer.frame["path"].tolist()
    assert len(set(names)) == 3
    assert sorted(person for name in names for person in answer.people(name)) == ["ann", "bob", "cem"]


def test_patterns_count_paths_and_not_times():
    found = walked({"ann": "a:0 b:1 a:2 b:3 a:4"})
    rows = found.patterns(2).frame[["pattern", "paths", "people", "times"]]
    assert rows.to_numpy().tolist() == [["a → b", 1, 1, 2], ["b → a", 1, 1, 2]]
    assert found.patterns(2).people("a → b") == ["ann"]
    assert found.patterns(2).people(["a", "b", "a", "b"]) == ["ann"]
    assert found.patterns(2).people(["b", "b"]) == []


def test_loops_are_repeats_and_ways_there_and_back():
    answer = walked({"ann": "a:0 b:1 a:2 a:3", "bob": "a:0 a:1 a:2"}).loops()
    assert dict(zip(answer.frame["loop"], answer.frame["people"], strict=True)) == {"a → a": 2, "a → b → a": 1}
    assert answer.people("a → b → a") == ["ann"]
    assert "a → a, in 100.0% of the paths" in answer.reading()


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
        (found.step_matrix, []),
        (found.step_sankey, ["view", "wiew"]),
        (found.patterns, 0),
        (found.patterns, 6),
        (found.paths, 0),
        (found.having, "x"),
        (found.transitions, "weight"),
        (found.graph, "probability"),
        (found.drop_off, "wiew"),
    ):
        with pytest.raises(InvalidArgument):
            ask(wrong)
    with pytest.raises(InvalidArgument, match="sessions"):
        walked(SHOP, sessions="0m")
    with pytest.raises(InvalidArgument, match="several that follow each other"):
        found.having()


def test_of_more_than_a_thousand_types_of_events_the_rest_is_one():
    many = {"ann": " ".join(f"e{number}:{number}" for number in range(1001))}
    assert "(other)" in set(walked(many, sessions=None).transitions().frame["to_event"])
    assert walked(many, ignore=["e0"], sessions=None).trails.lengths.tolist() == [1000]
    frame = walked(many, ignore=["e0"], sessions=None).transitions().frame
    assert (len(frame), frame["count"].sum()) == (1001, 1001)


def test_a_view_says_what_was_asked_as_a_person_reads_it():
    found = walked(SHOP, ignore=["buy"])
    told = found.step_sankey(["view", "cart"], after=1).definition.described()
    assert (told["sessions"], told["ignore"], told["view"], told["centre"]) == (
        "30 min",
        "buy",
        "step sankey",
        "view → cart",
    )
    assert "centre" not in found.step_matrix().definition.described()
    assert "view diff · other question journeys, sessions 30 min" in found.diff(found)._repr_html_()


def test_nobody_has_no_paths():
    found = walked({})
    for view in views(found):
        assert view.reading()
        assert view.chart().marks == ()
    assert found.people() == []
    with pytest.raises(NotEnoughData, match="0 paths"):
        found.clusters()
    with pytest.raises(NotEnoughData, match="0 journeys are over"):
        found.drop_off()


def views(found, centre=None):
    return (
        found.transitions(), found.graph(), found.step_matrix(centre), found.step_sankey(centre), found.paths(),
        found.patterns(2), found.loops(), found.diff(found),
    )  # fmt: skip


def test_every_view_draws_and_reads_and_says_what_it_is():
    found = walked(SHOP)
    every = views(found, "cart")
    for view in every:
        assert view.chart().marks
        assert view.reading()
        assert view.definition.journeys == found.definition
        assert view.to_dict()["definition"]["view"] == view.definition.view
    assert len({view.definition.fingerprint for view in every}) == len(every)
    assert found.paths(5).definition != found.paths(6).definition


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
    written = {who: " ".join(f"{event}:{minute}" for event, minute in events) for who, events in people.items()}
    found = walked(written, sessions=None if gap is None else f"{gap}m", collapse=collapse)
    slow = [(who, path) for who, events in people.items() for path in cut(events, gap, collapse)]
    whole = defaultdict(list)
    for who, path in slow:
        whole[" → ".join(path)].append(who)
    agree(found.paths(1000), "path", whole)
    runs = defaultdict(list)
    for who, path in slow:
        for run in {" → ".join(path[at : at + 2]) for at in range(len(path) - 1)}:
            runs[run].append(who)
    agree(found.patterns(2, top=1000), "pattern", runs)
    agree(found.loops(), "loop", slow_loops(slow))


def agree(answer, column, expected):
    """Compare paths and people of each row with lists of who had each path."""
    rows = answer.frame.set_index(column)[["paths", "people"]].T.to_dict("list")
    assert rows == {name: [len(who), len(set(who))] for name, who in expected.items()}
    for name, who in expected.items():
        assert answer.people(name) == sorted(set(who))


def slow_loops(slow):
    found = defaultdict(list)
    for who, path in slow:
        twice = {f"{a} → {b}" for a, b in pairwise(path) if a == b}
        back = {f"{a} → {b} → {c}" for a, b, c in zip(path, path[1:], path[2:], strict=False) if a == c != b}
        for loop in twice | back:
            found[loop].append(who)
    return found


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
