"""What PostHog's own tests and pages say, asked in its dialect.

Sources are paths in github.com/PostHog/posthog unless they are addresses. Facts are theirs; people and words are ours.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from workbench.metrics.funnels import funnel
from workbench.metrics.lifecycle import lifecycle
from workbench.metrics.retention import Retention, retention
from workbench.testing import START, store_of

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
JUNE = datetime(2020, 6, 10, 5, tzinfo=UTC)
TWO = {"ann": "view:0 view:1 view:2 view:5 view:5.4 view:6", "bob": "view:1 view:2 view:3 view:6"}


def returned(journeys: dict[str, str], *, begin: datetime = JUNE, unit: timedelta = DAY, **options) -> Retention:
    asked = {"start": "view", "returns": "view", "period": "day", "dialect": "posthog", "now": JUNE + 10 * DAY}
    return retention(store_of(journeys, unit=unit, start=begin).snapshot(), **(asked | options))


def rows(answer: Retention) -> list[list[int]]:
    """Give the counts of each cohort, one row each."""
    return [cells["users"].tolist() for _, cells in answer.frame.groupby("cohort")]


def counts(journeys: dict[str, str], steps: list[str], *, unit: timedelta = HOUR, **options):
    asked = {"dialect": "posthog", "now": START + 60 * DAY}
    return funnel(store_of(journeys, unit=unit).snapshot(), steps, **(asked | options))


def test_two_people_are_in_every_cohort_they_view_a_page_in():
    # posthog/queries/test/test_retention.py, test_day_interval
    assert rows(returned(TWO)) == [
        [1, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0],
        [2, 2, 1, 0, 1, 2, 0, 0, 0, 0],
        [2, 1, 0, 1, 2, 0, 0, 0, 0],
        [1, 0, 0, 1, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [2, 0, 0, 0, 0],
    ]


def test_the_people_behind_a_cohort_are_named():
    # the same file, test_retention_people_in_period: of the cohort of day 2
    answer = returned(TWO)
    assert answer.people("2020-06-12") == ["ann", "bob"]
    assert answer.people("2020-06-12", 3) == ["ann"]


def test_months_are_those_of_the_calendar():
    # the same file, test_month_interval: both on the 10th of many months
    months = {"ann": (1, 2, 3, 5, 6, 9), "bob": (1, 2, 3, 6, 7, 11)}
    begin = datetime(2020, 1, 1, 5, tzinfo=UTC)
    journeys = {
        who: " ".join(f"view:{(datetime(2020, month, 10, 5, tzinfo=UTC) - begin).days}" for month in theirs)
        for who, theirs in months.items()
    }
    assert rows(returned(journeys, begin=begin, period="month", now="2020-11-11")) == [
        [2, 2, 2, 0, 1, 2, 1, 0, 1, 0, 1],
        [2, 2, 0, 1, 2, 1, 0, 1, 0, 1],
        [2, 0, 1, 2, 1, 0, 1, 0, 1],
        [0, 0, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 1, 0, 0],
        [2, 1, 0, 1, 0, 1],
        [1, 0, 0, 0, 1],
        [0, 0, 0, 0],
        [1, 0, 0],
        [0, 0],
        [1],
    ]


def test_weeks_without_an_event_on_a_sunday_are_the_same_from_monday():
    # the same file, test_week_interval; PostHog's weeks begin on Sunday
    journeys = {
        "ann": "view:0 view:1 view:7 view:14 view:24 view:31",
        "bob": "view:0 view:1 view:7 view:24 view:31 view:45",
    }
    assert rows(returned(journeys, period="week", now="2020-07-26")) == [
        [2, 2, 1, 2, 2, 0, 1],
        [2, 1, 2, 2, 0, 1],
        [1, 1, 1, 0, 0],
        [2, 2, 0, 1],
        [2, 0, 1],
        [0, 0],
        [1],
    ]


SIGNED_UP = {
    "old": "join:-5 join:-1",
    "ann": "join:-1 join:1 join:2 join:3 join:4 view:0 view:1 view:2 view:5 view:5.4 view:6",
    "bob": "join:-1 view:1 view:2 view:3 view:6",
    "cem": "join:0 view:1 view:3 view:4 view:5",
    "dee": "join:2 view:3 view:5",
}


def test_first_time_retention_starts_with_the_first_event_ever():
    # the same file, test_first_time_retention
    answer = returned(SIGNED_UP, start="join", cohort="first", since=JUNE - 1.1 * DAY, now=JUNE + 5.05 * DAY)
    assert rows(answer) == [[2, 1, 2, 2, 1, 0, 1], [1, 1, 0, 1, 1, 1], [0, 0, 0, 0, 0], [1, 1, 0, 1]]
    assert answer.people("2020-06-10") == ["cem"]


def test_period_0_is_the_cohort_whatever_the_return_is():
    # the same file, test_retention_multiple_events
    journeys = {
        "ann": "some:0 some:1 some:2 some:3 view:5 view:6",
        "bob": "some:0 some:1 some:2 some:3 view:5",
        "cem": "some:5",
    }
    answer = returned(journeys, start="some", now=JUNE + 6.05 * DAY)
    assert rows(answer) == [[2, 0, 0, 0, 0, 2, 1], [2, 0, 0, 0, 2, 1], [2, 0, 0, 2, 1], [2, 0, 2, 1], [0, 0, 0], [1, 0]]
    assert len(answer.people("2020-06-15", 0)) == 1


def test_a_return_on_the_day_of_the_start_is_no_day_of_its_own():
    # the same file, test_retention_event_action
    journeys = {"ann": "join:0 join:1 join:2 join:3 some:3", "bob": "join:0 join:1 join:2 join:3 some:5"}
    answer = returned(journeys, start="join", returns="some", now=JUNE + 6.05 * DAY)
    assert rows(answer) == [[2, 0, 0, 1, 0, 1, 0], [2, 0, 1, 0, 1, 0], [2, 1, 0, 1, 0], [2, 0, 1, 0]]


FIVE = {
    "ann": "view:0 view:3 view:4",
    "bob": "view:0 view:1",
    "cem": "view:1 view:2 view:3",
    "dee": "view:3 view:4",
    "eve": "view:4",
}


def test_rolling_retention_counts_who_is_still_to_come():
    # posthog/hogql_queries/insights/retention/test/test_retention_query_runner.py, test_rolling_retention
    answer = returned(FIVE, kind="on_or_after", since=JUNE + 0.5 * DAY, now=JUNE + 5.05 * DAY)
    assert rows(answer) == [[2, 1, 1, 0, 0], [1, 1, 0, 0], [3, 2, 0], [3, 0]]


def test_rolling_retention_counts_nobody_twice():
    # the same file, test_rolling_retention_doesnt_double_count_same_user
    answer = returned(FIVE, kind="on_or_after", now=JUNE + 5.05 * DAY)
    assert rows(answer) == [[2, 2, 1, 1, 1, 0], [2, 1, 1, 0, 0], [1, 1, 0, 0], [3, 2, 0], [3, 0]]


def test_windows_of_24_hours_run_from_each_start():
    # …/retention/test/test_retention_data_warehouse_24h_window.py, test_same_table_dwh_start_and_return_24h_window
    journeys = {"ann": "join:9 renew:36", "bob": "join:10 renew:60", "cem": "join:33 renew:61", "dee": "join:34"}
    answer = returned(
        journeys, begin=START, unit=HOUR, start="join", returns="renew", clock="rolling", now=START + 4 * DAY
    )
    assert [row[:3] for row in rows(answer)] == [[2, 1, 1], [2, 1, 0]]


def test_lifecycle_tells_the_days_of_four_people():
    # posthog/queries/test/test_lifecycle.py, test_lifecycle_trend: from 12 to 19 January
    journeys = {
        "ann": "view:11.5 view:12.5 view:13.5 view:15.5 view:17.5 view:19.5",
        "bob": "view:9.5 view:12.5",
        "cem": "view:12.5",
        "dee": "view:15.5",
    }
    store = store_of(journeys, unit=DAY, start=datetime(2019, 12, 31, tzinfo=UTC))
    frame = lifecycle(store.snapshot(), period="day", since="2020-01-12", now="2020-01-19T23:00").frame
    assert {status: rows["users"].tolist() for status, rows in frame.groupby("status")} == {
        "dormant": [0, -2, -1, 0, -2, 0, -1, 0],
        "new": [1, 0, 0, 1, 0, 0, 0, 0],
        "resurrecting": [1, 0, 0, 1, 0, 1, 0, 1],
        "returning": [1, 1, 0, 0, 0, 0, 0, 0],
    }


def test_a_strict_funnel_bears_nothing_in_between():
    # posthog/hogql_queries/insights/funnels/test/test_funnel_strict.py, test_basic_strict_funnel
    journeys = {
        "one": "signed_up:0",
        "two": "view:0 signed_up:1",
        "three": "signed_up:0 view:1 blah:2 insight:3",
        "four": "insight:0 blah:1 view:2 signed_up:3",
        "five": "view:0 signed_up:1 blah:2 view:3 insight:4",
        "six": "blah:0 signed_up:1 blah:2 view:3",
        "seven": "blah:0 signed_up:1 view:2 insight:3 blah:4",
        "eight": "insight:0 view:1",
    }
    answer = counts(journeys, ["signed_up", "view", "insight"], order="strict")
    assert answer.frame["users"].tolist() == [7, 2, 1]
    assert (answer.people(2), answer.people(3)) == (["seven", "three"], ["seven"])


def test_any_order_takes_the_first_conversion_s_times():
    # …/funnels/test/test_funnel_unordered.py, test_basic_unordered_funnel_conversion_times (with UDFs)
    journeys = {
        "one": "signed_up:0",
        "two": "view:0 signed_up:1",
        "three": "insight:0 signed_up:2 view:4 view:24 insight:27 signed_up:30",
    }
    frame = counts(journeys, ["signed_up", "view", "insight"], order="any", within="1d").frame
    assert frame["users"].tolist() == [3, 2, 1]
    assert frame["step_mean_seconds"].tolist()[1:] == [5400, 7200]


def test_in_any_order_an_exclusion_leaves_one_step():
    # the same file, test_funnel_exclusions_full_window and test_unordered_trend_with_partial_steps_and_exclusion
    journeys = {"ann": "signed_up:1 paid:2", "bob": "signed_up:3 x:3.5 paid:4", "cem": "signed_up:5 paid:6"}
    answer = counts(journeys, ["signed_up", "paid"], order="any", exclude=[("x", 1, 2)])
    assert answer.frame["users"].tolist() == [3, 2]
    assert answer.people(2) == ["ann", "cem"]
    journeys = {"ann": "one:10 two:11 x:12 three:13", "bob": "one:10 two:11 three:12"}
    answer = counts(journeys, ["one", "two", "three"], order="any", within="6h", exclude=[("x", 1, 3)])
    assert answer.frame["users"].tolist() == [2, 1, 1]


def test_in_any_order_an_exclusion_after_the_last_step_excludes_nobody():
    # the same file, test_unordered_exclusion_after_completion
    journeys = {"ann": "signed_up:1 paid:2 left:3 x:4 left:5"}
    answer = counts(journeys, ["signed_up", "paid", "left"], order="any", exclude=[("x", 1, 3)])
    assert answer.frame["users"].tolist() == [1, 1, 1]


def test_in_any_order_people_start_anew_after_an_exclusion():
    # the same file, test_advanced_funnel_multiple_exclusions_between_steps
    journeys = {
        "one": "signed_up:1 x:2 view:3 insight:4 y:4.5 invite:5 view2:6",
        "two": "signed_up:1 y:1.5 view:2 insight:4 y:4.5 invite:5 x:5.5 view2:6",
        "three": "signed_up:1 x:1.5 view:2 insight:4 invite:5 x:5.5 view2:6",
        "four": "signed_up:1 view:2 insight:4 invite:5 view2:6",
        "five": "signed_up:1 x:1.5 view:2 x:2.5 insight:4 y:4.5 invite:5 x:5.5 view2:6",
    }
    steps = ["signed_up", "view", "insight", "invite", "view2"]
    answer = counts(journeys, steps, order="any", exclude=[("x", 1, 5), ("y", 1, 5)])
    assert answer.frame["users"].tolist() == [5, 2, 1, 1, 1]
    assert (answer.people(2), answer.people(3)) == (["four", "one"], ["four"])


def test_a_window_of_14_days_is_as_long_when_the_clocks_change():
    # the same file, test_funnel_window_ignores_dst_transition: from 1 March 15:10 to 15 March 14:27
    store = store_of({"ann": "view:0 signed_up:20117"}, start=datetime(2024, 3, 1, 15, 10, tzinfo=UTC))
    for tz in ("UTC", "US/Pacific"):
        answer = funnel(
            store.snapshot(), ["view", "signed_up"], order="any", dialect="posthog", tz=tz, since="2024-02-17",
            now="2024-03-18",
        )  # fmt: skip
        assert answer.frame["mean_seconds"].tolist() == [0, 1_207_020]


def test_times_to_convert_fall_into_the_bins_posthog_chooses():
    # …/funnels/test/test_funnel_time_to_convert.py, test_auto_bin_count_single_step, test_custom_bin_count_single_step
    journeys = {"ann": "one:0 two:60 three:180", "bob": "one:0 two:37", "cem": "one:0 two:1380"}
    answer = counts(journeys, ["one", "two", "three"], unit=timedelta(minutes=1), within="7d")
    thirds = answer.times(1, 2, bins=[2220, 42510, 82800, 123090])
    assert thirds.frame["users"].tolist() == [2, 0, 1]
    assert thirds.mean_seconds == 29_540
    edges = [2220, 13732, 25244, 36756, 48268, 59780, 71292, 82804, 94316]
    assert answer.times(1, 2, bins=edges).frame["users"].tolist() == [2, 0, 0, 0, 0, 0, 1, 0]
    assert answer.times(1, 2, bins=2).frame["users"].tolist() == [2, 1]


def test_drivers_have_posthog_s_odds_ratios_with_one_added_to_each_cell():
    # ee/clickhouse/queries/funnels/test/test_funnel_correlation.py, test_basic_funnel_correlation_with_events
    journeys = {f"user_{n}": f"signed_up:0 {'likes:24' if n % 2 == 0 else 'other:24'} paid:48" for n in range(10)}
    journeys |= {f"user_{n}": f"signed_up:0 {'dislikes:24' if n % 2 == 0 else 'other:24'}" for n in range(10, 20)}
    found = counts(journeys, ["signed_up", "paid"]).drivers(events=["likes", "dislikes"], smoothing=1)
    assert dict(zip(found.frame["candidate"], found.frame["odds_ratio"], strict=True)) == pytest.approx(
        {"likes": 11, "dislikes": 1 / 11}
    )
    assert (len(found.people("likes", converted=True)), len(found.people("dislikes", converted=True))) == (5, 0)


def test_the_mean_of_the_cohorts_is_plain():
    # posthog.com/docs/product-analytics/retention: every cohort counts as much as another
    journeys = {f"early {n}": "join:0" + (" view:1" if n < 2 else "") for n in range(4)} | {"late": "join:1 view:2"}
    answer = returned(journeys, start="join")
    assert answer.mean["retention_rate"].tolist()[1] == (2 / 4 + 1 / 1) / 2
