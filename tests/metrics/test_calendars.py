from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from workbench.errors import InvalidArgument
from workbench.metrics.calendars import calendar, micros
from workbench.metrics.kernels.periods import period_of

ZONES = ("UTC", "Europe/Berlin", "Europe/London", "America/St_Johns", "America/Havana", "Asia/Beirut", "Pacific/Apia")


@pytest.mark.parametrize("tz", ZONES)
@pytest.mark.parametrize("year", [2011, 2026])
def test_kernels_know_the_day_of_every_quarter_of_an_hour_of_a_year(tz, year):
    first, last = datetime(year, 1, 2, tzinfo=UTC), datetime(year, 12, 31, tzinfo=UTC)
    days = calendar("day", first, last, tz)
    edges, instant, near = days.edges, first, 0
    while instant <= last:
        near = period_of(micros(instant), edges, near)
        assert near == days.number(instant)
        instant += timedelta(minutes=15)


def test_kernels_find_a_period_wherever_they_looked_before():
    edges = np.array([10, 20, 30, 40])
    for at, period in ((9, -1), (10, 0), (19, 0), (20, 1), (39, 2), (40, 3), (99, 3)):
        assert {period_of(at, edges, near) for near in range(3)} == {period}


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
