import numpy as np
import pandas as pd
import pytest

from workbench.errors import ModelError, NotEnoughData
from workbench.models.labels import ACTIONS
from workbench.models.next_action import NextActionModel, coded


def made(n, *, seed=1):
    """People whose next action follows from a habit; in between they do nothing."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"messages": rng.poisson(3, n).astype(float), "raids": rng.poisson(2, n).astype(float)})
    scores = np.column_stack([np.full(n, -1.0), X["messages"] / 2, np.full(n, 1.0), np.full(n, -2.0), X["raids"] / 2,
                              np.full(n, -3.0)])  # fmt: skip
    chance = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    drawn = (chance.cumsum(axis=1) > rng.random(n)[:, None]).argmax(axis=1)
    return X, np.array(ACTIONS, dtype=object)[drawn], pd.DataFrame(chance, columns=list(ACTIONS))


@pytest.fixture(scope="module")
def model():
    X, y, _ = made(4_000)
    later = made(4_000, seed=2)
    return NextActionModel().fit(X, y).calibrate(later[0], later[1])


def test_probabilities_add_up_and_are_near_the_truth(model):
    X, _, chance = made(3_000, seed=3)
    said = model.predict_proba(X)
    assert said.sum(axis=1).to_numpy() == pytest.approx(np.ones(3_000))
    assert (said - chance.to_numpy()).abs().mean().max() < 0.05


def test_each_action_is_said_as_often_as_it_is_done(model):
    X, y, _ = made(8_000, seed=4)
    said = model.predict_proba(X).mean()
    done = pd.Series(y).value_counts(normalize=True).reindex(list(ACTIONS), fill_value=0)
    assert said.to_numpy() == pytest.approx(done.to_numpy(), abs=0.02)


def test_what_is_kept_is_the_likeliest_and_its_probability(model):
    X, *_ = made(50, seed=5)
    shares, kept = model.predict_proba(X), model.outputs(X)
    assert kept["next_action"].tolist() == shares.idxmax(axis=1).tolist()
    assert kept["next_action_probability"].tolist() == shares.max(axis=1).tolist()
    assert model.outputs(X.iloc[:0]).empty


def test_contributions_add_up_to_the_score_of_the_likeliest(model):
    X, *_ = made(40, seed=6)
    best = model.predict_proba(X).to_numpy().argmax(axis=1)
    scores = model._scores(X) / model.temperature_ + model.shifts_
    assert model.contributions(X).sum(axis=1).to_numpy() == pytest.approx(scores[np.arange(40), best], abs=1e-4)


def test_actions_that_nobody_knows_and_one_action_alone_are_refused():
    with pytest.raises(ModelError, match=r"not \['dance'\]"):
        coded(np.array(["dance", "none"], dtype=object))
    with pytest.raises(NotEnoughData, match=r"not applicable: all 60 people did the same next: .* none 60"):
        NextActionModel().fit(made(60)[0], np.array(["none"] * 60, dtype=object))


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"calibration.json": b"{}"}, "cannot be read"),
        ({"calibration.json": b'{"actions": ["x"], "temperature": 1, "shifts": [0]}'}, "other actions"),
        ({"booster.ubj": b"nothing"}, "cannot be read"),
    ],
)
def test_files_that_hold_something_else_are_refused(model, change, wrong):
    with pytest.raises(ModelError, match=wrong):
        NextActionModel.from_files({**model.files(), **change}, model.feature_names_in_)


def test_calibration_without_end_is_refused(model):
    files = model.files()
    files["calibration.json"] = files["calibration.json"].replace(b'"temperature": ', b'"temperature": -')
    with pytest.raises(ModelError, match="not finite"):
        NextActionModel.from_files(files, model.feature_names_in_)
