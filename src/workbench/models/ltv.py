"""LTV: a neural network that predicts what a person will spend over a horizon, beside BG/NBD with Gamma-Gamma."""

from __future__ import annotations

import copy
import json
import warnings
from typing import TYPE_CHECKING, ClassVar, Final
from zipfile import ZIP_DEFLATED

import numpy as np
import pandas as pd
import skops.io
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import PoissonRegressor
from sklearn.neural_network import MLPRegressor

from workbench.errors import ModelError, NotApplicable, NotEnoughData
from workbench.models.conformal import Band, band
from workbench.models.features import MIN_EXAMPLES, checked, enough
from workbench.models.spending import Spending

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

NETWORK: Final = "network"
BG_NBD: Final = "bg_nbd"
METHODS: Final = {NETWORK: "a neural network", BG_NBD: "BG/NBD with Gamma-Gamma"}
MIN_SPENDERS: Final = 10
LAYERS: Final = (24, 12)
_NOT_STATE: Final = ("_optimizer", "_random_state", "loss_curve_", "_best_coefs", "_best_intercepts")
"""What training leaves behind and prediction does not need: without it, skops holds no type to review."""

_LARGEST: Final = 20.0
"""Of the logarithm of a prediction: e^20 dollars is an error of the input, not a person."""


class LtvModel:
    """Predicts the discounted USD of the horizon that it was trained on.

    Features are logarithms (they spread over orders of magnitude), the last layer is the logarithm of the mean, and the
    loss is Poisson's deviance: right on average even where nine in ten spend nothing. `calibrate` fits level and
    spread of that logarithm on later examples, and learns the intervals there.

    Attributes:
        feature_names_in_: The features, after `fit`.
        net_: The network.
        mean_, spread_: Of the logarithms of the features; what is unknown counts as the mean.
        unit_: USD that the network calls 1.
        slope_, intercept_: From the network's logarithm to that of the mean.
        band_: How wide the intervals are.
        beside_: What BG/NBD and Gamma-Gamma say, where they were fitted.
        beside_band_: How wide the intervals around that are.
        method: Which of the two is the prediction, of `METHODS`: whichever was better out of time.
    """

    kind: ClassVar[str] = "ltv"
    file_names: ClassVar[frozenset[str]] = frozenset({"network.skops", "scale.json", "spending.json"})

    def __init__(self, *, seed: int = 0) -> None:
        """Take the seed of the first weights and of the order of examples."""
        self.seed = seed
        self.method = NETWORK
        self.beside_: Spending | None = None
        self.beside_band_ = Band("ratio", np.empty(0), np.ones(1), np.ones(1))

    def stand_beside(self, spending: Spending, X: pd.DataFrame, y: pd.Series | NDArray[np.float64]) -> LtvModel:
        """Keep what purchases alone say, and learn the intervals around it from examples later than those of `fit`."""
        self.beside_ = spending
        self.beside_band_ = band(spenders(y), spending.predict(X).to_numpy(), kind="ratio")
        return self

    def by(self, method: str) -> LtvModel:
        """Return the same model with its other half as the prediction.

        Raises:
            ModelError: There is no such method, or BG/NBD and Gamma-Gamma were not fitted.
        """
        if method not in METHODS or (method == BG_NBD and self.beside_ is None):
            raise ModelError(f"LTV cannot be predicted by {method!r}; methods that were fitted are {self.methods}")
        other = copy.copy(self)
        other.method = method
        return other

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that can predict: the other one only where enough people bought twice."""
        return (NETWORK, BG_NBD) if self.beside_ is not None and self.beside_.fitted else (NETWORK,)

    def fit(self, X: pd.DataFrame, y: pd.Series | NDArray[np.float64]) -> LtvModel:
        """Train the network.

        Args:
            X: Features, one row per example.
            y: USD that followed, at least 0.

        Raises:
            NotEnoughData: Fewer than 50 examples, fewer than 10 who spent anything, or constant features.
        """
        enough(X)
        spent = spenders(y)
        logs = _logs(X)
        self.feature_names_in_ = tuple(X.columns)
        with np.errstate(invalid="ignore"):
            known = ~np.isnan(logs)
        counts = np.maximum(known.sum(axis=0), 1)
        self.mean_ = np.nansum(logs, axis=0) / counts
        self.spread_ = np.sqrt(np.nansum((logs - self.mean_) ** 2, axis=0) / counts)
        self.spread_[self.spread_ == 0] = 1.0
        self.unit_ = float(spent.mean())
        net = MLPRegressor(
            hidden_layer_sizes=LAYERS, loss="poisson", alpha=1e-2, learning_rate_init=3e-3,
            batch_size=min(128, len(X) // 2), early_stopping=True, n_iter_no_change=8, max_iter=80,
            random_state=self.seed,
        )  # fmt: skip
        with warnings.catch_warnings():  # that eighty rounds were not enough to stand still is no fault
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.net_ = net.fit(self._scaled(X), spent / self.unit_)
        for name in _NOT_STATE:
            self.net_.__dict__.pop(name, None)
        self.slope_, self.intercept_ = 1.0, 0.0
        self.band_ = Band("ratio", np.empty(0), np.ones(1), np.ones(1))
        return self

    def calibrate(self, X: pd.DataFrame, y: pd.Series | NDArray[np.float64]) -> LtvModel:
        """Fit the level to what came true in examples that are later than those of `fit`, and learn the intervals.

        Raises:
            NotEnoughData: Fewer than 10 who spent anything.
        """
        spent = spenders(y)
        line = PoissonRegressor(alpha=1e-6, solver="newton-cholesky", max_iter=500)
        line.fit(self._log(X)[:, None], spent / self.unit_)
        self.slope_, self.intercept_ = float(line.coef_[0]), float(line.intercept_)
        if self.slope_ <= 0:  # the order did not hold later: what is left to say is the mean
            self.slope_, self.intercept_ = 0.0, float(np.log(spent.mean() / self.unit_))
        self.band_ = band(spent, self._by_network(X).to_numpy(), kind="ratio")
        return self

    def predict(self, X: pd.DataFrame) -> pd.Series:
        """Return the expected USD of each row, at least 0, in its order.

        Raises:
            ModelError: `X` has other features than the model was trained on.
        """
        if self.method == BG_NBD and self.beside_ is not None:
            return self.beside_.predict(checked(X, self.feature_names_in_)).rename("predicted_ltv")
        return self._by_network(X)

    def _by_network(self, X: pd.DataFrame) -> pd.Series:
        logs = (self.slope_ * self._log(X) + self.intercept_).clip(-_LARGEST, _LARGEST)
        return pd.Series(self.unit_ * np.exp(logs), index=X.index, name="predicted_ltv")

    def outputs(self, X: pd.DataFrame) -> pd.DataFrame:
        """Return what is kept of a prediction.

        `predicted_ltv`, its 90% interval `ltv_low`, `ltv_high`, and `ltv_bg_nbd`, what purchases alone say (NaN where
        that was not fitted).
        """
        usd = self.predict(X)
        low, high = (self.beside_band_ if self.method == BG_NBD else self.band_).around(usd.to_numpy())
        beside = np.nan if self.beside_ is None else self.beside_.predict(X)
        return usd.to_frame().assign(ltv_low=low.clip(0.0), ltv_high=high, ltv_bg_nbd=beside)

    def contributions(self, X: pd.DataFrame) -> pd.DataFrame:
        """Say what moves each prediction: per feature, and `base`; a row adds up to the logarithm of the USD.

        Of the network, integrated gradients (Sundararajan et al., 2017) on the way from a person of average features.
        Of BG/NBD with Gamma-Gamma, Shapley values of purchases, spending and their times, from somebody who never
        bought.
        """
        if self.method == BG_NBD and self.beside_ is not None:
            return self.beside_.contributions(checked(X, self.feature_names_in_))
        scaled = self._scaled(X)
        moved, base = _integrated(self.net_, scaled)
        parts = pd.DataFrame(moved * self.slope_, index=X.index, columns=list(self.feature_names_in_))
        return parts.assign(base=base * self.slope_ + self.intercept_ + np.log(self.unit_))

    def importances(self, X: pd.DataFrame) -> pd.Series:
        """Return each feature's share of the mean absolute contribution to the logarithm of the USD of the rows."""
        moved = self.contributions(X).drop(columns="base").abs().mean()
        return (moved / max(float(moved.sum()), 1e-12)).rename("importance")

    def files(self) -> dict[str, bytes]:
        """Return what `from_files` needs: the network as skops, the numbers around it as JSON."""
        scale = {
            "mean": self.mean_.tolist(),
            "spread": self.spread_.tolist(),
            "line": [self.unit_, self.slope_, self.intercept_],
            "band": self.band_.to_dict(),
            "beside_band": self.beside_band_.to_dict(),
            "method": self.method,
        }
        return {
            "network.skops": skops.io.dumps(self.net_, compression=ZIP_DEFLATED),
            "scale.json": json.dumps(scale).encode(),
            "spending.json": b"null" if self.beside_ is None else self.beside_.to_json(),
        }

    @classmethod
    def from_files(cls, files: Mapping[str, bytes], features: tuple[str, ...]) -> LtvModel:
        """Rebuild a model.

        Raises:
            ModelError: The files hold anything but a network over these features and its scale.
        """
        try:
            net = skops.io.loads(files["network.skops"], trusted=[])
            scale = json.loads(files["scale.json"])
            numbers = [np.asarray(scale[name], dtype="float64") for name in ("mean", "spread", "line")]
        except Exception as error:  # a parser may fail in any way on bytes that are no model
            raise ModelError(f"the network cannot be read: {error}") from error
        if not isinstance(net, MLPRegressor) or getattr(net, "n_features_in_", None) != len(features):
            raise ModelError(f"not a network over {len(features)} features")
        if [len(part) for part in numbers] != [len(features), len(features), 3] or not np.isfinite(
            np.concatenate(numbers)
        ).all():
            raise ModelError("the scale of the network is not of its features, or not finite")
        model = cls(seed=net.random_state)
        model.net_, model.feature_names_in_ = net, features
        model.mean_, model.spread_ = numbers[0], numbers[1]
        model.unit_, model.slope_, model.intercept_ = map(float, numbers[2])
        model.band_ = Band.from_dict(scale.get("band", {}))
        model.beside_ = None if files["spending.json"] == b"null" else Spending.from_json(files["spending.json"])
        model.beside_band_ = Band.from_dict(scale.get("beside_band", scale.get("band", {})))
        return model.by(scale.get("method", NETWORK))

    def _scaled(self, X: pd.DataFrame) -> NDArray[np.float64]:
        scaled = (_logs(checked(X, self.feature_names_in_)) - self.mean_) / self.spread_
        return np.asarray(np.nan_to_num(scaled.clip(-5, 5)))

    def _log(self, X: pd.DataFrame) -> NDArray[np.float64]:
        scaled = self._scaled(X)
        return _layers(self.net_, scaled)[-1][:, 0].clip(-_LARGEST, _LARGEST) if len(X) else np.empty(0)


def spenders(y: pd.Series | NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `y` as numbers of at least 0 (who was refunded more than spent counts as 0).

    Raises:
        NotEnoughData: Fewer than 10 who spent anything.
    """
    spent = np.asarray(y, dtype="float64").clip(0.0)
    if len(spent) >= MIN_EXAMPLES and not spent.any():
        raise NotApplicable(f"not applicable: none of {len(spent)} people spent anything")
    if (spent > 0).sum() < MIN_SPENDERS:
        raise NotEnoughData(
            f"of {len(spent)} people {(spent > 0).sum()} spent anything; at least {MIN_SPENDERS} are needed"
        )
    return spent


def _logs(X: pd.DataFrame) -> NDArray[np.float64]:
    values = X.to_numpy(dtype="float64")
    return np.asarray(np.sign(values) * np.log1p(np.abs(values)))


def _layers(net: MLPRegressor, scaled: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return what each layer gives; the last is the logarithm of the mean."""
    given = [scaled]
    last = len(net.coefs_) - 1
    for number, (weights, bias) in enumerate(zip(net.coefs_, net.intercepts_, strict=True)):
        summed = given[-1] @ weights + bias
        given.append(summed if number == last else np.maximum(summed, 0.0))
    return given


def _integrated(net: MLPRegressor, scaled: NDArray[np.float64], steps: int = 64) -> tuple[NDArray[np.float64], float]:
    """Integrate the gradient of the logarithm from the origin (average features) to each row."""
    slopes = np.zeros_like(scaled)
    for share in (np.arange(steps) + 0.5) / steps:
        given = _layers(net, scaled * share)
        back = np.ones((len(scaled), 1))
        for weights, layer in zip(reversed(net.coefs_[1:]), reversed(given[1:-1]), strict=True):
            back = (back @ weights.T) * (layer > 0)
        slopes += back @ net.coefs_[0].T
    origin = float(_layers(net, np.zeros((1, scaled.shape[1])))[-1][0, 0])
    exact = _layers(net, scaled)[-1][:, 0] - origin if len(scaled) else np.empty(0)
    moved = slopes / steps * scaled
    # Sixty-four steps leave a little; it is shared out in proportion, so that the parts add up to the whole.
    rest, size = exact - moved.sum(axis=1), np.abs(moved)
    return moved + rest[:, None] * size / np.maximum(size.sum(axis=1, keepdims=True), 1e-12), origin
