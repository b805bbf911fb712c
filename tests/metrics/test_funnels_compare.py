from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given

from tests.metrics import oracle_funnels as oracle
from tests.metrics.test_funnels import asked
from tests.metrics.test_funnels_oracle import asked as asked_of
from tests.metrics.test_funnels_oracle import communities, questions
from workbench.errors import InvalidArgument
from workbench.metrics.funnel_definition import Reading

HELP = [("help", 1, 2)]


def as_read_by(dialect: str, question: oracle.Asked) -> oracle.Asked:
    """Give a question as a vendor reads it, in the words of the oracle."""
    usual = {"anchor": "any", "ties": True, "reuse": False, "exclusion": "person", "grace": 0, "first_step": False}
    ordered = question.order == "ordered"
    theirs = {
        "posthog": {"exclusion": "entry" if question.order == "any" else "person"},
        "mixpanel": {"anchor": "first", "exclusion": "attempt", "grace": 2 / 60 if ordered else 0},
        "amplitude": {"first_step": question.order == "any"},
    }
    return oracle.replace(question, **(usual | theirs[dialect]))


def test_who_moved_is_listed_with_the_rule_that_moved_them():
    journeys = {
        "ann": "view:0 buy:5",
        "bob": "view:0 view:100 buy:105",
        "cem": "view:0 help:1 buy:5",
        "dee": "view:0 help:1 view:100 buy:110",
    }
    moved = asked(journeys, ["view", "buy"], exclude=[("help", 1, 2)]).compare("mixpanel")
    assert moved.frame.to_dict("records") == [
        {"user_id": "cem", "step": 0, "other": 1, "rule": "exclusion attempt"},
        {"user_id": "dee", "step": 0, "other": 1, "rule": "together"},
        {"user_id": "bob", "step": 2, "other": 1, "rule": "anchor first"},
    ]
    assert moved.people() == ["bob", "cem", "dee"]
    assert moved.people("anchor first") == ["bob"]
    assert moved.steps["other"].tolist() == [4, 1]
    assert "1 people finish instead of 2. 3 count otherwise, 1 of them for fewer steps" in moved.reading()
    assert [mark.label for mark in moved.chart().marks] == ["this funnel", "mixpanel"]


def test_a_reading_that_moves_nobody_says_so():
    moved = asked({"ann": "view:0 buy:5"}, ["view", "buy"]).compare("posthog")
    assert moved.frame.empty
    assert "Nobody counts otherwise as posthog" in moved.reading()
    with pytest.raises(InvalidArgument, match="rule must be one of none"):
        moved.people("ties")


def test_ties_and_reuse_are_rules_of_their_own():
    apart = asked({"ann": "buy:0 view:0.01", "bob": "view:0 buy:1"}, ["view", "buy"]).compare("amplitude")
    assert apart.frame["rule"].tolist() == ["instant 0:00:01"]
    reused = asked({"ann": "view:0"}, ["view", "view"]).compare("clickhouse")
    assert reused.frame["rule"].tolist() == ["reuse True"]


RULES = {
    "only the first view enters": ("view:0 view:100 buy:105", {}, "mixpanel", (2, 1), "anchor first"),
    "the steps before an exclusion stay": (
        "view:0 help:1 buy:5", {"exclude": HELP}, "mixpanel", (0, 1), "exclusion attempt",
    ),
    "one step stays of an excluded attempt": (
        "view:0 buy:1 help:2", {"exclude": [("help", 1, 3)], "order": "any", "steps": ["view", "buy", "pay"]},
        "posthog", (0, 1), "exclusion entry",
    ),
    "two seconds too early is not too early": ("buy:0 view:0.03", {}, "mixpanel", (1, 2), "grace 0:00:02"),
    "a second is an instant": ("buy:0 view:0.01", {}, "amplitude", (1, 2), "instant 0:00:01"),
    "events at once are in no order": ("buy:0 view:0", {"ties": False}, "posthog", (1, 2), "ties True"),
    "one event is two steps": ("view:0", {"steps": ["view", "view"]}, "clickhouse", (1, 2), "reuse True"),
    "one event is one step": ("view:0", {"steps": ["view", "view"], "reuse": True}, "posthog", (2, 1), "reuse False"),
    "who never views is not in the funnel": ("buy:0", {"order": "any"}, "amplitude", (1, 0), "first_step True"),
    "every view enters": ("view:0 view:100 buy:105", {"anchor": "first"}, "posthog", (1, 2), "anchor any"),
    "an excluded person is out": (
        "view:0 help:1 buy:5", {"exclude": HELP, "exclusion": "attempt"}, "amplitude", (1, 0), "exclusion person",
    ),
    "an early step is a late one again": ("buy:0 view:0.03", {"grace": "2s"}, "posthog", (2, 1), "grace 0:00:00"),
    "only both rules move her": (
        "view:0 help:1 view:100 buy:110", {"exclude": HELP}, "mixpanel", (0, 1), "together",
    ),
}  # fmt: skip


@pytest.mark.parametrize("story", RULES)
def test_one_person_is_moved_by_one_rule(story):
    journey, options, dialect, (here, there), rule = RULES[story]
    everything = "view:-9000 buy:-8000 help:-7000 pay:-6000"
    steps = options.get("steps", ["view", "buy"])
    others = {name: value for name, value in options.items() if name != "steps"}
    answer = asked({"ann": journey, "visitor": everything}, steps, since="2026-01-05", **others)
    moved = answer.compare(dialect)
    assert moved.frame.to_dict("records") == [{"user_id": "ann", "step": here, "other": there, "rule": rule}]
    assert moved.people(rule) == ["ann"]


def test_every_rule_of_a_reading_has_a_story():
    told = {rule.split()[0] for *_, rule in RULES.values()} - {"together"}
    assert told == {each.name for each in fields(Reading)} - {"modes"}


def test_a_comparison_is_of_people_whatever_the_funnel_counts():
    answer = asked(
        {"ann": "view:0 view:100 buy:110", "bob": "view:0"}, ["view", "buy"], counting="totals", by="user_id"
    )
    assert answer.compare("mixpanel").people() == ["ann"]
    with pytest.raises(InvalidArgument, match="got 'heap'"):
        answer.compare("heap")


@given(community=communities, question=questions())
def test_the_people_who_moved_are_those_whom_the_oracle_moves(community, question):
    question = oracle.replace(question, counting="users")
    answer = asked_of(community, question)
    for dialect in ("posthog", "mixpanel", "amplitude"):
        other = as_read_by(dialect, question)
        here, there = (
            [max((len(unit.times) for unit in oracle.units(journey, each)), default=0) for journey in community]
            for each in (question, other)
        )
        moved = [
            {"user_id": f"p{number}", "step": one, "other": two}
            for number, (one, two) in enumerate(zip(here, there, strict=True))
            if one != two
        ]
        found = answer.compare(dialect).frame[["user_id", "step", "other"]].to_dict("records")
        assert sorted(found, key=lambda row: row["user_id"]) == moved
