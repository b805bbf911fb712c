"""What every model of people must do, whatever it predicts."""

import numpy as np
import pandas as pd
import pytest

from tests.models.conftest import END, community
from workbench.errors import ModelError, NotEnoughData
from workbench.models.examples import history
from workbench.models.features import FEATURES, features
from workbench.models.registry import About, Registry
from workbench.models.train import LESSONS


@pytest.fixture(scope="module")
def seen():
    return history(community(200).snapshot(), cutoff=END)


@pytest.fixture(scope="module", params=sorted(LESSONS))
def fitted(request, seen):
    """A model after training, by the name under which it is registered, and the function that trains it."""
    folds, _ = seen.folds()
    lesson, fold = LESSONS[request.param], folds[0]
    return lesson.fit(seen.examples(fold.fit), seen.examples([fold.calibrate]), 0), lesson


@pytest.fixture
def known(seen):
    return features(seen.snapshot, END).active(28).X


def test_predictions_are_shares(fitted, known):
    scores = fitted[0].predict(known)
    assert scores.index.equals(known.index)
    assert scores.between(0, 1).all()
    assert scores.nunique() > 10


def test_predictions_do_not_depend_on_the_order_of_rows_or_columns(fitted, known):
    model = fitted[0]
    turned = known[list(reversed(FEATURES))].iloc[::-1]
    assert np.allclose(model.predict(turned).iloc[::-1], model.predict(known))


def test_one_person_is_predicted_as_in_the_crowd(fitted, known):
    model = fitted[0]
    assert np.allclose(model.predict(known.iloc[[3]]), model.predict(known).iloc[3])


def test_nobody_has_no_prediction(fitted, known):
    assert fitted[0].predict(known.head(0)).empty


def test_unknown_features_of_a_person_are_predicted_from_the_others(fitted, known):
    blank = known.head(5).assign(session_duration=np.nan, sentiment=np.nan, ai_satisfaction=np.nan)
    assert fitted[0].predict(blank).between(0, 1).all()


def test_a_model_survives_the_registry(fitted, known, tmp_path):
    model = fitted[0]
    about = About(trained_until=END, data_version="1", feature_version="f", horizon_days=28, metrics={})
    Registry(tmp_path).publish(model.kind, model, about=about, alias="champion")
    again, manifest = Registry(tmp_path).load(type(model), model.kind)
    pd.testing.assert_series_equal(again.predict(known), model.predict(known))
    assert manifest.features == tuple(FEATURES)


def test_other_features_are_refused(fitted, known):
    with pytest.raises(ModelError, match=r"missing .*'tenure_days'"):
        fitted[0].predict(known.drop(columns="tenure_days"))
    with pytest.raises(ModelError, match=r"unexpected .*'shoe_size'"):
        fitted[0].predict(known.assign(shoe_size=42.0))


def test_constant_features_are_not_learnt_from(fitted, seen):
    labelled = seen.examples([seen.folds()[1].calibrate])
    constant = labelled.X * 0.0
    with pytest.raises(NotEnoughData, match="constant"):
        type(fitted[0])().fit(constant.fillna(0.0), fitted[1].truth(labelled))
