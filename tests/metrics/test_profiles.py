from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.communities import community
from workbench.errors import InvalidArgument
from workbench.metrics.profiles import profiles
from workbench.testing import store_of

NOW = "2026-02-01"
DAY = 24 * 60


def test_what_is_known_of_a_person():
    snapshot = community(
        ({"ann": f"first_message:0 message_sent:5 session_started:{DAY}"}, {"platform": "web"}),
        ({"ann": "session_ended:9"}, {"platform": "app", "properties": {"session_duration": 90}}),
        ({"ann": "purchase:7 wallet_connected:6"}, {"value": 12.5}),
        ({"ann": "raid_joined:8 raid_action:9"}, {"raid_id": "r1"}),
    )
    row = profiles(snapshot, now=NOW).of("ann")
    assert (row["active_days"], row["events"], row["messages"], row["sessions"]) == (2, 8, 2, 1)
    assert (row["session_seconds"], row["purchases"], row["value_usd"], row["wallets"]) == (90.0, 1, 12.5, 1)
    assert (row["raids"], row["raid_actions"], row["platforms"], row["main_platform"]) == (1, 1, 2, "web")


def test_who_is_unknown_has_no_profile():
    with pytest.raises(InvalidArgument, match="no person 'bob'"):
        profiles(store_of({"ann": "view:0"}).snapshot(), now=NOW).of("bob")


def test_without_people_there_are_no_profiles():
    answer = profiles(store_of({}).snapshot(), now=NOW)
    assert (len(answer.frame), answer.reading(), answer.chart().marks) == (0, "Nobody was there yet.", ())


@given(
    st.dictionaries(
        st.sampled_from(["ann", "bob", "cem"]), st.lists(st.integers(0, 9), min_size=1, max_size=9), min_size=1
    )
)
def test_days_and_events_are_those_of_a_slow_count(people):
    journeys = {who: " ".join(f"view:{day * DAY}" for day in days) for who, days in people.items()}
    answer = profiles(store_of(journeys).snapshot(), now=NOW)
    assert answer.frame["user_id"].tolist() == sorted(people)
    for who, days in people.items():
        assert (answer.of(who)["active_days"], answer.of(who)["events"]) == (len(set(days)), len(days))
    assert sum(answer.chart().marks[0].y) == len(people)
