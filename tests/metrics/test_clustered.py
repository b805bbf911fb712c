from __future__ import annotations

import numpy as np
import pytest

from workbench.metrics import clustered, intervals


def sums_of(*people):
    """Take (x, n) of each person: one rate."""
    x, n = (np.array(column, dtype=np.float64) for column in zip(*people, strict=True))
    return clustered.Sums(*(np.array([value.sum()]) for value in (n > 0, x, n, x * x, x * n, n * n)))


def crowd(rng, people, *, alike):
    """People who do a thing three times in ten, some more and some less; and some of them do much more of all."""
    n = np.maximum(rng.pareto(2, people) * 3, 1).astype(int)
    return list(zip(rng.binomial(n, rng.beta(0.3 * alike, 0.7 * alike, people)), n, strict=True))


def test_one_thing_of_each_person_is_a_plain_proportion():
    found = sums_of(*[(1, 1)] * 30, *[(0, 1)] * 70)
    assert found.rate[0] == 0.3
    assert found.effective[0] == pytest.approx(100, rel=0.05)
    low, high = intervals.wilson(30, 100)
    assert np.allclose(found.interval(), [[low], [high]], atol=0.003)


def test_people_who_always_do_the_same_count_once():
    found = sums_of(*[(9, 9)] * 30, *[(0, 9)] * 70)
    assert found.effective[0] == pytest.approx(100, rel=0.05)


def test_where_all_do_the_same_each_person_counts_once():
    assert sums_of(*[(9, 9)] * 30).effective[0] == 30
    assert sums_of(*[(0, 9)] * 30).interval()[1][0] == pytest.approx(intervals.wilson(0, 30)[1])


def test_what_one_person_decides_is_not_known():
    low, high = sums_of((990, 1000), *[(1, 2)] * 12).interval()
    assert high[0] - low[0] > 0.9


def test_the_variance_is_that_of_people_drawn_again():
    rng = np.random.default_rng(5)
    people = np.array(crowd(rng, 300, alike=2))
    drawn = [people[rng.integers(0, 300, 300)].sum(axis=0) for _ in range(2_000)]
    again = np.std([x / n for x, n in drawn])
    assert np.sqrt(sums_of(*people).variance[0]) == pytest.approx(again, rel=0.1)


@pytest.mark.parametrize("people", [10, 40, 200])
def test_intervals_hold_the_truth_as_often_as_they_say_where_plain_ones_do_not(people):
    rng = np.random.default_rng(people)
    crowds = [crowd(rng, people, alike=2) for _ in range(400)]
    own = [sums_of(*each).interval() for each in crowds]
    plain = [intervals.wilson(*np.sum(each, axis=0)) for each in crowds]
    held, plainly = (np.mean([bool(low <= 0.3 <= high) for low, high in ends]) for ends in (own, plain))
    assert held > 0.91
    assert plainly < 0.85


def test_a_difference_that_is_none_is_found_one_time_in_twenty():
    rng = np.random.default_rng(8)
    pairs = [[sums_of(*crowd(rng, 60, alike=2)) for _ in range(2)] for _ in range(400)]
    found = [clustered.difference(one, other, np.zeros(1)) for one, other in pairs]
    assert np.mean([pvalue[0] < 0.05 for _, _, pvalue in found]) < 0.09
    assert np.mean([low[0] <= 0 <= high[0] for low, high, _ in found]) > 0.91


def test_a_difference_within_the_same_people_is_surer_than_between_others():
    rng = np.random.default_rng(3)
    n = np.full(40, 20)
    mood = rng.beta(0.6, 1.4, 40)
    x, y = rng.binomial(n, mood), rng.binomial(n, mood * 0.8)
    one, other = sums_of(*zip(x, n, strict=True)), sums_of(*zip(y, n, strict=True))
    crossed = [np.array([float((a * b).sum())]) for a, b in ((x, y), (x, n), (n, y), (n, n))]
    same = clustered.difference(one, other, clustered.covariance(one, other, crossed))
    apart = clustered.difference(one, other, np.zeros(1))
    assert same[1][0] - same[0][0] < 0.7 * (apart[1][0] - apart[0][0])
    assert same[2][0] < 0.5 * apart[2][0]


def test_single_things_are_added_up_by_person():
    person, group = np.array([4, 4, 4, 7, 7]), np.array([0, 0, 1, 1, 1])
    found = clustered.sums(person, group, np.array([1.0, 0.0, 1.0, 1.0, 1.0]), 2)
    assert [found.people.tolist(), found.x.tolist(), found.n.tolist()] == [[1, 2], [1, 3], [2, 3]]
    assert [found.xx.tolist(), found.xn.tolist(), found.nn.tolist()] == [[1, 5], [2, 5], [4, 5]]
