"""Predictive: who is at risk and why, what is to come, who comes back, what people are worth, how to raid next."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from workbench.charts.formats import number
from workbench.charts.spec import Bars, Chart, Grid, Line
from workbench.dashboards.aside import aside
from workbench.dashboards.definition import PEOPLE, Drawing, Filter, Number, Page, Rows, Said, Section, Tile, drawing
from workbench.errors import ModelError, NotEnoughData, WorkbenchError

if TYPE_CHECKING:
    from collections.abc import Callable

    from workbench.bench import Bench
    from workbench.charts.clicks import Click
    from workbench.dashboards.definition import Content, View
    from workbench.metrics.retention import Retention
    from workbench.models.forecast import Forecast

LEVELS: Final = ("high", "medium", "low")
TRAIN: Final = "Train models with `workbench models train`, or run the pipeline with `workbench run`; this tile then \
shows them."
AGAIN_SECONDS: Final = 60.0
SHOWN: Final = 10
DRIVERS: Final = 3
COHORTS: Final = 6
MONTH_DAYS: Final = 30
TRIANGLE: Final = timedelta(weeks=12)
_RAISES, _LOWERS = "\N{UPWARDS ARROW}", "\N{DOWNWARDS ARROW}"
_WEEKS: Final = ((1, "first week"), (4, "week 2-4"), (13, "month 2-3"))
_OLDER: Final = "older"
_SPENDING: Final = (0.0, 1.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0)


@dataclass(frozen=True)
class People:
    """What the models say of people: `frame` is that of predictions, with `platform`, `tenure` and `drivers`."""

    frame: pd.DataFrame
    said: str
    horizon_days: int
    ltv_days: int | None = None
    ltv_method: str = ""

    @property
    def ltv_title(self) -> str:
        """What LTV is of; without its horizon the number says nothing."""
        return f"LTV, next {self.ltv_days} days" if self.ltv_days else "LTV"


_told: dict[tuple[str, str], tuple[float, People | WorkbenchError]] = {}
"""What the models told last, of which data, and when: all tiles show it."""


def _people(view: View) -> People | WorkbenchError:
    """Ask the models once for all tiles; that there are none is asked again after a while."""
    key = (str(view.bench.store), f"{view.asked.data_version} {view.chosen.get('people', '')}")
    at, found = _told.get(key, (0.0, None))
    if isinstance(found, People) or (found is not None and time.monotonic() - at < AGAIN_SECONDS):
        return found
    try:
        found = aside(view.asked, people_of)
    except (ModelError, NotEnoughData) as error:
        found = error
    _told.clear()
    _told[key] = (time.monotonic(), found)
    return found


def people_of(bench: Bench) -> People:
    """Score everybody who is active, and say what moves each risk: for a process of its own.

    Raises:
        ModelError: No model was trained.
        NotEnoughData: There are no events.
    """
    from workbench.models.ltv import METHODS  # noqa: PLC0415 - in the process that asks

    found = bench.predict()
    profiles = bench.profiles(now=found.definition.cutoff).frame.set_index("user_id")
    frame = found.frame.set_index("user_id")
    days = (pd.Timestamp(found.definition.cutoff) - profiles["first_seen"]).dt.days.reindex(frame.index)
    weeks = [next((name for most, name in _WEEKS if day < 7 * most), _OLDER) for day in days]
    frame = frame.assign(
        platform=profiles["main_platform"].reindex(frame.index).fillna("(none)"), tenure=weeks,
        drivers=_drivers(bench, frame.index, found.definition.cutoff),
    )  # fmt: skip
    return People(
        frame.reset_index(),
        found.reading(),
        found.definition.horizon_days,
        found.definition.ltv_days,
        METHODS.get(found.definition.ltv_method, ""),
    )


def _drivers(bench: Bench, people: pd.Index[str], cutoff: datetime) -> list[str]:
    """Say what moves the churn risk of each most; a plus raises it."""
    from workbench.models.lessons import LESSONS  # noqa: PLC0415 - in the process that asks

    registry = bench.registry()
    if not registry.turns("churn") or not len(people):
        return [""] * len(people)
    X = bench.features(cutoff=cutoff).X.reindex(people)
    moved = registry.serving(LESSONS["churn"].model, "churn").model.contributions(X).drop(columns="base")
    names, values = np.array([_feature(name) for name in moved.columns]), moved.to_numpy()
    order = np.argsort(-np.abs(values), axis=1)[:, :DRIVERS]
    return [
        ", ".join(f"{names[at]}\N{NO-BREAK SPACE}{_RAISES if row[at] > 0 else _LOWERS}" for at in best)
        for row, best in zip(values, order, strict=True)
    ]


def _feature(name: str) -> str:
    """Write the name of a feature as words.

    >>> _feature("raid_actions_28")
    'raid actions in 28 days'
    """
    words, _, days = name.rpartition("_")
    return f"{words.replace('_', ' ')} in {days} days" if days.isdigit() else name.replace("_", " ")


def _scored(shows: Callable[[View, People], Content]) -> Callable[[View], Content]:
    """Show something of the predictions, or which command makes them."""

    def asks(view: View) -> Content:
        found = _people(view)
        if isinstance(found, People):
            return shows(view, found)
        if isinstance(found, ModelError):
            return Said(title="No model was trained", text=f"{found}. {TRAIN}")
        return Said(title="Too little data", text=str(found))

    return asks


def _at_risk(_: View, people: People) -> Content:
    high = people.frame[people.frame["risk_level"] == "high"]
    held = int(high["held_out"].sum())
    return Number(
        title="People at high risk", value=len(high),
        note=f"of {len(people.frame):,} active; {held:,} left alone, to measure",
    )  # fmt: skip


def _expected(_: View, people: People) -> Content:
    risk = people.frame["churn_risk"]
    known = risk.notna().any()
    return Number(
        title=f"Expected to go silent in {people.horizon_days} days", value=float(risk.sum()) if known else None,
        note=f"mean risk {number(risk.mean(), 'percent')}" if known else "no churn model",
    )  # fmt: skip


def _engaged(_: View, people: People) -> Content:
    score = people.frame["engagement_score"]
    known = score.notna().any()
    spread = f"middle half from {score.quantile(0.25):.2f} to {score.quantile(0.75):.2f}" if known else "no model"
    return Number(title="Predicted engagement", value=float(score.mean()) if known else None, form="decimal",
                  note=spread)  # fmt: skip


def _worth(_: View, people: People) -> Content:
    value = people.frame["predicted_ltv"]
    known = value.notna().any()
    note = (
        f"{number(float(value.mean()), 'usd')} a person, by {people.ltv_method or 'the model'}" if known else "no model"
    )
    return Number(title=people.ltv_title, value=float(value.sum()) if known else None, form="usd", note=note)


def _risk_map(view: View, people: People) -> Content:
    by = view.chosen["segment"]
    segments = _ordered(people.frame[by])
    counts = people.frame.groupby(["risk_level", by])["user_id"].count().reindex(
        pd.MultiIndex.from_product([LEVELS, segments], names=["risk_level", by]), fill_value=0
    )  # fmt: skip
    values = tuple(tuple(float(counts.get((level, name), 0)) for name in segments) for level in LEVELS)
    chart = Chart(
        title="Churn risk by level and segment", x_label=by,
            marks=(Grid(rows=LEVELS, columns=segments, values=values),),
        note="people; click a cell for who they are and what moves their risk",
    ) if segments else Chart(title="Churn risk by level and segment", marks=())  # fmt: skip
    frame = counts.rename("people").reset_index()

    def behind(click: Click) -> Rows | None:
        return table(people, level=str(click.row), by=by, segment=str(click.x))

    return Drawing(chart=chart, frame=frame, said=people.said, behind=behind)


def _ordered(names: pd.Series[str]) -> tuple[str, ...]:
    """Return times since people joined in the order of time, and platforms by how many people each has."""
    tenures = [*(name for _, name in _WEEKS), _OLDER]
    if set(names) <= set(tenures):
        return tuple(name for name in tenures if name in set(names))
    counts = names.value_counts()
    return tuple(sorted(counts.index, key=lambda name: (-counts[name], name)))


def table(people: People, *, level: str, by: str, segment: str) -> Rows:
    """List the people of a cell by their risk, with what moves it and what to do."""
    chosen = people.frame[(people.frame["risk_level"] == level) & (people.frame[by] == segment)]
    found = chosen.sort_values("churn_risk", ascending=False)
    return _listed(f"{len(found):,} people at {level} risk, {segment}", found)


def _listed(title: str, found: pd.DataFrame) -> Rows:
    rows = tuple(
        (row["user_id"], number(row["churn_risk"], "percent"), row["drivers"],
         "left alone" if row["held_out"] else str(row["recommended_action"]).replace("_", " "))
        for row in found.head(SHOWN).to_dict("records")
    )  # fmt: skip
    more = f", the first {SHOWN}" if len(found) > SHOWN else ""
    return Rows(title=title + more, head=("user", "risk", "moved by", "to do"), rows=rows,
                empty="Nobody.", frame=found)  # fmt: skip


def _most_at_risk(_: View, people: People) -> Content:
    if people.frame["churn_risk"].isna().all():
        return Said(title="No churn model", text=TRAIN)
    return _listed("Most at risk", people.frame.sort_values("churn_risk", ascending=False))


def _spending(_: View, people: People) -> Content:
    value = people.frame["predicted_ltv"].dropna()
    counts, _edges = np.histogram(value, bins=[*_SPENDING, np.inf])
    names = [f"${low:g}-{high:g}" for low, high in pairwise(_SPENDING)] + [f"${_SPENDING[-1]:g}+"]
    note = f"median {number(float(value.median()), 'usd')}" if len(value) else ""
    chart = Chart(title=people.ltv_title, x_label="USD of a person", y_label="people", note=note,
                  marks=(Bars(x=tuple(names), y=tuple(map(float, counts))),) if len(value) else ())  # fmt: skip
    return Drawing(chart=chart, frame=pd.DataFrame({"ltv": names, "people": counts}), said=people.said)


def forecast_of(bench: Bench, *, until: str) -> Forecast:
    """Forecast daily people for 30 days: for a process of its own."""
    return bench.forecast("active_users", days_ahead=30, until=until)


def _forecast(view: View) -> Content:
    try:
        return drawing(aside(view.asked, forecast_of, until=_last_midnight(view)))
    except NotEnoughData as error:
        return Said(title="Too little data for a forecast", text=str(error))


def _last_midnight(view: View) -> str:
    return f"{view.now.astimezone(view.bench.settings.zone):%Y-%m-%d}"


@dataclass(frozen=True)
class Advice:
    """How to set up the next raid, without the events that it was learnt from."""

    frame: pd.DataFrame
    start: str
    said: str


def advice_of(bench: Bench, *, until: str) -> Advice:
    """Recommend how to set up the next raid as of a midnight, as the pipeline does: for a process of its own."""
    found = bench.raid_advice(until=until)
    return Advice(found.frame, str(found.told.get("optimal_start_time") or ""), found.reading())


_PARAMETERS: Final = {
    "recommended_duration": "duration",
    "min_participants": "even chance at",
    "expected_participation": "will join",
    "success_probability": "success",
    "base_xp": "reward",
}


def _raids(view: View) -> Content:
    found = aside(view.asked, advice_of, until=_last_midnight(view))
    rows = tuple(
        (_PARAMETERS.get(name, name.replace("_", " ")), _value(name, row["value"]),
         f"{_value(name, row['low'])} - {_value(name, row['high'])}" if row["low"] == row["low"] else str(row["note"]))
        for row in found.frame.to_dict("records") for name in [str(row["parameter"])]
    )  # fmt: skip
    start = (("start", found.start, ""),) if found.start else ()
    return Rows(title="The next raid", head=("", "best", "90% interval"), rows=(*start, *rows),
                empty=found.said, frame=found.frame, said=found.said)  # fmt: skip


def _value(name: str, value: float) -> str:
    if name == "recommended_duration":
        return f"{value:.0f} min"
    if name == "base_xp":
        return f"{value:,.0f} XP"
    return f"{value:.0%}" if "probability" in name else f"{value:,.0f}"


def _retention(view: View) -> Retention:
    return view.asked.retention(period="week", now=view.now)


def _curves(view: View) -> Content:
    found = _retention(view)
    final = found.frame[found.frame["mature"] & (found.frame["period"] > 0)]
    cohorts = sorted(final["cohort"].unique())[-COHORTS:]
    marks = []
    for cohort in cohorts:
        rows = final[final["cohort"] == cohort]
        label = f"{pd.Timestamp(cohort):%d %b}"
        marks.append(
            Line(x=tuple(map(float, rows["period"])), y=tuple(map(float, rows["retention_rate"])), label=label)
        )
    chart = Chart(title="Retention of the newest cohorts", x_label="weeks since they joined", x_scale="linear",
                  y_label="share that came", y_format="percent", marks=tuple(marks),
                  note="weeks that are over for everybody of a cohort")  # fmt: skip
    return drawing(found, chart)


def _triangle(view: View) -> Content:
    monday = view.end.date() - timedelta(days=view.end.weekday())
    return drawing(view.asked.retention(period="week", since=monday - TRIANGLE, now=view.now))


def _trend(view: View) -> Content:
    week, month = (view.asked.active_users(window=window, now=view.now) for window in ("7d", "30d"))
    days = week.frame.set_index("period")["users"].to_frame("week").join(
        month.frame.set_index("period")["users"].rename("month"), how="inner"
    )  # fmt: skip
    # Before there are thirty days of events, a week is a larger share of what there is of a month.
    whole = days.index >= days.index.min() + timedelta(days=MONTH_DAYS - 1)
    days = days[whole & (days["month"] > 0)].tail(180).reset_index()
    days["share"] = days["week"] / days["month"]
    x = tuple(datetime.combine(day, datetime.min.time()) for day in days["period"])
    line = Line(x=x, y=tuple(map(float, days["share"])))
    chart = Chart(title="Engagement", x_scale="time", y_format="percent",
                  y_label="people of a week among those of its month", marks=(line,) if x else (),
                  note=view.bench.settings.timezone)  # fmt: skip
    return drawing(week, chart, days)


SEGMENT: Final = Filter(
    name="segment",
    called="risk by",
    offers=lambda _: [("platform", "platform"), ("time since they joined", "tenure")],
    usual="platform",
)

PAGE: Final = Page(
    name="predictive",
    title="What is to come",
    about="Who is at risk and why, what is to come, who comes back, what people are worth, how to raid next.",
    filters=(PEOPLE, SEGMENT),
    sections=(
        Section(
            kind="cards",
            tiles=(
                Tile(name="at-risk", title="People at high risk", asks=_scored(_at_risk), slow=True),
                Tile(name="expected", title="Expected to go silent", asks=_scored(_expected), slow=True),
                Tile(name="engagement", title="Predicted engagement", asks=_scored(_engaged), slow=True),
                Tile(name="worth", title="LTV", asks=_scored(_worth), slow=True),
            ),
        ),
        Section(
            kind="tiles",
            tiles=(
                Tile(name="risk", title="Churn risk by level and segment", asks=_scored(_risk_map), span=2, slow=True),
                Tile(name="next-raid", title="The next raid", asks=_raids, slow=True),
                Tile(name="most-at-risk", title="Most at risk", asks=_scored(_most_at_risk), span=2, slow=True),
                Tile(name="ltv", title="LTV", asks=_scored(_spending), height=420, slow=True),
                Tile(name="forecast", title="The coming 30 days", asks=_forecast, span=2, slow=True),
                Tile(name="curves", title="Retention of the newest cohorts", asks=_curves),
                Tile(name="retention", title="Retention", asks=_triangle, span=2, height=440),
                Tile(name="trend", title="Engagement", asks=_trend, height=440),
            ),
        ),
    ),
)
