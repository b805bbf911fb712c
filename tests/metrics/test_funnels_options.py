from __future__ import annotations

import pytest

from tests.metrics.test_funnels import LATER, asked, users
from workbench.errors import InvalidArgument
from workbench.metrics.funnels import funnel
from workbench.metrics.segments import segment
from workbench.store.memory import MemoryStore
from workbench.testing import events_of, stored


def test_who_meets_an_exclusion_between_the_steps_is_in_no_step():
    journeys = {
        "ann": "view:0 buy:9",
        "bob": "view:0 help:5 buy:9",
        "cem": "view:0 help:5",
        "dee": "view:0 buy:5 help:9",
    }
    answer = asked(journeys, ["view", "buy"], exclude=[("help", 1, 2)])
    assert answer.people(1) == answer.people(2) == ["ann", "dee"]


def test_an_exclusion_after_the_window_closed_excludes_nobody():
    assert users({"ann": "view:0 help:61"}, ["view", "help"], exclude=[("help", 1, 2)]) == [1, 0]


def test_an_attempt_that_keeps_its_steps_has_those_before_the_exclusion():
    journeys = {"ann": "view:0 cart:2 help:5 buy:9", "bob": "view:0 cart:2 buy:9"}
    assert users(journeys, exclude=[("help", 2, 3)], exclusion="attempt") == [2, 2, 1]


def test_who_was_through_before_an_exclusion_stays():
    journeys = {"ann": "view:0 buy:5 view:20 help:25"}
    assert users(journeys, ["view", "buy"], exclude=[("help", 1, 2)]) == [1, 1]


def test_where_only_the_first_entry_counts_a_later_one_converts_nobody():
    journeys = {"ann": "view:0 view:200 buy:210", "bob": "view:0 buy:5"}
    assert users(journeys, ["view", "buy"], anchor="first") == [2, 1]


def test_ties_can_be_forbidden_or_made_wider():
    journeys = {"ann": "buy:0 view:0", "bob": "buy:0 view:0.5"}
    for ties, found in ((True, [2, 1]), (False, [2, 0]), ("1m", [2, 2])):
        assert users(journeys, ["view", "buy"], ties=ties) == found


def test_an_event_can_be_let_be_several_steps():
    journeys = {"ann": "view:0", "bob": "view:0 view:1"}
    assert users(journeys, ["view", "view"]) == [2, 1]
    assert users(journeys, ["view", "view"], reuse=True) == [2, 2]


def test_totals_count_attempts_that_do_not_overlap():
    journeys = {"ann": "view:0 buy:5 view:10 view:20 buy:30 view:200", "bob": "view:0"}
    frame = asked(journeys, ["view", "buy"], counting="totals").frame
    assert frame["count"].tolist() == [4, 2]
    assert frame["users"].tolist() == [2, 1]
    assert frame["conversion_rate"].tolist() == [1.0, 0.5]


def test_in_totals_an_attempt_is_given_up_for_one_that_gets_further():
    frame = asked({"ann": "view:0 view:40 buy:70"}, ["view", "buy"], counting="totals").frame
    assert frame["count"].tolist() == frame["users"].tolist() == [1, 1]
    first_only = asked({"ann": "view:0 view:40 buy:70"}, ["view", "buy"], counting="totals", anchor="first").frame
    assert first_only["count"].tolist() == [1, 0]


def test_sessions_are_followed_each_alone():
    events = events_of({"ann": "view:0 view:9 buy:10"}, session_id="one") + events_of(
        {"ann": "buy:20"}, session_id="two"
    )
    events += events_of({"bob": "view:0 buy:1"})
    events = [
        type(e)(**{f: getattr(e, f) for f in e.__struct_fields__} | {"event_id": str(n)}) for n, e in enumerate(events)
    ]
    for asked_for, found in ((["view", "buy"], [1, 1]), (["buy", "view"], [2, 0])):
        answer = funnel(MemoryStore(stored(events)).snapshot(), asked_for, counting="sessions", now=LATER)
        assert answer.frame["count"].tolist() == found
        assert answer.people(1) == ["ann"]


def test_with_ten_thousand_values_the_rare_ones_are_one_segment():
    events = []
    for number in range(10_000):
        name = "a" if number % 4 == 0 else "b" if number % 4 == 1 else f"rare {number}"
        events += events_of({f"u{number}": "view:0 buy:1" if number % 3 else "view:0"}, properties={"source": name})
    answer = funnel(MemoryStore(stored(events)).snapshot(), ["view", "buy"], by="source", top=2, now=LATER)
    sizes = answer.frame[answer.frame["step"] == 1].set_index("segment")["users"]
    assert sizes.to_dict() == {"a": 2500, "b": 2500, "(other)": 5000}
    assert len(answer.people(2, segment="(other)")) == answer.frame["users"].iloc[-1]
    assert len(answer.comparisons) == 3
    assert len(answer.chart().marks) == 3
    assert "too thin" not in answer.reading()


def test_who_has_no_value_is_in_a_segment_of_that_name():
    events = events_of({"ann": "view:0", "bob": "view:0"}) + events_of({"cem": "view:0 buy:1"}, platform="discord")
    answer = funnel(MemoryStore(stored(events)).snapshot(), ["view", "buy"], by="platform", now=LATER)
    assert answer.attempts.segments == ("discord", "(none)")
    assert answer.frame["users"].tolist() == [1, 1, 2, 0]


def test_segments_of_people_may_overlap_and_leave_people_out():
    journeys = {"ann": "view:0 buy:1 buy:3", "bob": "view:0", "cem": "view:0 view:200 buy:201"}
    groups = {"buyers": segment("buy"), "keen": segment("buy", at_least=2), "gone": segment("buy", at_least=9)}
    answer = asked(journeys, ["view", "buy"], by=groups)
    assert answer.frame["segment"].tolist() == ["buyers", "buyers", "keen", "keen", "gone", "gone"]
    assert answer.frame["users"].tolist() == [2, 2, 1, 1, 0, 0]
    assert answer.people(2, segment="keen") == ["ann"]
    assert asked(journeys, ["view", "buy"], by=[~segment("buy")]).attempts.segments == ("not did buy 1 or more times",)


def test_a_clear_difference_between_segments_is_told_from_chance():
    events = []
    for number in range(400):
        platform = "discord" if number % 2 else "telegram"
        bought = number % 4 == 1 or number % 20 == 0
        events += events_of({f"u{number}": "view:0 buy:1" if bought else "view:0"}, platform=platform)
    answer = funnel(MemoryStore(stored(events)).snapshot(), ["view", "buy"], by="platform", now=LATER)
    pair = answer.comparisons.iloc[0]
    assert (pair["segment"], pair["other"], pair["difference"]) == ("discord", "telegram", pytest.approx(0.4))
    assert pair["ci_low"] > 0.3
    assert pair["pvalue"] == pair["qvalue"] < 1e-15
    assert "discord converts best (50.0%) and telegram worst (10.0%); chance hardly" in answer.reading()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"exclude": [("help", 2, 2)]}, "steps from 1 to 2 and the one before the other, got"),
        ({"exclude": [("help", 1, 3)]}, "steps from 1 to 2"),
        ({"exclude": "help"}, "exclude is a list of"),
        ({"exclude": [("help", True, 2)]}, "exclude is a list of"),
        ({"exclude": [("halp", 1, 2)]}, r"'halp' \(nearest: 'help'\)"),
        ({"exclude": [("help", 1, 2)] * 21}, "at most 20"),
        ({"by": "occurred_at"}, "by must be a field"),
        ({"by": 7}, "segments by name, got 7"),
        ({"by": []}, "a list of segments"),
        ({"by": "platform", "attribution": "middle"}, "'user' or a step from 1 to 2, got 'middle'"),
        ({"by": "platform", "attribution": 3}, "a step from 1 to 2, got 3"),
        ({"by": "platform", "top": 0}, "from 1 to 1,000, got 0"),
        ({"counting": "people"}, "'users', 'sessions', 'totals', 'pairs', got 'people'"),
        ({"anchor": "last"}, "anchor must be one of 'any', 'first', got 'last'"),
        ({"exclusion": "none"}, "exclusion must be one of 'person', 'attempt'"),
        ({"ties": "soon"}, "ties must be a timedelta"),
        ({"reuse": "yes"}, "reuse must be True or False"),
        ({"reuse": True, "order": "strict"}, "strict order has each event as one step"),
        ({"dialect": "heap"}, "'posthog', 'mixpanel', 'amplitude', 'clickhouse', got 'heap'"),
    ],
)
def test_an_option_that_cannot_be_used_is_named_with_what_can(options, said):
    with pytest.raises(InvalidArgument, match=said):
        asked({"ann": "view:0 help:1 buy:2"}, ["view", "buy"], **options)


def test_people_of_a_segment_are_asked_for_by_its_name():
    answer = asked({"ann": "view:0 buy:1"}, ["view", "buy"], by="platform")
    for name in (None, "non"):
        with pytest.raises(InvalidArgument, match=r"segment must be named.*\(none\)"):
            answer.people(1, segment=name)
    with pytest.raises(InvalidArgument, match="not broken down"):
        asked({"ann": "view:0 buy:1"}, ["view", "buy"]).people(1, segment="discord")


@pytest.mark.parametrize("hostile", ["'; DROP TABLE events; --", '"', "$now", "a' OR '1'='1"])
def test_hostile_property_names_and_values_are_data(hostile):
    events = events_of({"ann": "view:0 buy:1"}, properties={hostile: hostile})
    answer = funnel(MemoryStore(stored(events)).snapshot(), ["view", "buy"], by=hostile, now=LATER)
    assert answer.attempts.segments == (hostile,)
    assert answer.people(2, segment=hostile) == ["ann"]


PLATFORMS = (
    ({"ann": "view:0", "bob": "view:0 cart:3", "cem": "view:1"}, {"platform": "web"}),
    ({"ann": "cart:5", "dee": "view:2"}, {"platform": "app"}),
    ({"eve": "view:2 cart:3"}, {}),
)


def community(*groups):
    """Make a snapshot of (journeys, fields) pairs."""
    events = [event for journeys, fields in groups for event in events_of(journeys, **fields)]
    numbered = [
        type(event)(**{name: getattr(event, name) for name in event.__struct_fields__} | {"event_id": str(number)})
        for number, event in enumerate(events)
    ]
    return MemoryStore(stored(numbered)).snapshot()


@pytest.mark.parametrize(
    ("attribution", "found"),
    [
        ("first", {"web": [3, 2], "app": [1, 0], "(none)": [1, 1]}),
        (1, {"web": [3, 2], "app": [1, 0], "(none)": [1, 1]}),
        ("last", {"web": [2, 1], "app": [2, 1], "(none)": [1, 1]}),
        ("all", {"web": [3, 1], "app": [1, 0], "(none)": [1, 1]}),
        (2, {"web": [1, 1], "app": [1, 1], "(none)": [3, 1]}),
        ("user", {"web": [3, 2], "app": [1, 0], "(none)": [1, 1]}),
    ],
)
def test_attribution_says_whose_value_names_the_segment(attribution, found):
    frame = funnel(community(*PLATFORMS), ["view", "cart"], by="platform", attribution=attribution, now=LATER).frame
    assert {name: group["users"].tolist() for name, group in frame.groupby("segment")} == found


def test_a_property_of_the_user_may_come_from_an_event_that_is_no_step():
    snapshot = community(
        ({"ann": "profile:0"}, {"properties": {"plan": "free"}}),
        ({"ann": "profile:5", "bob": "profile:9"}, {"properties": {"plan": "pro"}}),
        ({"ann": "view:6 cart:7", "bob": "view:6"}, {}),
    )
    answer = funnel(snapshot, ["view", "cart"], by="plan", attribution="user", now=LATER)
    assert answer.attempts.segments == ("pro", "(none)")
    assert answer.people(2, segment="pro") == ["ann"]


def test_numbers_and_truths_are_values_too():
    groups = [
        ({name: "view:0 cart:1"}, {"properties": {"a b": value}}) for name, value in {"ann": 5, "bob": True}.items()
    ]
    assert funnel(community(*groups), ["view", "cart"], by="a b", now=LATER).attempts.segments == ("5", "true")


def test_when_nobody_entered_a_breakdown_has_no_segments():
    answer = funnel(community(*PLATFORMS), ["view", "cart"], by="platform", since="2027-01-01", now="2027-02-01")
    assert (answer.entered, len(answer.frame), len(answer.comparisons)) == (0, 0, 0)
    assert "Nobody did view" in answer.reading()
    for view in (answer.times(), answer.survival(), answer.trend()):
        assert view.reading()
        assert view.chart().title
