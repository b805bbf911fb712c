"""Prophet as this room uses it: silent, repeatable, for daily counts that are never negative."""

from __future__ import annotations

import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Final, cast

import numpy as np

from workbench.errors import ModelError, NotEnoughData

# They report every fit, and at import that plotly, which nobody asked for, is missing; what goes wrong is raised.
for _name in ("cmdstanpy", "prophet", "prophet.plot"):
    logging.getLogger(_name).disabled = True

from prophet import Prophet  # noqa: E402
from prophet.serialize import model_from_json, model_to_json  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

MIN_DAYS: Final = 28


class DailyModel:
    """Forecasts a daily count from its own past: trend and weekly rhythm, and the year's from two years on.

    Attributes:
        prophet_: The fitted Prophet.
        feature_names_in_: Always `("ds",)`.
    """

    kind: ClassVar[str] = "daily"
    file_names: ClassVar[frozenset[str]] = frozenset({"prophet.json"})

    def __init__(self, *, interval: float = 0.8, seed: int = 0) -> None:
        """Take the nominal coverage of the interval, in (0, 1), and the seed of its simulation."""
        self.interval = interval
        self.seed = seed
        self.feature_names_in_ = ("ds",)

    def fit(self, history: pd.DataFrame) -> DailyModel:
        """Learn from `history`: one row per day, `ds` (naive midnights, none left out) and `y`.

        Raises:
            NotEnoughData: Fewer than 28 days.
        """
        if len(history) < MIN_DAYS:
            raise NotEnoughData(f"there are {len(history)} whole days; a forecast needs at least {MIN_DAYS}")
        prophet = Prophet(interval_width=self.interval, weekly_seasonality=True, daily_seasonality=False)
        with _undisturbed(self.seed):
            self.prophet_ = prophet.fit(history[["ds", "y"]])
        return self

    def predict(self, days_ahead: int) -> pd.DataFrame:
        """Forecast the days after the history.

        Returns:
            One row per day: `ds`, `yhat`, `yhat_lower`, `yhat_upper`, floored at 0, and `trend`, `weekly`.
        """
        future = self.prophet_.make_future_dataframe(periods=days_ahead, include_history=False)
        with _undisturbed(self.seed):
            found = self.prophet_.predict(future)
        counts = ["yhat", "yhat_lower", "yhat_upper"]
        found[counts] = found[counts].clip(lower=0.0)
        found.loc[self._often_empty(found["ds"]), "yhat_lower"] = 0.0
        return found[["ds", *counts, "trend", "weekly"]]

    def _often_empty(self, days: pd.Series) -> pd.Series:
        """Tell on which days 0 lies within the interval: of past days of that weekday enough were empty.

        Prophet's band is normal around its line, and where most days are empty and few are not, it may lie above 0.
        """
        past = cast("pd.DataFrame", self.prophet_.history)
        empty = (past["y"] == 0).groupby(past["ds"].dt.day_of_week).mean()
        often: pd.Series = days.dt.day_of_week.map(empty).fillna(0.0) > (1 - self.interval) / 2
        return often

    def files(self) -> dict[str, bytes]:
        """Return what `from_files` needs, as Prophet's own JSON."""
        with _undisturbed(self.seed):
            return {"prophet.json": model_to_json(self.prophet_).encode()}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], features: tuple[str, ...]) -> DailyModel:
        """Rebuild a model.

        Raises:
            ModelError: The file holds no Prophet model, or `features` are not `("ds",)`.
        """
        if features != ("ds",):
            raise ModelError(f"a daily model takes ('ds',), not {features}")
        try:
            with _undisturbed(0):
                prophet = model_from_json(files["prophet.json"].decode())
        except Exception as error:  # a parser may fail in any way on bytes that are no model
            raise ModelError(f"the forecast cannot be read: {error!r}") from error
        model = cls(interval=prophet.interval_width)
        model.prophet_ = prophet
        return model


@contextmanager
def _undisturbed(seed: int) -> Iterator[None]:
    """Seed NumPy's global generator, the only one that Prophet draws from, and put it back; hush its own warnings."""
    before = np.random.get_state()
    np.random.seed(seed)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"prophet\.")
            yield
    finally:
        np.random.set_state(before)
