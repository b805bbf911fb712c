import dataclasses
import shutil
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from tests.models.conftest import END, community
from workbench.errors import ModelError
from workbench.models import retrain as room
from workbench.models.churn import ChurnModel
from workbench.models.lessons import LESSONS, Horizons
from workbench.models.promotion import Decision
from workbench.models.registry import About, Registry
from workbench.models.retrain import When, drift_of, due, retrain
from workbench.models.train import train

NEVER = When(often=dict.fromkeys(LESSONS, "never"), psi=99)
WEEK = timedelta(days=7)


@pytest.fixture
def registry(trained, tmp_path):
    """A copy of the registry in which all models were trained at `END`."""
    folder = trained[1].shelf.root
    shutil.copytree(folder, tmp_path / "models")
    shutil.copy(folder.with_name("models.key"), tmp_path / "models.key")
    return Registry(tmp_path / "models")


@pytest.fixture(scope="module")
def later():
    """The same people, known for five more weeks."""
    return community(400, days=155).snapshot()


def reasons(snapshot, registry, name="churn", *, when=NEVER, cutoff=END):
    return due(snapshot, registry, name, when=when, cutoff=cutoff, horizons=Horizons())


def test_a_model_that_was_never_trained_is_due(snapshot, tmp_path):
    assert reasons(snapshot, Registry(tmp_path)) == ["there is no champion yet"]


@pytest.mark.parametrize(("often", "days"), [("daily", 1), ("weekly", 7), ("monthly", 30)])
def test_a_model_is_due_when_its_time_has_come_and_not_before(later, registry, often, days):
    when = dataclasses.replace(NEVER, often={"churn": often}, threshold=0.01)
    before = END + timedelta(days=days) - timedelta(seconds=1)
    assert reasons(later, registry, when=when, cutoff=before) == []
    (told,) = reasons(later, registry, when=when, cutoff=END + timedelta(days=days))
    assert told == f"the newest version knows nothing after {END:%Y-%m-%d}, and is trained {often}"


def test_what_was_tried_and_was_not_better_counts_as_tried(later, registry):
    model, manifest = registry.load(ChurnModel, "churn")
    facts = {field.name: getattr(manifest, field.name) for field in dataclasses.fields(About)}
    registry.publish("churn", model, about=About(**{**facts, "trained_until": END + WEEK}), alias="challenger")
    weekly = dataclasses.replace(NEVER, often={"churn": "weekly"}, threshold=0.01)
    assert reasons(later, registry, when=weekly, cutoff=END + WEEK) == []


def test_a_score_below_the_threshold_of_what_it_was_calls_for_a_training(snapshot, registry):
    assert reasons(snapshot, registry, when=dataclasses.replace(NEVER, threshold=0.5)) == []
    (told,) = reasons(snapshot, registry, when=dataclasses.replace(NEVER, threshold=1.5))
    assert "its auc was" in told


@pytest.mark.parametrize("name", sorted(LESSONS))
def test_every_model_can_be_watched(snapshot, registry, name):
    strict = dataclasses.replace(NEVER, threshold=5.0, psi=0.0)
    told = reasons(snapshot, registry, name, when=strict)
    assert any(f"its {LESSONS[name].score} was" in reason for reason in told)
    assert any("people have changed" in reason for reason in told)
    table = drift_of(snapshot, registry, name, cutoff=END)
    assert table["psi"].max() < 0.25  # it was trained on people of just before


def test_people_who_became_others_call_for_a_training(registry):
    changed = community(400, days=120, seed=9).snapshot()
    when = dataclasses.replace(NEVER, threshold=0.01, psi=0.25)
    (told,) = reasons(changed, registry, when=when, cutoff=END - 8 * WEEK)
    assert told.startswith("people have changed: stability index ")


def test_a_champion_made_for_other_features_is_due(snapshot, registry, monkeypatch):
    monkeypatch.setattr(room, "version", lambda: "f-other")
    (told,) = reasons(snapshot, registry)
    assert "which are f-other now" in told


def test_a_champion_that_cannot_be_loaded_is_due_and_is_trained_anew(snapshot, registry):
    version = registry.resolve("churn")
    (registry.shelf.root / "churn" / version / "booster.ubj").write_bytes(b"?")
    (told,) = reasons(snapshot, registry)
    assert told.startswith("no champion can be loaded: ")


def test_a_retrained_model_that_is_worse_does_not_serve(later, registry, monkeypatch):
    """Somebody changes the model so that it learns from outcomes of other people."""
    champion = registry.resolve("churn")
    fit = ChurnModel.fit

    def confused(model, X, y):
        return fit(model, X, pd.Series(np.random.default_rng(0).permutation(np.asarray(y)), index=X.index))

    monkeypatch.setattr(ChurnModel, "fit", confused)
    when = dataclasses.replace(NEVER, often={"churn": "weekly"})
    (done,) = retrain(later, registry, when=when, cutoff=END + 5 * WEEK, models=["churn"])
    assert done.reasons
    assert not done.decision.promoted
    assert done.decision.champion == champion
    assert done.decision.loss > done.decision.champion_loss
    assert registry.resolve("churn") == champion
    assert registry.resolve("churn", "challenger") == done.decision.version
    assert registry.serving(ChurnModel, "churn").manifest.version == champion


def test_a_retrained_model_that_is_much_better_takes_over(later, registry, monkeypatch):
    fit = ChurnModel.fit
    with monkeypatch.context() as patch:  # the champion of today knows nothing
        patch.setattr(
            ChurnModel, "fit",
            lambda model, X, y: fit(model, X, pd.Series(np.random.default_rng(0).permutation(np.asarray(y)))),
        )  # fmt: skip
        patch.setattr("workbench.models.train.decide", lambda name, version, *_, **__: _serves(name, version))
        train(later, cutoff=END, registry=registry, models=["churn"])
    blind = registry.resolve("churn")
    when = dataclasses.replace(NEVER, often={"churn": "weekly"})
    (done,) = retrain(later, registry, when=when, cutoff=END + 5 * WEEK, models=["churn"])
    assert done.decision.champion == blind
    assert done.decision.promoted, done.decision.why
    assert registry.resolve("churn") == done.decision.version != blind
    assert registry.rollback("churn").version == blind


def _serves(name, version):
    return Decision(model=name, version=version, metric="brier", loss=0.2, promoted=True, why="for the test")


def test_too_little_data_is_told_and_the_others_are_trained_all_the_same(tmp_path):
    few = community(10).snapshot()
    done = retrain(few, Registry(tmp_path), when=NEVER, cutoff=END)
    assert [each.model for each in done] == list(LESSONS)
    assert all("at least 50" in each.trouble for each in done)
    assert all(each.decision is None for each in done)


def test_drift_needs_a_champion(snapshot, tmp_path):
    with pytest.raises(ModelError, match="no champion of model 'churn'"):
        drift_of(snapshot, Registry(tmp_path), "churn")
