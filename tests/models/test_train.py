from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from tests.models.conftest import END, community
from workbench.errors import InvalidArgument, NotEnoughData
from workbench.models.churn import ChurnModel
from workbench.models.registry import Registry
from workbench.models.train import train
from workbench.testing import store_of


def test_every_metric_stands_beside_a_baseline_and_in_an_interval(trained):
    frame = trained[0].frame
    assert frame[["model", "metric"]].to_numpy().tolist() == [
        ["engagement", "mae"],
        ["engagement", "r2"],
        ["engagement", "coverage"],
        ["churn", "auc"],
        ["churn", "pr_auc"],
        ["churn", "brier"],
        ["churn", "calibration_error"],
        ["ltv", "deviance"],
        ["ltv", "mae"],
        ["ltv", "gini"],
        ["ltv", "total_error"],
        ["ltv", "coverage"],
        ["next_action", "log_loss"],
        ["next_action", "accuracy"],
        ["next_action", "calibration_error"],
    ]
    assert frame[["value", "ci_low", "ci_high", "baseline", "gain"]].notna().all(axis=None)
    assert (frame["ci_low"] < frame["ci_high"]).all()


def test_models_are_published_with_what_they_were_measured_at_and_the_first_serve(trained):
    report, registry = trained
    model, manifest = registry.load(ChurnModel, "churn")
    assert manifest.version == report.versions["churn"]
    assert manifest.trained_until == END
    assert manifest.metrics["auc"] == pytest.approx(report.frame.set_index("metric")["value"]["auc"])
    assert manifest.features == model.feature_names_in_


def test_nothing_after_the_cutoff_changes_a_training():
    whole = community(250, days=150)
    cutoff = END - timedelta(days=7)
    seen = whole.snapshot().query("SELECT * FROM events WHERE occurred_at < $cutoff", {"cutoff": cutoff})
    reports = [train(store.snapshot(), cutoff=cutoff, models=["churn"]) for store in (whole, type(whole)(seen))]
    pd.testing.assert_frame_equal(reports[0].frame, reports[1].frame)


def test_the_reading_names_the_numbers_of_the_frame(trained):
    report = trained[0]
    values = report.frame.set_index(["model", "metric"])["value"].unstack("model")
    values = values["churn"].fillna(values["engagement"])
    assert f"{values['auc']:.1%} of the time" in report.reading()
    assert f"to within {values['mae']:.3f}" in report.reading()


def test_the_charts_draw_the_curve_and_the_importances(trained):
    report = trained[0]
    diagonal, curve = report.chart().marks
    assert diagonal.x == diagonal.y
    assert curve.y == tuple(report.calibration.query("model == 'churn'")["observed"])
    assert np.all(np.diff(report.importance_chart("engagement").marks[0].y) <= 0)


def test_a_report_turns_into_plain_json_types(trained):
    told = trained[0].to_dict()
    assert told["definition"]["weights"]["messages"] == 0.4
    assert len(told["rows"]) == 15


def test_one_model_alone_can_be_trained(snapshot, tmp_path):
    report = train(snapshot, cutoff=END, registry=Registry(tmp_path), models=["engagement"])
    assert set(report.frame["model"]) == {"engagement"}
    assert list(report.versions) == ["engagement"]
    assert "churn model" not in report.reading()


def test_ten_people_are_too_few():
    with pytest.raises(NotEnoughData, match=r"people were active.*at least 50"):
        train(community(10).snapshot(), cutoff=END)


def test_a_community_that_nobody_leaves_teaches_nothing_about_churn():
    faithful = " ".join(f"view:{day}" for day in range(0, 120, 5))
    people = store_of({f"u{n}": faithful + f" view:{115 + n / 100}" for n in range(60)}, unit=timedelta(days=1))
    with pytest.raises(NotEnoughData, match=r"0 churned and \d+ stayed"):
        train(people.snapshot(), models=["churn"])


def test_a_model_that_is_not_known_is_refused(snapshot):
    with pytest.raises(InvalidArgument, match=r"engagement, churn, .*not \['oracle'\]"):
        train(snapshot, models=["oracle"])
