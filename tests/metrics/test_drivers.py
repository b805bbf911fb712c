from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tests.metrics.test_funnels import LATER, asked
from workbench.errors import InvalidArgument, UnknownEvent
from workbench.metrics.funnels import funnel
from workbench.store.memory import MemoryStore
from workbench.testing import START, events_of, stored

STEPS = ["view", "buy"]


def row(answer, candidate: str) -> dict[str, object]:
    return answer.frame.set_index("candidate").loc[candidate].to_dict()


def test_an_event_on_the_way_has_the_odds_ratio_of_its_table():
    journeys = {f"a{n}": "view:0 help:1 buy:5" for n in range(16)} | {f"b{n}": "view:0 help:1" for n in range(4)}
    journeys |= {f"c{n}": "view:0 buy:5" for n in range(6)} | {f"d{n}": "view:0" for n in range(14)}
    answer = asked(journeys, STEPS).drivers(properties=[])
    found = row(answer, "help")
    assert (found["users"], found["converted"]) == (20, 16)
    assert (found["conversion_rate"], found["other_conversion_rate"]) == (0.8, 0.3)
    assert found["odds_ratio"] == pytest.approx(16.5 * 14.5 / (4.5 * 6.5))
    spread = 1.959964 * math.sqrt(1 / 16.5 + 1 / 4.5 + 1 / 6.5 + 1 / 14.5)
    assert math.log(found["ci_high"]) == pytest.approx(math.log(found["odds_ratio"]) + spread)
    assert found["pvalue"] == pytest.approx(stats.chi2_contingency([[16, 4], [6, 14]], correction=False).pvalue)
    assert len(answer.people("help")) == 20
    assert len(answer.people("help", converted=True)) == 16


def test_small_tables_are_tested_exactly():
    journeys = {f"a{n}": "view:0 help:1 buy:5" for n in range(3)} | {f"d{n}": "view:0" for n in range(3)}
    found = row(asked(journeys, STEPS).drivers(), "help")
    assert found["pvalue"] == pytest.approx(stats.fisher_exact([[3, 0], [0, 3]]).pvalue) == pytest.approx(0.1)


def test_what_is_done_only_after_converting_is_flagged_and_not_ranked():
    journeys = {f"a{n}": "view:0 help:1 buy:5 receipt:6" for n in range(30)} | {f"b{n}": "view:0" for n in range(30)}
    answer = asked(journeys, STEPS).drivers()
    receipt = row(answer, "receipt")
    assert receipt["only_after"]
    assert math.isnan(receipt["odds_ratio"])
    assert math.isnan(receipt["qvalue"])
    assert answer.frame["candidate"].iloc[-1] == "receipt"
    assert "Most up: help (100.0% convert with it, 0.0% without" in answer.reading()
    assert "Done only after converting, so not ranked: receipt" in answer.reading()
    assert answer.chart().marks[0].x == ("help",)


def test_an_event_counts_from_entry_until_the_window_closes():
    journeys = {
        "ann": "help:0 view:1 buy:2",
        "bob": "view:0 help:60",
        "cem": "view:0 help:60.1",
        "dee": "view:0 buy:1 help:2",
    }
    assert asked(journeys, STEPS).drivers().people("help") == ["bob"]


def test_people_in_flight_are_not_judged():
    answer = asked(
        {"ann": "view:0 help:1", "bob": "view:0 help:1 buy:2"}, STEPS, now=START.replace(minute=30)
    ).drivers()
    assert answer.people("help") == ["bob"]


def test_a_value_that_people_came_with_is_a_candidate():
    events = []
    for number in range(80):
        bought = number % 2 == 0 or number % 8 == 1
        events += events_of(
            {f"u{number}": "view:0 buy:1" if bought else "view:0"}, platform="discord" if number % 2 == 0 else "x"
        )
    answer = funnel(MemoryStore(stored(events)).snapshot(), STEPS, now=LATER).drivers(events=[])
    assert set(answer.frame["candidate"]) == {"platform = discord", "platform = x"}
    found = row(answer, "platform = discord")
    assert (found["kind"], found["users"], found["converted"]) == ("property", 40, 40)
    assert len(answer.people("platform = x", converted=True)) == 10


def test_of_many_candidates_few_are_called_drivers_by_chance():
    words = [f"e{n}" for n in range(40)]
    journeys = {}
    for number in range(200):
        done = " ".join(f"{word}:1" for place, word in enumerate(words) if (number * (place + 3)) % 7 == 0)
        journeys[f"u{number}"] = f"view:0 {done}" + (" buy:5" if number % 3 == 0 else "")
    frame = asked(journeys, STEPS).drivers(properties=[]).frame
    assert (frame["qvalue"] >= frame["pvalue"]).all()
    assert frame["qvalue"].tolist() == pytest.approx(sorted(stats.false_discovery_control(frame["pvalue"])))


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=1, max_size=12))
def test_the_people_behind_a_candidate_are_as_many_as_it_counts(people):
    journeys = {"old": "help:-9 more:-9 buy:-9"}
    for number, (helps, more, buys) in enumerate(people):
        words = ["view:0", *["help:1"] * helps, *["more:2"] * more, *["buy:3"] * buys]
        journeys[f"p{number}"] = " ".join(words)
    answer = asked(journeys, STEPS).drivers()
    for candidate, users, converted in answer.frame[["candidate", "users", "converted"]].itertuples(index=False):
        assert len(answer.people(candidate)) == users
        assert len(answer.people(candidate, converted=True)) == converted
    assert answer.frame.set_index("candidate").loc["help", "users"] == sum(helps for helps, _, _ in people)


def test_without_differences_the_reading_says_so():
    assert "None of 0 candidates" in asked({"ann": "view:0 buy:1"}, STEPS).drivers(properties=[]).reading()


def test_candidates_that_cannot_be_judged_are_refused():
    answer = asked({"ann": "view:0 help:1 buy:2"}, STEPS)
    with pytest.raises(UnknownEvent, match=r"'halp' \(nearest: 'help'\)"):
        answer.drivers(events=["halp"])
    with pytest.raises(InvalidArgument, match="properties must be a field"):
        answer.drivers(properties=["occurred_at"])
    with pytest.raises(InvalidArgument, match=r"no candidate 'halp' \(nearest: 'help'\)"):
        answer.drivers().people("halp")
    for options in ({"by": "platform"}, {"counting": "totals"}):
        with pytest.raises(InvalidArgument, match="drivers are of people"):
            asked({"ann": "view:0 buy:1"}, STEPS, **options).drivers()
