from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from workbench.bench import from_frame

CUTOFF = datetime(2026, 11, 1, tzinfo=UTC)


def customers(count, *, seed=3, days=200):
    """People who buy at a rate and a mean of their own, and leave at some time."""
    rng, rows = np.random.default_rng(seed), []
    for number in range(count):
        start = CUTOFF - timedelta(days=float(rng.uniform(20, days)))
        rate, stays, mean = rng.gamma(1.2, 0.03), rng.exponential(150), rng.gamma(6, 4)
        at, gone = 0.0, (CUTOFF - start).total_seconds() / 86400
        while at < min(stays, gone):
            rows.append((f"u{number}", "purchase", start + timedelta(days=at), float(rng.gamma(6, mean / 6)) + 0.01))
            at += rng.exponential(1 / rate)
    return pd.DataFrame(rows, columns=["user", "event", "time", "value"])


def outlook(frame, **options):
    bench = from_frame(frame, user="user", event="event", time="time")
    return bench.purchase_outlook(until=CUTOFF, **options)


def test_fifths_add_up_to_the_total_which_is_in_its_interval():
    found = outlook(customers(300))
    frame, (total, low, high) = found.frame, found.total
    assert frame["customers"].tolist() == [60] * 5
    assert frame["total_usd"].sum() == pytest.approx(total)
    assert low < total < high
    assert frame["ltv"].is_monotonic_increasing
    assert ((frame["ci_low"] <= frame["total_usd"]) & (frame["total_usd"] <= frame["ci_high"])).all()
    assert frame["alive"].between(0, 1).all()


def test_it_is_about_what_such_people_spend():
    frame = customers(600, days=300)
    before = frame[frame["time"] < CUTOFF - timedelta(days=60)]
    bench = from_frame(before, user="user", event="event", time="time")
    found = bench.purchase_outlook(until=CUTOFF - timedelta(days=60), days=60)
    known = frame[frame["user"].isin(before["user"]) & (frame["time"] >= CUTOFF - timedelta(days=60))]
    assert found.total[0] == pytest.approx(known["value"].sum(), rel=0.25)


def test_the_same_question_has_the_same_answer():
    frame = customers(120)
    pd.testing.assert_frame_equal(outlook(frame).frame, outlook(frame).frame)


def test_too_few_customers_are_said_and_not_guessed_about():
    found = outlook(customers(8))
    assert found.frame.empty
    assert "Not enough data for an outlook" in found.reading()


@pytest.mark.parametrize(("every", "days"), [(30, 180), (7, 120), (1, 100)])
def test_subscriptions_go_on_at_their_rate_within_a_finite_interval(every, days):
    rng, rows, begin = np.random.default_rng(0), [], CUTOFF - timedelta(days=days)
    for user in range(40):
        at = begin + timedelta(hours=int(rng.integers(0, 48)))
        while at < CUTOFF:
            rows.append((f"u{user}", "purchase", at, 12.5))
            at += timedelta(days=every)
    found = outlook(pd.DataFrame(rows, columns=["user", "event", "time", "value"]), days=90)
    total, low, high = found.total
    assert np.isfinite([total, low, high]).all()
    assert total == pytest.approx(40 * 12.5 * 90 / every, rel=0.4)
    assert low < total < high
    assert "LTV, next 90 days" in found.chart().title


def test_how_far_off_it_was_before_is_told_and_corrected():
    found = outlook(customers(150), days=60)
    assert found.backtest["days"].tolist() == [60]
    assert found.backtest["cutoff"].iloc[0] == found.definition.cutoff - timedelta(days=60)
    assert 0.7 < found.correction < 1.3
    assert f"multiplied by {found.correction:.2f}" in found.reading()


def test_a_value_without_bounds_is_left_out():
    frame = customers(60)
    odd = pd.DataFrame([("u1", "purchase", CUTOFF - timedelta(days=5), 1e39)], columns=frame.columns)
    assert outlook(pd.concat([frame, odd])).total == outlook(frame).total


def test_purchases_after_the_data_end_are_not_waited_for():
    """Ten months without an event are not ten months without a purchase."""
    bench = from_frame(customers(60), user="user", event="event", time="time")
    assert bench.purchase_outlook(until="2999-01-01").definition.cutoff <= CUTOFF
