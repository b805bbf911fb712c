import numpy as np
import pytest
import skops.io
from sklearn.ensemble import RandomForestRegressor
from sklearn.preprocessing import FunctionTransformer

from workbench.errors import ModelError
from workbench.models.engagement import EngagementModel


def test_the_forest_beats_assuming_no_change(examples):
    early, late = examples
    predicted = EngagementModel(trees=30).fit(early.X, early.next_score).predict(late.X)
    assert (predicted - late.next_score).abs().mean() < (late.recent_score - late.next_score).abs().mean()


def test_the_same_seed_grows_the_same_forest(examples):
    early, late = examples
    one, two = (EngagementModel(trees=10, seed=4).fit(early.X, early.next_score).predict(late.X) for _ in range(2))
    assert np.array_equal(one, two)


def test_importances_are_shares(examples):
    early, _ = examples
    shares = EngagementModel(trees=10).fit(early.X, early.next_score).importances(early.X)
    assert shares.sum() == pytest.approx(1)
    assert shares.index.tolist() == list(early.X.columns)


NO_WIDTH = b'{"kind": "difference", "edges": [], "low": [0], "high": [0]}'


def forest(n_features=2):
    X = np.random.default_rng(0).random((60, n_features))
    return RandomForestRegressor(3, random_state=0).fit(X, X[:, 0])


def rebuilt(thing, features=("a", "b")):
    return EngagementModel.from_files({"forest.skops": skops.io.dumps(thing), "interval.json": NO_WIDTH}, features)


def test_what_is_no_forest_is_not_loaded():
    with pytest.raises(ModelError, match="not a random forest"):
        rebuilt({"a": 1})
    with pytest.raises(ModelError, match="types that are not trusted"):
        rebuilt(FunctionTransformer(func=np.testing.assert_allclose))
    with pytest.raises(ModelError, match="cannot be read"):
        EngagementModel.from_files({"forest.skops": b"no zip", "interval.json": NO_WIDTH}, ("a",))


def test_a_forest_over_other_features_is_not_loaded():
    with pytest.raises(ModelError, match="over 3 features"):
        rebuilt(forest(), ("a", "b", "c"))


@pytest.mark.parametrize(("array", "value"), [("children_left", 10**6), ("children_right", 0), ("feature", 7)])
def test_a_tree_that_points_outside_itself_is_not_loaded(array, value):
    grown = forest()
    getattr(grown.estimators_[1].tree_, array)[0] = value
    with pytest.raises(ModelError, match="not a random forest"):
        rebuilt(grown)
