from __future__ import annotations

import numpy as np
import pytest

from workbench.metrics import intervals


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_the_numbers_that_newcombe_published(successes, trials, low, high):
    """Newcombe (1998), Two-sided confidence intervals for the single proportion, table I, method 3."""
    found = intervals.wilson([successes], [trials])
    assert (found[0].round(4).item(), found[1].round(4).item()) == (low, high)


def test_wilson_stays_inside_and_ends_exactly_at_nothing_and_everything():
    low, high = intervals.wilson([0, 10**9], [10**9, 10**9])
    assert low[0] == 0.0
    assert high[1] == 1.0
    assert 0 < high[0] < 1e-8
    assert 0 < 1 - low[1] < 1e-8


def test_of_nobody_there_is_no_rate_and_no_interval():
    low, high = intervals.wilson([0], [0])
    assert np.isnan([low[0], high[0], intervals.rate(0, 0).item()]).all()
