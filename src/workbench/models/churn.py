"""Churn: gradient-boosted trees (XGBoost), whose scores are turned into probabilities by later data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
import pandas as pd
import xgboost
from sklearn.linear_model import LogisticRegression

from workbench.errors import ModelError, NotApplicable, NotEnoughData
from workbench.models.features import MIN_EXAMPLES, checked, enough

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MIN_PER_CLASS: Final = 10
ROUNDS: Final = 200
FEW_EXAMPLES: Final = 50_000
"""Below this, one thread is as fast as all cores, and much faster where others use them too."""

_PARAMETERS: Final = {
    "objective": "binary:logistic",
    "tree_method": "hist",
    "max_depth": 3,
    "eta": 0.05,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "min_child_weight": 10,
}


class ChurnModel:
    """Predicts the probability of no event in the horizon that it was trained on.

    Classes are weighted to equal halves while the trees grow, so that a rare class is learnt too. That
    shifts the scores, so `calibrate` fits slope and intercept of their log-odds (Platt) on examples
    from later than those of `fit`; before it is called, the shift is undone by the class ratio.

    Attributes:
        feature_names_in_: The features, after `fit`.
        booster_: The trees.
        slope_, intercept_: From the trees' log-odds to those of churn.
    """

    kind: ClassVar[str] = "churn"
    file_names: ClassVar[frozenset[str]] = frozenset({"booster.ubj", "calibration.json"})

    def __init__(self, *, seed: int = 0) -> None:
        """Take the seed of the trees' samples."""
        self.seed = seed

    def fit(self, X: pd.DataFrame, y: pd.Series | NDArray[np.bool_]) -> ChurnModel:
        """Grow the trees.

        Args:
            X: Features, one row per example.
            y: True where the person churned.

        Raises:
            NotEnoughData: Fewer than 50 examples, fewer than 10 of one class, or constant features.
        """
        enough(X)
        churned = both_classes(y)
        ratio = float((~churned).sum() / churned.sum())
        threads = 1 if len(X) < FEW_EXAMPLES else 0
        parameters = {**_PARAMETERS, "seed": self.seed, "scale_pos_weight": ratio, "nthread": threads}
        self.booster_ = xgboost.train(parameters, xgboost.DMatrix(X, label=churned), ROUNDS)
        self.feature_names_in_ = tuple(X.columns)
        self.slope_, self.intercept_ = 1.0, -float(np.log(ratio))
        return self

    def calibrate(self, X: pd.DataFrame, y: pd.Series | NDArray[np.bool_]) -> ChurnModel:
        """Fit the probabilities to what came true in examples that are later than those of `fit`.

        Raises:
            NotEnoughData: Fewer than 10 examples of one class.
        """
        churned = both_classes(y)
        line = LogisticRegression(C=1e6).fit(self._log_odds(X)[:, None], churned)
        self.slope_, self.intercept_ = float(line.coef_[0, 0]), float(line.intercept_[0])
        if self.slope_ <= 0:  # the order did not hold later: what is left to say is the base rate
            self.slope_, self.intercept_ = 0.0, float(np.log(churned.mean() / (1 - churned.mean())))
        return self

    def predict_proba(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Return one row per row of `X`: the probabilities of staying and of churning.

        Raises:
            ModelError: `X` has other features than the model was trained on.
        """
        churn = self.predict(X).to_numpy()
        return np.column_stack([1 - churn, churn])

    def predict(self, X: pd.DataFrame) -> pd.Series:
        """Return the probability of churning, in [0, 1], for each row in its order; raises as `predict_proba`."""
        log_odds = self.slope_ * self._log_odds(X) + self.intercept_
        return pd.Series(1 / (1 + np.exp(-log_odds)), index=X.index, name="churn_risk")

    def outputs(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return what is kept of a prediction: `churn_risk`."""
        return self.predict(X).to_frame()

    def contributions(self, X: pd.DataFrame) -> pd.DataFrame:
        """Say what moves each prediction (TreeSHAP): per feature, and `base`; a row adds up to the log-odds."""
        data = xgboost.DMatrix(checked(X, self.feature_names_in_))
        parts = self.booster_.predict(data, pred_contribs=True).astype("float64") * self.slope_
        parts[:, -1] += self.intercept_
        return pd.DataFrame(parts, index=X.index, columns=[*self.feature_names_in_, "base"])

    def importances(self, X: pd.DataFrame) -> pd.Series:
        """Return each feature's share of the mean absolute contribution to the log-odds of the rows of `X`."""
        data = xgboost.DMatrix(checked(X, self.feature_names_in_))
        moved = np.abs(self.booster_.predict(data, pred_contribs=True)[:, :-1]).mean(axis=0)
        return pd.Series(moved / moved.sum(), index=list(self.feature_names_in_), name="importance")

    def files(self) -> dict[str, bytes]:
        """Return what `from_files` needs: the trees as XGBoost's UBJSON, the calibration as JSON."""
        calibration = {"slope": self.slope_, "intercept": self.intercept_}
        return {
            "booster.ubj": bytes(self.booster_.save_raw("ubj")),
            "calibration.json": json.dumps(calibration).encode(),
        }

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], features: tuple[str, ...]) -> ChurnModel:
        """Rebuild a model.

        Raises:
            ModelError: The files hold anything but trees over these features and their calibration.
        """
        model = cls()
        try:
            model.booster_ = xgboost.Booster(model_file=bytearray(files["booster.ubj"]))
            calibration = json.loads(files["calibration.json"])
            model.slope_, model.intercept_ = float(calibration["slope"]), float(calibration["intercept"])
        except (xgboost.core.XGBoostError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"the trees cannot be read: {str(error).splitlines()[0]}") from error
        if tuple(model.booster_.feature_names or ()) != features:
            raise ModelError(f"the trees were grown on other features: {model.booster_.feature_names}")
        if not np.isfinite([model.slope_, model.intercept_]).all():
            raise ModelError(f"calibration is not finite: {model.slope_}, {model.intercept_}")
        model.feature_names_in_ = features
        return model

    def _log_odds(self, X: pd.DataFrame) -> NDArray[np.float64]:
        data = checked(X, self.feature_names_in_)
        if data.empty:
            return np.empty(0)
        margin = self.booster_.predict(xgboost.DMatrix(data), output_margin=True)
        return np.asarray(margin, dtype="float64")


def both_classes(y: pd.Series | NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return `y` as booleans.

    Raises:
        NotEnoughData: Fewer than 10 who churned, or fewer than 10 who stayed.
    """
    churned = np.asarray(y, dtype=bool)
    if min(churned.sum(), (~churned).sum()) < MIN_PER_CLASS:
        alike = len(churned) >= MIN_EXAMPLES and min(churned.sum(), (~churned).sum()) == 0
        raise (NotApplicable if alike else NotEnoughData)(
            f"{'not applicable: ' if alike else ''}of {len(churned)} people {churned.sum()} churned and "
            f"{(~churned).sum()} stayed; "
            f"at least {MIN_PER_CLASS} of each are needed"
        )
    return churned
