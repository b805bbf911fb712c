import math
from datetime import timedelta

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.errors import ModelError, NotEnoughData
from workbench.events import Event
from workbench.models.features import FEATURES, checked, enough, features
from workbench.store.memory import MemoryStore
from workbench.testing import START, store_of, stored

CUTOFF = START + timedelta(days=70)
DAY = timedelta(days=1)
MESSAGES = {"first_message", "message_sent"}
MEASURES = {
    "session_ended": "session_duration",
    "message_sentiment": "sentiment_score",
    "ai_interaction": "user_satisfaction",
}
TYPES = [*sorted(MESSAGES), *MEASURES, "session_started", "raid_started", "raid_joined", "raid_action", "purchase"]

happening = st.fixed_dictionaries(
    {
        "user_id": st.sampled_from(["ann", "bob"]),
        "event_type": st.sampled_from([*TYPES, "wallet_connected", "view"]),
        "minutes": st.integers(0, 80 * 24 * 60),
        "platform": st.sampled_from([None, "web", "x"]),
        "raid_id": st.sampled_from([None, "r1", "r2"]),
        "value": st.sampled_from([None, 1.5, 20.0]),
        "measure": st.sampled_from([None, -2.0, 0.5, 600, "oops", "NaN", "Infinity", True]),
        "error": st.sampled_from([None, "timeout", False, ""]),
    }
)


def event(number, fields):
    properties = {name: fields["measure"] for kind, name in MEASURES.items() if kind == fields["event_type"]} | {
        "error": fields["error"]
    }
    return Event(
        event_id=str(number),
        occurred_at=START + timedelta(minutes=fields["minutes"]),
        properties=msgspec.Raw(msgspec.json.encode(properties)),
        **{name: fields[name] for name in ("user_id", "event_type", "platform", "raid_id", "value")},
    )


def slow_features(events, cutoff):
    """The same definitions, one person and one event at a time."""
    known = [e for e in events if e.occurred_at < cutoff]
    people = sorted({e.user_id for e in known})
    called = {e.raid_id for e in within(known, cutoff, 28) if e.event_type == "raid_started" and e.raid_id}
    rows = [slow_person([e for e in known if e.user_id == user], cutoff, len(called)) for user in people]
    return pd.DataFrame(rows, index=pd.Index(people, name="user_id"), columns=list(FEATURES), dtype="float64")


def within(events, cutoff, days):
    return [e for e in events if e.occurred_at >= cutoff - days * DAY]


def numbers(events, event_type):
    """Numbers under the measured property; text that reads as a number counts, what is no number does not."""
    found = []
    for e in events:
        value = msgspec.json.decode(e.properties).get(MEASURES.get(event_type))
        if e.event_type == event_type and isinstance(value, int | float) and not isinstance(value, bool):
            found.append(float(value))
    return found


def mean(values):
    return sum(values) / len(values) if values else math.nan


def slow_person(events, cutoff, called):
    recent, week = within(events, cutoff, 28), within(events, cutoff, 7)
    back = [(cutoff - e.occurred_at - timedelta(microseconds=1)) // DAY for e in events]
    tenure = (cutoff - min(e.occurred_at for e in events)) / DAY
    silence = (cutoff - max(e.occurred_at for e in events)) / DAY
    messages = [e for e in recent if e.event_type in MESSAGES]
    daily = [
        sum(1 for e, day in zip(events, back, strict=True) if day == d and e.event_type in MESSAGES) for d in range(28)
    ]
    seconds = [value for value in numbers(recent, "session_ended") if value >= 0]
    asked = [e for e in recent if e.event_type == "ai_interaction"]
    failed = [e for e in asked if msgspec.json.decode(e.properties)["error"] not in (None, False, "")]
    raids = {e.raid_id for e in recent if e.event_type == "raid_joined" and e.raid_id}
    bought = [e for e in recent if e.event_type == "purchase"]
    purchases = [e for e in events if e.event_type == "purchase"]
    wallets = [e for e in events if e.event_type == "wallet_connected"]
    between = min(max(tenure, 1), 56) / max(len({day for day in back if day < 56}), 1)
    return {
        "tenure_days": tenure,
        "days_since_last_active": silence,
        "active_days_7": len({day for day in back if day < 7}),
        "active_days_28": len({day for day in back if day < 28}),
        "active_days_56": len({day for day in back if day < 56}),
        "days_between_visits": between,
        "overdue": silence / between,
        "events_7": len(week),
        "events_28": len(recent),
        "engagement_decay": 1 - len(week) / (max(len(recent), 1) / 4),
        "daily_messages": len(messages) / min(max(tenure, 1), 28),
        "messages_7": sum(e.event_type in MESSAGES for e in week),
        "messages_28": len(messages),
        "message_frequency_trend": np.polyfit(range(28), daily[::-1], 1)[0],
        "has_messaged": any(e.event_type in MESSAGES for e in events),
        "sessions_7": sum(e.event_type == "session_started" for e in week),
        "sessions_28": sum(e.event_type == "session_started" for e in recent),
        "session_duration": mean(seconds),
        "session_hours_28": sum(seconds) / 3600,
        "raids_28": len(raids),
        "raids": len({e.raid_id for e in events if e.event_type == "raid_joined" and e.raid_id}),
        "raid_participation": len(raids) / max(called, 1),
        "raid_actions_28": sum(e.event_type == "raid_action" for e in recent),
        "ai_interactions_28": len(asked),
        "ai_satisfaction": mean(numbers(recent, "ai_interaction")),
        "ai_error_rate": len(failed) / len(asked) if asked else math.nan,
        "sentiment": mean(numbers(recent, "message_sentiment")),
        "platforms_28": len({e.platform for e in recent if e.platform}),
        "purchases_28": len(bought),
        "spend_usd_28": sum(e.value or 0 for e in bought),
        "purchase_days": len({day for e, day in zip(events, back, strict=True) if e.event_type == "purchase"}),
        "spend_usd": sum(e.value or 0 for e in purchases),
        "days_since_first_purchase": max(map(ago(cutoff), purchases), default=math.nan),
        "days_since_purchase": min(map(ago(cutoff), purchases), default=math.nan),
        "has_wallet": bool(wallets),
        "days_since_wallet": max(map(ago(cutoff), wallets), default=math.nan),
    }


def ago(cutoff):
    return lambda e: (cutoff - e.occurred_at) / DAY


def of(events):
    return features(MemoryStore(stored(events)).snapshot(), CUTOFF).X


@settings(max_examples=40, deadline=None)
@given(st.lists(happening, min_size=1, max_size=25))
def test_features_are_what_a_slow_reading_of_the_events_gives(happenings):
    events = [event(number, fields) for number, fields in enumerate(happenings)]
    found, expected = of(events), slow_features(events, CUTOFF)
    assert found.index.tolist() == expected.index.tolist()
    if len(expected):  # of nobody there are no types to compare
        pd.testing.assert_frame_equal(found, expected, rtol=1e-9, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.lists(happening, min_size=1, max_size=25))
def test_what_happens_from_the_cutoff_on_changes_no_feature(happenings):
    events = [event(number, fields) for number, fields in enumerate(happenings)]
    before = [e for e in events if e.occurred_at < CUTOFF]
    pd.testing.assert_frame_equal(of(events), of(before))


@settings(max_examples=15, deadline=None)
@given(st.lists(happening, min_size=1, max_size=25), st.randoms(use_true_random=False))
def test_features_do_not_depend_on_the_order_of_events(happenings, random):
    events = [event(number, fields) for number, fields in enumerate(happenings)]
    shuffled = random.sample(events, len(events))
    pd.testing.assert_frame_equal(of(events), of(shuffled))


def test_an_event_at_the_cutoff_is_not_known_and_one_28_days_before_is_recent():
    journey = {"ann": "message_sent:42 message_sent:70", "bob": "message_sent:41.99"}
    known = features(store_of(journey, unit=DAY).snapshot(), CUTOFF).X
    assert known["messages_28"].to_dict() == {"ann": 1, "bob": 0}
    assert known["tenure_days"]["ann"] == 28


def test_the_active_are_those_with_an_event_in_the_last_days():
    store = store_of({"ann": "view:41", "bob": "view:42", "cem": "view:69"}, unit=DAY)
    assert features(store.snapshot(), CUTOFF).active(28).X.index.tolist() == ["bob", "cem"]


def test_a_store_without_events_has_features_of_nobody():
    known = features(store_of({}).snapshot(), CUTOFF).X
    assert known.empty
    assert list(known.columns) == list(FEATURES)


def test_the_order_of_columns_is_put_right_and_other_columns_are_refused():
    X = pd.DataFrame({"b": [1.0], "a": [2.0]})
    assert checked(X, ("a", "b")).columns.tolist() == ["a", "b"]
    with pytest.raises(ModelError, match=r"missing \['c'\], unexpected \['b'\]"):
        checked(X, ("a", "c"))


def test_too_few_or_constant_examples_are_not_learnt_from():
    with pytest.raises(NotEnoughData, match=r"10 examples.*at least 50"):
        enough(pd.DataFrame({"a": np.arange(10.0)}))
    with pytest.raises(NotEnoughData, match="constant over 60"):
        enough(pd.DataFrame({"a": np.ones(60)}))
