from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.metrics import sequences
from workbench.metrics.kernels import order
from workbench.metrics.pushdown import FURTHEST, MOST_BITS
from workbench.store.keys import user_key
from workbench.testing import store_of

SQL = "SELECT user_key, epoch_us(occurred_at) AS at, ascii(event_type) AS code FROM events"
NEAR = st.integers(-3, 3)


def walked(rows):
    """List (person, time, column values …) row by row."""
    people = np.repeat(rows.user_key, np.diff(rows.first))
    columns = [column.tolist() for column in rows.columns.values()]
    return list(zip(people.tolist(), rows.at.tolist(), *columns, strict=True))


@given(st.lists(st.tuples(NEAR, NEAR, NEAR, st.integers(0, 9))))
def test_rows_come_by_person_then_time_then_tie(given_rows):
    columns = zip(*given_rows, strict=True) if given_rows else [[]] * 4
    arrays = [np.array(column, np.int64) for column in columns]
    found = walked(sequences.ordered(dict(zip(["user_key", "at", "tie", "n"], arrays, strict=True)), tie="tie"))
    assert [(key, at, tie) for key, at, tie, _ in found] == [row[:3] for row in sorted(given_rows)]
    assert sorted(found) == sorted(given_rows)


@given(st.lists(st.lists(st.tuples(NEAR, NEAR, NEAR), max_size=8), max_size=6))
def test_runs_of_rows_that_have_but_a_tie_come_in_the_same_order(runs):
    rows = [row for run in runs for row in sorted(run, key=lambda row: row[0])]
    columns = zip(*rows, strict=True) if rows else [[]] * 3
    arrays = [np.array(column, np.int64) for column in columns]
    found = sequences.ordered(dict(zip(["user_key", "at", "tie"], arrays, strict=True)), tie="tie")
    assert walked(found) == sorted(rows)


@given(st.lists(st.lists(st.tuples(NEAR | st.integers(-FURTHEST, FURTHEST), st.integers(0, 511)), min_size=1)))
def test_gathered_rows_come_by_time_then_code(people):
    packed = np.array([at * (1 << MOST_BITS) + code for rows in people for at, code in rows], np.int64)
    first = np.cumsum([0, *map(len, people)])
    for begin in range(min(len(people), 2)):  # or a piece of them
        at, code = order.unpacked(first[begin:], packed, MOST_BITS)
        assert list(zip(at.tolist(), code.tolist(), strict=True)) == [
            r for rows in people[begin:] for r in sorted(rows)
        ]


def test_a_tie_decides_between_rows_of_one_instant():
    columns = {"user_key": [1, 1, 1], "at": [5, 5, 4], "tie": [2, 1, 9], "n": [20, 10, 0]}
    arrays = {name: np.array(column) for name, column in columns.items()}
    assert sequences.ordered(arrays, tie="tie").columns["n"].tolist() == [0, 10, 20]


def test_every_person_has_a_beginning_and_an_end():
    rows = sequences.ordered({"user_key": np.array([7, 3, 7]), "at": np.array([1, 1, 0])})
    assert (rows.user_key.tolist(), rows.first.tolist()) == ([3, 7], [0, 1, 3])


def test_nobody_has_no_rows():
    rows = sequences.ordered({"user_key": np.zeros(0, np.int64), "at": np.zeros(0, np.int64)})
    assert (rows.user_key.tolist(), rows.first.tolist()) == ([], [0])


def test_a_kernel_sees_what_each_person_did_in_order():
    snapshot = store_of({"ann": "b:9 a:0", "bob": "c:1"}).snapshot()
    (found,) = sequences.by_person(snapshot, SQL, {}, walked)
    codes = {person: [code for who, _, code in found if who == user_key(person)] for person in ("ann", "bob")}
    assert codes == {"ann": [97, 98], "bob": [99]}


def test_what_goes_wrong_in_a_kernel_is_told():
    with pytest.raises(ZeroDivisionError):
        sequences.by_person(store_of({"ann": "a:0"}).snapshot(), SQL, {}, lambda rows: 1 // 0)


def test_people_behind_keys_are_named_in_order():
    snapshot = store_of({"bob": "a:0 b:1", "ann": "a:0", "cy": "a:0"}).snapshot()
    assert sequences.user_ids(snapshot, np.array([user_key("bob"), user_key("ann")])) == ["ann", "bob"]
    assert sequences.user_ids(snapshot, np.array([], dtype=np.int64)) == []
    keys = np.array([user_key(name) for name in ("cy", "ann", "cy")])
    assert sequences.names_of(snapshot, keys) == ["cy", "ann", "cy"]
