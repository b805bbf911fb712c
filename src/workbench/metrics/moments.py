"""Moments: what happens second by second and minute by minute. Live numbers are these, answered as events come in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
import pandas as pd

from workbench.charts.formats import duration, number
from workbench.charts.spec import Bars, Chart, Line
from workbench.errors import InvalidArgument
from workbench.metrics import coverage, queries
from workbench.metrics.messages import MESSAGES
from workbench.metrics.performance import instants, window
from workbench.metrics.series import SpanDefinition, drawn, note
from workbench.metrics.words import words
from workbench.results import Answer
from workbench.store.live_raids import LONGEST

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    from workbench.store.base import Snapshot

TRAILING: Final = {"users_1m": 1, "users_5m": 5, "users_60m": 60}
"""Columns of active users, and of how many minutes each are."""

_DAY: Final = timedelta(days=1)
_MINUTE: Final = timedelta(minutes=1)
_MOST_DAYS: Final = 31


@dataclass(frozen=True, kw_only=True)
class EventVolumeDefinition(SpanDefinition):
    """What `event_volume` counts."""

    question: ClassVar[str] = "event_volume"
    width: timedelta


@dataclass(frozen=True, kw_only=True, eq=False)
class EventVolume(Answer):
    """Events by platform and type.

    `frame` has one row per window, platform and type with an event: `start`, `platform` (missing where it is not
    said), `event_type`, `events`.
    """

    definition: EventVolumeDefinition

    @property
    def windows(self) -> pd.DataFrame:
        """One row per window with an event: `start`, `events`, `messages`."""
        return per_window(self.frame)

    def chart(self) -> Chart:
        """Draw events and messages per window."""
        return volume(self.windows, self.definition)

    def _reading(self) -> str:
        """Say how much happened, and in which window most."""
        windows, width = self.windows, duration(self.definition.width.total_seconds())
        if windows.empty:
            return "Nothing happened in this time."
        busiest = windows.sort_values("events").iloc[-1]
        return (
            f"{number(windows['events'].sum(), 'count')} events, {number(windows['messages'].sum(), 'count')} of them "
            f"messages; the most in {width}, {number(busiest['events'], 'count')}, from "
            f"{busiest['start']:%d %b %Y %H:%M:%S} UTC."
        )


def event_volume(
    snapshot: Snapshot,
    *,
    width: str | timedelta = "1m",
    since: str | date | None = None,
    until: str | date | None = None,
    now: str | date | None = None,
    tz: str = "UTC",
) -> EventVolume:
    """Count events by platform and type, by windows of one width; arguments as in `performance`."""
    span = coverage.span(snapshot, since, until, now, tz=tz)
    definition = EventVolumeDefinition(
        width=window(width), since=span.since, until=span.until, now=span.now, tz=tz, people=snapshot.people
    )
    sql = queries.filled(
        queries.text("event_volume", snapshot.engine), micros=words(snapshot.engine).micros("occurred_at")
    )
    found = snapshot.query(sql, {"width": definition.width // timedelta(microseconds=1), **span.entries()})
    return EventVolume(
        frame=cells(found.to_pandas()),
        sql=sql,
        definition=definition,
        data_version=snapshot.data_version,
        notes=span.notes,
    )


def cells(counted: pd.DataFrame) -> pd.DataFrame:
    """Make a frame of counts with `start` in microseconds since 1970."""
    return counted.assign(
        start=instants(counted["start"]),
        platform=counted["platform"].astype("str").where(counted["platform"].notna()),
        event_type=counted["event_type"].astype("str"),
        events=counted["events"].astype("int64"),
    )[["start", "platform", "event_type", "events"]]


def per_window(frame: pd.DataFrame) -> pd.DataFrame:
    """Add up platforms and types: one row per window, with `start`, `events`, `messages`."""
    messages = frame["events"].where(frame["event_type"].isin(MESSAGES), 0)
    return frame.assign(messages=messages).groupby("start", as_index=False)[["events", "messages"]].sum()


def volume(windows: pd.DataFrame, asked: SpanDefinition) -> Chart:
    """Draw events and messages per window."""
    x = tuple(drawn(windows["start"], asked.tz))
    marks = tuple(Line(x=x, y=tuple(map(float, windows[name])), label=name) for name in ("events", "messages"))
    return Chart(
        title="Events", y_label="events in a window", x_scale="time", marks=marks if x else (), note=note(asked)
    )


@dataclass(frozen=True, kw_only=True)
class ActiveMinutesDefinition(SpanDefinition):
    """What `active_minutes` counts."""

    question: ClassVar[str] = "active_minutes"
    minutes: tuple[int, ...] = tuple(TRAILING.values())


@dataclass(frozen=True, kw_only=True, eq=False)
class ActiveMinutes(Answer):
    """People with any event, minute by minute.

    `frame` has one row per minute from the first with an event to the last asked for: `start`, `users_1m`,
    `users_5m`, `users_60m`: the distinct people of the minute, and of the 5 and 60 minutes that it is the last of.
    """

    definition: ActiveMinutesDefinition

    def chart(self) -> Chart:
        """Draw people over time."""
        return people(self.frame, self.definition)

    def _reading(self) -> str:
        """Say how many there were at the end, and at most."""
        return crowd(self.frame)


def active_minutes(
    snapshot: Snapshot,
    *,
    since: str | date | None = None,
    until: str | date | None = None,
    now: str | date | None = None,
    tz: str = "UTC",
) -> ActiveMinutes:
    """Count distinct people per minute, and in the 5 and 60 minutes up to it.

    Args:
        snapshot: The events.
        since: First minute; a day before `until` (or `now`) if not given.
        until: End, exclusive.
        now: When the question is asked: later events are not seen. The earlier of the present and the end of the
            data if not given.
        tz: Time zone of naive times, and of the chart.

    Raises:
        InvalidArgument: A time cannot be used, or they lie more than 31 days apart.

    >>> from workbench.testing import store_of
    >>> events = store_of({"ann": "view:0 view:7", "bob": "view:6"}).snapshot()
    >>> frame = active_minutes(events, since="2026-01-05", until="2026-01-05T00:08").frame
    >>> frame[["users_1m", "users_5m", "users_60m"]].tail(2).to_numpy().tolist()
    [[1, 1, 2], [1, 2, 2]]
    """
    span = coverage.span(snapshot, since, until, now, tz=tz, beginning=False)
    end = min(span.until or span.now, span.now)
    begin = span.since or end - _DAY
    if end - begin > timedelta(days=_MOST_DAYS):
        raise InvalidArgument(
            f"minutes are counted over {_MOST_DAYS} days at most, got {begin:%Y-%m-%d} to {end:%Y-%m-%d}: give since"
        )
    first = _floor(begin)
    sql = queries.filled(
        queries.text("active_minutes", snapshot.engine),
        micros=words(snapshot.engine).micros("occurred_at"),
    )
    earlier = instant_of(first - max(TRAILING.values()) + 1)
    found = snapshot.query(sql, {**span.entries(), "since": earlier})
    minute = found["start"].to_numpy() // 60_000_000
    frame = counted_people(minute, found["user_key"].to_numpy(), last=_floor(end - timedelta(microseconds=1)))
    definition = ActiveMinutesDefinition(since=begin, until=span.until, now=span.now, tz=tz, people=snapshot.people)
    return ActiveMinutes(
        frame=frame[frame["start"] >= instant_of(first)].reset_index(drop=True),
        sql=sql,
        definition=definition,
        data_version=snapshot.data_version,
        notes=span.notes,
    )


def counted_people(minute: NDArray[np.int64], user_key: NDArray[np.int64], *, last: int | None = None) -> pd.DataFrame:
    """Count the distinct people of each minute and of those up to it, from who was there in which minute.

    A person who was there in a minute counts from then on for as long as a window is wide, or until they are there
    again: each counts once, at every width, in one pass over all. The rows end with `last`, or with the last minute in
    which anybody was there.
    """
    if not len(minute):
        empty = {name: np.empty(0, dtype=np.int64) for name in TRAILING}
        return pd.DataFrame({"start": instants(pd.Series(np.empty(0, dtype=np.int64))), **empty})
    ordered = bool((minute[1:] >= minute[:-1]).all())
    order = np.argsort(user_key, kind="stable") if ordered else np.lexsort((minute, user_key))
    person, at = user_key[order], minute[order]
    first, end = int(at.min()), int(at.max()) if last is None else max(last, int(at.max()))
    again = np.full(len(at), np.iinfo(np.int64).max)
    same = person[1:] == person[:-1]
    again[:-1][same] = at[1:][same]
    minutes = np.arange(first, end + 1)
    columns = {}
    for name, width in TRAILING.items():
        gone = np.minimum(np.minimum(at + width, again) - first, len(minutes))
        changes = np.bincount(at - first, minlength=len(minutes) + 1) - np.bincount(gone, minlength=len(minutes) + 1)
        columns[name] = np.cumsum(changes)[:-1].astype(np.int64)
    return pd.DataFrame({"start": instants(pd.Series(minutes * 60_000_000)), **columns})


def instant_of(minute: int) -> datetime:
    """Return the instant at which a minute since 1970 begins."""
    return datetime(1970, 1, 1, tzinfo=UTC) + minute * _MINUTE


def _floor(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // _MINUTE


def people(frame: pd.DataFrame, asked: SpanDefinition) -> Chart:
    """Draw active people over time."""
    x = tuple(drawn(frame["start"], asked.tz))
    labels = {"users_60m": "in 60 minutes", "users_5m": "in 5 minutes", "users_1m": "in the minute"}
    marks = tuple(Line(x=x, y=_gaps(frame[name]), label=label) for name, label in labels.items())
    return Chart(
        title="Active users", y_label="people with any event", x_scale="time", marks=marks if x else (),
        note=note(asked),
    )  # fmt: skip


def _gaps(values: pd.Series[float]) -> tuple[float | None, ...]:
    return tuple(None if value != value else float(value) for value in values)  # noqa: PLR0124 - NaN


def crowd(frame: pd.DataFrame) -> str:
    """Say how many people there were in the last minute, and at most."""
    if frame.empty:
        return "Nobody was active in this time."
    last, most = frame.iloc[-1], frame.sort_values("users_1m").iloc[-1]
    return (
        f"In the minute from {last['start']:%d %b %Y %H:%M} UTC {number(last['users_1m'], 'count')} people were there, "
        f"{number(last['users_5m'], 'count')} in 5 minutes and {number(last['users_60m'], 'count')} in 60; the most in "
        f"one minute, {number(most['users_1m'], 'count')}, at {most['start']:%H:%M}."
    )


@dataclass(frozen=True, kw_only=True)
class RaidsInProgressDefinition(SpanDefinition):
    """What `raids_in_progress` lists."""

    question: ClassVar[str] = "raids_in_progress"
    longest: timedelta = timedelta(seconds=LONGEST)


@dataclass(frozen=True, kw_only=True, eq=False)
class RaidsInProgress(Answer):
    """The raids in progress at an instant.

    `frame` has one row per raid, oldest first: `raid_id`, `started_at`, `participants` (distinct people who joined).
    """

    definition: RaidsInProgressDefinition

    def chart(self) -> Chart:
        """Draw who takes part in which."""
        return participation(self.frame)

    def _reading(self) -> str:
        """Say how many there are, and who takes part."""
        return raids(self.frame)


def raids_in_progress(snapshot: Snapshot, *, now: str | date | None = None, tz: str = "UTC") -> RaidsInProgress:
    """List the raids that started in the last 24 hours and were not told to end, as of `now`."""
    span = coverage.span(snapshot, None, None, now, tz=tz, beginning=False)
    definition = RaidsInProgressDefinition(since=None, until=None, now=span.now, tz=tz, people=snapshot.people)
    sql = queries.text("raids_in_progress", snapshot.engine)
    found = snapshot.query(sql, {"now": span.now, "longest_ago": span.now - definition.longest}).to_pandas()
    return RaidsInProgress(
        frame=found, sql=sql, definition=definition, data_version=snapshot.data_version, notes=span.notes
    )


def participation(frame: pd.DataFrame) -> Chart:
    """Draw how many people take part in each raid."""
    bars = Bars(x=tuple(map(str, frame["raid_id"])), y=tuple(map(float, frame["participants"])))
    return Chart(title="Raids in progress", y_label="people who joined", marks=(bars,) if len(frame) else ())


def raids(frame: pd.DataFrame) -> str:
    """Say how many raids are in progress, and how many people joined them."""
    running = frame["participants"]
    if not len(running):
        return "No raid is in progress."
    are = "raid is" if len(running) == 1 else "raids are"
    joined = int(running.sum())
    return f"{len(running):,} {are} in progress, joined by {joined:,} {'person' if joined == 1 else 'people'}."
