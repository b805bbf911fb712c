"""Retention as a chart and as words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workbench.charts import formats
from workbench.charts.spec import Chart, Grid, Line
from workbench.metrics.breakdowns import rest_told

if TYPE_CHECKING:
    import pandas as pd

    from workbench.metrics.retention import Retention
    from workbench.metrics.retention_definition import RetentionDefinition

MOST_ROWS: Final = 30
"""Newest cohorts and first periods that a chart shows; the frame has them all."""
THIN: Final = 30
"""Under so many people a rate says little, and the reading says so."""


def chart(answer: Retention) -> Chart:
    """Draw the newest cohorts as a heat map, cells that are not final hatched; with segments, the mean of each."""
    if answer.definition.by:
        return _by_segment(answer)
    frame, definition = answer.frame, answer.definition
    cohorts = sorted(frame["cohort"].unique())[-MOST_ROWS:]
    shown = frame[frame["cohort"].isin(cohorts)]
    columns = range(min(MOST_ROWS, int(shown["period"].max()) + 1 if len(shown) else 0))
    sizes = shown.groupby("cohort")["cohort_size"].first()
    cells = shown.set_index(["cohort", "period"])
    rates, mature = cells["retention_rate"], cells["mature"]
    grid = Grid(
        rows=tuple(f"{day:%Y-%m-%d} ({sizes[day]:,})" for day in cohorts),
        columns=tuple(_called(definition, number) for number in columns),
        values=tuple(tuple(_rate(rates, (day, number)) for number in columns) for day in cohorts),
        hatched=tuple(tuple(not mature.get((day, number), True) for number in columns) for day in cohorts),
    )
    back = _BACK[definition.kind]
    clock = f"{definition.clock} {definition.period}s, {definition.tz}"
    note = f"share of the cohort that came back {back} · {clock} · hatched: not over yet"
    if frame["cohort"].nunique() > len(cohorts):
        note += f" · newest {len(cohorts)} of {frame['cohort'].nunique()} cohorts"
    title = f"Retention by {definition.period} of {definition.start}"
    label = f"{definition.period}s since the start"
    return Chart(title=title, marks=(grid,), x_label=label, y_label="cohort", y_format="percent", note=note)


def _by_segment(answer: Retention) -> Chart:
    """Draw a line per segment: its mean over mature cohorts."""
    definition, mean = answer.definition, answer.mean
    lines = tuple(
        Line(x=tuple(map(float, rows["period"])), y=tuple(map(float, rows["retention_rate"])), label=str(name))
        for name, rows in mean.groupby("segment", sort=False)
    )
    return Chart(
        title=f"Retention by {definition.period} of {definition.start}, by {definition.by}",
        marks=lines,
        x_scale="linear",
        x_label=f"{definition.period}s since the start",
        y_label=f"share that came back {_BACK[definition.kind]}",
        y_format="percent",
        note=f"mean of mature cohorts · {definition.clock} {definition.period}s, {definition.tz}",
    )


def _called(definition: RetentionDefinition, number: int) -> str:
    """Name a column: its period, or the first and the last of its bracket."""
    if not definition.brackets:
        return str(number)
    first, last = definition.brackets[number]
    return str(first) if first == last else f"{first}-{last}"


def named(definition: RetentionDefinition, number: int) -> str:
    """Name a period in words: `week 1`, or the `weeks 2-3` of a bracket."""
    called = _called(definition, number)
    return f"{definition.period}s {called}" if "-" in called else f"{definition.period} {called}"


def _first(definition: RetentionDefinition) -> int:
    """Return the number of the first period, or bracket, that tells of coming back: not the one of the start."""
    return 0 if definition.brackets and definition.brackets[0][0] > 0 else 1


_BACK: Final = {
    "on": "in it",
    "on_or_after": "in it or later",
    "on_or_before": "in it or before",
    "bracket": "in any of them",
    "streak": "in it and in all between",
}


def _rate(rates: pd.Series[float], cell: tuple[pd.Timestamp, int]) -> float | None:
    rate = float(rates.get(cell, float("nan")))
    return None if rate != rate else rate  # noqa: PLR0124 - NaN alone differs from itself


def reading(answer: Retention) -> str:
    """Say what share comes back, how sure that is, and how it goes on."""
    definition, frame = answer.definition, answer.frame
    sizes = frame.groupby(["segment", "cohort"] if definition.by else "cohort")["cohort_size"].first()
    people, period = int(sizes.sum()), definition.period
    if not people:
        return f"Nobody did {definition.start} in this time, so nobody could come back."
    returned = "any event" if definition.returns is None else str(definition.returns)
    count = frame["cohort"].nunique()
    cohorts = "1 cohort" if count == 1 else f"{count:,} cohorts"
    opening = f"{people:,} people in {cohorts} by {period} started with {definition.start}."
    if definition.by:
        return f"{opening} {_segments_told(answer)}"
    mean = answer.mean[answer.mean["period"] >= _first(definition)]
    if mean.empty:
        return f"{opening} No cohort has a full {period} behind it yet, so there is no retention to read."
    first, telling = mean.iloc[0], mean[mean["cohort_size"] >= THIN]
    last = first if telling.empty else telling.iloc[-1]
    later = {"on_or_after": " or later", "on_or_before": " or before", "streak": " and all before"}.get(
        definition.kind, ""
    )
    sentences = [
        opening,
        f"{_percent(first, 'retention_rate')} came back with {returned} in {named(definition, int(first['period']))}"
        f"{later} (95% interval {_percent(first, 'ci_low')} to {_percent(first, 'ci_high')}, "
        f"{first['cohort_size']:,.0f} people for whom it is over).",
    ]
    if last["period"] > first["period"]:
        told = f"{named(definition, int(last['period']))} it is {_percent(last, 'retention_rate')}"
        sentences.append(f"{'In' if definition.brackets else 'By'} {told} of {last['cohort_size']:,.0f}.")
    if first["cohort_size"] < THIN:
        sentences.append(f"With {first['cohort_size']:.0f} people these rates are too thin to act on.")
    return " ".join(sentences)


def _segments_told(answer: Retention) -> str:
    """Say how many of each segment come back at first; thin ones say so."""
    asked = answer.definition
    mean = answer.mean[answer.mean["period"] == _first(asked)]
    columns = (mean[name].tolist() for name in ("segment", "retention_rate", "cohort_size"))
    told = [
        f"{name} {formats.number(rate, 'percent')}" + (f" (of {size:,}, too thin to act on)" if size < THIN else "")
        for name, rate, size in zip(*columns, strict=True)
    ]
    unit, rest = asked.period, rest_told(_met(answer))
    if not told:
        return f"No cohort has a full {unit} behind it yet."
    return " ".join(filter(None, [f"In {named(asked, _first(asked))} came back: {', '.join(told)}.", rest]))


def _met(answer: Retention) -> list[str]:
    met = set(answer.frame["segment"])
    return [name for name in answer.segments if name in met]


def _percent(row: pd.Series[float], name: str) -> str:
    return formats.number(float(row[name]), "percent")
