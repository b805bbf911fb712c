from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.communities import community
from workbench.errors import InvalidArgument
from workbench.metrics.activity import active_users
from workbench.metrics.calendars import PERIODS
from workbench.testing import START, store_of

NOW = "2026-02-01"
DAY = 24 * 60


def days(journeys, **options):
    frame = active_users(store_of(journeys).snapshot(), **{"now": NOW, **options}).frame
    return [(str(row.period), row.users, row.new_users, row.events) for row in frame.itertuples()]


def test_a_person_counts_once_a_day_and_is_new_once():
    assert days({"ann": f"view:0 view:9 buy:{DAY}"}) == [("2026-01-05", 1, 1, 2), ("2026-01-06", 1, 0, 1)]


def test_a_day_without_anybody_is_a_day_with_nobody():
    assert days({"ann": f"view:0 view:{2 * DAY}"})[1] == ("2026-01-06", 0, 0, 0)


def test_who_came_before_the_time_asked_for_is_not_new_in_it():
    assert days({"ann": f"view:0 view:{DAY}"}, since="2026-01-06") == [("2026-01-06", 1, 0, 1)]


def test_weeks_start_on_monday_and_months_on_the_first():
    journeys = {"ann": f"view:{6 * DAY} view:{7 * DAY} view:{30 * DAY}"}
    weeks = ["2026-01-05", "2026-01-12", "2026-01-19", "2026-01-26", "2026-02-02"]
    assert [row[0] for row in days(journeys, period="week", now="2026-03-01")] == weeks
    assert [row[0] for row in days(journeys, period="month", now="2026-03-01")] == ["2026-01-01", "2026-02-01"]


def test_a_day_begins_where_the_clocks_of_the_zone_say():
    assert [row[0] for row in days({"ann": f"view:{23 * 60 + 30}"}, tz="Europe/Berlin")] == ["2026-01-06"]


def test_a_day_that_is_not_over_is_not_mature():
    answer = active_users(store_of({"ann": f"view:0 view:{DAY}"}).snapshot(), now="2026-01-06T12:00")
    assert answer.frame["mature"].tolist() == [True, False]
    assert [(line.dashed, line.label) for line in answer.chart().marks] == [(False, "users"), (True, "users")]
    assert answer.chart().note == "UTC, dashed: not over yet"


def test_what_happened_after_now_is_not_seen():
    assert days({"ann": f"view:0 view:{DAY}"}, now="2026-01-05T12:00") == [("2026-01-05", 1, 1, 1)]


def test_nothing_happened_is_an_answer():
    answer = active_users(store_of({}).snapshot(), now=NOW)
    assert (len(answer.frame), "nothing to say" in answer.reading(), answer.chart().marks) == (0, True, ())


def test_a_period_that_is_none_is_refused():
    with pytest.raises(InvalidArgument, match="period must be one of 'day', 'week', 'month', got 'year'"):
        active_users(store_of({}).snapshot(), period="year")


@given(
    st.dictionaries(st.sampled_from(["ann", "bob", "cy"]), st.lists(st.integers(0, 60 * DAY), min_size=1, max_size=9)),
    st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns"]),
    st.sampled_from(PERIODS),
)
def test_counts_agree_with_a_walk_over_the_events(people, tz, period):
    start = START.replace(month=3)  # the clocks change in these weeks
    journeys = {user: " ".join(f"view:{minute}" for minute in minutes) for user, minutes in people.items()}
    seen, first = defaultdict(list), {}
    for user, minutes in people.items():
        for minute in sorted(minutes):
            day = (start + timedelta(minutes=minute)).astimezone(ZoneInfo(tz)).date()
            begins = {"day": day, "week": day - timedelta(days=day.weekday()), "month": day.replace(day=1)}[period]
            seen[begins].append(user)
            first.setdefault(user, begins)
    frame = active_users(store_of(journeys, start=start).snapshot(), period=period, tz=tz, now="2026-12-01").frame
    found = {row.period: (row.users, row.new_users, row.events) for row in frame.itertuples() if row.users}
    new = [*first.values()]
    assert found == {begins: (len(set(users)), new.count(begins), len(users)) for begins, users in seen.items()}


def test_a_window_counts_the_days_up_to_a_day():
    journeys = {"ann": "view:0", "bob": f"view:{DAY} view:{3 * DAY}"}
    answer = active_users(store_of(journeys).snapshot(), window="2d", now="2026-01-10")
    assert answer.frame["users"].tolist() == [1, 2, 1, 1, 1]
    assert answer.frame["mature"].tolist() == [True] * 5
    assert answer.people("2026-01-06") == ["ann", "bob"]


@pytest.mark.parametrize(("window", "period"), [("36h", "day"), ("7d", "week"), ("0d", "day"), ("x", "day")])
def test_a_window_that_is_no_number_of_days_is_refused(window, period):
    with pytest.raises(InvalidArgument, match="window"):
        active_users(store_of({}).snapshot(), window=window, period=period)


def test_people_of_several_platforms_count_on_each():
    snapshot = community(
        ({"ann": "view:0", "bob": "view:5"}, {"platform": "web"}), ({"ann": "view:9"}, {"platform": "app"})
    )
    answer = active_users(snapshot, by="platform", now=NOW)
    assert answer.frame[["segment", "users"]].to_numpy().tolist() == [["web", 2], ["app", 1]]
    assert answer.people("2026-01-05", segment="app") == ["ann"]
    assert [line.label for line in answer.chart().marks] == ["web", "app"]
    with pytest.raises(InvalidArgument, match="no segment"):
        answer.people("2026-01-05", segment="wep")


def test_only_the_event_that_is_asked_for_makes_active():
    assert days({"ann": f"view:0 buy:{DAY}"}, event="buy") == [("2026-01-06", 1, 1, 1)]


def test_ratios_say_how_often_people_come():
    journeys = {"ann": " ".join(f"view:{day * DAY}" for day in range(10)), "bob": "view:0"}
    ratios = active_users(store_of(journeys).snapshot(), now="2026-01-14T23:59").ratios.set_index("period")
    last = ratios.iloc[-1]
    assert (last["dau"], last["wau"], last["mau"], last["dau_mau"]) == (1, 1, 2, 0.5)


@given(
    st.dictionaries(
        st.sampled_from(["ann", "bob", "cy"]), st.lists(st.integers(0, 20), min_size=1, max_size=6), min_size=1
    ),
    st.integers(1, 9),
)
def test_a_window_is_a_slow_count_of_days(people, window):
    journeys = {who: " ".join(f"view:{day * DAY}" for day in active) for who, active in people.items()}
    answer = active_users(store_of(journeys).snapshot(), window=f"{window}d", now=START + timedelta(days=25))
    for row in answer.frame.itertuples():
        day = (row.period - START.date()).days
        expected = sorted(who for who, active in people.items() if any(day - window < other <= day for other in active))
        assert answer.people(row.period) == expected
        assert row.users == len(expected)
