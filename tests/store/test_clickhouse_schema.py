"""The tables in ClickHouse: made once, by one of several, for a server or a cluster of them."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import ValidationError

from workbench.config import Settings
from workbench.errors import InvalidArgument, StoreAway, StoreError, StoreTooNew
from workbench.store import clickhouse_client as talk
from workbench.store.clickhouse import ClickHouseStore
from workbench.store.clickhouse_errors import TRANSIENT, named, refuse_old
from workbench.store.clickhouse_schema import _DONE, Schema, Shape, migrations

GOLDEN = Path(__file__).parent / "golden" / "clickhouse_cluster.sql"
TABLES = {
    "events", "batches", "positions", "user_profiles", "platform_activity", "user_journeys", "predictions",
    "recommendations", "sentiment_analysis", "ai_performance", "experiments", "migrations", "live_cells", "live_people",
    "live_told", "live_sources",
}  # fmt: skip

WHOLE = {"batches", "positions", "migrations", "predictions", "recommendations"}
"""On a cluster every server has all of these: each is small, or replaced as a whole."""


@pytest.fixture
def house(clickhouse_server):
    """A server without tables."""
    store = ClickHouseStore(clickhouse_server.dsn)
    drop(store)
    yield store
    drop(store)
    ClickHouseStore(clickhouse_server.dsn).close()
    store.close()


def drop(store):
    for kind in ("VIEW", "TABLE"):
        engine = "engine = 'MaterializedView'" if kind == "VIEW" else "engine != 'MaterializedView'"
        names = store._select(f"SELECT name FROM system.tables WHERE database = currentDatabase() AND {engine}", {})
        for name in names["name"].to_pylist():
            store._do(f"DROP {kind} IF EXISTS {name} SYNC", {})


def tables(store):
    sql = "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
    return set(store._select(sql, {})["name"].to_pylist())


def test_migrations_make_every_table_and_are_done_once(house):
    assert house.schema.version() == 0
    assert [each.number for each in house.migrate()] == [*range(1, len(migrations()) + 1)]
    assert tables(house) >= TABLES
    assert house.migrate() == []
    assert house.schema.version() == len(migrations())


def test_of_several_that_migrate_at_once_one_does_each_step(house):
    schemas = [Schema(house._do, house._select, Shape()) for _ in range(4)]
    with ThreadPoolExecutor(len(schemas)) as pool:
        done = [each.number for found in pool.map(Schema.migrate, schemas) for each in found]
    assert sorted(done) == [*range(1, len(migrations()) + 1)]
    assert tables(house) >= TABLES


def test_tables_that_are_up_to_date_are_looked_at_only(house):
    """On a cluster a statement waits for every node, and fails where one is down."""
    house.migrate()
    statements = []
    schema = Schema(lambda sql, values, token: statements.append(sql), house._select, Shape("analytics"))
    assert schema.migrate() == []
    assert statements == []


def test_a_step_that_was_begun_and_never_done_is_done_by_another(house):
    dead = Schema(house._do, house._select, Shape())
    house._do(dead_log(), {})
    dead._say(1, "begun 0")
    assert len(Schema(house._do, house._select, Shape(), lease=0.3).migrate()) == len(migrations())


def dead_log():
    return _DONE.statements(Shape())[0]


def test_tables_of_a_newer_workbench_are_refused(house):
    house.migrate()
    house._do("INSERT INTO migrations (number, kind, writer) VALUES (999, 'done', 'x')", {})
    with pytest.raises(StoreTooNew, match="are of version 999, this Workbench knows"):
        ClickHouseStore(f"clickhouse://{house.where.host}:{house.where.port}/default", create=False)


def test_tables_of_an_older_workbench_are_read_after_migrating_only(house):
    for statement in (dead_log(), "INSERT INTO migrations (number, kind, writer) VALUES (1, 'done', 'x')"):
        house._do(statement, {})
    with pytest.raises(StoreError, match="run `workbench migrate`"):
        ClickHouseStore(f"clickhouse://{house.where.host}:{house.where.port}/default", create=False)


def test_events_lie_by_month_and_user_compressed_and_expire_by_no_clock_of_the_server(house):
    house.migrate()
    sql = "SELECT create_table_query AS made FROM system.tables WHERE name = 'events' AND database = currentDatabase()"
    made = house._select(sql, {})["made"].to_pylist()[0]
    assert "PARTITION BY toYYYYMM(occurred_at)" in made
    assert "ORDER BY (bitAnd(user_key, 15), user_key, occurred_at)" in made
    assert "TTL" not in made
    codecs = house._select("SELECT DISTINCT default_compression_codec AS codec FROM system.parts", {})
    assert set(codecs["codec"].to_pylist()) <= {"LZ4"}


def test_the_statements_for_a_cluster_are_those_that_were_looked_at():
    """To look at new ones: `WORKBENCH_CLUSTER=analytics workbench migrate --ddl > tests/store/golden/…`."""
    shape = Shape("analytics", database="default")
    written = "\n\n".join(f"{each};" for one in migrations() for each in one.statements(shape)) + "\n"
    assert written == GOLDEN.read_text()


def test_a_cluster_has_every_table_replicated_and_what_is_sharded_spread():
    shape = Shape("analytics")
    written = [each for one in migrations() for each in one.statements(shape)]
    assert all("ON CLUSTER 'analytics'" in each for each in written)
    for each in written:
        if "MergeTree" in each and "MATERIALIZED VIEW" not in each:
            assert re.search(r"ENGINE = Replicated\w*MergeTree\('/clickhouse/tables/(all|\{shard\})/default/\w+'", each)
            assert "non_replicated" not in each
    spread = {re.search(r"EXISTS (\w+)", each)[1] for each in written if "ENGINE = Distributed" in each}
    assert spread == TABLES - WHOLE


@pytest.fixture
def settings_of(monkeypatch):
    """Give the settings of the writer and of the reader that a store connects with."""

    def settings_of(shape):
        clients = []

        def connect(where, settings):
            clients.append(settings)
            if len(clients) == 2:
                raise StoreAway("nobody is there")

        monkeypatch.setattr(talk, "connect", connect)
        with pytest.raises(StoreAway):
            ClickHouseStore("clickhouse://host/db", shape=shape)
        return clients

    return settings_of


@pytest.mark.parametrize("cluster", ["analytics", ""])
def test_on_a_cluster_no_client_is_told_less_than_what_most_replicas_have(cluster, settings_of):
    writer, reader = settings_of(Shape(cluster))
    for client in (writer, reader):
        assert client.get("select_sequential_consistency") == ("1" if cluster else None)
        assert client.get("distributed_product_mode") == ("global" if cluster else None)
    assert [client.get("insert_quorum") for client in (writer, reader)] == ["auto" if cluster else None, None]
    assert [*reader][-1] == "readonly"  # after it nothing can be set


@pytest.mark.parametrize(("quorum", "replicas"), [("majority", "auto"), (1, "0"), (2, "2"), (3, "3")])
def test_how_many_replicas_have_a_batch_is_a_choice(quorum, replicas, settings_of):
    writer, reader = settings_of(Shape("analytics", insert_quorum=quorum))
    assert writer["insert_quorum"] == replicas
    for client in (writer, reader):
        assert client.get("select_sequential_consistency") == (None if quorum == 1 else "1")
        assert client.get("load_balancing") == ("in_order" if quorum == 1 else None)


@pytest.mark.parametrize("text", ["majority", "1", "2"])
def test_the_choice_is_a_setting(text, monkeypatch):
    monkeypatch.setenv("WORKBENCH_INSERT_QUORUM", text)
    assert str(Settings().insert_quorum) == text


@pytest.mark.parametrize("text", ["0", "-1", "auto", "most", "1.5", ""])
def test_another_choice_is_refused(text, monkeypatch):
    monkeypatch.setenv("WORKBENCH_INSERT_QUORUM", text)
    with pytest.raises(ValidationError, match="insert_quorum"):
        Settings()


def failure(code, text="behind"):
    errors = pytest.importorskip("clickhouse_connect.driver.exceptions")
    with named(talk.address("clickhouse://host/db")):
        raise errors.DatabaseError(text, code=code)


@pytest.mark.parametrize("code", [3, 159, 209, 210, 242, 252, 279, 285, 286, 289, 319, 341, 369, 519, 745, 999])
def test_what_passes_by_itself_is_waited_for(code):
    with pytest.raises(StoreAway, match="behind"):
        failure(code)


@pytest.mark.parametrize("code", [36, 41, 43, 44, 47, 62, 117, 246, 288, 359, 636, 701, None])
def test_a_fault_of_a_statement_or_of_data_is_not_waited_for(code):
    with pytest.raises(StoreError, match="behind") as error:
        failure(code)
    assert not isinstance(error.value, StoreAway)


def test_the_names_of_what_passes_are_those_of_the_server(clickhouse_server):
    store = ClickHouseStore(clickhouse_server.dsn)
    names = store.read("SELECT arrayMap(code -> errorCodeToName(code), $codes) AS names", {"codes": [*TRANSIENT]})
    assert names["names"].to_pylist() == [[*TRANSIENT.values()]]
    store.close()


@pytest.mark.parametrize(("status", "passes"), [(429, True), (502, True), (503, True), (504, True), (404, False)])
def test_a_load_balancer_without_a_server_behind_it_is_waited_for(status, passes):
    with pytest.raises(StoreError) as error:
        failure(None, f"HTTP driver received HTTP status {status}, server response: <html>")
    assert isinstance(error.value, StoreAway) == passes


def test_a_name_of_a_cluster_is_no_sql():
    with pytest.raises(InvalidArgument, match="letters, digits and underscores"):
        Shape("x' ENGINE = Null --")


@pytest.mark.parametrize(("version", "fits"), [("24.3.1.1", False), ("25.8.1", True), ("26.9.2.1", True)])
def test_an_old_server_is_refused(version, fits):
    if fits:
        refuse_old(talk.address("clickhouse://host/db"), version)
    else:
        with pytest.raises(StoreError, match=r"is ClickHouse 24\.3\.1\.1; this Workbench needs 25\.8 or newer"):
            refuse_old(talk.address("clickhouse://host/db"), version)
