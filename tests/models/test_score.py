import pandas as pd
import pytest

from tests.models.conftest import END
from workbench.errors import ModelError
from workbench.models.features import features
from workbench.models.policy import Capacity, by_capacity, policy
from workbench.models.registry import Registry
from workbench.models.score import predictions
from workbench.testing import store_of


def test_everybody_active_is_scored_once(snapshot, trained):
    frame = predictions(snapshot, trained[1], END).frame
    assert frame["user_id"].tolist() == features(snapshot, END).active(28).X.index.tolist()
    assert frame["churn_risk"].between(0, 1).all()
    assert frame["engagement_score"].between(0, 1).all()
    assert set(frame["churn_version"]) == {trained[0].versions["churn"]}


def test_a_level_holds_no_more_people_than_can_be_cared_for(snapshot, trained):
    wide = policy().model_copy(update={"capacity": Capacity(high=0.1, medium=0.2)})
    frame = predictions(snapshot, trained[1], END, rules=wide).frame
    counts = frame["risk_level"].value_counts()
    assert counts["high"] == int(len(frame) * 0.1)
    assert frame.loc[frame["risk_level"] == "high", "churn_risk"].min() >= (
        frame.loc[frame["risk_level"] != "high", "churn_risk"].max()
    )


def test_equal_risks_do_not_overflow_a_level_whatever_their_order():
    risk = pd.Series(0.5, index=["cem", "ann", "dan", "bob"])
    capacity = Capacity(high=0.25, medium=0.25)
    assert by_capacity(risk, capacity)[["ann", "bob", "cem", "dan"]].tolist() == ["high", "medium", "low", "low"]
    assert by_capacity(risk[::-1], capacity).to_dict() == by_capacity(risk, capacity).to_dict()


def test_shares_of_more_than_everybody_are_refused():
    with pytest.raises(ValueError, match="at most 1 together"):
        Capacity(high=0.7, medium=0.4)


def test_the_reading_counts_the_people(snapshot, trained):
    answer = predictions(snapshot, trained[1], END)
    assert f"Of {len(answer.frame):,} people" in answer.reading()
    assert sum(answer.chart().marks[0].y) == len(answer.frame)


def test_when_nobody_was_active_nobody_is_scored(trained):
    answer = predictions(store_of({"ann": "view:0"}).snapshot(), trained[1], END)
    assert answer.frame.empty
    assert "Nobody was active" in answer.reading()


def test_without_a_model_nobody_is_scored(snapshot, tmp_path):
    with pytest.raises(ModelError, match="train one first"):
        predictions(snapshot, Registry(tmp_path))
