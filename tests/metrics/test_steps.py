from __future__ import annotations

import pytest

from workbench.errors import InvalidArgument, UnknownEvent
from workbench.metrics.steps import Step, as_step, check_known, conditions, seen, step
from workbench.metrics.words import words
from workbench.testing import START, store_of


def test_equal_steps_are_equal_in_whatever_order_their_conditions_are_given():
    first = step("buy", where={"platform": "x", "plan": ["a", "b"]})
    assert first == step("buy", where={"plan": ("a", "b"), "platform": "x"})
    assert len({first, as_step("buy"), as_step(Step("buy"))}) == 2


@pytest.mark.parametrize(
    "where", [{"": 1}, {"event_type": "x"}, {"p": None}, {"p": []}, {"p": {"a": 1}}, {"p": float("nan")}, {"p": [[1]]}]
)
def test_conditions_that_nothing_can_be_compared_with_are_refused(where):
    with pytest.raises(InvalidArgument, match="where"):
        step("buy", where=where)


@pytest.mark.parametrize("name", ["", None, 7])
def test_a_step_without_a_name_is_refused(name):
    with pytest.raises(InvalidArgument, match="name of an event"):
        step(name)


def test_nothing_that_was_given_becomes_part_of_the_sql():
    texts, values = conditions([step("e'1", where={"p'2": "v'3", "platform": ["w'4", 5, True]})], words("duckdb"))
    assert not any(given in texts[0] for given in ("e'1", "p'2", "v'3", "w'4"))
    assert values == {
        "event_1": "e'1",
        "property_1_1": "/p'2",
        "texts_1_1": ["v'3"],
        "texts_1_2": ["w'4", "true"],
        "numbers_1_2": [5.0],
    }


def test_integers_that_floats_cannot_hold_are_compared_as_text():
    assert conditions([step("e", where={"p": 2**60 + 1})], words("duckdb"))[1]["texts_1_1"] == [str(2**60 + 1)]


def test_an_event_is_known_when_it_ever_occurred_and_before_there_is_data_everything_is():
    known = seen(store_of({"ann": "view:0 view:5"}).snapshot())
    assert known["view"][0] == START
    check_known([step("buy")], {})
    with pytest.raises(UnknownEvent, match="no event 'buy'"):
        check_known([step("buy")], known)
