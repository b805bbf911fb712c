from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from workbench.errors import GateFailed
from workbench.models import evaluate
from workbench.models.promotion import Rival, decide, gate, gates

UNTIL = datetime(2026, 9, 1, tzinfo=UTC)


def row(metric, value, baseline, *, ci=0.01, gain_ci=0.01):
    gain = baseline - value
    return {
        "metric": metric, "value": value, "ci_low": value - ci, "ci_high": value + ci, "baseline": baseline,
        "gain": gain, "gain_ci_low": gain - gain_ci, "gain_ci_high": gain + gain_ci, "n": 500,
    }  # fmt: skip


def table(*rows):
    return pd.DataFrame(rows)


def rival(value, baseline, *, fair=True, gain_ci=0.001):
    return Rival(
        version="old", trained_until=UNTIL, table=table(row("brier", value, baseline, gain_ci=gain_ci)), fair=fair
    )


GOOD = table(row("brier", 0.18, 0.22), {**row("auc", 0.8, 0.7), "gain_ci_low": 0.05, "gain_ci_high": 0.15})


def judged(metrics=GOOD, against=None):
    return decide("churn", "new", metrics, loss="brier", rival=against)


def test_the_first_that_passes_the_gates_serves():
    done = judged()
    assert (done.promoted, done.why, done.champion) == (True, "the first that can serve", None)


def test_who_saves_more_than_the_margin_beyond_chance_takes_over():
    done = judged(against=rival(0.18, 0.20))
    assert done.promoted
    assert done.saved == pytest.approx(0.1)
    assert "better by the margin" in done.why


@pytest.mark.parametrize(
    "against",
    [
        rival(0.18, 0.18),  # as good
        rival(0.18, 0.16),  # worse
        rival(0.18, 0.1801, gain_ci=0.00001),  # surely better, by less than the margin
        rival(0.18, 0.20, gain_ci=0.03),  # better by the margin, perhaps by chance
        rival(0.0, 0.0),  # the champion has no loss to save
    ],
)
def test_who_is_not_better_by_the_margin_beyond_chance_does_not_serve(against):
    done = judged(against=against)
    assert not done.promoted
    assert "not better by 1%" in done.why
    assert done.champion == "old"


def test_that_the_champion_had_seen_the_weeks_is_said():
    assert "trained until 2026-09-01, had seen these weeks" in judged(against=rival(0.18, 0.20, fair=False)).why


@pytest.mark.parametrize(
    ("model", "wrong", "told"),
    [
        ("churn", {**row("auc", 0.6, 0.7), "gain_ci_low": -0.12, "gain_ci_high": -0.08}, "worse than the baseline"),
        ("churn", row("calibration_error", 0.08, 0.01), "off by 8.0%"),
        ("ltv", row("coverage", 0.6, 0.9), "90% intervals hold 60% of the time"),
        ("ltv", row("total_error", 1.7, 0.2), "sum of its predictions is off by 170%"),
    ],
)
def test_a_model_that_fails_a_gate_never_serves_however_good_its_loss(model, wrong, told):
    metrics = table(row("brier", 0.01, 0.22), wrong)
    assert told in gates(model, metrics)[0]
    done = decide(model, "new", metrics, loss="brier", rival=rival(0.01, 0.2))
    assert not done.promoted
    assert told in done.why
    with pytest.raises(GateFailed, match="the champions stay"):
        gate([(model, told)])


def test_bad_luck_is_no_reason_to_fail():
    unlucky = [
        {**row("auc", 0.69, 0.7), "gain_ci_low": -0.05, "gain_ci_high": 0.03},
        row("calibration_error", 0.08, 0.01, ci=0.05),
        row("coverage", 0.7, 0.9, ci=0.1),
    ]
    assert gates("churn", table(*unlucky)) == []
    gate([])


def test_decisions_fit_what_evaluation_gives():
    rng = np.random.default_rng(0)
    people = pd.Index([f"u{n}" for n in range(800)], name="user_id")
    truth = pd.Series(rng.random(800) < 0.3, index=people).astype(float)
    sharp = pd.Series(np.where(truth > 0, 0.6, 0.2), index=people)
    blunt = pd.Series(0.3, index=people)
    metrics = {"brier": evaluate.brier, "auc": evaluate.auc}
    compared = evaluate.compare(metrics, truth, sharp, baseline=blunt, seed=0)
    assert decide("churn", "new", compared, loss="brier", rival=Rival(
        version="old", trained_until=UNTIL, table=compared, fair=True
    )).promoted  # fmt: skip
    turned = evaluate.compare(metrics, truth, blunt, baseline=sharp, seed=0)
    assert "worse than the baseline" in gates("churn", turned)[0]


def test_what_cannot_be_measured_does_not_serve():
    metrics = table(row("brier", 0.0, 0.0), row("auc", float("nan"), float("nan")))
    done = decide("churn", "new", metrics, loss="brier", rival=None)
    assert not done.promoted
    assert "cannot be measured" in done.why
