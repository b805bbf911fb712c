import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from workbench.errors import ModelError, NotEnoughData
from workbench.models.churn import ChurnModel


def drawn(n, seed, *, base=0.5):
    """People whose odds of churning are known: those with silence 1 churn e^3 times as readily as those with 0."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"silence": rng.random(n), "noise": rng.random(n)})
    odds = np.exp(3 * X["silence"] - 1.5) * base / (1 - base)
    return X, pd.Series(rng.random(n) < odds / (1 + odds))


def test_people_who_leave_rank_above_those_who_stay(examples):
    early, late = examples
    risk = ChurnModel().fit(early.X, early.churned).predict(late.X)
    assert roc_auc_score(late.churned, risk) > 0.75


@pytest.mark.parametrize("base", [0.5, 0.08])
def test_probabilities_mean_what_they_say_also_when_churn_is_rare(base):
    model = ChurnModel().fit(*drawn(3000, 1, base=base)).calibrate(*drawn(3000, 2, base=base))
    X, churned = drawn(5000, 3, base=base)
    assert model.predict(X).mean() == pytest.approx(churned.mean(), abs=0.02)
    assert roc_auc_score(churned, model.predict(X)) > 0.68


def test_weighting_of_classes_is_undone_before_calibration():
    X, churned = drawn(4000, 1, base=0.08)
    assert ChurnModel().fit(X, churned).predict(X).mean() == pytest.approx(churned.mean(), abs=0.03)


def test_calibration_follows_a_base_rate_that_changed():
    model = ChurnModel().fit(*drawn(3000, 1, base=0.5)).calibrate(*drawn(3000, 2, base=0.1))
    X, churned = drawn(3000, 3, base=0.1)
    assert model.predict(X).mean() == pytest.approx(churned.mean(), abs=0.03)


def test_an_order_that_did_not_hold_leaves_only_the_base_rate():
    X, churned = drawn(2000, 1)
    model = ChurnModel().fit(X, churned).calibrate(X, ~churned)
    assert model.predict(X).to_numpy() == pytest.approx(1 - churned.mean())


def test_staying_and_churning_add_up_to_one():
    X, churned = drawn(300, 1)
    both = ChurnModel().fit(X, churned).predict_proba(X)
    assert both.shape == (300, 2)
    assert both.sum(axis=1) == pytest.approx(1)


def test_contributions_name_the_feature_that_matters():
    X, churned = drawn(2000, 1)
    shares = ChurnModel().fit(X, churned).importances(X)
    assert shares["silence"] > 0.7
    assert shares.sum() == pytest.approx(1)


def test_one_class_is_not_learnt_from():
    X, _ = drawn(100, 1)
    with pytest.raises(NotEnoughData, match="100 people 0 churned and 100 stayed"):
        ChurnModel().fit(X, np.zeros(100, dtype=bool))


def test_files_that_hold_no_trees_are_refused():
    good = ChurnModel().fit(*drawn(200, 1)).files()
    names = ("silence", "noise")
    bad = (
        {"booster.ubj": b"{L\x00"},
        {"calibration.json": b"{}"},
        {"calibration.json": b'{"slope": NaN, "intercept": 0}'},
    )
    for change in bad:
        with pytest.raises(ModelError):
            ChurnModel.from_files({**good, **change}, names)
    with pytest.raises(ModelError, match="other features"):
        ChurnModel.from_files(good, ("silence", "age"))
