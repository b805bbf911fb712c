import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from workbench.models.logistic import WEAK, fit_logistic, share


def made(n, effects, *, seed=1):
    rng = np.random.default_rng(seed)
    X = np.column_stack([np.ones(n), rng.normal(size=(n, len(effects) - 1))])
    return X, (rng.random(n) < share(X @ np.array(effects))).astype(float)


def test_without_groups_it_is_ridge_regression_as_others_fit_it():
    X, y = made(500, [-0.5, 1.0, -2.0])
    found = fit_logistic(X, y, ["base", "a", "b"])
    other = LogisticRegression(C=WEAK**2, fit_intercept=False, tol=1e-10, max_iter=5_000).fit(X, y)
    assert found.mean == pytest.approx(other.coef_[0], abs=1e-4)


def test_true_effects_lie_inside_their_intervals_as_often_as_these_say():
    effects, inside = [-0.5, 1.0, -1.0, 0.3], []
    for seed in range(120):
        X, y = made(150, effects, seed=seed)
        found = fit_logistic(X, y, list("bxyz"))
        half = 1.644854 * np.sqrt(np.diag(found.cov))
        inside += list(np.abs(found.mean - effects) <= half)
    assert np.mean(inside) == pytest.approx(0.9, abs=0.04)


def test_categories_with_few_examples_are_pulled_to_the_others():
    rng = np.random.default_rng(2)
    kind = np.concatenate([np.repeat([0, 1, 2], 300), [3, 3, 3]])
    chance = np.array([0.5, 0.55, 0.45, 1.0])[kind]  # of the last kind there are three, and all came true
    X = np.column_stack([np.ones(len(kind)), *[(kind == k).astype(float) for k in range(4)]])
    names, y = ["base", "k0", "k1", "k2", "k3"], (rng.random(len(kind)) < chance).astype(float)
    alone = fit_logistic(X, y, names)
    pulled = fit_logistic(X, y, names, {"kind": names[1:]})
    said = [share(each.mean[0] + each.mean[4]) for each in (alone, pulled)]
    assert said[0] > 0.95
    assert 0.5 < said[1] < 0.75


def test_draws_are_of_the_posterior_and_the_same_for_the_same_seed():
    found = fit_logistic(*made(300, [0.2, 0.7]), ["base", "x"])
    drawn = found.draws(20_000, seed=3)
    assert drawn.mean(axis=0) == pytest.approx(found.mean, abs=0.02)
    assert np.cov(drawn.T) == pytest.approx(found.cov, abs=0.002)
    assert np.array_equal(drawn, found.draws(20_000, seed=3))
    assert found.place("x") == 1


def test_outcomes_that_a_column_tells_apart_give_a_finite_answer():
    x = np.linspace(-1, 1, 60)
    found = fit_logistic(np.column_stack([np.ones(60), x]), (x > 0).astype(float), ["base", "x"])
    assert np.isfinite(found.mean).all()
    assert np.isfinite(found.cov).all()
    assert found.mean[1] > 5
