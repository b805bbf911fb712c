from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.test_funnels import asked
from workbench.errors import InvalidArgument
from workbench.metrics.funnel_survival import kaplan_meier
from workbench.testing import START

STEPS = ["view", "cart", "buy"]
SHOP = {"ann": "view:0 cart:1 buy:10", "bob": "view:0 cart:3 buy:30", "cem": "view:0 cart:5", "dee": "view:0"}


def test_times_run_between_any_two_steps():
    answer = asked(SHOP, STEPS)
    assert answer.times().mean_seconds == 20 * 60
    assert answer.times(1, 2).median_seconds == 3 * 60
    assert answer.times(2, 3).mean_seconds == 18 * 60


def test_bins_can_be_given_as_times_and_what_is_outside_is_said():
    times = asked(SHOP, STEPS).times(1, 2, bins=["2m", timedelta(minutes=3), 240.0])
    assert times.frame["users"].tolist() == [0, 1]
    assert times.people(2) == ["bob"]
    assert times.outside == 2
    assert "2 are in none of the bins" in times.reading()


def test_the_last_bin_has_its_right_end():
    assert asked(SHOP, STEPS).times(bins=["1m", "30m"]).frame["users"].tolist() == [2]


@given(st.lists(st.integers(0, 59), max_size=30), st.one_of(st.none(), st.integers(1, 20)))
def test_chosen_bins_hold_everybody_and_list_as_many_people_as_they_count(minutes, bins):
    journeys = {f"p{n}": f"view:0 buy:{minute}" for n, minute in enumerate(minutes)} | {
        "last": "view:0",
        "old": "buy:-9",
    }
    times = asked(journeys, ["view", "buy"]).times(bins=bins)
    assert times.frame["users"].sum() == len(minutes)
    assert times.outside == 0
    for number, count in zip(times.frame["bin"], times.frame["users"], strict=True):
        assert len(times.people(number)) == count


@pytest.mark.parametrize("bins", [0, -1, 1001, True, [1], [2, 1], "10", [1, math.nan]])
def test_bins_that_are_none_are_refused(bins):
    with pytest.raises(InvalidArgument, match="bins must be a number from 1 to 1,000 or a list of rising edges"):
        asked(SHOP, STEPS).times(bins=bins)


@pytest.mark.parametrize("steps", [(2, 2), (0, 2), (1, 4), (3, 1), ("1", 2)])
def test_times_between_no_steps_are_refused(steps):
    with pytest.raises(InvalidArgument, match="from 1 to 3, the one before the other"):
        asked(SHOP, STEPS).times(*steps)


def test_times_of_nobody_are_missing():
    times = asked({"ann": "view:0 cart:100 buy:200"}, STEPS).times()
    assert math.isnan(times.mean_seconds)
    assert "no times to read" in times.reading()


def test_people_in_flight_count_in_the_curve_for_as_long_as_they_were_seen():
    journeys = {"ann": "view:0 buy:10", "bob": "view:0", "cem": "view:50"}
    survival = asked(journeys, ["view", "buy"], now=START + timedelta(minutes=55)).survival()
    frame = survival.frame.set_index("seconds")
    assert frame.loc[600.0, ["at_risk", "converted", "censored"]].tolist() == [2, 1, 0]
    assert survival.by("10m") == 0.5
    assert survival.by("9m") == 0.0
    assert "2 people in flight" in survival.reading()


def test_the_curve_is_that_of_a_worked_example():
    # remission times of the 6-MP arm of Freireich et al., Blood 21 (1963): S(10) = 0.753, S(22) = 0.538, S(23) = 0.448
    seen = {6: (3, 1), 7: (1, 0), 9: (0, 1), 10: (1, 1), 11: (0, 1), 13: (1, 0), 16: (1, 0), 17: (0, 1), 19: (0, 1),
            20: (0, 1), 22: (1, 0), 23: (1, 0), 25: (0, 1), 32: (0, 2), 34: (0, 1), 35: (0, 1)}  # fmt: skip
    weeks = [(week, done) for week, (events, lost) in seen.items() for done in [True] * events + [False] * lost]
    curve = kaplan_meier(np.array([float(week) for week, _ in weeks]), np.array([done for _, done in weeks]))
    stay = (1 - curve.set_index("seconds")["conversion"]).round(3)
    assert stay.loc[[6.0, 7.0, 10.0, 13.0, 16.0, 22.0, 23.0]].tolist() == [
        0.857,
        0.807,
        0.753,
        0.69,
        0.627,
        0.538,
        0.448,
    ]
    at_ten = curve.set_index("seconds").loc[10.0]
    assert [1 - at_ten["ci_high"], 1 - at_ten["ci_low"]] == pytest.approx([0.503, 0.889], abs=5e-4)


@given(st.lists(st.integers(1, 59), min_size=1, max_size=20))
def test_without_anybody_in_flight_the_curve_is_the_share(minutes):
    journeys = {f"p{n}": f"view:0 buy:{minute}" for n, minute in enumerate(minutes)} | {"last": "view:0"}
    answer = asked(journeys, ["view", "buy"])
    assert answer.survival().frame["conversion"].iloc[-1] == pytest.approx(answer.conversion_rate)


def test_the_curve_of_nobody_is_empty_and_of_no_step_refused():
    answer = asked({"ann": "view:0 buy:1"}, ["view", "buy"], since="2027-01-01")
    assert "Nobody entered" in answer.survival().reading()
    assert math.isnan(answer.survival().by("1h"))
    assert answer.survival().chart().title.startswith("n/a")
    with pytest.raises(InvalidArgument, match="to_step must be from 2 to 2, got 1"):
        answer.survival(1)


def test_a_trend_counts_by_the_day_of_entry_in_its_zone_and_knows_what_is_final():
    journeys = {"ann": "view:-90 buy:-80", "bob": "view:60", "cem": "view:1500 buy:1501", "dee": "view:1501"}
    answer = asked(journeys, ["view", "buy"], now=START + timedelta(minutes=1530), tz="Europe/Berlin")
    trend = answer.trend()
    assert [str(day) for day in trend.frame["period"]] == ["2026-01-04", "2026-01-05", "2026-01-06"]
    assert trend.frame["users"].tolist() == [1, 1, 2]
    assert trend.frame["converted"].tolist() == [1, 0, 1]
    assert trend.frame["mature"].tolist() == [True, True, False]
    assert trend.frame["in_flight"].tolist() == [0, 0, 1]
    assert trend.people("2026-01-06") == ["cem", "dee"]
    assert trend.people("2026-01-06", converted=True) == ["cem"]
    assert any(mark.dashed for mark in trend.chart().marks if hasattr(mark, "dashed"))


@given(
    st.lists(st.tuples(st.integers(0, 4000), st.booleans()), max_size=12),
    st.sampled_from(["users", "totals"]),
    st.sampled_from(["day", "week", "month"]),
)
def test_the_periods_of_a_trend_add_up_to_the_funnel(entries, counting, period):
    journeys = {
        f"p{n % 5}-{n}": f"view:{at}" + (f" buy:{at + 5}" if buys else "") for n, (at, buys) in enumerate(entries)
    }
    answer = asked(journeys | {"old": "view:-9000 buy:-9001"}, ["view", "buy"], since=START, counting=counting)
    trend = answer.trend(period)
    assert trend.frame["users"].sum() == answer.frame["users"].iloc[0]
    assert trend.frame["converted"].sum() == answer.frame["users"].iloc[1]
    for day, users, converted in trend.frame[["period", "users", "converted"]].itertuples(index=False):
        assert len(trend.people(day)) == users
        assert len(trend.people(day, converted=True)) == converted


def test_a_trend_says_between_what_the_rate_moved():
    journeys = {f"a{n}": "view:0 buy:5" if n < 20 else "view:0" for n in range(40)}
    journeys |= {f"b{n}": "view:1440 buy:1445" if n < 10 else "view:1440" for n in range(40)}
    answer = asked(journeys, ["view", "buy"])
    assert "Over 2 final days with at least 30 people the rate was 25.0% to 50.0%" in answer.trend().reading()
    with pytest.raises(InvalidArgument, match="there is no period that begins on 2026-02-01"):
        answer.trend().people("2026-02-01")
    with pytest.raises(InvalidArgument, match="'day', 'week', 'month', got 'year'"):
        answer.trend("year")


def test_every_view_of_a_broken_down_funnel_names_its_segments():
    answer = asked(SHOP, STEPS, by="user_id")
    for view in (answer.times(), answer.survival(), answer.trend()):
        assert view.frame.columns[0] == "segment"
        assert set(view.frame["segment"]) == {"ann", "bob", "cem", "dee"}
        assert view.chart().marks
        assert view.reading()
        assert view.to_dict()["definition"]["funnel"]["by"] == "user_id"
    assert answer.times(1, 2, bins=1).people(1, segment="ann") == ["ann"]
