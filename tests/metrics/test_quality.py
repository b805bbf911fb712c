from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from workbench.bench import from_frame
from workbench.errors import NotEnoughData
from workbench.metrics.quality import data_quality

LAST = datetime(2026, 11, 22, tzinfo=UTC)  # a Sunday
UNTIL = "2026-11-23"


def days(*, weeks=6, a_day=20, last=20, last_type="view", platform="discord", last_platform="discord", twice=0):
    rows = []
    for day in range(7 * weeks + 1):
        begins = LAST - timedelta(days=day)
        for number in range(last if day == 0 else a_day):
            when = begins + timedelta(minutes=30 * number % 1400, seconds=number)
            kind = last_type if day == 0 and number == 0 else "view"
            rows.append((f"u{number % 7}", kind, when, last_platform if day == 0 else platform))
        rows += [rows[-1]] * (twice if day == 0 else 0)
    return pd.DataFrame(rows, columns=["user", "event", "time", "platform"])


def looked_at(frame, **options):
    bench = from_frame(frame, user="user", event="event", time="time")
    return data_quality(bench.snapshot, **{"until": UNTIL, **options})


def status(found, check, about=None):
    rows = found.frame[(found.frame["check"] == check) & (found.frame["about"] == about if about else True)]
    return rows["status"].iloc[0]


def test_a_day_as_all_days_is_odd_in_nothing():
    found = looked_at(days())
    assert found.odd.empty
    assert "none of 8 checks found anything odd" in found.reading()


@pytest.mark.parametrize(("last", "expected"), [(9, "odd"), (10, "ok"), (40, "ok"), (41, "odd")])
def test_volume_is_compared_with_the_median_of_the_same_weekday(last, expected):
    found = looked_at(days(last=last))
    row = found.frame.iloc[0]
    assert (row["check"], row["value"], row["usual"], row["status"]) == ("volume", last, 20, expected)


def test_a_day_without_any_event_is_odd():
    frame = days()
    found = looked_at(frame[frame["time"] < LAST])
    assert status(found, "volume") == "odd"
    assert status(found, "duplicates") == "too few"


def test_three_such_weekdays_are_needed_to_tell():
    assert status(looked_at(days(weeks=2, last=1)), "volume") == "too few"
    assert status(looked_at(days(weeks=3, last=1)), "volume") == "odd"


def test_freshness_is_measured_from_now():
    assert status(looked_at(days(), now="2026-11-24"), "freshness") == "ok"
    assert status(looked_at(days(), now="2026-11-26"), "freshness") == "odd"


def test_a_column_that_is_suddenly_empty_is_odd():
    found = looked_at(days(last_platform=None))
    assert (status(found, "nulls", "platform"), status(found, "nulls", "session_id")) == ("odd", "ok")
    assert "100% have no platform, usual are 0%" in found.reading()


def test_a_type_that_was_never_seen_is_odd_and_named():
    found = looked_at(days(last_type="viev"))
    assert status(found, "new_types") == "odd"
    assert "'viev' (1)" in found.reading()


def test_events_that_are_as_another_count_as_duplicates_though_their_ids_differ():
    assert status(looked_at(days(twice=1)), "duplicates") == "ok"
    assert status(looked_at(days(twice=2)), "duplicates") == "odd"


def test_without_events_there_is_nothing_to_look_at():
    with pytest.raises(NotEnoughData, match="no event in the nine weeks"):
        looked_at(days(), until="2020-01-01")
