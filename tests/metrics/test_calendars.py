from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from workbench.errors import InvalidArgument
from workbench.metrics.calendars import calendar, micros

ZONES = ("UTC", "Europe/Berlin", "Europe/London", "America/St_Johns", "America/Havana", "Asia/Beirut", "Pacific/Apia")


@pytest.mark.parametrize("tz", ZONES)
@pytest.mark.parametrize("year", [2011, 2026])
def test_the_cells_know_the_day_of_every_quarter_of_an_hour_of_a_year(tz, year):
    first, last = datetime(year, 1, 2, tzinfo=UTC), datetime(year, 12, 31, tzinfo=UTC)
    days = calendar("day", first, last, tz)
    cells = days.cells()
    instant = first
    while instant <= last:
        place = int(instant.timestamp()) // 43200 - cells.first
        number = cells.before[place] if micros(instant) < cells.changes[place] else cells.after[place]
        assert number == days.number(instant)
        instant += timedelta(minutes=15)


def test_months_and_weeks_follow_each_other_without_a_gap():
    first, last = datetime(2026, 1, 31, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
    assert [f"{day:%m-%d}" for day in calendar("month", first, last, "UTC").days] == ["01-01", "02-01", "03-01"]
    assert [f"{day:%m-%d}" for day in calendar("week", first, last, "UTC").days][:2] == ["01-26", "02-02"]


def test_so_many_periods_are_a_slip():
    first, last = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
    for period in ("day", "week", "month"):
        with pytest.raises(InvalidArgument, match=f"more than 40,000 {period}s from 1970-01-01 to 9000-01-01"):
            calendar(period, first, last, "UTC")
    assert len(calendar("day", first, datetime(2070, 1, 1, tzinfo=UTC), "UTC").days) == 36_526
