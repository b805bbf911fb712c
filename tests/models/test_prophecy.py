import logging

import numpy as np
import pandas as pd
import pytest

from workbench.errors import ModelError
from workbench.models.prophecy import DailyModel


@pytest.fixture(scope="module")
def model():
    days = pd.date_range("2026-01-05", periods=40)
    return DailyModel(seed=3).fit(pd.DataFrame({"ds": days, "y": 10 + np.arange(40) * 0.5 + (days.day_of_week == 6)}))


def test_a_daily_model_survives_its_files(model):
    again = DailyModel.from_files(model.files(), ("ds",))
    columns = ["ds", "yhat", "trend", "weekly"]
    pd.testing.assert_frame_equal(again.predict(5)[columns], model.predict(5)[columns])


def test_what_is_no_prophet_is_not_loaded(model):
    with pytest.raises(ModelError, match="cannot be read"):
        DailyModel.from_files({"prophet.json": b"{}"}, ("ds",))
    with pytest.raises(ModelError, match="takes"):
        DailyModel.from_files(model.files(), ("ds", "price"))


def test_fitting_is_silent(model, caplog):
    with caplog.at_level(logging.DEBUG):
        DailyModel().fit(model.prophet_.history[["ds", "y"]])
    assert not caplog.records
