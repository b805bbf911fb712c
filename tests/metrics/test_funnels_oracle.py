"""Funnels against the oracle, over made-up people with ties, repeated steps and overlapping conditions."""

from __future__ import annotations

import math
from datetime import timedelta
from statistics import mean, median

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.metrics import oracle
from tests.metrics.oracle import Row, Want
from workbench.metrics.funnel_definition import Rules
from workbench.metrics.funnels import Funnel, funnel
from workbench.metrics.steps import step
from workbench.store.memory import MemoryStore
from workbench.testing import START, events_of, stored

MINUTE = timedelta(minutes=1)
HORIZON = 4

rows = st.lists(
    st.builds(Row, st.sampled_from("aaabbcz"), st.integers(0, HORIZON), st.sampled_from(["web", "discord"])),
    min_size=2,
    max_size=6,
)
wants = st.lists(
    st.sampled_from([Want("a"), Want("b"), Want("c"), Want("a", "discord"), Want("a", "web")]), min_size=2, max_size=4
)
communities = st.lists(rows, min_size=1, max_size=5)


def asked(community: list[list[Row]], steps: list[Want], **options: object) -> Funnel:
    """Ask the real funnel about a community; everybody knows every event, by a visitor from before."""
    events = events_of({"visitor": "a:-900 b:-901 c:-902 z:-903"})
    for number, journey in enumerate(community):
        for place, row in enumerate(journey):
            events += events_of(
                {f"p{number}": f"{row.event}:{row.minute}"}, platform=row.platform, session_id=str(place)
            )
    distinct = [
        type(event)(**{name: getattr(event, name) for name in event.__struct_fields__} | {"event_id": f"{number}"})
        for number, event in enumerate(events)
    ]
    named = [step(want.event, where={"platform": want.platform} if want.platform else None) for want in steps]
    return funnel(MemoryStore(stored(distinct)).snapshot(), named, since=START, **options)


@pytest.mark.parametrize("order", ["ordered", "strict", "any"])
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    community=communities,
    steps=wants,
    within=st.integers(1, HORIZON),
    until=st.integers(1, HORIZON + 1),
    now=st.integers(2, 2 * HORIZON),
)
def test_the_numbers_are_those_of_trying_every_way(order, community, steps, within, until, now):
    answer = asked(
        community,
        steps,
        within=within * MINUTE,
        order=order,
        until=START + until * MINUTE,
        now=START + now * MINUTE,
    )
    people = [
        oracle.person(journey, steps, within=within, order=order, entry=range(until), now=now) for journey in community
    ]
    there = [each for each in people if each]
    frame = answer.frame
    for k in range(1, len(steps) + 1):
        line = frame.iloc[k - 1]
        reached = [each for each in there if len(each.times) >= k]
        assert line["users"] == len(reached) == len(answer.people(k))
        stopped = [each for each in there if len(each.times) == k < len(steps) and each.in_flight]
        assert line["in_flight"] == len(stopped) == len(answer.people(k, in_flight=True))
        settled = [each for each in there if each.settled]
        expected = sum(each.settled >= k for each in settled) / len(settled) if settled else math.nan
        assert line["matured_conversion_rate"] == pytest.approx(expected, nan_ok=True)
        seconds = [60.0 * (each.times[k - 1] - each.times[0]) for each in reached] or [math.nan]
        laps = [60.0 * (each.times[k - 1] - each.times[max(k - 2, 0)]) for each in reached] or [math.nan]
        assert [line["median_seconds"], line["mean_seconds"]] == pytest.approx(
            [median(seconds), mean(seconds)], nan_ok=True
        )
        assert [line["step_median_seconds"], line["step_mean_seconds"]] == pytest.approx(
            [median(laps), mean(laps)], nan_ok=True
        )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    community=communities,
    steps=st.lists(st.sampled_from([Want("a"), Want("b"), Want("c"), Want("a", "web")]), min_size=2, max_size=3),
    order=st.sampled_from(["ordered", "strict"]),
    within=st.integers(1, HORIZON),
    now=st.integers(2, 2 * HORIZON),
    readings=st.builds(oracle.Readings, st.booleans(), st.booleans(), st.booleans(), st.booleans()),
    span=st.sampled_from([(1, 2), (1, 3), (2, 3)]),
    excluding=st.booleans(),
)
def test_every_reading_gives_the_numbers_of_trying_every_way(
    community, steps, order, within, now, readings, span, excluding
):
    order = "ordered" if readings.reuse else order
    exclude = [("z", span[0], min(span[1], len(steps)))] if excluding and span[0] < len(steps) else []
    rules = Rules(
        anchor="first" if readings.first_only else "any",
        ties=readings.ties,
        reuse=readings.reuse,
        exclusion="attempt" if readings.keep else "person",
    )
    answer = asked(
        community,
        steps,
        within=within * MINUTE,
        order=order,
        exclude=exclude,
        now=START + now * MINUTE,
        rules=rules,
        counting="totals",
    )
    people = [
        oracle.person(
            journey, steps, within=within, order=order, entry=range(99), now=now, exclude=exclude, readings=readings
        )
        for journey in community
    ]
    there = [each for each in people if each]
    for k in range(1, len(steps) + 1):
        line = answer.frame.iloc[k - 1]
        assert line["users"] == sum(len(each.times) >= k for each in there) == len(answer.people(k))
        assert line["count"] == sum(each.counts[k - 1] for each in there)
        assert line["in_flight"] == sum(len(each.times) == k < len(steps) and each.in_flight for each in there)
        seconds = [60.0 * (each.times[k - 1] - each.times[0]) for each in there if len(each.times) >= k] or [math.nan]
        assert line["mean_seconds"] == pytest.approx(mean(seconds), nan_ok=True)
