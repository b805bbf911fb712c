from datetime import date, timedelta

import pandas as pd
import pyarrow as pa
import pytest

from workbench.errors import WorkbenchError
from workbench.events import EVENT_TABLE
from workbench.simulate import community

VOCABULARY = {
    "user_joined", "session_started", "session_ended", "first_message", "message_sent", "message_sentiment",
    "raid_started", "raid_joined", "raid_action", "raid_ended", "wallet_connected", "purchase", "ai_interaction",
    "request", "experiment_exposed",
}  # fmt: skip


def test_every_type_of_event_happens(simulated):
    assert set(simulated.events["event_type"]) == VOCABULARY


def test_every_day_is_one_table_of_events(simulated):
    assert len(simulated.days) == 90
    assert all(day.schema.equals(EVENT_TABLE) for day in simulated.days)


def test_the_same_seed_is_the_same_community_and_another_seed_is_not():
    one, same, other = (list(community(users=40, days=4, seed=seed)) for seed in (3, 3, 4))
    assert one == same
    ids = [set(pa.concat_tables(days)["event_id"].to_pylist()) for days in (one, other)]
    assert ids[0].isdisjoint(ids[1])


def test_iterating_again_starts_over():
    crowd = community(users=40, days=4, seed=3)
    assert list(crowd) == list(crowd)


def test_the_truth_waits_for_the_last_day():
    crowd = community(users=5, days=2)
    next(iter(crowd))
    with pytest.raises(WorkbenchError, match="iterate it to the end"):
        _ = crowd.truth


@pytest.mark.parametrize(("users", "days"), [(1, 1), (1, 10), (2, 1), (30, 2)])
def test_a_tiny_community_is_complete(users, days):
    crowd = community(users=users, days=days, until=date(2026, 3, 1))
    events = pa.concat_tables(list(crowd))
    assert set(events["user_id"].to_pylist()) == set(crowd.truth.users["user_id"].to_pylist())
    assert crowd.truth.facts["events"] == events.num_rows


def test_nothing_happens_before_the_first_day_or_after_the_last(simulated):
    until = pd.Timestamp(simulated.facts["until"], tz="UTC")
    assert simulated.events["occurred_at"].max() < until
    assert simulated.events["occurred_at"].min() >= until - timedelta(days=90)


def test_everybody_joins_before_doing_anything_else(simulated):
    first = simulated.events.groupby("user_id")["occurred_at"].min()
    joined = simulated.of("user_joined").set_index("user_id")["occurred_at"]
    assert joined.index.is_unique
    assert first.equals(joined.sort_index())


def test_nobody_does_anything_after_leaving(simulated):
    last = simulated.events.groupby("user_id")["occurred_at"].max()
    assert (last < simulated.users["churned_at"].loc[last.index]).all()


def test_evenings_are_busy_and_nights_are_not(simulated):
    by_hour = simulated.events["occurred_at"].dt.hour.value_counts().sort_index()
    assert by_hour.loc[18:20].mean() > 3 * by_hour.loc[4:6].mean()


def test_weekends_are_busier_than_the_week(simulated):
    started = simulated.of("session_started")["occurred_at"]
    daily = started.dt.floor("D").value_counts().sort_index().iloc[28:84]
    weekend = daily.index.day_of_week >= 5
    assert 1.1 < daily[weekend].mean() / daily[~weekend].mean() < 1.5


def test_a_tenth_of_the_people_do_half_of_everything(simulated):
    counts = simulated.events["user_id"].value_counts().to_numpy()
    assert counts[: len(counts) // 10].sum() > 0.5 * counts.sum()
    assert counts.mean() > 3 * pd.Series(counts).median()


def test_the_outage_is_a_hole_after_an_hour_of_errors(simulated):
    at = simulated.events["occurred_at"]
    since, until = (pd.Timestamp(simulated.facts["outage"][end]) for end in ("since", "until"))
    assert not at.between(since, until, inclusive="left").any()
    assert at.between(until, until + timedelta(hours=1)).sum() > 50
    requests = simulated.of("request")
    degraded = requests["occurred_at"].between(since - timedelta(hours=1), since, inclusive="left")
    assert (requests.loc[degraded, "status"] != 200).mean() > 0.4
    assert 0.005 < (requests.loc[~degraded, "status"] != 200).mean() < 0.02


def test_every_type_names_its_platform_and_most_name_their_session(simulated):
    assert set(simulated.events["platform"]) == {"discord", "telegram", "x", "web"}
    without = simulated.events.loc[simulated.events["session_id"].isna(), "event_type"]
    assert set(without) == {"raid_started", "raid_ended"}
