"""Many platforms and many types of events: the most common are told apart, and the answer says so."""

import pytest

from workbench.bench import Bench
from workbench.errors import InvalidArgument
from workbench.testing import MemoryStore, events_of, store_of, stored

NOW = "2026-02-01"


def platforms(count: int) -> Bench:
    """Everybody is on platform p00; the person u7 also on p07, so p00 has the most people."""
    events = [
        event
        for number in range(1, count)
        for name in ("p00", f"p{number:02}")
        for event in events_of({f"u{number}": f"{name}:0"}, platform=name)
    ]
    return Bench(MemoryStore(stored(events)))


def test_61_platforms_are_compared_without_the_one_of_the_fewest_people():
    found = platforms(61).platforms(now=NOW)
    assert len(found.platforms) == 60
    assert found.frame.set_index("other")["shared_users"].to_dict() == {f"p{n:02}": 1 for n in range(1, 60)}
    assert "The 60 of 61 platforms that most people use are compared; the others are left out." in found.reading()
    assert found.people("p00", "p07") == ["u7"]


def test_top_says_how_many_platforms_are_compared():
    found = platforms(5).platforms(top=2, now=NOW)
    assert found.platforms == ("p00", "p01")
    assert "left out" not in platforms(5).platforms(now=NOW).reading()
    with pytest.raises(InvalidArgument, match="top must be"):
        platforms(5).platforms(top=61, now=NOW)


MANY = {"ann": " ".join(f"e{number:04}:{number}" for number in range(1_200)) + " e0500:1300", "bob": "e0500:0 zzz:1"}


def test_more_than_1000_types_of_events_are_followed_the_rare_ones_as_one():
    found = Bench(store_of(MANY)).journeys(now=NOW)
    steps = found.transitions("count")
    assert len(found.names) == 1_001
    assert "(other)" in found.names
    assert "The 1,000 most common of 1,201 types of events are told apart; all others are (other)." in steps.reading()
    assert steps.people("e0500", "(other)") == ["bob"]
    assert int(steps.frame["count"].sum()) == 1_203 + 3


def test_top_bounds_the_types_of_journeys_and_the_events_still_add_up():
    store = store_of({"ann": "a:0 b:1 a:2 c:3", "bob": "a:0 (other):1"})
    found = Bench(store).journeys(top=1, now=NOW)
    steps = found.transitions("count").frame
    pairs = zip(steps["from_event"], steps["to_event"], strict=True)
    assert found.names == ("((other))", "a")
    assert set(pairs) == {("(start)", "a"), ("a", "((other))"), ("((other))", "a"), ("((other))", "(end)")}
    named = Bench(store).journeys(events=["a", "b", "c"], top=2, now=NOW)
    assert named.names == ("(other)", "a", "b")
    assert named.people() == ["ann", "bob"]


def test_the_most_common_candidates_of_many_are_ranked():
    store = store_of({"ann": "view:0 buy:2000 " + MANY["ann"], "bob": "view:0 e0900:5"})
    found = Bench(store).funnel(["view", "buy"], now=NOW).drivers()
    assert len(found.definition.events) == 500
    assert "e0900" in found.definition.events
    assert "The 500 of 1,200 types of events that most people did are candidates." in found.reading()
