"""Numbers over time: periods in which nothing happened, periods that are not over, and how both are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias

import pandas as pd

from workbench.charts.spec import Line
from workbench.metrics import arguments
from workbench.metrics.calendars import Period, calendar
from workbench.results import Definition

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from workbench.store.base import Snapshot

HourOrPeriod: TypeAlias = Literal["hour"] | Period


@dataclass(frozen=True, kw_only=True)
class SpanDefinition(Definition):
    """When a question looks: from `since` up to `until` (exclusive), as seen at `now`, on the clocks of `tz`."""

    since: datetime | None
    until: datetime | None
    now: datetime
    tz: str


def complete(found: pd.DataFrame, asked: SpanDefinition, period: HourOrPeriod) -> pd.DataFrame:
    """Add the periods in which nothing happened, and say which are over.

    Args:
        found: One row per period with something in it: `period` (its start on the clocks of `asked.tz`), counts.
        asked: The question; `until` and `now` end the last period.
        period: What a period is.

    Returns:
        The rows of all periods from the first to the last found, ordered, counts 0 where there was
        nothing, and `mature`: whether the whole period had passed at `now`.
    """
    starts = pd.to_datetime(found["period"]).astype("datetime64[us]")
    if found.empty:
        return found.assign(period=starts, mature=pd.Series(dtype=bool))
    periods, over = _periods(starts.min(), starts.max(), asked, period)
    whole = found.assign(period=starts).set_index("period").reindex(periods, fill_value=0)
    return whole.assign(mature=over).rename_axis("period").reset_index()


def _periods(
    first: datetime, last: datetime, asked: SpanDefinition, period: HourOrPeriod
) -> tuple[pd.DatetimeIndex, list[bool]]:
    zone = arguments.zone(asked.tz)
    begin, end = (moment.replace(tzinfo=zone).astimezone(UTC) for moment in (first, last))
    if period == "hour":
        hours = [begin + number * timedelta(hours=1) for number in range(int((end - begin) / timedelta(hours=1)) + 1)]
        # The hour that the clock shows twice in autumn is one row, as its label is one.
        shown = dict.fromkeys(hour.astimezone(zone).replace(tzinfo=None) for hour in hours)
        ends = [hour.replace(tzinfo=zone).astimezone(UTC) + timedelta(hours=1) for hour in shown]
        return pd.DatetimeIndex(list(shown), dtype="datetime64[us]"), [stop <= asked.now for stop in ends]
    known = calendar(period, begin, end, asked.tz)
    over = [stop <= asked.now for stop in known.starts[1 : len(known.days) + 1]]
    return pd.DatetimeIndex(pd.to_datetime(list(known.days)), dtype="datetime64[us]"), over


def over_time(frame: pd.DataFrame, column: str) -> tuple[Line, ...]:
    """Draw a column of a completed frame: what is over as a line, what is not as a dashed one that goes on from it."""
    if frame.empty:
        return ()
    over = int(frame["mature"].sum())
    instants, values = [*map(_instant, frame["period"])], [*map(float, frame[column])]
    lines = [Line(x=tuple(instants[:over]), y=tuple(values[:over]), label=column)] if over else []
    if over < len(values):
        begin = max(over - 1, 0)
        lines.append(Line(x=tuple(instants[begin:]), y=tuple(values[begin:]), label=column, dashed=True))
    return tuple(lines)


def drawn(instants: Iterable[pd.Timestamp], tz: str) -> list[datetime]:
    """Put instants on the clocks of a zone, as charts take them."""
    return [instant.tz_convert(tz).to_pydatetime() for instant in instants]


def note(asked: SpanDefinition, *, over: bool = True) -> str:
    """Say in short what a chart over time shows: its time zone, its end where one was asked for, what dashes mean."""
    parts = [asked.tz]
    if asked.until is not None:
        parts.append(f"before {asked.until.astimezone(arguments.zone(asked.tz)):%d %b %Y %H:%M}")
    if not over:
        parts.append("dashed: not over yet")
    return ", ".join(parts)


def _instant(start: Hashable) -> datetime:
    return pd.Timestamp(str(start)).to_pydatetime()


def last_event(snapshot: Snapshot) -> datetime | None:
    """Return when the newest event occurred: how far the data reach. `None` where there are no events."""
    newest: datetime | None = snapshot.query("SELECT max(occurred_at) AS newest FROM events")["newest"][0].as_py()
    return newest and newest.astimezone(UTC)
