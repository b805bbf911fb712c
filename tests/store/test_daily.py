"""Tables by day, in a lake and in ClickHouse: a day is replaced as a whole, or not at all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pyarrow as pa
import pytest

from workbench.errors import InvalidArgument, StoreError
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
