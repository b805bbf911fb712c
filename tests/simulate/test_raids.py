import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from workbench.simulate import community, effects


@pytest.fixture(scope="module")
def many() -> pd.DataFrame:
    """The truth of enough raids to judge their laws."""
    crowd = community(users=5000, days=120, seed=5)
    for _ in crowd:
        pass
    return crowd.truth.raids.to_pandas()


def test_raids_succeed_as_often_as_their_probability_says(many):
    band = pd.qcut(many["success_probability"], 4)
    found = many.groupby(band, observed=True)["success"].mean()
    expected = many.groupby(band, observed=True)["success_probability"].mean()
    assert found.to_numpy() == pytest.approx(expected.to_numpy(), abs=0.1)
    assert 0.4 < many["success"].mean() < 0.75


def test_the_drivers_of_success_can_be_found_again(many):
    drivers = many[["effect_slot", "effect_duration", "effect_participants", "effect_reward"]]
    fitted = LogisticRegression(C=1e6).fit(drivers, many["success"])
    assert fitted.coef_[0] == pytest.approx([1, 1, 1, 1], abs=0.45)
    assert fitted.intercept_[0] == pytest.approx(effects.RAID["intercept"], abs=0.25)


def test_the_probability_is_the_sum_of_its_effects(many):
    logits = effects.RAID["intercept"] + many.filter(like="effect_").sum(axis=1)
    assert effects.probability(logits.to_numpy()) == pytest.approx(many["success_probability"].to_numpy())


def test_forty_five_minutes_in_the_afternoon_are_best(many):
    assert many.loc[many["effect_duration"].idxmax(), "duration_min"] == 45
    assert many.loc[many["effect_slot"].idxmax(), "slot"] == "afternoon"


def test_a_raid_ends_as_the_truth_says(simulated):
    ended = simulated.of("raid_ended").set_index("raid_id").sort_index()
    truth = simulated.raids.set_index("raid_id").sort_index()
    columns = ["duration_min", "participants", "success", "reward_xp"]
    assert ended[columns].astype(float).equals(truth[columns].astype(float))
    assert (ended["occurred_at"] == truth["started_at"] + pd.to_timedelta(truth["duration_min"], unit="min")).all()


def test_participants_are_the_people_who_joined(simulated):
    joined = simulated.of("raid_joined").groupby("raid_id")["user_id"].agg(["nunique", "size"])
    truth = simulated.raids.set_index("raid_id")["participants"]
    assert (joined["nunique"] == truth.loc[joined.index]).all()
    assert (joined["nunique"] == joined["size"]).all()
    assert len(joined) == len(truth)


def test_people_join_and_act_while_the_raid_lasts(simulated):
    truth = simulated.raids.set_index("raid_id")
    for event_type in ("raid_joined", "raid_action"):
        rows = simulated.of(event_type)
        raid = truth.loc[rows["raid_id"]].reset_index()
        minutes = (rows["occurred_at"] - raid["started_at"]).dt.total_seconds() / 60
        assert minutes.between(0, raid["duration_min"]).all()


def test_those_who_like_raids_join_more_of_them(simulated):
    joined = simulated.of("raid_joined")["user_id"].value_counts()
    users = simulated.users[simulated.users["activated"]]
    counts = joined.reindex(users.index, fill_value=0)
    assert np.corrcoef(np.log1p(counts), users["raid_spirit"])[0, 1] > 0.35
