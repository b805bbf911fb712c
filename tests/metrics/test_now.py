"""The default `now` of every question: the earlier of the present and what the data cover, and the answer says so."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

import workbench as wb
from workbench.bench import Bench
from workbench.testing import START, MemoryStore, events_of, store_of, stored

DAYS = {"ann": "user_joined:0 message_sent:1440 message_sent:4290", "bob": "user_joined:5 message_sent:20"}
"""Three days in January; the last event is at 23:30 of the third."""
END = datetime(2026, 1, 8, tzinfo=UTC)
SAID = "The data end at 2026-01-08 00:00 UTC; nothing later is counted."

QUESTIONS = {
    "funnel": lambda b: b.funnel(["user_joined", "message_sent"]),
    "funnel times": lambda b: b.funnel(["user_joined", "message_sent"]).times(),
    "retention": lambda b: b.retention(period="day"),
    "active users": lambda b: b.active_users(),
    "lifecycle": lambda b: b.lifecycle(period="day"),
    "stickiness": lambda b: b.stickiness(),
    "messages": lambda b: b.message_volume(),
    "platform distribution": lambda b: b.platform_distribution(),
    "platforms": lambda b: b.platforms(),
    "transitions": lambda b: b.journeys().transitions(),
    "paths": lambda b: b.journeys().paths(),
    "step matrix": lambda b: b.journeys().step_matrix(),
    "raids": lambda b: b.raid_activity(),
    "raid facts": lambda b: b.raid_facts(),
    "raids in progress": lambda b: b.raids_in_progress(),
    "event volume": lambda b: b.event_volume(),
    "active minutes": lambda b: b.active_minutes(),
    "performance": lambda b: b.performance(),
    "response times": lambda b: b.response_times(),
    "ai usage": lambda b: b.ai_usage(),
    "sentiment": lambda b: b.sentiment(),
    "spending": lambda b: b.spending(),
    "rhythm": lambda b: b.rhythm(),
    "profiles": lambda b: b.profiles(),
}


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)
def test_a_question_is_asked_when_the_data_end_and_says_so(ask):
    answer = ask(Bench(store_of(DAYS)))
    definition = getattr(answer.definition, "journeys", getattr(answer.definition, "funnel", answer.definition))
    assert definition.now == END
    assert answer.reading().endswith(SAID)
    assert SAID in answer._repr_html_()


def test_nothing_is_said_where_the_question_says_when_or_the_data_reach_the_present():
    assert "The data end" not in Bench(store_of(DAYS)).active_users(now="2026-02-01").reading()
    recent = store_of({"ann": "view:0"}, start=datetime.now(UTC) - timedelta(minutes=3))
    assert Bench(recent).active_users().notes == ()


def test_a_segment_looks_back_from_where_the_data_end():
    last_day = wb.segment("message_sent", within="1d")
    assert Bench(store_of(DAYS)).of(last_day).active_users().people("2026-01-07") == ["ann"]
    assert Bench(store_of(DAYS)).now == END


def test_retention_has_no_period_that_had_not_begun():
    """Oracle: days from the start of the cohort's day to the end of the data, each begun before it."""
    bench = Bench(store_of(DAYS))
    assert bench.retention(period="day").frame["period"].tolist() == [0, 1, 2]
    assert bench.retention(period="day").frame["mature"].all()
    for now, periods in {"2026-01-07": 2, "2026-01-07T00:00:01": 3, "2026-01-06": 1, "2026-01-12": 7}.items():
        assert len(bench.retention(period="day", now=now).frame) == periods, now
        rolling = bench.retention(period="day", now=now, clock="rolling").frame
        assert len(rolling) == periods, now
    assert bench.retention(period="week", now="2026-01-12").frame["period"].tolist() == [0]


def test_no_other_question_has_a_period_that_begins_at_its_end():
    bench = Bench(store_of(DAYS))
    assert bench.lifecycle(period="day").frame["period"].max() == datetime(2026, 1, 7).date()
    assert bench.active_users(window="7d").frame["period"].tolist()[-1] == datetime(2026, 1, 7).date()
    assert len(bench.stickiness().frame) == 3


@pytest.fixture(scope="module")
def odd() -> Bench:
    """Sixty days of 8 people, and one event of 1970 by one of them."""
    journeys = {f"u{who}": " ".join(f"user_joined:{who} e:{day * 1440 + who}" for day in range(60)) for who in range(8)}
    early = events_of({"u0": "e:0"}, start=datetime(1970, 1, 1, tzinfo=UTC))
    return Bench(MemoryStore(stored([*events_of(journeys), *early])))


@pytest.fixture(scope="module")
def clean() -> Bench:
    journeys = {f"u{who}": " ".join(f"user_joined:{who} e:{day * 1440 + who}" for day in range(60)) for who in range(8)}
    return Bench(MemoryStore(stored(events_of(journeys))))


BEGINNING = {
    "active users": lambda b: b.active_users(),
    "active users in 7 days": lambda b: b.active_users(window="7d"),
    "lifecycle": lambda b: b.lifecycle(),
    "stickiness": lambda b: b.stickiness(),
    "retention": lambda b: b.retention(period="day"),
    "recurring retention": lambda b: b.retention("e", period="day", cohort="recurring", kind="on_or_after"),
    "any retention": lambda b: b.retention("e", "e", period="week"),
    "volume": lambda b: b.event_volume(width="1h"),
    "rhythm": lambda b: b.rhythm(),
    "transitions": lambda b: b.journeys().transitions(),
    "funnel": lambda b: b.funnel(["e", "user_joined"]),
}


@pytest.mark.parametrize("ask", BEGINNING.values(), ids=BEGINNING)
def test_a_question_from_the_beginning_leaves_out_an_event_of_1970(ask, odd, clean):
    found = ask(odd)
    pd.testing.assert_frame_equal(found.frame, ask(clean).frame)
    assert "Starts 2026-01-05: 1 event before it, from 1970-01-01, is left out." in found.reading()


def test_the_beginning_that_was_asked_for_is_honoured(odd):
    assert odd.active_users(since="1970-01-01").frame["period"].iloc[0] == datetime(1970, 1, 1).date()
    assert odd.lifecycle(since="1970-01-01", period="month").frame["period"].iloc[0] == datetime(1970, 1, 1).date()
    assert odd.retention("e", since="1970-01-01", period="month").frame["cohort"].iloc[0] == pd.Timestamp("1970-01-01")


def test_a_changed_answer_that_is_asked_again_leaves_it_out_too(odd):
    old, new = odd.lifecycle(), odd.lifecycle(now="2026-02-20")
    assert wb.explain_change(old, new).frame["change"].sum() == 0


def test_empty_data_are_asked_at_present():
    bench = Bench(store_of({}))
    answer = bench.active_users()
    assert answer.frame.empty
    assert answer.notes == ()
    assert datetime.now(UTC) - bench.now < timedelta(minutes=1)
    assert bench.now > START
