import json

import numpy as np
import pandas as pd
import pytest

from workbench.errors import ModelError, NotEnoughData
from workbench.models.ltv import LtvModel
from workbench.models.spending import Spending, fit_spending

FEATURES = ("messages", "purchase_days", "spend_usd", "days_since_first_purchase", "days_since_purchase")


def people(n, *, seed=1):
    """People whose spending is known to grow with what they wrote and what they bought before."""
    rng = np.random.default_rng(seed)
    bought = rng.poisson(rng.gamma(0.7, 1.5, n)).astype(float)
    first = np.where(bought > 0, rng.uniform(5, 60, n), np.nan)
    last = np.where(bought > 1, first * rng.uniform(0, 1, n), first)
    X = pd.DataFrame(
        {
            "messages": rng.poisson(rng.gamma(2, 5, n)).astype(float),
            "purchase_days": bought,
            "spend_usd": bought * rng.gamma(4, 5, n),
            "days_since_first_purchase": first,
            "days_since_purchase": last,
        },
        index=[f"u{number}" for number in range(n)],
    )
    mean = np.exp(0.25 * np.log1p(X["messages"]) + 0.9 * np.log1p(bought) - 0.5)
    return X, mean, pd.Series(np.where(rng.random(n) < 0.5, rng.gamma(1, 2 * mean), 0.0), index=X.index)


@pytest.fixture(scope="module")
def model():
    X, _, y = people(6_000)
    later = people(3_000, seed=2)
    return LtvModel().fit(X, y).calibrate(later[0], later[2])


def test_groups_spend_what_is_predicted_of_them(model):
    X, _, y = people(12_000, seed=3)
    said = model.predict(X)
    assert said.sum() == pytest.approx(y.sum(), rel=0.06)
    for group in np.array_split(np.argsort(said.to_numpy()), 5):
        assert said.iloc[group].mean() == pytest.approx(y.iloc[group].mean(), rel=0.2)


def test_the_order_is_that_of_the_true_means(model):
    X, mean, _ = people(2_000, seed=4)
    assert model.predict(X).corr(mean, method="spearman") > 0.95


def test_intervals_hold_nine_of_ten_and_where_many_spend_nothing_more(model):
    """One in twenty lies above; below there is nobody, as half spend nothing and the interval begins there."""
    X, _, y = people(6_000, seed=5)
    said = model.outputs(X)
    assert (y > said["ltv_high"]).mean() == pytest.approx(0.05, abs=0.015)
    assert (y < said["ltv_low"]).mean() < 0.05


def test_a_person_far_from_all_others_gets_a_number_that_can_be_printed(model):
    X, *_ = people(3, seed=6)
    assert np.isfinite(model.predict(X * 1e12)).all()
    assert (model.predict(X * 0) >= 0).all()


def test_fewer_than_ten_who_spent_are_not_enough():
    X, _, y = people(200)
    with pytest.raises(NotEnoughData, match=r"9 .*spent"):
        LtvModel().fit(X, y.where(np.arange(200).cumsum() < 0, 0.0).mask(np.arange(200) < 9, 5.0))


def test_weights_without_end_are_refused(model):
    files = model.files()
    name = next(name for name in files if name.endswith(".json"))
    with pytest.raises(ModelError):
        LtvModel.from_files({**files, name: b'{"slope": "NaN"}'}, model.feature_names_in_)


class Known:
    """What `fit_spending` reads of examples."""

    def __init__(self, X, y):
        self.X, self.buyers, self.value_usd = X, X[X["purchase_days"] > 0], y


def test_purchases_alone_say_more_of_those_who_bought_more_and_lately():
    X, _, y = people(4_000)
    beside = fit_spending(Known(X, y), horizon_days=30, discount=0.1)
    assert beside.buying is not None
    one = X[X["purchase_days"] == 6].iloc[[0]]
    lately, long_ago = (one.assign(days_since_first_purchase=50.0, days_since_purchase=ago) for ago in (1.0, 49.0))
    assert beside.predict(lately).iloc[0] > beside.predict(long_ago).iloc[0]
    assert beside.predict(lately * [1, 1, 2, 1, 1]).iloc[0] > beside.predict(lately).iloc[0]


def test_who_never_bought_is_expected_to_spend_what_such_people_spent():
    X, _, y = people(4_000)
    beside = fit_spending(Known(X, y), horizon_days=30, discount=0.1)
    never = X["purchase_days"] == 0
    (said,) = set(beside.predict(X[never]))
    assert said == pytest.approx(y[never].mean())


def test_few_buyers_are_expected_to_spend_their_mean():
    X, _, y = people(60)
    few = X.assign(purchase_days=np.where(np.arange(60) < 5, 2.0, 0.0))
    beside = fit_spending(Known(few, y), horizon_days=30, discount=0.1)
    assert beside.buying is None
    assert beside.predict(few).iloc[0] == pytest.approx(y.iloc[:5].mean())


def test_a_dollar_of_later_is_worth_less():
    X, _, y = people(4_000)
    plain, cheap = (fit_spending(Known(X, y), horizon_days=90, discount=rate) for rate in (0.0, 0.5))
    bought = X[X["purchase_days"] > 1]
    ratio = cheap.predict(bought).sum() / plain.predict(bought).sum()
    assert ratio == pytest.approx(1.5 ** (-45 / 365.25))


def test_it_survives_json_and_refuses_anything_else():
    X, _, y = people(4_000)
    beside = fit_spending(Known(X, y), horizon_days=30, discount=0.1)
    again = Spending.from_json(beside.to_json())
    pd.testing.assert_series_equal(again.predict(X), beside.predict(X))
    for content in (b"[]", b"{", json.dumps({"buying": 1}).encode()):
        with pytest.raises(ModelError, match="cannot be read"):
            Spending.from_json(content)


def test_purchases_alone_may_be_the_prediction_and_survive_the_registry(model):
    X, _, y = people(2_000, seed=8)
    beside = fit_spending(Known(X, y), horizon_days=30, discount=0.1)
    both = LtvModel()
    both.__dict__.update(model.__dict__)
    served = both.stand_beside(beside, X, y).by("bg_nbd")
    again = LtvModel.from_files(served.files(), served.feature_names_in_)
    assert again.method == "bg_nbd"
    pd.testing.assert_series_equal(again.predict(X), beside.predict(X), check_names=False)
    said = again.outputs(X)
    assert ((said["ltv_low"] <= said["predicted_ltv"]) & (said["predicted_ltv"] <= said["ltv_high"])).all()
    assert (said["predicted_ltv"] == said["ltv_bg_nbd"]).all()
    parts = again.contributions(X).sum(axis=1)
    assert np.allclose(parts, np.log(again.predict(X).clip(lower=0.01)))
    assert again.importances(X)["messages"] == 0


def test_a_method_that_is_not_there_is_refused(model):
    with pytest.raises(ModelError, match="cannot be predicted by 'oracle'"):
        model.by("oracle")
    with pytest.raises(ModelError, match="bg_nbd"):
        LtvModel().by("bg_nbd")
