import numpy as np
import pandas as pd
import pytest

from workbench.models.backtest import COLUMNS, backtest, summary, widening


def history(days, *, noise=1.0):
    rng = np.random.default_rng(0)
    ds = pd.date_range("2026-01-05", periods=days)
    return pd.DataFrame({"ds": ds, "y": 100 + 20 * (ds.day_of_week >= 5) + rng.normal(0, noise, days)})


@pytest.fixture(scope="module")
def tested():
    return backtest(history(140), days_ahead=14)


def test_every_method_is_tested_on_the_same_days(tested):
    assert list(tested.columns) == list(COLUMNS)
    counts = tested.groupby("method").size()
    assert counts.nunique() == 1
    assert set(counts.index) == {"prophet", "naive", "seasonal_naive"}


def test_each_origin_learns_only_from_the_days_before_it(tested):
    known = history(140).set_index("ds")["y"]
    naive = tested[tested["method"] == "naive"]
    for origin, rows in naive.groupby("origin"):
        assert rows["yhat"].unique() == [known[origin - pd.Timedelta(days=1)]]
        assert rows["y"].tolist() == known[origin:].head(14).tolist()


def test_the_seasonal_naive_forecast_repeats_the_last_week(tested):
    known = history(140).set_index("ds")["y"]
    rows = tested[tested["method"] == "seasonal_naive"].groupby("origin").head(14)
    row = rows.iloc[9]
    assert row["yhat"] == known[row["origin"] + pd.Timedelta(days=9 - 14)]


def test_a_week_that_repeats_with_noise_is_forecast_better_than_by_repetition(tested):
    scores = summary(tested, 0.8).set_index("method")["mase"]
    assert scores["prophet"] < scores["seasonal_naive"] < scores["naive"]


def test_the_interval_holds_about_as_often_as_it_says(tested):
    assert summary(tested, 0.8).set_index("method")["coverage"]["prophet"] == pytest.approx(0.8, abs=0.15)


def missing(*missed):
    """Days of two origins by how far the band was missed, in bands."""
    rows = [
        {
            "origin": number % 2,
            "horizon": 1,
            "method": "prophet",
            "y": 1.0,
            "yhat": 1.0,
            "scaled_error": 1.0,
            "missed": m,
        }
        for number, m in enumerate(missed)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def test_a_band_that_was_missed_is_widened_and_one_that_held_is_kept():
    assert widening(missing(*[0.5] * 20), 0.8) == 1
    assert widening(missing(*[0.5, 3.0] * 10), 0.8) == 3
    assert widening(missing(), 0.8) == 1


def test_the_widened_band_is_judged_by_what_other_origins_missed():
    scores = summary(missing(*[0.5, 3.0] * 10), 0.8).iloc[0]
    assert scores["raw_coverage"] == 0.5
    assert scores["coverage"] == 0.5  # the first origin learns 3 and always holds; the second learns 1 and never does


def test_the_horizon_is_cut_to_what_leaves_four_weeks_to_learn_from():
    assert backtest(history(38), days_ahead=30)["horizon"].max() == 10


def test_a_history_too_short_to_hold_a_week_back_is_not_tested():
    assert backtest(history(34), days_ahead=30).empty
    assert summary(backtest(history(34), days_ahead=30), 0.8).empty


def test_a_series_without_any_error_has_no_scale():
    flat = pd.DataFrame({"ds": pd.date_range("2026-01-05", periods=40), "y": 5.0})
    assert summary(backtest(flat, days_ahead=7), 0.8)["mase"].isna().all()
