from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from workbench.errors import InvalidArgument, NotEnoughData
from workbench.models.purchasing import BgNbd, fit_bg_nbd, fit_gamma_gamma, rfm

CDNOW = Path(find_spec("lifetimes").submodule_search_locations[0]) / "datasets"
TRUE = BgNbd(r=0.8, alpha=6.0, a=0.9, b=2.5, log_likelihood=0.0, n=0)


def lives(people, *, days, more=0.0, seed=1, law=TRUE):
    """Let customers buy and leave as the model has it, purchase by purchase: the slow, obvious way.

    Returns:
        Per customer repeats, recency, T, purchases in `more` days after, and whether they could still buy at T.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(people):
        rate, leaves, age = rng.gamma(law.r, 1 / law.alpha), rng.beta(law.a, law.b), rng.uniform(days / 2, days)
        now, bought, after, last, here = 0.0, 0, 0, 0.0, True
        while here:
            now += rng.exponential(1 / max(rate, 1e-12))
            if now > age + more:
                break
            if now <= age:
                bought, last = bought + 1, now
            else:
                after += 1
            here = rng.random() >= leaves
        rows.append((bought, last, age, after, here or now > age))
    return np.array(rows, dtype=float).T


@pytest.fixture(scope="module")
def customers():
    return pd.read_csv(CDNOW / "cdnow_customers_summary.csv")


def test_the_published_parameters_of_cdnow_are_found_to_three_digits(customers):
    """Fader, Hardie, Lee (2005), table 2."""
    found = fit_bg_nbd(customers["frequency"], customers["recency"], customers["T"])
    rounded = [round(value, 3) for value in (found.r, found.alpha, found.a, found.b)]
    assert rounded == [0.243, 4.414, 0.793, 2.426]
    assert round(found.log_likelihood, 1) == -9582.4
    assert found.n == 2357


def test_customer_1516_is_expected_to_buy_as_the_paper_says(customers):
    """The worked example of the note that Fader, Hardie and Lee publish with the paper."""
    found = fit_bg_nbd(customers["frequency"], customers["recency"], customers["T"])
    assert round(float(found.expected_purchases(39, 2, 30.43, 38.86)), 3) == 1.226


def test_the_published_parameters_of_what_cdnow_buyers_pay_are_found():
    """Fader, Hardie (2013), "The Gamma-Gamma model of monetary value", on the 946 repeat buyers."""
    names = ["master", "id", "day", "units", "value"]
    bought = pd.read_csv(CDNOW / "CDNOW_sample.txt", sep=r"\s+", header=None, names=names, dtype={"day": str})
    known = bought[pd.to_datetime(bought["day"]) <= "1997-09-30"].groupby(["id", "day"])["value"].sum().reset_index()
    repeated = known[known.groupby("id").cumcount() > 0].groupby("id")["value"].agg(["size", "mean"])
    found = fit_gamma_gamma(repeated["size"], repeated["mean"])
    assert [round(value, 2) for value in (found.p, found.q, found.v)] == [6.25, 3.74, 15.44]
    assert found.n == 946
    assert abs(found.correlation) < 0.15


def test_the_laws_that_customers_were_made_by_are_found_again():
    x, t_x, age, *_ = lives(6_000, days=200, seed=3)
    found = fit_bg_nbd(x, t_x, age)
    assert [found.r, found.alpha, found.a, found.b] == pytest.approx([0.8, 6.0, 0.9, 2.5], rel=0.2)


def test_expected_purchases_are_what_customers_go_on_to_buy():
    x, t_x, age, after, here = lives(8_000, days=60, more=40, seed=5)
    expected, alive = TRUE.expected_purchases(40, x, t_x, age), TRUE.alive(x, t_x, age)
    for group in (x == 0, x == 1, (x > 1) & (t_x < age / 2), (x > 1) & (t_x >= age / 2)):
        chance = 4 / np.sqrt(group.sum())
        assert expected[group].mean() == pytest.approx(after[group].mean(), abs=chance * after[group].std())
        assert alive[group].mean() == pytest.approx(here[group].mean(), abs=chance / 2)


def test_weeks_and_days_tell_the_same(customers):
    weeks = fit_bg_nbd(customers["frequency"], customers["recency"], customers["T"])
    days = fit_bg_nbd(customers["frequency"], 7 * customers["recency"], 7 * customers["T"])
    assert days.alpha == pytest.approx(7 * weeks.alpha, rel=1e-4)
    assert (days.r, days.a, days.b) == pytest.approx((weeks.r, weeks.a, weeks.b), rel=1e-4)
    assert days.expected_purchases(70, 3, 70, 140) == pytest.approx(weeks.expected_purchases(10, 3, 10, 20), rel=1e-4)


def test_who_bought_never_again_may_buy_at_any_time_and_the_silent_have_gone():
    assert TRUE.alive(0, 0, 300) == 1
    assert TRUE.alive(8, 20, 300) < 0.01
    assert TRUE.alive(8, 299, 300) > 0.5
    assert TRUE.expected_purchases(0, 3, 20, 30) == pytest.approx(0)


def test_what_a_purchase_is_worth_lies_between_ones_own_mean_and_that_of_all():
    rng = np.random.default_rng(0)
    own = 50 * rng.gamma(6, 1 / 5, 3_000)
    x = rng.integers(1, 9, 3_000)
    found = fit_gamma_gamma(x, [rng.gamma(4 * n, mean / 4 / n) for n, mean in zip(x, own, strict=True)])
    few, many = found.expected_value([1, 50], [200.0, 200.0])
    everybody = found.p * found.v / (found.q - 1)
    assert everybody == pytest.approx(own.mean(), rel=0.05)
    assert everybody < few < many < 200


@pytest.mark.parametrize(
    ("frequency", "recency", "T", "wrong"),
    [
        ([1] * 30, [5] * 30, [4] * 30, "recency <= T"),
        ([-1] * 30, [0] * 30, [4] * 30, "frequency >= 0"),
        ([1] * 30, [1] * 30, [float("inf")] * 30, "finite"),
        ([1] * 30, [1] * 29, [4] * 30, "30, 29 and 30 customers"),
        ([0] * 30, [0] * 30, [0] * 30, "T is not 0 for all"),
    ],
)
def test_customers_that_cannot_be_are_refused(frequency, recency, T, wrong):
    with pytest.raises(InvalidArgument, match=wrong):
        fit_bg_nbd(frequency, recency, T)


def test_too_few_customers_and_none_who_came_back_are_not_enough():
    with pytest.raises(NotEnoughData, match="3 customers; at least 20"):
        fit_bg_nbd([1, 0, 2], [1, 0, 3], [4, 4, 4])
    with pytest.raises(NotEnoughData, match="none of the 40 customers bought again"):
        fit_bg_nbd([0] * 40, [0] * 40, [4] * 40)
    with pytest.raises(NotEnoughData, match="2 customers who bought"):
        fit_gamma_gamma([1, 2], [3.0, 4.0])


def test_a_purchase_of_nothing_is_refused():
    with pytest.raises(InvalidArgument, match="monetary_value above 0"):
        fit_gamma_gamma([1] * 30, [0.0] * 30)


def test_frequency_counts_days_after_the_first_and_nobody_has_a_recency_without_them():
    bought = {"purchase_days": [0.0, 1.0, 3.0], "days_since_first_purchase": [np.nan, 9.0, 30.0]}
    X = pd.DataFrame({**bought, "days_since_purchase": [np.nan, 9.0, 4.0]})
    assert [values.tolist() for values in rfm(X)] == [[0, 0, 2], [0, 0, 26], [0, 9, 30]]
