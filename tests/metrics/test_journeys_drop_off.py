from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.test_journeys import SHOP, walked
from workbench.errors import InvalidArgument, NotEnoughData
from workbench.metrics import journey_hazard
from workbench.metrics.journeys import journeys
from workbench.metrics.kernels import drop_off as kernels
from workbench.testing import store_of

GAP = 30 * 60_000_000
GOES_ON = {"chat": 0.8, "look": 0.3, "buy": 0.5}
NEXT = {"chat": {"chat": 0.5, "look": 0.2, "buy": 0.3}, "look": {"chat": 0.2, "look": 0.8}, "buy": {"look": 1.0}}


def town(seed=1, people=400, paths=5):
    """People who chat, look and buy, and go on after each with a chance of its own."""
    rng = np.random.default_rng(seed)
    written = {}
    for who in range(people):
        minute, words = float(rng.uniform(0, 600)), []
        for _ in range(paths):
            event = str(rng.choice(["chat", "look"]))
            words.append(f"{event}:{minute:.2f}")
            while rng.random() < GOES_ON[event]:
                minute += float(rng.uniform(0.1, 12))
                event = str(rng.choice([*NEXT[event]], p=[*NEXT[event].values()]))
                words.append(f"{event}:{minute:.2f}")
            minute += float(rng.uniform(40, 600))
        written[f"p{who:03d}"] = " ".join(words)
    return written


TOWN = town()


@pytest.fixture(scope="module")
def found():
    return journeys(store_of(TOWN).snapshot(), now="2026-01-06T06:00")


@pytest.mark.parametrize("goal", [None, "buy"])
def test_of_later_journeys_as_many_are_lost_as_was_predicted(found, goal):
    answer = found.drop_off(goal)
    table = answer.calibration
    assert (np.abs(table["predicted"] - table["observed"]) < 0.12).all()
    assert (table["ci_low"] <= table["observed"]).all()
    assert (table["observed"] <= table["ci_high"]).all()
    assert table["predicted"].is_monotonic_increasing
    assert table["looks"].sum() == answer.score.looks
    assert answer.score.brier < answer.score.baseline
    assert answer.score.gain_ci_low <= answer.score.gain <= answer.score.gain_ci_high
    assert answer.score.gain == pytest.approx(answer.score.baseline - answer.score.brier)


def test_open_journeys_are_listed_with_where_they_are(found):
    frame = found.drop_off().frame
    now = 30 * 60
    assert len(frame) > 10
    for row in frame.itertuples():
        minutes = [float(word.rpartition(":")[2]) for word in TOWN[row.user_id].split()]
        seen = [
            (word.partition(":")[0], at)
            for word, at in zip(TOWN[row.user_id].split(), minutes, strict=True)
            if at <= now
        ]
        event, last = seen[-1]
        assert now - last <= 30
        assert (row.last_event, row.silent_seconds) == (event, pytest.approx((now - last) * 60, abs=1))
    assert frame["risk"].round(9).is_monotonic_decreasing
    assert frame["risk"].between(0, 1).all()


def test_people_are_those_whose_risk_is_in_the_range(found):
    answer = found.drop_off("buy")
    risky = answer.frame[answer.frame["risk"] >= 0.9]
    assert answer.people(0.9) == sorted(risky["user_id"])
    assert len(answer.people()) == len(answer.frame) == len(answer.people(0.9)) + len(answer.people(0, 0.9))


def test_who_has_reached_the_goal_is_not_at_risk_any_more(found):
    reached = set(found.drop_off().frame["user_id"]) - set(found.drop_off("buy").frame["user_id"])
    assert reached
    for who in reached:
        assert "buy:" in TOWN[who]


def test_the_chart_and_the_reading_say_whether_to_trust_it(found):
    answer = found.drop_off("buy")
    assert answer.chart().title == "Does a risk to end without buy come true?"
    assert "Of later paths the risk knows more than one rate (Brier score" in answer.reading()
    assert f"{len(answer.frame)} journeys are open" in answer.reading()


def test_too_few_journeys_that_are_over_tell_nothing():
    with pytest.raises(NotEnoughData, match="4 journeys are over; 200 are needed"):
        walked(SHOP).drop_off()


def test_a_goal_that_everybody_or_nobody_reaches_tells_nothing(found):
    people = {who: f"start:0 {journey}" for who, journey in town(people=100).items()}
    with pytest.raises(NotEnoughData, match="20 of each are needed"):
        walked({who: f"{journey} odd:9999" for who, journey in TOWN.items()}).drop_off("odd")
    with pytest.raises(InvalidArgument, match="no path has 'sell'"):
        walked(people).drop_off("sell")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"sessions": None}, "a pause ends it"),
        ({"sessions": "given"}, "a pause ends it"),
        ({"collapse": True}, "collapse"),
    ],
)
def test_where_nobody_can_tell_whether_a_journey_is_open_there_is_no_risk(options, why):
    with pytest.raises(InvalidArgument, match=why):
        walked(SHOP, **options).drop_off()


def test_journeys_that_were_chosen_by_how_they_went_have_no_risk(found):
    for chosen in (found.having("buy"), found.without("buy")):
        with pytest.raises(InvalidArgument, match="chosen by how they end"):
            chosen.drop_off()


def learnt(people, goal=None):
    trails = journeys(store_of(people).snapshot(), now="2026-02-01").trails
    chosen = np.ones(trails.paths, dtype=np.bool_)
    return trails, journey_hazard.fit(trails, chosen, goal=-1 if goal is None else trails.place(goal), gap=GAP)


def test_the_chance_to_end_is_that_by_which_the_town_was_made():
    trails, hazard = learnt(town(people=1500))
    for event, chance in GOES_ON.items():
        place = np.array([trails.place(event)], dtype=np.int16)
        assert hazard.risk(place, np.array([2]), np.array([0]))[0] == pytest.approx(1 - chance, abs=0.07)


def test_the_chance_to_miss_a_goal_is_that_of_the_chain_by_which_the_town_was_made():
    trails, hazard = learnt(town(people=1500), "buy")
    # x misses: x = 0.2 + 0.8 (0.5 x + 0.2 y), and y = 0.7 + 0.3 (0.2 x + 0.8 y)
    chat, look = np.linalg.solve([[1 - 0.4, -0.16], [-0.06, 1 - 0.24]], [0.2, 0.7])
    for event, chance in (("chat", chat), ("look", look)):
        place = np.array([trails.place(event)], dtype=np.int16)
        assert hazard.risk(place, np.array([0]), np.array([0]))[0] == pytest.approx(chance, abs=0.05)


def test_the_longer_a_journey_is_silent_the_likelier_it_is_over():
    trails, hazard = learnt(town())
    silent = np.linspace(0, GAP, 50).astype(np.int64)
    place = np.full(50, trails.place("chat"), dtype=np.int16)
    risk = hazard.risk(place, np.zeros(50, np.int64), silent)
    assert (np.diff(risk) >= 0).all()
    assert risk[-1] == 1.0


def test_chances_that_are_too_sure_are_moved_to_what_came_true():
    rng = np.random.default_rng(0)
    truth = rng.uniform(0.05, 0.95, 20_000)
    lost = rng.random(20_000) < truth
    odds = truth / (1 - truth)
    scale = journey_hazard.scale(odds**2 / (1 + odds**2), lost)
    assert (scale.shift, scale.slope) == (pytest.approx(0, abs=0.05), pytest.approx(0.5, abs=0.03))
    same = journey_hazard.scale(truth, lost)
    assert (same.shift, same.slope) == (pytest.approx(0, abs=0.05), pytest.approx(1, abs=0.05))


paths = st.lists(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 29)), min_size=1, max_size=6), min_size=1, max_size=5
)


def trails_of(journey_list):
    """One person a path; the numbers are pauses in minutes."""
    people = {}
    for who, steps in enumerate(journey_list):
        minutes = np.cumsum([pause for _, pause in steps])
        people[str(who)] = " ".join(f"{event}:{at}" for (event, _), at in zip(steps, minutes, strict=True))
    return journeys(store_of(people).snapshot(), now="2026-02-01").trails


@given(paths, st.sampled_from([None, "a"]))
def test_what_is_learnt_from_is_that_of_a_slow_walk(journey_list, goal):
    trails = trails_of(journey_list)
    names = trails.names
    place = names.index(goal) if goal in names else -1
    edges = [0, 5, 15]
    spells, moved = np.zeros((2, len(names), 3, 3)), np.zeros((len(names), len(names)))
    for path in range(trails.paths):
        rows = range(trails.starts[path], trails.starts[path + 1])
        for step, row in enumerate(rows):
            event = trails.code[row]
            if event == place:
                break
            ends = row + 1 == rows.stop
            pause = 30 if ends else (trails.at[row + 1] - trails.at[row]) / 60e6
            for spell, edge in enumerate(edges):
                spells[0, event, min(step, 2), spell] += pause >= edge
            if not ends:
                spells[1, event, min(step, 2), sum(pause >= edge for edge in edges) - 1] += 1
                moved[event, trails.code[row + 1]] += 1
    every = np.ones(trails.paths, dtype=np.bool_)
    micros = np.array(edges) * 60_000_000
    found = kernels.exposure(trails.starts, trails.code, trails.at, every, place, micros, (len(names), 3))
    assert np.array_equal(found[0], spells)
    assert np.array_equal(found[1], moved)


@given(paths, st.sampled_from([None, "a"]), st.integers(3, 40))
def test_looks_are_those_of_a_slow_walk(journey_list, goal, every):
    trails = trails_of(journey_list)
    place = trails.names.index(goal) if goal in trails.names else -1
    expected = []
    for path in range(trails.paths):
        at = trails.at[trails.starts[path] : trails.starts[path + 1]] // 60_000_000
        codes = trails.code[trails.starts[path] : trails.starts[path + 1]].tolist()
        reached = codes.index(place) if place in codes else None
        for moment in range(int(at[0]), int(at[-1]) + 31):
            last = int((at <= moment).sum()) - 1
            if moment % every == 0 and (reached is None or last < reached):
                lost = last == len(codes) - 1 if place < 0 else reached is None
                expected.append((int(trails.starts[path]) + last, moment - int(at[last]), lost))
    every_path = np.ones(trails.paths, dtype=np.bool_)
    step = every * 60_000_000
    rows, silent, lost = kernels.looks(trails.starts, trails.code, trails.at, every_path, place, GAP, step)
    found = list(zip(rows.tolist(), (silent // 60_000_000).tolist(), lost.tolist(), strict=True))
    assert found == sorted(expected, key=lambda look: (look[0], look[1]))


def test_a_risk_is_as_of_its_now(found):
    before = journeys(store_of(TOWN).snapshot(), now="2026-01-06T06:00", until="2026-01-06T00:00").drop_off()
    assert before.frame["started_at"].max().to_pydatetime() < found.definition.now - timedelta(hours=6)
