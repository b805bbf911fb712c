"""The store on a server of ClickHouse that is slow, loses answers or goes away; and several writers at once."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest

from tests.clickhouse_proxy import CUT, PASS, STALL, SWALLOW, between
from workbench.errors import StoreAway, StoreConflict
from workbench.events import to_table
from workbench.store.base import as_stored
from workbench.store.clickhouse import ClickHouseStore
from workbench.store.clickhouse_log import Log
from workbench.testing import START, events_of

ROWS, CLAIM, OUTCOME = "INSERT INTO `events`", "param_kind=claimed", "param_kind=complete"


@pytest.fixture
def server(clickhouse_server):
    if not clickhouse_server.is_ours:
        pytest.skip("a server that is named is not stood before")
    yield clickhouse_server
    ClickHouseStore(clickhouse_server.dsn).clear()


@pytest.fixture
def proxy(server):
    with between(server.port) as stands:
        yield stands


def batch(names):
    events = to_table([event for name in names for event in events_of({name: "view:0"})])
    return events.append_column("position", pa.array(range(events.num_rows), pa.int64()))


def ids_of(store):
    return store.snapshot().query("SELECT event_id FROM events ORDER BY event_id")["event_id"].to_pylist()


def once(fault, where):
    """Do something to every second request of a kind: to the first try, not to the second."""
    turn = itertools.count()
    return lambda statement: fault if where in statement and next(turn) % 2 == 0 else PASS


@pytest.mark.parametrize("fault", [SWALLOW, CUT, STALL])
@pytest.mark.parametrize("where", [ROWS, CLAIM, OUTCOME])
def test_a_commit_of_which_no_answer_came_counts_once(proxy, fault, where):
    store = ClickHouseStore(proxy.dsn(timeout=1))
    proxy.fault = once(fault, where)
    with pytest.raises(StoreAway, match="does not answer"):
        store.append(batch(["ann", "bob"]), source="s", start=0, end=2, ingested_at=START)
    if store.position("s") == 0:
        assert store.append(batch(["ann", "bob"]), source="s", start=0, end=2, ingested_at=START) == 0
    assert proxy.count(fault) == 1
    assert (store.position("s"), len(ids_of(store))) == (2, 2)
    with pytest.raises(StoreConflict):
        store.append(batch(["ann", "bob"]), source="s", start=0, end=2, ingested_at=START)


def test_what_a_dead_writer_left_holds_others_up_for_a_while_only(server, monkeypatch):
    monkeypatch.setattr("workbench.store.clickhouse.LEASE_SECONDS", 0.3)
    dead, alive = (ClickHouseStore(server.dsn) for _ in range(2))
    number = dead._log.claim()
    dead._write(as_rows(["ann"]), np.array([True]), number, {"s": (0, 1)})
    assert alive.append(batch(["ann"]), source="s", start=0, end=1, ingested_at=START) == 0
    assert not dead._log.complete(number, dead._log.head(), rows=1, what="late")
    assert (alive.position("s"), len(ids_of(alive))) == (1, 1)
    assert alive.snapshot().head.given_up == (number,)


def as_rows(names):
    return as_stored(batch(names), source="s", ingested_at=START)


def test_writers_of_several_sources_that_bring_the_same_events_count_each_once(server):
    stores = [ClickHouseStore(server.dsn) for _ in range(3)]
    ready = threading.Barrier(len(stores))

    def write(number):
        ready.wait()
        return sum(
            stores[number].append(
                batch([f"p{turn + each}" for each in range(20)]),
                source=f"s{number}", start=turn * 20, end=turn * 20 + 20, ingested_at=START,
            )
            for turn in range(6)
        )  # fmt: skip

    with ThreadPoolExecutor(len(stores)) as pool:
        repeated = sum(pool.map(write, range(len(stores))))
    ids = ids_of(stores[0])
    assert len(ids) == len(set(ids)) == 25
    assert repeated == 3 * 6 * 20 - 25
    assert [stores[0].position(f"s{number}") for number in range(3)] == [120] * 3


def test_of_two_writers_of_one_source_one_is_refused(server):
    stores = [ClickHouseStore(server.dsn) for _ in range(2)]
    ready = threading.Barrier(len(stores))

    def write(number):
        won = 0
        for turn in range(8):
            ready.wait()
            try:
                events = batch([f"w{number}-{turn}"])
                stores[number].append(events, source="s", start=turn, end=turn + 1, ingested_at=START)
                won += 1
            except StoreConflict:
                pass
            ready.wait()
        return won

    with ThreadPoolExecutor(len(stores)) as pool:
        won = list(pool.map(write, range(2)))
    assert sum(won) == 8
    assert (stores[0].position("s"), len(ids_of(stores[0]))) == (8, 8)


def test_a_claim_is_of_one_writer(server):
    store = ClickHouseStore(server.dsn)
    logs = [Log(store._do, store._select) for _ in range(4)]
    with ThreadPoolExecutor(len(logs)) as pool:
        claimed = [number for log in pool.map(lambda log: [log.claim() for _ in range(5)], logs) for number in log]
    assert sorted(claimed) == [*range(1, 21)]
