"""Engagement: a random forest that predicts the engagement score of the days to come, with an interval."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar, Final
from zipfile import ZIP_DEFLATED

import numpy as np
import pandas as pd
import skops.io
from sklearn.ensemble import RandomForestRegressor
from skops.io.exceptions import UntrustedTypesFoundException

from workbench.errors import ModelError
from workbench.models.conformal import Band, band
from workbench.models.features import checked, enough

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MAX_SAMPLES: Final = 10_000
"""Most examples a single tree sees, so that the file stays small however many there are."""

_TRUSTED: Final = ("sklearn.tree._tree.Tree",)
"""skops asks to review this type: its nodes hold indices that are followed unchecked. `_sound` checks them."""


class EngagementModel:
    """Predicts the engagement score, in [0, 1], of the horizon that it was trained on.

    Attributes:
        feature_names_in_: The features, after `fit`.
        forest_: The fitted forest.
        band_: How wide its intervals are, after `calibrate`; before it, they have no width.
    """

    kind: ClassVar[str] = "engagement"
    file_names: ClassVar[frozenset[str]] = frozenset({"forest.skops", "interval.json"})

    def __init__(self, *, trees: int = 100, seed: int = 0) -> None:
        """Take the number of trees, and the seed of their samples."""
        self.trees = trees
        self.seed = seed

    def fit(self, X: pd.DataFrame, y: pd.Series | NDArray[np.float64]) -> EngagementModel:
        """Learn from examples.

        Args:
            X: Features, one row per example.
            y: The score that followed, in [0, 1].

        Raises:
            NotEnoughData: Fewer than 50 examples, or features that are all constant.
        """
        enough(X)
        forest = RandomForestRegressor(
            self.trees,
            min_samples_leaf=20,
            max_features=0.5,
            max_samples=min(len(X), MAX_SAMPLES),
            random_state=self.seed,
            n_jobs=-1,
        )
        self.forest_ = forest.fit(X.to_numpy(), np.asarray(y, dtype="float64"))
        self.forest_.n_jobs = None  # threads add up in any order: predictions would differ in their last digit
        self.feature_names_in_ = tuple(X.columns)
        self.band_ = Band("difference", np.empty(0), np.zeros(1), np.zeros(1))
        return self

    def calibrate(self, X: pd.DataFrame, y: pd.Series | NDArray[np.float64]) -> EngagementModel:
        """Learn how wide the 90% intervals are, from examples that are later than those of `fit`."""
        enough(X)
        self.band_ = band(np.asarray(y, dtype="float64"), self.predict(X).to_numpy(), kind="difference")
        return self

    def predict(self, X: pd.DataFrame) -> pd.Series:
        """Predict the score of each row, in its order.

        Raises:
            ModelError: `X` has other features than the model was trained on.
        """
        values = self.forest_.predict(checked(X, self.feature_names_in_).to_numpy()) if len(X) else np.empty(0)
        return pd.Series(values, index=X.index, name="engagement_score").clip(0.0, 1.0)

    def outputs(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return what is kept of a prediction: `engagement_score`, and its 90% interval `engagement_low`, `_high`."""
        score = self.predict(X)
        low, high = self.band_.around(score.to_numpy())
        ends = {"engagement_low": low.clip(0.0, 1.0), "engagement_high": high.clip(0.0, 1.0)}
        return score.to_frame().assign(**ends)

    def contributions(self, X: pd.DataFrame) -> pd.DataFrame:
        """Say what moves each prediction: per feature, and `base`; a row adds up to the score.

        Each split on a person's way down a tree moves the mean of who is left; the move is the split feature's
        (Saabas, 2014). The trees' mean of these is the forest's.
        """
        data = checked(X, self.feature_names_in_).to_numpy(dtype="float32")
        total = np.zeros((len(data), data.shape[1] + 1))
        for tree in (estimator.tree_ for estimator in self.forest_.estimators_):
            _walk(tree, data, total)
        names = [*self.feature_names_in_, "base"]
        return pd.DataFrame(total / len(self.forest_.estimators_), index=X.index, columns=names)

    def importances(self, X: pd.DataFrame) -> pd.Series:
        """Return each feature's share of the variance that the forest's splits remove; they add up to 1."""
        del X  # what the trees were fitted on is enough
        return pd.Series(self.forest_.feature_importances_, index=list(self.feature_names_in_), name="importance")

    def files(self) -> dict[str, bytes]:
        """Return what `from_files` needs, as skops: a format that holds no code."""
        return {
            "forest.skops": skops.io.dumps(self.forest_, compression=ZIP_DEFLATED),
            "interval.json": json.dumps(self.band_.to_dict()).encode(),
        }

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], features: tuple[str, ...]) -> EngagementModel:
        """Rebuild a model.

        Raises:
            ModelError: The file holds anything but a sound forest over these features.
        """
        try:
            forest = skops.io.loads(files["forest.skops"], trusted=list(_TRUSTED))
            interval = json.loads(files["interval.json"])
        except UntrustedTypesFoundException as error:
            raise ModelError(f"the forest holds types that are not trusted: {error}") from error
        except Exception as error:  # a parser may fail in any way on bytes that are no model
            raise ModelError(f"the forest cannot be read: {error}") from error
        if not isinstance(forest, RandomForestRegressor) or not _sound(forest, len(features)):
            raise ModelError(f"not a random forest over {len(features)} features")
        model = cls(trees=forest.n_estimators, seed=forest.random_state)
        model.forest_, model.feature_names_in_ = forest, features
        model.band_ = Band.from_dict(interval)
        return model


def _walk(tree: Any, data: NDArray[np.float32], total: NDArray[np.float64]) -> None:  # noqa: ANN401 - sklearn's Tree
    """Let everybody walk down a tree at once; add to `total` what each step changes, by the feature it asks."""
    value, rows, node = tree.value[:, 0, 0], np.arange(len(data)), np.zeros(len(data), dtype=np.int64)
    total[:, -1] += value[0]
    while len(rows):
        inner = tree.children_left[node] != -1
        rows, node = rows[inner], node[inner]
        asked = tree.feature[node]
        answer = data[rows, asked]
        left = np.where(np.isnan(answer), tree.missing_go_to_left[node] == 1, answer <= tree.threshold[node])
        child = np.where(left, tree.children_left[node], tree.children_right[node])
        np.add.at(total, (rows, asked), value[child] - value[node])
        node = child


def _sound(forest: RandomForestRegressor, n_features: int) -> bool:
    """Tell whether every tree can be walked safely: children lie further on, splits name features that exist."""
    if getattr(forest, "n_features_in_", None) != n_features:
        return False
    for tree in (estimator.tree_ for estimator in forest.estimators_):
        here = np.arange(tree.node_count)
        left, right = tree.children_left, tree.children_right
        leaf = left == -1
        inner = ~leaf
        children = np.stack([left[inner], right[inner]])
        if not (
            tree.node_count > 0
            and tree.n_features == n_features
            and (right[leaf] == -1).all()
            and (children > here[inner]).all()
            and (children < tree.node_count).all()
            and ((tree.feature[inner] >= 0) & (tree.feature[inner] < n_features)).all()
        ):
            return False
    return True
