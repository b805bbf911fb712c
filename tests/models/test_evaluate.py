import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, mean_poisson_deviance, r2_score, roc_auc_score

from workbench.models import evaluate
from workbench.models.lessons import LESSONS

CHURN = LESSONS["churn"].metrics["value"]

rows = st.lists(
    st.tuples(st.booleans(), st.sampled_from([0.1, 0.2, 0.2, 0.7, 0.9]), st.integers(1, 4)), min_size=4, max_size=40
).filter(lambda drawn: len({row[0] for row in drawn}) == 2)


def descending(drawn):
    y, p, w = (np.array(column, dtype=float) for column in zip(*sorted(drawn, key=lambda row: -row[1]), strict=True))
    return y, p, w


@given(rows)
def test_ranking_metrics_are_those_of_scikit_learn(drawn):
    y, p, w = descending(drawn)
    assert evaluate.auc(y, p, w) == pytest.approx(roc_auc_score(y, p, sample_weight=w))
    assert evaluate.pr_auc(y, p, w) == pytest.approx(average_precision_score(y, p, sample_weight=w))


@given(rows)
def test_the_explained_variance_is_that_of_scikit_learn(drawn):
    y, p, w = descending(drawn)
    assert evaluate.r2(y, p, w) == pytest.approx(r2_score(y, p, sample_weight=w))


def test_calibration_compares_what_was_said_with_what_came_in_each_tenth():
    p = np.repeat([0.8, 0.2], 50)  # five groups of ten each
    as_said = np.r_[np.tile([1, 1, 1, 1, 0], 10), np.tile([1, 0, 0, 0, 0], 10)].astype(float)
    assert evaluate.calibration_error(as_said, p, np.ones(100)) == pytest.approx(0)
    assert evaluate.calibration_error(1 - as_said, p, np.ones(100)) == pytest.approx(0.6)


def test_one_class_alone_cannot_be_ranked():
    assert np.isnan(evaluate.auc(np.ones(3), np.array([0.3, 0.2, 0.1]), np.ones(3)))


def judged(n=400, seed=3):
    rng = np.random.default_rng(seed)
    people = pd.Index([f"u{number % 200}" for number in range(n)])
    risk = pd.Series(rng.random(n), index=people)
    churned = pd.Series(rng.random(n) < risk.to_numpy(), index=people)
    return churned, risk, pd.Series(0.5, index=people) + rng.normal(0, 0.01, n)


def test_a_better_prediction_gains_on_the_baseline_in_either_direction():
    table = evaluate.compare(CHURN, judged()[0], judged()[1], baseline=judged()[2]).set_index("metric")
    assert (table["gain"][["auc", "pr_auc", "brier"]] > 0).all()
    assert (table["gain_ci_low"][["auc", "brier"]] > 0).all()
    assert (table["ci_low"] <= table["value"])["auc"]
    assert (table["value"] <= table["ci_high"])["auc"]


def test_the_same_seed_gives_the_same_intervals():
    churned, risk, baseline = judged()
    first, second = (evaluate.compare(CHURN, churned, risk, baseline=baseline, seed=9) for _ in range(2))
    pd.testing.assert_frame_equal(first, second)


def test_intervals_of_a_known_auc_hold_it_most_of_the_time():
    held = []
    for seed in range(40):
        churned, risk, baseline = judged(n=200, seed=seed)
        row = evaluate.compare({"auc": evaluate.auc}, churned, risk, baseline=baseline, seed=seed).iloc[0]
        held.append(row["ci_low"] <= 5 / 6 <= row["ci_high"])  # the AUC of a uniform risk that is true
    assert np.mean(held) >= 0.85


def test_calibration_groups_hold_everybody_once_and_their_share_lies_in_its_interval():
    churned, risk, _ = judged()
    curve = evaluate.calibration(churned, risk)
    assert curve["n"].sum() == 400
    assert curve["predicted"].is_monotonic_increasing
    assert curve["observed"].between(curve["ci_low"], curve["ci_high"]).all()


def test_nobody_has_an_empty_calibration_curve():
    assert evaluate.calibration(pd.Series([], dtype=bool), pd.Series([], dtype=float)).empty


amounts = st.lists(st.tuples(st.floats(0, 100), st.floats(0.01, 100), st.integers(1, 4)), min_size=2, max_size=30)


@given(amounts)
def test_the_deviance_is_that_of_scikit_learn(drawn):
    y, p, w = (np.array(column, dtype=float) for column in zip(*drawn, strict=True))
    expected = mean_poisson_deviance(y, p, sample_weight=w)
    assert evaluate.deviance(y, p, w) == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_the_order_of_the_truth_finds_everything_and_its_reverse_the_opposite():
    y, w = np.array([0.0, 0.0, 5.0, 20.0]), np.ones(4)
    assert evaluate.gini(y, y, w) == pytest.approx(1)
    assert evaluate.gini(y, -y, w) == pytest.approx(-1)
    assert np.isnan(evaluate.gini(y * 0, y, w))


def test_a_total_is_off_by_its_share():
    y = np.array([10.0, 0.0])
    assert evaluate.total_error(y, np.array([3.0, 3.0]), np.ones(2)) == pytest.approx(0.4)


def test_a_calibration_of_amounts_has_intervals_by_the_standard_error():
    y = pd.Series(np.tile([0.0, 20.0], 50))
    table = evaluate.calibration(y, pd.Series(10.0, index=y.index))
    assert (table["ci_low"] < 10).all()
    assert (table["ci_high"] > 10).all()
