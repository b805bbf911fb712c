from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from workbench.errors import InvalidArgument, NotEnoughData
from workbench.models.forecast import daily, forecast
from workbench.testing import START, store_of

DAY = timedelta(days=1)


def busy(days):
    """A community that is twice as large at weekends, which begin on day 5."""
    journeys = {}
    for person in range(12):
        there = [day for day in range(days) if person < 6 or day % 7 >= 5]
        journeys[f"u{person}"] = " ".join(f"message_sent:{day + 0.5 + person / 100}" for day in there)
    return store_of(journeys, unit=DAY).snapshot()


@pytest.fixture(scope="module")
def answer():
    return forecast(busy(70), days_ahead=14, until=START + 70 * DAY)


def test_the_days_to_come_follow_the_history(answer):
    assert answer.frame.columns.tolist() == ["ds", "yhat", "yhat_lower", "yhat_upper"]
    assert answer.frame["ds"].tolist() == list(pd.date_range("2026-03-16", periods=14))


def test_the_week_has_its_rhythm(answer):
    weekend = answer.frame["ds"].dt.day_of_week >= 5
    assert answer.frame.loc[weekend, "yhat"].mean() == pytest.approx(12, abs=1)
    assert answer.frame.loc[~weekend, "yhat"].mean() == pytest.approx(6, abs=1)
    assert answer.seasonality.set_index("weekday")["effect"].idxmax() in ("Saturday", "Sunday")


def test_the_reading_and_the_chart_are_of_the_frame(answer):
    assert f"forecast at {answer.frame['yhat'].mean():,.0f}" in answer.reading()
    band, past, ahead = answer.chart().marks
    assert len(past.x) == 70
    assert ahead.y == tuple(answer.frame["yhat"])
    assert band.x == ahead.x
    assert len(answer.seasonality_chart().marks[0].x) == 7


def test_the_same_question_has_the_same_answer(answer):
    again = forecast(busy(70), days_ahead=14, until=START + 70 * DAY)
    pd.testing.assert_frame_equal(again.frame, answer.frame)


def test_forecasting_does_not_touch_the_chance_of_others():
    np.random.seed(5)
    before = np.random.get_state()[1].copy()
    forecast(busy(30), days_ahead=3, test=False)
    assert np.array_equal(np.random.get_state()[1], before)


def test_counts_never_fall_below_zero():
    fading = {f"u{n}": " ".join(f"view:{day + 0.5}" for day in range(max(1, 40 - 2 * n))) for n in range(28)}
    frame = forecast(store_of(fading, unit=DAY).snapshot(), days_ahead=60, until=START + 45 * DAY, test=False).frame
    assert (frame[["yhat", "yhat_lower", "yhat_upper"]] >= 0).all(axis=None)
    assert (frame["yhat"] == 0).any()


def test_a_day_on_which_nothing_happened_counts_as_zero():
    history, _ = daily(store_of({"ann": "view:0 view:2.5"}, unit=DAY).snapshot(), "active_users", until=START + 3 * DAY)
    assert history["y"].tolist() == [1, 0, 1]


def test_a_last_day_that_is_not_over_is_left_out():
    def counted(journey):
        return daily(store_of({"ann": journey}, unit=DAY).snapshot(), "active_users")[0]["y"].tolist()

    assert counted("view:0 view:1 view:2.5") == [1, 1]
    assert counted("view:0 view:1 view:2.99") == [1, 1, 1]


def test_days_are_those_of_the_time_zone():
    snapshot = store_of({"ann": "view:0 view:25"}, unit=timedelta(hours=1)).snapshot()
    until = datetime(2026, 1, 6, 5, tzinfo=UTC)
    history, end = daily(snapshot, "active_users", until=until, timezone="America/New_York")
    assert history["ds"].tolist() == [pd.Timestamp("2026-01-04"), pd.Timestamp("2026-01-05")]
    assert end == until


def test_four_weeks_are_needed_and_are_then_not_tested():
    with pytest.raises(NotEnoughData, match=r"27 whole days.*at least 28"):
        forecast(busy(27), until=START + 27 * DAY)
    answer = forecast(busy(28), until=START + 28 * DAY)
    assert answer.backtest.empty
    assert "take it as a guess" in answer.reading()


def test_without_events_there_is_no_forecast():
    with pytest.raises(NotEnoughData, match="no events"):
        forecast(store_of({}).snapshot())


@pytest.mark.parametrize("option", [{"metric": "happiness"}, {"days_ahead": 0}, {"days_ahead": 366}, {"interval": 1}])
def test_what_cannot_be_forecast_is_refused(option):
    with pytest.raises(InvalidArgument, match=str(next(iter(option.values())))):
        forecast(busy(28), **option)


@pytest.mark.parametrize(
    ("zone", "last"),
    [
        ("America/Santiago", "2025-09-07"),  # without a midnight
        ("Africa/Cairo", "2025-04-25"),
        ("America/Havana", "2025-11-02"),  # with two
        ("Europe/Berlin", "2025-03-30"),
    ],
)
@pytest.mark.parametrize("said", [True, False])
def test_the_first_day_to_come_may_have_no_midnight_or_two(zone, last, said):
    noon = pd.Timestamp(f"{last} 12:00", tz=zone)
    back = {f"u{n}": " ".join(f"view:{(noon - n * DAY - START) / DAY:.6f}" for _ in "x") for n in range(5)}
    until = pd.Timestamp(f"{last} 03:30", tz=zone).to_pydatetime() if said else None
    history, end = daily(store_of(back, unit=DAY).snapshot(), "active_users", until=until, timezone=zone)
    assert history["ds"].iloc[-1] == pd.Timestamp(last) - DAY
    assert len(history) == 4
    local = end.astimezone(noon.tz)
    assert f"{local:%Y-%m-%d}" == last
    assert f"{local - timedelta(seconds=1):%Y-%m-%d}" <= last
    assert f"{(end - timedelta(seconds=1)).astimezone(noon.tz):%Y-%m-%d}" < last


def test_days_after_the_last_event_are_not_learnt_as_empty():
    snapshot = store_of({"ann": "view:0 view:1 view:2.5"}, unit=DAY).snapshot()
    for until in (START + 30 * DAY, datetime(2999, 1, 1, tzinfo=UTC)):
        history, end = daily(snapshot, "active_users", until=until)
        assert history["y"].tolist() == [1, 1, 1]
        assert end == START + 3 * DAY


def test_a_day_that_is_not_over_is_left_out_though_until_lies_in_the_future():
    now = datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    times = [midnight - 2 * DAY, midnight - DAY, midnight]
    snapshot = store_of({"ann": " ".join(f"view:{(at - START) / DAY:.9f}" for at in times)}, unit=DAY).snapshot()
    assert daily(snapshot, "active_users", until=now + 9 * DAY)[1] == midnight


def test_one_event_of_1970_does_not_begin_the_history():
    people = {f"u{n}": " ".join(f"view:{day + 0.5}" for day in range(60) if n < 5 + day % 7) for n in range(11)}
    lost = {"x": f"view:{(datetime(1970, 1, 1, tzinfo=UTC) - START) / DAY}"}
    answer = forecast(store_of(people | lost, unit=DAY).snapshot(), days_ahead=7, until=START + 60 * DAY, test=False)
    assert answer.frame["yhat"].mean() == pytest.approx(8, abs=1)
    assert answer.history["ds"].iloc[0] == pd.Timestamp(START.date())
    assert "1 earlier event is left out" in answer.reading()


def test_where_most_days_are_empty_the_band_holds_none():
    rng = np.random.default_rng(4)
    days = np.flatnonzero(rng.random(84) < 0.25)
    people = {f"u{n}": " ".join(f"view:{day + 0.5}" for day in days) for n in range(9)}
    answer = forecast(store_of(people, unit=DAY).snapshot(), days_ahead=14, until=START + 84 * DAY, test=False)
    assert (answer.frame["yhat_lower"] == 0).all()


def test_days_of_a_week_that_are_never_empty_keep_their_band():
    people = {f"u{n}": " ".join(f"view:{day + 0.5}" for day in range(84) if day % 7 < 5) for n in range(9)}
    answer = forecast(store_of(people, unit=DAY).snapshot(), days_ahead=7, until=START + 84 * DAY, test=False)
    assert (answer.frame.loc[answer.frame["ds"].dt.day_of_week < 5, "yhat_lower"] > 5).all()
