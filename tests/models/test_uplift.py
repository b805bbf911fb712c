from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from workbench.errors import NotEnoughData
from workbench.events import to_table
from workbench.models.batch import RECOMMENDATIONS
from workbench.models.uplift import uplift
from workbench.store import daily
from workbench.store.lake import LakeStore
from workbench.testing import events_of

DAY = date(2026, 1, 5)
BEGIN = datetime(2026, 1, 6, tzinfo=UTC)
UNTIL = BEGIN + timedelta(days=28)


def experiment(people, *, effect, seed=0, holdout=0.3, persuadable=None):
    """Draw who was acted on and who stayed: a truth that is known, with the most at risk staying least.

    Args:
        people: How many.
        effect: What acting adds to the chance to stay.
        seed: Of the draws.
        holdout: Share left alone.
        persuadable: From which risk on acting does anything; on all when not given.
    """
    rng = np.random.default_rng(seed)
    risk, held = rng.uniform(0, 1, people), rng.random(people) < holdout
    works = (risk >= (persuadable or 0)) & ~held
    stayed = rng.random(people) < 0.1 + 0.5 * (1 - risk) + effect * works
    return pd.DataFrame(
        {
            "user_id": [f"u{n:05}" for n in range(people)],
            "risk_level": np.where(risk > 0.5, "high", "medium"),
            "churn_risk": risk,
            "recommended_action": np.where(held, "none", "call"),
            "held_out": held,
            "propensity": np.where(held, holdout, 1 - holdout),
            "churn_version": "20260105-0123456789ab",
            "policy": "default-abc",
            "stayed": stayed,
        }
    )


def kept(tmp_path, drawn, *, day=DAY):
    store = LakeStore(tmp_path / "lake")
    log = drawn.drop(columns="stayed")
    daily.replace(store, RECOMMENDATIONS, day, pa.Table.from_pandas(log, preserve_index=False))
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    there = dict.fromkeys(drawn[drawn["stayed"]]["user_id"], "view:3")
    events = to_table(events_of(there, unit=timedelta(days=1), start=begin))
    events = events.append_column("position", pa.array(range(len(events)), pa.int64()))
    store.append(events, source=str(day), start=0, end=len(events), ingested_at=UNTIL)
    return store


def test_the_true_effect_of_acting_lies_in_the_interval(tmp_path):
    store = kept(tmp_path, experiment(4_000, effect=0.15))
    answer = uplift(store, store.snapshot(), until=UNTIL)
    frame = answer.frame.set_index("risk_level")
    assert list(frame.index) == ["high", "medium", "all"]
    for level in frame.index:
        assert frame.loc[level, "ci_low"] <= 0.15 <= frame.loc[level, "ci_high"]
    assert frame.loc["all", "ci_low"] > 0
    assert frame.loc["all", "treated"] + frame.loc["all", "held_out"] == 4_000
    assert "beyond chance" in answer.reading()


def test_where_acting_does_nothing_intervals_say_so_nineteen_times_of_twenty(tmp_path):
    missed = 0
    for seed in range(40):
        store = kept(tmp_path / str(seed), experiment(300, effect=0.0, seed=seed))
        row = uplift(store, store.snapshot(), until=UNTIL).frame.iloc[-1]
        missed += not row["ci_low"] <= 0 <= row["ci_high"]
    assert missed <= 6  # 2 are expected, 7 or more once in 300 such tests


def test_people_acted_on_with_other_propensities_are_weighted(tmp_path):
    """Half of the people nearly always get the action, and stay anyhow: unweighted, acting would seem to work."""
    faithful = experiment(3_000, effect=0.0, holdout=0.05, seed=1).assign(stayed=True)
    fickle = experiment(3_000, effect=0.0, holdout=0.8, seed=2).assign(stayed=False)
    fickle["user_id"] = "v" + fickle["user_id"]
    drawn = pd.concat([faithful, fickle])
    plain = drawn[~drawn["held_out"]]["stayed"].mean() - drawn[drawn["held_out"]]["stayed"].mean()
    store = kept(tmp_path, drawn)
    row = uplift(store, store.snapshot(), until=UNTIL).frame.iloc[-1]
    assert plain > 0.6
    assert row["uplift"] == pytest.approx(0, abs=0.05)


def test_the_qini_curve_is_above_its_line_where_the_risk_finds_who_can_be_persuaded(tmp_path):
    good = kept(tmp_path / "good", experiment(6_000, effect=0.4, persuadable=0.7))
    answer = uplift(good, good.snapshot(), until=UNTIL)
    value, low, _ = answer.qini_coefficient
    assert value > low > 0
    assert answer.qini["share"].iloc[[0, -1]].tolist() == [0, 1]
    assert answer.qini["gained"].iloc[-1] == pytest.approx(answer.qini["random"].iloc[-1])
    turned = experiment(6_000, effect=0.4, persuadable=0.7)
    turned["churn_risk"] = 1 - turned["churn_risk"]
    bad = kept(tmp_path / "bad", turned)
    assert uplift(bad, bad.snapshot(), until=UNTIL).qini_coefficient[2] < 0
    assert answer.chart().marks[0].y == tuple(answer.qini["gained"])


def test_a_person_counts_with_the_first_recommendation_alone(tmp_path):
    drawn = experiment(500, effect=0.1)
    kept(tmp_path, drawn)
    store = kept(tmp_path, drawn.assign(stayed=False), day=DAY + timedelta(days=2))
    row = uplift(store, store.snapshot(), until=UNTIL + timedelta(days=9)).frame.iloc[-1]
    assert row["treated"] + row["held_out"] == 500


def test_people_are_followed_to_the_end_of_the_horizon_or_not_at_all(tmp_path):
    store = kept(tmp_path, experiment(500, effect=0.1))
    with pytest.raises(NotEnoughData, match="28 days before 2026-02-02 or earlier"):
        uplift(store, store.snapshot(), until=UNTIL - timedelta(seconds=1))
    two, three = (uplift(store, store.snapshot(), until=UNTIL, horizon_days=days).frame.iloc[-1] for days in (2, 3))
    assert two["stayed_treated"] == 0  # who came back did so at the end of the second day
    assert three["stayed_treated"] > 0


def test_fewer_than_ten_left_alone_are_no_answer(tmp_path):
    store = kept(tmp_path, experiment(120, effect=0.1, holdout=0.02, seed=4))
    answer = uplift(store, store.snapshot(), until=UNTIL)
    assert not answer.frame.iloc[-1]["enough"]
    assert np.isnan(answer.frame.iloc[-1]["ci_low"])
    assert answer.reading().startswith("Not enough data: ")


def test_a_store_without_recommendations_has_nothing_to_measure(tmp_path):
    store = LakeStore(tmp_path / "lake")
    with pytest.raises(NotEnoughData, match="no recommendation was logged"):
        uplift(store, store.snapshot(), until=UNTIL)
