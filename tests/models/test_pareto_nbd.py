from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from workbench.errors import NotEnoughData
from workbench.models.pareto_nbd import ParetoNbd, fit_pareto_nbd

CDNOW = Path(find_spec("lifetimes").submodule_search_locations[0]) / "datasets"
NO_PRIOR = ((0.0, 50.0),) * 4
TRUE = ParetoNbd(r=1.2, alpha=15.0, s=1.1, beta=90.0)


def test_the_published_parameters_of_cdnow_are_found_without_a_prior():
    """Fader, Hardie (2005), "A note on implementing the Pareto/NBD model", on 2,357 customers."""
    cdnow = pd.read_csv(CDNOW / "cdnow_customers_summary.csv")
    found, _ = fit_pareto_nbd(cdnow["frequency"], cdnow["recency"], cdnow["T"], prior=NO_PRIOR)
    assert (found.r, found.alpha) == pytest.approx((0.553, 10.578), rel=0.01)
    assert (found.s, found.beta) == pytest.approx((0.606, 11.669), rel=0.03)


def lives(people, *, days, more, seed=2):
    """Let customers buy and leave, purchase by purchase: the slow, obvious way."""
    rng, rows = np.random.default_rng(seed), []
    for _ in range(people):
        rate, age = rng.gamma(TRUE.r, 1 / TRUE.alpha), rng.uniform(days / 2, days)
        life = rng.exponential(1 / rng.gamma(TRUE.s, 1 / TRUE.beta))
        at = np.cumsum(rng.exponential(1 / rate, 400))
        at = at[at < min(life, age + more)]
        seen = at[at <= age]
        rows.append((len(seen), seen.max(initial=0.0), age, len(at) - len(seen), life > age))
    return np.array(rows, dtype=float).T


def test_what_is_expected_and_drawn_is_what_comes():
    x, t_x, age, after, there = lives(3_000, days=120, more=60)
    best, models = fit_pareto_nbd(x, t_x, age, draws=5)
    assert best.expected_purchases(60, x, t_x, age).sum() == pytest.approx(after.sum(), rel=0.06)
    assert best.alive(x, t_x, age).mean() == pytest.approx(there.mean(), abs=0.04)
    drawn = TRUE.draw(60, x, t_x, age, futures=20, rng=np.random.default_rng(0))
    assert drawn.sum(axis=1).mean() == pytest.approx(TRUE.expected_purchases(60, x, t_x, age).sum(), rel=0.03)
    assert len(models) == 5


def test_who_bought_once_long_ago_may_have_left():
    once, lately = TRUE.alive([0, 0], [0, 0], [200, 2])
    assert once < 0.8 < lately


def test_many_purchases_neither_overflow_nor_lose_digits():
    chance = TRUE.alive([5_000, 5_000], [3_000, 1_500], [3_000, 3_000])
    assert chance.tolist() == pytest.approx([1, 0], abs=1e-6)


def test_a_life_without_end_is_as_long_as_the_time_ahead():
    assert ParetoNbd(r=1, alpha=1, s=1, beta=1e9).expected_life(90, 10) == pytest.approx(90, rel=1e-3)


def test_nobody_who_came_back_teaches_nothing():
    with pytest.raises(NotEnoughData, match="none of the 30 customers bought again"):
        fit_pareto_nbd(np.zeros(30), np.zeros(30), np.full(30, 9.0))
