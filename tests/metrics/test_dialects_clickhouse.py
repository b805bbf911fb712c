"""What ClickHouse's documentation and tests say of `windowFunnel` and `retention`, asked in its dialect.

The tests are in github.com/ClickHouse/ClickHouse, tests/queries/0_stateless/00632_aggregation_window_funnel.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from workbench.metrics.funnels import funnel
from workbench.metrics.retention import retention
from workbench.testing import START, store_of

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


def levels(
    journeys: dict[str, str], steps: str, *, within: int = 86_400, modes: tuple[str, ...] = ()
) -> dict[str, int]:
    """Give how far each person came, 0 for not at all."""
    answer = funnel(
        store_of({**journeys, "visitor": "a:-99999 b:-99998 c:-99997 d:-99996"}, unit=SECOND).snapshot(),
        steps.split(), within=within * SECOND, dialect="clickhouse", modes=modes, since=START, now=START + 30 * DAY,
    )  # fmt: skip
    reached = {who: level for level in range(1, len(steps.split()) + 1) for who in answer.people(level)}
    return {who: reached.get(who, 0) for who in journeys}


def test_the_chain_of_the_documentation_is_level_4():
    # clickhouse.com/docs/sql-reference/aggregate-functions/parametric-functions#windowfunnel
    begin = datetime(2019, 1, 29, 10, tzinfo=UTC)
    journey = {"1": "e1003:0 e1009:22 e1007:47 e1010:70"}
    answer = funnel(
        store_of(journey, unit=timedelta(hours=1), start=begin).snapshot(), ["e1003", "e1009", "e1007", "e1010"],
        within="365d", dialect="clickhouse", since="2019-01-01", now="2019-02-02",
    )  # fmt: skip
    assert answer.frame["users"].tolist() == [1, 1, 1, 1]


NINE = {"1": " ".join(f"e{n}:{n}" for n in range(9))}


@pytest.mark.parametrize(
    ("within", "steps", "level"),
    [
        (10_000, "e0 e1", 2),
        (10_000, "e0 e1 e2 e8", 4),
        (2, "e3 e4 e5 e6 e7", 3),
        (3, "e3 e4 e5 e6 e7", 4),
        (4, "e3 e4 e5 e6 e7", 5),
        (10_000, "e1 e8", 2),
        (10_000, "e8 e1", 1),
    ],
)
def test_a_window_is_inclusive(within, steps, level):
    # the tests, funnel_test and funnel_test2
    assert levels(NINE, steps, within=within) == {"1": level}


SIX = {
    "1": "a:1 b:2 c:3",
    "2": "a:1 d:2 b:3 c:4",
    "3": "a:1 a:2 b:3 b:4 c:5 c:6",
    "4": "a:1 a:2 a:3 a:4 b:5 b:6 c:7 c:8",
    "5": "a:1 a:2 b:3 b:4 d:5 c:6 c:7",
    "6": "c:1 c:2 b:3 b:4 a:5 a:6",
}


@pytest.mark.parametrize(
    ("modes", "expected"),
    [
        ((), [3, 3, 3, 3, 3, 1]),
        (("strict_order",), [3, 1, 3, 3, 2, 1]),
        (("strict_deduplication", "strict_order"), [3, 1, 2, 2, 2, 1]),
    ],
)
def test_six_people_in_strict_order_and_without_repeats(modes, expected):
    # the tests, funnel_test_strict_order
    assert list(levels(SIX, "a b c", modes=modes).values()) == expected


def test_a_skipped_step_ends_a_strict_order():
    # the tests, funnel_test_strict_order, user 7
    assert levels({"7": "a:1 c:2 b:3"}, "a b c", within=10, modes=("strict_order",)) == {"7": 1}


def test_a_repeated_step_ends_a_chain_without_repeats():
    # the tests, funnel_test_strict and strict_BiteTheDDDD
    journey = {"1": "e0:0 e1:10 e2:20 e3:30 e4:40 e5:50 e5:51 e6:60 e7:70"}
    steps = "e0 e1 e2 e3 e4 e5 e6"
    assert levels(journey, steps) == {"1": 7}
    assert levels(journey, steps, modes=("strict_deduplication",)) == {"1": 6}
    assert levels({"1": "a:1 b:2 c:3 b:4 d:5"}, "a b c d", modes=("strict_deduplication",)) == {"1": 3}


def test_strict_increase_takes_one_step_an_instant():
    # the tests, funnel_test_strict_increase
    journey = {"1": "e0:0 e1:1 e2:1 e3:1 e4:2"}
    assert levels(journey, "e0 e1 e2 e3 e4") == {"1": 5}
    assert levels(journey, "e0 e1 e2 e3 e4", modes=("strict_increase",)) == {"1": 2}


@pytest.mark.parametrize(("modes", "level"), [((), 3), (("strict_once",), 1), (("strict_increase",), 1)])
def test_one_event_is_three_steps_unless_it_is_said_otherwise(modes, level):
    # the tests, funnel_test_strict_increase
    assert levels({"1": "e4:2"}, "e4 e4 e4", modes=modes) == {"1": level}


@pytest.mark.parametrize("more", [(), ("strict_increase",), ("strict_deduplication",)])
def test_two_failures_and_a_success_take_three_events(more):
    # the tests, funnel_test2 with failures
    journeys = {
        "123": "failure:180 failure:220 success:250",
        "234": "failure:100 failure:250",
        "345": "success:200 failure:210 success:230",
    }
    found = levels(journeys, "failure failure success", within=200, modes=("strict_once", *more))
    assert found == {"123": 3, "234": 2, "345": 1}


def test_retention_counts_who_meets_the_first_condition_and_another():
    # the page of windowFunnel, retention: five, ten and fifteen visitors; five of them are those of the first day
    journeys = {f"{n}": " ".join(f"visit:{day}" for day in range(3) if n < 5 * (day + 1)) for n in range(15)}
    store = store_of(journeys, unit=DAY, start=datetime(2020, 1, 1, tzinfo=UTC))
    answer = retention(
        store.snapshot(), start="visit", returns="visit", period="day", dialect="clickhouse", since="2020-01-01",
        until="2020-01-02", now="2020-01-03T12:00",
    )  # fmt: skip
    assert answer.frame["users"].tolist() == [5, 5, 5]
    assert answer.people("2020-01-01", 2) == ["0", "1", "2", "3", "4"]
