import pandas as pd
import pytest

from workbench.simulate.plan import WEEKDAYS


def test_a_session_ends_once_after_as_long_as_it_says(simulated):
    started = simulated.of("session_started").set_index("session_id")
    ended = simulated.of("session_ended").set_index("session_id")
    assert started.index.is_unique
    assert ended.index.is_unique
    lasted = (ended["occurred_at"] - started["occurred_at"].loc[ended.index]).dt.total_seconds()
    assert lasted.to_numpy() == pytest.approx(ended["session_duration"].to_numpy(), abs=0.06)
    assert 0.96 < len(ended) / len(started) < 0.99


def test_what_happens_in_a_session_is_done_by_its_person_on_its_platform(simulated):
    started = simulated.of("session_started").set_index("session_id")
    inside = simulated.events.dropna(subset="session_id")
    assert (inside["user_id"].to_numpy() == started["user_id"].loc[inside["session_id"]].to_numpy()).all()
    assert (inside["platform"].to_numpy() == started["platform"].loc[inside["session_id"]].to_numpy()).all()


def test_steady_people_come_as_often_as_the_truth_says(simulated):
    users = simulated.users[~simulated.users["churned"]]
    users = users[users["churned_at"] > pd.Timestamp(simulated.facts["until"], tz="UTC") + pd.Timedelta(days=10)]
    started = simulated.of("session_started")
    in_raids = set(simulated.of("raid_joined")["session_id"])
    own = started[started["user_id"].isin(users.index) & ~started["session_id"].isin(in_raids)]
    days = (pd.Timestamp(simulated.facts["until"], tz="UTC") - users["joined_at"]).dt.total_seconds() / 86400
    expected = (users["sessions_per_day"] * days).sum() * WEEKDAYS.mean()
    assert len(own) == pytest.approx(expected, rel=0.07)


def test_a_variant_is_given_to_those_who_join_from_the_experiments_first_day(simulated):
    since = pd.Timestamp(simulated.facts["experiment"]["since"])
    exposed = simulated.of("experiment_exposed").set_index("user_id")
    assert set(exposed.index) == set(simulated.users.index[simulated.users["joined_at"] >= since])
    assert (exposed["variant"] == simulated.users["variant"].loc[exposed.index]).all()
    assert set(exposed["experiment"]) == {simulated.facts["experiment"]["experiment"]}
