"""What the options of retention mean, told about people, and held to a slow count."""

from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.metrics.communities import community
from tests.metrics.test_retention import DAY, HOUR, asked, cells
from workbench.errors import InvalidArgument
from workbench.metrics.retention import retention
from workbench.testing import START, store_of

WEEKS = {
    "ann": "join:0 view:8 view:15",
    "bob": "join:0 view:15 view:22",
    "cem": "join:1 view:8 view:22",
    "dee": "join:0",
}


def test_a_bracket_counts_who_came_back_in_any_of_its_weeks():
    answer = asked(WEEKS, kind="bracket", brackets="0,1-2,3-9")
    assert [cells(answer)["01-05", place] for place in range(3)] == [4, 3, 2]
    assert answer.frame["mature"].tolist()[:3] == [True, True, False]
    assert answer.chart().marks[0].columns == ("0", "1-2", "3-9")


def test_a_streak_ends_with_the_first_week_that_is_missed():
    assert [cells(asked(WEEKS, kind="streak"))["01-05", week] for week in range(4)] == [4, 2, 1, 0]


def test_the_denominator_can_be_who_came_the_week_before():
    answer = asked(WEEKS, of="previous")
    assert [cells(answer)["01-05", week] for week in range(4)] == [4, 2, 2, 2]
    assert [cells(answer, "retention_rate")["01-05", week] for week in range(4)] == [1, 0.5, 1, 1]


def test_a_start_can_be_moved_back_to_the_full_hour():
    journeys = {"ann": "join:0.5 view:24.2"}
    by_hour, exact = (asked(journeys, unit=HOUR, period="day", clock="rolling", floor=floor) for floor in ("1h", None))
    assert [cells(by_hour)["01-05", day] for day in (0, 1)] == [1, 1]
    assert [cells(exact)["01-05", day] for day in (0, 1)] == [1, 0]


def test_what_was_before_the_start_in_its_hour_is_no_return():
    journeys = {"ann": "view:0.2 join:0.5"}
    assert cells(asked(journeys, unit=HOUR, period="day", clock="rolling", floor="1h", returns="view"))["01-05", 0] == 0


def test_cohorts_can_be_meant_in_three_ways():
    journeys = {f"early {number}": "join:0 view:8" for number in range(3)} | {
        "late 1": "join:7",
        "late 2": "join:7 view:14",
    }
    rates = {
        mean: asked({**journeys, "early 4": "join:0"}, mean=mean).mean["retention_rate"].tolist()[1]
        for mean in ("weighted", "simple", "mixpanel")
    }
    assert rates == {"weighted": 4 / 6, "simple": (3 / 4 + 1 / 2) / 2, "mixpanel": (3 * 4 + 1 * 2) / (16 + 4)}


def test_a_vendor_reads_it_their_way_and_what_is_said_by_hand_wins():
    theirs = asked(WEEKS, dialect="mixpanel").definition
    assert (theirs.kind, theirs.clock, theirs.cohort, theirs.mean) == (
        "on_or_after",
        "rolling",
        "recurring",
        "mixpanel",
    )
    assert asked(WEEKS, dialect="mixpanel", kind="on").definition.kind == "on"
    with pytest.raises(InvalidArgument, match="dialect must be one of"):
        asked(WEEKS, dialect="heap")


def test_people_are_told_apart_by_what_their_start_says():
    snapshot = community(
        ({"ann": "join:0", "bob": "join:0"}, {"platform": "web"}),
        ({"cem": "join:0"}, {"platform": "app"}),
        ({"ann": "view:11000", "cem": "view:11000"}, {"platform": "app"}),
    )
    answer = retention(snapshot, start="join", by="platform", now=START + 14 * DAY)
    users = {(row.segment, row.period): row.users for row in answer.frame.itertuples()}
    assert users == {("web", 0): 2, ("web", 1): 1, ("app", 0): 1, ("app", 1): 1}
    assert answer.people("2026-01-05", 1, segment="web") == ["ann"]
    assert answer.mean["segment"].tolist() == ["web", "web", "app", "app"]
    assert [line.label for line in answer.chart().marks] == ["web", "app"]
    assert "web 50.0% (of 2, too thin to act on), app 100.0%" in answer.reading()


def test_people_are_told_apart_by_their_start_whatever_the_return():
    snapshot = community(
        ({"ann": "join:0", "bob": "join:0"}, {"platform": "web"}),
        ({"cem": "join:0"}, {"platform": "app"}),
        ({"ann": "buy:1500", "bob": "view:1500", "cem": "buy:1500"}, {"platform": "app"}),
    )
    answer = retention(snapshot, start="join", returns="buy", by="platform", period="day", now=START + 3 * DAY)
    users = {(row.segment, row.period): row.users for row in answer.frame.itertuples()}
    assert (users["web", 1], users["app", 1]) == (1, 1)
    assert answer.people("2026-01-05", 1, segment="web") == ["ann"]


def test_on_or_before_counts_who_came_in_any_of_the_weeks_so_far():
    assert [cells(asked(WEEKS, kind="on_or_before", returns="view"))["01-05", week] for week in range(4)] == [
        0,
        2,
        3,
        3,
    ]


def test_period_zero_can_be_everybody_who_started():
    answer = asked(WEEKS, returns="view", zero="everybody")
    assert [cells(answer)["01-05", week] for week in range(3)] == [4, 2, 2]
    assert answer.people("2026-01-05", 0) == ["ann", "bob", "cem", "dee"]
    with_zero = asked(WEEKS, returns="view", zero="everybody", kind="bracket", brackets="0-1,2")
    assert with_zero.frame["users"].tolist()[:2] == [4, 2]


def test_a_table_of_too_many_cells_is_refused():
    journeys = {"ann": "join:0", "bob": "join:9000"}
    with pytest.raises(InvalidArgument, match="9,001 cohorts has more than 5,000,000 cells: ask since a later day"):
        asked(journeys, period="day", now=START + 9001 * DAY)
    assert len(asked(journeys, period="month", now=START + 9001 * DAY).frame) > 40_000


@pytest.mark.parametrize("brackets", ["", "1-0", "0,0", "3,1", "a", [(0, 1), (1, 2)], [(0,)], [(-1, 0)], None])
def test_brackets_that_are_none_are_refused(brackets):
    with pytest.raises(InvalidArgument, match="brackets"):
        asked(WEEKS, kind="bracket", brackets=brackets)


def test_brackets_belong_to_their_kind():
    with pytest.raises(InvalidArgument, match="kind='bracket'"):
        asked(WEEKS, brackets="0,1-3")


@given(
    st.dictionaries(
        st.sampled_from(["ann", "bob", "cem"]),
        st.lists(st.tuples(st.sampled_from(["join", "view"]), st.integers(0, 12 * 24)), min_size=1, max_size=8),
        min_size=1,
    ),
    st.sampled_from(["calendar", "rolling"]),
    st.sampled_from(["first", "recurring"]),
    st.sampled_from(["on", "on_or_after", "streak", "bracket"]),
    st.sampled_from([None, "view"]),
    st.sampled_from([None, "1d"]),
)
def test_every_kind_is_a_slow_count_of_days(people, clock, cohort, kind, returns, floor):
    journeys = {who: " ".join(f"{event}:{hour}" for event, hour in events) for who, events in people.items()}
    ranges = [(0, 0), (1, 2), (4, 9)]
    answer = retention(
        store_of({**journeys, "visitor": "join:-900 view:-901"}, unit=HOUR).snapshot(),
        start="join", returns=returns, period="day", kind=kind, clock=clock, cohort=cohort, floor=floor,
        brackets=ranges if kind == "bracket" else None, since=START, now=START + 13 * DAY,
    )  # fmt: skip
    expected: dict[tuple[int, int], int] = {}
    for events in people.values():
        for day, days in came(events, clock, cohort, returns, floor).items():
            for place in range(len(ranges) if kind == "bracket" else 14 - day):
                expected[day, place] = expected.get((day, place), 0) + counts(days, place, kind, ranges)
    for row in answer.frame.itertuples():
        day = (row.cohort.to_pydatetime().replace(tzinfo=UTC) - START).days
        assert row.users == expected.get((day, row.period), 0)
        assert len(answer.people(row.cohort, row.period)) == row.users


def came(events, clock, cohort, returns, floor):
    """Return per cohort (a day) the days since the start with a return."""
    starts = sorted(hour for event, hour in events if event == "join")
    entries = {hour // 24: hour for hour in reversed(starts)}
    if cohort == "first" and starts:
        entries = {starts[0] // 24: starts[0]}
    found = {}
    for day, start in entries.items():
        zero = start - start % 24 if floor else start
        later = [hour for event, hour in events if hour >= start and returns in (None, event)]
        found[day] = {hour // 24 - day if clock == "calendar" else (hour - zero) // 24 for hour in later}
    return found


def counts(days, place, kind, ranges):
    if kind == "bracket":
        return any(ranges[place][0] <= day <= ranges[place][1] for day in days)
    if kind == "on_or_after":
        return any(day >= place for day in days)
    if kind == "streak" and place:
        return all(day in days for day in range(1, place + 1))
    return place in days


@pytest.mark.parametrize(
    ("brackets", "first", "last"),
    [
        ("1-2,3-4", "in days 1-2 (95%", "In days 3-4 it is 0.0% of 40."),
        ("0,1,2-4", "in day 1 (95%", "In days 2-4 it is"),
    ],
)
def test_brackets_are_read_by_the_days_they_are_of(brackets, first, last):
    store = store_of({f"p{number}": "join:0 view:2000" if number % 2 else "join:0" for number in range(40)})
    answer = retention(
        store.snapshot(), start="join", period="day", kind="bracket", brackets=brackets, now="2026-02-01"
    )
    assert f"50.0% came back with any event {first}" in answer.reading()
    assert last in answer.reading()
