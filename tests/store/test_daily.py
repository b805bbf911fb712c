"""Tables by day, in a lake and in ClickHouse: a day is replaced as a whole, or not at all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from unittest.mock import ANY

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from tests.store import foreign
from workbench.errors import InvalidArgument, StoreCorrupt, StoreError
from workbench.store import daily
from workbench.store.clickhouse import ClickHouseStore
from workbench.store.lake import LakeStore

MONDAY, TUESDAY = date(2026, 1, 5), date(2026, 1, 6)


def rows(*people, risk=0.5):
    return pa.table(
        {
            "user_id": pa.array(people, pa.string()),
            "churn_risk": pa.array([risk] * len(people), pa.float64()),
            "held_out": pa.array([False] * len(people), pa.bool_()),
            "risk_level": pa.array([None] * len(people), pa.string()),
        }
    )


@pytest.fixture(params=["lake", "chdb", "http"])
def store(request, tmp_path):
    if request.param == "lake":
        yield LakeStore(tmp_path / "lake")
        return
    dsn = (
        f"chdb://{tmp_path / 'house'}" if request.param == "chdb" else request.getfixturevalue("clickhouse_server").dsn
    )
    house = ClickHouseStore(dsn)
    yield house
    house.command("DROP TABLE IF EXISTS scores")
    house.command("TRUNCATE TABLE predictions")
    house.close()


def people(store, day=None, *, name="scores"):
    table = daily.read(store, name, day=day)
    return (
        [] if table is None else sorted(zip(table["user_id"].to_pylist(), table["churn_risk"].to_pylist(), strict=True))
    )


def test_a_day_is_replaced_and_others_stay(store):
    assert daily.read(store, "scores") is None
    assert daily.days(store, "scores") == []
    daily.replace(store, "scores", MONDAY, rows("ann", "bob"))
    daily.replace(store, "scores", TUESDAY, rows("ann"))
    daily.replace(store, "scores", MONDAY, rows("cem", risk=0.9))
    assert people(store, MONDAY) == [("cem", 0.9)]
    assert people(store) == [("ann", 0.5), ("cem", 0.9)]
    assert daily.days(store, "scores") == [MONDAY, TUESDAY]


def test_the_same_again_changes_nothing(store):
    for _ in range(3):
        daily.replace(store, "scores", MONDAY, rows("ann", "bob"))
    assert people(store) == [("ann", 0.5), ("bob", 0.5)]


def test_a_day_of_nobody_is_empty(store):
    daily.replace(store, "scores", MONDAY, rows("ann"))
    daily.replace(store, "scores", MONDAY, rows())
    assert people(store) == []
    assert daily.days(store, "scores") == []


def test_those_who_write_the_same_day_at_once_leave_one_whole_day(store):
    crowds = [[f"{writer}{n}" for n in range(50)] for writer in "abcd"]
    daily.replace(store, "scores", MONDAY, rows("old"))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda crowd: daily.replace(store, "scores", MONDAY, rows(*crowd)), crowds))
    assert [name for name, _ in people(store)] in [sorted(crowd) for crowd in crowds]


def test_a_column_that_no_database_holds_is_named(store):
    with pytest.raises(InvalidArgument, match=r"column 'path' is of type struct.*there are string, "):
        daily.replace(store, "scores", MONDAY, rows("ann").append_column("path", pa.array([{"a": 1}])))
    assert daily.read(store, "scores") is None


def test_nothing_is_left_beside_the_table(store):
    daily.replace(store, "scores", MONDAY, rows("ann"))
    daily.replace(store, "scores", MONDAY, rows())
    if isinstance(store, ClickHouseStore):
        with pytest.raises(StoreError):
            daily.replace(store, "scores", MONDAY, rows("ann").append_column("nowhere", pa.array([1])))
        left = store.select("SELECT name FROM system.tables WHERE database = currentDatabase() AND name LIKE 'scores%'")
        assert left["name"].to_pylist() == ["scores"]


def test_predictions_lie_in_the_table_of_the_schema(store):
    daily.replace(store, "predictions", MONDAY, rows("ann", risk=0.25))
    assert people(store, name="predictions") == [("ann", 0.25)]


@pytest.mark.parametrize("name", ["events", "Scores", "a b", "x; DROP TABLE events", "", "batches"])
def test_other_names_are_refused(store, name):
    with pytest.raises(InvalidArgument, match="is no name of a table by day"):
        daily.replace(store, name, MONDAY, rows("ann"))


@pytest.fixture
def lake(tmp_path):
    return LakeStore(tmp_path / "lake")


def files_of(lake, name="scores"):
    return sorted((lake.path / name).rglob("date=*/*.parquet"))


def test_a_damaged_table_is_refused_and_named(lake):
    daily.replace(lake, "scores", MONDAY, rows("ann", "bob", "cem"))
    (path,) = files_of(lake)
    good = path.read_bytes()
    for place in range(0, len(good), 150):
        path.write_bytes(good[:place] + bytes([good[place] ^ 4]) + good[place + 1 :])
        with pytest.raises(StoreCorrupt, match=path.name):
            daily.read(lake, "scores")
    assert lake.scrub() == {f"scores/{path.relative_to(lake.path / 'scores')}": ANY}
    path.write_bytes(good)
    assert (lake.scrub(), lake.files_without_checksum()) == ({}, [])


def test_a_table_of_an_older_version_is_read_and_gets_checksums(lake):
    old = rows("ann", "bob").add_column(0, "date", pa.array([MONDAY] * 2, pa.date32()))
    write_deltalake(lake.path / "scores", old, mode="overwrite", partition_by=["date"], name="scores")
    assert people(lake) == [("ann", 0.5), ("bob", 0.5)]
    daily.replace(lake, "scores", TUESDAY, rows("cem"))
    assert (len(lake.files_without_checksum()), daily.days(lake, "scores")) == (1, [MONDAY, TUESDAY])
    lake.maintain(full=True)
    assert lake.files_without_checksum() == []
    assert people(lake) == [("ann", 0.5), ("bob", 0.5), ("cem", 0.5)]
    assert people(lake, MONDAY) == [("ann", 0.5), ("bob", 0.5)]


def test_a_new_column_is_null_on_the_days_before(lake):
    daily.replace(lake, "scores", MONDAY, rows("ann"))
    daily.replace(lake, "scores", TUESDAY, rows("ann").append_column("reason", pa.array(["bored"])))
    daily.replace(lake, "scores", MONDAY, rows("bob"))
    table = daily.read(lake, "scores").sort_by("date")
    assert table["reason"].to_pylist() == [None, "bored"]
    assert table.column_names[0] == "date"


def test_people_that_another_program_deleted_from_a_table_stay_deleted(lake):
    daily.replace(lake, "scores", MONDAY, rows("ann", "bob"))
    (path,) = files_of(lake)
    foreign.delete_rows(lake.path / "scores", str(path.relative_to(lake.path / "scores")), [0])
    assert people(lake) == [("bob", 0.5)]
    lake.maintain(full=True)
    assert people(lake) == [("bob", 0.5)]
    daily.replace(lake, "scores", MONDAY, rows("cem"))
    assert people(lake) == [("cem", 0.5)]


def test_a_table_with_an_unknown_feature_is_refused_by_name(lake):
    daily.replace(lake, "scores", MONDAY, rows("ann"))
    foreign.commit(lake.path / "scores", *foreign.upgraded(lake.path / "scores", "typeWidening"))
    for use in (lambda: daily.read(lake, "scores"), lambda: daily.days(lake, "scores")):
        with pytest.raises(StoreError, match="typeWidening"):
            use()
    with pytest.raises(StoreError, match="typeWidening"):
        daily.replace(lake, "scores", MONDAY, rows("ann"))
