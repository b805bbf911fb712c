"""Where things stand: the range, the ticks and the tick labels of a chart's two axes.

Every coordinate becomes a number: a name its place among the names (0, 1, …), an instant the seconds of
its own wall clock since 1970, so that an hour reads the same in every renderer and on every machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, TypeGuard

from workbench.charts import formats
from workbench.charts.spec import Band, Bars, Flow, Grid, Line, Points, Slices
from workbench.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from workbench.charts.spec import Chart, Coordinate, Format, Mark

_EPOCH = datetime(1970, 1, 1)
_DAY = 86400.0
_MONDAY = 4 * _DAY
_FEW = 8
_CLOSE = 0.8
"""Lines that vary by less than a fifth of their height have an axis of their own range."""
_CLOCK_STEPS = (1, 5, 15, 30, 60, 300, 900, 1800, 3600, 7200, 10800, 21600, 43200, _DAY, 2 * _DAY, 7 * _DAY, 14 * _DAY)
_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600)
_SECOND_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, _DAY)

XY = Line | Band | Bars | Points


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: its range, and where it is labelled with what. `names` are all places of a category axis."""

    low: float
    high: float
    ticks: tuple[float, ...]
    labels: tuple[str, ...]
    names: tuple[str, ...] = ()
    pattern: str = ""
    """How instants are written on a time axis, in strftime's and d3's common signs."""

    def places(self, values: Sequence[Coordinate]) -> tuple[float, ...]:
        """Return the numbers of a mark's coordinates."""
        if not self.names:
            return tuple(seconds(value) for value in values)
        index = {name: float(place) for place, name in enumerate(self.names)}
        return tuple(index[name] for name in formats.distinct(values))


def is_xy(mark: Mark) -> TypeGuard[XY]:
    """Tell whether a mark stands on the two axes."""
    return isinstance(mark, XY)


def is_empty(chart: Chart) -> bool:
    """Tell whether there is nothing to draw."""
    return not any(_has_value(mark) for mark in chart.marks)


def seconds(value: Coordinate | date) -> float:
    """Return a number as it is, an instant as seconds of its own wall clock since 1970.

    Raises:
        InvalidArgument: A name, which has a place only on a category axis.
    """
    if isinstance(value, str):
        raise InvalidArgument(f"the name {value!r} has no place on a time or linear axis; use x_scale='category'")
    if isinstance(value, datetime):
        return (value.replace(tzinfo=None) - _EPOCH) / timedelta(seconds=1)
    if isinstance(value, date):
        return (value - _EPOCH.date()) / timedelta(seconds=1)
    return float(value)


def or_nan(value: float | None) -> float:
    """Return a number, or NaN for one that is missing or infinite."""
    return float(value) if value is not None and math.isfinite(value) else math.nan


def instant(number: float) -> datetime:
    """Return the wall clock of a place on a time axis."""
    return _EPOCH + timedelta(seconds=number)


def x_axis(chart: Chart) -> Axis:
    """Lay out the horizontal axis of the marks that stand on axes."""
    marks = [mark for mark in chart.marks if is_xy(mark)]
    if chart.x_scale == "category":
        names = tuple(dict.fromkeys(name for mark in marks for name in formats.distinct(mark.x)))
        return Axis(-0.5, max(len(names), 1) - 0.5, tuple(float(place) for place in range(len(names))), names, names)
    places = sorted({seconds(x) for mark in marks for x in mark.x})
    low, high = (places[0], places[-1]) if places else (0.0, 1.0)
    step = min((right - left for left, right in pairwise(places)), default=_step_alone(chart))
    pad = step / 2 if any(isinstance(mark, Bars) for mark in marks) or low == high else (high - low) * 0.01
    if chart.x_scale == "time":
        return _time_axis(places, low - pad, high + pad)
    ticks = tuple(tick for tick in _nice(low, high, "decimal") if low - pad <= tick <= high + pad)
    return Axis(low - pad, high + pad, ticks, tuple(formats.number(tick, "decimal") for tick in ticks))


def y_axis(chart: Chart) -> Axis:
    """Lay out the vertical axis: from zero, unless that would squeeze lines far above it.

    Bars always start at zero, since their length is what is read.
    """
    values = [value for mark in chart.marks if is_xy(mark) for value in heights(mark)]
    low, high = min(values, default=0.0), max(values, default=1.0)
    bars = [mark for mark in chart.marks if isinstance(mark, Bars)]
    flat = high - low <= 1e-6 * max(abs(low), abs(high))
    if bars or flat or not 0 < high * _CLOSE < low:
        low, high = min(low, 0.0), max(high, 0.0)
    if any(any(mark.annotations) for mark in bars):
        high += (high - low) * 0.08
    if low == high:
        high = low + 1
    ticks = _nice(low, high, chart.y_format)
    if chart.y_format == "percent" and max(values, default=0) <= 1 < ticks[-1]:
        ticks = tuple(tick for tick in ticks if tick <= 1)
    return Axis(min(ticks[0], low), max(ticks[-1], high), ticks, tuple(formats.short(t, chart.y_format) for t in ticks))


def heights(mark: XY) -> Iterator[float]:
    """Yield every finite number of a mark that the vertical axis must hold."""
    numbers: Iterable[float | None] = (
        (*mark.low, *mark.high)
        if isinstance(mark, Band)
        else (*mark.y, *(mark.low + mark.high))
        if isinstance(mark, Bars)
        else mark.y
    )
    return (float(value) for value in numbers if value is not None and math.isfinite(value))


def _has_value(mark: Mark) -> bool:
    if isinstance(mark, Grid):
        return any(value is not None and math.isfinite(value) for row in mark.values for value in row)
    if isinstance(mark, Slices):
        return sum(value for value in mark.values if math.isfinite(value)) > 0
    if isinstance(mark, Flow):
        return any(math.isfinite(amount) and amount > 0 for _, _, amount in mark.links)
    return next(heights(mark), None) is not None


def _step_alone(chart: Chart) -> float:
    return _DAY if chart.x_scale == "time" else 1.0


def _nice(low: float, high: float, form: Format, most: int = 6) -> tuple[float, ...]:
    """Return round numbers that cover the range, `most` or fewer."""
    rough = (high - low) / (most - 1) or 1.0
    if form == "seconds" and rough >= 1:
        step = next((s for s in _SECOND_STEPS if s >= rough), math.ceil(rough / _DAY) * _DAY)
    else:
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * (1 - 1e-9))
        step = math.ceil(step) if form == "count" else step
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(float(f"{place * step:.12g}") for place in range(first, last + 1))


def _time_axis(places: list[float], low: float, high: float) -> Axis:
    if 0 < len(places) <= _FEW and _evenly(places):
        ticks, step = tuple(places), min(_DAY if all(p % _DAY == 0 for p in places) else 3600, high - low)
    else:
        ticks, step = _clock_ticks(low, high) if high - low <= _FEW * 14 * _DAY else _month_ticks(low, high)
    pattern = _pattern(step, high - low)
    return Axis(low, high, ticks, tuple(instant(tick).strftime(pattern) for tick in ticks), pattern=pattern)


def _evenly(places: list[float]) -> bool:
    gaps = [right - left for left, right in pairwise(places)]
    return not gaps or max(gaps) <= 2 * min(gaps)


def _clock_ticks(low: float, high: float) -> tuple[tuple[float, ...], float]:
    step = next((s for s in _CLOCK_STEPS if (high - low) / s <= _FEW), _CLOCK_STEPS[-1])
    origin = _MONDAY if step >= 7 * _DAY else 0.0
    first, last = math.ceil((low - origin) / step), math.floor((high - origin) / step)
    return tuple(origin + place * step for place in range(first, last + 1)), step


def _month_ticks(low: float, high: float) -> tuple[tuple[float, ...], float]:
    start, end = (moment.year * 12 + moment.month - 1 for moment in (instant(low), instant(high)))
    step = next((s for s in _MONTH_STEPS if (end - start) / s <= _FEW), _MONTH_STEPS[-1])
    months = (month for month in range(start - start % step, end + 1) if month % step == 0)
    ticks = (seconds(date(month // 12, month % 12 + 1, 1)) for month in months)
    return tuple(tick for tick in ticks if low <= tick <= high), step * 30 * _DAY


def _pattern(step: float, span: float) -> str:
    if step >= 360 * _DAY:
        return "%Y"
    if step >= 28 * _DAY:
        return "%b %Y"
    if step >= _DAY:
        return "%d %b"
    clock = "%H:%M" if step >= 60 else "%H:%M:%S"  # noqa: PLR2004 - a minute
    return clock if span <= 1.5 * _DAY else f"%d %b {clock}"
