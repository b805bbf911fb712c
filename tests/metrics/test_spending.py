from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd
import pytest

from workbench.bench import from_frame
from workbench.metrics.spending import spending

ROWS = [
    ("ann", "user_joined", datetime(2026, 8, 3, tzinfo=UTC), None),
    ("ann", "purchase", datetime(2026, 8, 9, tzinfo=UTC), 10.0),
    ("ann", "purchase", datetime(2026, 10, 1, tzinfo=UTC), 30.0),
    ("ben", "user_joined", datetime(2026, 8, 31, 23, 30, tzinfo=UTC), None),
    ("cat", "purchase", datetime(2026, 9, 30, 12, tzinfo=UTC), 7.0),
    ("cat", "purchase", datetime(2026, 10, 2, tzinfo=UTC), -5.0),
    ("dan", "view", datetime(2026, 10, 3, tzinfo=UTC), 99.0),
]


def asked(**options):
    frame = pd.DataFrame(ROWS, columns=["user", "event", "time", "value"])
    bench = from_frame(frame, user="user", event="event", time="time")
    return spending(bench.snapshot, **{"until": "2026-10-15", "now": "2026-10-15", **options})


def cells(answer):
    columns = ["cohort_size", "buyers", "value_usd", "value_per_user", "mature"]
    return {
        (f"{row['cohort']:%m}", row["period"]): tuple(row[name] for name in columns)
        for row in answer.frame.to_dict("records")
    }


def test_spending_adds_up_by_month_of_coming_over_buyers_and_others():
    assert cells(asked()) == {
        ("08", 0): (2, 1, 10.0, 5.0, True),
        ("08", 1): (2, 0, 0.0, 5.0, True),
        ("08", 2): (2, 1, 30.0, 20.0, False),
        ("09", 0): (1, 1, 7.0, 7.0, True),
        ("09", 1): (1, 0, 0.0, 7.0, False),
        ("10", 0): (1, 0, 0.0, 0.0, False),
    }


def test_months_are_those_of_the_clocks_that_are_asked_for():
    sizes = asked(tz="Europe/Berlin").frame.groupby("cohort")["cohort_size"].first()
    assert [*sizes] == [1, 2, 1]  # ben came on the first of September, in Berlin


def test_a_mean_of_few_is_not_told():
    assert "means of fewer are not told" in asked().reading()
    assert asked().chart().marks == ()


def test_nobody_is_said():
    assert asked(since="2026-10-10").reading() == "Nobody came in this time."


@pytest.mark.parametrize("until", ["2026-10-01", "2026-09-01"])
def test_the_end_of_a_month_begins_no_other(until):
    frame = asked(until=until, now=until).frame
    assert frame["mature"].all()
    assert f"{frame['cohort'].max():%Y-%m-%d}" < until
