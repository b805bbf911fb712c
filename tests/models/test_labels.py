from datetime import timedelta

import pandas as pd
import pytest

from workbench.errors import InvalidArgument
from workbench.models.features import features
from workbench.models.labels import SATURATION, Weights, engagement_score, outcomes, recent_score
from workbench.testing import START, store_of

DAY = timedelta(days=1)


def activity(**amounts):
    return pd.DataFrame([{**dict.fromkeys(SATURATION, 0.0), **amounts}])


def test_only_what_happens_in_the_span_counts():
    store = store_of({"ann": "message_sent:1 message_sent:3 message_sent:5", "bob": "view:0"}, unit=DAY)
    counted = outcomes(store.snapshot(), START + 1 * DAY, START + 5 * DAY)
    assert counted["messages"].to_dict() == {"ann": 2}


def test_a_session_of_nonsense_length_adds_no_time():
    store = store_of({"ann": "session_ended:1"}, properties={"session_duration": -5})
    assert outcomes(store.snapshot(), START, START + DAY)["session_hours"]["ann"] == 0


def test_who_does_nothing_has_score_0_and_who_does_everything_nearly_1():
    assert engagement_score(activity())[0] == 0
    assert engagement_score(activity(**dict.fromkeys(SATURATION, 1000.0)))[0] == pytest.approx(1)


def test_no_single_kind_of_activity_makes_a_person_fully_engaged():
    assert engagement_score(activity(messages=1e6))[0] == pytest.approx(0.4)


def test_half_the_activity_in_half_the_time_is_the_same_score():
    whole, half = activity(messages=20.0), activity(messages=10.0)
    assert engagement_score(half, days=14)[0] == pytest.approx(engagement_score(whole)[0])


def test_only_the_proportions_of_weights_matter():
    one, ten = Weights(messages=1, session_time=0, raids=1, ai=0), Weights(messages=10, session_time=0, raids=10, ai=0)
    some = activity(messages=7.0, raids=2.0)
    assert engagement_score(some, weights=one)[0] == pytest.approx(engagement_score(some, weights=ten)[0])


@pytest.mark.parametrize("weights", [{"messages": -1.0}, {"messages": 0, "session_time": 0, "raids": 0, "ai": 0}])
def test_weights_that_score_nothing_are_refused(weights):
    with pytest.raises(InvalidArgument, match="at least 0"):
        Weights(**weights)


def test_the_score_that_is_predicted_is_the_score_that_is_known_28_days_later(snapshot):
    cutoff = START + 60 * DAY
    later = features(snapshot, cutoff + 28 * DAY).active(28).X
    followed = outcomes(snapshot, cutoff, cutoff + 28 * DAY)
    pd.testing.assert_series_equal(engagement_score(followed), recent_score(later))
