"""Which events are new: asked of ClickHouse, or known beforehand; never one too few, never one too many."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import StoreAway
from workbench.events import Event
from workbench.store import clickhouse_ids, event_ids
from workbench.store.clickhouse import ClickHouseStore
from workbench.store.event_keys import event_keys
from workbench.store.known_keys import KnownKeys
from workbench.testing import START, stored

KEYS = st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 9), max_size=40)


@given(KEYS, KEYS, st.integers(0, 60))
def test_a_known_key_is_never_taken_for_a_new_one(early, late, room):
    known = KnownKeys(room)
    for keys in (early, late):
        known.add(np.array(keys, np.uint64))
    assert known.among(np.array([*early, *late], np.uint64)).all()
    assert known.count == len(early) + len(late)


def test_few_new_keys_are_taken_for_known_ones():
    chance = np.random.default_rng(1)
    keys = chance.integers(0, 2**64, 400_000, dtype=np.uint64)
    known = KnownKeys(200_000)
    known.add(keys[:200_000])
    assert known.among(keys[200_000:]).mean() < 2e-4


@given(KEYS)
def test_keys_that_come_again_are_found(keys):
    again = Counter(keys) - Counter(set(keys) - {0})
    assert Counter(event_ids.repeated(np.array(keys, np.uint64)).tolist()) == again


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 2), st.integers(0, 3)), max_size=30))
def test_of_repeated_events_the_first_ingested_is_kept_also_where_hashes_are_alike(rows):
    events = pa.table(
        {
            "event_id": pa.array([name for name, _, _ in rows], pa.string()),
            "ingested_at": pa.array([at for _, at, _ in rows], pa.int64()),
            "source": pa.array([str(source) for _, _, source in rows], pa.string()),
            "position": pa.array(range(len(rows)), pa.int64()),
        }
    )
    first = {}
    for row, (name, at, source) in enumerate(rows):
        first[name] = min(first.get(name, (at, source, row)), (at, source, row))
    keys = np.array([ord(name) % 3 for name, _, _ in rows], np.uint64)
    kept = event_ids.first_of_each(events, keys)
    assert np.flatnonzero(kept).tolist() == sorted(row for _, _, row in first.values())


@given(KEYS)
def test_rows_of_some_ids_are_found_among_all(names):
    ids = [str(name) for name in names]
    keys = event_keys(pa.chunked_array([pa.array(ids, pa.string())]))
    events = stored([Event(event_id=name, event_type="view", user_id="ann", occurred_at=START) for name in ids])
    verdicts = np.full(len(ids), event_ids.NEW, np.int8)
    event_ids.compare(events, keys, events.take(pa.array(range(0, len(ids), 2), pa.int64())), verdicts)
    assert (verdicts == event_ids.NEW).tolist() == [name not in ids[::2] for name in ids]


@pytest.fixture(scope="module")
def houses(clickhouse_server):
    """Two processes that write to one server."""
    stores = [ClickHouseStore(clickhouse_server.dsn) for _ in range(2)]
    yield stores
    for store in stores:
        store.clear()
        store.close()


@given(names=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), min_size=1, max_size=9))
def test_ids_are_hashed_as_clickhouse_does(houses, names):
    codes = [name.encode().hex() for name in names]
    sql = "SELECT arrayJoin(arrayMap(code -> toString(sipHash64(unhex(code))), $codes)) AS key"
    found = houses[0].select(sql, {"codes": codes})["key"].to_pylist()
    assert [str(key) for key in event_keys(pa.chunked_array([pa.array(names, pa.string())]))] == found


@pytest.fixture(params=["asked", "known", "known at first", "known again and again"])
def way(request, monkeypatch):
    monkeypatch.setattr(clickhouse_ids, "SOON", 99 if request.param == "asked" else 0)
    monkeypatch.setattr(clickhouse_ids, "MOST_KNOWN", 40 if request.param == "known at first" else 10**6)
    if request.param == "known again and again":
        monkeypatch.setattr(clickhouse_ids, "KnownKeys", lambda _: KnownKeys(7))


def batches(chance):
    for number in range(14):
        ids = chance.integers(0, 60, chance.integers(1, 12)).astype(str)
        yield (
            chance.integers(0, 2),
            [
                Event(
                    event_id=each,
                    event_type="view",
                    user_id=f"user {each}",
                    occurred_at=START + timedelta(hours=number),
                )
                for each in ids
            ],
        )


@pytest.mark.parametrize("seed", range(3))
def test_of_what_two_processes_write_each_event_counts_once(houses, way, seed):
    houses[0].clear()  # of which the other process does not know
    first = {}
    for who, events in batches(np.random.default_rng(seed)):
        before = len(first)
        for event in events:
            first.setdefault(event.event_id, event.occurred_at)
        repeated = houses[who].load(stored(events, ingested_at=events[0].occurred_at))
        assert repeated == len(events) - (len(first) - before)
    found = houses[0].snapshot().query("SELECT event_id, occurred_at FROM events").to_pylist()
    assert sorted(row["event_id"] for row in found) == sorted(first)
    assert {row["event_id"]: row["occurred_at"] for row in found} == first


def test_keys_that_were_read_in_part_are_not_relied_upon(houses, monkeypatch):
    monkeypatch.setattr(clickhouse_ids, "SOON", 99)
    houses[0].clear()
    events = stored([Event(event_id=f"{n}", event_type="v", user_id="ann", occurred_at=START) for n in range(300)])
    houses[0].load(events)
    monkeypatch.setattr(clickhouse_ids, "SOON", 0)
    real, asked = houses[0]._ids._select, itertools.count()

    def failing(sql, params):
        if "BETWEEN" in sql and next(asked) == 4:
            raise StoreAway("gone for a moment")
        return real(sql, params)

    monkeypatch.setattr(houses[0]._ids, "_select", failing)
    with pytest.raises(StoreAway):
        houses[0].load(events)
    assert houses[0].load(events) == 300
    assert houses[0].snapshot().total == 300


def test_ids_that_only_seem_to_be_known_are_asked_for(houses, monkeypatch):
    monkeypatch.setattr(clickhouse_ids, "SOON", 0)
    monkeypatch.setattr(KnownKeys, "among", lambda _, keys: np.ones(len(keys), bool))
    houses[0].clear()
    for number in range(3):
        event = Event(event_id=str(number), event_type="view", user_id="ann", occurred_at=START)
        assert houses[0].load(stored([event])) == 0
    assert houses[0].snapshot().total == 3
