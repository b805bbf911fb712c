"""The dialect `clickhouse` against the real `windowFunnel`, which runs inside of this process."""

from __future__ import annotations

from datetime import timedelta

import chdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import InvalidArgument
from workbench.metrics.funnel_definition import MODES
from workbench.metrics.funnels import funnel
from workbench.metrics.steps import step
from workbench.store.memory import MemoryStore
from workbench.testing import START, events_of, store_of, stored

MINUTE = timedelta(minutes=1)
WANTS = {"a": ("a", None), "b": ("b", None), "c": ("c", None), "a on x": ("a", "x"), "a on y": ("a", "y")}

rows = st.lists(st.tuples(st.sampled_from("aabbcz"), st.integers(0, 6), st.sampled_from("xy")), min_size=1, max_size=9)


def level(journey: list[tuple[str, int, str]], wants: list[str], within: int, modes: list[str]) -> int:
    """Ask ClickHouse how far one person came."""
    parts = []
    for want in wants:
        event, platform = WANTS[want]
        parts.append(f"event = '{event}'" + (f" AND platform = '{platform}'" if platform else ""))
    values = ", ".join(f"({minute}, '{event}', '{platform}')" for event, minute, platform in journey)
    options = "".join(f", '{mode}'" for mode in modes)
    sql = (
        f"SELECT windowFunnel({within}{options})(at, {', '.join(parts)}) "
        f"FROM values('at UInt64, event String, platform String', {values})"
    )
    return int(str(chdb.query(sql, "CSV")))


def furthest(journey: list[tuple[str, int, str]], wants: list[str], within: int, modes: list[str]) -> int:
    """Ask ours."""
    events = events_of({"visitor": "a:-900 b:-900 c:-900"})
    for number, (event, minute, platform) in enumerate(journey):
        events += events_of({"ann": f"{event}:{minute}"}, platform=platform, session_id=str(number))
    distinct = [
        type(event)(**{name: getattr(event, name) for name in event.__struct_fields__} | {"event_id": f"{number}"})
        for number, event in enumerate(events)
    ]
    named = [step(WANTS[want][0], where={"platform": WANTS[want][1]} if WANTS[want][1] else None) for want in wants]
    answer = funnel(
        MemoryStore(stored(distinct)).snapshot(), named, within=within * MINUTE, since=START,
        now=START + timedelta(days=1), dialect="clickhouse", modes=modes,
    )  # fmt: skip
    return int(answer.frame["users"].sum())


@given(
    journey=rows,
    wants=st.lists(st.sampled_from(sorted(WANTS)), min_size=2, max_size=4),
    within=st.integers(1, 6),
    modes=st.lists(st.sampled_from(MODES), unique=True),
)
def test_everybody_comes_as_far_as_window_funnel_says(journey, wants, within, modes):
    assert furthest(journey, wants, within, modes) == level(journey, wants, within, modes)


@pytest.mark.parametrize(
    ("modes", "expected"),
    [([], [6, 5, 5]), (["strict_order"], [6, 4, 3]), (["strict_order", "strict_deduplication"], [6, 4, 1])],
)
def test_the_people_of_clickhouse_s_own_tests_come_as_far_as_there(modes, expected):
    # tests/queries/0_stateless/00632_aggregation_window_funnel.sql, table funnel_test_strict_order
    snapshot = store_of(
        {
            "1": "a:1 b:2 c:3",
            "2": "a:1 d:2 b:3 c:4",
            "3": "a:1 a:2 b:3 b:4 c:5 c:6",
            "4": "a:1 a:2 a:3 a:4 b:5 b:6 c:7 c:8",
            "5": "a:1 a:2 b:3 b:4 d:5 c:6 c:7",
            "6": "c:1 c:2 b:3 b:4 a:5 a:6",
        }
    ).snapshot()
    answer = funnel(snapshot, ["a", "b", "c"], within="1d", now="2026-02-01", dialect="clickhouse", modes=modes)
    assert answer.frame["users"].tolist() == expected


def test_in_strict_increase_steps_come_one_instant_after_the_other():
    # the same file, table funnel_test_strict_increase
    snapshot = store_of({"ann": "e1000:0 e1001:1 e1002:1 e1003:1 e1004:2"}).snapshot()
    steps = ["e1000", "e1001", "e1002", "e1003", "e1004"]
    for modes, reached in (([], 5), (["strict_increase"], 2)):
        answer = funnel(snapshot, steps, within="1h", now="2026-02-01", dialect="clickhouse", modes=modes)
        assert answer.frame["users"].sum() == reached
    once = funnel(snapshot, ["e1004"] * 3, within="1h", now="2026-02-01", dialect="clickhouse")
    assert once.frame["users"].tolist() == [1, 1, 1]


def test_people_whose_window_is_open_are_in_flight_in_every_mode():
    snapshot = store_of({"ann": "a:0 b:1", "bob": "a:5", "cem": "a:50"}).snapshot()
    answer = funnel(
        snapshot, ["a", "b"], within="30m", now=START + 60 * MINUTE, dialect="clickhouse", modes=["strict_increase"]
    )
    assert answer.people(1, in_flight=True) == ["cem"]
    assert answer.matured_conversion_rate == 0.5


def test_modes_are_clickhouse_s_alone():
    snapshot = store_of({"ann": "a:0 b:1"}).snapshot()
    with pytest.raises(InvalidArgument, match="dialect='clickhouse'"):
        funnel(snapshot, ["a", "b"], modes=["strict_order"])
    with pytest.raises(InvalidArgument, match="'strict_once', got 'strict'"):
        funnel(snapshot, ["a", "b"], dialect="clickhouse", modes=["strict"])
    with pytest.raises(InvalidArgument, match="modes is a list"):
        funnel(snapshot, ["a", "b"], dialect="clickhouse", modes="strict_order")
    with pytest.raises(InvalidArgument, match="no order, exclude, anchor, ties or grace"):
        funnel(snapshot, ["a", "b"], dialect="clickhouse", modes=["strict_order"], order="any")
