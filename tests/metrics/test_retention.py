from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.errors import InvalidArgument, UnknownEvent
from workbench.metrics.retention import Retention, retention
from workbench.testing import START, store_of

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def asked(journeys: dict[str, str], *, unit: timedelta = DAY, begin: datetime = START, **options: object) -> Retention:
    defaults: dict[str, object] = {"start": "join", "now": START + 28 * DAY}
    return retention(store_of(journeys, unit=unit, start=begin).snapshot(), **(defaults | options))


def cells(answer: Retention, column: str = "users") -> dict[tuple[str, int], object]:
    frame = answer.frame
    return {
        (f"{cohort:%m-%d}", period): value
        for cohort, period, value in zip(frame["cohort"], frame["period"], frame[column], strict=True)
    }


def test_people_come_back_in_the_weeks_after_they_joined():
    answer = asked({"ann": "join:0 view:8 view:9 view:22", "bob": "join:6 view:7", "cem": "join:7"})
    counts = cells(answer)
    assert [counts["01-05", week] for week in range(4)] == [2, 2, 0, 1]
    assert [counts["01-12", week] for week in range(3)] == [1, 0, 0]
    assert answer.frame["cohort_size"].tolist() == [2] * 4 + [1] * 3


def test_weeks_begin_on_monday():
    answer = asked({"ann": "join:-1 view:0"})
    assert cells(answer)["12-29", 1] == 1


def test_the_start_itself_counts_in_period_zero():
    assert cells(asked({"ann": "join:0"}))["01-05", 0] == 1
    assert cells(asked({"ann": "join:0"}, returns="join"))["01-05", 0] == 1


def test_a_named_return_counts_from_the_start_on_and_not_before():
    answer = asked({"ann": "buy:0 join:1", "bob": "join:1 buy:2", "cem": "join:1 buy:1"}, returns="buy")
    assert answer.people("2026-01-05", 0) == ["bob", "cem"]


def test_on_or_after_counts_everybody_who_is_still_to_come():
    journeys = {"ann": "join:0 view:22", "bob": "join:0 view:8"}
    assert [cells(asked(journeys, kind="on"))["01-05", week] for week in range(4)] == [2, 1, 0, 1]
    assert [cells(asked(journeys, kind="on_or_after"))["01-05", week] for week in range(4)] == [2, 2, 1, 1]


def test_the_first_cohort_is_that_of_the_first_start_ever():
    journeys = {"ann": "join:0 join:8", "bob": "join:8"}
    assert asked(journeys, since="2026-01-12").people("2026-01-12") == ["bob"]
    assert asked(journeys, since="2026-01-12", cohort="recurring").people("2026-01-12") == ["ann", "bob"]


def test_a_person_is_in_every_recurring_cohort_they_start_in():
    answer = asked({"ann": "join:0 join:1 join:8 view:15"}, cohort="recurring")
    assert cells(answer)["01-05", 2] == cells(answer)["01-12", 1] == 1
    assert cells(answer, "cohort_size")["01-05", 0] == 1


def test_rolling_days_are_of_each_person_and_not_of_the_calendar():
    journeys = {"ann": "join:23 view:25", "bob": "join:1 view:24"}
    calendar, rolling = (asked(journeys, unit=HOUR, period="day", clock=clock) for clock in ("calendar", "rolling"))
    assert [cells(calendar)["01-05", day] for day in (0, 1)] == [2, 2]
    assert [cells(rolling)["01-05", day] for day in (0, 1)] == [2, 0]


def test_a_rolling_period_begins_with_its_first_instant():
    answer = asked({"ann": "join:0 view:24", "bob": "join:0 view:23.999"}, unit=HOUR, period="day", clock="rolling")
    assert answer.people("2026-01-05", 1) == ["ann"]


def test_a_cell_is_mature_when_its_period_is_over():
    journeys = {"ann": "join:0", "bob": "join:8"}
    at_the_end = cells(asked(journeys, now=START + 14 * DAY), "mature")
    assert at_the_end == {("01-05", 0): True, ("01-05", 1): True, ("01-12", 0): True}
    just_before = cells(asked(journeys, now=START + 14 * DAY - timedelta(microseconds=1)), "mature")
    assert just_before == {("01-05", 0): True, ("01-05", 1): False, ("01-12", 0): False}


def test_a_rolling_cell_is_mature_when_the_period_is_over_for_the_last_of_the_cohort():
    mature = cells(asked({"ann": "join:0"}, clock="rolling", now=START + 14 * DAY), "mature")
    assert mature == {("01-05", 0): True, ("01-05", 1): False}


def test_the_mean_weighs_cohorts_by_size_and_leaves_out_what_is_not_over():
    journeys = {
        "ann": "join:0 view:8",
        "bob": "join:0",
        "cem": "join:0",
        "dee": "join:7 view:14",
        "eve": "join:14 view:21",
    }
    mean = asked(journeys, now=START + 22 * DAY).mean.set_index("period")
    assert mean["users"][1] == 2
    assert mean["cohort_size"][1] == 4
    assert mean["retention_rate"][1] == 0.5
    assert mean["cohorts"].tolist() == [3, 2, 1]


def test_an_empty_cohort_between_others_stays_in_the_frame():
    answer = asked({"ann": "join:0", "bob": "join:15"})
    assert cells(answer, "cohort_size")["01-12", 0] == 0
    assert answer.frame["retention_rate"].isna().sum() == 3
    assert answer.people("2026-01-12", 0) == []


def test_the_matrix_has_a_row_a_cohort_and_a_column_a_period():
    matrix = asked({"ann": "join:0 view:8", "bob": "join:15"}).matrix
    assert matrix.shape == (3, 4)
    assert matrix.iloc[0].tolist() == [1.0, 1.0, 0.0, 0.0]
    assert matrix.iloc[2].isna().tolist() == [False, False, True, True]


def test_in_the_night_the_clocks_go_forward_a_day_has_23_hours():
    begin = datetime(2026, 3, 28, 23, tzinfo=UTC)  # midnight of the 29th in Berlin
    journeys = {"ann": "join:0 view:22.99", "bob": "join:0 view:23"}
    answer = asked(journeys, unit=HOUR, begin=begin, period="day", tz="Europe/Berlin", now=begin + 10 * DAY)
    assert answer.people("2026-03-29", 1) == ["bob"]


def test_in_the_night_the_clocks_go_back_a_day_has_25_hours():
    begin = datetime(2026, 10, 24, 22, tzinfo=UTC)  # midnight of the 25th in Berlin
    journeys = {"ann": "join:0 view:24.99", "bob": "join:0 view:25"}
    answer = asked(journeys, unit=HOUR, begin=begin, period="day", tz="Europe/Berlin", now=begin + 10 * DAY)
    assert answer.people("2026-10-25", 1) == ["bob"]


def test_events_after_now_are_not_seen():
    answer = asked({"ann": "join:0 view:8", "bob": "join:9"}, now=START + 7 * DAY)
    assert cells(answer) == {("01-05", 0): 1}


@pytest.mark.parametrize("journeys", [{}, {"ann": "join:0"}])
def test_when_nobody_started_the_frame_is_empty(journeys):
    answer = asked(journeys, since="2026-02-01", now="2026-03-01")
    assert answer.frame.empty
    assert answer.mean.empty
    assert answer.matrix.empty
    assert "Nobody did join" in answer.reading()
    assert answer.chart().marks[0].values == ()


def test_unknown_events_options_and_cells_are_refused():
    with pytest.raises(UnknownEvent, match=r"'joins' \(nearest: 'join'\)"):
        asked({"ann": "join:0"}, start="joins")
    with pytest.raises(InvalidArgument, match="'day', 'week', 'month', got 'year'"):
        asked({"ann": "join:0"}, period="year")
    with pytest.raises(InvalidArgument, match="no cell of cohort '2026-01-06'"):
        asked({"ann": "join:0"}).people("2026-01-06", 0)
    with pytest.raises(InvalidArgument, match="nearest: 'Europe/Berlin'"):
        asked({"ann": "join:0"}, tz="Europe/Berlim")


def test_the_chart_hatches_what_is_not_over():
    grid = asked({"ann": "join:0", "bob": "join:8"}, now=START + 15 * DAY).chart().marks[0]
    assert grid.rows == ("2026-01-05 (1)", "2026-01-12 (1)")
    assert grid.hatched == ((False, False, True), (False, True, False))
    assert grid.values[1][2] is None


def test_the_reading_names_the_rate_and_that_it_is_thin():
    text = asked({"ann": "join:0 view:8", "bob": "join:0"}).reading()
    assert "2 people in 1 cohort by week" in text
    assert "50.0% came back with any event in week 1" in text
    assert "too thin" in text


ZONES = ("UTC", "Europe/Berlin", "America/St_Johns", "Europe/London", "Australia/Lord_Howe", "America/Havana")
EVE = datetime(2026, 3, 26, tzinfo=UTC)
journeys_of_anybody = st.dictionaries(
    st.sampled_from("pqrs"),
    st.lists(st.tuples(st.sampled_from(["join", "view"]), st.integers(0, 24 * 14)), min_size=1, max_size=5),
    min_size=1,
)


@settings(max_examples=60)
@given(
    people=journeys_of_anybody,
    spring=st.booleans(),
    period=st.sampled_from(["day", "week", "month"]),
    clock=st.sampled_from(["calendar", "rolling"]),
    kind=st.sampled_from(["on", "on_or_after"]),
    cohort=st.sampled_from(["first", "recurring"]),
    returns=st.sampled_from([None, "view"]),
    tz=st.sampled_from(ZONES),
)
def test_the_cells_are_those_of_a_slow_count(people, spring, period, clock, kind, cohort, returns, tz):
    begin = EVE if spring else EVE.replace(month=10)
    journeys = {name: " ".join(f"{event}:{hour}" for event, hour in rows) for name, rows in people.items()}
    journeys["visitor"] = "view:-900"
    now = begin + 15 * DAY
    answer = asked(
        journeys | {"founder": "join:0"}, unit=HOUR, begin=begin, now=now, period=period, clock=clock, kind=kind,
        cohort=cohort, returns=returns, tz=tz,
    )  # fmt: skip
    zone = ZoneInfo(tz)
    everybody = {name: [(event, begin + hour * HOUR) for event, hour in rows] for name, rows in people.items()}
    everybody["founder"] = [("join", begin)]
    expected: dict[tuple[date, int], set[str]] = {}
    for name, rows in everybody.items():
        for day, periods in came_back(rows, period, clock, cohort, returns, zone):
            for number in range(max(periods, default=-1) + 1) if kind == "on_or_after" else periods:
                expected.setdefault((day, number), set()).add(name)
    for row in answer.frame.itertuples():
        there = expected.pop((row.cohort.date(), row.period), set())
        assert row.users == len(there)
        assert answer.people(row.cohort, row.period) == sorted(there)
    assert not expected


def came_back(rows, period, clock, cohort, returns, zone):
    """Give per cohort of one person its first day and the numbers of the periods they came back in."""
    starts = sorted(instant for event, instant in rows if event == "join")
    by_day = {}
    for instant in starts:
        by_day.setdefault(first_day(instant, period, zone), instant)
    for day, start in list(by_day.items())[: None if cohort == "recurring" else 1]:
        back = [instant for event, instant in rows if returns in (None, event) and instant >= start]
        if clock == "rolling":
            length = {"day": DAY, "week": 7 * DAY, "month": 30 * DAY}[period]
            yield day, {(instant - start) // length for instant in back}
        else:
            days = {first_day(instant, period, zone) for instant in back}
            yield day, {whole_periods(day, other, period) for other in days}


def first_day(instant: datetime, period: str, zone: ZoneInfo) -> date:
    day = instant.astimezone(zone).date()
    if period == "week":
        return day - day.weekday() * DAY
    return day.replace(day=1) if period == "month" else day


def whole_periods(first: date, other: date, period: str) -> int:
    if period == "month":
        return 12 * (other.year - first.year) + other.month - first.month
    return (other - first).days // {"day": 1, "week": 7}[period]
