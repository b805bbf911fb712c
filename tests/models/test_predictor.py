import pytest

from tests.models.conftest import END
from workbench.errors import InvalidArgument
from workbench.models.predictor import UserBehaviorPredictor
from workbench.models.registry import Registry
from workbench.models.score import predictions


@pytest.fixture
def predictor(snapshot, trained):
    return UserBehaviorPredictor(snapshot, trained[1], cutoff=END)


def test_one_person_is_told_what_the_batch_says(predictor, snapshot, trained):
    row = predictions(snapshot, trained[1], END).frame.iloc[5]
    assert predictor.predict_churn_risk(row["user_id"]) == {
        "user_id": row["user_id"],
        "churn_risk": row["churn_risk"],
        "risk_level": row["risk_level"],
        "recommended_action": row["recommended_action"],
    }


def test_who_was_silent_for_a_horizon_has_churned_already(predictor, snapshot, trained):
    active = set(predictions(snapshot, trained[1], END).frame["user_id"])
    gone = next(f"u{number:03}" for number in range(400) if f"u{number:03}" not in active)
    told = predictor.predict_churn_risk(gone)
    assert (told["churn_risk"], told["risk_level"]) == (None, "churned")


def test_a_stranger_has_no_risk(predictor):
    with pytest.raises(InvalidArgument, match="no event of user 'nobody'"):
        predictor.predict_churn_risk("nobody")


def test_models_are_trained_one_by_one(snapshot, tmp_path):
    predictor = UserBehaviorPredictor(snapshot, Registry(tmp_path), cutoff=END)
    assert list(predictor.train_engagement_model().versions) == ["engagement"]
    assert list(predictor.train_churn_model().versions) == ["churn"]


def test_activity_is_forecast_for_the_days_ahead(predictor):
    told = predictor.forecast_activity(days_ahead=10)
    assert told["forecast"].columns.tolist() == ["ds", "yhat", "yhat_lower", "yhat_upper"]
    assert len(told["forecast"]) == 10
    assert len(told["seasonality"]) == 7
    assert told["trend"] > 0
