"""The store on ClickHouse, on two real engines: in this process, and a server over HTTP."""

from __future__ import annotations

import errno
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from workbench.bench import Bench
from workbench.config import Settings
from workbench.errors import InvalidArgument, StoreConflict, StoreError, StoreFull, StoreNotFound
from workbench.events import to_table
from workbench.metrics import pushdown, sequences
from workbench.store import clickhouse_client as talk
from workbench.store import clickhouse_ids, clickhouse_log, clickhouse_snapshot
from workbench.store.base import STORED_EVENT, as_stored
from workbench.store.clickhouse import ClickHouseStore
from workbench.store.clickhouse_binding import binding
from workbench.store.keys import user_key
from workbench.store.memory import MemoryStore
from workbench.testing import START, events_of, stored

HOUR = timedelta(hours=1)
COUNT = "SELECT count(*) AS n FROM events"


@pytest.fixture(scope="module", params=["chdb", "chdb, ids known", "http", "http, ids known"])
def engine(request):
    here = request.param.startswith("chdb")
    store = ClickHouseStore("chdb://:memory:" if here else request.getfixturevalue("clickhouse_server").dsn)
    with pytest.MonkeyPatch.context() as patched:
        if "known" in request.param:
            patched.setattr(clickhouse_ids, "SOON", 0)
        yield store
    store.clear()
    store.close()


@pytest.fixture
def house(engine):
    engine.clear()
    return engine


def batch(journeys):
    events = to_table(events_of(journeys))
    return events.append_column("position", pa.array(range(events.num_rows), pa.int64()))


def append(store, journeys, *, start=0, at=START):
    events = batch(journeys)
    return store.append(events, source="s", start=start, end=start + events.num_rows, ingested_at=at)


def count(snapshot, **options):
    return snapshot.query(COUNT, **options)["n"].to_pylist()[0]


def test_what_comes_back_is_of_the_types_that_duckdb_gives(house):
    events = stored(events_of({"ann": "view:0"}, platform="web", value=1.5))
    house.load(events)
    tables = [store.snapshot().query("SELECT * FROM events") for store in (house, MemoryStore(events))]
    assert tables[0].cast(STORED_EVENT).to_pylist() == tables[1].cast(STORED_EVENT).to_pylist()
    assert [str(kind) for kind in tables[0].schema.types] == [str(kind) for kind in STORED_EVENT.types]


def test_a_batch_counts_once_and_moves_its_source_on(house):
    assert append(house, {"ann": "view:0 buy:9"}) == 0
    assert house.position("s") == 2
    with pytest.raises(StoreConflict, match="committed up to 2, not 0"):
        append(house, {"ann": "view:0 buy:9"})
    assert append(house, {"ann": "view:0 buy:9"}, start=2) == 2
    assert (house.position("s"), count(house.snapshot())) == (4, 2)


def test_an_empty_batch_moves_its_source_on(house):
    house.append(batch({}), source="s", start=0, end=7, ingested_at=START)
    assert (house.position("s"), house.position("other")) == (7, 0)


def test_events_of_several_sources_arrive_together_with_all_their_positions(house):
    tables = [as_stored(batch({name: "view:0 buy:1"}), source=name, ingested_at=START) for name in ("ann", "bob")]
    moved = {"ann": (0, 2), "bob": (0, 4), "cy": (0, 9)}
    assert house.append_all(pa.concat_tables(tables), moved=moved) == 0
    assert [house.position(source) for source in moved] == [2, 4, 9]
    with pytest.raises(StoreConflict, match="bob is committed up to 4, not 0"):
        house.append_all(tables[0].slice(0, 0), moved={"ann": (2, 3), "bob": (0, 1)})
    assert [house.position(source) for source in moved] == [2, 4, 9]
    assert count(house.snapshot()) == 4


def test_of_a_repeated_event_the_first_ingested_counts(house):
    late, early = (stored(events_of({"ann": f"view:{when}"}), ingested_at=START + when * HOUR) for when in (2, 1))
    assert house.load(pa.concat_tables([late, early])) == 1
    assert house.load(late) == 1
    (row,) = house.snapshot().query("SELECT * FROM events").to_pylist()
    assert row["ingested_at"] == START + HOUR


def test_a_snapshot_never_changes(house):
    append(house, {"ann": "view:0"})
    before = house.snapshot()
    append(house, {"bob": "view:0"}, start=1)
    assert [count(each) for each in (before, house.snapshot())] == [1, 2]
    assert before.data_version != house.snapshot().data_version
    assert house.snapshot().data_version == house.snapshot().data_version


def test_rows_of_a_write_that_was_cut_off_are_not_seen_and_not_kept(house):
    append(house, {"ann": "view:0"})
    cut_off = "INSERT INTO events SELECT * EXCEPT batch REPLACE 'x' AS event_id, 2 AS batch FROM events"
    house._do(cut_off, {})
    assert count(house.snapshot()) == 1
    append(house, {"bob": "view:0"}, start=1)
    assert house.snapshot().head.given_up == (2,)
    house.maintain()
    assert house.snapshot().head.given_up == ()
    assert house.snapshot().total == 2
    assert house._select("SELECT DISTINCT batch FROM events ORDER BY 1", {})["batch"].to_pylist() == [1, 3]
    assert house.snapshot().query("SELECT DISTINCT user_id FROM events ORDER BY 1")["user_id"].to_pylist() == [
        "ann",
        "bob",
    ]


def test_a_number_that_others_gave_up_is_forgotten_when_its_rows_cannot_come_any_more(house, monkeypatch):
    append(house, {"ann": "view:0"})
    number = house._log.claim()
    house._write(stored(events_of({"bob": "view:0"})), np.array([True]), number, {"s": (1, 9)})
    house._log.give_up(number, settled=False)  # its writer may have sent more
    append(house, {"cy": "view:0"}, start=1)
    before = house.snapshot()
    house.maintain()
    assert house.snapshot().head.given_up == (number,)
    monkeypatch.setattr(clickhouse_log, "LATE_SECONDS", -60)
    house.maintain()
    assert house.snapshot().head.given_up == ()
    assert (count(before), count(house.snapshot()), house.position("s")) == (2, 2, 2)
    assert append(house, {"bob": "view:0"}, start=2) == 0
    assert house.maintain() == 0
    assert house.snapshot().version == number + 3  # nothing is left to forget


def test_rows_that_come_while_a_quiet_snapshot_is_asked_are_not_seen(house, monkeypatch):
    monkeypatch.setattr(clickhouse_log, "QUIET_SECONDS", -60)
    append(house, {"ann": "a:0 b:1"})
    snapshot = house.snapshot()
    assert snapshot.quiet.likely
    assert snapshot.quiet.still()
    number = house._log.claim()
    others = as_stored(batch({"bob": "a:0"}), source="other", ingested_at=START)
    house._write(others, np.array([True]), number, {})
    assert count(snapshot) == 2
    assert not snapshot.quiet.likely
    house._log.give_up(number)
    append(house, {"cy": "a:2"}, start=2)
    assert (count(snapshot), count(house.snapshot())) == (2, 3)
    assert not house.snapshot().quiet.likely  # rows that were given up are still there


def test_soon_after_a_batch_another_one_is_expected(house):
    append(house, {"ann": "a:0"})
    assert not house.snapshot().quiet.likely


@pytest.mark.parametrize(("most", "pieces"), [(1_000, 1), (20, 8), (7, 0)])
def test_what_each_did_is_gathered_piece_by_piece(house, monkeypatch, most, pieces):
    """Or sent row by row, where pieces would be too large."""
    monkeypatch.setattr(clickhouse_snapshot, "FEW", 0)
    monkeypatch.setattr(sequences, "GATHERED_ROWS", most)
    gathered, calls = pushdown.gathered, []
    monkeypatch.setattr(pushdown, "gathered", lambda *a, **k: calls.append(1) or gathered(*a, **k))
    journeys = {f"user {n}": "a:0 b:1 c:2 a:9 c:10" if n % 3 else "c:0 b:1" for n in range(40)}
    append(house, journeys)
    one, other = Bench(house, Settings()), Bench(MemoryStore(stored(events_of(journeys))), Settings())
    for order in ("ordered", "strict"):
        funnels = [bench.funnel(["a", "b", "c"], order=order, within="5m", now="2026-03-01") for bench in (one, other)]
        assert funnels[0].frame.equals(funnels[1].frame)
        assert funnels[0].people(3) == funnels[1].people(3) == sorted(f"user {n}" for n in range(40) if n % 3)
    assert len(calls) == 2 * pieces


def test_what_expires_was_seen(house):
    append(house, {"ann": "view:0 view:1 view:2"})
    number = house._log.claim()
    house._write(stored(events_of({"bob": "view:0 view:1 view:3 buy:4"})), np.ones(4, bool), number, {})
    house._log.give_up(number)
    assert house.expire(before=START + timedelta(days=30)) == 3
    assert (house.snapshot().total, count(house.snapshot())) == (0, 0)


def test_wide_rows_travel_few_at_a_time(house, monkeypatch):
    monkeypatch.setattr(talk, "PIECE_BYTES", 20_000)
    wide = stored(events_of({f"p{n}": "view:0" for n in range(60)}, properties={"text": "x" * 2_000}))
    house._do("SYSTEM STOP MERGES events", {})
    try:
        assert house.load(wide) == 0
        assert count(house.snapshot()) == 60
        parts = "SELECT max(rows) AS most FROM system.parts WHERE table = 'events' AND active"
        assert 1 < house._select(parts, {})["most"].to_pylist()[0] < 12
    finally:
        house._do("SYSTEM START MERGES events", {})


def test_a_full_disk_is_named(tmp_path, monkeypatch):
    store = ClickHouseStore(f"chdb://{tmp_path / 'house'}")
    real = tempfile.NamedTemporaryFile
    append(store, {"ann": "view:0"})
    for number, (code, error) in enumerate([(errno.ENOSPC, StoreFull), (errno.EACCES, StoreError)]):

        def refused(code=code, **_):
            raise OSError(code, "no")

        monkeypatch.setattr(tempfile, "NamedTemporaryFile", refused)
        with pytest.raises(error, match="incoming"):
            append(store, {f"bob {number}": "view:0"}, start=1)
    monkeypatch.setattr(tempfile, "NamedTemporaryFile", real)
    append(store, {"cy": "view:0"}, start=1)
    assert count(store.snapshot()) == 2
    store.close()


def test_what_a_killed_process_left_beside_the_engine_is_removed(tmp_path):
    dsn, left = f"chdb://{tmp_path / 'house'}", tmp_path / "house" / "incoming" / "0-rows"
    store = ClickHouseStore(dsn)
    append(store, {"ann": "view:0"})
    store.close()
    left.write_bytes(b"rows")
    store = ClickHouseStore(dsn)
    assert (left.exists(), [*left.parent.iterdir()]) == (False, [])
    store.close()


def test_what_was_not_ingested_yet_is_not_seen(house):
    append(house, {"ann": "view:0"}, at=START)
    append(house, {"bob": "view:0"}, start=1, at=START + HOUR)
    known = [house.snapshot(known_at=START), house.snapshot().known(START), house.snapshot(known_at=START + HOUR)]
    assert [count(each) for each in known] == [1, 1, 2]
    assert known[0].data_version.endswith("as known at 2026-01-05T00:00:00+00:00")


def test_some_people_are_seen_alone(house):
    append(house, {"ann": "view:0", "bob": "view:1", "cy": "view:2"})
    two = house.snapshot().only(np.array([user_key("ann"), user_key("cy")]), people="two")
    assert (count(two), two.people) == (2, "two")
    assert count(two.only(np.array([user_key("ann"), user_key("bob")]), people="one")) == 1
    assert count(two.only(np.array([], dtype=np.int64), people="nobody")) == 0
    everybody = np.concatenate([np.arange(200_000), [user_key("ann")]])
    assert count(house.snapshot().only(everybody, people="many")) == 1


def test_the_parts_of_the_people_are_everybody_once(house, monkeypatch):
    monkeypatch.setattr("workbench.store.clickhouse_snapshot.FEW", 10)
    append(house, {f"p{number}": "view:0 buy:1" for number in range(40)})
    snapshot = house.snapshot()
    parts = [
        set(snapshot.query("SELECT user_id FROM events", part=part)["user_id"].to_pylist())
        for part in range(snapshot.parts)
    ]
    assert snapshot.parts > 1
    assert sum(map(len, parts)) == len(set.union(*parts)) == 40


def test_a_question_may_name_its_own_parts_and_say_what_it_is(house):
    append(house, {"ann": "view:0 buy:9"})
    sql = (
        "-- who\n-- bought\nWITH bought AS (SELECT * FROM events WHERE event_type = $event)\nSELECT user_id FROM bought"
    )
    assert house.snapshot().query(sql, {"event": "buy"}).to_pylist() == [{"user_id": "ann"}]


@pytest.mark.parametrize(
    "sql",
    [
        "DROP TABLE events",
        "SELECT 1; DROP TABLE events",
        "INSERT INTO events SELECT 1",
        "WITH 1 AS a DROP TABLE events",
    ],
)
def test_who_asks_cannot_write(house, sql):
    append(house, {"ann": "view:0"})
    with pytest.raises((StoreError, InvalidArgument)):
        house.snapshot().query(sql)
    assert count(house.snapshot()) == 1


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("it's\\ \n\t{x:String} $value \u2028😀\0", "String"),
        (-(2**63), "Int64"),
        (0.1, "Float64"),
        (True, "Bool"),
        (datetime(2026, 3, 29, 1, 30, 0, 1, tzinfo=UTC), "DateTime64(6, 'UTC')"),
        (datetime(9999, 12, 31, tzinfo=UTC), "DateTime64(6, 'UTC')"),
        (START.date(), "Date32"),
    ],
)
def test_values_arrive_as_they_are(house, value, kind):
    found = house.snapshot().query("SELECT $value AS one, toTypeName(one) AS kind, $several AS two", {
        "value": value, "several": [value, None, value],
    }).to_pylist()  # fmt: skip
    assert found == [{"one": value, "kind": kind, "two": [value, None, value]}]


def test_lengths_of_time_are_microseconds_and_long_lists_are_whole(house):
    many = [*range(-5_000, 5_000), 2**63 - 1, -(2**63)]
    sql = "SELECT $length AS length, $many AS many, length($none) AS none, $nothing AS nothing"
    given = {"length": HOUR, "many": many, "none": [], "nothing": None}
    assert house.snapshot().query(sql, given).to_pylist() == [
        {"length": 3_600_000_000, "many": many, "none": 0, "nothing": None}
    ]


@pytest.mark.parametrize("value", [{"a": 1}, [1, "a"], object()])
def test_what_cannot_be_bound_is_named(value):
    with pytest.raises(InvalidArgument, match=r"\$value"):
        binding("SELECT $value", {"value": value})


def test_a_mistake_in_a_question_is_explained(house):
    with pytest.raises(StoreNotFound, match="nosuch"):
        house.snapshot().query("SELECT * FROM nosuch")
    with pytest.raises(StoreError, match="Syntax error"):
        house.snapshot().query("SELECT FROM WHERE")


@pytest.mark.parametrize(
    "dsn",
    [
        "",
        "chdb://",
        "mysql://host/db",
        "clickhouse://",
        "clickhouse://u:hush@host:x/db",
        "clickhouse://u:hush@h/?a=1",
        "clickhouse://u:hush@h/?timeout=0",
    ],
)
def test_what_names_no_clickhouse_is_refused_without_its_password(dsn):
    with pytest.raises(InvalidArgument, match="a ClickHouse is named") as refusal:
        talk.address(dsn)
    assert "hush" not in str(refusal.value)


def test_an_address_never_shows_its_password():
    where = talk.address("clickhouse://ann:hu%24h@db.example/events?secure=true")
    assert (where.user, where.password, where.port, where.database) == ("ann", "hu$h", 8443, "events")
    assert "hu" not in f"{where} {where!r}"


def test_a_server_that_is_not_there_is_named_without_the_password():
    with pytest.raises(StoreError, match=r"clickhouse://127\.0\.0\.1:1/default does not answer") as error:
        ClickHouseStore("clickhouse://ann:hush@127.0.0.1:1/")
    assert "hush" not in str(error.value)


ELSEWHERE = """
from workbench.errors import StoreNotFound
from workbench.store.clickhouse import ClickHouseStore
from workbench.testing import events_of, stored
try:
    ClickHouseStore("chdb://{path}", create=False)
except StoreNotFound as error:
    print("none", "ingest a file first" in str(error))
store = ClickHouseStore("chdb://{path}")
store.load(stored(events_of({{"ann": "view:0"}})))
store.maintain(full=True)
store.close()
print(ClickHouseStore("chdb://{path}", create=False).snapshot().query("SELECT count(*) AS n FROM events").to_pylist())
"""


def test_events_are_kept_in_a_folder(tmp_path):
    run = [sys.executable, "-c", ELSEWHERE.format(path=tmp_path / "house")]  # one process has one engine
    said = subprocess.run(run, check=False, capture_output=True, text=True, timeout=120)
    assert said.stdout.splitlines() == ["none True", "[{'n': 1}]"], said.stderr
