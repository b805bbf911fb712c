from __future__ import annotations

import contextlib
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ingest.queue import History, Numbers, Queue, message
from workbench.errors import SourceError, StoreCorrupt, StoreFull
from workbench.ingest import ledger, rejects
from workbench.ingest.base import Gap
from workbench.ingest.consumer import Consumer
from workbench.ingest.failpoints import NAMES, Failpoints
from workbench.ingest.status import Limits
from workbench.store.lake import LakeStore

QUICK = Limits(rows=60, pause_seconds=0.01, seconds=0.01, watch_seconds=0.02, revoke_seconds=2, stuck_seconds=0.1)


@pytest.fixture
def history(tmp_path):
    return History(tmp_path / "control.db")


def messages(start, end):
    return [message(number) for number in range(start, end)]


def ids(*numbers):
    return sorted(f"e{number}" for number in numbers)


def consume(queue, history, numbers=None, *, until=None, seconds=10, limits=QUICK, **more):
    """Run a consumer until something is so, by default until all is committed; return its last status."""
    consumer = Consumer(queue.open, history, numbers, limits=limits, **more)

    def all_is_committed():
        stores = (history, numbers) if numbers is not None else (history,)
        return all(s.position(name) >= len(held) for s in stores for name, held in queue.partitions.items())

    def watch():
        patience = time.monotonic() + seconds
        try:
            while not ended.is_set() and not (until or all_is_committed)() and time.monotonic() < patience:
                time.sleep(0.005)
        finally:
            consumer.stop()

    ended = threading.Event()
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        return consumer.run()
    finally:
        ended.set()
        watcher.join()


def test_every_message_of_every_partition_arrives_once_and_says_where_it_stood(history):
    status = consume(Queue({"t-0": messages(0, 130), "t-1": messages(130, 150)}), history)
    assert history.ids() == ids(*range(150))
    assert {(row["source"], row["position"]) for row in history.rows()} == {
        *(("t-0", at) for at in range(130)),
        *(("t-1", at) for at in range(20)),
    }
    assert (status.read, status.events, status.positions) == (150, 150, {"t-0": 130, "t-1": 20})


def test_it_goes_on_where_it_was_stopped(history):
    queue = Queue({"t-0": messages(0, 100)})
    consume(queue, history)
    queue.partitions["t-0"] += messages(100, 170)
    consume(queue, history)
    assert history.ids() == ids(*range(170))


def test_the_queue_is_told_where_the_store_has_come_to(history):
    queue = Queue({"t-0": messages(0, 100)})
    consume(queue, history)
    assert queue.sources[0].told == {"t-0": 100}
    assert queue.sources[0].closed


def test_what_is_no_event_is_set_aside_as_it_came_and_may_be_tried_again_once(tmp_path):
    lake = LakeStore(tmp_path / "lake")
    broken = message(2).replace(b"occurred_at", b"when")
    status = consume(Queue({"my-topic-0": [message(0), broken, None, message(1), b'{"event_id"']}), lake)
    assert (status.events, status.rejected) == (2, {"missing_field": 1, "bad_json": 2})
    found = {row.position: (row.reason, row.original) for row in rejects.list_(lake.control)}
    assert found == {1: ("missing_field", broken), 2: ("bad_json", b""), 4: ("bad_json", b'{"event_id"')}
    mapping = tmp_path / "fixed.yaml"
    mapping.write_text(
        "fields: {event_id: event_id, event_type: event_type, user_id: user_id, occurred_at: when}\ntime: iso\n"
    )
    assert [rejects.replay(lake, mapping=mapping).accepted for _ in range(2)] == [1, 0]
    rows = lake.snapshot().query("SELECT event_id FROM events")
    assert sorted(rows["event_id"].to_pylist()) == ids(0, 1, 2)


def test_the_same_rejects_are_set_aside_once_however_often_a_batch_is_repeated(history):
    history.breaks = {1: StoreCorrupt("stop")}
    queue = Queue({"t-0": [b"poison", message(0)]})
    with pytest.raises(StoreCorrupt):
        consume(queue, history)
    assert len(rejects.list_(history.control)) == 1
    consume(queue, history)
    assert len(rejects.list_(history.control)) == 1
    assert history.ids() == ids(0)


class Crash(BaseException):
    """Ends a consumer anywhere, as a kill does."""


@pytest.mark.parametrize("passes", [0, 1])
@pytest.mark.parametrize("name", NAMES)
def test_no_moment_is_a_bad_one_to_die(history, name, passes):
    left, numbers = [passes], Numbers()

    def crash():
        left[0] -= 1
        if left[0] == -1:
            raise Crash

    held = [*messages(0, 100), b"poison", *messages(100, 150), b"poison"]
    queue = Queue({"t-0": held, "t-1": messages(150, 300)})
    with contextlib.suppress(Crash):
        consume(queue, history, numbers, failpoints=Failpoints({name: crash}))
    consume(queue, history, numbers)
    assert history.ids() == ids(*range(300))
    assert dict(numbers.counted) == dict.fromkeys(ids(*range(300)), 1)
    assert numbers.rejected["t-0"] == len(rejects.list_(history.control)) == 2


def test_live_numbers_that_are_behind_are_brought_up_without_history_hearing_of_it(history):
    numbers = Numbers()
    queue = Queue({"t-0": messages(0, 200)})
    consume(queue, history)
    numbers.positions["t-0"] = 150
    queue.partitions["t-0"] += messages(200, 250)
    queue.recent = {"t-0": 0}
    consume(queue, history, numbers)
    assert history.ids() == ids(*range(250))
    assert sorted(numbers.counted) == ids(*range(150, 250))


def test_live_windows_wait_for_a_partition_that_has_messages_and_was_not_fetched_yet(history):
    numbers = Numbers()
    queue = Queue({"t-0": messages(0, 40), "t-1": messages(40, 80), "t-2": []})
    queue.stuck = {"t-1"}
    queue.script = [lambda source: source.assign("t-0", "t-1", "t-2")]
    queue.silent = True
    consume(queue, history, numbers, until=lambda: history.position("t-0") == 40)
    assert numbers.named[0] == {"t-0": (0, 40), "t-1": (0, 0)}


def test_live_numbers_that_are_new_are_given_the_last_hour_only(history):
    numbers = Numbers()
    queue = Queue({"t-0": messages(0, 200)})
    consume(queue, history)
    queue.recent = {"t-0": 180}
    consume(queue, history, numbers)
    assert sorted(numbers.counted) == ids(*range(180, 200))
    assert numbers.position("t-0") == 200


def test_a_history_that_was_put_back_is_filled_without_counting_live_again(history):
    numbers = Numbers()
    queue = Queue({"t-0": messages(0, 120)})
    consume(queue, history, numbers)
    anew = History(history.control)
    consume(queue, anew, numbers)
    assert anew.ids() == ids(*range(120))
    assert set(numbers.counted.values()) == {1}


def test_what_another_process_committed_first_is_left_to_it(history):
    queue = Queue({"t-0": messages(0, 300), "t-1": messages(300, 400)}, most=30)

    def another(source):
        history.positions["t-0"] = 250  # it read these, and is ahead of us

    queue.script = [None, another]
    status = consume(queue, history)
    assert status.fenced >= 1
    mine = [row["position"] for row in history.rows() if row["source"] == "t-0"]
    assert len(mine) == len(set(mine))
    assert not {at for at in mine if at >= 250} ^ set(range(250, 300))
    assert [row["event_id"] for row in history.rows() if row["source"] == "t-1"] == [f"e{n}" for n in range(300, 400)]


def test_who_is_no_member_any_more_does_not_read_on_after_it_was_refused(history):
    queue = Queue({"t-0": messages(0, 300)}, most=30, confirms=False)

    def another(source):
        history.positions["t-0"] = 200

    queue.script = [None, another]
    tries = len(history.tables)
    consume(queue, history, until=lambda: queue.sources and len(queue.sources[0].confirmed) > 3)
    assert history.position("t-0") == 200
    assert all(row["position"] < 200 for row in history.rows())
    assert len(history.tables) - tries <= 2


def test_what_is_revoked_is_committed_first_and_what_is_lost_is_discarded(history):
    slow = Limits(rows=1000, seconds=60, revoke_seconds=2)
    queue = Queue({"t-0": messages(0, 40), "t-1": messages(40, 80)})
    queue.script = [
        lambda source: source.assign("t-0", "t-1"),
        lambda source: source.lose("t-1"),
        lambda source: source.revoke("t-0"),
    ]
    queue.silent = True
    status = consume(queue, history, limits=slow, until=lambda: not queue.script and history.calls)
    assert history.ids() == ids(*range(40))
    assert status.positions == {}


def test_a_slow_store_holds_the_queue_back(history):
    seen = []
    append = history.append_all

    def slow(events, **more):
        time.sleep(0.05)
        return append(events, **more)

    history.append_all = slow
    queue = Queue({"t-0": messages(0, 1500)})
    limits = Limits(rows=100, seconds=0.01, pause_seconds=0.01)
    consumer_rows = []
    consume(queue, history, limits=limits, progress=lambda status: seen.append(status.state))
    consumer_rows = [table.num_rows for table in history.tables]
    assert history.ids() == ids(*range(1500))
    assert queue.pauses > 3
    assert max(consumer_rows) <= limits.rows + queue.most


def test_a_full_disk_is_waited_for_and_told_and_loses_nothing(history):
    history.breaks = {number: StoreFull("no space left for the lake") for number in (1, 2, 3)}
    told = []
    consumer = Consumer(Queue({"t-0": messages(0, 100)}).open, history, limits=QUICK)

    def watch():
        while history.position("t-0") < 100:
            told.append(consumer.status().trouble)
            time.sleep(0.01)
        consumer.stop()

    threading.Thread(target=watch).start()
    last = consumer.run()
    assert "no space left for the lake" in told
    assert last.trouble is None
    assert history.ids() == ids(*range(100))
    assert rejects.list_(history.control) == []


def test_a_stop_ends_the_waiting_for_a_full_disk(history):
    history.breaks = dict.fromkeys(range(1, 1000), StoreFull("no space left"))
    queue = Queue({"t-0": messages(0, 10)})
    began = time.monotonic()
    consume(queue, history, until=lambda: history.calls > 1)
    assert time.monotonic() - began < 5
    assert history.ids() == []


def test_a_commit_whose_answer_was_lost_is_not_made_twice(history):
    history.breaks = {-1: OSError("the disk that holds the log is full, but the commit is in it")}
    consume(Queue({"t-0": messages(0, 50)}), history)
    assert history.ids() == ids(*range(50))


def test_a_store_that_is_damaged_ends_the_stream(history):
    history.breaks = {1: StoreCorrupt("a file is missing")}
    with pytest.raises(StoreCorrupt, match="a file is missing"):
        consume(Queue({"t-0": messages(0, 50)}), history)


def test_what_cannot_be_read_is_stepped_over_and_noted(history):
    gap = Gap(2, 5, "corrupt", "failed crc check")
    held = [message(0), message(1), gap, gap, gap, message(5)]
    consume(Queue({"t-0": held}), history)
    assert history.ids() == ids(0, 1, 5)
    assert [(g.source, g.start, g.end, g.reason) for g in ledger.gaps(history.control)] == [("t-0", 2, 5, "corrupt")]


def test_what_was_deleted_before_it_was_read_is_noted(history):
    queue = Queue({"t-0": messages(0, 100)})
    consume(queue, history)
    queue.partitions["t-0"] += messages(100, 200)
    queue.begins = {"t-0": 150}
    consume(queue, history)
    assert history.ids() == ids(*range(100), *range(150, 200))
    assert [(g.start, g.end, g.reason) for g in ledger.gaps(history.control)] == [(100, 150, "expired")]


def test_a_topic_that_began_before_us_has_no_gap(history):
    consume(Queue({"t-0": messages(0, 100)}, begins={"t-0": 40}), history)
    assert history.ids() == ids(*range(40, 100))
    assert ledger.gaps(history.control) == []


def test_a_topic_that_was_made_anew_is_refused(history):
    history.positions["t-0"] = 1_000
    with pytest.raises(SourceError, match="read up to offset 1,000, and ends at 3: the topic was made anew"):
        consume(Queue({"t-0": messages(0, 3)}), history, until=lambda: False)


def test_a_partition_that_gives_nothing_though_it_has_is_connected_to_anew(history):
    queue = Queue({"t-0": messages(0, 50), "t-1": messages(50, 100)}, stuck={"t-1"})

    def heal():
        if len(queue.sources) > 1:
            queue.stuck.clear()
        return history.position("t-1") == 50

    status = consume(queue, history, until=heal)
    assert status.reopened >= 1
    assert history.ids() == ids(*range(100))


def test_a_queue_that_is_away_while_it_is_connected_to_anew_is_waited_for(history, monkeypatch):
    monkeypatch.setattr("workbench.ingest.consumer.LONGEST_WAIT", 0.02)
    queue = Queue({"t-0": messages(0, 50), "t-1": messages(50, 100)}, stuck={"t-1"})
    opened, failures = queue.open, [SourceError("no Kafka answers")] * 3
    told = []

    def open_source(listener):
        if queue.sources and failures:
            raise failures.pop()
        if queue.sources:
            queue.stuck.clear()
        return opened(listener)

    consumer = Consumer(open_source, history, limits=QUICK)

    def watch():
        until = time.monotonic() + 10
        while history.position("t-1") < 50 and time.monotonic() < until:
            told.append(consumer.status().trouble)
            time.sleep(0.002)
        consumer.stop()

    threading.Thread(target=watch).start()
    last = consumer.run()
    assert history.ids() == ids(*range(100))
    assert "no Kafka answers" in told
    assert (last.reopened, last.trouble) == (1, None)


def test_what_arrived_is_sorted_now_and_then_beside_the_stream(history):
    limits = Limits(rows=50, seconds=0.01, maintain_rows=100)
    consume(Queue({"t-0": messages(0, 500)}), history, limits=limits)
    assert history.sorted >= 1


def test_progress_is_told_while_it_reads(history):
    told = []
    queue = Queue({"t-0": messages(0, 10)})
    consume(queue, history, until=lambda: len(told) > 1, progress=told.append)
    assert told[-1].state == "waiting"
    assert told[-1].read == 10


def test_an_unknown_failpoint_is_refused():
    with pytest.raises(Exception, match="no failpoint 'nowhere': there are on_assigned, after_poll"):
        Failpoints({"nowhere": print})


MOVES = st.lists(
    st.sampled_from(["read", "another", "revoke", "lose", "hidden", "full", "behind"]), min_size=1, max_size=12
)


@settings(max_examples=40)
@given(moves=MOVES)
def test_whatever_the_group_and_the_store_do_each_event_counts_once(tmp_path_factory, moves):
    history = History(tmp_path_factory.mktemp("story") / "control.db")
    numbers = Numbers()
    queue = Queue({"t-0": messages(0, 90), "t-1": messages(90, 180)}, most=20, recent={"t-0": 0, "t-1": 0})

    def another(source):
        """Another process reads twenty messages of a partition into both stores."""
        start = history.position("t-0")
        if start != numbers.position("t-0"):
            return
        one = History(history.control)
        one.positions["t-0"], mine = start, Numbers()
        mine.positions["t-0"] = start
        part = Queue({"t-0": queue.partitions["t-0"][: min(90, start + 20)]})
        consume(part, one, mine, seconds=2)
        if history.position("t-0") == start == numbers.position("t-0"):
            history.tables += one.tables
            history.positions.update(one.positions)
            numbers.counted.update(mine.counted)
            numbers.positions.update(mine.positions)

    turns = {
        "read": lambda source: None,
        "another": another,
        "revoke": lambda source: source.revoke("t-0"),
        "lose": lambda source: source.lose("t-0", "t-1"),
        "hidden": lambda source: history.breaks.update({-(history.calls + 1): OSError("hidden")}),
        "full": lambda source: history.breaks.update({history.calls + 1: StoreFull("no space left")}),
        "behind": lambda source: numbers.breaks.update({numbers.calls + 1: StoreFull("no space left")}),
    }
    queue.script = [turns[move] for move in moves]

    def all_there():
        for source in queue.sources:  # a group gives every partition to somebody in the end
            missing = queue.partitions.keys() - source.offsets.keys()
            if missing and not queue.script:
                queue.script = [lambda at, missing=missing: at.assign(*missing)]
        return all(s.position(name) == 90 for s in (history, numbers) for name in queue.partitions)

    consume(queue, history, numbers, until=all_there, limits=Limits(rows=40, seconds=0.005, revoke_seconds=1))
    assert history.ids() == ids(*range(180))
    assert dict(numbers.counted) == dict.fromkeys(ids(*range(180)), 1)
