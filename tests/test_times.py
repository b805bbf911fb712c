from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.times import NaiveTimes, TimeRules, excel_time, localize, localized, read_texts, read_time

AT = datetime(2026, 1, 5, 10, tzinfo=UTC)
NOW = datetime(2026, 2, 1, tzinfo=UTC)
WRITTEN = {
    "2026-01-05 10:00:00+00": AT,  # Postgres
    "2026-01-05 12:00:00.5+02": AT.replace(microsecond=500_000),
    "2026-01-05 15:30:00+05:30": AT,
    "2026-01-05 12:00:00 +0200": AT,  # Ruby
    "2026-01-05 10:00:00 +0000 UTC": AT,  # Go
    "2026-01-05 10:00:00 UTC": AT,  # BigQuery
    "2026-01-05 10:00:00.123456 UTC": AT.replace(microsecond=123_456),
    "2026-01-05 11:00:00.000 Europe/Berlin": AT,  # Trino
    "2026-01-05T11:00:00+01:00[Europe/Berlin]": AT,  # Java
    "2026-01-05T10:00Z": AT,
    "2026-01-05 10:00": AT.replace(tzinfo=None),
    "20260105T100000Z": AT,
    "20260105T1000": AT.replace(tzinfo=None),
    "2026-01-05": datetime(2026, 1, 5),  # pandas at midnight
    "20260105": datetime(2026, 1, 5),
    "2026-01-05T10:00:00.123456789Z": AT.replace(microsecond=123_457),
    "2026-01-05T10:00:00,5Z": AT.replace(microsecond=500_000),
    "2026-01-05t10:00:00z": AT,
    "46027.416666667": AT.replace(tzinfo=None),
    "46027,416666667": AT.replace(tzinfo=None),
}
NONE = [
    "yesterday", "39999", "2026-02-31", "2026-02-31 10:00:00 UTC", "1767607200", "2026-01-05 25:00", "03/08/2026 09:04",
    "2026-01-05T10:00:00-25:00", "2026-01-05 10:00:00 Foo/Bar", "2026-01-05 10:00:00 CET", "2026-01-05 10:00:60",
]  # fmt: skip


def by_column(*texts):
    naive, zoned = (column.to_pylist() for column in read_texts(pa.array(texts, pa.string())))
    return [a if a is not None else b for a, b in zip(naive, zoned, strict=True)]


@pytest.mark.parametrize(("text", "expected"), WRITTEN.items())
def test_times_are_read_as_databases_and_libraries_write_them(text, expected):
    assert read_time(text) == expected
    assert by_column(text) == [expected]


def test_a_column_of_all_ways_is_read_as_its_texts_are_alone():
    texts = [*WRITTEN, *NONE, None, *WRITTEN]
    assert by_column(*texts) == [None if text is None else read_time(text) for text in texts]
    assert [read_time(text) for text in NONE] == [None] * len(NONE)


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1)),
    st.sampled_from(["T", " ", "t"]),
    st.sampled_from(["", "Z", "z", " UTC", "+00", "+05:30", "-0800", " +0200", "+02"]),
    st.sampled_from(["auto", "seconds", "minutes", "milliseconds", "microseconds"]),
)
def test_any_spelling_is_the_same_by_column_and_alone(time, sep, zone, precision):
    text = time.isoformat("T", precision).replace("T", sep) + zone
    read = read_time(text)
    assert by_column(text, "2026-01-05") == [read, datetime(2026, 1, 5)]
    kept = time.replace(microsecond=0) if precision == "seconds" else time
    if precision in {"auto", "microseconds", "seconds"}:
        offset = {"+05:30": 330, "-0800": -480, " +0200": 120, "+02": 120}.get(zone, 0)
        assert read.replace(tzinfo=None) - (read.utcoffset() or timedelta(0)) == kept - timedelta(minutes=offset)


def test_a_time_that_the_clocks_skip_moves_forward_and_one_that_comes_twice_is_the_first():
    skipped, twice = datetime(2026, 3, 29, 2, 30), datetime(2026, 10, 25, 2, 30)
    assert localized(skipped, "Europe/Berlin") == (datetime(2026, 3, 29, 1, 30, tzinfo=UTC), NaiveTimes(1, skipped=1))
    assert localized(twice, "Europe/Berlin") == (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), NaiveTimes(1, repeated=1))


zones = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"])


@given(st.lists(st.none() | st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1)), min_size=1), zones)
def test_a_column_goes_by_the_clocks_as_each_of_its_times_does(times, zone):
    near = [datetime(2026, 3, 29, 2, 59, 59, 999_999), datetime(2026, 11, 1, 1, 30), datetime(2026, 4, 5, 1, 45)]
    times = [*times, *near]
    found = localize(pa.array(times, pa.timestamp("us")), zone)
    each = [None if time is None else localized(time, zone) for time in times]
    assert found.instants.to_pylist() == [one and one[0] for one in each]
    assert found.skipped.tolist() == [bool(one and one[1].skipped) for one in each]
    assert found.repeated.tolist() == [bool(one and one[1].repeated) for one in each]
    for time, one in zip(times, each, strict=True):
        if one and not one[1].skipped:
            assert one[0].astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0) == time


def test_numbers_of_a_spreadsheet_are_days_and_no_others_are():
    assert excel_time(46_237.3781365741) == datetime(2026, 8, 3, 9, 4, 31)
    assert [excel_time(number) for number in (39_999, 60_001, float("nan"), 1_767_607_200)] == [None] * 4


@pytest.mark.parametrize(
    ("value", "unit"), [(1_767_607_200, "s"), ("1767607200.5", "s"), (1_767_607_200_000, "ms"), (1.7676072e15, "us")]
)
def test_a_number_is_told_the_unit_that_it_is_of(value, unit):
    assert f"as {unit} since 1970 it would be 2026-01-05 10:00" in TimeRules().unit_hint(value, NOW)
    assert TimeRules().unit_hint("soon", NOW) == ""


def test_rules_begin_at_an_instant_and_name_it():
    rules = TimeRules(since=datetime(2020, 1, 1, tzinfo=UTC))
    assert not rules.allows(datetime(2019, 12, 31, 23, 59, tzinfo=UTC), NOW)
    assert "is before 2020-01-01" in rules.refusal(datetime(2019, 1, 1, tzinfo=UTC), NOW)
    in_seconds = datetime(1970, 1, 21, 11, 0, 7, tzinfo=UTC)  # milliseconds that were taken for microseconds
    assert "another unit would give 2026-01" in rules.refusal(in_seconds, NOW)


def test_counts_are_of_a_part_until_they_are_added():
    rules = TimeRules("Europe/Berlin")
    assert rules.fresh().naive is not rules.naive
    total = NaiveTimes(1)
    total.add(NaiveTimes(2, 1, 1))
    assert (total, rules.fresh("UTC").zone) == (NaiveTimes(3, 1, 1), "UTC")
    assert not np.any(localize(pa.array([None], pa.timestamp("us")), "Europe/Berlin").skipped)
