from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.models.conftest import END, community, lives
from workbench.errors import InvalidArgument, NotApplicable, NotEnoughData
from workbench.models.churn import ChurnModel
from workbench.models.features import features
from workbench.models.lessons import LESSONS
from workbench.models.ltv import METHODS, LtvModel
from workbench.models.registry import Registry
from workbench.models.train import _better, train
from workbench.store.memory import MemoryStore
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


def test_a_score_that_is_the_same_for_everybody_is_not_applicable_and_the_others_go_on(tmp_path):
    """They only look: no message, raid or question ever counts for engagement."""
    looks = {user: " ".join(f"view:{at:.6f}" for at in visits) for user, visits, _ in lives(400)}
    registry = Registry(tmp_path / "models")
    snapshot = store_of(looks, unit=timedelta(days=1)).snapshot()
    report = train(snapshot, cutoff=END, registry=registry, models=["engagement", "churn"])
    assert registry.turns("engagement") == []
    assert list(report.versions) == ["churn"]
    assert "The engagement model is not applicable" in report.reading()
    with pytest.raises(NotApplicable, match="ltv: not applicable"):
        train(snapshot, cutoff=END, registry=registry, models=["ltv"])


@pytest.mark.parametrize("lost", [1, 400])
def test_events_of_1970_do_not_stop_a_training(lost):
    """Of one the data do not begin there; so many are believed, and the empty cutoffs between are skipped."""
    whole = community(250).snapshot().query("SELECT * FROM events")
    rows = whole.slice(0, lost)
    ids = pa.array([f"old{n}" for n in range(lost)])
    times = pa.array([datetime(1970, 1, 1, tzinfo=UTC)] * lost).cast(rows.schema.field("occurred_at").type)
    rows = rows.set_column(rows.column_names.index("event_id"), rows.schema.field("event_id"), ids)
    rows = rows.set_column(rows.column_names.index("occurred_at"), rows.schema.field("occurred_at"), times)
    report = train(MemoryStore(pa.concat_tables([whole, rows])).snapshot(), cutoff=END, models=["churn"])
    assert report.frame["value"].notna().all()


def test_a_value_without_bounds_does_not_stop_a_training():
    whole = community(250).snapshot().query("SELECT * FROM events")
    at = whole.column_names.index("value")
    first = pc.index(whole["event_type"].cast(pa.string()), "purchase").as_py()
    values = whole["value"].to_pylist()
    values[first] = 1e39
    odd = whole.set_column(at, whole.schema.field("value"), pa.array(values, whole.schema.field("value").type))
    X = features(MemoryStore(odd).snapshot(), END).X
    assert X["spend_usd"].max() < 1e6
    assert train(MemoryStore(odd).snapshot(), cutoff=END, models=["ltv"]).frame["value"].notna().all()


def test_where_purchases_alone_say_more_they_serve(trained):
    """Whichever has the lower deviance predicts, and the manifest, the card and the text name it with its horizon."""
    report, registry = trained
    method = report.methods["ltv"]
    serving = registry.serving(LtvModel, "ltv")
    assert serving.model.method == serving.manifest.method == method
    assert METHODS[method] in report.reading()
    days = report.definition.horizons.ltv
    assert f"LTV, next {days} days" in report.chart("ltv").title
    assert f"LTV, next {days} days" in registry.intact("ltv", serving.manifest.version)[1]["card.html"].decode()


def test_the_lower_deviance_is_chosen():
    truth = pd.Series([0.0, 5.0, 10.0, 1.0], index=list("abcd"))
    rows = pd.DataFrame({"truth": truth, "model network": 4.0, "model bg_nbd": truth + 0.1, "baseline": truth})
    method, why = _better("ltv", LESSONS["ltv"], {"value": rows})
    assert method == "bg_nbd"
    assert why.startswith("LTV is predicted by BG/NBD with Gamma-Gamma, deviance")
