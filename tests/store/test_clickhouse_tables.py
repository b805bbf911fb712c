"""The tables beside the events, each held to the question that says the same."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from workbench.bench import Bench
from workbench.config import Settings, TokenPrice
from workbench.store.clickhouse import ClickHouseStore
from workbench.store.clickhouse_tables import TABLES, fill
from workbench.testing import events_of, stored

START = datetime(2026, 11, 2, tzinfo=UTC)
NOW = START + timedelta(days=9)
PRICES = {"small": TokenPrice(input=1.0, output=4.0, cached=0.5)}


def community():
    rng = random.Random(5)  # noqa: S311 - made-up events
    events = []
    for number in range(25):
        for part, kind in enumerate(("view", "message_sent", "raid_joined", "purchase", "view")):
            minutes = sorted(rng.sample(range(9 * 1440), 6))
            events += events_of(
                {f"u{number}": " ".join(f"{kind}:{minute}" for minute in minutes)}, start=START,
                platform=rng.choice(["discord", "web", None]), session_id=f"s{part}",
            )  # fmt: skip
    said = {
        "model": "small", "input_tokens": 100, "cached_tokens": 60, "output_tokens": 10, "response_time_ms": 80.5,
        "quality_score": 0.9,
    }  # fmt: skip
    events += events_of({"u1": "ai_interaction:5 ai_interaction:9"}, start=START, properties=said)
    events += events_of({"u2": "ai_interaction:7"}, start=START, properties={**said, "model": "other"})
    mood = {"sentiment_score": 0.5, "emotion": "joy", "keywords": ["a", "b"], "language": "en"}
    events += events_of({"u1": "message_sentiment:6", "u3": "message_sentiment:8"}, start=START, properties=mood)
    for at, variant in ((30, "b"), (20, "a")):
        shown = {"experiment": "welcome", "variant": variant}
        events += events_of({"u4": f"experiment_exposed:{at}"}, start=START, properties=shown)
    return stored(events)


@pytest.fixture(scope="module", params=["chdb", "http"])
def house(request):
    dsn = "chdb://:memory:" if request.param == "chdb" else request.getfixturevalue("clickhouse_server").dsn
    store = ClickHouseStore(dsn)
    store.clear()
    for table in TABLES:
        store.command(f"TRUNCATE TABLE {table}")
    store.load(community())
    fill(store, now=NOW, prices=PRICES)
    yield store
    for table in TABLES:
        store.command(f"TRUNCATE TABLE {table}")
    store.clear()
    store.close()


def rows(store, table, order):
    return store.select(f"SELECT * EXCEPT written_at FROM {table} FINAL ORDER BY {order}").to_pylist()


def test_written_again_or_in_part_nothing_changes(house):
    before = {table: rows(house, table, "ALL") for table in TABLES}
    for since in (None, NOW - timedelta(days=3), None):
        fill(house, now=NOW, since=since, prices=PRICES)
    assert {table: rows(house, table, "ALL") for table in TABLES} == before
    assert all(before.values())


def test_profiles_are_those_of_the_question(house):
    frame = Bench(house, Settings()).profiles(now=NOW).frame.set_index("user_id")
    found = rows(house, "user_profiles", "user_id")
    names = ("events", "first_seen", "last_seen")
    told = {row["user_id"]: (*(row[name] for name in names), len(row["platforms"])) for row in found}
    assert told == {name: (*(row[each] for each in names), row["platforms"]) for name, row in frame.iterrows()}


def test_activity_adds_up_to_the_platforms_of_the_question(house):
    found = rows(house, "platform_activity", "user_id, platform, day")
    frame = Bench(house, Settings()).platform_distribution(now=NOW).frame.set_index("platform")
    for platform in ("discord", "web"):
        own = [row for row in found if row["platform"] == platform]
        assert sum(row["events"] for row in own) == frame.loc[platform, "events"]
        assert len({row["user_id"] for row in own}) == frame.loc[platform, "users"]


def test_journeys_are_cut_where_somebody_was_away_for_half_an_hour(house):
    events = house.snapshot().query("SELECT user_id, occurred_at, event_type FROM events").to_pylist()
    expected = []
    for name in {event["user_id"] for event in events}:
        own, journey = sorted((e["occurred_at"], e["event_type"]) for e in events if e["user_id"] == name), []
        for at, kind in own:
            if journey and at - journey[-1][0] >= timedelta(minutes=30):
                expected.append((name, journey[0][0], journey[-1][0], len(journey)))
                journey = []
            journey.append((at, kind))
        expected.append((name, journey[0][0], journey[-1][0], len(journey)))
    found = rows(house, "user_journeys", "user_id, start_time")
    assert sorted(expected) == [(r["user_id"], r["start_time"], r["end_time"], r["total_steps"]) for r in found]
    points = {point for row in found for point in row["conversion_points"]}
    assert points == {"raid_joined", "purchase"}


def test_answers_cost_what_the_question_says(house):
    frame = Bench(house, Settings(prices=PRICES)).ai_usage(prices=PRICES, now=NOW).frame.set_index("model")
    found = rows(house, "ai_performance", "timestamp")
    small = [row for row in found if row["model"] == "small"]
    assert sum(row["cost_usd"] for row in small) == pytest.approx(frame.loc["small", "cost_usd"])
    assert [row["cost_usd"] for row in found if row["model"] == "other"] == [None]
    assert {(row["response_time_ms"], row["tokens_used"], row["quality_score"]) for row in found} == {(80.5, 110, 0.9)}


def test_moods_and_variants_are_as_they_were_told(house):
    moods = rows(house, "sentiment_analysis", "timestamp")
    told = [(row["sentiment_score"], row["emotion"], row["keywords"]) for row in moods]
    assert told == [(0.5, "joy", ["a", "b"])] * 2
    [shown] = rows(house, "experiments", "unit_id")
    assert (shown["unit_id"], shown["variant"]) == ("u4", "a")
