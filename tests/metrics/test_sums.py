"""Sums that do not depend on what else is there, or on the order in which rows come."""

import random
from datetime import timedelta
from fractions import Fraction

import pandas as pd
import pyarrow as pa
import pytest

import workbench as wb
from workbench.bench import Bench
from workbench.metrics.ai_usage import Price, ai_usage
from workbench.testing import START, MemoryStore, events_of, store_of, stored

PRICES = {"small": Price(input=1.0, output=4.0, cached=0.5)}
MILLION = 1_000_000


def asked(*interactions: dict[str, object]) -> pd.Series:
    """Return the one row of some interactions with the model small."""
    events = [
        event
        for number, each in enumerate(interactions)
        for event in events_of({f"u{number}": "ai_interaction:0"}, properties={"model": "small", **each})
    ]
    (row,) = ai_usage(MemoryStore(stored(events)).snapshot(), prices=PRICES).frame.itertuples()
    return row


GOOD = {"input_tokens": 100, "cached_tokens": 60, "output_tokens": 10}
COST = Fraction(40 * 1 + 60 * Fraction(1, 2) + 10 * 4, MILLION)


@pytest.mark.parametrize(
    "odd",
    [
        {"input_tokens": 10, "cached_tokens": 5_000},
        {"input_tokens": -5_000},
        {"input_tokens": 10, "output_tokens": -1},
        {"input_tokens": 10, "cached_tokens": -9},
        {"input_tokens": 1e12},
        {"input_tokens": 2.5},
        {"input_tokens": "many"},
        {"input_tokens": "NaN"},
    ],
)
def test_an_impossible_interaction_has_no_price_and_changes_no_other(odd):
    row = asked(GOOD, odd, GOOD)
    assert row.cost_usd == pytest.approx(float(2 * COST))
    assert (row.interactions, row.unpriced) == (3, 1)
    alone = asked(odd)
    assert (alone.unpriced, alone.cost_usd != alone.cost_usd) == (1, True)


def test_groups_of_a_model_without_a_price_count_it():
    events = [
        *events_of({"ann": "ai_interaction:0"}, properties={"model": "small", **GOOD}),
        *events_of({"bob": "ai_interaction:0 ai_interaction:1"}, properties={"model": "large", **GOOD}),
        *events_of({"cy": "ai_interaction:0"}, properties=GOOD),
        *events_of({"di": "ai_interaction:0"}, properties={"model": "(none)", **GOOD}),
    ]
    found = ai_usage(MemoryStore(stored(events)).snapshot(), prices=PRICES)
    assert found.frame.set_index("model")["unpriced"].to_dict() == {"((none))": 1, "(none)": 1, "large": 2, "small": 0}
    (day,) = found.by("day").itertuples()
    assert (day.cost_usd, day.unpriced, day.interactions) == (pytest.approx(float(COST)), 4, 5)
    assert "4 of the interactions have no price, or token counts that cannot be" in found.reading()


def test_sums_of_floats_are_the_same_in_whatever_order_rows_come():
    """Oracle: the sum from the smallest on, in Python."""
    chance = random.Random(1)  # noqa: S311 - made-up values
    values = [chance.choice([1e-9, 0.1, 1e9]) * chance.random() for _ in range(500)]
    total = 0.0
    for value in sorted(values):
        total += value
    sums = set()
    for _ in range(3):
        chance.shuffle(values)
        frame = pd.DataFrame({"u": "ann", "e": "purchase", "value": values, "raid_id": "r1"})
        frame["t"] = [START + timedelta(seconds=n) for n in range(len(values))]
        bench = wb.from_frame(frame, user="u", event="e", time="t")
        spent = bench.spending().frame
        sums |= {float(bench.profiles().frame["value_usd"][0]), float(spent[spent["period"] == 0]["value_usd"].iloc[0])}
    assert sums == {total}


def test_a_mean_of_previous_periods_is_of_the_cells_own_denominators():
    """Oracle by hand: of 4 who start, 2 come on day 1, and 1 of those on day 2."""
    store = store_of(
        {"a": "user_joined:0 e:1440 e:2880", "b": "user_joined:0 e:1441", "c": "user_joined:0", "d": "user_joined:0"}
    )
    found = Bench(store).retention(period="day", of="previous", now="2026-01-09")
    mean = found.mean.set_index("period")["retention_rate"]
    assert mean[[0, 1, 2]].tolist() == [1.0, 0.5, 0.5]
    assert found.mean.set_index("period")["ci_low"][2] == pytest.approx(found.frame.set_index("period")["ci_low"][2])
    for mean_ in ("simple", "weighted"):
        cells = found.frame[found.frame["period"] == 2]["retention_rate"].iloc[0]
        assert (
            Bench(store)
            .retention(period="day", of="previous", mean=mean_, now="2026-01-09")
            .mean.set_index("period")["retention_rate"][2]
            == cells
        )


def test_two_cohorts_are_added_up_over_what_their_rates_are_of():
    people = {f"a{n}": f"user_joined:0 {'e:1440' if n < 4 else ''} {'e:2880' if n < 2 else ''}" for n in range(8)}
    people |= {f"b{n}": f"user_joined:1440 {'e:2880' if n < 1 else ''} {'e:4320' if n < 1 else ''}" for n in range(2)}
    mean = Bench(store_of(people)).retention(period="day", of="previous", now="2026-01-12").mean.set_index("period")
    assert mean["retention_rate"][1] == pytest.approx((4 + 1) / (8 + 2))
    assert mean["retention_rate"][2] == pytest.approx((2 + 1) / (4 + 1))


@pytest.mark.parametrize("options", [{"counting": "sessions"}, {"hold": "shop"}, {"counting": "pairs", "hold": "shop"}])
def test_a_person_is_attributed_what_they_had_on_any_event_before(options):
    """The plan is said before the session, on an event of no session and no shop; after it another one is."""
    before = events_of({"ann": "account:0", "bob": "account:0"}, properties={"plan": "pro"})
    there = events_of({"ann": "view:10 buy:12", "bob": "view:10"}, session_id="s1", properties={"shop": "x"})
    after = events_of({"ann": "account:20", "bob": "account:20"}, properties={"plan": "free"})
    bench = Bench(MemoryStore(stored([*before, *there, *after])))
    found = bench.funnel(["view", "buy"], by="plan", attribution="user", now="2026-02-01", **options)
    assert found.frame[["segment", "step", "users"]].to_numpy().tolist() == [["pro", 1, 2], ["pro", 2, 1]]


def test_events_that_occurred_after_the_old_question_are_not_late():
    first = events_of({"ann": "view:0"})
    more = events_of({"bob": "view:1", "cy": "view:3000", "di": "view:3001"})
    known = START + timedelta(hours=12)
    early, later = stored(first, ingested_at=START), stored(more, ingested_at=START + timedelta(days=9))
    store = MemoryStore(pa.concat_tables([early, later]))
    old = Bench(store).as_of(known).active_users(now="2026-01-06")
    new = Bench(store).active_users(now="2026-01-06")
    late = wb.explain_change(old, new).frame.set_index("cause")["events"]
    assert late["late events"] == 1
