"""What Mixpanel's documentation says, asked in its dialect. Pages are under docs.mixpanel.com/docs/reports."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.metrics.communities import community
from workbench.errors import InvalidArgument
from workbench.metrics.funnels import Funnel, funnel
from workbench.metrics.retention import Retention, retention
from workbench.metrics.steps import step
from workbench.metrics.stickiness import stickiness
from workbench.testing import START, store_of

DAY, HOUR, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(seconds=1)
LATER = START + 60 * DAY


def entered(journeys: dict[str, str], steps: list[str], *, unit: timedelta = HOUR, **options) -> Funnel:
    return funnel(store_of(journeys, unit=unit).snapshot(), steps, **({"dialect": "mixpanel", "now": LATER} | options))


def by_segment(answer: Funnel, column: str = "users") -> dict[str, list[int]]:
    return {name: rows[column].tolist() for name, rows in answer.frame.groupby("segment")}


def users(answer: Funnel) -> list[int]:
    return answer.frame["users"].tolist()


def back(journeys: dict[str, str], *, begin: datetime = START, unit: timedelta = HOUR, **options) -> Retention:
    asked = {"start": "signup", "period": "day", "dialect": "mixpanel", "now": begin + 120 * DAY}
    return retention(store_of(journeys, unit=unit, start=begin).snapshot(), **(asked | options))


def test_steps_within_two_seconds_are_interchangeable():
    # funnels/funnels-faq, How does the Funnel handle simultaneous events
    journeys = {"ann": "B:0 A:1.5", "bob": "B:0 A:2", "cem": "B:0 A:2.1", "dee": "A:0 B:1.5"}
    answer = entered(journeys, ["A", "B"], unit=SECOND)
    assert users(answer) == [4, 3]
    assert answer.people(2) == ["ann", "bob", "dee"]
    assert answer.frame["mean_seconds"].tolist() == [0, 0.5]
    assert users(entered(journeys, ["A", "B"], unit=SECOND, grace="0s")) == [4, 1]


def test_the_two_seconds_are_between_any_two_steps():
    # the same page: consecutive steps
    journeys = {"ann": "A:0 C:59 B:60", "bob": "A:0 C:57 B:60"}
    assert users(entered(journeys, ["A", "B", "C"], unit=SECOND)) == [2, 2, 1]


def test_an_event_is_one_step_within_the_two_seconds_too():
    assert users(entered({"ann": "A:0", "bob": "A:0 A:1"}, ["A", "A"], unit=SECOND)) == [2, 1]
    both = entered({"ann": "B:0 A:1 A:2"}, ["A", "B"], unit=SECOND, counting="totals")
    assert both.frame["count"].tolist() == [2, 1]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"grace": "2s", "order": "strict"}, "grace needs order='ordered'"),
        ({"grace": "2s", "ties": False}, "grace needs order='ordered' and ties=True"),
        ({"grace": "2s", "counting": "totals", "anchor": "any"}, "grace counts totals only with anchor='first'"),
        ({"grace": "2d"}, "at most 86,400 seconds"),
        ({"grace": "-2s"}, "grace must be"),
        ({"first_step": True}, "needs order='any'"),
    ],
)
def test_a_grace_that_means_nothing_is_refused(options, told):
    with pytest.raises(InvalidArgument, match=told):
        entered({"ann": "A:0 B:1"}, ["A", "B"], dialect=None, **options)


@pytest.mark.parametrize("options", [{"ties": False}, {"counting": "totals", "anchor": "any"}, {"order": "any"}])
def test_what_is_asked_by_hand_puts_the_grace_of_the_dialect_away(options):
    assert entered({"ann": "A:0 B:1"}, ["A", "B"], **options).definition.reading.grace == timedelta()


def test_re_entry_is_any_anchor():
    # funnels/funnels-advanced, Optimized Re-entry, Scenario 1 and 2
    for journey in ("A:0 A:5 B:5.5", "A:0 A:0.5 B:1.2"):
        assert users(entered({"ann": journey}, ["A", "B"], within="1h")) == [1, 0]
        assert users(entered({"ann": journey}, ["A", "B"], within="1h", anchor="any")) == [1, 1]


VIEWED = (
    ({"ann": "view:0"}, {"properties": {"browser": "Chrome"}}),
    ({"ann": "view:70 add:80"}, {"properties": {"browser": "Safari"}}),
    ({"ann": "buy:90"}, {}),
)


@pytest.mark.parametrize(
    ("filtered", "counts"), [((), [1, 0, 0]), (("view",), [1, 1, 1]), (("view", "add", "buy"), [1, 1, 0])]
)
def test_a_filter_on_a_step_tells_which_event_enters(filtered, counts):
    # the same page, Inline Filtering (Pre-Query): View Item, Add to Cart, Purchase within one hour
    steps = [step(name, where={"browser": "Safari"} if name in filtered else None) for name in ("view", "add", "buy")]
    assert users(funnel(community(*VIEWED), steps, within="1h", dialect="mixpanel", now=LATER)) == counts


@pytest.mark.parametrize(("attribution", "color"), [("first", "red"), ("last", "blue"), (1, "(none)"), (2, "red")])
def test_the_color_is_that_of_the_first_step_that_has_one_or_the_last(attribution, color):
    # the same page, Property Attribution: Page View, View Item (red), Add to Cart (blue), Checkout
    snapshot = community(
        ({"ann": "page:0"}, {}),
        ({"ann": "item:1"}, {"properties": {"color": "red"}}),
        ({"ann": "add:2"}, {"properties": {"color": "blue"}}),
        ({"ann": "checkout:3"}, {}),
    )
    steps = ["page", "item", "add", "checkout"]
    answer = funnel(snapshot, steps, by="color", attribution=attribution, dialect="mixpanel", now=LATER)
    assert set(answer.frame["segment"]) == {color}


def test_each_entry_counts_for_the_item_it_began_with():
    # the same page, User Count in Breakdown: shirt, jeans, added, shoes; two entries and one conversion on the shirt
    snapshot = community(
        ({"ann": "browse:0"}, {"properties": {"item": "shirt"}}),
        ({"ann": "browse:1"}, {"properties": {"item": "jeans"}}),
        ({"ann": "add:2"}, {}),
        ({"ann": "browse:3"}, {"properties": {"item": "shoes"}}),
    )
    answer = funnel(snapshot, ["browse", "add"], by="item", dialect="mixpanel", now=LATER)
    assert by_segment(answer) == {"shirt": [1, 1], "shoes": [1, 0]}
    assert answer.people(1, segment="shoes") == ["ann"]
    totals = funnel(snapshot, ["browse", "add"], by="item", counting="totals", dialect="mixpanel", now=LATER)
    assert by_segment(totals, "count") == {"shirt": [1, 1], "shoes": [1, 0]}
    once = funnel(snapshot, ["browse", "add"], by="item", dialect="mixpanel", once="person", now=LATER)
    assert by_segment(once) == {"shirt": [1, 1]}


def test_who_comes_back_to_an_item_counts_once_for_it():
    snapshot = community(
        ({"ann": "browse:0"}, {"properties": {"item": "shirt"}}),
        ({"ann": "browse:90 add:91"}, {"properties": {"item": "shirt"}}),
    )
    answer = funnel(snapshot, ["browse", "add"], by="item", within="1h", dialect="mixpanel", now=LATER)
    assert by_segment(answer) == {"shirt": [1, 0]}  # her first entry was not converted
    assert by_segment(funnel(snapshot, ["browse", "add"], by="item", within="1h", once="segment", now=LATER)) == {
        "shirt": [1, 1]
    }


def test_the_average_row_weighs_retained_and_profiles_by_profiles():
    # retention, How is the "Average" row calculated: 500 of 1000, 400 of 500, and 700 whose day is not over; 56%
    begin = datetime(2026, 3, 1, tzinfo=UTC)
    sizes = {0: (10, 5), 1: (5, 4), 2: (7, 1)}
    journeys = {
        f"{day} {n}": f"signup:{24 * day}" + (f" view:{24 * day + 24}" if n < retained else "")
        for day, (size, retained) in sizes.items()
        for n in range(size)
    }
    means = {
        dialect: back(journeys, begin=begin, kind="on", dialect=dialect, now=begin + 3.5 * DAY, clock="calendar").mean
        for dialect in ("mixpanel", "amplitude", "posthog")
    }
    rates = {dialect: mean.set_index("period")["retention_rate"][1] for dialect, mean in means.items()}
    assert rates == pytest.approx({"mixpanel": 0.56, "amplitude": 0.6, "posthog": 0.65})


def test_on_or_after_counts_who_comes_on_the_day_or_later_and_on_that_day_only():
    # retention, 'On or After' and 'On' time interval
    journeys = {"ann": "signup:0 view:121", "bob": "signup:0 view:145"}
    assert back(journeys).people("2026-01-05", 5) == ["ann", "bob"]
    assert back(journeys, kind="on").people("2026-01-05", 5) == ["ann"]


def test_on_or_before_counts_all_of_the_days_up_to_it():
    # retention, 'On or Before' time interval: Day 0, Day 1 .. to Day 30
    journeys = {"ann": "signup:0 buy:1", "bob": "signup:0 buy:240", "cem": "signup:0 buy:800"}
    answer = back(journeys, kind="on_or_before", returns="buy")
    assert answer.people("2026-01-05", 0) == ["ann"]
    assert answer.people("2026-01-05", 30) == ["ann", "bob"]
    assert "or before" in answer.reading()


def test_day_1_is_24_to_48_hours_after_the_birth():
    # retention, [Basic] Rolling interval retention
    journeys = {"ann": "signup:20 view:43.9", "bob": "signup:20 view:44", "cem": "signup:20 view:68"}
    assert back(journeys, kind="on").people("2026-01-05", 1) == ["bob"]


@pytest.mark.parametrize(
    ("begin", "journey", "period"),
    [
        (datetime(2026, 1, 5, 20, tzinfo=UTC), "signup:0 view:10", "day"),  # Monday 8 pm, Tuesday 6 am
        (datetime(2026, 1, 9, 12, tzinfo=UTC), "signup:0 view:72", "week"),  # Friday, Monday
        (datetime(2026, 2, 25, 12, tzinfo=UTC), "signup:0 view:144", "month"),  # 25 February, 3 March
    ],
)
def test_the_calendar_counts_what_rolling_intervals_do_not(begin, journey, period):
    # retention, [Advanced] Calendar interval retention
    calendar, rolling = (
        back({"ann": journey}, begin=begin, period=period, kind="on", clock=clock).frame.set_index("period")["users"]
        for clock in ("calendar", "rolling")
    )
    assert (calendar[1], rolling[1]) == (1, 0)


def test_brackets_are_those_of_mobile_games():
    # retention, Custom Retention Brackets: Day < 1, Days 1-3, 4-7, 8-14 and 15-30
    journeys = {"ann": "signup:0 play:25 play:384", "bob": "signup:0 play:200 play:719", "cem": "signup:0 play:745"}
    answer = back(journeys, returns="play", kind="bracket", brackets="0,1-3,4-7,8-14,15-30")
    assert answer.frame["users"].tolist() == [0, 1, 0, 1, 2]


def test_who_buys_every_week_is_in_every_week_s_bucket():
    # retention, User Cohort Buckets: once per bucket, in more than one
    answer = back({"ann": "buy:0 buy:1 buy:169 buy:340"}, start="buy", period="week", clock="calendar")
    sizes = answer.frame[answer.frame["period"] == 0]["cohort_size"].tolist()
    assert sizes[:3] == [1, 1, 1]


def test_frequency_is_exact_or_cumulative():
    # retention, Frequency Criteria: in exactly X unique days, or in at least X
    journeys = {"ann": "buy:0 buy:1", "bob": "buy:0 buy:24 buy:49", "cem": "buy:2 buy:50"}
    snapshot = store_of(journeys, unit=HOUR).snapshot()
    exact, cumulative = (stickiness(snapshot, cumulative=each, now=START + 2.5 * DAY).frame for each in (False, True))
    assert (exact["users"].tolist(), cumulative["users"].tolist()) == ([1, 1, 1], [3, 2, 1])


BROWSED = (
    ({"ann": "browse:0"}, {"properties": {"item": "shirt"}}),
    ({"ann": "browse:1 add:2"}, {"properties": {"item": "jeans"}}),
)


def test_a_property_held_constant_is_that_of_the_first_step_one():
    # funnels/funnels-advanced, Hold Property Constant: uniques enter once, totals with each value
    def held(**options) -> Funnel:
        return funnel(community(*BROWSED), ["browse", "add"], hold="item", now=LATER, **options)

    assert users(held(dialect="mixpanel")) == [1, 0]
    assert users(held(dialect="posthog")) == [1, 1]
    assert held(dialect="mixpanel", counting="totals").frame["count"].tolist() == [2, 1]
    assert held(dialect="mixpanel", counting="pairs").frame["count"].tolist() == [2, 1]


def test_pairs_need_a_property_to_hold():
    with pytest.raises(InvalidArgument, match="say which property by hold="):
        funnel(community(*BROWSED), ["browse", "add"], counting="pairs", now=LATER)
    with pytest.raises(InvalidArgument, match="hold must be a field"):
        funnel(community(*BROWSED), ["browse", "add"], hold="occurred_at", now=LATER)
