"""Funnels against the oracle, over made-up people with ties, repeated steps and overlapping conditions."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from statistics import mean, median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics import oracle_funnels as oracle
from tests.metrics.oracle_funnels import Asked, Row, Want
from workbench.metrics.funnels import Funnel, funnel
from workbench.metrics.steps import step
from workbench.store.memory import MemoryStore
from workbench.testing import START, events_of, stored

MINUTE = timedelta(minutes=1)
HORIZON = 5
EARLY = 10_000

rows = st.builds(
    Row,
    st.sampled_from("aaabbcz"),
    st.integers(0, HORIZON),
    st.sampled_from(["web", "discord"]),
    st.sampled_from(["s", "t", None]),
)
communities = st.lists(st.lists(rows, min_size=2, max_size=6), min_size=1, max_size=5)
wants = st.lists(
    st.sampled_from([Want("a"), Want("b"), Want("c"), Want("a", "discord"), Want("a", "web")]), min_size=2, max_size=4
)


@st.composite
def questions(draw) -> Asked:
    steps = tuple(draw(wants))
    order = draw(st.sampled_from(["ordered", "strict", "any"]))
    spans = [(after, before) for before in range(2, len(steps) + 1) for after in range(1, before)]
    excluded = st.builds(lambda event, span: (event, *span), st.sampled_from("zb"), st.sampled_from(spans))
    anchor, hold = draw(st.sampled_from(["any", "first"])), draw(st.sampled_from([False, False, True]))
    counting = draw(st.sampled_from(["users", "sessions", "totals", *(["pairs"] if hold else [])]))
    ties = draw(st.sampled_from([True, False, 2]))
    graced = order == "ordered" and ties is True and (counting != "totals" or anchor == "first")
    return Asked(
        steps=steps,
        within=draw(st.integers(1, HORIZON)),
        now=draw(st.integers(2, 2 * HORIZON)),
        order=order,
        until=draw(st.integers(1, HORIZON + 1)),
        exclude=tuple(draw(st.lists(excluded, max_size=2))),
        counting=counting,
        anchor=anchor,
        ties=ties,
        reuse=draw(st.booleans()) if order != "strict" else False,
        exclusion=draw(st.sampled_from(["person", "attempt", "entry"])),
        grace=draw(st.integers(0, 2)) if graced else 0,
        first_step=draw(st.booleans()) if order == "any" else False,
        hold=hold,
    )


def asked(community: list[list[Row]], question: Asked, **options: object) -> Funnel:
    """Ask the real funnel; a visitor from before makes every event known."""
    events = events_of({"visitor": f"a:-{EARLY} b:-{EARLY} c:-{EARLY} z:-{EARLY}"})
    for number, journey in enumerate(community):
        for row in journey:
            events += events_of(
                {f"p{number}": f"{row.event}:{row.minute}"}, platform=row.platform, session_id=row.session
            )
    distinct = [
        type(event)(**{name: getattr(event, name) for name in event.__struct_fields__} | {"event_id": f"{number}"})
        for number, event in enumerate(events)
    ]
    return funnel(
        MemoryStore(stored(distinct)).snapshot(),
        [step(want.event, where={"platform": want.platform} if want.platform else None) for want in question.steps],
        within=question.within * MINUTE,
        order=question.order,
        exclude=list(question.exclude),
        since=START + question.since * MINUTE,
        until=START + question.until * MINUTE,
        now=START + question.now * MINUTE,
        counting=question.counting,
        anchor=question.anchor,
        ties=question.ties if isinstance(question.ties, bool) else question.ties * MINUTE,
        reuse=question.reuse,
        exclusion=question.exclusion,
        grace=question.grace * MINUTE,
        first_step=question.first_step,
        hold="platform" if question.hold else None,
        **options,
    )


def expected(people: list[list[oracle.Unit]], steps: int) -> list[dict[str, float]]:
    """Turn what is counted of each person into the rows of the frame."""
    there = [units for units in people if units]
    counted = [unit for units in there for unit in units]
    settled = [unit for unit in counted if unit.settled]
    lines = []
    for k in range(1, steps + 1):
        furthest = [max(len(unit.times) for unit in units) for units in there]
        reached = [unit.times for unit in counted if len(unit.times) >= k]
        seconds = [60.0 * (times[k - 1] - times[0]) for times in reached] or [math.nan]
        laps = [60.0 * (times[k - 1] - times[max(k - 2, 0)]) for times in reached] or [math.nan]
        waiting = [any(unit.in_flight for unit in units) for units in there]
        lines.append(
            {
                "users": sum(far >= k for far in furthest),
                "count": len(reached),
                "in_flight": sum(far == k < steps and wait for far, wait in zip(furthest, waiting, strict=True)),
                "conversion_rate": len(reached) / len(counted) if counted else math.nan,
                "matured_conversion_rate": sum(unit.settled >= k for unit in settled) / len(settled)
                if settled
                else math.nan,
                "mean_seconds": mean(seconds),
                "median_seconds": median(seconds),
                "step_mean_seconds": mean(laps),
                "step_median_seconds": median(laps),
            }
        )
    return lines


def assert_same(answer: Funnel, lines: list[dict[str, float]], segment: str | None = None) -> None:
    frame = answer.frame if segment is None else answer.frame[answer.frame["segment"] == segment]
    found = frame[[name for name in lines[0] if name in frame]].to_dict("records")
    for have, want in zip(found, lines, strict=True):
        assert have == pytest.approx({name: want[name] for name in have}, nan_ok=True)
    for k, line in enumerate(lines, start=1):
        assert len(answer.people(k, segment=segment)) == line["users"]
        assert len(answer.people(k, in_flight=True, segment=segment)) == line["in_flight"]
        if k > 1:
            lost = lines[k - 2]["users"] - lines[k - 2]["in_flight"] - line["users"]
            assert len(answer.people(k, dropped=True, segment=segment)) == lost


@given(community=communities, question=questions())
def test_every_combination_of_options_counts_as_trying_every_way_does(community, question):
    people = [oracle.units(journey, question) for journey in community]
    assert_same(asked(community, question), expected(people, len(question.steps)))


apart = st.lists(rows, min_size=2, max_size=6, unique_by=lambda row: row.minute)
"""People who do one thing at a time, so that it is plain which event was which step."""


@given(
    community=st.lists(apart, min_size=1, max_size=5),
    question=questions(),
    attribution=st.sampled_from(["first", "last", 1, 2]),
)
def test_a_segment_has_the_attempts_whose_step_has_its_value(community, question, attribution):
    question = replace(question, ties=True, reuse=False, grace=0)
    journeys = [
        [replace(row, platform=None) if row.session == "t" else row for row in journey] for journey in community
    ]
    answer = asked(journeys, question, by="platform", attribution=attribution)
    for segment in ("web", "discord", "(none)"):
        people = [
            [unit for unit in oracle.units(journey, question) if value_of(journey, unit, attribution) == segment]
            for journey in journeys
        ]
        if any(people):
            assert_same(answer, expected(people, len(question.steps)), segment)
        else:
            assert segment not in answer.attempts.segments


@given(
    community=st.lists(apart, min_size=1, max_size=5),
    question=questions(),
    attribution=st.sampled_from(["first", "last", 1]),
)
def test_once_per_segment_keeps_one_of_the_attempts_that_do_not_overlap(community, question, attribution):
    question = replace(question, counting="users", ties=True, reuse=False, grace=0, hold=False)
    every = replace(question, counting="totals")
    answer = asked(community, question, by="platform", attribution=attribution, once="segment")
    for segment in ("web", "discord"):
        attempts = [
            [unit for unit in oracle.units(journey, every) if value_of(journey, unit, attribution) == segment]
            for journey in community
        ]
        people = [[oracle.best_of(units, question)] if units else [] for units in attempts]
        if any(people):
            assert_same(answer, expected(people, len(question.steps)), segment)
        else:
            assert segment not in answer.attempts.segments


def value_of(journey: list[Row], unit: oracle.Unit, attribution: str | int) -> str:
    """Return the platform of the step that attribution names."""
    values = [next(row.platform for row in journey if row.minute == minute) for minute in unit.times]
    if isinstance(attribution, int):
        return (values[attribution - 1] if attribution <= len(values) else None) or "(none)"
    known = [value for value in values if value is not None]
    return known[0 if attribution == "first" else -1] if known else "(none)"


@given(community=communities, question=questions())
def test_with_all_steps_the_events_of_each_value_are_followed_alone(community, question):
    answer = asked(community, question, by="platform", attribution="all")
    for segment in ("web", "discord"):
        alone = [[row for row in journey if row.platform == segment] for journey in community]
        people = [oracle.units(journey, question) for journey in alone]
        if any(people):
            assert_same(answer, expected(people, len(question.steps)), segment)
        else:
            assert segment not in answer.attempts.segments


@given(community=st.lists(apart, min_size=1, max_size=5), question=questions())
def test_a_property_of_the_user_is_the_latest_on_any_event_up_to_entry(community, question):
    question = replace(question, ties=True, reuse=False, counting="users")
    answer = asked(community, question, by="platform", attribution="user")

    def value(journey: list[Row], unit: oracle.Unit) -> str:
        return max((row for row in journey if row.minute <= unit.times[0]), key=lambda row: row.minute).platform

    for segment in ("web", "discord"):
        people = [
            [unit for unit in oracle.units(journey, question) if value(journey, unit) == segment]
            for journey in community
        ]
        if any(people):
            assert_same(answer, expected(people, len(question.steps)), segment)
