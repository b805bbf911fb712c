from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.communities import community
from workbench.errors import InvalidArgument
from workbench.metrics.performance import performance
from workbench.testing import store_of

NOW = "2026-02-01"


def of(*properties, event_type="request"):
    """One request a minute, with these properties."""
    groups = [({"ann": f"{event_type}:{minute}"}, {"properties": told}) for minute, told in enumerate(properties)]
    return performance(community(*groups), width="1d", now=NOW).frame.iloc[0]


def test_a_request_fails_when_it_says_an_error_or_its_status_does():
    failing = [{"error": "timeout"}, {"status": 500}, {"status": "503"}, {"status": 429}, {"error": {}}, {"error": 0}]
    fine = [{}, {"status": 200}, {"status": 404}, {"error": None}, {"error": ""}, {"error": False}, {"status": "oops"}]
    row = of(*failing, *fine)
    assert (row["requests"], row["errors"]) == (13, 6)
    assert row["error_rate"] == 6 / 13
    assert row["ci_low"] < 6 / 13 < row["ci_high"]


def test_ai_interactions_count_and_other_events_do_not():
    frame = performance(store_of({"ann": "ai_interaction:0 view:1 request:2"}).snapshot(), width="1d", now=NOW).frame
    assert frame["requests"].tolist() == [2]


def test_what_does_not_say_how_long_it_took_is_in_no_quantile():
    row = of(
        {"response_time_ms": 10}, {}, {"response_time_ms": -1}, {"response_time_ms": "fast"}, {"response_time_ms": 1e9}
    )
    assert (row["requests"], row["timed"], row["p99_ms"]) == (5, 1, 10)


def test_where_nothing_was_timed_there_is_no_quantile():
    row = of({}, {})
    assert row["timed"] == 0
    assert math.isnan(row["p50_ms"])


@given(times=st.lists(st.integers(0, 10_000), min_size=1, max_size=40))
def test_a_quantile_is_the_smallest_time_that_so_many_do_not_exceed(times):
    row = of(*[{"response_time_ms": ms} for ms in times])
    for name, share in (("p50_ms", 0.5), ("p95_ms", 0.95), ("p99_ms", 0.99)):
        assert row[name] == next(ms for ms in sorted(times) if sum(t <= ms for t in times) >= share * len(times) - 1e-9)


def test_requests_and_ai_answers_are_told_apart_by_event_type():
    slow = ({"ann": "ai_interaction:0 ai_interaction:1"}, {"properties": {"response_time_ms": 4000}})
    quick = ({"ann": "request:0 request:1 request:2"}, {"properties": {"response_time_ms": 20}})
    answer = performance(community(slow, quick), width="1d", by="event_type", now=NOW)
    columns = ["segment", "requests", "timed", "p50_ms", "p95_ms"]
    assert answer.frame[columns].to_numpy().tolist() == [
        ["ai_interaction", 2, 2, 4000, 4000],
        ["request", 3, 3, 20, 20],
    ]
    assert {mark.label: mark.y for mark in answer.chart().marks} == {
        "ai interaction": (4.0,),
        "request": (0.02,),
    }
    assert "5 requests" in answer.reading()


def test_a_breakdown_that_is_not_offered_is_refused():
    with pytest.raises(InvalidArgument, match="by is 'event_type' or None, not 'platform'"):
        performance(store_of({}).snapshot(), by="platform")


def test_windows_without_a_request_have_no_row():
    frame = performance(store_of({"ann": "request:0 request:1 request:9"}).snapshot(), width="5m", now=NOW).frame
    assert frame["start"].dt.strftime("%H:%M").tolist() == ["00:00", "00:05"]
    assert frame["requests"].tolist() == [2, 1]


def test_the_reading_says_how_many_failed_and_how_slow_the_slowest_were():
    slow = community(({"ann": "request:0"}, {"properties": {"status": 500, "response_time_ms": 2500}}))
    answer = performance(slow, now=NOW)
    assert "1 requests, of which 1 failed: 100.0%" in answer.reading()
    assert "2.5 s" in answer.reading()
    assert answer.chart().marks[2].y == (2.5,)


def test_nothing_requested_is_said():
    answer = performance(store_of({"ann": "view:0"}).snapshot(), now=NOW)
    assert answer.reading() == "Nothing was requested in this time."
    assert answer.chart().marks == ()


@pytest.mark.parametrize("width", ["0.5s", "1.5s", "0s", "soon"])
def test_a_window_is_whole_seconds_wide(width):
    with pytest.raises(InvalidArgument, match="width"):
        performance(store_of({}).snapshot(), width=width)
