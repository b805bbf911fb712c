"""How active the community will be: daily active people or messages, some weeks ahead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Final, Literal, get_args

import pandas as pd

from workbench.charts.spec import Band, Bars, Chart, Line
from workbench.errors import InvalidArgument, NotEnoughData
from workbench.metrics import arguments, queries
from workbench.metrics.calendars import midnight
from workbench.metrics.coverage import coverage
from workbench.models.backtest import backtest, summary, widening
from workbench.models.prophecy import DailyModel
from workbench.results import Answer, Definition

if TYPE_CHECKING:
    from datetime import date
    from zoneinfo import ZoneInfo

    from workbench.store.base import Snapshot

Metric = Literal["active_users", "messages"]
NAMES: Final[dict[str, str]] = {"active_users": "daily active people", "messages": "messages a day"}
MAX_DAYS_AHEAD: Final = 365
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SHOWN_DAYS: Final = 90
_WEEK: Final = 7


@dataclass(frozen=True, kw_only=True)
class ForecastDefinition(Definition):
    """What was forecast, and how."""

    question: ClassVar[str] = "forecast"
    metric: Metric
    days_ahead: int
    until: datetime
    timezone: str
    interval: float
    seed: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Forecast(Answer):
    """A forecast with its test on the past. `frame` has one row per day to come.

    `frame`: `ds` (day, naive midnight of the project's time zone), `yhat`, `yhat_lower`, `yhat_upper`.

    Attributes:
        history: One row per past day, days without an event included: `ds`, `y`.
        seasonality: One row per weekday from Monday: `weekday`, `effect` (on the daily number).
        trend: Mean of the trend over the days to come.
        tested: The rows of `backtest.backtest`.
        widening: Factor by which Prophet's band was widened, since it held less often in the past than it says.
        model: What made the forecast.
        early: Events before the history, left out as those of a clock that is wrong.
    """

    history: pd.DataFrame
    seasonality: pd.DataFrame
    trend: float
    tested: pd.DataFrame
    widening: float
    model: DailyModel
    early: int = 0
    definition: ForecastDefinition

    @property
    def backtest(self) -> pd.DataFrame:
        """How the forecast did in the past beside naive ones: see `backtest.summary`."""
        return summary(self.tested, self.definition.interval)

    def chart(self) -> Chart:
        """Draw the last 90 days, and the forecast with its interval."""
        past, ahead = self.history.tail(_SHOWN_DAYS), self.frame
        days = tuple(day.to_pydatetime() for day in ahead["ds"])
        name = NAMES[self.definition.metric]
        return Chart(
            title=f"{name[0].upper()}{name[1:]}: the next {len(ahead)} days",
            marks=(
                Band(x=days, low=tuple(ahead["yhat_lower"]), high=tuple(ahead["yhat_upper"]), label=self._band()),
                Line(x=tuple(day.to_pydatetime() for day in past["ds"]), y=tuple(past["y"]), label="so far"),
                Line(x=days, y=tuple(ahead["yhat"]), label="forecast", dashed=True),
            ),
            x_label="day",
            y_label=name,
            x_scale="time",
            note=f"{len(self.history)} days of history, {self.definition.timezone}",
        )

    def seasonality_chart(self) -> Chart:
        """Draw how the days of the week differ from the trend."""
        effects = self.seasonality
        return Chart(
            title="The rhythm of the week",
            marks=(Bars(x=tuple(effects["weekday"]), y=tuple(effects["effect"])),),
            y_label=f"{NAMES[self.definition.metric]}, above or below the trend",
            y_format="decimal",
        )

    def reading(self) -> str:
        """Say what is expected, and how far the method can be trusted."""
        name, ahead = NAMES[self.definition.metric], self.frame
        best = WEEKDAYS[int(self.seasonality["effect"].argmax())]
        now, then = self.history["y"].tail(_WEEK).mean(), ahead["yhat"].mean()
        low, high = ahead["yhat_lower"].mean(), ahead["yhat_upper"].mean()
        return (
            f"Over the next {len(ahead)} days {name} are forecast at {then:,.0f} on average (interval {low:,.0f} to "
            f"{high:,.0f}), against {now:,.0f} over the last week; the strongest day is {best}. {self._trust()}"
            f"{self._left_out()}"
        )

    def _left_out(self) -> str:
        if not self.early:
            return ""
        events = f"{self.early:,} earlier events are" if self.early > 1 else "1 earlier event is"
        return f" The history begins {self.history['ds'].iloc[0]:%Y-%m-%d}: {events} left out."

    def _trust(self) -> str:
        scores = self.backtest.set_index("method")
        if scores.empty:
            return f"With {len(self.history)} days of history the forecast could not be tested: take it as a guess."
        ours, naive = scores.loc["prophet"], scores.loc["seasonal_naive"]
        once = bool(pd.isna(ours["coverage"]))
        held = "could be tried only once" if once else f"held on {ours['coverage']:.0%} of the days"
        covered = (
            f"its {self.definition.interval:.0%} interval {held} (Prophet's own on {ours['raw_coverage']:.0%}: "
            f"it is drawn {self.widening:.1f} times as wide)"
        )
        if pd.isna(ours["mase"]):
            return f"The past repeats itself week by week, so errors have no scale; {covered}."
        verdict = "beat" if ours["mase"] < naive["mase"] else "did not beat"
        return (
            f"Tested on {ours['n']:.0f} past days it {verdict} repeating last week (scaled error {ours['mase']:.2f} "
            f"against {naive['mase']:.2f}), and {covered}."
        )

    def _band(self) -> str:
        return f"{self.definition.interval:.0%} interval"


def forecast(
    snapshot: Snapshot,
    *,
    metric: Metric = "active_users",
    days_ahead: int = 30,
    until: datetime | None = None,
    timezone: str = "UTC",
    interval: float = 0.8,
    seed: int = 0,
    test: bool = True,
) -> Forecast:
    """Forecast a daily number with Prophet, and test the method on the past.

    Args:
        snapshot: The events.
        metric: `active_users` (people with any event) or `messages`.
        days_ahead: How many days, 1 to 365.
        until: Only whole days before this instant are learnt from, and none after the last event: of days that were
            not seen nothing is known. When not given, all days that the data cover (`metrics.coverage`): the last one
            only if something happened in its last hour, as a day that is not over would look like a drop.
        timezone: Of the days.
        interval: Nominal coverage, in (0, 1).
        seed: Of the simulation behind the interval.
        test: Whether to test on the past, which takes five times as long.

    Raises:
        InvalidArgument: A metric that is not known, or a number out of its range.
        NotEnoughData: Fewer than 28 whole days.
    """
    _check(metric, days_ahead, interval)
    history, end = daily(snapshot, metric, until=until, timezone=timezone)
    model = DailyModel(interval=interval, seed=seed).fit(history)
    found = model.predict(days_ahead)
    tested = backtest(history if test else history.head(0), days_ahead=days_ahead, interval=interval, seed=seed)
    factor = widening(tested, interval)
    return Forecast(
        frame=_widened(found, factor),
        sql=queries.text("daily", snapshot.engine, room="models"),
        definition=ForecastDefinition(
            metric=metric, days_ahead=days_ahead, until=end, timezone=timezone, interval=interval, seed=seed
        ),
        data_version=snapshot.data_version,
        history=history,
        seasonality=_weekly(model),
        trend=float(found["trend"].mean()),
        tested=tested,
        widening=factor,
        model=model,
        early=coverage(snapshot, timezone).early,
    )


def daily(
    snapshot: Snapshot, metric: Metric, *, until: datetime | None = None, timezone: str = "UTC"
) -> tuple[pd.DataFrame, datetime]:
    """Count a number per day.

    Returns:
        One row per whole day from where the data begin (`ds`, `y`; 0 where nothing happened), and the first instant of
        the first day that is not learnt from, which is not midnight where clocks are put forward then.

    Raises:
        NotEnoughData: There are no events.
    """
    zone = arguments.zone(timezone)
    known = coverage(snapshot, timezone)
    if known.begin is None or known.last is None or known.end is None:
        raise NotEnoughData("there are no events to forecast from")
    end = _end(known.last, known.end, until, zone)
    sql = queries.text("daily", snapshot.engine, room="models")
    table = snapshot.query(sql, {"timezone": timezone, "until": midnight(end, zone)}).to_pandas()
    days = pd.DatetimeIndex(pd.to_datetime(table["day"]))
    counted = pd.Series(table[metric].to_numpy(dtype="float64"), index=days)
    counted = counted[days >= pd.Timestamp(known.begin.astimezone(zone).date())]
    if counted.empty:
        raise NotEnoughData(f"there are no events to forecast from before {end}, on whole days")
    whole = counted.reindex(pd.date_range(counted.index[0], end - timedelta(days=1), freq="D"), fill_value=0.0)
    return pd.DataFrame({"ds": whole.index, "y": whole.to_numpy()}), midnight(end, zone)


def _end(last: datetime, covered: datetime, until: datetime | None, zone: ZoneInfo) -> date:
    """Return the first day that is not learnt from: no day after the last event, nor one that is not over.

    Who says `until` says that the days before it are whole, so the day of the last event is taken if it is over.
    """
    whole = covered.astimezone(zone).date()
    if until is None:
        return whole
    behind = last.astimezone(zone).date() + timedelta(days=1)
    if midnight(behind, zone) <= datetime.now(UTC):
        whole = behind
    return min(until.astimezone(zone).date(), whole)


def _widened(found: pd.DataFrame, factor: float) -> pd.DataFrame:
    low = found["yhat"] - factor * (found["yhat"] - found["yhat_lower"])
    high = found["yhat"] + factor * (found["yhat_upper"] - found["yhat"])
    return found[["ds", "yhat"]].assign(yhat_lower=low.clip(lower=0.0), yhat_upper=high)


def _weekly(model: DailyModel) -> pd.DataFrame:
    week = model.predict(len(WEEKDAYS))
    effects = dict(zip(week["ds"].dt.day_of_week, week["weekly"], strict=True))
    return pd.DataFrame({"weekday": WEEKDAYS, "effect": [float(effects[day]) for day in range(len(WEEKDAYS))]})


def _check(metric: str, days_ahead: int, interval: float) -> None:
    if metric not in get_args(Metric):
        raise InvalidArgument(f"{metric!r} cannot be forecast; there are {', '.join(get_args(Metric))}")
    if not 1 <= days_ahead <= MAX_DAYS_AHEAD:
        raise InvalidArgument(f"days_ahead is between 1 and {MAX_DAYS_AHEAD}, not {days_ahead}")
    if not 0 < interval < 1:
        raise InvalidArgument(f"interval is between 0 and 1, not {interval}")
