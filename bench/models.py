"""How good the models are, against the ground truth of the simulation and against published results; and how fast.

* churn: on a larger community, AUC beside that of who knows the truth: the hazard, and everything;
* raids: whether true effects lie inside 90% intervals, pooled over many communities;
* CDNOW: the published parameters of BG/NBD and Gamma-Gamma;
* scoring: everything that is predicted of a million people.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import workbench as wb
from workbench.models import evaluate
from workbench.models.examples import history
from workbench.models.lessons import LESSONS, Horizons
from workbench.models.policy import policy
from workbench.models.purchasing import fit_bg_nbd, fit_gamma_gamma
from workbench.models.raid_design import SLOTS, design
from workbench.models.raids import effects, fit_raids
from workbench.simulate import community, oracle
from workbench.simulate.effects import RAID, RAID_SLOTS
from workbench.store.lake import LakeStore

FOLDER = Path(".cache/bench")
END = datetime(2026, 11, 23, tzinfo=UTC)
DAYS = 28
LEAST_SHARE = 0.9
MOST_MISCALIBRATED = 0.03
COVERED = (0.85, 0.95)
SCORING_SECONDS = 60
PUBLISHED = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
PUBLISHED_VALUE = {"p": 6.25, "q": 3.74, "v": 15.44}


def main(arguments: list[str]) -> int:
    """Print each figure; 1 if one is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench models", description=__doc__)
    parser.add_argument("--users", type=int, default=20_000, help="people of the community that churn is judged on")
    parser.add_argument("--communities", type=int, default=72, help="communities that raids are judged on")
    parser.add_argument("--people", type=int, default=1_000_000, help="people to score")
    parser.add_argument("--only", default="", help="churn, raids, cdnow or scoring")
    wanted = parser.parse_args(arguments)
    figures = {
        "cdnow": cdnow,
        "churn": lambda: churn(wanted.users),
        "scoring": lambda: scoring(wanted.users, wanted.people),
        "raids": lambda: raids(wanted.communities),
    }
    return max(figure() for name, figure in figures.items() if wanted.only in name)


def churn(users: int) -> int:
    """Train as of before the last four weeks; compare with what the truth would have said of them."""
    lake, truth = _community(users)
    seen = history(lake.snapshot(), cutoff=END, horizon_days=DAYS)
    fold = seen.folds()[0][0]
    lesson = LESSONS["churn"]
    model = lesson.fit(seen.examples(fold.fit), seen.examples([fold.calibrate]), seed=0, horizons=Horizons())
    asked = seen.examples([fold.validate])
    risk = model.predict(asked.X)
    known = truth.to_pandas().set_index("user_id").index.get_indexer(asked.X.index)
    say = {
        "the hazard": oracle.leaving(truth, fold.validate, days=DAYS)[known],
        "the whole truth": oracle.silence(truth, fold.validate, days=DAYS)[known],
    }
    silent = asked.churned.to_numpy(dtype=float)
    missed = 0
    ours = _auc(silent, risk)
    for name, values in say.items():
        share = (ours - 0.5) / (_auc(silent, values) - 0.5)
        missed |= int(share < LEAST_SHARE)
        print(f"churn: AUC {ours:.4f}, of {name} {_auc(silent, values):.4f}: {share:.1%} of what lies above 0.5")
    there = ~oracle.gone(truth, fold.validate)[known]
    soon = oracle.gone(truth, fold.validate + timedelta(days=DAYS))[known][there].astype(float)
    left, best = _auc(soon, risk[there]), _auc(soon, say["the hazard"][there])
    print(f"churn of those still there: AUC {left:.4f}, of the hazard {best:.4f}: {(left - 0.5) / (best - 0.5):.1%}")
    error = evaluate.calibration_error(*_ranked(silent, risk), np.ones(len(risk)))
    print(f"churn: calibration error {error:.4f} (at most {MOST_MISCALIBRATED}) over {len(risk):,} people")
    return missed | int(error > MOST_MISCALIBRATED)


def raids(communities: int) -> int:
    """Count how many true effects lie inside their 90% intervals."""
    inside, per = [], {}
    for seed in range(1, communities + 1):
        crowd = community(users=2_500, days=120, seed=seed)
        for _ in crowd:
            pass
        for name, held in _held(crowd.truth.raids.to_pandas()).items():
            inside.append(held)
            per.setdefault(name, []).append(held)
    share = float(np.mean(inside))
    told = ", ".join(f"{name} {np.mean(held):.0%}" for name, held in per.items())
    print(f"raids: {share:.1%} of {len(inside)} true effects inside 90% intervals ({told})")
    return int(not COVERED[0] <= share <= COVERED[1])


def _held(truth: pd.DataFrame) -> dict[str, bool]:
    known = truth.assign(
        weekend=(truth["started_at"].dt.day_of_week >= 5).astype(float),
        exposure=1.0,
        success=truth["success"].astype(float),
    )
    chosen = design(known)
    found = effects(fit_raids(known, chosen), chosen).set_index("driver")
    mean = np.mean(list(RAID_SLOTS.values()))
    # -0.8 log2(minutes / 45)^2 as a polynomial around the reference duration
    shift = np.log2(chosen.minutes / 45)
    true = {
        "log participants": RAID["log_participants"],
        "log reward": RAID["log_reward"],
        "log2 duration": 2 * RAID["off_duration"] * shift,
        "log2 duration squared": RAID["off_duration"],
        **{f"slot {slot}": RAID_SLOTS[slot] - mean for slot in SLOTS},
    }
    return {name: bool(found["ci_low"][name] <= value <= found["ci_high"][name]) for name, value in true.items()}


def cdnow() -> int:
    """Fit the sample that the papers fit."""
    folder = Path(find_spec("lifetimes").submodule_search_locations[0]) / "datasets"
    summary = pd.read_csv(folder / "cdnow_customers_summary.csv")
    start = time.perf_counter()
    buying = fit_bg_nbd(summary["frequency"], summary["recency"], summary["T"])
    seconds = time.perf_counter() - start
    missed = any(abs(getattr(buying, name) - value) > 0.0005 for name, value in PUBLISHED.items())
    told = ", ".join(f"{name} {getattr(buying, name):.3f}" for name in PUBLISHED)
    print(f"CDNOW BG/NBD: {told}, log-likelihood {buying.log_likelihood:.1f}, {seconds:.2f} s")
    paying = fit_gamma_gamma(*_repeats(folder))
    missed |= any(abs(getattr(paying, name) - value) > 0.005 for name, value in PUBLISHED_VALUE.items())
    print("CDNOW Gamma-Gamma: " + ", ".join(f"{name} {getattr(paying, name):.2f}" for name in PUBLISHED_VALUE))
    return int(missed or seconds > 1)


def _repeats(folder: Path) -> tuple[pd.Series, pd.Series]:
    names = ["master", "id", "day", "units", "value"]
    bought = pd.read_csv(folder / "CDNOW_sample.txt", sep=r"\s+", header=None, names=names, dtype={"day": str})
    bought = bought[pd.to_datetime(bought["day"]) <= "1997-09-30"].groupby(["id", "day"])["value"].sum().reset_index()
    repeated = bought[bought.groupby("id").cumcount() > 0].groupby("id")["value"].agg(["size", "mean"])
    return repeated["size"], repeated["mean"]


def scoring(users: int, people: int) -> int:
    """Predict everything of so many people, drawn from those of a community."""
    lake, _ = _community(users)
    bench = wb.Bench(lake)
    bench.train(cutoff=END, registry=FOLDER / "models")
    known = bench.features(cutoff=END).active(DAYS).X
    drawn = np.random.default_rng(0).integers(0, len(known), people)
    many = known.iloc[drawn].set_axis([f"u{number:07d}" for number in range(people)])
    registry, rules = bench.registry(FOLDER / "models"), policy()
    start = time.perf_counter()
    said = {name: registry.serving(lesson.model, name).model.outputs(many) for name, lesson in LESSONS.items()}
    rules.recommend(rules.levels(said["churn"]["churn_risk"]))
    seconds = time.perf_counter() - start
    print(f"scoring: {people:,} people by {len(said)} models and the policy in {seconds:.1f} s (at most 60)")
    return int(seconds > SCORING_SECONDS)


def _community(users: int) -> tuple[LakeStore, pa.Table]:
    """Return the lake and the truth about its people, made if they were not before."""
    name = FOLDER / f"community-{users}"
    if not (name / "done").exists():
        name.mkdir(parents=True, exist_ok=True)
        run = [sys.executable, "-m", "workbench"]
        subprocess.run([*run, "simulate", "--users", str(users), "--out", str(name / "c.parquet")], check=True)
        subprocess.run([*run, "ingest", str(name / "c.parquet"), "--store", str(name / "lake")], check=True)
        (name / "c.parquet").unlink()
        (name / "done").touch()
    return LakeStore(name / "lake"), pq.read_table(name / "c.truth" / "users.parquet")


def _ranked(truth: np.ndarray, said: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(-np.asarray(said), kind="stable")
    return truth[order], np.asarray(said)[order]


def _auc(truth: np.ndarray, said: np.ndarray) -> float:
    return evaluate.auc(*_ranked(truth, said), np.ones(len(truth)))
