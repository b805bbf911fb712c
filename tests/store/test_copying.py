"""Copying a store: every event once, equal by the day, gone on with where it was cut off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings

from tests.test_engines_agree import tables
from workbench.cli import main
from workbench.errors import InvalidArgument, StoreConflict
from workbench.events import to_table
from workbench.store import copying
from workbench.store.base import STORED_EVENT, as_stored
from workbench.store.clickhouse import ClickHouseStore
from workbench.store.copying import copy, digests
from workbench.store.lake import LakeStore
from workbench.store.memory import MemoryStore
from workbench.testing import START, events_of

BEGIN, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
LATER = START + timedelta(microseconds=1)
JOURNEYS = {
    "ann": " ".join(f"view:{day}" for day in range(40)),
    "bob": " ".join(f"buy:{day / 3}" for day in range(100)),
    "cem": "it's;:3 na\\ïve$1:35",
}


def put(store, journeys=JOURNEYS, *, source="topic-0", start=0, at=START):
    events = to_table(events_of(journeys, unit=timedelta(days=1), value=0.1, properties={"a": "é\n\"'"}))
    events = events.append_column("position", pa.array(range(start, start + events.num_rows), pa.int64()))
    store.append(events, source=source, start=store.position(source), end=start + events.num_rows, ingested_at=at)
    return events.num_rows


def rows(store):
    names = ", ".join(STORED_EVENT.names)
    return store.snapshot().query(f"SELECT {names} FROM events ORDER BY event_id").cast(STORED_EVENT).to_pylist()


@pytest.fixture(params=["lake to chdb", "chdb to lake", "lake to http", "lake to lake"])
def stores(request, tmp_path):
    kinds = request.param.split(" to ")
    opened = []
    for number, kind in enumerate(kinds):
        if kind == "lake":
            opened.append(LakeStore(tmp_path / f"lake{number}"))
        elif kind == "chdb":
            opened.append(ClickHouseStore(f"chdb://{tmp_path / 'house'}"))
        else:
            opened.append(ClickHouseStore(request.getfixturevalue("clickhouse_server").dsn))
    yield opened
    for store, kind in zip(opened, kinds, strict=True):
        if kind == "http":
            store.clear()
        store.close()


def test_a_copy_is_equal_in_every_column_and_reading_goes_on_where_it_was(stores):
    one, other = stores
    count = put(one)
    done = copy(one, other)
    assert (done.events, done.sources) == (count, ("topic-0",))
    assert done.days == len(done.sent) == 40
    assert rows(other) == rows(one)
    assert other.position("topic-0") == one.position("topic-0") == count


def test_the_same_again_sends_nothing_and_a_new_day_alone_is_sent(stores):
    one, other = stores
    count = put(one)
    copy(one, other)
    assert copy(one, other).sent == ()
    put(one, {"dan": "view:5.5"}, start=count)
    again = copy(one, other)
    assert [str(day) for day in again.sent] == ["2026-01-10"]
    assert again.events == count + 1
    assert rows(other) == rows(one)


def test_what_was_cut_off_is_gone_on_with(stores, monkeypatch):
    one, other = stores
    count = put(one)
    sent = []

    class Killed(Exception):
        pass

    monkeypatch.setattr(copying, "AT_ONCE", 30)
    append_all = type(other).append_all

    def dying(store, events, *, moved):
        if len(sent) == 3:
            raise Killed
        sent.append(events.num_rows)
        return append_all(store, events, moved=moved)

    with monkeypatch.context() as patch:
        patch.setattr(type(other), "append_all", dying)
        with pytest.raises(Killed):
            copy(one, other)
    assert 0 < len(rows(other)) < count
    assert other.position("topic-0") == 0
    assert copy(one, other).events == count
    assert rows(other) == rows(one)


def test_what_arrives_meanwhile_is_read_on_by_the_other(tmp_path):
    one, other = (LakeStore(tmp_path / name) for name in ("one", "other"))
    count = put(one)

    def arrive(*_):
        if one.position("topic-0") == count:
            put(one, {"dan": "view:1"}, start=count)

    done = copy(one, other, progress=arrive)
    assert done.events == count
    assert other.position("topic-0") == count
    put(other, {"dan": "view:1"}, start=count)  # as a consumer does that starts on the other
    assert rows(other) == rows(one)


def test_events_of_its_own_are_an_error_and_are_kept(stores):
    one, other = stores
    put(one)
    put(other, {"eve": "view:3"}, source="elsewhere")
    with pytest.raises(StoreConflict, match=r"1 days differ, the first is 2026-01-08: \d+ events in .* own"):
        copy(one, other)
    assert "eve" in {row["user_id"] for row in rows(other)}


def test_a_store_without_events_is_copied_in_no_time(stores):
    assert copy(*stores).events == 0


def test_months_and_years_are_gone_through_one_after_the_other(tmp_path):
    one, other = (LakeStore(tmp_path / name) for name in ("one", "other"))
    put(one, {"ann": "view:0 view:26.99999 view:27 view:370"})
    told = []
    copy(one, other, progress=lambda *words: told.append(words))
    assert told[0] == (1, 13, "2026-01")
    assert told[-1] == (13, 13, "2027-01")
    assert rows(other) == rows(one)


def test_a_store_cannot_be_copied_into_itself(tmp_path):
    store = LakeStore(tmp_path / "lake")
    with pytest.raises(InvalidArgument, match="cannot be copied into itself"):
        copy(store, LakeStore(tmp_path / "lake"))


@settings(max_examples=10)
@given(table=tables())
def test_the_order_of_rows_changes_no_checksum(table):
    since, until = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    plain = digests(MemoryStore(table).snapshot(), since, until)
    assert (
        sum(rows for rows, _ in plain.values())
        == MemoryStore(table).snapshot().query("SELECT count(*) AS n FROM events")["n"].to_pylist()[0]
    )
    turned = table.take(pa.array(range(table.num_rows - 1, -1, -1)))
    assert digests(MemoryStore(turned).snapshot(), since, until) == plain


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("event_type", "View"), ("user_id", "anna"), ("platform", "web"), ("session_id", ""), ("value", 0.2),
        ("value", None), ("properties", "{}"), ("schema_version", 2), ("occurred_at", LATER), ("ingested_at", LATER),
        ("position", 8), ("source", "topic-1"),
    ],
)  # fmt: skip
def test_one_value_that_differs_is_another_checksum(column, value):
    events = to_table(events_of({"ann": "view:0"}, value=0.1, properties={"a": 1}))
    events = events.append_column("position", pa.array([7], pa.int64()))
    table = as_stored(events, source="topic-0", ingested_at=START)
    place = table.schema.get_field_index(column)
    changed = table.set_column(place, table.schema.field(column), pa.array([value], table.schema.field(column).type))
    one, other = (digests(MemoryStore(each).snapshot(), BEGIN, END) for each in (table, changed))
    assert one.keys() == other.keys()
    assert one != other


def test_the_command_copies_and_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    put(LakeStore(tmp_path / "lake"))
    for sent in ("40 days were sent", "0 days were sent"):
        with pytest.raises(SystemExit) as stop:
            main(("copy", "lake", f"chdb://{tmp_path / 'house'}"))
        assert not stop.value.code
        assert sent in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        main(("copy", "nowhere", "lake"))
    assert stop.value.code == 1
    assert "nowhere" in capsys.readouterr().err
