"""Performance: how often requests and AI interactions fail, and how long they take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeAlias

import pandas as pd

from workbench.charts.formats import duration, number
from workbench.charts.spec import Chart, Line
from workbench.errors import InvalidArgument
from workbench.metrics import arguments, coverage, intervals, queries
from workbench.metrics.series import SpanDefinition, drawn, note
from workbench.metrics.words import words
from workbench.results import Answer
from workbench.store import live_sketch
from workbench.store.live_batch import ASKED, FAILED, NO_ERROR, NUMBER, REFUSED

if TYPE_CHECKING:
    from datetime import date

    from workbench.store.base import Engine, Snapshot

By: TypeAlias = Literal["event_type"]

QUANTILES: Final = {"p50_ms": 500, "p95_ms": 950, "p99_ms": 990}
"""Columns of response times, and the quantile that each is, in thousandths."""

_MATCHES: Final[dict[Engine, str]] = {
    "duckdb": "regexp_matches({text}, $number)",
    "clickhouse": "match({text}, $number)",
}
_PROPERTIES: Final = {"response_time": "response_time_ms", "status": "status", "error": "error"}


@dataclass(frozen=True, kw_only=True)
class PerformanceDefinition(SpanDefinition):
    """What `performance` counts."""

    question: ClassVar[str] = "performance"
    width: timedelta
    event_types: tuple[str, ...] = ASKED
    by: By | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Performance(Answer):
    """How often requests fail, and how long they take.

    `frame` has one row per window with a request: `start`, `requests`, `errors` (an `error` was told, or a `status`
    of 429 or from 500 on), `error_rate` (of `requests`) with its interval `ci_low`, `ci_high`, `timed` (requests that
    say how long they took), and of those `p50_ms`, `p95_ms`, `p99_ms`: measured times, NaN where there is none. Broken
    down, `segment` comes first.
    """

    definition: PerformanceDefinition

    def chart(self) -> Chart:
        """Draw the response times over time."""
        return times(self.frame, self.definition)

    def _reading(self) -> str:
        """Say how many requests failed, and how long the slowest of a hundred took."""
        return told(self.frame, duration(self.definition.width.total_seconds()))


def performance(
    snapshot: Snapshot,
    *,
    width: str | timedelta = "1h",
    by: By | None = None,
    since: str | date | None = None,
    until: str | date | None = None,
    now: str | date | None = None,
    tz: str = "UTC",
) -> Performance:
    """Count requests and AI interactions, their errors and their response times, by windows of one width.

    Args:
        snapshot: The events.
        width: Of a window, in whole seconds; windows are counted from 1970 on, so those of an hour begin on the hour
            in UTC.
        by: `event_type` tells requests and AI interactions apart, which take seconds of another kind.
        since: Start, inclusive; naive times are in `tz`.
        until: End, exclusive.
        now: When the question is asked: later events are not seen. The earlier of the present and the end of the
            data if not given.
        tz: Time zone of naive times, and of the chart.

    Raises:
        InvalidArgument: A width, a breakdown, a time or a zone cannot be used.

    >>> from workbench.testing import store_of
    >>> failing = store_of({"ann": "request:0 request:1"}, properties={"status": 503, "response_time_ms": 80})
    >>> performance(failing.snapshot()).frame[["requests", "errors", "error_rate", "p95_ms"]].to_numpy().tolist()
    [[2.0, 2.0, 1.0, 80.0]]
    """
    span = coverage.span(snapshot, since, until, now, tz=tz)
    length = window(width)
    if by not in (None, "event_type"):
        raise InvalidArgument(f"by is 'event_type' or None, not {by!r}")
    definition = PerformanceDefinition(
        width=length, by=by, since=span.since, until=span.until, now=span.now, tz=tz, people=snapshot.people
    )
    say, matches = words(snapshot.engine), _MATCHES[snapshot.engine]
    texts = {what: say.property(f"${what}_key") for what in _PROPERTIES}
    sql = queries.filled(
        queries.text("performance", snapshot.engine),
        segment=by or "''",
        micros=say.micros("occurred_at"),
        asked=say.one_of("event_type", "$asked"),
        no_error=say.one_of("error", "$no_error"),
        error=texts["error"],
        **{what: say.number(texts[what]) for what in ("response_time", "status")},
        **{f"{what}_is_number": matches.format(text=texts[what]) for what in ("response_time", "status")},
    )
    params = {
        "asked": list(ASKED),
        "width": length // timedelta(microseconds=1),
        "longest_ms": live_sketch.LONGEST_MS,
        "refused": REFUSED,
        "failed": FAILED,
        "number": NUMBER,
        "no_error": list(NO_ERROR),
        **{f"{what}_key": say.key_of(name) for what, name in _PROPERTIES.items()},
        **span.entries(),
    }
    counted = snapshot.query(sql, params).to_pandas()
    if by is None:
        counted = counted.drop(columns="segment")
    return Performance(
        frame=finished(counted), sql=sql, definition=definition, data_version=snapshot.data_version, notes=span.notes
    )


def window(width: str | timedelta) -> timedelta:
    """Check the width of a window.

    Raises:
        InvalidArgument: It is no length of time, or not whole seconds.
    """
    length = arguments.duration(width, name="width")
    if length % timedelta(seconds=1):
        raise InvalidArgument(f"width is a number of whole seconds, got {width!r}")
    return length


def finished(counted: pd.DataFrame) -> pd.DataFrame:
    """Make a frame of counts: `start` (microseconds since 1970), `requests`, `errors`, `timed`, and the quantiles.

    A column `segment` stays where there is one.
    """
    requests, errors = counted["requests"].astype("int64"), counted["errors"].astype("int64")
    low, high = intervals.wilson(errors, requests)
    segments = {"segment": counted["segment"].astype("str")} if "segment" in counted else {}
    return pd.DataFrame(
        {
            **segments,
            "start": instants(counted["start"]),
            "requests": requests,
            "errors": errors,
            "error_rate": intervals.rate(errors, requests),
            "ci_low": low,
            "ci_high": high,
            "timed": counted["timed"].astype("int64"),
            **{name: counted[name].astype("float64") for name in QUANTILES},
        }
    )


def instants(micros: pd.Series[Any]) -> pd.Series[pd.Timestamp]:
    """Turn microseconds since 1970 into instants."""
    return micros.astype("int64").astype("datetime64[us]").dt.tz_localize("UTC")


def times(frame: pd.DataFrame, asked: SpanDefinition) -> Chart:
    """Draw response times over time: median, 95% and 99%; with segments, 95% of each."""
    by_segment = "segment" in frame
    if by_segment:
        marks = tuple(
            _line(rows, asked, "p95_ms", str(segment).replace("_", " ")) for segment, rows in frame.groupby("segment")
        )
    else:
        labels = {"p50_ms": "median", "p95_ms": "95%", "p99_ms": "99%"}
        marks = tuple(_line(frame, asked, name, label) for name, label in labels.items())
    known = frame["timed"].sum() > 0
    return Chart(
        title="Response times",
        y_label="95% answered within" if by_segment else "time to answer",
        x_scale="time",
        y_format="seconds",
        marks=marks if known else (),
        note=note(asked),
    )


def _line(rows: pd.DataFrame, asked: SpanDefinition, column: str, label: str) -> Line:
    seconds = tuple(None if math.isnan(ms) else float(ms) / 1000 for ms in rows[column])
    return Line(x=tuple(drawn(rows["start"], asked.tz)), y=seconds, label=label)


def told(frame: pd.DataFrame, width: str) -> str:
    """Say how many requests failed, and how slow the slowest windows were."""
    requests, errors = int(frame["requests"].sum()), int(frame["errors"].sum())
    if not requests:
        return "Nothing was requested in this time."
    low, high = intervals.wilson([errors], [requests])
    said = (
        f"{number(requests, 'count')} requests, of which {number(errors, 'count')} failed: "
        f"{number(errors / requests, 'percent')} ({number(low[0], 'percent')} to {number(high[0], 'percent')})."
    )
    timed = frame.dropna(subset=["p99_ms"])
    if timed.empty:
        return f"{said} None says how long it took."
    worst = timed.sort_values("p99_ms").iloc[-1]
    return (
        f"{said} In the median window of {width} half took less than "
        f"{number(timed['p50_ms'].median() / 1000, 'seconds')}; the slowest of a hundred took longest from "
        f"{worst['start']:%d %b %H:%M} UTC: {number(worst['p99_ms'] / 1000, 'seconds')}."
    )
