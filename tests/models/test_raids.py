"""Why raids succeed: the true effects of a simulated community, and what follows for the next raid."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from workbench.errors import InvalidArgument, NotEnoughData
from workbench.models.raid_advice import RaidPerformanceAnalyzer, fit_turnout
from workbench.models.raid_design import SLOTS, design, ended_raids, exposure_now
from workbench.models.raids import effects, fit_raids, raid_success
from workbench.simulate import community
from workbench.simulate.effects import RAID, RAID_SLOTS
from workbench.store.base import as_stored
from workbench.store.memory import MemoryStore
from workbench.testing import START, events_of, store_of, stored

END = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture(scope="module")
def town():
    """A simulated community as a store, and the truth about its raids."""
    crowd = community(users=160, days=350, seed=5)
    table = pa.concat_tables(list(crowd))
    numbered = table.append_column("position", pa.array(range(len(table)), pa.int64()))
    whole = as_stored(numbered, source="s", ingested_at=END)
    return MemoryStore(whole), crowd.truth.raids.to_pandas()


@pytest.fixture(scope="module")
def snapshot(town):
    return town[0].snapshot()


@pytest.fixture(scope="module")
def found(snapshot):
    return raid_success(snapshot, until=END)


def test_raids_are_read_as_they_happened(town, snapshot):
    raids, truth = ended_raids(snapshot, until=END).set_index("raid_id"), town[1].set_index("raid_id")
    truth = truth.loc[raids.index]
    assert len(raids) > 300
    for name in ("duration_min", "participants", "reward_xp"):
        assert raids[name].tolist() == pytest.approx(truth[name].tolist(), rel=0.02), name
    assert raids["success"].astype(bool).tolist() == truth["success"].tolist()
    assert raids["slot"].tolist() == truth["slot"].tolist()
    assert raids["exposure"].between(0.1, 160).all()


def test_nothing_after_the_instant_counts(snapshot):
    until = END - timedelta(days=100)
    raids = ended_raids(snapshot, until=until)
    assert raids["started_at"].max() < until
    earlier = snapshot.query("SELECT * FROM events WHERE occurred_at < $until", {"until": until})
    pd.testing.assert_frame_equal(raids, ended_raids(MemoryStore(earlier).snapshot(), until=until))


def drawn(n, *, seed):
    """Draw raids and their outcomes by the laws of the simulation, without the community around them."""
    rng = np.random.default_rng(seed)
    raids = pd.DataFrame(
        {
            "slot": rng.choice(SLOTS, n),
            "platform": "discord",
            "duration_min": rng.choice([15, 30, 45, 60, 90, 120], n).astype(float),
            "participants": rng.integers(3, 60, n).astype(float),
            "reward_xp": rng.choice([50, 100, 200, 400], n).astype(float),
            "weekend": rng.integers(0, 2, n).astype(float),
            "exposure": rng.uniform(50, 500, n),
        }
    )
    logit = (
        RAID["intercept"]
        + raids["slot"].map(RAID_SLOTS)
        + RAID["log_participants"] * np.log(raids["participants"] / 15)
        + RAID["log_reward"] * np.log(raids["reward_xp"] / 100)
        + RAID["off_duration"] * np.log2(raids["duration_min"] / 45) ** 2
    )
    return raids.assign(success=(rng.random(n) < 1 / (1 + np.exp(-logit))).astype(float))


def test_true_effects_lie_inside_intervals_as_often_as_these_say():
    inside, mean = [], np.mean(list(RAID_SLOTS.values()))
    true = {
        "log participants": RAID["log_participants"],
        "log reward": RAID["log_reward"],
        "log2 duration squared": RAID["off_duration"],
        "log exposure": 0.0,
        "weekend": 0.0,
        **{f"slot {slot}": RAID_SLOTS[slot] - mean for slot in SLOTS},
    }
    for seed in range(80):
        raids = drawn(250, seed=seed)
        chosen = design(raids)
        found = effects(fit_raids(raids, chosen), chosen).set_index("driver")
        inside += [found["ci_low"][name] <= value <= found["ci_high"][name] for name, value in true.items()]
    assert 0.87 <= np.mean(inside) <= 0.93  # 720 intervals of 90%


def test_more_people_help_and_effects_lie_in_their_intervals(found):
    table = found.frame.set_index("driver")
    assert table.loc["log participants", "ci_low"] > 0
    assert np.allclose(table["odds_ratio"], np.exp(table["effect"]))
    assert (table["ci_low"] < table["effect"]).all()
    assert (table["effect"] < table["ci_high"]).all()
    assert found.doses["success_probability"].is_monotonic_increasing


def test_the_best_duration_is_near_the_true_one(found):
    minutes, low, high = found.best_duration
    assert low < minutes < high
    assert low <= 45 <= high


def test_the_threshold_is_where_the_dose_reaches_an_even_chance(found):
    people, low, high = found.threshold(0.5)
    assert low <= people <= high
    at = found.doses.set_index("participants")["success_probability"]
    assert at[at.index < low].max() < 0.55
    assert found.threshold(0.9999) is None


def test_probabilities_come_true_later(found):
    scores = found.scores.set_index("metric")
    assert scores.loc["auc", "value"] > 0.6
    assert scores.loc["brier", "value"] < scores.loc["brier", "baseline"]
    assert scores.loc["calibration_error", "ci_low"] < 0.1
    assert len(found.calibration) >= 2


def test_the_reading_and_the_drawings_say_the_figures(found):
    said = found.reading()
    assert f"Of {len(found.raids):,} raids {found.raids['success'].mean():.0%} succeeded" in said
    assert f"It takes {found.threshold()[0]:.0f} participants" in said
    for chart in (found.chart(), found.duration_chart(), found.reward_chart()):
        band, line = chart.marks
        assert len(band.low) == len(line.y) > 3
    assert found.to_dict()["rows"]


def test_a_raid_is_recommended_with_intervals(snapshot, found):
    analyzer = RaidPerformanceAnalyzer(snapshot, until=END)
    told = analyzer.recommend_raid_parameters("discord")
    assert told["enough_data"]
    for name in ("recommended_duration", "min_participants", "expected_participation", "success_probability"):
        assert told[name]["low"] <= told[name]["value"] <= told[name]["high"], name
    assert 0 < told["success_probability"]["low"] < told["success_probability"]["high"] < 1
    assert told["optimal_start_time"].endswith(" UTC")
    assert told["reward_structure"]["base_xp"] in set(found.raids["reward_xp"])
    hour = int(told["optimal_start_time"][:2])
    best = found.frame[found.frame["driver"].str.startswith("slot ")].set_index("driver")["effect"].idxmax()
    assert SLOTS[hour // 6] == best.removeprefix("slot ")


def test_as_many_come_as_is_expected_in_nine_of_ten_raids(snapshot, town):
    """Of later raids, set up as they were, the number of people lies in the interval that was told before."""
    raids = ended_raids(snapshot, until=END)
    cut = int(len(raids) * 0.7)
    early, late = raids.iloc[:cut], raids.iloc[cut:]
    turnout = fit_turnout(early, design(early, participants=False))
    inside = []
    for number in range(len(late)):
        drawn = turnout.draws(late.iloc[[number]], seed=number)
        low, high = np.quantile(drawn, [0.05, 0.95])
        inside.append(low <= late["participants"].iloc[number] <= high)
    assert np.mean(inside) == pytest.approx(0.9, abs=0.08)


def test_an_audience_is_told_how_many_of_it_will_come(snapshot, town):
    people = snapshot.query("SELECT DISTINCT user_id FROM events ORDER BY user_id")["user_id"].to_pylist()[:50]
    some = snapshot.query("SELECT * FROM events WHERE list_contains($people, user_id)", {"people": people})
    analyzer = RaidPerformanceAnalyzer(snapshot, until=END, audience=MemoryStore(some).snapshot())
    told = analyzer.recommend_raid_parameters()
    expected = told["expected_from_audience"]
    assert 0 <= expected["low"] <= expected["value"] <= expected["high"] < told["expected_participation"]["high"]


def test_an_answer_holds_the_same_numbers(snapshot):
    advice = RaidPerformanceAnalyzer(snapshot, until=END).advice()
    row = advice.frame.set_index("parameter").loc["success_probability"]
    assert row["value"] == pytest.approx(advice.told["success_probability"]["value"])
    assert advice.reading()
    factors = RaidPerformanceAnalyzer(snapshot, until=END).analyze_raid_success_factors()
    effects_of_slots = [slot["effect"] for slot in factors["best_time_slots"]]
    assert effects_of_slots == sorted(effects_of_slots, reverse=True)


def test_few_raids_are_not_enough_data(snapshot):
    early = ended_raids(snapshot, until=END)["started_at"].iloc[20]
    with pytest.raises(NotEnoughData, match=r"(19|20) raids have ended"):
        raid_success(snapshot, until=early)
    told = RaidPerformanceAnalyzer(snapshot, until=early).recommend_raid_parameters()
    assert told["enough_data"] is False
    assert "at least 60 are needed, 10 of each outcome" in told["reason"]
    advice = RaidPerformanceAnalyzer(snapshot, until=early).advice()
    assert advice.frame.empty
    assert "not enough data" in advice.reading().lower()


def test_no_raid_at_all_is_not_enough_data():
    with pytest.raises(NotEnoughData, match="0 raids have ended"):
        raid_success(store_of({"ann": "view:0"}).snapshot(), until=END)


def test_a_platform_without_raids_is_named(snapshot):
    with pytest.raises(InvalidArgument, match="no raid was called on 'fax'"):
        RaidPerformanceAnalyzer(snapshot, until=END).recommend_raid_parameters("fax")


def test_exposure_counts_who_was_active_in_the_week_before():
    day = timedelta(days=1)
    events = events_of({"ann": "view:0 view:1 view:6", "bob": "view:1"}, unit=day, platform="web")
    events += events_of({"cem": "view:2"}, unit=day, platform="discord")
    seen = MemoryStore(stored(events)).snapshot()
    assert exposure_now(seen, "web", until=START + 7 * day) == pytest.approx(4 / 7)
    assert exposure_now(seen, None, until=START + 7 * day) == pytest.approx(4 / 7)
    assert exposure_now(seen, "fax", until=START + 7 * day) == 0
    assert exposure_now(seen, "web", until=START + 40 * day) == 0
