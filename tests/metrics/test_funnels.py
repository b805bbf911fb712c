from __future__ import annotations

import math
from datetime import timedelta

import pytest

from workbench.errors import InvalidArgument, InvalidFunnel, UnknownEvent
from workbench.metrics.funnels import Funnel, funnel
from workbench.metrics.steps import step
from workbench.store.memory import MemoryStore
from workbench.testing import START, events_of, store_of, stored

HOUR = timedelta(hours=1)
LATER = START + timedelta(days=30)


def asked(journeys: dict[str, str], steps, **options: object) -> Funnel:
    defaults: dict[str, object] = {"within": "1h", "now": LATER}
    return funnel(store_of(journeys).snapshot(), steps, **(defaults | options))


def users(journeys: dict[str, str], steps=("view", "cart", "buy"), **options: object) -> list[int]:
    return asked(journeys, steps, **options).frame["users"].tolist()


def test_people_count_at_every_step_they_reach():
    assert users({"ann": "view:0 cart:5 buy:9", "bob": "view:0 cart:5", "cem": "view:3", "dee": "cart:1 buy:2"}) == [
        3,
        2,
        1,
    ]


def test_a_failed_attempt_does_not_hide_a_later_conversion():
    assert users({"ann": "view:0 view:200 cart:210 buy:220"}) == [1, 1, 1]


def test_an_event_exactly_at_the_end_of_the_window_counts():
    assert users({"ann": "view:0 cart:30 buy:60"}) == [1, 1, 1]
    assert users({"ann": "view:0 cart:30 buy:60.001"}) == [1, 1, 0]


def test_the_window_runs_from_step_one_and_not_from_the_step_before():
    assert users({"ann": "view:0 cart:40 buy:80"}) == [1, 1, 0]


def test_a_person_counts_once_however_often_they_convert():
    assert users({"ann": "view:0 cart:1 buy:2 view:100 cart:101 buy:102"}) == [1, 1, 1]


def test_of_equally_long_attempts_the_earliest_is_timed():
    frame = asked({"ann": "view:0 cart:10 view:100 cart:101"}, ["view", "cart"]).frame
    assert frame["median_seconds"].tolist() == [0.0, 600.0]


def test_times_run_from_the_chosen_attempt_only():
    frame = asked(
        {"ann": "view:0 cart:1 view:200 cart:210 buy:215", "bob": "view:0 cart:2"}, ["view", "cart", "buy"]
    ).frame
    assert frame["median_seconds"].tolist() == [0.0, 360.0, 900.0]
    assert frame["step_median_seconds"].tolist() == [0.0, 360.0, 300.0]
    assert frame["step_mean_seconds"].tolist() == [0.0, 360.0, 300.0]


def test_one_event_is_not_two_steps():
    assert users({"ann": "view:0 buy:5", "bob": "view:0 view:1 buy:5"}, ["view", "view", "buy"]) == [2, 1, 1]


def test_events_of_one_instant_convert_in_funnel_order_each_once():
    assert users({"ann": "buy:0 cart:0 view:0"}) == [1, 1, 1]
    assert users({"ann": "buy:0 view:0", "bob": "view:0 buy:0 view:0"}, ["view", "buy", "view"]) == [2, 2, 1]


def test_at_one_instant_the_event_that_fits_less_is_kept_for_the_step_it_fits():
    at_once = events_of({"ann": "message:0"}, platform="telegram") + events_of(
        {"ann": "view:1 message:0"}, platform="discord"
    )
    at_once = [
        type(e)(**{f: getattr(e, f) for f in e.__struct_fields__} | {"event_id": str(n)}) for n, e in enumerate(at_once)
    ]
    for discord in ({"platform": "discord"}, {"platform": ["discord"]}):
        answer = funnel(MemoryStore(stored(at_once)).snapshot(), ["message", step("message", where=discord)], now=LATER)
        assert answer.frame["users"].tolist() == [1, 1]


def test_strict_order_lets_nothing_stand_between():
    journeys = {
        "ann": "view:0 cart:1 buy:2",
        "bob": "view:0 ping:1 cart:2 buy:3",
        "cem": "ping:0 view:1 cart:2 ping:3 buy:4",
    }
    assert users(journeys, order="strict") == [3, 2, 1]


def test_at_the_ends_of_a_strict_attempt_others_of_the_same_instant_stand_outside():
    assert users({"ann": "view:0 ping:0 cart:1 buy:2 ping:2"}, order="strict") == [1, 1, 1]


def test_in_the_middle_of_a_strict_attempt_another_of_the_same_instant_stands_between():
    assert users({"ann": "view:0 ping:1 cart:1 buy:2"}, order="strict") == [1, 1, 0]


def test_what_could_be_a_step_at_the_start_of_a_strict_attempt_may_stand_before_it():
    assert users({"ann": "view:0 cart:0 cart:2 buy:3"}, order="strict") == [1, 1, 1]


def test_any_order_counts_how_many_of_the_steps_were_done():
    answer = asked(
        {"ann": "buy:0 view:5 cart:6", "bob": "cart:0 cart:1", "cem": "ping:0"}, ["view", "cart", "buy"], order="any"
    )
    assert answer.frame["users"].tolist() == [2, 1, 1]
    assert answer.frame["event"].tolist() == ["any 1 of 3", "any 2 of 3", "any 3 of 3"]


def test_entry_is_half_open_and_later_steps_may_fall_after_it():
    journeys = {"ann": "view:-1 buy:5", "bob": "view:0 buy:70", "cem": "view:60 buy:61"}
    answer = asked(journeys, ["view", "buy"], within="2h", since=START, until=START + HOUR)
    assert answer.people(1) == answer.people(2) == ["bob"]


def test_a_naive_date_is_midnight_in_the_given_zone():
    answer = asked(
        {"ann": "view:-30 buy:-29", "bob": "view:-90 buy:-89"}, ["view", "buy"], since="2026-01-05", tz="Europe/Berlin"
    )
    assert answer.people(2) == ["ann"]
    assert answer.definition.since.isoformat() == "2026-01-04T23:00:00+00:00"


def test_people_whose_window_is_open_are_in_flight_and_not_dropped():
    answer = asked({"ann": "view:0 buy:5", "bob": "view:10", "cem": "view:100"}, ["view", "buy"], now=START + 2 * HOUR)
    assert answer.frame["in_flight"].tolist() == [1, 0]
    assert answer.people(1, in_flight=True) == ["cem"]
    assert answer.people(2, dropped=True) == ["bob"]


def test_the_matured_rate_asks_only_entries_whose_window_has_closed():
    answer = asked(
        {"ann": "view:0 buy:5", "bob": "view:100 buy:101", "cem": "view:110"}, ["view", "buy"], now=START + 2 * HOUR
    )
    assert answer.conversion_rate == pytest.approx(2 / 3)
    assert answer.matured_conversion_rate == 1.0
    assert "100.0% of entries with a closed window" in answer.chart().title
    assert "1 still in flight" in answer.chart().note


def test_a_window_that_ends_now_is_closed():
    answer = asked({"ann": "view:0"} | {"bob": "view:9 buy:10"}, ["view", "buy"], now=START + HOUR)
    assert answer.frame["in_flight"].tolist() == [0, 0]
    assert answer.matured_conversion_rate == 0.0


def test_events_after_now_are_not_seen():
    assert users({"ann": "view:0 cart:5 buy:9"}, now=START + timedelta(minutes=5)) == [1, 1, 0]


def test_the_people_behind_a_number_are_as_many_as_the_number():
    journeys = {"ann": "view:0 cart:5 buy:9", "bob": "view:0 cart:5", "cem": "view:0", "dee": "view:100 cart:101"}
    answer = asked(journeys, ["view", "cart", "buy"], now=START + 2 * HOUR)
    frame = answer.frame.set_index("step")
    for k in (1, 2, 3):
        assert len(answer.people(k)) == frame["users"][k]
        assert len(answer.people(k, in_flight=True)) == frame["in_flight"][k]
    for k in (2, 3):
        lost = frame["users"][k - 1] - frame["users"][k] - frame["in_flight"][k - 1]
        assert len(answer.people(k, dropped=True)) == lost


def test_asking_for_people_of_no_step_says_which_there_are():
    answer = asked({"ann": "view:0 buy:1"}, ["view", "buy"])
    for k, options in ((0, {}), (3, {}), (1, {"dropped": True})):
        with pytest.raises(InvalidArgument, match=f"to 2, got {k}"):
            answer.people(k, **options)
    with pytest.raises(InvalidArgument, match="either dropped or in flight"):
        answer.people(2, dropped=True, in_flight=True)


def test_a_step_can_ask_for_fields_and_properties():
    events = events_of(
        {"ann": "buy:5 view:0", "bob": "view:0"}, platform="discord", properties={"plan": 'it\'s "pro"', "n/~": 5}
    )
    snapshot = MemoryStore(stored(events)).snapshot()
    for where in ({"plan": 'it\'s "pro"'}, {"n/~": 5.0, "platform": ["x", "discord"]}, {"n/~": [4, 5]}, {"n/~": "5"}):
        assert funnel(snapshot, ["view", step("buy", where=where)], now=LATER).frame["users"].tolist() == [2, 1]
    for where in ({"plan": "pro"}, {"n/~": 6}, {"platform": "x"}):
        assert funnel(snapshot, ["view", step("buy", where=where)], now=LATER).frame["users"].tolist() == [2, 0]


@pytest.mark.parametrize(
    "name", ["it's", '"; DROP TABLE events; --', "$since", "{bits}", "наклейка 🎉", "a\\b", "--]", "100%"]
)
def test_hostile_event_names_are_data(name):
    events = events_of({"ann": "view:0 buy:1"})
    fields = {f: getattr(events[0], f) for f in events[0].__struct_fields__}
    snapshot = MemoryStore(stored([type(events[0])(**fields | {"event_type": name}), events[1]])).snapshot()
    for order in ("ordered", "strict", "any"):
        answer = funnel(snapshot, [step(name, where={"user_id": "ann"}), "buy"], order=order, now=LATER)
        assert answer.frame["users"].tolist() == [1, 1]


@pytest.mark.parametrize("steps", [[], ["view"], "view", ["view"] * 31])
def test_a_funnel_of_too_few_or_too_many_steps_is_refused(steps):
    with pytest.raises(InvalidFunnel, match="2 to 30 steps"):
        asked({"ann": "view:0"}, steps)


@pytest.mark.parametrize("within", ["0d", "-1d", "soon", "", timedelta(0), -HOUR, 7, "999999999d", "40000d"])
def test_a_window_that_is_no_time_is_refused(within):
    with pytest.raises(InvalidFunnel, match="within"):
        asked({"ann": "view:0 buy:1"}, ["view", "buy"], within=within)


def test_an_unknown_event_is_named_with_the_nearest_one():
    with pytest.raises(UnknownEvent, match=r"'user_join' \(nearest: 'user_joined'\)"):
        asked({"ann": "user_joined:0 buy:1"}, ["user_join", "buy"])


def test_reversed_dates_and_unknown_orders_are_refused():
    with pytest.raises(InvalidArgument, match="until must be after since"):
        asked({"ann": "view:0 buy:1"}, ["view", "buy"], since="2026-02-01", until="2026-01-01")
    with pytest.raises(InvalidArgument, match="'ordered', 'strict', 'any', got 'sorted'"):
        asked({"ann": "view:0 buy:1"}, ["view", "buy"], order="sorted")


@pytest.mark.parametrize("order", ["ordered", "strict", "any"])
@pytest.mark.parametrize("journeys", [{}, {"ann": "view:0 buy:1"}])
def test_when_nobody_entered_counts_are_zero_and_rates_missing(journeys, order):
    answer = asked(journeys, ["view", "buy"], order=order, since="2027-01-01")
    assert answer.frame["users"].tolist() == answer.frame["in_flight"].tolist() == [0, 0]
    assert all(math.isnan(rate) for rate in answer.frame["conversion_rate"])
    assert "Nobody" in answer.reading()
    assert answer.to_dict()["rows"][0]["conversion_rate"] is None
    assert answer.chart().marks[0].y == (0.0, 0.0)


def test_the_reading_names_the_rate_the_loss_and_the_time():
    journeys = {f"p{n}": "view:0 cart:5 buy:10" if n < 10 else "view:0 cart:5" for n in range(40)}
    text = asked(journeys, ["view", "cart", "buy"]).reading()
    assert "Of 40 people who did view, 10 (25.0%" in text
    assert "between cart and buy: 30 of 40 (75.0%)" in text
    assert "no more than 10 min" in text
    assert "too thin" not in text


def test_the_reading_of_few_people_says_so():
    assert "too thin" in asked({"ann": "view:0 buy:1"}, ["view", "buy"]).reading()


def test_equal_questions_have_equal_definitions():
    first, second = (asked({"ann": "view:0 buy:1"}, ["view", "buy"], within=within) for within in ("1h", HOUR))
    assert hash(first.definition) == hash(second.definition)
    assert first.definition.fingerprint == second.definition.fingerprint
    assert first.definition.fingerprint != asked({"ann": "view:0 buy:1"}, ["buy", "view"]).definition.fingerprint
