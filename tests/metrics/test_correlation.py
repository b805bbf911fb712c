from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.communities import community
from workbench.errors import InvalidArgument
from workbench.metrics.correlation import platform_correlation

NOW = "2026-03-01"
DAY = 24 * 60


def on(**platforms):
    return community(*((journeys, {"platform": name}) for name, journeys in platforms.items()))


def pairs(answer):
    return {(row.platform, row.other): row for row in answer.frame.itertuples()}


def test_people_on_both_are_shared():
    answer = platform_correlation(
        on(web={"ann": "view:0", "bob": "view:1"}, app={"ann": "view:5", "cem": "view:9"}, x={"dee": "view:2"}), now=NOW
    )
    assert list(pairs(answer)) == [("app", "web")]
    row = pairs(answer)["app", "web"]
    assert (row.shared_users, row.users, row.other_users, row.overlap) == (1, 2, 2, 1 / 3)
    assert answer.people("web", "app") == ["ann"]
    assert "share the most people, 1 (33.3% of those on either); 1 days with both are too few" in answer.reading()


def messages(counts):
    return " ".join(f"message_sent:{day * DAY + number}" for day, count in enumerate(counts) for number in range(count))


def test_days_that_are_busy_on_both_correlate():
    answer = platform_correlation(
        on(web={"ann": messages([1, 2, 3, 0, 5])}, app={"ann": messages([2, 4, 6, 7, 9])}), now=NOW
    )
    row = pairs(answer)["app", "web"]
    assert row.days == 4
    assert row.correlation == pytest.approx(np.corrcoef([1, 2, 3, 5], [2, 4, 6, 9])[0, 1])
    assert row.ci_low < row.correlation < row.ci_high
    assert answer.chart().marks[0].values == ((None, 1.0), (1.0, None))


def test_without_two_platforms_there_is_nothing_to_compare():
    for snapshot in (on(web={"ann": "view:0"}), on(), community(({"ann": "view:0"}, {}))):
        answer = platform_correlation(snapshot, now=NOW)
        assert (len(answer.frame), answer.reading()) == (0, "Nobody uses two platforms in this time.")
        assert answer.chart().marks == ()


def test_a_platform_that_is_none_has_no_people():
    with pytest.raises(InvalidArgument, match="nearest: 'web'"):
        platform_correlation(on(web={"ann": "view:0"}), now=NOW).people("web", "wep")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["ann", "bob", "cem"]),
            st.sampled_from(["web", "app", "x'; --"]),
            st.sampled_from(["view", "message_sent"]),
            st.integers(0, 5),
        ),
        max_size=30,
    )
)
def test_pairs_are_those_of_a_slow_count(events):
    groups = [({who: f"{what}:{day * DAY}"}, {"platform": platform}) for who, platform, what, day in events]
    found = pairs(platform_correlation(community(*groups), now=NOW))
    for pair in combinations(sorted({platform for _, platform, _, _ in events}), 2):
        people = [{who for who, platform, _, _ in events if platform == name} for name in pair]
        shared = people[0] & people[1]
        assert (pair in found) == bool(shared)
        if not shared:
            continue
        days = sorted(set.intersection(*({day for _, platform, _, day in events if platform == name} for name in pair)))
        series = [
            [
                sum((platform, what, when) == (name, "message_sent", day) for _, platform, what, when in events)
                for day in days
            ]
            for name in pair
        ]
        row = found[pair]
        assert (row.shared_users, row.days) == (len(shared), len(days))
        if len(days) < 3 or len(set(series[0])) == 1 or len(set(series[1])) == 1:
            assert math.isnan(row.correlation)
        else:
            assert row.correlation == pytest.approx(np.corrcoef(*series)[0, 1])
