"""The store on a real cluster of two shards: writers at once, tables for other tools, a shard that goes away."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from tests.clickhouse_server import NoServer
from tests.clickhouse_shards import CLUSTER, TwoShards
from workbench.bench import Bench
from workbench.cli.app import app
from workbench.config import Settings
from workbench.errors import StoreAway
from workbench.events import to_table
from workbench.ingest.patience import Patient
from workbench.store.clickhouse import ClickHouseStore
from workbench.store.clickhouse_schema import Shape, migrations
from workbench.store.clickhouse_tables import TABLES, fill
from workbench.store.memory import MemoryStore
from workbench.testing import START, events_of, stored

NOW = START + timedelta(days=30)
MINUTES = "view:0 message_sent:3 raid_joined:50 purchase:90"


@pytest.fixture(scope="module")
def shards():
    try:
        cluster = TwoShards()
    except NoServer as error:
        pytest.skip(f"no ClickHouse for a cluster: {error}")
    yield cluster
    cluster.close()


def connect(shards, node=0, **options):
    return ClickHouseStore(shards.dsns[node], shape=Shape(CLUSTER, **options))


@pytest.fixture
def cluster(shards):
    store = connect(shards)
    store.clear()
    yield store
    store.close()


def batch(names):
    events = to_table([event for name in names for event in events_of({name: "view:0"})])
    return events.append_column("position", pa.array(range(events.num_rows), pa.int64()))


def ids_of(store):
    return Counter(store.snapshot().query("SELECT event_id FROM events")["event_id"].to_pylist())


def test_people_are_spread_over_the_shards_and_each_node_sees_all(shards, cluster):
    cluster.load(stored(events_of({f"p{n}": MINUTES for n in range(40)})))
    rows = [connect(shards, node).read("SELECT user_id FROM events_local")["user_id"] for node in (0, 1)]
    users = [set(column.to_pylist()) for column in rows]
    assert users[0]
    assert users[1]
    assert users[0].isdisjoint(users[1])
    assert sum(ids_of(connect(shards, 1)).values()) == 160


def test_writers_at_once_that_bring_the_same_events_count_each_once(shards, cluster):
    stores = [connect(shards, node) for node in (0, 1, 0, 1)]
    ready = threading.Barrier(len(stores))

    def write(number):
        ready.wait(60)
        return sum(
            stores[number].append(
                batch([f"p{turn + each}" for each in range(20)]),
                source=f"s{number}", start=turn * 20, end=turn * 20 + 20, ingested_at=START,
            )
            for turn in range(3)
        )  # fmt: skip

    with ThreadPoolExecutor(len(stores)) as pool:
        repeated = sum(pool.map(write, range(len(stores))))
    ids = ids_of(cluster)
    assert (len(ids), max(ids.values())) == (22, 1)
    assert repeated == 4 * 3 * 20 - 22
    assert [cluster.position(f"s{number}") for number in range(4)] == [60] * 4


def test_a_subquery_over_the_events_of_all_shards_may_stand_in_any_question(cluster):
    cluster.load(stored(events_of({f"p{n}": MINUTES if n % 2 else "view:0" for n in range(10)})))
    for name in ("events", "default.events"):
        buyers = f"SELECT user_id FROM {name} WHERE event_type = 'purchase'"
        sql = f"SELECT count(*) AS n FROM {name} WHERE user_id IN ({buyers})"
        assert cluster.snapshot().query(sql).to_pylist() == [{"n": 20}]
        sql = f"SELECT count(*) AS n FROM {name} AS one JOIN ({buyers}) AS two USING (user_id)"
        assert cluster.snapshot().query(sql).to_pylist() == [{"n": 20}]
    assert cluster.select("SELECT count() AS n FROM events WHERE batch IN (SELECT max(batch) FROM events)")["n"][0]


def test_tables_for_other_tools_are_written_of_all_days_and_without_prices(shards, cluster, monkeypatch):
    answer = {"model": "small", "input_tokens": 100, "output_tokens": 10}
    events = events_of({f"p{n}": MINUTES for n in range(10)})
    cluster.load(stored([*events, *events_of({"ann": "ai_interaction:5"}, properties=answer)]))
    rows = fill(cluster, now=NOW)
    assert (rows["user_profiles"], rows["user_journeys"], rows["ai_performance"]) == (11, 31, 1)
    (row,) = cluster.select("SELECT tokens_used, cost_usd FROM ai_performance FINAL").to_pylist()
    assert row == {"tokens_used": 110, "cost_usd": None}
    monkeypatch.setenv("WORKBENCH_CLUSTER", CLUSTER)
    done = CliRunner().invoke(app, ["lake", "tables", "--store", shards.dsns[1]])
    assert done.exit_code == 0, done.output
    assert all(table in done.output for table in TABLES)


YEARS = (1901, 1969, 1970, 1971, 1973, 1979, 2026, 2280, 2299)
"""Of bounds: nodes send them to each other as numbers of seconds, and read short or long ones as years."""


def test_bounds_of_any_year_mean_on_all_shards_what_they_mean_in_memory(cluster):
    journeys = {f"p{n}": "view:0 buy:9" for n in range(6)}
    early = [datetime(year, 1, 1, tzinfo=UTC) for year in YEARS if year < 2100]
    each = [stored(events_of(journeys, start=at), ingested_at=NOW) for at in early]
    names = [
        pa.array([f"{at.year}-{name}" for name in table["event_id"].to_pylist()])
        for at, table in zip(early, each, strict=True)
    ]
    events = pa.concat_tables([table.set_column(0, "event_id", ids) for table, ids in zip(each, names, strict=True)])
    cluster.load(events)
    memory = MemoryStore(events)
    for year in YEARS:
        edge = datetime(year, 1, 1, 0, 5, tzinfo=UTC)
        sql = f"""SELECT {", ".join(f"count(*) FILTER (WHERE occurred_at {sign} $edges[2])" for sign in ("<", ">="))},
            min($edge) AS edge FROM events WHERE occurred_at >= $edge"""
        bound = {"edge": edge, "edges": [START, edge]}
        counts = [[*row.values()] for row in memory.snapshot().query(sql, bound).to_pylist()]
        assert [[*row.values()] for row in cluster.snapshot().query(sql, bound).to_pylist()] == counts, year


def test_answers_are_those_of_the_same_events_in_memory(cluster):
    events = stored(events_of({f"p{n}": MINUTES if n % 3 else "view:0 view:2000" for n in range(30)}))
    cluster.load(events)
    one, other = Bench(cluster, Settings()), Bench(MemoryStore(events), Settings())
    for since in (None, "1970-01-01"):
        steps, options = ["view", "raid_joined", "purchase"], {"since": since, "now": NOW}
        assert one.funnel(steps, within="2h", **options).frame.equals(other.funnel(steps, within="2h", **options).frame)
        frames = [each.retention(start="view", period="day", **options).frame for each in (one, other)]
        assert frames[0].equals(frames[1])


def test_tables_that_are_up_to_date_need_no_statement_on_the_cluster(shards, cluster):
    before = len(shards.spread)
    assert before
    assert connect(shards, 1).migrated == []
    assert cluster.migrate() == []
    assert cluster.schema.version() == len(migrations())
    assert len(shards.spread) == before


def test_what_others_gave_up_is_deleted_on_all_shards_and_then_forgotten(cluster, monkeypatch):
    monkeypatch.setattr("workbench.store.clickhouse_log.LATE_SECONDS", -60)
    number = cluster._log.claim()
    rows = stored(events_of({f"p{n}": "view:0" for n in range(20)}, start=datetime.now(UTC)))
    cluster._write(rows, np.ones(20, bool), number, {"s": (0, 20)})
    cluster._log.give_up(number, settled=False)
    cluster.append(batch(["ann"]), source="s", start=0, end=1, ingested_at=START)
    assert cluster.snapshot().head.given_up == (number,)
    deadline = time.monotonic() + 30
    while cluster.snapshot().head.given_up and time.monotonic() < deadline:
        cluster.maintain()
    assert cluster.snapshot().head.given_up == ()
    assert cluster.position("s") == 1
    assert sum(ids_of(cluster).values()) == 1
    assert (
        cluster.read("SELECT count() AS n FROM live_people WHERE batch = $batch", {"batch": number})["n"][0].as_py()
        == 0
    )


def test_where_one_replica_is_enough_rows_that_it_has_not_are_noticed(shards, cluster):
    cluster.close()
    one = connect(shards, insert_quorum=1)
    one.append(batch([f"p{n}" for n in range(30)]), source="s", start=0, end=30, ingested_at=START)
    one.append(batch(["ann", "bob"]), source="s", start=30, end=32, ingested_at=START)
    assert sum(ids_of(one).values()) == 32
    one._alter("ALTER TABLE {events} DELETE WHERE user_id IN ('p1', 'ann') SETTINGS mutations_sync = 2", {})
    with pytest.raises(StoreAway, match=r"of 32 rows of the last hour the replicas of .* have 30"):
        one.snapshot()
    with pytest.raises(StoreAway, match="of 32 rows"):
        one.append(batch(["cy"]), source="s", start=32, end=33, ingested_at=START)
    connect(shards).snapshot()  # with a quorum ClickHouse says so itself
    one.clear()
    one.append(batch(["dan", "eve"]), source="s", start=0, end=2, ingested_at=START)
    assert one.expire(before=START + timedelta(days=1)) == 2
    one.append(batch(["fay"]), source="s", start=2, end=3, ingested_at=START)
    assert sum(ids_of(one).values()) == 1
    one.close()


def test_a_shard_that_is_down_is_waited_for_and_nothing_is_answered_in_part(shards, cluster):
    cluster.load(stored(events_of({f"p{n}": "view:0" for n in range(30)})))
    messages, node = [], shards.nodes[1]
    node.stop()
    try:
        with pytest.raises(StoreAway):
            ids_of(cluster)
        back = threading.Timer(1.0, node.start)
        back.start()
        writer = Patient(cluster, tell=messages.append, patience=60)
        writer.append(batch([f"q{n}" for n in range(30)]), source="s", start=0, end=30, ingested_at=START)
        back.join()
    finally:
        if node.process is None:
            node.start()
    assert messages
    assert all("waiting" in message for message in messages)
    ids = ids_of(cluster)
    assert (len(ids), max(ids.values())) == (60, 1)
