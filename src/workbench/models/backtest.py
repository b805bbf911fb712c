"""What a forecast would have been worth: the same method at earlier origins, beside naive ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from workbench.models.prophecy import MIN_DAYS, DailyModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

METHODS: Final = ("prophet", "naive", "seasonal_naive")
MAX_ORIGINS: Final = 4
WEEK: Final = 7
MOST_MISSED: Final = 100.0
"""Largest `missed`: a band without width would be missed infinitely."""

_NO_WIDTH: Final = 1e-9
COLUMNS: Final = ("origin", "horizon", "method", "y", "yhat", "scaled_error", "missed")


def backtest(history: pd.DataFrame, *, days_ahead: int, interval: float = 0.8, seed: int = 0) -> pd.DataFrame:
    """Forecast from up to four earlier origins, half a horizon apart, and compare with what came.

    Args:
        history: One row per day, `ds` and `y`.
        days_ahead: Horizon; cut to what leaves 28 days to learn from.
        interval: Nominal coverage of Prophet's interval.
        seed: Of its simulation.

    Returns:
        One row per origin, day and method (`prophet`; `naive`: the last day again; `seasonal_naive`: the last week
        again): `origin` (first day forecast), `horizon` (1-based day), `method`, `y`, `yhat`, `scaled_error` (absolute
        error / mean absolute error of the seasonal naive forecast one week ahead within the days learnt from: its mean
        is MASE), `missed` (error as a multiple of what the band allows on that side: up to 1 the band held; NaN for
        methods without one). No rows if the history is too short to hold a week back.
    """
    days = min(days_ahead, len(history) - MIN_DAYS)
    if days < WEEK:
        return pd.DataFrame(columns=list(COLUMNS))
    origins = range(len(history) - days, MIN_DAYS - 1, -max(1, days // 2))[:MAX_ORIGINS]
    parts = [_from(history, origin, days=days, model=DailyModel(interval=interval, seed=seed)) for origin in origins]
    return pd.concat(parts, ignore_index=True)


def widening(tested: pd.DataFrame, interval: float) -> float:
    """Return the factor, at least 1, by which Prophet's band must be widened to have held as often as it says.

    This is split conformal prediction with the origins of the backtest as the calibration set.
    """
    missed = tested.loc[tested["method"] == "prophet", "missed"].to_numpy(dtype="float64")
    if not len(missed):
        return 1.0
    return max(1.0, float(np.quantile(missed, min(1.0, interval * (len(missed) + 1) / len(missed)))))


def summary(tested: pd.DataFrame, interval: float) -> pd.DataFrame:
    """Sum a backtest up.

    Returns:
        One row per method: `method`, `mase` (below 1 beats last week's repetition a week ahead), `raw_coverage` (share
        of days inside Prophet's own band), `coverage` (the same for the band widened by what was missed at the *other*
        origins; NaN with a single one), `n` (days forecast). No rows if nothing was tested.
    """
    held = tested["missed"].astype("float64")
    wider = pd.Series(np.nan, index=tested.index, dtype="float64")
    for origin in tested["origin"].unique() if tested["origin"].nunique() > 1 else []:
        here = tested["origin"] == origin
        wider[here] = (held[here] <= widening(tested[~here], interval)).astype("float64")
    rows = tested.assign(raw=(held <= 1).where(held.notna()).astype("float64"), wider=wider.where(held.notna()))
    grouped = rows.groupby("method", sort=False)
    table = grouped.agg(
        mase=("scaled_error", "mean"), raw_coverage=("raw", "mean"), coverage=("wider", "mean"), n=("y", "size")
    )
    return table.reset_index()


def _from(history: pd.DataFrame, origin: int, *, days: int, model: DailyModel) -> pd.DataFrame:
    known, after = history.iloc[:origin], history.iloc[origin : origin + days]
    past, truth = known["y"].to_numpy(dtype="float64"), after["y"].to_numpy(dtype="float64")
    found = model.fit(known).predict(days)
    above, below = found["yhat_upper"] - found["yhat"], found["yhat"] - found["yhat_lower"]
    allowed = np.where(truth > found["yhat"], above, below)
    missed = (np.abs(truth - found["yhat"].to_numpy()) / np.maximum(allowed, _NO_WIDTH)).clip(max=MOST_MISSED)
    yhat = {
        "prophet": found["yhat"].to_numpy(),
        "naive": np.full(days, past[-1]),
        "seasonal_naive": past[-WEEK:][np.arange(days) % WEEK],
    }
    scale = float(np.abs(past[WEEK:] - past[:-WEEK]).mean())
    return pd.concat([_rows(after, method, yhat[method], scale, missed) for method in METHODS])


def _rows(
    after: pd.DataFrame, method: str, yhat: NDArray[np.float64], scale: float, missed: NDArray[np.float64]
) -> pd.DataFrame:
    error = np.abs(after["y"].to_numpy(dtype="float64") - yhat)
    return pd.DataFrame(
        {
            "origin": after["ds"].iloc[0],
            "horizon": np.arange(1, len(after) + 1),
            "method": method,
            "y": after["y"].to_numpy(dtype="float64"),
            "yhat": yhat,
            # A series that repeats itself exactly has no error to scale by.
            "scaled_error": error / scale if scale > 0 else np.nan,
            "missed": missed if method == "prophet" else np.nan,
        }
    )
