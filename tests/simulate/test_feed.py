from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from workbench.errors import InvalidArgument
from workbench.events import to_table
from workbench.simulate import community, feed
from workbench.testing import START, events_of

BEGIN = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Clock:
    """Time that passes by sleeping."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def sent(planned, **pace):
    """Send a feed; return when each message went out, as what, and by which key."""
    clock, out = Clock(), []
    feed.send(
        planned,
        lambda value, key: out.append((clock.now, json.loads(value), key)),
        feed.Pace(begin=BEGIN, run="r", **pace),
        clock=clock,
        sleep=clock.sleep,
    )
    return out


def events(**journeys):
    return to_table(events_of(journeys or {"ann": "a:0 b:1 c:60", "bob": "a:2 d:120"}))


def happened(message):
    return datetime.fromisoformat(message["occurred_at"])


def test_an_hour_passes_in_a_minute_and_events_occur_when_they_are_sent():
    out = sent(feed.of(events()), speed=60)
    assert [round(at) for at, _, _ in out] == [0, 1, 2, 60, 120]
    for at, message, _ in out:
        assert abs((happened(message) - BEGIN).total_seconds() - at) < 0.2
    assert [key for _, _, key in out] == [b"ann", b"ann", b"bob", b"ann", b"bob"]


def test_events_of_two_runs_are_different_ones_unless_they_are_to_stay_the_same():
    (first,) = {message["event_id"] for _, message, _ in sent(feed.of(events(ann="a:0")))}
    assert first == "ann/0/a@r"
    (kept,) = sent(feed.of(events(ann="a:0")), keep_times=True)
    assert (kept[1]["event_id"], happened(kept[1])) == ("ann/0/a", START)


def test_copies_of_the_people_make_the_rate():
    rng = np.random.default_rng(1)
    journeys = {f"u{n}": " ".join(f"a:{minute:.2f}" for minute in np.sort(rng.uniform(0, 600, 40))) for n in range(20)}
    planned = feed.of(events(**journeys))
    for rate in (5.0, 40.0, 90.0):
        out = sent(planned, speed=600, rate=rate)
        seconds = planned.seconds / 600
        assert len(out) / seconds == pytest.approx(rate, rel=0.25)
        ids = Counter(message["event_id"] for _, message, _ in out)
        assert max(ids.values()) == 1


def test_disorder_is_what_was_asked_for():
    planned = feed.of(
        events(ann=" ".join(f"a:{n}" for n in range(2_000))),
        disorder=feed.Disorder(duplicates=0.2, shuffled=0.3, within=48, skew=0.5),
    )
    out = sent(planned, speed=1e6, keep_times=True)
    ids = Counter(message["event_id"] for _, message, _ in out)
    assert len(ids) == 2_000
    assert sum(count > 1 for count in ids.values()) / 2_000 == pytest.approx(0.2, abs=0.03)
    order = [int(message["event_id"].split("/")[1]) for _, message, _ in out]
    assert 0.2 < np.mean(np.diff(order) < 0) < 0.5
    assert np.mean([key == feed.HOT for _, _, key in out]) == pytest.approx(0.5, abs=0.05)
    late = planned.due - (np.array([happened(m).timestamp() for _, m, _ in out]) - START.timestamp())
    assert late.max() <= 48 * 3600


def test_bursts_come_all_at_once():
    out = sent(feed.of(events(ann=" ".join(f"a:{n}" for n in range(60))), disorder=feed.Disorder(burst=600)), speed=60)
    assert len({round(at) for at, _, _ in out}) <= 7


def test_what_comes_late_occurred_before():
    planned = feed.of(events(ann="a:0 b:600"), disorder=feed.Disorder(shuffled=1, within=10), seed=3)
    for at, message, _ in sent(planned, speed=60):
        assert happened(message) <= BEGIN + timedelta(seconds=at + 0.2)


def test_a_community_lives_on_from_a_noon_in_the_order_of_time():
    planned = feed.live(community(users=60, days=8, seed=2))
    assert (np.diff(planned.due) >= 0).all()
    assert planned.seconds > 2 * 86_400
    assert datetime.fromtimestamp(planned.origin, UTC).hour == 12
    at = np.array([when.timestamp() for when in planned.events["occurred_at"].to_pylist()]) - planned.origin
    assert (at <= planned.due + 1e-3).all()


@pytest.mark.parametrize("text", ["duplicates=2", "shuffled=x", "speed=1", "within=-1", "skew"])
def test_a_disorder_that_cannot_be_is_refused(text):
    with pytest.raises(InvalidArgument, match="is no disorder: write some of duplicates=…"):
        feed.Disorder.parse(text)


def test_a_pace_that_cannot_be_is_refused():
    with pytest.raises(InvalidArgument, match="speed and rate are above 0"):
        sent(feed.of(events()), rate=0.0)
    with pytest.raises(InvalidArgument, match="'fast'"):
        feed.speed_of("fast")
    with pytest.raises(InvalidArgument, match="no events to send"):
        feed.of(events().slice(0, 0))
