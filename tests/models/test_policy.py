import numpy as np
import pandas as pd
import pytest

from workbench.errors import InvalidArgument, ModelError
from workbench.models.policy import LEVELS, NONE, Costs, policy

PEOPLE = [f"u{number}" for number in range(20_000)]
RULES = """
name: autumn
holdout: 0.2
actions:
  high: [call, gift]
  medium: [mail]
"""


@pytest.fixture
def rules(tmp_path):
    (tmp_path / "policy.yaml").write_text(RULES)
    return policy(tmp_path / "policy.yaml")


def level_of_all(level):
    return pd.Series(level, index=PEOPLE, dtype="object")


def test_a_fifth_is_held_out_by_chance_and_the_rest_share_the_actions(rules):
    drawn = rules.recommend(level_of_all("high"))
    assert drawn["held_out"].mean() == pytest.approx(0.2, abs=0.01)
    acted = drawn[~drawn["held_out"]]["recommended_action"].value_counts(normalize=True)
    assert acted.to_dict() == pytest.approx({"call": 0.5, "gift": 0.5}, abs=0.02)
    assert set(drawn[drawn["held_out"]]["recommended_action"]) == {NONE}


def test_propensities_are_how_often_each_thing_happens(rules):
    drawn = rules.recommend(level_of_all("high"))
    seen = drawn.groupby("recommended_action")["propensity"].agg(["size", "first", "nunique"])
    assert set(seen["nunique"]) == {1}
    assert (seen["size"] / len(PEOPLE)).tolist() == pytest.approx(seen["first"].tolist(), abs=0.01)


def test_whoever_has_no_action_is_left_alone_for_certain_and_is_no_control(rules):
    drawn = rules.recommend(level_of_all("low"))
    assert (set(drawn["recommended_action"]), set(drawn["propensity"])) == ({NONE}, {1.0})
    assert not drawn["held_out"].any()


def test_the_same_person_draws_the_same_whoever_else_is_asked(rules):
    all_, some = rules.recommend(level_of_all("high")), rules.recommend(level_of_all("high").iloc[::-7])
    pd.testing.assert_frame_equal(all_.loc[some.index], some)


def test_another_name_draws_another_holdout(rules):
    other = rules.model_copy(update={"name": "winter"})
    one, two = (each.recommend(level_of_all("high"))["held_out"] for each in (rules, other))
    assert (one & two).mean() == pytest.approx(0.04, abs=0.01)
    assert rules.version != other.version


def test_levels_by_cost_ask_whether_an_action_pays(rules):
    by_cost = rules.model_copy(update={"costs": Costs(high=5, medium=1, saves=0.1)})
    risk, ltv = pd.Series([0.9, 0.9, 0.1], index=["a", "b", "c"]), pd.Series([100.0, 20.0, 50.0], index=["a", "b", "c"])
    assert by_cost.levels(risk, ltv).to_dict() == {"a": "high", "b": "medium", "c": "low"}
    with pytest.raises(ModelError, match="levels by cost need predicted LTV"):
        by_cost.levels(risk)
    with pytest.raises(ModelError, match="levels by cost need predicted LTV"):
        by_cost.levels(risk, ltv.where(ltv > 30))


def test_the_policy_that_comes_along_holds_some_out_and_has_an_action_for_those_most_at_risk():
    rules = policy()
    assert 0 < rules.holdout < 1
    assert rules.actions["high"]
    risk = pd.Series(np.linspace(0, 1, 200), index=PEOPLE[:200])
    assert set(rules.levels(risk)) == set(LEVELS)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("holdout: 0", "holdout: .*greater than 0"),
        ("holdout: 1", "holdout: .*less than 1"),
        ("actions: {extreme: [call]}", "actions.extreme"),
        ("actions: {high: ['']}", "actions.high"),
        ("actions: {high: []}\ncapacity: {high: 0.9, medium: 0.2}", "at most 1 together"),
        ("actions: {}\nname: 'A B'", "name: "),
        ("actions: {}\nsecret: 1", "secret: "),
        ("- call", "policy: "),
        ("actions: [", "cannot read the policy"),
    ],
)
def test_what_a_policy_does_not_know_is_named(tmp_path, text, wrong):
    (tmp_path / "policy.yaml").write_text(text)
    with pytest.raises(InvalidArgument, match=wrong):
        policy(tmp_path / "policy.yaml")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InvalidArgument, match=r"cannot read the policy .*nowhere.yaml"):
        policy(tmp_path / "nowhere.yaml")
