"""What the options of a funnel mean, told about people."""

from __future__ import annotations

import pytest

from tests.metrics.test_funnels import asked, users
from workbench.errors import InvalidArgument, InvalidFunnel
from workbench.metrics.funnel_definition import Rules
from workbench.metrics.funnels import funnel
from workbench.store.memory import MemoryStore
from workbench.testing import START, events_of, stored

STEPS = ["view", "cart", "buy"]


def community(*groups):
    """Make a snapshot of (journeys, fields) pairs."""
    events = [event for journeys, fields in groups for event in events_of(journeys, **fields)]
    numbered = [
        type(event)(**{name: getattr(event, name) for name in event.__struct_fields__} | {"event_id": str(number)})
        for number, event in enumerate(events)
    ]
    return MemoryStore(stored(numbered)).snapshot()


def test_who_does_what_is_excluded_between_two_steps_counts_nowhere():
    journeys = {"ann": "view:0 help:2 cart:5", "bob": "view:0 cart:5 help:6", "cem": "help:0 view:1 cart:5"}
    assert users(journeys, ["view", "cart"], exclude=[("help", 1, 2)]) == [2, 2]


def test_who_never_comes_to_the_later_step_is_excluded_while_the_window_is_open_only():
    journeys = {"ann": "view:0 help:59", "bob": "view:0 help:61"}
    assert users({**journeys, "cem": "view:0 cart:1"}, ["view", "cart"], exclude=[("help", 1, 2)]) == [2, 1]


def test_an_exclusion_between_later_steps_leaves_the_earlier_alone():
    journeys = {"ann": "view:0 help:1 cart:2 buy:3", "bob": "view:0 cart:2 help:3 buy:4"}
    assert users(journeys, exclude=[("help", 2, 3)]) == [1, 1, 1]


def test_who_had_finished_before_is_not_taken_out_by_a_later_attempt():
    assert users({"ann": "view:0 cart:1 view:100 help:101"}, ["view", "cart"], exclude=[("help", 1, 2)]) == [1, 1]


def test_an_exclusion_may_end_the_attempt_only():
    journeys = {"ann": "view:0 cart:1 help:2 buy:3"}
    rules = Rules(exclusion="attempt")
    assert users(journeys, exclude=[("help", 2, 3)], rules=rules) == [1, 1, 0]
    assert users(journeys, exclude=[("help", 2, 3)]) == [0, 0, 0]


@pytest.mark.parametrize(
    "exclude",
    [
        [("help", 2, 2)],
        [("help", 0, 1)],
        [("help", 1, 4)],
        [("help", 1)],
        ["help"],
        [("view", 1, 2)],
        [("help", 1, "2")],
    ],
)
def test_an_exclusion_that_is_none_is_refused(exclude):
    with pytest.raises(InvalidFunnel, match="exclude"):
        asked({"ann": "view:0 cart:1 buy:2 help:3"}, STEPS, exclude=exclude)


def test_nothing_can_be_excluded_between_steps_without_an_order():
    with pytest.raises(InvalidFunnel, match="any order"):
        asked({"ann": "view:0 cart:1 help:3"}, ["view", "cart"], order="any", exclude=[("help", 1, 2)])


def test_ties_can_be_forbidden():
    journeys = {"ann": "view:0 cart:0", "bob": "view:0 cart:1"}
    assert users(journeys, ["view", "cart"]) == [2, 2]
    assert users(journeys, ["view", "cart"], rules=Rules(ties=False)) == [2, 1]


def test_the_first_entry_alone_can_be_the_attempt():
    journeys = {"ann": "view:0 view:100 cart:110"}
    assert users(journeys, ["view", "cart"]) == [1, 1]
    assert users(journeys, ["view", "cart"], rules=Rules(anchor="first")) == [1, 0]


def test_one_event_can_be_let_to_be_two_steps():
    assert users({"ann": "view:0"}, ["view", "view"], rules=Rules(reuse=True)) == [1, 1]
    assert users({"ann": "view:0"}, ["view", "view"]) == [1, 0]


def test_totals_count_attempts_that_follow_each_other():
    journeys = {"ann": "view:0 view:1 cart:2 view:3 cart:4", "bob": "view:0 view:30 view:61"}
    frame = asked(journeys, ["view", "cart"], counting="totals").frame
    assert frame["users"].tolist() == [2, 1]
    assert frame["count"].tolist() == [4, 2]


def test_sessions_are_followed_each_alone():
    snapshot = community(
        ({"ann": "view:0 cart:1"}, {"session_id": "1"}),
        ({"ann": "view:5"}, {"session_id": "2"}),
        ({"ann": "cart:6", "bob": "view:0"}, {"session_id": "3"}),
        ({"bob": "cart:6"}, {}),
    )
    frame = funnel(snapshot, ["view", "cart"], counting="sessions", now="2026-02-01").frame
    assert frame["users"].tolist() == [2, 2]
    assert frame["count"].tolist() == [3, 1]


PLATFORMS = (
    ({"ann": "view:0", "bob": "view:0 cart:3", "cem": "view:1"}, {"platform": "web"}),
    ({"ann": "cart:5", "dee": "view:2"}, {"platform": "app"}),
    ({"eve": "view:2 cart:3"}, {}),
)


def by(attribution):
    frame = funnel(community(*PLATFORMS), ["view", "cart"], by="platform", attribution=attribution, now=LATE).frame
    return {name: group["users"].tolist() for name, group in frame.groupby("segment")}


LATE = "2026-02-01"


def test_a_person_is_in_the_segment_that_their_first_step_names():
    assert by("first") == {"web": [3, 2], "app": [1, 0], "(none)": [1, 1]}
    assert by(1) == by("first")


def test_a_person_is_in_the_segment_that_their_last_step_names():
    assert by("last") == {"web": [2, 1], "app": [2, 1], "(none)": [1, 1]}


def test_a_person_is_in_every_segment_in_whose_rows_alone_they_get_on():
    assert by("all") == {"web": [3, 1], "app": [1, 0], "(none)": [1, 1]}


def test_who_did_not_come_to_the_step_that_names_the_segment_is_in_none():
    assert by(2) == {"web": [1, 1], "app": [1, 1], "(none)": [3, 1]}


def test_properties_break_down_too_and_hostile_values_are_data():
    hostile = "'; DROP TABLE events --"
    snapshot = community(
        ({"ann": "view:0 cart:1"}, {"properties": {"a b": hostile}}),
        ({"bob": "view:0"}, {"properties": {"a b": 5}}),
        ({"cem": "view:0"}, {"properties": {"a b": True}}),
    )
    frame = funnel(snapshot, ["view", "cart"], by="a b", now=LATE).frame
    assert frame[frame["step"] == 1]["segment"].tolist() == ["'; DROP TABLE events --", "5", "true"]


def test_of_many_values_the_most_common_are_told_apart():
    groups = [({f"p{number}": "view:0 cart:1"}, {"properties": {"n": number}}) for number in range(60)]
    frame = funnel(community(*groups), ["view", "cart"], by="n", now=LATE).frame
    assert frame[frame["step"] == 2]["users"].tolist() == [1] * 25 + [35]
    assert frame["segment"].iloc[-1] == "(other)"


def test_the_people_of_a_segment_are_as_many_as_it_counts():
    answer = funnel(community(*PLATFORMS), ["view", "cart"], by="platform", now=LATE)
    for row in answer.frame.itertuples():
        assert len(answer.people(row.step, segment=row.segment)) == row.users
    with pytest.raises(InvalidArgument, match="nearest: 'web'"):
        answer.people(1, segment="wep")


@pytest.mark.parametrize("name", ["", "event_type", 5])
def test_what_people_cannot_be_told_apart_by_is_refused(name):
    with pytest.raises(InvalidArgument, match="by must be"):
        asked({"ann": "view:0 cart:1"}, ["view", "cart"], by=name)


@pytest.mark.parametrize("attribution", [0, 3, True, "middle", 1.0])
def test_an_attribution_that_is_none_is_refused(attribution):
    with pytest.raises(InvalidArgument, match="attribution must be"):
        asked({"ann": "view:0 cart:1"}, ["view", "cart"], by="platform", attribution=attribution)


def test_when_nobody_entered_a_breakdown_has_no_segments():
    snapshot = community(*PLATFORMS)
    answer = funnel(snapshot, ["view", "cart"], by="platform", since=START.replace(month=3), now="2026-04-01")
    assert answer.entered == 0
    assert answer.people(1) == []
