"""What the data cover: the last day, on every kind of clock, and where questions begin."""

from datetime import UTC, datetime, timedelta

import pytest

from workbench.metrics.coverage import Coverage, coverage, span
from workbench.testing import MemoryStore, events_of, store_of, stored

START = datetime(2026, 1, 5, tzinfo=UTC)
MICRO = timedelta(microseconds=1)


def at(*instants: datetime) -> MemoryStore:
    """Make a store with one event at each instant."""
    events = [event for number, when in enumerate(instants) for event in events_of({f"u{number}": "e:0"}, start=when)]
    return MemoryStore(stored(events))


def test_a_day_with_an_event_in_its_last_hour_is_covered_to_its_end():
    assert coverage(store_of({"ann": "view:0 view:1380"}).snapshot()).end == datetime(2026, 1, 6, tzinfo=UTC)


def test_a_day_that_stops_earlier_is_covered_until_just_after_the_last_event():
    found = coverage(store_of({"ann": "view:0 view:1379"}).snapshot())
    assert found.end == datetime(2026, 1, 5, 22, 59, tzinfo=UTC) + MICRO
    assert (found.first, found.begin, found.last) == (START, START, datetime(2026, 1, 5, 22, 59, tzinfo=UTC))


def test_the_last_hour_is_that_of_the_clocks_of_the_zone():
    events = at(datetime(2026, 1, 5, 22, 30, tzinfo=UTC)).snapshot()
    assert coverage(events, "Europe/Berlin").end == datetime(2026, 1, 5, 23, tzinfo=UTC)
    assert coverage(events, "UTC").end == datetime(2026, 1, 5, 22, 30, tzinfo=UTC) + MICRO


@pytest.mark.parametrize(
    ("tz", "last", "end"),
    [
        # the clock jumps over midnight: the day ends where it jumps
        ("America/Santiago", "2026-09-06T03:30", "2026-09-06T04:00"),
        ("Africa/Cairo", "2026-04-23T21:30", "2026-04-23T22:00"),
        ("Asia/Beirut", "2026-03-28T21:30", "2026-03-28T22:00"),
        ("America/Havana", "2026-03-08T04:30", "2026-03-08T05:00"),
        # midnight comes twice: the day ends at the first, or after its second last hour
        ("America/Havana", "2026-11-01T03:30", "2026-11-01T04:00"),
        ("America/Santiago", "2026-04-05T03:30", "2026-04-05T04:00"),
        ("Africa/Cairo", "2026-10-29T21:30", "2026-10-29T22:00"),
    ],
)
def test_days_without_midnight_or_with_two_end_where_the_next_one_begins(tz: str, last: str, end: str):
    events = at(datetime.fromisoformat(last).replace(tzinfo=UTC)).snapshot()
    assert coverage(events, tz).end == datetime.fromisoformat(end).replace(tzinfo=UTC)


def test_no_data_cover_nothing_and_now_is_the_present():
    nothing = at().snapshot()
    assert coverage(nothing) == Coverage()
    assert coverage(nothing).now(START) == START


def test_now_is_the_present_where_the_data_reach_it():
    found = coverage(store_of({"ann": "view:0 view:1380"}).snapshot())
    assert found.now(START) == START
    assert found.now(START + timedelta(days=99)) == datetime(2026, 1, 6, tzinfo=UTC)


def test_an_event_of_1970_is_no_beginning_and_the_question_says_so():
    events = at(datetime(1970, 1, 1, tzinfo=UTC), *[START + timedelta(hours=hour) for hour in range(480)]).snapshot()
    found = coverage(events)
    assert (found.begin, found.early, found.first) == (START, 1, datetime(1970, 1, 1, tzinfo=UTC))
    asked = span(events, None, None, None)
    assert asked.since == START
    assert "Starts 2026-01-05: 1 event before it, from 1970-01-01, is left out." in asked.notes
    assert span(events, "1970-01-01", None, None).since == datetime(1970, 1, 1, tzinfo=UTC)


def test_wrong_clocks_of_several_years_are_all_left_out():
    wrong = [datetime(year, 1, 1, tzinfo=UTC) for year in (1970, 1980, 2000, 2015)]
    found = coverage(at(*wrong, *[START + timedelta(hours=hour) for hour in range(480)]).snapshot())
    assert (found.begin, found.early) == (START, 4)


def test_a_slow_start_of_a_young_community_is_kept():
    slow = [START - timedelta(days=31 * month) for month in range(12, 0, -1)]
    found = coverage(at(*slow, *[START + timedelta(minutes=minute) for minute in range(3000)]).snapshot())
    assert (found.begin, found.early) == (slow[0], 0)


def test_a_first_year_that_is_more_than_a_few_events_is_kept():
    first = [START - timedelta(days=800, hours=hour) for hour in range(60, 0, -1)]
    found = coverage(at(*first, *[START + timedelta(hours=hour) for hour in range(480)]).snapshot())
    assert (found.begin, found.early) == (first[0], 0)


def test_an_event_from_the_far_future_does_not_stretch_the_data():
    found = coverage(at(START, datetime(2199, 1, 1, tzinfo=UTC)).snapshot())
    assert (found.last, found.end) == (START, START + MICRO)


def test_the_data_do_not_end_where_a_group_of_people_leaves():
    whole = store_of({"ann": "view:0", "bob": "view:0 view:14000"}).snapshot()
    ann = whole.query("SELECT user_key FROM events WHERE user_id = 'ann'")["user_key"].to_numpy()
    only = whole.only(ann, people="ann")
    assert coverage(only).end == coverage(whole).end
    assert coverage(only.known(START + timedelta(days=9))).end == coverage(whole.known(START + timedelta(days=9))).end


def test_the_end_is_said_where_it_is_not_the_present():
    (note,) = span(store_of({"ann": "view:0 view:1380"}).snapshot(), None, None, None).notes
    assert note == "The data end at 2026-01-06 00:00 UTC; nothing later is counted."
    assert span(store_of({"ann": "view:0"}).snapshot(), None, None, "2026-02-01").notes == ()
