"""Every question, on DuckDB and on the real ClickHouse engine in this process: equal answers, whatever the events.

To hold a new question to it, add a line to `QUESTIONS`: `"method: what is asked": lambda bench: …`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from random import Random

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import workbench as wb
from tests.metrics.test_journeys_drop_off import town
from workbench.bench import Bench
from workbench.config import Settings
from workbench.errors import WorkbenchError
from workbench.events import EVENT_TABLE, Event
from workbench.models.features import features
from workbench.models.forecast import daily
from workbench.models.labels import outcomes
from workbench.models.questions import ModelQuestions
from workbench.store import clickhouse_log
from workbench.store.clickhouse import ClickHouseStore
from workbench.store.lake import LakeStore
from workbench.store.memory import MemoryStore
from workbench.testing import events_of, stored

EXAMPLES = settings.default.max_examples // 25
PHASES = [Phase.explicit, Phase.generate, *([Phase.shrink] if EXAMPLES > 10 else [])]
"""Making an example smaller takes long where two databases are asked: only when one digs."""

NIGHTS = (datetime(2026, 3, 28, 22, tzinfo=UTC), datetime(2026, 10, 24, 22, tzinfo=UTC))
"""Two hours before the day on which Berlin's clocks change."""
NOW = "2026-10-28"
TICKS = [0, 0, 1]
LATE = [timedelta(), timedelta(hours=1), timedelta(days=3)]
PEOPLE = ["ann", "b'ob", 'zo"ë', "$now", "{x:String}", "a\\", "\u2028", "😀", "\N{DIGIT FIVE}"]
FUNNEL = JOIN, TALK, PAY = ["user_joined", "message_sent", "purchase"]
STRANGE, ODD = "it's; DROP TABLE events --", "na\\ïve\n$1"
TYPES = [
    "user_joined", "first_message", "message_sent", "raid_started", "raid_joined", "raid_action", "raid_ended",
    "session_started", "session_ended", "purchase", "ai_interaction", "request", "wallet_connected",
    "message_sentiment", STRANGE, ODD,
]  # fmt: skip
PROPERTIES = [
    None, {}, {"plan": "free"}, {"plan": 1}, {"plan": 1.0}, {"plan": "1"}, {"plan": None}, {"plan": [1.0, "x.0]"]},
    {"plan": True}, {"a.b/c~'\"$": "é"}, {"a.b/c~'\"$": ""}, {"a": {"plan": "deep"}}, {"success": True},
    {"success": "no", "reward_xp": 2.5, "target": "t'"}, {"session_duration": 12.5}, {"session_duration": "7"},
    {"plan": 2**63}, {"plan": 1e22}, {"plan": "\u2028"}, {"response_time_ms": 0, "status": 200, "error": ""},
    {"response_time_ms": 80.25, "status": 503}, {"response_time_ms": "12.5", "status": "429", "error": None},
    {"response_time_ms": -1, "error": "timeout"}, {"response_time_ms": 1e300, "status": 404, "error": False},
    {"response_time_ms": " 5", "status": 1e22, "error": {}}, {"response_time_ms": "1e2", "status": [500]},
    {"response_time_ms": "inf", "status": "+500", "error": "false"}, {"response_time_ms": True, "status": "5e2"},
    {"user_satisfaction": 0.5, "sentiment_score": "-1e1", "session_duration": " 3 "}, {"error": {"code": 1}},
    {"session_duration": "NaN", "user_satisfaction": True, "error": "timeout"}, {"session_duration": [3], "error": []},
    {"response_time_ms": "0x10", "status": 499.5, "error": 0}, {"response_time_ms": "5.", "status": "500\n"},
]  # fmt: skip


@st.composite
def tables(draw):
    """Events of a few people around the two nights: many at one instant, some twice, some ingested late.

    The first of them does everything once, so that each question is of something.
    """
    chance = Random(draw(st.integers(0, 2**32)))  # noqa: S311 - made-up events
    people = chance.sample(PEOPLE, draw(st.integers(2, 5)))
    types = [*TYPES, *chance.choices([*TYPES, *FUNNEL * 3], k=draw(st.integers(30, 90)))]
    doers = [people[0]] * len(TYPES) + chance.choices(people, k=len(types))
    return table_of([row(chance, event_type, who) for event_type, who in zip(types, doers, strict=False)])


def row(chance, event_type, user_id):
    """Make up an event, its properties, and when it was ingested."""
    occurred_at = chance.choice(NIGHTS) + timedelta(hours=chance.randint(0, 60) / 2, microseconds=chance.choice(TICKS))
    event = Event(
        event_id=str(chance.randint(0, 300)),
        event_type=event_type,
        user_id=user_id,
        occurred_at=occurred_at,
        platform=chance.choice([None, "web", "te'le", "di\\s", "Ünï"]),
        session_id=chance.choice([None, "s1", "s'2"]),
        raid_id=chance.choice([None, "r1", "r'2"]),
        value=chance.choice([None, 0.1, 1.0, -0.0, 9.99, 1e16]),
    )
    return event, chance.choice(PROPERTIES), occurred_at + chance.choice(LATE)


def table_of(rows):
    table = stored([event for event, _, _ in rows])
    columns = {name: table[name] for name in table.column_names}
    written = [None if properties is None else json.dumps(properties) for _, properties, _ in rows]
    columns["properties"] = pa.array(written, pa.string())
    columns["ingested_at"] = pa.array([ingested_at for _, _, ingested_at in rows], pa.timestamp("us", "UTC"))
    return pa.table(columns)


ON_WEB = wb.step(TALK, where={"platform": ["web", "te'le"]})
ON_PLAN = wb.step(TALK, where={"plan": [1, "free", True]})
HOSTILE = wb.step(TALK, where={"a.b/c~'\"$": ["é", ""]})
VALUED = wb.step(PAY, where={"value": [0.1, 9.99, "1", 2**60]})
OFTEN = wb.segment(TALK, at_least=2) | wb.segment(ON_PLAN, within="150d", anywhere=True)
NEVER = ~wb.segment(ODD) & wb.segment(at_least=2, since="2026-03-01", until="2026-10-26")


def funnel(bench, steps=FUNNEL, **options):
    return bench.funnel(steps, **{"within": "300d", "now": NOW, **options})


def retention(bench, **options):
    return bench.retention(JOIN, **{"period": "day", "now": NOW, **options})


def journeys(bench, **options):
    return bench.journeys(now=NOW, **options)


def people(answer, column, **options):
    """Give who is behind each row of an answer."""
    return [answer.people(name, **options) for name in answer.frame[column]]


QUESTIONS: dict[str, Callable[[Bench], object]] = {
    "funnel: ordered": funnel,
    "funnel: strict": lambda bench: funnel(bench, order="strict"),
    "funnel: strict, a time, totals": lambda bench: funnel(
        bench, order="strict", counting="totals", since="2026-03-29", until="2026-10-25T02:30", tz="Europe/Berlin"
    ),
    "funnel: strict, of all time": lambda bench: funnel(bench, order="strict", within="36500d"),
    "funnel: strict, by platform": lambda bench: funnel(bench, order="strict", by="platform", attribution="last"),
    "funnel: any order": lambda bench: funnel(bench, order="any"),
    "funnel: a short window": lambda bench: funnel(bench, within="90m"),
    "funnel: conditions": lambda bench: funnel(bench, [JOIN, ON_WEB, ON_PLAN]),
    "funnel: hostile names": lambda bench: funnel(bench, [HOSTILE, VALUED]),
    "funnel: hostile events": lambda bench: funnel(bench, [STRANGE, ODD], order="any"),
    "funnel: exclusion": lambda bench: funnel(bench, exclude=[(STRANGE, 1, 3)]),
    "funnel: exclusion of attempts": lambda bench: funnel(bench, exclude=[(ON_WEB, 1, 2)], exclusion="attempt"),
    "funnel: by platform": lambda bench: funnel(bench, by="platform"),
    "funnel: by property, last": lambda bench: funnel(bench, by="plan", attribution="last"),
    "funnel: by a hostile property, all": lambda bench: funnel(bench, by="a.b/c~'\"$", attribution="all"),
    "funnel: by value, of the user": lambda bench: funnel(bench, by="value", attribution="user"),
    "funnel: by few, a given step": lambda bench: funnel(bench, by="plan", attribution=2, top=1),
    "funnel: by segments": lambda bench: funnel(bench, by={"often": OFTEN, "never": NEVER}),
    "funnel: sessions": lambda bench: funnel(bench, counting="sessions"),
    "funnel: totals": lambda bench: funnel(bench, counting="totals"),
    "funnel: first only, no ties": lambda bench: funnel(bench, anchor="first", ties=False),
    "funnel: reuse": lambda bench: funnel(bench, [TALK, TALK, ON_WEB], reuse=True),
    "funnel: a time": lambda bench: funnel(bench, since="2026-03-29", until="2026-10-25T02:30", tz="Europe/Berlin"),
    "funnel: two seconds of grace": lambda bench: funnel(bench, [PAY, TALK, JOIN], grace="1h"),
    "funnel: an entry stays": lambda bench: funnel(bench, exclude=[(STRANGE, 1, 3)], exclusion="entry", order="any"),
    "funnel: a first step in any order": lambda bench: funnel(bench, order="any", within="3h", first_step=True),
    "funnel: once per segment": lambda bench: funnel(bench, by="plan", once="segment", within="90m"),
    "funnel: a value held": lambda bench: funnel(bench, hold="plan"),
    "funnel: pairs, by platform": lambda bench: funnel(bench, hold="plan", counting="pairs", by="platform"),
    "funnel: posthog": lambda bench: funnel(bench, dialect="posthog"),
    "funnel: mixpanel": lambda bench: funnel(bench, dialect="mixpanel"),
    "funnel: amplitude": lambda bench: funnel(bench, dialect="amplitude"),
    "funnel: clickhouse": lambda bench: funnel(bench, dialect="clickhouse", modes=["strict_order"]),
    "funnel: people": lambda bench: [funnel(bench).people(2), funnel(bench).people(2, dropped=True)],
    "funnel: comparisons": lambda bench: funnel(bench, by="platform").comparisons,
    "funnel: times": lambda bench: funnel(bench).times(1, 2),
    "funnel: survival": lambda bench: funnel(bench).survival(),
    "funnel: trend": lambda bench: funnel(bench, tz="Europe/Berlin").trend("day"),
    "funnel: drivers": lambda bench: funnel(bench, [JOIN, TALK]).drivers(properties=["platform", "plan"]),
    "funnel: compare": lambda bench: funnel(bench).compare("mixpanel"),
    "retention: days": retention,
    "retention: berlin's weeks": lambda bench: retention(bench, period="week", tz="Europe/Berlin"),
    "retention: months, of messages": lambda bench: retention(bench, returns=TALK, period="month"),
    "retention: on or after": lambda bench: retention(bench, kind="on_or_after"),
    "retention: on or before": lambda bench: retention(bench, returns=TALK, kind="on_or_before"),
    "retention: everybody in period 0": lambda bench: retention(bench, returns=TALK, dialect="posthog"),
    "retention: amplitude's weeks": lambda bench: retention(bench, returns=TALK, period="week", dialect="amplitude"),
    "retention: by plan, of messages": lambda bench: retention(bench, returns=TALK, by="plan"),
    "retention: brackets": lambda bench: retention(bench, kind="bracket", brackets=[(0, 0), (1, 6), (7, 300)]),
    "retention: streaks": lambda bench: retention(bench, kind="streak"),
    "retention: rolling, recurring": lambda bench: retention(bench, clock="rolling", cohort="recurring"),
    "retention: of the period before": lambda bench: retention(bench, of="previous"),
    "retention: by plan": lambda bench: retention(bench, by="plan"),
    "retention: means": lambda bench: retention(bench, mean="mixpanel").mean,
    "lifecycle: days in berlin": lambda bench: bench.lifecycle(period="day", tz="Europe/Berlin", now=NOW),
    "lifecycle: of messages": lambda bench: bench.lifecycle(period="week", event=TALK, now=NOW),
    "stickiness: days": lambda bench: bench.stickiness(period="day", tz="Europe/Berlin", now=NOW),
    "stickiness: cumulative": lambda bench: bench.stickiness(period="month", cumulative=True, now=NOW),
    "active_users: days in berlin": lambda bench: bench.active_users(tz="Europe/Berlin", now=NOW),
    "active_users: trailing weeks": lambda bench: bench.active_users(window="7d", now=NOW),
    "active_users: ratios": lambda bench: bench.active_users(now=NOW).ratios,
    "active_users: by platform": lambda bench: bench.active_users(period="month", by="platform", now=NOW),
    "active_users: of a condition": lambda bench: bench.active_users(event=ON_PLAN, now=NOW),
    "message_volume: hours of both nights": lambda bench: bench.message_volume(
        period="hour", tz="Europe/Berlin", now=NOW
    ),
    "message_volume: people": lambda bench: people(bench.message_volume(tz="Europe/Berlin", now=NOW), "period"),
    "message_volume: weeks": lambda bench: bench.message_volume(period="week", tz="Australia/Lord_Howe", now=NOW),
    "message_volume: days": lambda bench: bench.message_volume(tz="America/St_Johns", now=NOW, since="2026-04-01"),
    "platform_distribution": lambda bench: bench.platform_distribution(now=NOW),
    "platform_distribution: people": lambda bench: people(bench.platform_distribution(now=NOW), "platform", main=True),
    "platforms": lambda bench: bench.platforms(tz="Europe/Berlin", now=NOW),
    "raid_activity": lambda bench: bench.raid_activity(now=NOW),
    "raid_activity: people": lambda bench: people(bench.raid_activity(now=NOW), "raid_id"),
    "raid_facts": lambda bench: bench.raid_facts(now=NOW),
    "raid_facts: people": lambda bench: people(bench.raid_facts(now=NOW), "raid_id", new=True),
    "raids_in_progress": lambda bench: bench.raids_in_progress(now="2026-10-25T12:00:00"),
    "raids_in_progress: before the end": lambda bench: bench.raids_in_progress(now="2026-03-29T04:00:00"),
    "event_volume: minutes": lambda bench: bench.event_volume(now=NOW),
    "event_volume: hours of a night": lambda bench: bench.event_volume(width="1h", since="2026-10-24", now=NOW),
    "active_minutes": lambda bench: bench.active_minutes(since="2026-10-24T21:30", until="2026-10-26", now=NOW),
    "performance: half hours": lambda bench: bench.performance(width="30m", now=NOW),
    "performance: by event type": lambda bench: bench.performance(width="1d", by="event_type", now=NOW),
    "performance: of all time": lambda bench: bench.performance(width="36500d", now=NOW),
    "response_times": lambda bench: bench.response_times(now=NOW),
    "ai_usage": lambda bench: bench.ai_usage(tz="Europe/Berlin", now=NOW),
    "sentiment": lambda bench: bench.sentiment(tz="America/St_Johns", now=NOW),
    "purchase_outlook": lambda bench: bench.purchase_outlook(until=NOW),
    "spending": lambda bench: bench.spending(tz="Europe/Berlin", until=NOW, now=NOW),
    "data_quality": lambda bench: bench.data_quality(tz="Europe/Berlin", until="2026-10-26", now=NOW),
    "rhythm": lambda bench: bench.rhythm(tz="Europe/Berlin", now=NOW),
    "profiles": lambda bench: bench.profiles(tz="Europe/Berlin", now=NOW),
    "journeys: transitions": lambda bench: journeys(bench).transitions(),
    "journeys: a time, some events": lambda bench: journeys(
        bench, events=[*FUNNEL, ODD], since="2026-03-29", until="2026-10-25T02:30", tz="Europe/Berlin"
    ).transitions("count"),
    "journeys: graph": lambda bench: journeys(bench, sessions="2h", collapse=True).graph("probability_in", top=20),
    "journeys: step matrix": lambda bench: journeys(bench).step_matrix(TALK),
    "journeys: around a run of events": lambda bench: journeys(bench, sessions=None).step_matrix([JOIN, TALK]),
    "journeys: step sankey": lambda bench: journeys(bench, sessions=None).step_sankey(TALK, top=3),
    "journeys: clusters": lambda bench: journeys(bench).clusters(2),
    "journeys: people": lambda bench: [
        journeys(bench).people(),
        journeys(bench).transitions().people("(start)", TALK),
        journeys(bench, sessions=None).step_matrix(TALK).people(TALK, 0),
        journeys(bench, sessions=None).having(JOIN).without(ODD, STRANGE).people(),
    ],
    "journeys: paths": lambda bench: journeys(bench, sessions="6h").paths(),
    "journeys: patterns": lambda bench: journeys(bench, sessions=None).patterns(2),
    "journeys: loops": lambda bench: journeys(bench, sessions=None, collapse=True).loops(),
    "journeys: given sessions": lambda bench: journeys(bench, sessions="given", ignore=[ODD]).paths(),
    "journeys: two kinds": lambda bench: journeys(bench).having(TALK).diff(journeys(bench).without(TALK)),
    "of: a segment": lambda bench: funnel(bench.of(OFTEN, now=NOW)),
    "of: who never did": lambda bench: bench.of(NEVER, now=NOW).profiles(now=NOW),
    "as_of: before the late ones": lambda bench: retention(bench.as_of("2026-10-25T12:00:00")),
    "as_of: a segment": lambda bench: bench.as_of("2026-10-25T12:00:00").of(NEVER, now=NOW).active_users(now=NOW),
    "last_event": lambda bench: bench.last_event,
    "features": lambda bench: bench.features(cutoff="2026-10-26").X,
    "features: of a cutoff between events": lambda bench: bench.features(cutoff="2026-10-25T00:30:00").X,
    "features: of a segment": lambda bench: bench.of(OFTEN, now=NOW).features(cutoff="2026-10-26").X,
    "features: as known then": lambda bench: bench.as_of("2026-10-25T12:00:00").features(cutoff="2026-10-26").X,
}
LABELS = (datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 10, 25, 6, tzinfo=UTC))
NO_QUESTIONS = {"now", "place",
    "data_version", "forecast", "ingest", "keep_predictions", "keeps", "live", "live_check", "policy", "predict",
    "predictor", "raid_advice", "raid_analyzer", "raid_success", "refresh", "registry", "retrain", "save",
    "save_segment", "segment", "segments", "train", "uplift",
}  # fmt: skip


@pytest.fixture(scope="module")
def house():
    """A store whose events are asked for as if no batch had come for long."""
    store = ClickHouseStore("chdb://:memory:")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(clickhouse_log, "QUIET_SECONDS", -60)
        yield store
    store.clear()
    store.close()


@pytest.mark.parametrize("question", QUESTIONS)
@settings(max_examples=EXAMPLES, phases=PHASES)
@given(table=tables())
def test_both_engines_give_the_same_answer(house, question, table):
    house.clear()
    house.load(table)
    ask = QUESTIONS[question]
    duck, clickhouse = (answered(ask, Bench(store, Settings())) for store in (MemoryStore(table), house))
    assert_equal(duck, clickhouse)


@pytest.fixture(scope="module")
def halved(tmp_path_factory):
    """The same events in memory, and in a lake where the earlier ingested are sorted into cells and the others wait."""
    chance = Random(7)  # noqa: S311 - made-up events
    rows = [row(chance, event_type, chance.choice(PEOPLE)) for event_type in [*TYPES, *FUNNEL * 3] * 40]
    lake, tables = LakeStore(tmp_path_factory.mktemp("halved") / "lake"), []
    for number, ingested_at in enumerate(datetime(2026, 10, day, tzinfo=UTC) for day in (24, 25, 26, 27)):
        table = table_of([(event, properties, ingested_at) for event, properties, _ in rows[number::4]])
        events = table.select([*EVENT_TABLE.names, "position"])
        lake.append(events, source=f"{number}", start=0, end=table.num_rows, ingested_at=ingested_at)
        tables.append(
            table.set_column(table.column_names.index("source"), "source", pa.array([f"{number}"] * len(table)))
        )
        if number == 1:
            lake.maintain()
    return Bench(MemoryStore(pa.concat_tables(tables)), Settings()), Bench(lake, Settings())


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_lake_gives_the_answer_that_its_events_give_in_memory(halved, question):
    memory, lake = (answered(QUESTIONS[question], bench) for bench in halved)
    assert_equal(memory, lake)


def answered(ask, bench):
    """Return what an answer says, as frames and plain values; or the error that it is."""
    try:
        answer = ask(bench)
    except WorkbenchError as error:
        return f"{type(error).__name__}: {error}"
    frame = getattr(answer, "frame", answer)
    return in_utc(frame) if isinstance(frame, pd.DataFrame) else frame


def in_utc(frame):
    """Name the zone of instants alike: DuckDB says Etc/UTC."""
    zoned = frame.select_dtypes(include=["datetimetz"]).columns
    return frame.assign(**{name: frame[name].dt.tz_convert("UTC") for name in zoned})


def assert_equal(one, other):
    """Counts to the last digit, floats within 1e-9, the same types and texts."""
    assert type(one) is type(other), f"{one}\n{other}"
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other, rtol=1e-9, atol=1e-9)
        counts = one.select_dtypes(include=["integer", "bool"]).columns
        pd.testing.assert_frame_equal(one[counts], other[counts], check_exact=True)
    elif isinstance(one, Mapping):
        assert one.keys() == other.keys()
        for name in one:
            assert_equal(one[name], other[name])
    else:
        assert one == other


@settings(max_examples=EXAMPLES, phases=PHASES)
@given(table=tables())
def test_what_models_learn_to_predict_is_the_same(house, table):
    house.clear()
    house.load(table)
    duck, clickhouse = (outcomes(store.snapshot(), *LABELS) for store in (MemoryStore(table), house))
    assert_equal(duck, clickhouse)


def test_open_journeys_have_the_same_risk(house):
    """Of made-up tables there are too few journeys to learn from."""
    table = stored(events_of(town()))
    house.clear()
    house.load(table)
    for goal in (None, "buy"):
        one, other = (
            Bench(store, Settings()).journeys(now="2026-01-06T06:00").drop_off(goal)
            for store in (MemoryStore(table), house)
        )
        for name in ("frame", "calibration"):
            assert_equal(in_utc(getattr(one, name)), in_utc(getattr(other, name)))
        assert asdict(one.score) == pytest.approx(asdict(other.score), rel=1e-9)


@settings(max_examples=EXAMPLES, phases=PHASES)
@given(table=tables())
def test_what_models_learn_from_is_the_same(house, table):
    house.clear()
    house.load(table)
    one, other = (store.snapshot() for store in (MemoryStore(table), house))
    for cutoff in (NIGHTS[0] + timedelta(hours=20, microseconds=1), NIGHTS[1] + timedelta(hours=3)):
        assert_equal(*(features(snapshot, cutoff).X for snapshot in (one, other)))
        span = {"since": cutoff - timedelta(days=2), "until": cutoff}
        assert_equal(*(outcomes(snapshot, **span) for snapshot in (one, other)))
    for metric in ("active_users", "messages"):
        assert_equal(*(daily(snapshot, metric, timezone="Europe/Berlin")[0] for snapshot in (one, other)))


def test_every_question_of_a_bench_is_asked():
    named = {*vars(Bench), *(vars(ModelQuestions).keys() - ModelQuestions.__annotations__.keys())}
    methods = {name for name in named if not name.startswith("_")} - NO_QUESTIONS
    assert methods == {name.partition(":")[0] for name in QUESTIONS}
