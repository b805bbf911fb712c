"""Live numbers out of ClickHouse's views: those of the live store, whatever becomes of an insert on its way."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from random import Random

import pyarrow as pa
import pytest
from msgspec import Raw

from tests.clickhouse_proxy import PASS, SWALLOW, between
from tests.store.deliveries import told
from workbench.errors import StoreConflict
from workbench.events import Event, to_table
from workbench.ingest.patience import Patient
from workbench.metrics.live import LiveNumbers
from workbench.metrics.live_check import live_check
from workbench.store import clickhouse_client as talk
from workbench.store.base import as_stored
from workbench.store.clickhouse import ClickHouseStore
from workbench.store.clickhouse_live import ViewsLive
from workbench.store.live import LiveStore
from workbench.store.live_sqlite import SQLiteBlobs
from workbench.store.live_state import Policy

NOW = datetime.now(UTC).replace(microsecond=0)
TYPES = ["message_sent", "first_message", "request", "ai_interaction", "raid_started", "raid_joined", "raid_ended", "x"]
PROPERTIES = [{}, {"response_time_ms": 80.25}, {"response_time_ms": "12.5", "status": "429"}, {"error": "timeout"}]


@pytest.fixture
def store(tmp_path):
    opened = ClickHouseStore("chdb://:memory:", control=tmp_path)
    opened.clear()
    opened.command("SYSTEM STOP MERGES")  # which would hide what is there twice
    yield opened
    opened.command("SYSTEM START MERGES")
    opened.clear()
    opened.close()


@pytest.fixture
def live(tmp_path):
    return LiveStore(SQLiteBlobs(tmp_path / "live.db"), Policy(lateness=5, horizon=3600))


def chances(seed):
    return Random(seed)  # noqa: S311 - made-up events


def a_batch(chance, number, size=60):
    """Events of the minutes before now, a few of them from yesterday's end."""
    return [
        Event(
            event_id=f"{number}-{place}",
            event_type=chance.choice(TYPES),
            user_id=f"u{chance.randrange(30)}",
            platform=chance.choice(["discord", "telegram", None]),
            occurred_at=NOW - timedelta(seconds=chance.randrange(1, 600), milliseconds=chance.randrange(999)),
            raid_id=chance.choice(["r1", "r2", None]),
            properties=Raw(json.dumps(chance.choice(PROPERTIES)).encode()),
        )
        for place in range(size)
    ]


def sent(events, *, start, source="t-0"):
    table = to_table(events).append_column("position", pa.array(range(start, start + len(events)), pa.int64()))
    return as_stored(table, ingested_at=NOW, source=source)


def deliver(store, live, batches):
    """Write batches to history and, as the consumer does, to the live numbers beside it."""
    start = 0
    for events in batches:
        rows, moved = sent(events, start=start), {"t-0": (start, start + len(events))}
        store.append_all(rows, moved=moved)
        live.apply(rows, moved=moved, rejected={}, now=NOW)
        start += len(events)


def same(picture, other):
    """Compare two pictures but for what only the consumer knows."""
    assert told(picture) == told(other)
    assert picture.minutes.keys() == other.minutes.keys()
    for minute, one in picture.minutes.items():
        two = other.minutes[minute]
        assert one.users.tolist() == two.users.tolist()
        assert one.errors.tolist() == two.errors.tolist()
        assert sorted(map(tuple, one.bins.tolist())) == sorted(map(tuple, two.bins.tolist()))
    assert picture.raids.keys() == other.raids.keys()
    for raid_id, joined in picture.raids.items():
        assert joined.users.tolist() == other.raids[raid_id].users.tolist()
        assert joined.joined.tolist() == other.raids[raid_id].joined.tolist()
    assert picture.state.watermark == other.state.watermark
    assert picture.state.raids == other.state.raids


@pytest.mark.parametrize("seed", range(4))
def test_views_show_what_the_live_store_shows(store, live, seed):
    chance, views = chances(seed), ViewsLive(store, Policy())
    batches = [a_batch(chance, number) for number in range(5)]
    for number in range(5):  # looked at in between, so that minutes are read again where they grew
        start = 60 * number
        rows, moved = sent(batches[number], start=start), {"t-0": (start, start + 60)}
        store.append_all(rows, moved=moved)
        live.apply(rows, moved=moved, rejected={}, now=NOW)
        same(views.picture(), live.picture())
    assert views.state().sources["t-0"].counted == 300
    assert views.position("t-0") == 300


def test_an_insert_that_is_made_again_counts_once_in_the_views(store, live, monkeypatch):
    real = talk.insert

    def twice(*args, **named):
        real(*args, **named)
        real(*args, **named)

    monkeypatch.setattr(talk, "insert", twice)
    deliver(store, live, [a_batch(chances(1), number) for number in range(3)])
    (there,) = store.select("SELECT count() AS rows, uniqExact(event_key) AS events FROM live_told").to_pylist()
    assert there["rows"] == 2 * there["events"] > 0  # the table got each once, by its token, and the views twice
    assert store.select("SELECT count() AS n FROM events")["n"].to_pylist() == [180]
    same(ViewsLive(store).picture(), live.picture())


def rows_of(store, table):
    return store.select(f"SELECT count() AS n FROM {table}")["n"].to_pylist()[0]


def test_rows_that_are_in_the_views_twice_count_once(store, live):
    """A block that failed after its views were filled is inserted again, perhaps cut otherwise: fill them again."""
    deliver(store, live, [a_batch(chances(2), number) for number in range(3)])
    before = rows_of(store, "live_cells")
    for half in ("user_key % 2 = 0", "user_key % 3 != 0", "true"):
        for name in ("cells", "people", "told", "sources"):
            (made,) = store.select(
                "SELECT as_select AS q FROM system.tables WHERE database = currentDatabase() AND name = $name",
                {"name": f"live_{name}_view"},
            )["q"].to_pylist()
            store.command(f"INSERT INTO live_{name} {made.replace('WHERE ', f'WHERE {half} AND ')}")
    assert rows_of(store, "live_cells") > 2 * before
    same(ViewsLive(store).picture(), live.picture())


def test_a_batch_that_was_given_up_is_not_seen(store, live, monkeypatch):
    deliver(store, live, [a_batch(chances(3), 0)])
    with monkeypatch.context() as broken:
        broken.setattr(store, "_count", lambda batch: -1)
        with pytest.raises(StoreConflict, match="times another process was faster"):
            store.append_all(sent(a_batch(chances(3), 1), start=60), moved={"t-0": (60, 120)})
    same(ViewsLive(store).picture(), live.picture())
    assert ViewsLive(store).state().sources["t-0"].position == 60


def test_closed_windows_are_those_of_history(store, live):
    deliver(store, live, [a_batch(chances(4), number) for number in range(4)])
    found = live_check(store, ViewsLive(store))
    assert found.unexplained == 0
    assert len(LiveNumbers(ViewsLive(store).picture()).volume().frame)


def test_events_of_the_day_before_yesterday_are_historys_alone(store):
    old = [Event(event_id="old", event_type="x", user_id="ann", occurred_at=NOW - timedelta(days=2))]
    store.append_all(sent(old, start=0), moved={"t-0": (0, 1)})
    assert ViewsLive(store).picture().minutes == {}
    assert store.snapshot().query("SELECT count(*) AS n FROM events")["n"].to_pylist() == [1]


def test_on_a_server_that_loses_answers_they_are_the_same(clickhouse_server, live, tmp_path):
    with between(clickhouse_server.port) as proxy:
        store, turn = ClickHouseStore(proxy.dsn(), control=tmp_path), itertools.count()
        store.clear()
        lost = ("INSERT INTO `events`", "param_kind=complete")
        proxy.fault = lambda asked: SWALLOW if any(each in asked for each in lost) and next(turn) % 2 else PASS
        for number in range(6):
            events, start = a_batch(chances(number), number), 60 * number
            bare = to_table(events).append_column("position", pa.array(range(start, start + 60), pa.int64()))
            Patient(store).append(bare, source="t-0", start=start, end=start + 60, ingested_at=NOW)
            live.apply(sent(events, start=start), moved={"t-0": (start, start + 60)}, rejected={}, now=NOW)
        assert proxy.count(SWALLOW) >= 3
        proxy.fault = lambda asked: PASS
        same(ViewsLive(store).picture(), live.picture())
        store.clear()
        assert ViewsLive(store).picture().minutes == {}
