"""What the vendors say in their own documentation and tests, asked in their dialects."""

from __future__ import annotations

from datetime import timedelta

import pytest

from workbench.errors import InvalidArgument
from workbench.metrics import dialects
from workbench.metrics.funnels import funnel
from workbench.store.memory import MemoryStore
from workbench.testing import START, events_of, store_of, stored

HOUR = timedelta(hours=1)
LATER = START + timedelta(days=60)


def users(journeys: dict[str, str], steps: list[str], dialect: str, *, unit: timedelta = HOUR, **options) -> list[int]:
    answer = funnel(store_of(journeys, unit=unit).snapshot(), steps, now=LATER, dialect=dialect, **options)
    return answer.frame["users"].tolist()


def test_mixpanel_s_window_starts_at_the_first_step_one_and_is_not_moved():
    # docs.mixpanel.com/docs/reports/funnels/funnels-advanced, Conversion Window: A 1:00, A 1:30, B 1:45, C 2:15
    journeys = {"ann": "A:0 A:0.5 B:0.75 C:1.25"}
    assert users(journeys, ["A", "B", "C"], "mixpanel", within="1h") == [1, 1, 0]
    assert users(journeys, ["A", "B", "C"], "clickhouse", within="1h") == [1, 1, 1]


def test_mixpanel_considers_the_first_entry_only():
    # the same page, Optimized Re-entry, Scenario 1 and 2, Default Mode
    for journey in ("A:0 A:5 B:5.5", "A:0 A:0.5 B:1.2"):
        assert users({"ann": journey}, ["A", "B"], "mixpanel", within="1h") == [1, 0]
        assert users({"ann": journey}, ["A", "B"], "posthog", within="1h") == [1, 1]


def test_mixpanel_lets_other_steps_stand_between():
    # the same page, Specific Order: the four journeys for A, B, C, D, E
    journeys = {"one": "A:0 B:1 C:2 D:3 E:4", "two": "A:0 B:1 F:2 C:3 D:4 E:5", "three": "A:0 B:1 D:2 C:3 D:4 E:5"}
    assert users(journeys | {"four": "A:0 B:1 C:2 E:3"}, list("ABCDE"), "mixpanel") == [4, 4, 4, 3, 3]


def test_mixpanel_s_totals_enter_again_after_an_exclusion():
    # the same page, Exclusion Steps: A, A, A, B with A excluded between A and B: two entries, one conversion
    store = store_of({"ann": "A:1 A:2 A:3 B:4"})
    answer = funnel(
        store.snapshot(),
        ["A", "B"],
        exclude=[("A", 1, 2)],
        counting="totals",
        dialect="mixpanel",
        within="30m",
        now=LATER,
    )
    assert answer.frame["count"].tolist() == [2, 1]


def test_mixpanel_s_totals_enter_once_until_they_are_out():
    # docs.mixpanel.com/docs/reports/funnels/funnels-faq: Step 1, Step 1, Step 2 enters once
    answer = funnel(
        store_of({"ann": "A:0 A:1 B:2"}).snapshot(), ["A", "B"], counting="totals", dialect="mixpanel", now=LATER
    )
    assert answer.frame["count"].tolist() == [1, 1]


def test_posthog_discards_who_did_the_excluded_event_within_the_window():
    # PostHog, ee/clickhouse/queries/funnels/test/test_funnel.py, test_funnel_exclusion_no_end_event
    journeys = {
        "person1": "signed_up:1 paid:2",
        "person2": "signed_up:3 x:3.5 paid:4",
        "person3": "signed_up:5 x:6",
        "person4": "signed_up:7 x:32",
    }
    assert users(journeys, ["signed_up", "paid"], "posthog", within="1d", exclude=[("x", 1, 2)]) == [2, 1]


@pytest.mark.parametrize(
    "exclude", [[("x", 1, 2), ("y", 3, 4)], [("x", 1, 2), ("y", 1, 2)], [("x", 1, 5), ("y", 1, 5)]]
)
def test_posthog_discards_by_each_of_several_exclusions(exclude):
    # the same file, test_advanced_funnel_multiple_exclusions_between_steps
    journeys = {
        "person1": "signed_up:1 x:2 pageview:3 viewed:4 y:4.5 invite:5 pageview2:6",
        "person2": "signed_up:1 y:1.5 pageview:2 viewed:4 y:4.5 invite:5 x:5.5 pageview2:6",
        "person3": "signed_up:1 x:1.5 pageview:2 viewed:4 invite:5 x:5.5 pageview2:6",
        "person4": "signed_up:1 pageview:2 viewed:4 invite:5 pageview2:6",
    }
    steps = ["signed_up", "pageview", "viewed", "invite", "pageview2"]
    assert users(journeys, steps, "posthog", exclude=exclude) == [1, 1, 1, 1, 1]


def test_posthog_s_attributions_name_the_browsers_of_its_documentation():
    # posthog.com/docs/product-analytics/funnels, Attribution types, 1 to 4
    events = events_of({"ann": "pageview:0"}, properties={"browser": "Chrome"})
    events += events_of({"ann": "signed_up:1"}, properties={"browser": "Firefox"})
    snapshot = MemoryStore(stored(events)).snapshot()
    for attribution, browser in (("first", "Chrome"), ("last", "Firefox"), (2, "Firefox")):
        answer = funnel(
            snapshot, ["pageview", "signed_up"], by="browser", attribution=attribution, dialect="posthog", now=LATER
        )
        assert answer.attempts.segments == (browser,)


def test_posthog_s_all_steps_count_a_person_once_per_browser():
    # the same page, All steps
    events = []
    for place, word in enumerate(["pageview C", "pageview F", "signed_up C", "posted C", "posted F"]):
        name, browser = word.split()
        events += events_of({"ann": f"{name}:{place}"}, properties={"browser": browser}, session_id=str(place))
    events = [
        type(e)(**{f: getattr(e, f) for f in e.__struct_fields__} | {"event_id": str(n)}) for n, e in enumerate(events)
    ]
    answer = funnel(
        MemoryStore(stored(events)).snapshot(), ["pageview", "signed_up", "posted"], by="browser", attribution="all",
        dialect="posthog", now=LATER,
    )  # fmt: skip
    counts = {name: answer.frame.loc[answer.frame["segment"] == name, "users"].tolist() for name in "CF"}
    assert counts == {"C": [1, 1, 1], "F": [1, 0, 0]}


def test_posthog_wants_two_clicks_for_two_steps():
    # the same page, Duplicate steps
    assert users({"ann": "clicked:0", "bob": "clicked:0 clicked:1"}, ["clicked", "clicked"], "posthog") == [2, 1]


def test_amplitude_takes_either_order_within_one_second():
    # amplitude.com/docs/analytics/charts/funnel-analysis/funnel-analysis-how-amplitude-handles-simultaneous-events
    journeys = {"ann": "B:0.1 A:0.9", "bob": "B:0 A:1.5"}
    assert users(journeys, ["A", "B"], "amplitude", unit=timedelta(seconds=1)) == [2, 1]
    assert users(journeys, ["A", "B"], "posthog", unit=timedelta(seconds=1)) == [2, 0]


def test_amplitude_s_exact_order_bears_another_event_of_the_same_second():
    # the same page
    assert users({"ann": "A:0 x:0.5 B:1"}, ["A", "B"], "amplitude", unit=timedelta(seconds=1), order="strict") == [1, 1]


def test_amplitude_counts_one_conversion_for_four_searches():
    # amplitude.com/docs/analytics/charts/funnel-analysis/funnel-analysis-how-amplitude-computes
    store = store_of({"ann": "search:0 search:1 search:2 search:3 cart:4"})
    answer = funnel(store.snapshot(), ["search", "cart"], counting="totals", dialect="amplitude", now=LATER)
    assert answer.frame["count"].tolist() == [1, 1]


def test_amplitude_attributes_to_the_landing_page_seen_first():
    # amplitude.com/docs/…/funnel-analysis-how-amplitude-computes-conversions, Scenario 2
    events = events_of({"ann": "landing:0", "bob": "landing:0"}, properties={"page": "A"})
    events += events_of({"zoe": "landing:0"}, properties={"page": "B"})
    events += [
        type(e)(
            **{f: getattr(e, f) for f in e.__struct_fields__}
            | {"event_id": "B", "user_id": "ann", "occurred_at": START + HOUR}
        )
        for e in events[-1:]
    ]
    events += events_of({"ann": "register:90"})
    answer = funnel(
        MemoryStore(stored(events)).snapshot(), ["landing", "register"], by="page", dialect="amplitude", now=LATER
    )
    counts = {name: answer.frame.loc[answer.frame["segment"] == name, "users"].tolist() for name in "AB"}
    assert counts == {"A": [2, 1], "B": [1, 0]}


def test_clickhouse_lets_one_event_satisfy_several_conditions():
    # clickhouse.com/docs, windowFunnel; tests/queries/0_stateless/00632_aggregation_window_funnel.sql
    assert users({"ann": "view:0"}, ["view", "view", "view"], "clickhouse") == [1, 1, 1]


@pytest.mark.parametrize(("dialect", "days"), [("posthog", 14), ("mixpanel", 7), ("amplitude", 7), (None, 7)])
def test_a_dialect_sets_the_window_where_none_is_given(dialect, days):
    snapshot = store_of({"ann": "view:0 buy:1"}).snapshot()
    assert funnel(snapshot, ["view", "buy"], dialect=dialect, now=LATER).definition.within == timedelta(days=days)
    assert funnel(snapshot, ["view", "buy"], within="1d", dialect=dialect, now=LATER).definition.within.days == 1


def test_what_is_given_by_hand_wins_over_the_dialect():
    answer = funnel(
        store_of({"ann": "A:0 A:100 B:101"}).snapshot(),
        ["A", "B"],
        dialect="mixpanel",
        anchor="any",
        within="1h",
        now=LATER,
    )
    assert answer.frame["users"].tolist() == [1, 1]


def test_every_setting_is_an_option_with_a_source():
    table = dialects.dialects()
    assert set(table["dialect"]) == set(dialects.DIALECTS)
    assert table["source"].str.startswith("https://").all()
    assert table["meaning"].str.len().min() > 10
    assert dialects.funnel(None) == {}
    assert dialects.retention("mixpanel")["kind"] == "on_or_after"
    grace = table[(table["dialect"] == "mixpanel") & (table["option"] == "grace")].iloc[0]
    assert (grace["value"], grace["when"]) == ("'2s'", "order='ordered'")


def test_what_a_vendor_does_and_no_option_does_is_listed_too():
    table = dialects.dialects()
    beyond = table[table["option"] == dialects.NOT_MODELLED]
    assert set(beyond["dialect"]) == set(dialects.DIALECTS)
    assert (beyond["value"] == "").all()


def test_an_option_can_depend_on_another():
    assert dialects.funnel("posthog", order="any")["exclusion"] == "entry"
    assert dialects.funnel("posthog")["exclusion"] == "person"
    assert "grace" not in dialects.funnel("mixpanel", order="any")
    assert [dialects.retention("amplitude", period=each)["floor"] for each in ("day", "week", "month")] == [
        "1h", "1d", "1d",
    ]  # fmt: skip


@pytest.mark.parametrize("ask", [dialects.funnel, dialects.retention, dialects.dialects])
def test_an_unknown_dialect_is_named_with_those_there_are(ask):
    with pytest.raises(InvalidArgument, match="'posthog', 'mixpanel', 'amplitude', 'clickhouse', got 'heap'"):
        ask("heap")
