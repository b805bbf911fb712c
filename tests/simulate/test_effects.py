import numpy as np
import pytest

from workbench.simulate.effects import logit, probability


def test_a_covariate_that_was_forgotten_is_an_error():
    with pytest.raises(KeyError, match="mood"):
        logit({"intercept": 0.0, "mood": 1.0})


def test_a_covariate_without_a_coefficient_is_an_error():
    with pytest.raises(KeyError, match="mood"):
        logit({"intercept": 0.0}, mood=np.array(1.0))


def test_even_odds_double_with_ln_two():
    assert probability(np.array([0.0, np.log(2)])) == pytest.approx([1 / 2, 2 / 3])
