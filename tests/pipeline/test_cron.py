from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import InvalidArgument
from workbench.pipeline.cron import MOST, Cron

BERLIN, NEW_YORK, LORD_HOWE = map(ZoneInfo, ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe"))
ZONES = (ZoneInfo("UTC"), BERLIN, NEW_YORK, LORD_HOWE, ZoneInfo("Asia/Kathmandu"))


def at(month, day, hour, minute=0):
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def hours(text, zone, start, end):
    return [f"{due:%d %H:%M}" for due in Cron.parsed(text, zone).between(start, end)]


def test_a_job_of_every_hour_runs_in_every_hour_there_is():
    spring = hours("0 * * * *", BERLIN, at(3, 28, 23), at(3, 29, 3))
    autumn = hours("0 * * * *", BERLIN, at(10, 24, 22), at(10, 25, 3))
    assert spring == ["29 00:00", "29 01:00", "29 02:00", "29 03:00"]
    assert autumn == ["24 23:00", "25 00:00", "25 01:00", "25 02:00", "25 03:00"]


def test_a_job_at_a_fixed_hour_runs_once_on_both_nights():
    assert hours("30 2 * * *", BERLIN, at(3, 28, 12), at(3, 29, 12)) == ["29 01:30"]  # 3:30, as much later as the clock
    assert hours("30 2 * * *", BERLIN, at(10, 24, 12), at(10, 25, 12)) == ["25 00:30"]  # the first 2:30 of two


def test_a_clock_that_changes_by_half_an_hour_is_no_other():
    assert len(hours("15 2 * * *", LORD_HOWE, at(4, 3, 0), at(4, 6, 0))) == 3


@pytest.mark.parametrize(
    ("alias", "due"),
    [("@hourly", at(11, 18, 14)), ("@daily", at(11, 19, 0)), ("@weekly", at(11, 23, 0)), ("@monthly", at(12, 1, 0))],
)
def test_names_stand_for_schedules_and_weeks_begin_on_monday(alias, due):
    assert Cron.parsed(alias, ZONES[0]).after(at(11, 18, 13, 20)) == due


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@reboot",
        "* * * * * *",
        "61 * * * *",
        "0 0 30 2 *",
        "now",
        "0 0 * * $(id)",
        "R 0 * * *",
        "R/5 * * * *",
        "H * * * *",
        "0 r * * *",
    ],
)
def test_what_is_no_schedule_is_refused(text):
    with pytest.raises(InvalidArgument, match="is no schedule"):
        Cron.parsed(text, BERLIN)


def test_months_and_weekdays_may_be_spelt_out():
    assert Cron.parsed("0 0 1 mar-APR Mon", ZONES[0]).after(at(11, 18, 0)).month == 3
    assert Cron.parsed("0 0 L * *", ZONES[0]).after(at(11, 18, 0)) == at(11, 30, 0)


def test_of_what_was_missed_for_long_the_last_thousand_count():
    missed = Cron.parsed("* * * * *", BERLIN).between(at(11, 1, 0), at(11, 3, 0))
    assert (len(missed), missed[-1]) == (MOST, at(11, 3, 0))


@given(
    st.sampled_from(ZONES),
    st.integers(0, 366 * 24 * 60),
    st.integers(1, 30 * 60),
    st.integers(0, 59),
    st.sampled_from(["*", "*/3", "2", "0,2,3", "1-4"]),
)
def test_looking_often_finds_what_looking_once_finds(zone, start, length, minute, hour):
    cron = Cron.parsed(f"{minute} {hour} * * *", zone)
    begin = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=start)
    end = begin + timedelta(minutes=length)
    whole, step, pieces = cron.between(begin, end), timedelta(minutes=97), []
    while begin < end:
        pieces += cron.between(begin, min(begin + step, end))
        begin += step
    assert pieces == whole
    assert not whole or cron.after(end - timedelta(minutes=length)) == whole[0]
