from __future__ import annotations

from workbench.metrics.messages import message_volume
from workbench.testing import START, store_of

NOW = "2026-02-01"
DAY = 24 * 60


def test_a_first_message_is_a_message_and_a_view_is_none():
    journeys = {"ann": "first_message:0 message_sent:5 view:6", "bob": f"message_sent:{DAY}"}
    answer = message_volume(store_of(journeys).snapshot(), now=NOW)
    assert answer.frame[["messages", "users"]].to_numpy().tolist() == [[2, 1], [1, 1]]
    assert "3 messages in 2 days" in answer.reading()


def test_the_hour_that_autumn_shows_twice_is_one_row():
    store = store_of({"ann": "message_sent:30 message_sent:90 message_sent:150"}, start=START.replace(month=10, day=25))
    frame = message_volume(store.snapshot(), period="hour", tz="Europe/Berlin", now="2026-12-01").frame
    assert frame["messages"].tolist() == [2, 1]
    assert frame["period"].dt.hour.tolist() == [2, 3]
