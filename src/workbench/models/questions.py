"""What a bench can be asked of the models. Libraries are loaded when something is asked, not before."""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from workbench import config
from workbench.errors import InvalidArgument
from workbench.metrics import arguments

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from pathlib import Path

    from workbench.config import Settings
    from workbench.ingest.base import Outlet
    from workbench.models.batch import Batch
    from workbench.models.features import FeatureFrame
    from workbench.models.forecast import Forecast
    from workbench.models.lessons import Horizons
    from workbench.models.outlook import PurchaseOutlook
    from workbench.models.policy import Policy
    from workbench.models.predictor import UserBehaviorPredictor
    from workbench.models.raid_advice import RaidAdvice, RaidPerformanceAnalyzer
    from workbench.models.raids import RaidSuccess
    from workbench.models.registry import Registry
    from workbench.models.retrain import Retrained, When
    from workbench.models.score import Predictions
    from workbench.models.training import Training
    from workbench.models.uplift import Uplift
    from workbench.store.base import Readable, Snapshot
    from workbench.store.clickhouse import ClickHouseStore
    from workbench.store.lake import LakeStore


class ModelQuestions:
    """The part of a bench that trains and predicts."""

    store: Readable
    settings: Settings
    snapshot: Snapshot

    def registry(self, place: str | Path | None = None) -> Registry:
        """Open the model registry of the settings, or the one at another place."""
        from workbench.models.registry import Registry

        chosen = str(place or self.settings.models)
        where = chosen if "://" in chosen else config.resolved(chosen)
        mine = place is None or chosen == self.settings.models
        return Registry(where, key=config.resolved(self.settings.models_key) if mine or "://" in chosen else None)

    def features(self, *, cutoff: str | date | None = None) -> FeatureFrame:
        """Work out what is known of everybody at a cutoff; see `models.features.features`."""
        from workbench.models.examples import span
        from workbench.models.features import features

        return features(self.snapshot, self._instant(cutoff) or span(self.snapshot)[1])

    def train(
        self,
        models: Sequence[str] | None = None,
        *,
        cutoff: str | date | None = None,
        registry: str | Path | None = None,
        churn_days: int | None = None,
        needed: bool = True,
        **options: Any,  # noqa: ANN401 - as the training has them
    ) -> Training:
        """Train models, publish them, and let those serve that are better; see `models.train.train`.

        Not every community buys, or does different things: where models are not `needed`, too little data for them is
        told by the training's `reading`, and is no error. Nor is a model whose target is the same for everybody.
        """
        from workbench.errors import NotApplicable, NotEnoughData
        from workbench.models.labels import Weights
        from workbench.models.lessons import LESSONS
        from workbench.models.train import train, untrained

        given = {
            "horizons": self._horizons(churn_days),
            "weights": Weights(**self.settings.engagement.model_dump()),
            "margin": self.settings.training.margin,
            "cutoff": self._instant(cutoff),
        }
        chosen = {name: value for name, value in options.items() if value is not None}
        asked = {"registry": self.registry(registry), "models": tuple(models or LESSONS), **given, **chosen}
        try:
            return train(self.snapshot, **asked)
        except NotEnoughData as error:
            if needed and not isinstance(error, NotApplicable):
                raise
            return untrained(self.snapshot, reason=str(error), horizons=asked["horizons"], weights=asked["weights"])

    def predict(
        self, *, cutoff: str | date | None = None, registry: str | Path | None = None, policy: str | Path | None = None
    ) -> Predictions:
        """Score everybody who is active with the models that serve; see `models.score.predictions`."""
        from workbench.models.score import predictions

        return predictions(self.snapshot, self.registry(registry), self._instant(cutoff), rules=self.policy(policy))

    def keep_predictions(self, answer: Predictions, *, to: Outlet | None = None) -> Batch:
        """Write predictions to the store, once per date, and log what they recommend; see `models.batch.keep`.

        Raises:
            InvalidArgument: This bench asks a frame, where nothing can be kept.
        """
        from workbench.models.batch import keep

        return keep(self._kept(), answer, outlet=to)

    def policy(self, path: str | Path | None = None) -> Policy:
        """Read who gets which action at which risk: of a file, or that of the settings; see `models.policy`."""
        from workbench.models.policy import policy

        chosen = path or self.settings.policy
        return policy(None if chosen is None else config.resolved(chosen))

    def predictor(self, *, cutoff: str | date | None = None) -> UserBehaviorPredictor:
        """Return what answers for one person: `predict_churn_risk(user_id)` and more."""
        from workbench.models.predictor import UserBehaviorPredictor

        return UserBehaviorPredictor(
            self.snapshot,
            self.registry(),
            cutoff=self._instant(cutoff),
            rules=self.policy(),
            horizons=self._horizons(),
        )

    def forecast(self, metric: Literal["active_users", "messages"] = "active_users", **options: Any) -> Forecast:  # noqa: ANN401
        """Forecast a daily number, tested on the past; see `models.forecast.forecast`."""
        from workbench.models.forecast import forecast

        until = self._instant(options.pop("until", None))
        return forecast(self.snapshot, metric=metric, until=until, **{"timezone": self.settings.timezone, **options})

    def retrain(
        self,
        models: Sequence[str] | None = None,
        *,
        cutoff: str | date | None = None,
        registry: str | Path | None = None,
    ) -> list[Retrained]:
        """Train the models that are due, by the settings; see `models.retrain.retrain`."""
        from workbench.models.labels import Weights
        from workbench.models.lessons import LESSONS
        from workbench.models.retrain import retrain

        return retrain(
            self.snapshot,
            self.registry(registry),
            when=self._when(),
            cutoff=self._instant(cutoff),
            horizons=self._horizons(),
            weights=Weights(**self.settings.engagement.model_dump()),
            models=tuple(models or LESSONS),
        )

    def purchase_outlook(self, *, until: str | date | None = None, days: int | None = None) -> PurchaseOutlook:
        """Say what customers are likely to spend, from their purchases alone; see `models.outlook.purchase_outlook`."""
        from tqdm.auto import tqdm

        from workbench.models.examples import covered
        from workbench.models.outlook import purchase_outlook

        cutoff = covered(self.snapshot, self._instant(until), tz=self.settings.timezone)
        ahead = self.settings.ltv_days if days is None else days
        return purchase_outlook(
            self.snapshot,
            cutoff,
            days=ahead,
            discount=self.settings.ltv_discount,
            progress=partial(tqdm, disable=None),
        )

    def raid_success(self, *, until: str | date | None = None, seed: int = 0) -> RaidSuccess:
        """Ask why raids succeed; see `models.raids.raid_success`."""
        from workbench.models.raids import raid_success

        return raid_success(self.snapshot, until=self._instant(until), tz=self.settings.timezone, seed=seed)

    def raid_analyzer(
        self, *, until: str | date | None = None, audience: Snapshot | None = None
    ) -> RaidPerformanceAnalyzer:
        """Return what recommends how to set up raids; `audience` is the snapshot of a bench of a segment."""
        from workbench.models.raid_advice import RaidPerformanceAnalyzer

        when = self._instant(until)
        return RaidPerformanceAnalyzer(self.snapshot, until=when, tz=self.settings.timezone, audience=audience)

    def raid_advice(
        self, platform: str | None = None, *, until: str | date | None = None, audience: Snapshot | None = None
    ) -> RaidAdvice:
        """Recommend how to set up the next raid; see `models.raid_advice.RaidPerformanceAnalyzer`."""
        return self.raid_analyzer(until=until, audience=audience).advice(platform)

    def uplift(self, *, until: str | date | None = None, horizon_days: int | None = None) -> Uplift:
        """Say what the recommended actions did; see `models.uplift.uplift`.

        Raises:
            InvalidArgument: This bench asks a frame, where no recommendation is logged.
        """
        from workbench.models.uplift import uplift

        days = horizon_days or self.settings.churn_days
        return uplift(self._kept(), self.snapshot, horizon_days=days, until=self._instant(until))

    def _kept(self) -> LakeStore | ClickHouseStore:
        from workbench.store.clickhouse import ClickHouseStore
        from workbench.store.lake import LakeStore

        if not isinstance(self.store, LakeStore | ClickHouseStore):
            raise InvalidArgument("nothing is kept with a frame: open a lake with wb.open()")
        return self.store

    def _when(self) -> When:
        from workbench.models.retrain import When

        chosen = self.settings.training
        often = {name: getattr(chosen, name) for name in ("engagement", "churn", "ltv", "next_action")}
        return When(often=often, threshold=chosen.threshold, psi=chosen.drift, margin=chosen.margin)

    def _horizons(self, churn_days: int | None = None) -> Horizons:
        from workbench.models.lessons import Horizons

        settings = self.settings
        return Horizons(
            churn=settings.churn_days if churn_days is None else churn_days,
            ltv=settings.ltv_days,
            next_action=settings.next_action_days,
            discount=settings.ltv_discount,
        )

    def _instant(self, value: str | date | None) -> datetime | None:
        return None if value is None else arguments.instant(value, self.settings.timezone)
