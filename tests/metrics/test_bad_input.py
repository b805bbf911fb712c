"""What cannot be asked is a named error that says so; what can be asked of nobody is an empty answer."""

from __future__ import annotations

import time
from datetime import date, datetime, timedelta

import pytest

import workbench as wb
from tests.metrics.communities import community
from workbench.bench import Bench
from workbench.config import Settings
from workbench.errors import InvalidArgument, InvalidFunnel, UnknownEvent, UnknownProperty, WorkbenchError
from workbench.results import Answer
from workbench.testing import store_of

JOURNEYS = {"ann": "user_joined:0 message_sent:5 purchase:9", "bob": "user_joined:1 raid_started:2 raid_joined:3"}
NOW = "2026-02-01"
LONG = "x" * 10_000
SQL = "'; DROP TABLE events; --"
STEPS = ["user_joined", "purchase"]

QUESTIONS = {
    "funnel": lambda bench, **options: bench.funnel(**{"steps": STEPS, **options}),
    "retention": lambda bench, **options: bench.retention(**options),
    "lifecycle": lambda bench, **options: bench.lifecycle(**options),
    "stickiness": lambda bench, **options: bench.stickiness(**options),
    "active_users": lambda bench, **options: bench.active_users(**options),
    "message_volume": lambda bench, **options: bench.message_volume(**options),
    "platform_distribution": lambda bench, **options: bench.platform_distribution(**options),
    "platforms": lambda bench, **options: bench.platforms(**options),
    "raid_activity": lambda bench, **options: bench.raid_activity(**options),
    "raid_facts": lambda bench, **options: bench.raid_facts(**options),
    "profiles": lambda bench, **options: bench.profiles(**options),
    "journeys": lambda bench, **options: bench.journeys(**options),
}
ANSWERS = {name: ask for name, ask in QUESTIONS.items() if name != "journeys"}
TIMES = {name: ask for name, ask in QUESTIONS.items() if name not in ("profiles", "journeys")}
EVENTS = {
    "funnel": lambda bench, event: bench.funnel(["user_joined", event], now=NOW),
    "funnel, excluded": lambda bench, event: bench.funnel(STEPS, exclude=[(event, 1, 2)], now=NOW),
    "retention": lambda bench, event: bench.retention(event, now=NOW),
    "retention, returns": lambda bench, event: bench.retention(returns=event, now=NOW),
    "lifecycle": lambda bench, event: bench.lifecycle(event=event, now=NOW),
    "stickiness": lambda bench, event: bench.stickiness(event=event, now=NOW),
    "active_users": lambda bench, event: bench.active_users(event=event, now=NOW),
    "drivers": lambda bench, event: bench.funnel(STEPS, now=NOW).drivers(events=[event]),
}


def shown(value: object) -> str:
    """Give the beginning of a value, as the name of its test: the same in every process, so a set is sorted."""
    return f"a set of {sorted(value)}"[:30] if isinstance(value, set) else repr(value)[:20]


ZONES = ["Mars/Olympus", "", "../../etc/passwd", "UTC\0", SQL, 7, LONG]
NO_TIMES = ["yesterday", "", SQL, 20260101, float("nan"), b"2026-01-01", True, LONG, "2026-02-30"]


@pytest.fixture(scope="module")
def bench():
    return Bench(store_of(JOURNEYS, platform="web"), Settings())


def refused(ask, *errors: type[WorkbenchError]) -> str:
    """Return the one sentence of a named error; it can be read, however much was given."""
    with pytest.raises(errors or WorkbenchError) as caught:
        ask()
    told = str(caught.value)
    assert 10 < len(told) < 1_000, told[:200]
    return told


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("tz", ZONES, ids=shown)
def test_what_is_no_time_zone_is_named(bench, question, tz):
    if tz == "":
        tz = " "  # a bench takes an empty one for its own
    assert "is no time zone" in refused(lambda: QUESTIONS[question](bench, tz=tz), InvalidArgument)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("now", NO_TIMES, ids=shown)
def test_what_is_no_now_is_named(bench, question, now):
    assert "now must be" in refused(lambda: QUESTIONS[question](bench, now=now), InvalidArgument)


@pytest.mark.parametrize("question", TIMES)
@pytest.mark.parametrize("option", ["since", "until"])
@pytest.mark.parametrize("value", NO_TIMES, ids=shown)
def test_what_is_no_time_is_named(bench, question, option, value):
    assert f"{option} must be" in refused(lambda: TIMES[question](bench, **{option: value}), InvalidArgument)


@pytest.mark.parametrize("question", TIMES)
def test_times_in_the_wrong_order_are_refused(bench, question):
    told = refused(lambda: TIMES[question](bench, since="2026-02-01", until="2026-01-01"), InvalidArgument)
    assert "until must be after since" in told


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("now", [date(1, 1, 1), "0001-01-01", datetime(1969, 12, 31)])
def test_before_there_were_events_nothing_is_asked(bench, question, now):
    assert "now must be after 1970" in refused(lambda: QUESTIONS[question](bench, now=now), InvalidArgument)


@pytest.mark.parametrize("question", TIMES)
@pytest.mark.parametrize(
    "span",
    [
        {"since": date(1, 1, 2), "until": "0002-01-01", "now": NOW},
        {"since": "9998-01-01", "until": date(9999, 12, 31), "now": NOW},
        {"since": "2026-01-20", "until": "2026-01-21", "now": NOW},
    ],
    ids=["year 1", "year 9999", "a quiet day"],
)
def test_a_time_in_which_nothing_happened_is_an_empty_answer(bench, question, span):
    answer = TIMES[question](bench, **span)
    assert isinstance(answer, Answer)
    counts = answer.frame[[name for name in ("users", "shared_users", "messages") if name in answer.frame]]
    assert counts.to_numpy().sum() == 0
    assert answer.reading()
    assert answer.chart().title
    assert answer.to_dict()["data_version"] == bench.data_version


@pytest.mark.parametrize("question", ANSWERS)
@pytest.mark.parametrize("now", ["2026-01-04", "2100-01-01", "9999-01-01"])
def test_a_now_before_the_first_event_or_far_ahead_is_answered(bench, question, now):
    begun = time.perf_counter()
    try:
        assert QUESTIONS[question](bench, now=now, tz="Europe/Berlin").reading()
    except InvalidArgument as error:
        assert "now" in str(error)  # noqa: PT017 - an answer of so many periods may be refused instead
    assert time.perf_counter() - begun < 30


@pytest.mark.parametrize("question", ANSWERS)
def test_without_any_events_every_question_has_an_answer(question):
    empty = Bench(store_of({}), Settings())
    answer = QUESTIONS[question](empty, now=NOW)
    assert answer.reading()
    assert answer.chart() is not None


@pytest.mark.parametrize("question", EVENTS)
def test_an_event_that_never_was_comes_with_the_nearest(bench, question):
    assert "nearest: 'message_sent'" in refused(lambda: EVENTS[question](bench, "message_sen"), UnknownEvent)


@pytest.mark.parametrize("question", EVENTS)
@pytest.mark.parametrize("event", [SQL, LONG, "\0", "😀", "purchase\n"], ids=shown)
def test_a_hostile_event_is_only_a_name(bench, question, event):
    refused(lambda: EVENTS[question](bench, event), UnknownEvent)
    assert bench.profiles(now=NOW).people() == ["ann", "bob"]


@pytest.mark.parametrize("question", EVENTS)
@pytest.mark.parametrize("event", ["", 7, b"purchase", float("nan"), True, ["purchase"]], ids=repr)
def test_what_is_no_event_is_named(bench, question, event):
    refused(lambda: EVENTS[question](bench, event))


@pytest.mark.parametrize("question", ["funnel", "funnel, excluded", "retention", "drivers"])
def test_nothing_is_no_event_where_one_must_be_named(bench, question):
    refused(lambda: EVENTS[question](bench, None))


@pytest.mark.parametrize(
    "steps",
    [
        [],
        ["purchase"],
        "purchase",
        None,
        7,
        pytest.param({"user_joined", "purchase"}, id="a set"),
        ["user_joined"] * 500,
        ["a", ""],
    ],
    ids=shown,
)
def test_what_is_no_funnel_is_named(bench, steps):
    refused(lambda: bench.funnel(steps, now=NOW), InvalidFunnel, InvalidArgument)


@pytest.mark.parametrize(
    "within",
    ["0s", "-1d", timedelta(), timedelta(days=-1), "", "7", 7, True, "365000d", "99999999w", SQL, float("nan"), LONG],
    ids=shown,
)
def test_what_is_no_window_is_named(bench, within):
    assert "within" in refused(lambda: bench.funnel(STEPS, within=within, now=NOW), InvalidFunnel)


@pytest.mark.parametrize(
    "value", [None, float("nan"), float("inf"), b"x", {}, [], [None], {"a": 1}, object()], ids=shown
)
def test_what_cannot_be_compared_is_named(value):
    assert "where['plan']" in refused(lambda: wb.step("purchase", where={"plan": value}), InvalidArgument)


@pytest.mark.parametrize("value", [True, 2**63, -(2**200), 1e308, "", LONG, SQL, "\0", [1, "1", True]], ids=shown)
def test_odd_values_are_compared_and_match_nothing(bench, value):
    for name in ("platform", "value", "session_id"):
        answer = bench.funnel(["user_joined", wb.step("purchase", where={name: value})], now=NOW)
        assert answer.frame["users"].tolist() == [2, 0]
    for name in ("plan", SQL, LONG, "a.b/c~'\"$"):
        steps = ["user_joined", wb.step("purchase", where={name: value})]
        assert "no event has the property" in refused(lambda steps=steps: bench.funnel(steps, now=NOW), UnknownProperty)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("funnel", {"steps": STEPS, "order": "sideways"}),
        ("funnel", {"steps": STEPS, "counting": "cats"}),
        ("funnel", {"steps": STEPS, "dialect": "heap"}),
        ("funnel", {"steps": STEPS, "anchor": "last"}),
        ("funnel", {"steps": STEPS, "exclusion": "all"}),
        ("funnel", {"steps": STEPS, "reuse": 1}),
        ("funnel", {"steps": STEPS, "modes": "strict_order"}),
        ("funnel", {"steps": STEPS, "by": ""}),
        ("funnel", {"steps": STEPS, "by": 7}),
        ("funnel", {"steps": STEPS, "by": "occurred_at"}),
        ("funnel", {"steps": STEPS, "by": []}),
        ("funnel", {"steps": STEPS, "by": "platform", "top": 0}),
        ("funnel", {"steps": STEPS, "by": "platform", "top": True}),
        ("funnel", {"steps": STEPS, "by": "platform", "attribution": 3}),
        ("funnel", {"steps": STEPS, "exclude": [("purchase", 2, 1)]}),
        ("funnel", {"steps": STEPS, "exclude": [("purchase", 1.0, 2)]}),
        ("funnel", {"steps": STEPS, "exclude": 7}),
        ("retention", {"kind": "off"}),
        ("retention", {"clock": "sun"}),
        ("retention", {"cohort": "third"}),
        ("retention", {"of": "all"}),
        ("retention", {"mean": "golden"}),
        ("retention", {"zero": "nobody"}),
        ("retention", {"period": "hour"}),
        ("retention", {"period": None}),
        ("retention", {"floor": "-1h"}),
        ("retention", {"by": "event_id"}),
        ("retention", {"kind": "bracket", "brackets": "1-0"}),
        ("retention", {"kind": "bracket", "brackets": SQL}),
        ("retention", {"dialect": 7}),
        ("lifecycle", {"period": "fortnight"}),
        ("stickiness", {"period": ["day"]}),
        ("active_users", {"period": float("nan")}),
        ("active_users", {"window": "36h"}),
        ("active_users", {"window": "-7d"}),
        ("active_users", {"window": "7d", "period": "week"}),
        ("active_users", {"by": "properties"}),
        ("message_volume", {"period": "second"}),
        ("journeys", {"sessions": "-30m"}),
        ("journeys", {"sessions": "sometimes"}),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value)[-40:],
)
def test_every_option_says_what_is_allowed(bench, method, options):
    refused(lambda: getattr(bench, method)(**options, now=NOW))


@pytest.mark.parametrize(
    "ask",
    [
        lambda bench: bench.funnel(STEPS, now=NOW).people(0),
        lambda bench: bench.funnel(STEPS, now=NOW).people("1"),
        lambda bench: bench.funnel(STEPS, now=NOW).people(True),
        lambda bench: bench.funnel(STEPS, now=NOW).people(1.5),
        lambda bench: bench.funnel(STEPS, now=NOW).people(2, dropped=True, in_flight=True),
        lambda bench: bench.funnel(STEPS, now=NOW).people(1, segment="web"),
        lambda bench: bench.funnel(STEPS, now=NOW, by="platform").people(1),
        lambda bench: bench.funnel(STEPS, now=NOW).times(2, 1),
        lambda bench: bench.funnel(STEPS, now=NOW).times(bins=0),
        lambda bench: bench.funnel(STEPS, now=NOW).times(bins=[2, 1]),
        lambda bench: bench.funnel(STEPS, now=NOW).times().people(9),
        lambda bench: bench.funnel(STEPS, now=NOW).trend("year"),
        lambda bench: bench.funnel(STEPS, now=NOW).trend().people("1999-01-01"),
        lambda bench: bench.funnel(STEPS, now=NOW).trend().people("soon"),
        lambda bench: bench.funnel(STEPS, now=NOW).survival(1),
        lambda bench: bench.funnel(STEPS, now=NOW).drivers(smoothing=0),
        lambda bench: bench.funnel(STEPS, now=NOW).drivers(properties=[""]),
        lambda bench: bench.funnel(STEPS, now=NOW).compare("heap"),
        lambda bench: bench.retention(now=NOW).people("soon"),
        lambda bench: bench.retention(now=NOW).people("2026-01-05", -1),
        lambda bench: bench.retention(now=NOW).people("2026-01-05", 0, segment="web"),
        lambda bench: bench.lifecycle(now=NOW).people("2026-01-05", "bored"),
        lambda bench: bench.lifecycle(now=NOW).people(7, "new"),
        lambda bench: bench.stickiness(now=NOW).people(0),
        lambda bench: bench.stickiness(now=NOW).people("many"),
        lambda bench: bench.platforms(now=NOW).people("web", "moon"),
        lambda bench: bench.profiles(now=NOW).of("nobody"),
        lambda bench: bench.as_of("soon"),
        lambda bench: wb.segment("purchase", at_least=0),
        lambda bench: wb.segment("purchase", at_least=True),
        lambda bench: wb.segment("purchase", within="-1d"),
        lambda bench: wb.segment(""),
    ],
    ids=range(32),
)
def test_what_is_not_there_is_named(bench, ask):
    refused(lambda: ask(bench))


def test_ten_thousand_values_are_the_largest_few_and_the_others():
    groups = [({f"p{n}": "user_joined:0 purchase:5"}, {"properties": {"plan": f"plan {n}"}}) for n in range(10_000)]
    groups += [
        ({f"q{n}": "user_joined:0 message_sent:3"}, {"properties": {"plan": f"plan {n % 9}"}}) for n in range(90)
    ]
    bench = Bench(store_of(JOURNEYS), Settings())
    bench.snapshot = community(*groups)
    begun = time.perf_counter()
    answers = [
        bench.funnel(STEPS, by="plan", now=NOW),
        bench.retention(by="plan", now=NOW),
        bench.active_users(by="plan", period="month", now=NOW),
    ]
    for answer in answers:
        names = list(dict.fromkeys(answer.frame["segment"]))
        assert len(names) == 26
        assert set(names[:9]) == {f"plan {n}" for n in range(9)}
        assert "(other)" in names
        assert len(answer.chart().marks) <= 26
        assert len(answer.reading()) < 2_000
    assert "(other)" in answers[0].reading() + str(answers[0].chart().note)
    assert time.perf_counter() - begun < 60
