from __future__ import annotations

from datetime import date

import pytest

from tests.metrics.test_quality import days
from workbench.bench import from_frame
from workbench.config import Settings
from workbench.errors import QualityError
from workbench.pipeline.gates import passed

UNTIL = date(2026, 11, 23)


def looked(frame, until=UNTIL, **quality):
    snapshot = from_frame(frame, user="user", event="event", time="time").snapshot
    return passed(snapshot, Settings(quality=quality), until=until, is_today=False)


def test_what_is_odd_marks_a_run():
    assert looked(days()) == ""
    assert looked(days(last=5)) == "volume: 5 events, usual for a Sunday are 20"


def test_what_is_set_to_stop_stops_it_with_the_numbers_and_nothing_else_does():
    with pytest.raises(QualityError, match="stopped by a check of the data of 2026-11-22: volume: 5 events, usual"):
        looked(days(last=5), stop=["volume"])
    assert looked(days(last=5), stop=["nulls", "duplicates"]).startswith("volume")


def test_where_there_is_no_day_nothing_is_odd():
    assert looked(days(), until=date(2020, 1, 1), stop=["volume"]) == ""
