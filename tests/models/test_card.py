import re
from datetime import UTC, datetime

import pandas as pd
import pytest

from workbench.models.card import CARD, card
from workbench.models.lessons import LESSONS
from workbench.models.registry import About


@pytest.mark.parametrize("name", sorted(LESSONS))
def test_every_version_has_a_card_that_says_its_figures_and_needs_nothing_else(trained, name):
    report, registry = trained
    _, files = registry.intact(name, report.versions[name])
    page = files[CARD].decode()
    frame = report.frame[report.frame["model"] == name].set_index("metric")
    for metric, value in frame["value"].items():
        assert metric in page
        assert f"{value:.4g}" in page
    top = report.importances[report.importances["model"] == name].iloc[0]
    assert top["feature"] in page
    assert f"data version {registry.manifest(name, report.versions[name]).data_version}" in page
    assert "Where it fails" in page
    assert not re.search(r"(src|href)=|<script|url\(|@import", page)


def test_text_of_others_is_text():
    row = {"metric": "mae", "value": 0.1, "ci_low": 0.1, "ci_high": 0.1, "baseline": 0.2, "gain": 0.1, "n": 5}
    about = About(
        trained_until=datetime(2026, 1, 1, tzinfo=UTC),
        data_version="<script>alert(1)</script>",
        feature_version="f<b>",
        horizon_days=28,
        metrics={},
    )
    page = card(
        "engagement",
        about,
        table=pd.DataFrame([{**row, "gain_ci_low": 0.1, "gain_ci_high": 0.1}]),
        calibration=pd.DataFrame({"predicted": [0.1]}),
        importances=pd.DataFrame({"feature": ["<i>"], "importance": [1.0]}),
    ).decode()
    assert "<script>" not in page
    assert "<i>" not in page
    assert "f&lt;b&gt;" in page
