"""Behind every number stands a list of as many people, whatever was asked and of whomever."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import workbench as wb
from tests.metrics.communities import community
from workbench.bench import Bench
from workbench.config import Settings
from workbench.errors import InvalidArgument
from workbench.store.memory import MemoryStore
from workbench.testing import START, store_of

NOW = START + timedelta(days=12)
DONE = ["join", "join", "talk", "buy", "message_sent", "raid_started", "raid_joined", "raid_joined", "raid_ended"]
EARLY = "-99999"
doings = st.tuples(
    st.sampled_from(DONE),
    st.integers(0, 14 * 24),
    st.sampled_from(["web", "app", None]),
    st.sampled_from(["s", "t", None]),
    st.sampled_from(["r1", "r2", None]),
)
lives = st.lists(st.lists(doings, min_size=1, max_size=8), min_size=1, max_size=6)


def bench_of(lives) -> Bench:
    groups = [({"visitor": " ".join(f"{name}:{EARLY}" for name in sorted(set(DONE)))}, {})]
    for number, life in enumerate(lives):
        for name, hour, platform, session, raid in life:
            fields = {"platform": platform, "session_id": session, "raid_id": raid, "properties": {"plan": hour % 3}}
            groups.append(({f"p{number}": f"{name}:{60 * hour}"}, fields))
    bench = Bench(MemoryStore(store_of({}).snapshot().query("SELECT * FROM events")), Settings())
    bench.snapshot = community(*groups)
    return bench


def assert_listed(people: list[str], count: int) -> None:
    assert len(people) == count
    assert people == sorted(set(people))


def segment_of(row) -> dict[str, str]:
    return {"segment": row["segment"]} if "segment" in row else {}


@st.composite
def funnels(draw):
    by = draw(st.sampled_from([None, "platform", "plan", [wb.segment("buy"), ~wb.segment("talk")]]))
    order = draw(st.sampled_from(["ordered", "strict", "any"]))
    options = {
        "order": order,
        "within": draw(st.sampled_from(["3h", "2d", "30d"])),
        "counting": draw(st.sampled_from(["users", "sessions", "totals"])),
        "dialect": draw(st.sampled_from([None, "posthog", "mixpanel", "amplitude"])),
        "exclude": draw(st.sampled_from([None, [("message_sent", 1, 2)]])),
        "by": by,
    }
    if isinstance(by, str):
        options["attribution"] = draw(st.sampled_from(["first", "last", "all", "user", 2]))
        options["top"] = draw(st.sampled_from([1, 25]))
    return options


@given(lives, funnels())
@example([[("join", 289, "web", "s", "r1")]], {"by": "platform", "attribution": "first", "counting": "sessions"})
def test_a_funnel_lists_who_came_who_stopped_and_who_may_still_come(lives, options):
    answer = bench_of(lives).funnel(["join", "talk", "buy"], now=NOW, **options)
    before = None
    for row in answer.frame.to_dict("records"):
        step, part = row["step"], segment_of(row)
        assert_listed(answer.people(step, **part), row["users"])
        assert_listed(answer.people(step, in_flight=True, **part), row["in_flight"])
        if step > 1:
            lost = before["users"] - before["in_flight"] - row["users"]
            assert_listed(answer.people(step, dropped=True, **part), lost)
        before = row
    for row in answer.times(1, 2).frame.to_dict("records"):
        assert_listed(answer.times(1, 2).people(row["bin"], **segment_of(row)), row["users"])
    trend = answer.trend("day")
    for row in trend.frame.to_dict("records"):
        assert_listed(trend.people(row["period"], **segment_of(row)), row["users"])
        assert_listed(trend.people(row["period"], converted=True, **segment_of(row)), row["converted"])


@given(lives)
def test_drivers_and_comparisons_list_whom_they_count(lives):
    answer = bench_of(lives).funnel(["join", "buy"], now=NOW, within="2d")
    drivers = answer.drivers(properties=["platform", "plan"])
    for row in drivers.frame.to_dict("records"):
        assert_listed(drivers.people(row["candidate"]), row["users"])
        assert_listed(drivers.people(row["candidate"], converted=True), row["converted"])
    moved = answer.compare("mixpanel")
    assert_listed(moved.people(), len(moved.frame))
    for rule, rows in moved.frame.groupby("rule"):
        assert_listed(moved.people(rule), len(rows))


@given(
    lives,
    st.sampled_from(["day", "week", "month"]),
    st.sampled_from(["on", "on_or_after", "on_or_before", "streak", "bracket"]),
    st.sampled_from(["calendar", "rolling"]),
    st.sampled_from(["first", "recurring"]),
    st.sampled_from([None, "buy"]),
    st.sampled_from([None, "platform"]),
    st.sampled_from(["returned", "everybody"]),
)
def test_retention_lists_the_people_of_every_cell(lives, period, kind, clock, cohort, returns, by, zero):
    brackets = "0,1-2,3-9" if kind == "bracket" else None
    answer = bench_of(lives).retention(
        "join", returns, period=period, kind=kind, clock=clock, cohort=cohort, by=by, zero=zero, brackets=brackets,
        since=START, now=NOW,
    )  # fmt: skip
    for row in answer.frame.to_dict("records"):
        assert_listed(answer.people(row["cohort"], row["period"], **segment_of(row)), row["users"])
        assert_listed(answer.people(row["cohort"], **segment_of(row)), row["cohort_size"])
        assert row["users"] <= row["cohort_size"]
        if zero == "everybody" and row["period"] == 0:
            assert row["users"] == row["cohort_size"]


@given(lives, st.sampled_from(["day", "week", "month"]), st.sampled_from([None, "talk"]))
def test_lifecycle_stickiness_and_activity_list_whom_they_count(lives, period, event):
    bench = bench_of(lives)
    lifecycle = bench.lifecycle(period=period, event=event, since=START, now=NOW)
    for row in lifecycle.frame.to_dict("records"):
        assert_listed(lifecycle.people(row["period"], row["status"]), abs(row["users"]))
    for cumulative in (False, True):
        sticky = bench.stickiness(period=period, event=event, cumulative=cumulative, since=START, now=NOW)
        for row in sticky.frame.to_dict("records"):
            assert_listed(sticky.people(row["periods"]), row["users"])
    for options in ({"period": period, "by": "platform"}, {"period": period}, {"window": "3d"}):
        active = bench.active_users(event=event, since=START, now=NOW, **options)
        for row in active.frame.to_dict("records"):
            assert_listed(active.people(row["period"], **segment_of(row)), row["users"])
            assert_listed(active.people(row["period"], new=True, **segment_of(row)), row["new_users"])


@given(lives)
def test_platforms_messages_raids_and_profiles_list_whom_they_count(lives):
    bench = bench_of(lives)
    pairs = bench.platforms(since=START, now=NOW)
    for row in pairs.frame.to_dict("records"):
        assert_listed(pairs.people(row["platform"], row["other"]), row["shared_users"])
    spread = bench.platform_distribution(since=START, now=NOW)
    for row in spread.frame.to_dict("records"):
        assert_listed(spread.people(row["platform"]), row["users"])
        assert_listed(spread.people(row["platform"], main=True), row["main_users"])
    volume = bench.message_volume(since=START, now=NOW, tz="Europe/Berlin")
    for row in volume.frame.to_dict("records"):
        assert_listed(volume.people(row["period"]), row["users"])
    raids, facts = bench.raid_activity(now=NOW), bench.raid_facts(now=NOW)
    for row in raids.frame.to_dict("records"):
        assert_listed(raids.people(row["raid_id"]), row["participants"])
    for row in facts.frame.to_dict("records"):
        assert_listed(facts.people(row["raid_id"]), row["participants"])
        assert_listed(facts.people(row["raid_id"], new=True), row["new_participants"])
    assert_listed(bench.profiles(now=NOW).people(), len(bench.profiles(now=NOW).frame))


@settings(max_examples=10)
@given(lives)
def test_of_a_segment_only_its_people_are_listed(lives):
    bench = bench_of(lives)
    buyers = bench.of(wb.segment("buy"), now=NOW)
    everybody = set(buyers.profiles(now=NOW).people())
    answer = buyers.funnel(["join", "talk"], now=NOW)
    assert set(answer.people(1)) <= everybody
    assert_listed(answer.people(1), answer.frame["users"][0])


RAID = (
    ({"ann": "raid_started:0 raid_joined:1", "bob": "raid_joined:2"}, {"raid_id": "r1"}),
    ({"bob": "raid_started:60 raid_joined:61", "cem": "raid_joined:61 message_sent:62"}, {"raid_id": "r2"}),
)


def test_who_joined_a_raid_and_who_is_new_to_raids():
    bench = Bench(MemoryStore(store_of({}).snapshot().query("SELECT * FROM events")), Settings())
    bench.snapshot = community(*RAID)
    facts = bench.raid_facts(now=NOW)
    assert (facts.people("r2"), facts.people("r2", new=True)) == (["bob", "cem"], ["cem"])
    assert bench.raid_activity(now=NOW).people("r1") == ["ann", "bob"]
    assert bench.message_volume(now=NOW).people("2026-01-05") == ["cem"]


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda bench: bench.raid_activity(now=NOW).people("r3"), "no raid 'r3'; there are 'r1', 'r2'"),
        (lambda bench: bench.raid_facts(now=NOW).people(None), "no raid 'None'"),
        (lambda bench: bench.message_volume(now=NOW).people("2026-01-06"), "no period '2026-01-06'"),
        (lambda bench: bench.platform_distribution(now=NOW).people("moon"), "no platform 'moon'"),
        (lambda bench: bench.active_users(now=NOW).people("1999-01-01", new=True), "no period '1999-01-01'"),
    ],
)
def test_a_number_that_is_not_there_has_nobody_behind_it(ask, told):
    bench = Bench(MemoryStore(store_of({}).snapshot().query("SELECT * FROM events")), Settings())
    bench.snapshot = community(*RAID)
    with pytest.raises(InvalidArgument, match=told):
        ask(bench)
