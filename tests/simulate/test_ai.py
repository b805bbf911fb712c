import numpy as np
import pandas as pd
import pytest


def test_answers_count_their_tokens_and_failures_have_none(simulated):
    asked = simulated.of("ai_interaction")
    failed = asked["error"].notna()
    assert failed.any()
    assert (asked.loc[failed, "output_tokens"] == 0).all()
    assert (asked.loc[~failed, "output_tokens"] > 0).all()
    assert (asked["cached_tokens"] <= asked["input_tokens"]).all()
    assert asked.loc[failed, ["quality_score", "ttft_ms", "user_satisfaction"]].isna().all(axis=None)


def test_the_first_token_comes_before_the_last(simulated):
    answered = simulated.of("ai_interaction").dropna(subset="ttft_ms")
    assert (answered["ttft_ms"] <= answered["response_time_ms"]).all()


def test_longer_answers_take_longer(simulated):
    answered = simulated.of("ai_interaction").query("error.isna() and model == 'atlas-small'")
    assert np.corrcoef(answered["output_tokens"], answered["response_time_ms"])[0, 1] > 0.7


def test_the_new_prompt_is_as_much_better_as_the_truth_says(simulated):
    asked = simulated.of("ai_interaction")
    quality = asked.groupby(["model", "prompt_version"])["quality_score"].mean().unstack()
    assert (quality["v4"] - quality["v3"]).mean() == pytest.approx(simulated.facts["prompt"]["quality"], abs=0.012)
    since = pd.Timestamp(simulated.facts["prompt"]["v4_since"])
    assert ((asked["prompt_version"] == "v4") == (asked["occurred_at"] >= since)).all()


def test_pleased_people_say_so(simulated):
    rated = simulated.of("ai_interaction").dropna(subset="user_satisfaction")
    assert rated["user_satisfaction"].isin([0, 0.25, 0.5, 0.75, 1]).all()
    ratings = rated.groupby("user_id")["user_satisfaction"]
    mean = ratings.mean()[ratings.size() >= 5]
    assert np.corrcoef(mean, simulated.users["ai_satisfaction"].loc[mean.index])[0, 1] > 0.6


def test_a_request_has_an_endpoint_a_time_and_a_status(simulated):
    requests = simulated.of("request")
    assert (requests["response_time_ms"] > 0).all()
    assert set(requests["status"]) == {200, 429, 500, 503}
    assert requests["endpoint"].str.startswith("/").all()
