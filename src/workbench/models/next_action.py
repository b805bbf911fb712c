"""Next action: gradient-boosted trees (XGBoost) that say what a person does first in the days to come, if anything."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
import pandas as pd
import xgboost
from scipy.optimize import minimize

from workbench.errors import ModelError, NotApplicable, NotEnoughData
from workbench.models.churn import FEW_EXAMPLES, MIN_PER_CLASS
from workbench.models.features import MIN_EXAMPLES, checked, enough
from workbench.models.labels import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

ROUNDS: Final = 80
_PARAMETERS: Final = {
    "objective": "multi:softprob",
    "num_class": len(ACTIONS),
    "tree_method": "hist",
    "max_depth": 3,
    "eta": 0.1,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "min_child_weight": 10,
}
_PULL: Final = 1.0
"""How strongly the shifts of rare actions are held at 0, in examples."""


class NextActionModel:
    """Predicts a probability for each of `labels.ACTIONS`; they add up to 1.

    The trees' scores are turned into probabilities by a temperature and one shift per action, fitted on later
    examples by `calibrate`.

    Attributes:
        feature_names_in_: The features, after `fit`.
        booster_: The trees.
        temperature_, shifts_: What `calibrate` found.
    """

    kind: ClassVar[str] = "next_action"
    file_names: ClassVar[frozenset[str]] = frozenset({"booster.ubj", "calibration.json"})

    def __init__(self, *, seed: int = 0) -> None:
        """Take the seed of the trees' samples."""
        self.seed = seed

    def fit(self, X: pd.DataFrame, y: pd.Series | NDArray[np.object_]) -> NextActionModel:
        """Grow the trees.

        Args:
            X: Features, one row per example.
            y: The action that came first, of `labels.ACTIONS`.

        Raises:
            NotEnoughData: Fewer than 50 examples, fewer than two actions done by 10, or constant features.
        """
        enough(X)
        codes = coded(y)
        threads = 1 if len(X) < FEW_EXAMPLES else 0
        parameters = {**_PARAMETERS, "seed": self.seed, "nthread": threads}
        self.booster_ = xgboost.train(parameters, xgboost.DMatrix(X, label=codes), ROUNDS)
        self.feature_names_in_ = tuple(X.columns)
        self.temperature_, self.shifts_ = 1.0, np.zeros(len(ACTIONS))
        return self

    def calibrate(self, X: pd.DataFrame, y: pd.Series | NDArray[np.object_]) -> NextActionModel:
        """Fit the probabilities to what came true in examples that are later than those of `fit`.

        Raises:
            NotEnoughData: Fewer than two actions done by 10.
        """
        codes, scores = coded(y), self._scores(X)
        rows = np.arange(len(codes))

        def loss(values: NDArray[np.float64]) -> float:
            logs = _log_softmax(scores * np.exp(values[0]) + values[1:])
            return float(-logs[rows, codes].mean() + _PULL * (values[1:] ** 2).sum() / len(codes))

        found = minimize(loss, np.zeros(len(ACTIONS) + 1), method="L-BFGS-B").x
        self.temperature_, self.shifts_ = float(np.exp(-found[0])), found[1:]
        return self

    def predict_proba(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return one row per row of `X`: the probability of each action.

        Raises:
            ModelError: `X` has other features than the model was trained on.
        """
        shares = np.exp(_log_softmax(self._scores(X) / self.temperature_ + self.shifts_))
        return pd.DataFrame(shares, index=X.index, columns=list(ACTIONS))

    def predict(self, X: pd.DataFrame) -> pd.Series:
        """Return the probability of the likeliest action of each row, in its order."""
        return self.predict_proba(X).max(axis=1).rename("next_action_probability")

    def outputs(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return what is kept of a prediction: `next_action` (the likeliest), and `next_action_probability`."""
        shares = self.predict_proba(X)
        likeliest = np.array(ACTIONS, dtype=object)[shares.to_numpy().argmax(axis=1)] if len(X) else []
        return pd.DataFrame({"next_action": likeliest, "next_action_probability": shares.max(axis=1)}, index=X.index)

    def contributions(self, X: pd.DataFrame) -> pd.DataFrame:
        """Say what moves the likeliest action of each row (TreeSHAP): per feature, and `base`.

        A row adds up to the calibrated score of that action, before it is compared with the others'.
        """
        data = xgboost.DMatrix(checked(X, self.feature_names_in_))
        parts = self.booster_.predict(data, pred_contribs=True).astype("float64") / self.temperature_
        best = self.predict_proba(X).to_numpy().argmax(axis=1)
        chosen = parts[np.arange(len(X)), best]
        chosen[:, -1] += self.shifts_[best]
        return pd.DataFrame(chosen, index=X.index, columns=[*self.feature_names_in_, "base"])

    def importances(self, X: pd.DataFrame) -> pd.Series:
        """Return each feature's share of the mean absolute contribution to the scores of all actions."""
        data = xgboost.DMatrix(checked(X, self.feature_names_in_))
        moved = np.abs(self.booster_.predict(data, pred_contribs=True)[:, :, :-1]).mean(axis=(0, 1))
        return pd.Series(moved / moved.sum(), index=list(self.feature_names_in_), name="importance")

    def files(self) -> dict[str, bytes]:
        """Return what `from_files` needs: the trees as XGBoost's UBJSON, the calibration as JSON."""
        calibration = {"actions": ACTIONS, "temperature": self.temperature_, "shifts": self.shifts_.tolist()}
        return {
            "booster.ubj": bytes(self.booster_.save_raw("ubj")),
            "calibration.json": json.dumps(calibration).encode(),
        }

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], features: tuple[str, ...]) -> NextActionModel:
        """Rebuild a model.

        Raises:
            ModelError: The files hold anything but trees over these features and actions, and their calibration.
        """
        model = cls()
        try:
            model.booster_ = xgboost.Booster(model_file=bytearray(files["booster.ubj"]))
            calibration = json.loads(files["calibration.json"])
            model.temperature_ = float(calibration["temperature"])
            model.shifts_ = np.asarray(calibration["shifts"], dtype="float64")
            actions = tuple(calibration["actions"])
        except (xgboost.core.XGBoostError, ValueError, KeyError, TypeError) as error:
            raise ModelError(f"the trees cannot be read: {str(error).splitlines()[0]}") from error
        if tuple(model.booster_.feature_names or ()) != features:
            raise ModelError(f"the trees were grown on other features: {model.booster_.feature_names}")
        if actions != ACTIONS or model.shifts_.shape != (len(ACTIONS),):
            raise ModelError(f"the model predicts other actions: {actions}, not {ACTIONS}")
        if not (np.isfinite(model.shifts_).all() and 0 < model.temperature_ < float("inf")):
            raise ModelError(f"calibration is not finite: {model.temperature_}, {model.shifts_.tolist()}")
        model.feature_names_in_ = features
        return model

    def _scores(self, X: pd.DataFrame) -> NDArray[np.float64]:
        data = checked(X, self.feature_names_in_)
        if data.empty:
            return np.empty((0, len(ACTIONS)))
        margin = self.booster_.predict(xgboost.DMatrix(data), output_margin=True)
        return np.asarray(margin, dtype="float64")


def coded(y: pd.Series | NDArray[np.object_]) -> NDArray[np.int64]:
    """Return the place in `labels.ACTIONS` of each action.

    Raises:
        NotEnoughData: Fewer than two actions were done by at least 10.
        ModelError: An action that is not known.
    """
    names = np.asarray(y, dtype=object)
    if unknown := sorted(set(names) - set(ACTIONS)):
        raise ModelError(f"actions are {', '.join(ACTIONS)}, not {unknown}")
    codes = np.searchsorted(np.array(ACTIONS), names.astype(str))
    counts = np.bincount(codes, minlength=len(ACTIONS))
    if (counts >= MIN_PER_CLASS).sum() < 2:  # noqa: PLR2004 - to tell apart takes two
        told = ", ".join(f"{name} {count}" for name, count in zip(ACTIONS, counts, strict=True))
        if len(codes) >= MIN_EXAMPLES and (counts > 0).sum() == 1:
            raise NotApplicable(f"not applicable: all {len(codes)} people did the same next: {told}")
        raise NotEnoughData(f"at least two actions are needed that {MIN_PER_CLASS} people did next; there are {told}")
    return codes


def _log_softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = scores - scores.max(axis=1, keepdims=True, initial=-np.inf) if len(scores) else scores
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
