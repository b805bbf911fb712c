"""Live numbers as a person reads them: frames, states, what is not known, and the words."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from tests.store.deliveries import put, table
from workbench.errors import NotEnoughData
from workbench.metrics.live import LiveNumbers
from workbench.store.live import LiveStore
from workbench.store.live_closed import closed_since
from workbench.store.live_health import health
from workbench.store.live_sqlite import SQLiteBlobs
from workbench.store.live_state import Policy
from workbench.testing import START, events_of

SECOND, TEN = timedelta(seconds=1), timedelta(seconds=10)


@pytest.fixture
def live(tmp_path):
    blobs = SQLiteBlobs(tmp_path / "live.db")
    yield LiveStore(blobs, Policy(lateness=5, horizon=600))
    blobs.close()


def numbers(live):
    return LiveNumbers(live.picture())


def test_before_the_first_event_there_is_nothing_to_say(live):
    with pytest.raises(NotEnoughData, match=r"no event.*live\.db"):
        numbers(live).volume()


def test_every_window_has_a_row_and_says_whether_it_is_over(live):
    put(live, {"ann": "message_sent:0 view:1 view:30"})
    put(live, {"bob": "message_sent:12"})
    volume = numbers(live).volume(width=TEN)
    assert volume.frame[["events", "messages", "state"]].values.tolist() == [
        [2, 1, "closed"], [1, 1, "revised"], [0, 0, "open"], [1, 0, "open"],
    ]  # fmt: skip
    assert volume.as_of == START + timedelta(seconds=30)
    assert volume.definition.lateness == timedelta(seconds=5)


def test_messages_per_second_are_those_of_the_last_minute_that_is_closed(live):
    put(live, {"ann": " ".join(f"message_sent:{second}" for second in range(0, 106, 2))})
    volume = numbers(live).volume()
    assert volume.messages_per_second == 0.5
    assert "0.5 messages a second" in volume.reading()
    assert volume.chart().marks[1].y[-1] == 1.0


def test_people_are_counted_exactly_over_a_minute_five_and_an_hour(live):
    put(live, {"ann": "view:0 view:400", "bob": "view:10", "cy": "view:350 view:420"})
    frame = numbers(live).active_users().frame
    assert frame[["users_1m", "users_5m", "users_60m", "state"]].values.tolist()[-3:] == [
        [1, 1, 3, "closed"], [1, 2, 3, "open"], [1, 2, 3, "open"],
    ]  # fmt: skip


def test_a_trailing_window_that_reaches_back_too_far_is_not_known(live):
    put(live, {"bob": "view:0"})
    put(live, {"bob": "view:5000 view:8000", "ann": "view:8001"})
    frame = numbers(live).active_users(last=timedelta(hours=2)).frame
    assert frame["users_60m"].isna().tolist()[:3] == [True, True, True]
    assert (frame["users_1m"].iloc[0], frame["users_60m"].iloc[-1]) == (1, 2)
    assert numbers(live).known_from > START


def test_errors_and_response_times_are_told_by_minute(live):
    for second, ms in ((0, 100), (10, 200), (70, 50)):
        put(
            live,
            {f"user {second}": f"request:{second}"},
            properties={"response_time_ms": ms, "status": 500 if ms == 200 else 200},
        )
    answer = numbers(live).performance()
    assert answer.frame[["requests", "errors", "timed", "state"]].values.tolist() == [
        [2, 1, 2, "closed"], [1, 0, 1, "open"],
    ]  # fmt: skip
    assert answer.frame["p50_ms"].tolist() == pytest.approx([100, 50], rel=0.01)
    assert "3 requests, of which 1 failed" in answer.reading()


def test_raids_are_those_in_progress_at_the_watermark_or_before(live):
    put(live, {"host": "raid_started:10", "ann": "raid_joined:20", "bob": "raid_joined:40"}, raid_id="r1")
    put(live, {"host": "raid_started:30 raid_ended:50"}, raid_id="r2")
    assert numbers(live).raids().frame[["raid_id", "participants"]].values.tolist() == [["r1", 2]]
    earlier = numbers(live).raids(at=START + timedelta(seconds=39))
    assert earlier.frame[["raid_id", "participants"]].values.tolist() == [["r1", 1], ["r2", 0]]
    assert "1 raid is in progress, joined by 2 people." in numbers(live).raids().reading()


def test_every_answer_can_be_drawn_shown_and_sent(live):
    put(live, {"ann": "message_sent:0 request:1 view:70"}, platform="web")
    read = numbers(live)
    for answer in (read.volume(), read.active_users(), read.performance(), read.raids()):
        assert answer.definition.question.startswith("live_")
        assert answer.data_version.startswith("live-")
        assert answer.chart().title
        assert "of 05 Jan 2026 00:01:10 UTC" in answer.reading()
        assert msgspec.json.encode(answer.to_dict())
        assert "<table" in answer._repr_html_()


def test_the_sources_say_what_became_of_every_message(live):
    put(live, {"ann": "view:700 view:700"}, rejected=2)
    put(live, {"bob": "view:5 view:690"})
    (row,) = numbers(live).sources().to_dict("records")
    assert [row[name] for name in ("position", "counted", "revised", "late", "duplicate", "rejected")] == [
        6,
        3,
        1,
        1,
        0,
        2,
    ]


def told(live, cursor=None):
    windows, cursor = closed_since(live, cursor)
    return [((window.start - START).seconds, window.events, window.state) for window in windows], cursor


def test_each_closed_window_is_told_once_and_again_when_it_was_revised(live):
    put(live, {"ann": "view:0 view:1 view:10"})
    first, cursor = told(live)
    assert first == [(0, 1, "closed"), (1, 1, "closed")]
    assert told(live, cursor) == ([], cursor)
    put(live, {"bob": "view:1 view:7 view:20"})
    second, cursor = told(live, cursor)
    assert second == [(1, 2, "revised"), (7, 1, "closed"), (10, 1, "closed")]
    assert told(live, cursor)[0] == []


def test_a_window_from_before_a_source_was_read_is_not_told(live):
    rows = table(events_of({"ann": "view:0 view:1 view:20"}, unit=SECOND), start=500)
    live.apply(rows, moved={"events-0": (0, 503)}, rejected={}, now=START + timedelta(days=1))
    assert told(live)[0] == []
    put(live, {"ann": "buy:12 buy:40"})
    assert told(live)[0] == [(12, 1, "closed"), (20, 1, "closed")]


def test_a_closed_window_is_json(live):
    put(live, {"ann": "request:0"}, properties={"response_time_ms": 80, "error": "timeout"}, platform="web")
    put(live, {"ann": "view:9"})
    (window,) = closed_since(live).windows
    read = msgspec.json.decode(msgspec.json.encode(window))
    assert read["start"] == "2026-01-05T00:00:00Z"
    assert read["cells"] == [{"platform": "web", "event_type": "request", "events": 1}]
    assert (read["requests"], read["errors"], read["timed"]) == (1, 1, 1)
    assert read["p99_ms"] == pytest.approx(80, rel=0.01)


def test_health_says_whether_anything_comes(live):
    assert health(live, now=START).reading() == "no event has come yet"
    put(live, {"ann": "view:0"}, now=START + timedelta(seconds=10))
    put(live, {"bob": "view:9"}, source="other", now=START + timedelta(seconds=50))
    assert health(live, now=START + timedelta(seconds=55)).reading() == "as of 2026-01-05 00:00:09 UTC; idle: events-0"
    later = health(live, now=START + timedelta(hours=1))
    assert later.stale
    assert "59 min 51 s behind the clock; nothing has come for 59 min 10 s" in later.reading()
    assert later.counts["counted"] == 2
    assert later.size > 0
