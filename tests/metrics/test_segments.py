from __future__ import annotations

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.bench import Bench, open_
from workbench.config import Settings
from workbench.errors import InvalidArgument, UnknownEvent
from workbench.metrics import sequences
from workbench.metrics.segments import from_dict, members, people, segment
from workbench.metrics.steps import step
from workbench.testing import START, store_of

DAY = timedelta(days=1)
NOW = START + 20 * DAY


def who(journeys, chosen, now=NOW):
    snapshot = store_of(journeys, unit=DAY).snapshot()
    return sequences.user_ids(snapshot, members(snapshot, chosen, now=now))


RAIDERS = {"ann": "raid:1 raid:2 raid:3", "bob": "raid:8 raid:9 raid:19", "cem": "raid:10 buy:11", "dee": "buy:1"}


def test_who_did_something_often_enough_in_the_last_days():
    assert who(RAIDERS, segment("raid", at_least=3)) == ["ann", "bob"]
    assert who(RAIDERS, segment("raid", at_least=3, within="14d")) == ["bob"]
    assert who(RAIDERS, segment("raid", at_least=3, within="5d")) == []


def test_who_did_something_often_enough_in_any_days():
    assert who(RAIDERS, segment("raid", at_least=3, within="2d", anywhere=True)) == ["ann"]
    assert who(RAIDERS, segment("raid", at_least=2, within="1d", anywhere=True)) == ["ann", "bob"]


def test_who_never_did_something_is_everybody_else():
    assert who(RAIDERS, ~segment("raid")) == ["dee"]
    assert who(RAIDERS, segment("raid", at_most=1)) == ["cem", "dee"]
    assert who(RAIDERS, segment("raid", exactly=1)) == ["cem"]
    assert who(RAIDERS, segment("raid", exactly=0)) == ["dee"]


def test_segments_are_combined():
    assert who(RAIDERS, segment("raid") & segment("buy")) == ["cem"]
    assert who(RAIDERS, segment("raid", at_least=3) | segment("buy")) == ["ann", "bob", "cem", "dee"]
    assert who(RAIDERS, segment() & ~segment("buy")) == ["ann", "bob"]


def test_dates_bound_what_counts():
    assert who(RAIDERS, segment("raid", since="2026-01-08", until="2026-01-15")) == ["ann", "bob"]


def test_a_step_with_conditions_chooses_too():
    assert who(RAIDERS, segment(step("raid", where={"platform": "x"}))) == []


def test_the_people_behind_a_number_are_a_segment_and_strangers_are_not():
    assert who(RAIDERS, people(["bob", "nobody"])) == ["bob"]


def test_a_segment_that_names_an_unknown_event_is_refused():
    with pytest.raises(UnknownEvent, match="nearest: 'raid'"):
        who(RAIDERS, segment("raids"))


@pytest.mark.parametrize(
    "options",
    [
        {"exactly": 1, "at_least": 1}, {"at_least": -1}, {"at_least": 0}, {"at_least": 2, "at_most": 1},
        {"at_least": 1.5},
        {"anywhere": True}, {"anywhere": True, "within": "1d", "at_most": 2}, {"within": "0d"}, {"at_least": True},
        {"since": "2026-02-01", "until": "2026-01-01"},
    ],
)  # fmt: skip
def test_what_nobody_can_do_is_refused(options):
    with pytest.raises(InvalidArgument):
        segment("raid", **options)


def test_a_segment_combines_with_nothing_else():
    with pytest.raises(InvalidArgument, match="combined with another"):
        segment("raid") & "buy"


def test_a_segment_is_kept_as_json_and_equal_when_read_again():
    chosen = (
        segment(step("raid", where={"platform": ["x", 5]}), at_least=3, within="14d") & ~people(["ann"])
    ) | segment(since="2026-01-01")
    again = from_dict(json.loads(json.dumps(chosen.to_dict())))
    assert (again, hash(again), str(again)) == (chosen, hash(chosen), str(chosen))


@pytest.mark.parametrize("told", [{}, {"did": {}}, {"or": [1]}, {"x": []}, [], {"people": ["a"]}])
def test_what_is_no_segment_is_refused(told):
    with pytest.raises(InvalidArgument, match="no segment can be made"):
        from_dict(told)


def test_a_bench_of_a_segment_asks_every_question_of_its_people_alone():
    bench = Bench(store_of(RAIDERS, unit=DAY), Settings())
    of = bench.of(segment("buy"), now=NOW)
    assert of.funnel(["raid", "buy"], within="30d", now=NOW).frame["users"].tolist() == [1, 1]
    assert of.active_users(now=NOW).frame["users"].sum() == 3
    assert of.stickiness(now=NOW).definition.described()["people"] == "did buy 1 or more times"
    assert of.data_version == bench.data_version
    assert of.of(segment("raid"), now=NOW).retention(start="raid", now=NOW).frame["cohort_size"].max() == 1


def test_a_segment_is_saved_by_name_and_found_by_everybody(tmp_path):
    bench = open_(tmp_path / "lake", create=True, settings=Settings())
    bench.save_segment("Power users", segment("raid", at_least=3))
    bench.save_segment("Power users", segment("raid", at_least=5))
    assert open_(tmp_path / "lake", settings=Settings()).segments() == {"Power users": segment("raid", at_least=5)}
    with pytest.raises(InvalidArgument, match="nearest: 'Power users'"):
        bench.of("power user")
    for name in ("", "a/b", "x" * 81, "'; DROP"):
        with pytest.raises(InvalidArgument, match="name"):
            bench.save_segment(name, segment("raid"))


def test_a_frame_keeps_no_segments():
    with pytest.raises(InvalidArgument, match="open a lake"):
        Bench(store_of(RAIDERS), Settings()).save_segment("a", segment("raid"))


@given(
    st.dictionaries(st.sampled_from(["ann", "bob", "cy"]), st.lists(st.integers(0, 20), max_size=8)),
    st.integers(1, 4),
    st.integers(1, 9),
    st.booleans(),
)
def test_segments_are_those_of_a_slow_count(journeys, times, window, anywhere):
    known = {name: " ".join(["join:0", *(f"raid:{day}" for day in days)]) for name, days in journeys.items()}
    chosen = segment("raid", at_least=times, within=f"{window}d", anywhere=anywhere)
    expected = []
    for name, days in journeys.items():
        spans = days if anywhere else [NOW_DAY - window]
        if any(sum(begin <= day <= min(begin + window, NOW_DAY) for day in days) >= times for begin in spans):
            expected.append(name)
    visitor = {"visitor": "join:0 raid:-30"}
    assert who({**known, **visitor}, chosen) == sorted(expected + ["visitor"] * (anywhere and times == 1))


NOW_DAY = 20
