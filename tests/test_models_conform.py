"""What every model of people must do, whatever it predicts."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from tests.models.conftest import END, community
from workbench.errors import ModelError, NotEnoughData
from workbench.models.examples import history
from workbench.models.features import FEATURES, FeatureFrame, features
from workbench.models.lessons import LESSONS, Horizons
from workbench.models.registry import About, Registry

RANGES = {"engagement": (0, 1), "churn": (0, 1), "ltv": (0, float("inf")), "next_action": (0, 1)}
SCALES = {
    "engagement": lambda raw: raw,
    "churn": lambda raw: 1 / (1 + np.exp(-raw)),
    "ltv": np.exp,
    "next_action": None,
}
"""How what contributions add up to becomes the prediction."""


@pytest.fixture(scope="module")
def seen():
    return history(community(250).snapshot(), cutoff=END)


@pytest.fixture(scope="module", params=sorted(LESSONS))
def fitted(request, seen):
    """A model after training, and the lesson by which it was."""
    folds, _ = seen.folds()
    lesson, fold = LESSONS[request.param], folds[0]
    early, late = seen.examples(fold.fit), seen.examples([fold.calibrate])
    return lesson.fit(early, late, seed=0, horizons=Horizons(ltv=28, next_action=28)), lesson


@pytest.fixture(scope="module")
def known(seen):
    return features(seen.snapshot, END).active(28).X


def test_predictions_are_in_their_range(fitted, known):
    scores = fitted[0].predict(known)
    assert scores.index.equals(known.index)
    assert scores.between(*RANGES[fitted[0].kind]).all()
    assert scores.nunique() > 10


def test_predictions_do_not_depend_on_the_order_of_rows_or_columns(fitted, known):
    model = fitted[0]
    turned = known[list(reversed(FEATURES))].iloc[::-1]
    assert np.allclose(model.predict(turned).iloc[::-1], model.predict(known))


def test_one_person_is_predicted_as_in_the_crowd(fitted, known):
    model = fitted[0]
    pd.testing.assert_frame_equal(model.outputs(known.iloc[[3]]), model.outputs(known).iloc[[3]])


def test_nobody_has_no_prediction(fitted, known):
    assert fitted[0].predict(known.head(0)).empty
    assert fitted[0].outputs(known.head(0)).empty


def test_unknown_features_of_a_person_are_predicted_from_the_others(fitted, known):
    blank = known.head(5).assign(session_duration=np.nan, sentiment=np.nan, ai_satisfaction=np.nan)
    assert fitted[0].predict(blank).between(*RANGES[fitted[0].kind]).all()


def test_an_interval_holds_its_prediction(fitted, known):
    said = fitted[0].outputs(known)
    for low in (name for name in said if name.endswith("_low")):
        middle = fitted[0].predict(known)
        assert (said[low] <= middle).all()
        assert (middle <= said[low.replace("_low", "_high")]).all()


def test_contributions_add_up_to_the_prediction(fitted, known):
    model = fitted[0]
    parts = model.contributions(known)
    assert list(parts) == [*FEATURES, "base"]
    scale = SCALES[model.kind]
    if scale is not None:
        assert np.allclose(scale(parts.sum(axis=1)), model.predict(known), rtol=1e-4, atol=1e-6)
    else:  # the score of the likeliest action is compared with the others' scores, which have parts of their own
        assert parts.sum(axis=1).corr(model.predict(known), method="spearman") > 0.5


def test_importances_are_shares(fitted, known):
    shares = fitted[0].importances(known)
    assert shares.index.tolist() == list(FEATURES)
    assert shares.sum() == pytest.approx(1)
    assert (shares >= 0).all()


def test_the_same_seed_trains_the_same_model(fitted, seen, known):
    model, lesson = fitted
    fold = seen.folds()[0][0]
    again = lesson.fit(
        seen.examples(fold.fit), seen.examples([fold.calibrate]), seed=0, horizons=Horizons(ltv=28, next_action=28)
    )
    assert np.allclose(again.predict(known), model.predict(known))


def test_a_model_survives_the_registry(fitted, known, tmp_path):
    model = fitted[0]
    about = About(trained_until=END, data_version="1", feature_version="f", horizon_days=28, metrics={})
    Registry(tmp_path).publish(model.kind, model, about=about, alias="champion")
    again, manifest = Registry(tmp_path).load(type(model), model.kind)
    pd.testing.assert_frame_equal(again.outputs(known), model.outputs(known))
    pd.testing.assert_frame_equal(again.contributions(known), model.contributions(known))
    assert manifest.features == tuple(FEATURES)


def test_a_model_without_a_file_or_with_one_of_another_is_refused(fitted):
    model = fitted[0]
    for name in model.file_names:
        with pytest.raises((ModelError, KeyError)):
            type(model).from_files({**model.files(), name: b"[1, 2"}, model.feature_names_in_)


def test_other_features_are_refused(fitted, known):
    with pytest.raises(ModelError, match=r"missing .*'tenure_days'"):
        fitted[0].predict(known.drop(columns="tenure_days"))
    with pytest.raises(ModelError, match=r"unexpected .*'shoe_size'"):
        fitted[0].predict(known.assign(shoe_size=42.0))
    with pytest.raises(ModelError, match=r"other features|over 2 features"):
        type(fitted[0]).from_files(fitted[0].files(), ("a", "b"))


def test_constant_features_are_not_learnt_from(fitted, seen):
    labelled = seen.examples([seen.folds()[1].calibrate])
    constant = labelled.X * 0.0
    with pytest.raises(NotEnoughData, match="constant"):
        type(fitted[0])().fit(constant.fillna(0.0), fitted[1].truth(labelled))


def test_ten_people_are_not_learnt_from(fitted, seen):
    labelled = seen.examples([seen.folds()[1].calibrate])
    with pytest.raises(NotEnoughData, match="10 examples"):
        type(fitted[0])().fit(labelled.X.head(10), fitted[1].truth(labelled).head(10))


def test_features_are_the_same_in_training_and_in_serving(seen, tmp_path):
    """What was known at a cutoff is worked out again long after, and read back from where it was kept."""
    cutoff = END - timedelta(days=28)
    trained = seen.examples([cutoff]).X
    served = features(seen.snapshot, cutoff)
    served.write(tmp_path / "features.parquet")
    kept = FeatureFrame.read(tmp_path / "features.parquet")
    pd.testing.assert_frame_equal(served.active(28).X, trained)
    pd.testing.assert_frame_equal(kept.X, served.X)
    assert (kept.cutoff, kept.data_version) == (cutoff, seen.snapshot.data_version)
