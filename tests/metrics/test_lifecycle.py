from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import InvalidArgument, UnknownEvent
from workbench.metrics.lifecycle import STATUSES, lifecycle
from workbench.testing import START, store_of

DAY = timedelta(days=1)


def asked(journeys, **options):
    return lifecycle(store_of(journeys, unit=DAY).snapshot(), **({"now": START + 28 * DAY} | options))


def users(answer):
    return {(f"{row.period:%m-%d}", row.status): row.users for row in answer.frame.itertuples()}


def test_people_are_new_then_return_pause_and_come_back():
    counts = users(asked({"ann": "view:0 view:8 view:22"}))
    assert counts["01-05", "new"] == counts["01-12", "returning"] == counts["01-26", "resurrecting"] == 1
    assert counts["01-19", "dormant"] == -1
    assert counts["01-26", "dormant"] == counts["01-26", "returning"] == 0


def test_who_stays_away_is_dormant_once():
    counts = users(asked({"ann": "view:0", "bob": "view:27"}))
    assert [counts[week, "dormant"] for week in ("01-12", "01-19", "01-26")] == [-1, 0, 0]


def test_what_was_before_the_time_asked_for_tells_who_is_new():
    answer = asked({"ann": "view:0 view:8"}, since="2026-01-12")
    assert users(answer)["01-12", "returning"] == 1
    assert answer.frame["period"].astype(str).unique().tolist() == ["2026-01-12", "2026-01-19", "2026-01-26"]


def test_only_the_event_that_is_asked_for_is_being_there():
    counts = users(asked({"ann": "view:0 buy:8"}, event="buy"))
    assert counts["01-12", "new"] == 1
    with pytest.raises(UnknownEvent, match="nearest: 'view'"):
        asked({"ann": "view:0"}, event="views")


def test_a_week_that_is_not_over_is_not_mature():
    answer = asked({"ann": "view:0 view:8"}, now="2026-01-14")
    assert answer.frame.groupby("period")["mature"].all().tolist() == [True, False]
    assert "not over yet" in answer.chart().note


def test_the_reading_weighs_who_came_against_who_went():
    assert "1 fewer came than went" in asked({"ann": "view:0", "bob": "view:21"}, now="2026-01-19").reading()
    assert "no lifecycle" in asked({}).reading()


@pytest.mark.parametrize(("period", "status"), [("2026-01-06", "new"), ("2026-01-05", "gone")])
def test_rows_that_are_none_have_no_people(period, status):
    with pytest.raises(InvalidArgument):
        asked({"ann": "view:0"}).people(period, status)


@given(
    st.dictionaries(
        st.sampled_from(["ann", "bob", "cy"]), st.lists(st.integers(0, 24 * 40), min_size=1, max_size=8), min_size=1
    ),
    st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns"]),
    st.sampled_from(["day", "week", "month"]),
)
def test_statuses_are_those_of_a_slow_look_at_each_person(people, tz, period):
    start = START.replace(month=3)  # the clocks change in these weeks
    journeys = {who: " ".join(f"view:{hour}" for hour in hours) for who, hours in people.items()}
    answer = lifecycle(
        store_of(journeys, unit=timedelta(hours=1), start=start).snapshot(), period=period, tz=tz, now=start + 45 * DAY
    )
    periods = sorted(answer.frame["period"].unique())
    there = {who: {begin(start + timedelta(hours=hour), tz, period) for hour in hours} for who, hours in people.items()}
    for place, day in enumerate(periods):
        before = periods[place - 1] if place else None
        for status in STATUSES:
            expected = sorted(who for who, days in there.items() if standing(days, day, before) == status)
            assert answer.people(day, status) == expected
            row = answer.frame[(answer.frame["period"] == day) & (answer.frame["status"] == status)]
            assert abs(row["users"].item()) == len(expected)


def begin(instant, tz, period):
    day = instant.astimezone(ZoneInfo(tz)).date()
    return {"day": day, "week": day - timedelta(days=day.weekday()), "month": day.replace(day=1)}[period]


def standing(days, day, before):
    if day not in days:
        return "dormant" if before in days else None
    if day == min(days):
        return "new"
    return "returning" if before in days else "resurrecting"
