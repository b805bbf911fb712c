from datetime import timedelta

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import InvalidArgument, NotEnoughData
from workbench.models.examples import History, history
from workbench.models.features import features
from workbench.models.labels import Weights
from workbench.testing import START, store_of

DAY = timedelta(days=1)


def lasting(days, horizon_days=28):
    """A history of sixty people who come once a fortnight."""
    visits = " ".join(f"view:{day}" for day in range(0, int(days), 14))
    return History(
        snapshot=store_of({f"user {number}": visits for number in range(60)}, unit=DAY).snapshot(),
        begin=START,
        cutoff=START + days * DAY,
        horizon_days=horizon_days,
        weights=Weights(),
    )


@given(st.integers(1, 60), st.floats(3.5, 40))
def test_every_label_is_complete_before_the_next_stage_begins(churn_days, horizons):
    seen = lasting(horizons * churn_days + 0.01, churn_days)
    horizon = churn_days * DAY
    tested, final = seen.folds()
    for fold in [*tested, final]:
        assert max(fold.fit) + horizon <= fold.calibrate
        assert min(fold.fit) >= seen.begin + horizon / 2 - timedelta(milliseconds=1)
        assert fold.calibrate + horizon <= (fold.validate or seen.cutoff)
        assert (fold.validate or seen.cutoff - horizon) + horizon <= seen.cutoff


def test_a_long_history_is_validated_at_three_cutoffs_a_short_one_at_one():
    assert len(lasting(400).folds()[0]) == 3
    assert len(lasting(98).folds()[0]) == 1


def test_a_history_that_is_too_short_says_what_would_do():
    with pytest.raises(NotEnoughData, match=r"60 days of events.*needs 98.*it can be at most 17"):
        lasting(60).folds()
    assert lasting(60, 17).folds()


def test_churned_are_those_active_before_and_silent_after():
    journeys = {"ann": "view:30 view:49 view:50", "bob": "view:30 view:50", "cem": "view:1 view:49", "dan": "view:45"}
    seen = history(store_of(journeys, unit=DAY).snapshot(), cutoff=START + 50.5 * DAY, horizon_days=10)
    known = seen.examples([START + 40 * DAY])
    assert known.churned.to_dict() == {"ann": False, "bob": True}


def test_an_example_has_the_features_that_are_served(snapshot):
    cutoff = START + 80 * DAY
    known = history(snapshot).examples([cutoff])
    pd.testing.assert_frame_equal(known.X, features(snapshot, cutoff).active(28).X)


def test_a_cutoff_from_which_on_events_are_missing_is_refused():
    snapshot = store_of({"ann": "view:0 view:10"}, unit=DAY).snapshot()
    with pytest.raises(InvalidArgument, match="lies after the data"):
        history(snapshot, cutoff=START + 12 * DAY)
    with pytest.raises(NotEnoughData, match="no events before"):
        history(snapshot, cutoff=START)


def test_without_events_there_is_nothing_to_learn_from():
    with pytest.raises(NotEnoughData, match="no events"):
        history(store_of({}).snapshot())


def test_a_horizon_is_at_least_a_day(snapshot):
    with pytest.raises(InvalidArgument, match="at least 1, not 0"):
        history(snapshot, horizon_days=0)
