import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from workbench.simulate import effects


def nights_of(users: pd.DataFrame, until: pd.Timestamp) -> pd.DataFrame:
    """One row per person and night spent in the community: its number, and whether it was the last."""
    end = users["churned_at"].where(users["churned"], until)
    nights = (end - users["joined_at"].dt.floor("D")).dt.days
    rows = users.loc[users.index.repeat(nights)].reset_index(drop=True)
    rows["night"] = rows.groupby("user_id").cumcount() + 1
    rows["left"] = rows["churned"] & (rows["night"] == rows["user_id"].map(nights))
    return rows


def test_the_laws_of_leaving_can_be_found_again(simulated):
    nights = nights_of(simulated.users, pd.Timestamp(simulated.facts["until"], tz="UTC"))
    names = [name for name in effects.CHURN if name not in ("intercept", "campaign")]
    covariates = nights[names].astype(float)
    covariates["campaign"] = nights["source"] == "campaign"
    covariates["first_nights"] = nights["night"] <= effects.FIRST_NIGHTS
    fitted = LogisticRegression(C=1e6, max_iter=300).fit(covariates.astype(float), nights["left"])
    truth = [effects.CHURN[name] for name in (*names, "campaign")] + [effects.FIRST_NIGHTS_LOGIT]
    assert fitted.coef_[0] == pytest.approx(truth, abs=0.15)
    assert fitted.intercept_[0] == pytest.approx(effects.CHURN["intercept"], abs=0.15)


def test_the_hazard_in_the_truth_is_the_share_that_leaves(simulated):
    nights = nights_of(simulated.users, pd.Timestamp(simulated.facts["until"], tz="UTC"))
    hazard = nights["first_nights_hazard"].where(nights["night"] <= effects.FIRST_NIGHTS, nights["daily_hazard"])
    band = pd.qcut(hazard, 5)
    found = nights.groupby(band, observed=True)["left"].mean().to_numpy()
    assert found == pytest.approx(hazard.groupby(band, observed=True).mean().to_numpy(), rel=0.15)


def test_people_fade_before_they_leave(simulated):
    started = simulated.of("session_started")
    users = simulated.users[simulated.users["churned"]]
    started = started[started["user_id"].isin(users.index)]
    leaving = users["churned_at"].loc[started["user_id"]].to_numpy()
    before = (pd.Series(leaving) - started["occurred_at"].reset_index(drop=True)).dt.days
    stayed = users[(users["churned_at"] - users["joined_at"]).dt.days > 25]
    long = started["user_id"].isin(stayed.index).to_numpy()
    per_day = before[long].value_counts().sort_index()
    assert per_day.loc[0:2].mean() < 0.6 * per_day.loc[12:22].mean()


def test_the_campaign_brings_many_people_who_stay_less(simulated):
    users = simulated.users
    since, until = (pd.Timestamp(simulated.facts["campaign"][end]) for end in ("since", "until"))
    joins = users["joined_at"].dt.floor("D").value_counts().sort_index()
    during = joins[(joins.index >= since) & (joins.index < until)]
    assert during.mean() > 4 * joins.iloc[20:40].mean()
    campaign = users["source"] == "campaign"
    assert users.loc[campaign, "joined_at"].between(since, until).all()
    month = users["churned_at"] - users["joined_at"] > pd.Timedelta(days=28)
    assert month[campaign].mean() < month[~campaign].mean() - 0.1


def test_the_experiment_has_the_effect_that_the_truth_says(simulated):
    exposed = simulated.of("experiment_exposed").set_index("user_id")
    spoke = exposed.index.isin(simulated.users.index[simulated.users["activated"]])
    share = pd.Series(spoke, index=exposed.index).groupby(exposed["variant"]).agg(["mean", "size"])
    odds = np.log(share["mean"] / (1 - share["mean"]))
    error = np.sqrt((1 / (share["size"] * share["mean"] * (1 - share["mean"]))).sum())
    effect = simulated.facts["experiment"]["effect_logit"]
    assert abs(odds["treatment"] - odds["control"] - effect) < 2.5 * error
    assert abs(share["size"]["treatment"] / share["size"].sum() - 0.5) < 0.05


def test_people_are_only_where_the_truth_puts_them(simulated):
    seen = simulated.events.groupby("user_id")["platform"].unique()
    allowed = simulated.users["platforms"].str.split(" ")
    assert all(set(platforms) <= set(allowed[user_id]) for user_id, platforms in seen.items())
    assert 0.35 < (simulated.users["extra_platforms"] > 0).mean() < 0.55


def test_a_segment_is_a_range_of_sessions_per_day(simulated):
    rates = simulated.users.groupby("segment")["sessions_per_day"].agg(["min", "max"])
    order = ["lurker", "casual", "regular", "core"]
    assert (rates["max"].loc[order[:-1]].to_numpy() <= rates["min"].loc[order[1:]].to_numpy()).all()
