from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.communities import community
from workbench.errors import InvalidArgument
from workbench.metrics.moments import TRAILING, active_minutes, event_volume, raids_in_progress
from workbench.testing import START, store_of

NOW = "2026-02-01"
DAY = {"since": "2026-01-05", "until": "2026-01-06", "now": NOW}


def test_events_are_told_apart_by_platform_and_type():
    snapshot = community(
        ({"ann": "view:0 view:0.2 buy:0.5"}, {"platform": "web"}), ({"bob": "view:0 message_sent:1"}, {})
    )
    answer = event_volume(snapshot, now=NOW)
    assert answer.frame[["platform", "event_type", "events"]].astype(object).fillna("-").values.tolist() == [
        ["-", "view", 1], ["web", "buy", 1], ["web", "view", 2], ["-", "message_sent", 1],
    ]  # fmt: skip
    assert answer.windows[["events", "messages"]].values.tolist() == [[4, 0], [1, 1]]
    assert "5 events, 1 of them messages" in answer.reading()
    assert [line.y for line in answer.chart().marks] == [(4.0, 1.0), (0.0, 1.0)]


def test_windows_of_a_second_begin_on_the_second():
    frame = event_volume(store_of({"ann": "view:0.01 view:0.02"}).snapshot(), width="1s", now=NOW).frame
    assert frame["start"].dt.second.tolist() == [0, 1]


def test_nothing_in_a_time_has_no_windows():
    answer = event_volume(store_of({}).snapshot(), now=NOW)
    assert answer.windows.empty
    assert answer.reading() == "Nothing happened in this time."


@given(
    visits=st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 200)), min_size=1, max_size=25),
    since=st.integers(0, 150),
)
def test_trailing_windows_hold_whom_looking_at_each_minute_finds(visits, since):
    words = {user: " ".join(f"view:{minute}" for who, minute in visits if who == user) for user in "abcd"}
    begin, end = START + timedelta(minutes=since), START + timedelta(minutes=220)
    frame = active_minutes(store_of(words).snapshot(), since=begin, until=end, now=NOW).frame
    seen = [minute for _, minute in visits if minute > since - 60]
    if not seen:
        assert frame.empty
        return
    first = max(since, min(seen))
    assert frame["start"].tolist() == [START + timedelta(minutes=minute) for minute in range(first, 220)]
    for minute, row in zip(range(first, 220), frame.to_dict("records"), strict=True):
        for name, width in TRAILING.items():
            assert row[name] == len({user for user, when in visits if minute - width < when <= minute})


def test_minutes_are_those_of_the_last_day_unless_told_otherwise():
    snapshot = store_of({"ann": f"view:0 view:{3 * 24 * 60}"}).snapshot()
    frame = active_minutes(snapshot, now="2026-01-08T00:01:30").frame
    assert frame["users_60m"].tolist() == [1, 1]


def test_more_than_a_month_of_minutes_is_refused():
    with pytest.raises(InvalidArgument, match="31 days at most"):
        active_minutes(store_of({}).snapshot(), since="2025-01-01", now=NOW)


def test_the_reading_says_how_many_are_there():
    answer = active_minutes(
        store_of({"ann": "view:0 view:9", "bob": "view:3"}).snapshot(), **DAY | {"until": "2026-01-05T00:10"}
    )
    assert "1 people were there, 1 in 5 minutes and 2 in 60" in answer.reading()
    assert len(answer.chart().marks) == 3
    assert active_minutes(store_of({}).snapshot(), **DAY).reading() == "Nobody was active in this time."


RAIDS = (
    ({"host": "raid_started:10", "ann": "raid_joined:11 raid_joined:12", "bob": "raid_joined:30"}, {"raid_id": "r1"}),
    ({"host": "raid_started:20 raid_ended:40", "cy": "raid_joined:21"}, {"raid_id": "r2"}),
    ({"cy": "raid_joined:22"}, {"raid_id": "never started"}),
)


def at(minute):
    return raids_in_progress(community(*RAIDS), now=START + timedelta(minutes=minute)).frame[
        ["raid_id", "participants"]
    ]


def test_a_raid_is_in_progress_from_its_start_to_its_end_and_counts_each_person_once():
    assert at(9).empty
    assert at(25).values.tolist() == [["r1", 1], ["r2", 1]]
    assert at(39.9).values.tolist() == [["r1", 2], ["r2", 1]]
    assert at(40).values.tolist() == [["r1", 2]]


def test_a_raid_whose_end_was_never_told_is_over_after_a_day():
    assert len(at(10 + 24 * 60 - 1)) == 1
    assert at(10 + 24 * 60).empty


def test_raids_in_progress_are_read_and_drawn():
    answer = raids_in_progress(community(*RAIDS), now=START + timedelta(minutes=25))
    assert answer.reading() == "2 raids are in progress, joined by 2 people."
    assert answer.chart().marks[0].y == (1.0, 1.0)
    assert raids_in_progress(community(*RAIDS), now=START).reading() == "No raid is in progress."
