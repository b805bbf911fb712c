from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import InvalidArgument
from workbench.metrics.stickiness import stickiness
from workbench.testing import store_of

HOUR = timedelta(hours=1)


def asked(journeys, **options):
    defaults = {"since": "2026-01-05", "until": "2026-01-12", "now": "2026-02-01"}
    return stickiness(store_of(journeys, unit=HOUR).snapshot(), **(defaults | options))


WEEK = {"ann": "view:0 view:1 view:30 view:60", "bob": "view:5 view:29", "cem": "view:7", "dee": "view:200"}


def test_people_count_by_the_days_they_were_there():
    answer = asked(WEEK)
    assert answer.frame["users"].tolist() == [1, 1, 1, 0, 0, 0, 0]
    assert answer.frame["share"].tolist()[0] == pytest.approx(1 / 3)
    assert answer.people(2) == ["bob"]


def test_at_least_so_many_days_counts_those_of_more():
    answer = asked(WEEK, cumulative=True)
    assert answer.frame["users"].tolist() == [3, 2, 1, 0, 0, 0, 0]
    assert answer.people(2) == ["ann", "bob"]


def test_the_reading_says_how_many_never_came_again():
    assert "3 people were there in 2 of 7 days in the median; 33.3% in one only" in asked(WEEK).reading()
    assert asked({}).reading() == "Nobody was there in this time."


def test_a_row_that_is_none_has_no_people():
    with pytest.raises(InvalidArgument, match="from 1 to 7, got 8"):
        asked(WEEK).people(8)


@given(
    st.dictionaries(
        st.sampled_from(["ann", "bob", "cy"]), st.lists(st.integers(-30, 200), min_size=1, max_size=9), min_size=1
    ),
    st.booleans(),
)
def test_rows_are_those_of_a_slow_count(people, cumulative):
    answer = asked(
        {who: " ".join(f"view:{hour}" for hour in hours) for who, hours in people.items()}, cumulative=cumulative
    )
    days = Counter(len({hour // 24 for hour in hours if 0 <= hour < 168}) for hours in people.values())
    for row in answer.frame.itertuples():
        expected = sum(
            count for number, count in days.items() if number == row.periods or (cumulative and number > row.periods)
        )
        assert row.users == expected == len(answer.people(row.periods))
