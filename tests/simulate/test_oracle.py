"""What the truth says must come true in what was simulated."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from workbench.simulate import community, oracle

AT = datetime(2026, 9, 1, tzinfo=UTC)
UNTIL = datetime(2026, 11, 23, tzinfo=UTC)
DAYS = 28


@pytest.fixture(scope="module")
def town():
    """People who joined before a cutoff, and their events."""
    crowd = community(users=3_000, days=150, seed=11)
    events = pa.concat_tables(
        part.select(["user_id", "event_type", "occurred_at", "value", "event_id"]) for part in crowd
    )
    users = crowd.truth.users
    joined = pc.less(users["joined_at"], pa.scalar(AT, users["joined_at"].type))
    return users.filter(joined), events


def within(events, users, since, days, condition=None):
    """Say of each person whether there is an event in so many days."""
    end = pa.scalar(since + timedelta(days=days), events["occurred_at"].type)
    begin = pa.scalar(since, events["occurred_at"].type)
    inside = pc.and_(pc.greater_equal(events["occurred_at"], begin), pc.less(events["occurred_at"], end))
    some = events.filter(inside)
    return np.asarray(pc.is_in(users["user_id"], value_set=pc.unique(some["user_id"]).cast(pa.string())))


def test_people_leave_as_often_as_their_hazard_says(town):
    users, _ = town
    here = ~oracle.gone(users, AT)
    said = oracle.leaving(users, AT, days=DAYS)[here]
    left = oracle.gone(users, AT + timedelta(days=DAYS))[here]
    for low, high in ((0, 0.1), (0.1, 0.3), (0.3, 1.01)):
        group = (said >= low) & (said < high)
        assert group.sum() >= 30
        assert left[group].mean() == pytest.approx(said[group].mean(), abs=3 * np.sqrt(0.25 / group.sum()))


def test_people_are_silent_as_often_as_the_truth_says(town):
    users, events = town
    said = oracle.silence(users, AT, days=DAYS)
    quiet = ~within(events, users, AT, DAYS)
    assert quiet[oracle.gone(users, AT)].mean() > 0.98
    here = ~oracle.gone(users, AT)
    for low, high in ((0, 0.2), (0.2, 0.5), (0.5, 1.01)):
        group = here & (said >= low) & (said < high)
        assert quiet[group].mean() == pytest.approx(said[group].mean(), abs=0.02 + 3 * np.sqrt(0.25 / group.sum()))


def test_people_spend_what_the_truth_expects(town):
    users, events = town
    bought = events.filter(pc.equal(events["event_type"].cast(pa.string()), "purchase"))
    begin, end = (pa.scalar(at, bought["occurred_at"].type) for at in (AT, AT + timedelta(days=DAYS)))
    inside = bought.filter(pc.and_(pc.greater_equal(bought["occurred_at"], begin), pc.less(bought["occurred_at"], end)))
    once = inside.group_by("event_id").aggregate([("value", "min"), ("user_id", "min")])
    sums = once.group_by("user_id_min").aggregate([("value_min", "sum")]).to_pandas().set_index("user_id_min")
    spent = sums["value_min_sum"].reindex(users["user_id"].to_pylist()).fillna(0).to_numpy()
    expected = oracle.spending(users, AT, days=DAYS)
    has = expected > 0
    assert spent[has].sum() == pytest.approx(expected[has].sum(), abs=4 * spent[has].std() * np.sqrt(has.sum()))
    half = np.median(expected[has])
    assert spent[has & (expected > half)].mean() > 1.5 * spent[has & (expected <= half)].mean()
