from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workbench.store.live_sketch import ERROR, LONGEST_MS, NONE, SHORTEST_MS, bins, middles, quantile, rank

TIMES = st.lists(st.floats(0, LONGEST_MS) | st.floats(0, 500) | st.just(0.0), min_size=1, max_size=50)


def of(times):
    places, counts = np.unique(bins(np.array(times)), return_counts=True)
    return places, counts


@given(times=TIMES, permille=st.sampled_from([1, 500, 900, 950, 990, 999]))
def test_a_quantile_is_within_its_error_of_the_time_that_sorting_finds(times, permille):
    exact = sorted(times)[rank(len(times), permille) - 1]
    assert abs(quantile(*of(times), permille) - exact) <= max(exact * ERROR * (1 + 1e-9), SHORTEST_MS)


@given(one=TIMES, other=TIMES)
def test_counts_of_two_sketches_add_up_to_that_of_both(one, other):
    places, counts = (np.concatenate(parts) for parts in zip(of(one), of(other), strict=True))
    assert quantile(places, counts, 950) == quantile(*of(one + other), 950)


def test_what_is_no_response_time_has_no_bin():
    assert (bins(np.array([np.nan, -1.0, np.inf, LONGEST_MS * 1.01])) == NONE).all()


def test_nothing_measured_has_no_quantile():
    assert np.isnan(quantile(np.array([], dtype=np.int32), np.array([], dtype=np.int64), 500))


def test_the_middle_of_a_bin_lies_in_it():
    places = np.arange(2, 1260, dtype=np.int32)
    assert (bins(middles(places)) == places).all()
