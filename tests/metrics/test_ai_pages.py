"""What dashboards ask of machines and moods, beside a slow obvious count of the same simulated events."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from workbench.bench import Bench
from workbench.config import Settings
from workbench.ingest.files import ingest
from workbench.simulate import write
from workbench.store.lake import LakeStore

BERLIN = ZoneInfo("Europe/Berlin")
PRICES = {"atlas-small": {"input": 1, "output": 4}, "nimbus-1": {"input": 2, "output": 8, "cached": 0.5}}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("community")
    write(folder / "events.parquet", users=25, days=20)
    lake = LakeStore(folder / "lake")
    ingest(lake, folder / "events.parquet")
    return Bench(lake, Settings(timezone="Europe/Berlin", prices=PRICES))


@pytest.fixture(scope="module")
def events(bench):
    rows = bench.snapshot.query("SELECT event_type, user_id, occurred_at, properties FROM events").to_pylist()
    return [{**row, "at": row["occurred_at"].astimezone(BERLIN), "said": json.loads(row["properties"])} for row in rows]


def of(events, *kinds):
    return [event for event in events if event["event_type"] in kinds]


def test_tokens_cost_and_scores_are_those_of_a_slow_count(bench, events):
    groups = defaultdict(list)
    for event in of(events, "ai_interaction"):
        said = event["said"]
        groups[event["at"].date(), said["model"], said["endpoint"], said["prompt_version"]].append(said)
    frame = bench.ai_usage().frame
    assert len(frame) == len(groups) > 10
    for row in frame.to_dict("records"):
        told = groups[row["day"].date(), row["model"], row["endpoint"], row["prompt_version"]]
        assert row["interactions"] == len(told)
        assert row["errors"] == sum("error" in said for said in told)
        assert row["output_tokens"] == sum(said["output_tokens"] for said in told)
        scores = [said["quality_score"] for said in told if "quality_score" in said]
        assert row["quality"] == pytest.approx(np.mean(scores) if scores else np.nan, nan_ok=True)
        price = PRICES.get(row["model"])
        cost = sum(
            (said["input_tokens"] - said["cached_tokens"]) * price["input"]
            + said["cached_tokens"] * price.get("cached", price["input"])
            + said["output_tokens"] * price["output"]
            for said in told
        ) / 1e6 if price else np.nan  # fmt: skip
        assert row["cost_usd"] == pytest.approx(cost, nan_ok=True)


def test_an_interval_of_a_mean_is_that_of_the_scores(bench, events):
    told = [e["said"] for e in of(events, "ai_interaction") if e["said"]["prompt_version"] == "v3"]
    scores = [said["quality_score"] for said in told if "quality_score" in said]
    row = bench.ai_usage().by("prompt_version").iloc[0]
    half = 1.96 * np.std(scores, ddof=1) / len(scores) ** 0.5
    assert row["quality"] == pytest.approx(np.mean(scores))
    assert row["quality_high"] - row["quality"] == pytest.approx(half, rel=1e-3)


def test_percentiles_are_times_that_so_many_did_not_exceed(bench, events):
    found = bench.response_times()
    for kind in ("request", "ai_interaction"):
        took = sorted(e["said"]["response_time_ms"] for e in of(events, kind))
        row = found.percentiles.set_index("event_type").loc[kind]
        assert row["requests"] == len(took)
        assert row["p95_ms"] == int(took[int(np.ceil(0.95 * len(took))) - 1])
        bars = found.histogram[found.histogram["event_type"] == kind]
        assert bars["requests"].iloc[3] == sum(100 <= ms < 200 for ms in took)


def test_sentiment_is_the_mean_of_the_scores_of_a_day(bench, events):
    days = defaultdict(list)
    for event in of(events, "message_sentiment"):
        if "sentiment_score" in event["said"]:
            days[event["at"].date()].append(event["said"]["sentiment_score"])
    frame = bench.sentiment().frame
    assert [day.date() for day in frame["day"]] == sorted(days)
    assert frame["sentiment"].tolist() == pytest.approx([np.mean(days[day]) for day in sorted(days)])


def test_an_hour_of_the_week_has_the_mean_of_its_weeks(bench, events):
    hours = defaultdict(set)
    for event in events:
        hours[event["at"].replace(minute=0, second=0, microsecond=0)].add(event["user_id"])
    row = bench.rhythm().frame.query("weekday == 2 and hour == 20").iloc[0]
    there = [len(people) for hour, people in hours.items() if (hour.weekday(), hour.hour) == (2, 20)]
    assert row["users"] == pytest.approx(sum(there) / row["weeks"])
    assert row["weeks"] in (2, 3)


def test_a_time_without_events_has_rows_of_nothing_and_charts_that_say_so(bench):
    then = {"since": "2020-01-01", "until": "2020-01-02", "now": datetime(2020, 1, 3, tzinfo=UTC)}
    for answer in (bench.ai_usage(**then), bench.response_times(**then), bench.sentiment(**then), bench.rhythm(**then)):
        assert answer.frame.empty
        assert answer.reading()
        answer.chart()
