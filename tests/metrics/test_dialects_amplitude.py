"""What Amplitude's documentation says, asked in its dialect. Pages are under amplitude.com/docs/analytics/charts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.metrics.communities import community
from workbench.metrics.funnels import funnel
from workbench.metrics.retention import Retention, retention
from workbench.testing import START, store_of

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
FIRST = datetime(2021, 12, 1, tzinfo=UTC)
"""Wednesday, 1 December; a journey counts hours from its midnight."""


def back(journey: str, period: str, *, begin: datetime = FIRST, **options) -> list[int]:
    """Give the periods in which one person came back to use it again."""
    asked = {"start": "start", "returns": "again", "period": period, "kind": "on", "now": begin + 90 * DAY}
    asked |= {"dialect": "amplitude"}
    answer = retention(store_of({"ann": journey}, unit=HOUR, start=begin).snapshot(), **(asked | options))
    return [row.period for row in answer.frame.itertuples() if row.users]


def users(journeys: dict[str, str], steps: list[str], **options) -> list[int]:
    store = store_of(journeys, unit=HOUR)
    answer = funnel(store.snapshot(), steps, **({"dialect": "amplitude", "now": START + 60 * DAY} | options))
    return answer.frame["users"].tolist()


def test_a_day_begins_with_the_hour_of_the_start():
    # retention-analysis/retention-analysis-time, User 1: 5:59 pm on the 1st, 5:00 pm on the 2nd, is Day 1 retained
    assert back("start:17.99 again:41", "day") == [1]
    assert back("start:17.99 again:40.99", "day") == [0]
    assert back("start:17.99 again:41", "day", dialect="mixpanel", kind="on") == [0]


def test_a_week_is_seven_days_from_the_day_of_the_start():
    # the same page, User 2: the 1st and the 6th are Week Zero, any of the 8th to the 14th would be Week 1
    assert back("start:18 again:120", "week") == [0]
    assert back("start:18 again:168", "week") == [1]
    assert back("start:18 again:335.9", "week") == [1]
    assert back("start:18 again:336", "week") == [2]


def test_a_month_is_30_days_from_the_day_of_the_start():
    # the same page, User 3: the 6th and the 12th are Month Zero
    assert back("start:138 again:270", "month") == [0]
    assert back("start:138 again:840", "month") == [1]


def test_strict_calendar_dates_follow_the_calendar():
    # the same page, Retention using strict calendar dates
    assert back("start:17.99 again:41", "day", clock="calendar") == [1]
    assert back("start:18 again:120", "week", clock="calendar") == [1]
    assert back("start:138 again:270", "month", clock="calendar") == [0]


def test_one_return_can_be_day_1_and_day_2():
    # the same page: several starts open several buckets
    store = store_of({"ann": "start:0 start:24 again:49"}, unit=HOUR, start=FIRST)
    answer = retention(
        store.snapshot(),
        start="start",
        returns="again",
        period="day",
        kind="on",
        dialect="amplitude",
        now=FIRST + 9 * DAY,
    )
    there = answer.frame[answer.frame["users"] > 0]
    assert there["period"].tolist() == [2, 1]


def cohort(dialect_options: dict[str, object]) -> Retention:
    """Ask about 254 people of one day, 72 of whom come on day 3, and 96 after it."""
    journeys = {f"p{n}": "start:1" + (" again:80" if n < 72 else " again:100" if n < 168 else "") for n in range(254)}
    begin = datetime(2026, 6, 7, tzinfo=UTC)
    return retention(
        store_of(journeys, unit=HOUR, start=begin).snapshot(), start="start", returns="again", period="day",
        dialect="amplitude", now=begin + 30 * DAY, **dialect_options,
    )  # fmt: skip


def test_return_on_and_on_or_after_are_those_of_the_table():
    # the same page, Retention types: 72 / 254 = 28.3% return on, 168 / 254 = 66.1% on or after
    on, after = (cohort(options).frame.set_index("period") for options in ({"kind": "on"}, {}))
    assert (on["users"][3], round(on["retention_rate"][3], 3)) == (72, 0.283)
    assert (after["users"][3], round(after["retention_rate"][3], 3)) == (168, 0.661)
    assert after["retention_rate"].is_monotonic_decreasing


def test_the_overall_row_is_the_sum_of_the_complete_rows():
    # retention-analysis/retention-analysis-calculation: incomplete data are excluded from the totals
    sizes = {0: (10, 5), 1: (5, 4), 2: (7, 7)}
    journeys = {
        f"{day} {n}": f"start:{24 * day}" + (f" again:{24 * day + 25}" if n < come else "")
        for day, (size, come) in sizes.items()
        for n in range(size)
    }
    answer = retention(
        store_of(journeys, unit=HOUR).snapshot(), start="start", returns="again", period="day", dialect="amplitude",
        now=START + 4 * DAY,
    )  # fmt: skip
    overall = answer.mean.set_index("period").loc[1]
    assert (overall["users"], overall["cohort_size"], overall["retention_rate"]) == (9, 15, 0.6)


def test_custom_brackets_are_those_of_the_example():
    # retention-analysis/retention-analysis-interpret, Return On (Custom): Day Zero, 1-3, 4-6 and 7-11
    journeys = {"ann": "start:1 again:30 again:100", "bob": "start:1 again:98", "cem": "start:1 again:170 again:280"}
    answer = retention(
        store_of(journeys, unit=HOUR).snapshot(), start="start", returns="again", period="day", kind="bracket",
        brackets="0,1-3,4-6,7-11", dialect="amplitude", now=START + 30 * DAY,
    )  # fmt: skip
    assert answer.frame["users"].tolist() == [0, 1, 2, 1]


def test_any_order_needs_the_first_event():
    # funnel-analysis/funnel-analysis-how-amplitude-computes: later events alone are no part of the funnel
    journeys = {"ann": "B:0 A:1 C:2", "bob": "B:0 C:1", "cem": "A:0", "dee": "B:0 A:1000"}
    assert users(journeys, ["A", "B", "C"], order="any", within="7d") == [3, 1, 1]
    assert users(journeys, ["A", "B", "C"], order="any", within="7d", first_step=False) == [4, 2, 1]


def test_this_order_bears_other_events_and_repeats():
    # the same page: A, A, B needs A twice, then B
    assert users({"ann": "A:0 x:1 A:2 B:3", "bob": "A:0 B:1"}, ["A", "A", "B"]) == [2, 1, 1]


def test_exact_order_bears_none():
    # the same page
    assert users({"ann": "A:0 B:1", "bob": "A:0 x:1 B:2"}, ["A", "B"], order="strict") == [2, 1]


def test_the_longest_conversion_counts_then_the_earliest():
    # funnel-analysis/funnel-analysis-how-amplitude-computes-conversions, The logic of unique user counts
    store = store_of({"ann": "A:0 A:100 B:101 C:102 A:200 B:203 C:206"}, unit=HOUR)
    answer = funnel(store.snapshot(), ["A", "B", "C"], within="1d", dialect="amplitude", now=START + 60 * DAY)
    assert answer.frame["users"].tolist() == [1, 1, 1]
    assert answer.frame["mean_seconds"].tolist()[2] == 7200


def test_a_property_held_constant_counts_once_for_each_value():
    # funnel-analysis/funnel-analysis-hold-properties-constant: ten items are ten conversions of one person
    items = [({"ann": f"view:{3 * n} add:{3 * n + 1} buy:{3 * n + 2}"}, {"properties": {"item": n}}) for n in range(10)]
    mixed = [({"bob": "view:0"}, {"properties": {"item": 1}}), ({"bob": "add:1 buy:2"}, {"properties": {"item": 2}})]
    answer = funnel(
        community(*items, *mixed), ["view", "add", "buy"], hold="item", counting="pairs", dialect="amplitude",
        now=START + 60 * DAY,
    )  # fmt: skip
    assert answer.frame["count"].tolist() == [11, 10, 10]
    assert answer.frame["users"].tolist() == [2, 1, 1]


def test_a_session_held_constant_converts_for_its_first_landing_page():
    # funnel-analysis/funnel-analysis-how-amplitude-computes-conversions, Scenario 1
    def seen(who, words, session, page=None):
        return {who: words}, {"session_id": session, "properties": {"page": page} if page else {}}

    snapshot = community(
        seen("ann", "landing:0", "1", "A"), seen("ann", "register:1", "1"),
        seen("bob", "landing:0", "1", "A"), seen("bob", "landing:1", "1", "B"), seen("bob", "register:2", "1"),
        seen("cem", "landing:0", "1", "A"), seen("cem", "landing:90", "2", "B"), seen("cem", "register:91", "2"),
    )  # fmt: skip
    answer = funnel(
        snapshot, ["landing", "register"], hold="session_id", counting="pairs", by="page", dialect="amplitude",
        now=START + 60 * DAY,
    )  # fmt: skip
    counts = {name: rows["count"].tolist() for name, rows in answer.frame.groupby("segment")}
    assert counts == {"A": [3, 2], "B": [1, 1]}
