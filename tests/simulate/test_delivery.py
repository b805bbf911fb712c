import numpy as np
import pandas as pd
import pyarrow as pa
import pytest


def arrived(simulated) -> pd.DataFrame:
    """Everything as it stands in the file, with the day of its arrival."""
    frame = pa.concat_tables(simulated.days).to_pandas()
    frame["day"] = np.repeat(np.arange(len(simulated.days)), [day.num_rows for day in simulated.days])
    frame["own_day"] = (frame["occurred_at"] - pd.Timestamp(simulated.facts["since"])).dt.days
    return frame


def test_ids_are_unique_but_for_the_duplicates(simulated):
    rows = arrived(simulated)
    assert rows["event_id"].duplicated().sum() == simulated.facts["duplicates"]
    assert len(rows) == simulated.facts["events"]
    assert rows["event_id"].nunique() == simulated.facts["distinct_events"]
    assert simulated.facts["duplicates"] / len(rows) == pytest.approx(0.005, abs=0.001)


def test_a_duplicate_is_the_same_event_word_for_word(simulated):
    rows = arrived(simulated).drop(columns=["day", "own_day"])
    twice = rows[rows["event_id"].duplicated(keep=False)]
    assert (twice.groupby("event_id").size() == 2).all()
    assert len(twice.drop_duplicates()) == twice["event_id"].nunique()


def test_late_events_stand_days_after_they_occurred(simulated):
    rows = arrived(simulated)
    assert (rows["day"] >= rows["own_day"]).all()
    assert (rows["day"] - rows["own_day"]).max() >= 4
    # A copy may overtake its late original, so the last to arrive is the original of a late event.
    delayed = rows.groupby("event_id").agg(day=("day", "max"), own=("own_day", "first"), copies=("day", "size"))
    once = delayed[delayed["copies"] == 1]
    assert (once["day"] > once["own"]).sum() == pytest.approx(simulated.facts["late"], rel=0.02)
    assert simulated.facts["late"] / len(rows) == pytest.approx(0.01, abs=0.002)
