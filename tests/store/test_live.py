"""What every live store does, in a file or in Redis."""

from __future__ import annotations

import threading
from datetime import timedelta
from random import Random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.store.deliveries import Oracle, put, table, told
from workbench.errors import StoreConflict
from workbench.store.base import STORED_EVENT
from workbench.store.keys import user_key
from workbench.store.live_state import Policy, micros
from workbench.testing import START, events_of

BEGIN = micros(START) // 1_000_000
NOW = START + timedelta(days=1)


def seconds(live):
    return {second - BEGIN: sum(cell.values()) for second, cell in told(live.picture()).items()}


def source(live, name="events-0"):
    return live.state().sources[name]


def test_nothing_was_read_of_a_source_that_nobody_has_heard_of(live):
    assert live.position("events-0") == 0
    assert live.picture().minutes == {}


def test_events_are_counted_in_the_second_in_which_they_occurred(live):
    put(live, {"ann": "view:0 view:0.999 view:1", "bob": "view:61"})
    assert seconds(live) == {0: 2, 1: 1, 61: 1}


def test_people_are_distinct_in_a_minute(live):
    put(live, {"ann": "view:0 view:59", "bob": "view:30"})
    put(live, {"ann": "buy:20 view:60"})
    users = {start - BEGIN // 60: minute.users.tolist() for start, minute in live.picture().minutes.items()}
    assert users == {0: sorted([user_key("ann"), user_key("bob")]), 1: [user_key("ann")]}


def test_the_position_moves_with_the_numbers_also_where_all_was_rejected(live):
    put(live, {}, rejected=7)
    assert (live.position("events-0"), source(live).rejected, seconds(live)) == (7, 7, {})


def test_a_batch_without_rows_may_have_no_chunks_either(live):
    live.apply(STORED_EVENT.empty_table(), moved={"events-0": (0, 3)}, rejected={"events-0": 3}, now=NOW)
    assert live.position("events-0") == 3


def test_a_batch_that_was_applied_before_is_refused_and_counts_nothing(live):
    put(live, {"ann": "view:0"})
    again = table(events_of({"ann": "view:0", "bob": "view:0"}))
    with pytest.raises(StoreConflict, match="up to 1, not 0"):
        live.apply(again, moved={"events-0": (0, 2)}, rejected={}, now=NOW)
    assert seconds(live) == {0: 1}


def test_if_one_of_two_sources_is_not_where_its_batch_begins_neither_counts(live):
    put(live, {"ann": "view:0"}, source="b")
    batch = table(events_of({"bob": "view:0"}), source="a")
    with pytest.raises(StoreConflict, match="b is in the live numbers up to 1, not 0"):
        live.apply(batch, moved={"a": (0, 1), "b": (0, 1)}, rejected={}, now=NOW)
    assert (live.position("a"), seconds(live)) == (0, {0: 1})


def test_events_of_a_source_that_is_not_moved_are_refused(live):
    with pytest.raises(StoreConflict, match="events of"):
        live.apply(table(events_of({"ann": "view:0"})), moved={"other": (0, 1)}, rejected={}, now=NOW)


def test_an_event_that_is_sent_twice_counts_once_in_a_batch_and_across_batches_and_sources(live):
    twice = events_of({"ann": "view:5"}) * 2
    live.apply(table(twice), moved={"events-0": (0, 2)}, rejected={}, now=NOW)
    put(live, {"ann": "view:5"}, unit=timedelta(minutes=1), source="events-1")
    assert sum(seconds(live).values()) == 1
    assert (source(live).duplicate, source(live, "events-1").duplicate) == (1, 1)


def test_a_repeated_event_counts_as_history_counts_it_by_source_and_position(live):
    first, second = (events_of({"ann": "view:0"}, platform=platform) for platform in ("web", "discord"))
    batch = pa.concat_tables([table(second, source="b"), table(first, source="a")])
    live.apply(batch, moved={"a": (0, 1), "b": (0, 1)}, rejected={}, now=NOW)
    assert told(live.picture())[BEGIN] == {("web", "view"): 1}


def test_a_window_is_closed_when_the_watermark_is_its_lateness_past_it(opening):
    live = opening(Policy(lateness=5))
    put(live, {"ann": "view:0 view:10"})
    assert live.state().closed == BEGIN + 5


def test_an_event_of_a_closed_window_revises_it(opening):
    live = opening(Policy(lateness=5))
    put(live, {"ann": "view:0 view:10"})
    put(live, {"bob": "view:4 view:5"})
    minute = live.picture().minutes[BEGIN // 60]
    assert np.flatnonzero(minute.revised).tolist() == [4]
    assert source(live).revised == 1


def test_an_event_older_than_the_horizon_is_late_and_left_to_history(opening):
    live = opening(Policy(horizon=600))
    put(live, {"ann": "view:1000"})
    put(live, {"bob": "view:399.9 view:400"})
    assert (source(live).late, seconds(live)) == (1, {1000: 1, 400: 1})


def test_a_repeat_whose_id_was_forgotten_is_late_also_when_the_horizon_has_become_longer(opening):
    live = opening(Policy(horizon=600))
    put(live, {"ann": "view:0"})
    put(live, {"bob": "view:1000"})
    longer = opening(Policy(horizon=3600))
    put(longer, {"ann": "view:0"}, source="events-1")
    assert (source(longer, "events-1").late, seconds(longer)) == (1, {0: 1, 1000: 1})


def test_the_slowest_source_holds_the_watermark_back_until_it_is_idle(opening):
    live = opening(Policy(idle=30))
    put(live, {"ann": "view:100"}, source="fast", now=NOW)
    assert live.state().watermark == micros(START) + 100_000_000
    put(live, {"bob": "view:160"}, source="slow", now=NOW + timedelta(seconds=1))
    put(live, {"ann": "view:200"}, source="fast", now=NOW + timedelta(seconds=10))
    assert live.state().watermark == micros(START) + 160_000_000
    put(live, {"ann": "view:300"}, source="fast", now=NOW + timedelta(seconds=32))
    assert live.state().watermark == micros(START) + 300_000_000


def test_a_source_that_was_only_named_holds_the_watermark_back_until_it_is_idle(opening):
    live = opening(Policy(idle=30))
    batch = table(events_of({"ann": "view:1"}), source="fast")
    live.apply(batch, moved={"fast": (0, 1), "slow": (0, 0)}, rejected={}, now=NOW)
    assert live.state().watermark is None
    put(live, {"ann": "buy:2"}, source="fast", now=NOW + timedelta(seconds=31))
    assert live.state().watermark == micros(START) + 60_000_000


def test_the_watermark_never_goes_back(live):
    put(live, {"ann": "view:500"}, source="fast")
    put(live, {"bob": "view:7"}, source="slow")
    assert live.state().watermark == micros(START) + 500_000_000


def test_an_event_dated_ahead_of_the_clock_does_not_make_the_others_late(opening):
    live = opening(Policy(horizon=60))
    now = START + timedelta(seconds=30)
    put(live, {"ann": "view:10", "odd": "view:80000"}, now=now)
    put(live, {"bob": "view:12"}, now=now)
    assert live.state().watermark == micros(now)
    assert seconds(live) == {10: 1, 12: 1, 80000: 1}


def test_what_is_older_than_an_hour_before_the_horizon_is_dropped(opening):
    live = opening(Policy(horizon=600))
    put(live, {"ann": "view:0 view:60 view:4199"})
    assert sorted(seconds(live)) == [0, 60, 4199]
    put(live, {"ann": "view:4260"})
    assert sorted(seconds(live)) == [60, 4199, 4260]
    assert live.state().known_from == BEGIN + 60
    assert live.ids(BEGIN // 60 + 1).tolist() == []


def test_nothing_of_a_batch_remains_of_a_transaction_that_failed(live, monkeypatch):
    put(live, {"ann": "view:0"})

    def broken(*_):
        raise OSError("pulled out")

    monkeypatch.setattr("workbench.store.live.live_minutes.pack", broken)
    with pytest.raises(OSError, match="pulled out"):
        put(live, {"bob": "view:0"})
    monkeypatch.undo()
    put(live, {"bob": "view:0"})
    assert (seconds(live), source(live).duplicate) == ({0: 2}, 0)


def test_a_raid_is_in_progress_between_its_start_and_its_end(opening):
    live = opening()
    joins = {"ann": "raid_joined:20 raid_joined:25", "bob": "raid_joined:30"}
    put(live, {"host": "raid_started:10", **joins}, raid_id="r1")
    put(live, {"host": "raid_started:40 raid_ended:50"}, raid_id="r2")
    raids, people = live.state().raids, live.picture().raids
    assert raids["r1"].started == micros(START) + 10_000_000
    assert raids["r1"].ended is None
    assert raids["r2"].ended == micros(START) + 50_000_000
    assert people["r1"].participants(micros(START) + 30_000_000) == 1
    assert people["r1"].participants(micros(START) + 30_000_001) == 2


def test_errors_and_response_times_of_requests_are_kept(live):
    put(live, {"ann": "request:0 view:0"}, properties={"status": 503, "response_time_ms": 80})
    put(live, {"bob": "ai_interaction:1"}, properties={"error": "timeout"})
    put(live, {"cy": "request:1"}, properties={"status": 404, "response_time_ms": "12.5"})
    minute = live.picture().minutes[BEGIN // 60]
    assert minute.errors[:2].tolist() == [1, 1]
    assert minute.timed()[:2].tolist() == [1, 1]
    assert minute.of_types(("request", "ai_interaction"))[:2].tolist() == [1, 2]


def test_readers_see_what_another_has_written(opening):
    writer, reader = opening(), opening()
    put(writer, {"ann": "view:0"})
    assert seconds(reader) == {0: 1}
    put(writer, {"ann": "buy:0"})
    assert seconds(reader) == {0: 2}


def test_a_writer_knows_the_ids_that_another_has_counted(opening):
    one, other = opening(), opening()
    for number in range(80):  # more pieces than a minute may fall into
        writer = (one, other)[number % 2]
        put(writer, {"ann": "view:1", f"user {number}": "view:1"}, source=f"s{number % 2}")
    assert seconds(one) == {1: 81}
    assert source(one, "s0").duplicate + source(one, "s1").duplicate == 79
    assert len(one.ids(BEGIN // 60)) == 81


def test_writers_of_different_sources_do_not_hinder_each_other(opening):
    failures = []

    def write(name):
        mine = opening()
        try:
            for turn in range(12):
                put(mine, {f"{name} {turn}": "view:3 view:70"}, source=name)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(f"s{n}",)) for n in range(3)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert failures == []
    assert seconds(opening()) == {3: 36, 70: 36}


def test_of_two_writers_of_one_source_one_is_refused(opening):
    zombie, heir = opening(), opening()
    put(zombie, {"ann": "view:0"})
    put(heir, {"bob": "view:1"})
    with pytest.raises(StoreConflict):
        zombie.apply(table(events_of({"ann": "buy:9"}), start=1), moved={"events-0": (1, 2)}, rejected={}, now=NOW)
    assert seconds(heir) == {0: 1, 1: 1}


EVENTS = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 1500), st.sampled_from(["view", "request"]), st.integers(0, 1)),
    max_size=40,
)


@settings(max_examples=40)
@given(events=EVENTS, seed=st.integers(0, 2**32), lateness=st.sampled_from([0, 7]))
def test_windows_hold_what_counting_one_event_after_the_other_gives(opening, events, seed, lateness):
    """Two sources, batches of any size, duplicates, and lateness by chance."""
    policy, chance = Policy(lateness=lateness, horizon=300, idle=20), Random(seed)  # noqa: S311 - made-up deliveries
    live, oracle = opening.elsewhere(policy), Oracle(policy)
    waiting = {"s0": [], "s1": []}
    for user, when, event_type, where in events:
        platform = chance.choice(["web", None])
        made = events_of({user: f"{event_type}:{when}"}, unit=timedelta(seconds=1), platform=platform)
        waiting[f"s{where}"] += made * chance.choice([1, 1, 1, 2])
    positions, now = dict.fromkeys(waiting, 0), NOW
    while any(waiting.values()):
        rows, moved, tables = [], {}, []
        now += timedelta(seconds=chance.choice([1, 5, 40]))
        for name, queue in waiting.items():
            taken = [queue.pop(0) for _ in range(min(len(queue), chance.randint(0, 9)))]
            moved[name] = (positions[name], positions[name] + len(taken))
            rows += [(name, positions[name] + number, event) for number, event in enumerate(taken)]
            tables.append(table(taken, source=name, start=positions[name]))
            positions[name] += len(taken)
        live.apply(pa.concat_tables(tables), moved=moved, rejected={}, now=now)
        oracle.apply(rows, moved=moved, now=now)
    assert_same(live, oracle)


def assert_same(live, oracle):
    state, picture = live.state(), live.picture()
    assert state.watermark == oracle.watermark
    if oracle.watermark is None:
        return
    kept = oracle.kept()
    assert told(picture) == {second: cell for second, cell in oracle.seconds.items() if second // 60 in kept}
    for start, minute in picture.minutes.items():
        assert minute.users.tolist() == sorted(user_key(user) for user in oracle.users[start])
        revised = {start * 60 + second: int(n) for second, n in enumerate(minute.revised) if n}
        assert revised == {second: n for second, n in oracle.revised.items() if second // 60 == start}
    for name, counts in oracle.counts.items():
        known = state.sources[name]
        assert {"late": known.late, "duplicate": known.duplicate, "counted": known.counted} == {
            what: counts[what] for what in ("late", "duplicate", "counted")
        }
        assert known.revised == counts["revised"]
