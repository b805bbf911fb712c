"""A stream into a server of ClickHouse that loses answers, or is away."""

from __future__ import annotations

import itertools
import threading
import time

import pytest

from tests.clickhouse_proxy import PASS, SWALLOW, between
from tests.ingest.queue import Queue
from tests.ingest.test_consumer import QUICK, consume, ids, messages
from workbench.store.clickhouse import ClickHouseStore


@pytest.fixture
def server(clickhouse_server):
    if not clickhouse_server.is_ours:
        pytest.skip("a server that is named is not switched off")
    yield clickhouse_server
    ClickHouseStore(clickhouse_server.dsn).clear()


def ids_of(store):
    return store.snapshot().query("SELECT event_id FROM events ORDER BY event_id")["event_id"].to_pylist()


def test_every_message_of_every_partition_arrives_once(server, tmp_path):
    store = ClickHouseStore(server.dsn, control=tmp_path)
    status = consume(Queue({"t-0": messages(0, 130), "t-1": messages(130, 150)}), store, seconds=60)
    assert ids_of(store) == ids(*range(150))
    assert (status.read, status.events, status.positions) == (150, 150, {"t-0": 130, "t-1": 20})


@pytest.mark.parametrize("lost", ["INSERT INTO `events`", "param_kind=claimed", "param_kind=complete"])
def test_what_was_committed_without_an_answer_counts_once(server, tmp_path, lost):
    with between(server.port) as proxy:
        store, turn = ClickHouseStore(proxy.dsn(), control=tmp_path), itertools.count()
        proxy.fault = lambda asked: SWALLOW if lost in asked and next(turn) % 2 == 0 else PASS
        consume(Queue({"t-0": messages(0, 300)}), store, seconds=60)
        assert proxy.count(SWALLOW) >= 1
    assert ids_of(store) == ids(*range(300))
    assert store.position("t-0") == 300


def test_a_stream_waits_for_a_server_that_is_away_without_reading_on(server, tmp_path):
    store = ClickHouseStore(server.dsn, control=tmp_path)
    queue = Queue({"t-0": messages(0, 5_000)})
    read = []

    def off_and_on():
        for _ in range(3):
            time.sleep(0.4)
            server.stop()
            time.sleep(0.7)
            read.append((queue.sources[0].offsets["t-0"], 0))
            time.sleep(0.5)
            read.append((queue.sources[0].offsets["t-0"], 1))
            server.start()

    switch = threading.Thread(target=off_and_on)
    switch.start()
    consume(queue, store, seconds=90, until=lambda: not switch.is_alive() and store.position("t-0") == 5_000)
    switch.join()
    assert ids_of(store) == ids(*range(5_000))
    assert [before for before, _ in read[::2]] == [after for after, _ in read[1::2]]


def test_two_processes_share_the_partitions_and_lose_nothing(server, tmp_path):
    stores = [ClickHouseStore(server.dsn, control=tmp_path / str(number)) for number in range(2)]
    queues = [Queue({f"t-{number}": messages(0, 400)}) for number in range(2)]
    threads = [
        threading.Thread(target=consume, args=(queue, store), kwargs={"seconds": 60, "limits": QUICK})
        for queue, store in zip(queues, stores, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ids_of(stores[0]) == ids(*range(400))
    assert [stores[0].position(f"t-{number}") for number in range(2)] == [400, 400]
