from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from workbench.errors import InvalidArgument
from workbench.metrics import arguments


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("7d", timedelta(days=7)),
        ("24h", timedelta(hours=24)),
        ("30m", timedelta(minutes=30)),
        ("45s", timedelta(seconds=45)),
        ("2w", timedelta(weeks=2)),
        ("1.5h", timedelta(minutes=90)),
        ("1d 12h", timedelta(hours=36)),
        (timedelta(seconds=1), timedelta(seconds=1)),
    ],
)
def test_durations_are_numbers_with_units(text, length):
    assert arguments.duration(text) == length


@pytest.mark.parametrize("value", ["", "7", "d", "-7d", "7 parsecs", "٣d", 7, None, "0s", "99999999999999w"])
def test_what_is_no_duration_is_named(value):
    with pytest.raises(InvalidArgument, match="within"):
        arguments.duration(value)


@pytest.mark.parametrize(
    ("value", "utc"),
    [
        ("2026-03-29", datetime(2026, 3, 28, 23, tzinfo=UTC)),
        (date(2026, 3, 30), datetime(2026, 3, 29, 22, tzinfo=UTC)),
        ("2026-03-29T09:00:00.000001", datetime(2026, 3, 29, 7, 0, 0, 1, tzinfo=UTC)),
        ("2026-03-29T09:00Z", datetime(2026, 3, 29, 9, tzinfo=UTC)),
        (datetime(2026, 3, 29, 9, tzinfo=UTC), datetime(2026, 3, 29, 9, tzinfo=UTC)),
        ("2026-03-29 02:30", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),  # skipped by the clock
        ("2026-10-25 02:30", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # shown twice
    ],
)
def test_naive_times_are_those_of_the_zone(value, utc):
    assert arguments.instant(value, "Europe/Berlin") == utc


@pytest.mark.parametrize("value", ["yesterday", "", "2026-02-30", 20260329, None, "0001-01-01", "9999-12-31T23:59"])
def test_what_is_no_instant_is_named(value):
    with pytest.raises(InvalidArgument, match="since"):
        arguments.instant(value, "America/New_York" if str(value).startswith("9") else "Europe/Berlin", name="since")


def test_a_span_is_half_open_and_its_now_defaults_to_the_present():
    span = arguments.span("2026-01-01", None, None)
    assert abs(datetime.now(UTC) - span.now) < timedelta(minutes=1)
    assert span.entries()["since"] == datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(InvalidArgument, match="until must be after since"):
        arguments.span("2026-01-01", "2026-01-01", None)
    with pytest.raises(InvalidArgument, match="now must be after 1970"):
        arguments.span(None, None, "1969-01-01")


def test_an_unknown_name_comes_with_the_nearest_and_a_few_others():
    assert (
        arguments.unknown("Purchse", ["purchase", "view"])
        == "'Purchse' (nearest: 'purchase'); there are 'purchase', 'view'"
    )
    assert arguments.unknown("zzz", [f"e{n:02}" for n in range(20)]).endswith("'e11', …")


@pytest.mark.parametrize("tz", ["Mars/Olympus", "", "../../etc/passwd", "/etc/passwd", "Europe", None, 7, "UTC\0"])
def test_what_is_no_zone_is_named(tz):
    with pytest.raises(InvalidArgument, match="is no time zone"):
        arguments.zone(tz)
