"""Whether live numbers are those of history: every closed window asked both ways, and what differs by its cause."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar, Final

import pandas as pd

from workbench.charts.formats import number
from workbench.charts.spec import Bars, Chart
from workbench.metrics import live_causes, moments, performance
from workbench.metrics.live import HOUR, LiveNumbers
from workbench.metrics.live_causes import CAUSES, UNEXPLAINED
from workbench.metrics.series import SpanDefinition
from workbench.results import Answer
from workbench.store.live_sketch import ERROR, SHORTEST_MS
from workbench.store.live_state import MINUTE, SECOND, instant, micros

if TYPE_CHECKING:
    from datetime import datetime

    from workbench.metrics.live_causes import Causes
    from workbench.store.base import Readable, Snapshot
    from workbench.store.live import LiveReader

COUNTS: Final = ("requests", "errors", "timed")
_SECOND: Final = timedelta(seconds=1)
_MINUTE: Final = timedelta(minutes=1)
_TICK: Final = timedelta(microseconds=1)
_ROUNDING: Final = 1e-9


@dataclass(frozen=True, kw_only=True)
class LiveCheckDefinition(SpanDefinition):
    """Which windows `live_check` compares: closed ones, from `since` up to `until`."""

    question: ClassVar[str] = "live_check"
    store: str


@dataclass(frozen=True, kw_only=True, eq=False)
class LiveCheck(Answer):
    """Live numbers beside those of history.

    `frame` has one row per number: `number`, `windows` (how many were compared), `live` and `history` (their sums; of
    quantiles their means), `residual` (the sum of what differs, window by window; of quantiles how many windows differ
    by more than 1%), and the residual by its cause: `late` (left to history), `duplicate` (one id, told with two
    times), `not_yet_in_history`, `not_yet_live`, `not_streamed` (came to history another way), `unexplained`.

    Attributes:
        sources: Per source how many messages were read, and what became of them.
    """

    definition: LiveCheckDefinition
    sources: pd.DataFrame = field(repr=False)

    @property
    def residual(self) -> float:
        """What differs, over all numbers; 0 where live is history."""
        return float(self.frame["residual"].sum())

    @property
    def unexplained(self) -> float:
        """What of it has no cause that is known."""
        return float(self.frame["unexplained"].sum())

    @property
    def cause(self) -> str:
        """What most of it comes from, unless some of it is unexplained; empty text where nothing differs."""
        if self.unexplained:
            return UNEXPLAINED
        return str(self.frame[[*CAUSES]].sum().idxmax()) if self.residual else ""

    def chart(self) -> Chart:
        """Draw the residual by its cause."""
        totals = self.frame[[*CAUSES, UNEXPLAINED]].sum()
        names = tuple(name.replace("_", " ") for name in totals.index)
        return Chart(
            title="Live beside history", y_label="residual", marks=(Bars(x=names, y=tuple(map(float, totals))),)
        )

    def reading(self) -> str:
        """Say whether they are the same, and if not why."""
        compared = f"{number(self.frame['windows'].sum(), 'count')} closed windows of {len(self.frame)} numbers"
        left = self.sources[["late", "duplicate", "rejected"]].sum()
        aside = ", ".join(f"{number(count, 'count')} {name}" for name, count in left.items())
        if not self.residual:
            return f"{compared} are those of history, without any residual. Of all messages {aside}."
        why = [
            f"{number(total, 'count')} {str(name).replace('_', ' ')}"
            for name, total in self.frame[[*CAUSES, UNEXPLAINED]].sum().items()
            if total
        ]
        return (
            f"{compared} differ from history by {number(self.residual, 'count')}: {', '.join(why)}. "
            f"Of all messages {aside}."
        )


def live_check(store: Readable, live: LiveReader, *, tz: str = "UTC") -> LiveCheck:
    """Compare every closed window with what history answers to the same question.

    Args:
        store: The history.
        live: The live numbers.
        tz: Time zone of charts.

    Raises:
        NotEnoughData: No event has come to the live numbers yet.
    """
    numbers = LiveNumbers(live.picture(), tz)  # before the history is opened, so that this has at least as much
    snapshot = store.snapshot()
    state = numbers.picture.state
    since = max(numbers.known_from, instant(max(state.edge or 0, 0) * SECOND))
    until = max(numbers.closed_until, since)
    pairs = {**_seconds(numbers, snapshot, since, until), **_minutes(numbers, snapshot, since, until)}
    pairs["participants"] = _raids(numbers, snapshot, until)
    changed = [each.changed for each in pairs.values() if each.residual.sum()]
    causes = live_causes.find(store, snapshot, live, numbers.picture, changed) if changed else live_causes.nothing()
    return LiveCheck(
        frame=pd.DataFrame([each.row(name, causes) for name, each in pairs.items()]),
        sql="",
        definition=LiveCheckDefinition(since=since, until=until, now=until, tz=tz, store=live.name),
        data_version=snapshot.data_version,
        sources=numbers.sources(),
    )


@dataclass(frozen=True, slots=True)
class Compared:
    """One number, live and by history, window by window.

    Attributes:
        start: When each window begins.
        live: The live number.
        history: That of history.
        residual: By how much they differ.
        width: Of a window, with all that it is made of before it.
        averaged: Whether the numbers are shown as means, for their sum says nothing.
    """

    start: pd.Series[pd.Timestamp]
    live: pd.Series[float]
    history: pd.Series[float]
    residual: pd.Series[float]
    width: timedelta
    averaged: bool = False

    @property
    def minutes(self) -> pd.Series[float]:
        """What differs, by the minute in which windows begin; none of those that do not."""
        differing = self.residual > 0
        return self.residual[differing].groupby(self.start[differing].dt.floor("min")).sum()

    @property
    def changed(self) -> list[tuple[datetime, datetime]]:
        """The spans of the minutes that differ, with all that their numbers are made of."""
        return [(start + _MINUTE - self.width, start + _MINUTE) for start in self.minutes.index]

    def row(self, name: str, causes: Causes) -> dict[str, object]:
        """Write it as a row of the frame."""
        by_cause: Counter[str] = Counter()
        for (begin, end), residual in zip(self.changed, self.minutes, strict=True):
            by_cause += causes.explain(residual, begin, end)
        sums = (self.live.mean(), self.history.mean()) if self.averaged else (self.live.sum(), self.history.sum())
        return {
            "number": name, "windows": len(self.start), "live": float(sums[0]), "history": float(sums[1]),
            "residual": float(self.residual.sum()),
            **{cause: float(by_cause[cause]) for cause in (*CAUSES, UNEXPLAINED)},
        }  # fmt: skip


def _seconds(numbers: LiveNumbers, snapshot: Snapshot, since: datetime, until: datetime) -> dict[str, Compared]:
    if since == until:
        return {}
    volume = moments.event_volume(snapshot, width=_SECOND, since=since, until=until, now=until).frame
    keys = ["start", "platform", "event_type"]
    cells = _within(numbers.volume(last=2 * HOUR).cells, since, until)
    joined = cells.merge(volume, how="outer", on=keys, suffixes=("", "_history")).fillna(
        {"events": 0, "events_history": 0}
    )
    found = {"events": _compared(joined["start"], joined["events"], joined["events_history"], _MINUTE)}
    live = _within(numbers.performance(width=_SECOND, last=2 * HOUR).frame, since, until)
    history = performance.performance(snapshot, width=_SECOND, since=since, until=until, now=until).frame
    both = live.merge(history, how="outer", on="start", suffixes=("", "_history"))
    for name in COUNTS:
        found[name] = _compared(both["start"], both[name].fillna(0), both[f"{name}_history"].fillna(0), _MINUTE)
    return found


def _minutes(numbers: LiveNumbers, snapshot: Snapshot, since: datetime, until: datetime) -> dict[str, Compared]:
    """Compare whole minutes that are closed."""
    begin = instant(-(-micros(since) // (MINUTE * SECOND)) * MINUTE * SECOND)
    end = instant(micros(until) // (MINUTE * SECOND) * MINUTE * SECOND)
    if begin >= end:
        return {}
    users = _within(numbers.active_users(last=2 * HOUR).frame, begin, end)
    history = moments.active_minutes(snapshot, since=begin, until=end, now=end).frame
    both = users.merge(history, how="left", on="start", suffixes=("", "_history"))
    found = {}
    for name, width in moments.TRAILING.items():
        known = both[both[name].notna()]
        there = known[f"{name}_history"].fillna(0)  # before the first minute in which anybody came
        found[name] = _compared(known["start"], known[name].astype("float64"), there, width * _MINUTE)
    live = _within(numbers.performance(last=2 * HOUR).frame, begin, end)
    past = performance.performance(snapshot, width=_MINUTE, since=begin, until=end, now=end).frame
    times = live.merge(past, how="outer", on="start", suffixes=("", "_history"))
    for name in performance.QUANTILES:
        found[name] = _compared_times(times["start"], times[name], times[f"{name}_history"])
    return found


def _raids(numbers: LiveNumbers, snapshot: Snapshot, until: datetime) -> Compared:
    """Compare the raids in progress at the end of the closed windows; one that only one side has counts once more."""
    moment = until - _TICK
    live = numbers.raids(at=moment).frame
    history = moments.raids_in_progress(snapshot, now=moment).frame
    both = live.merge(history, how="outer", on=["raid_id"], suffixes=("", "_history"))
    told, known = (both[name].fillna(-1) for name in ("participants", "participants_history"))
    start = pd.Series([pd.Timestamp(moment)] * len(both), dtype="datetime64[us, UTC]")
    compared = _compared(start, told, known, timedelta(days=1))
    return Compared(start, told.clip(lower=0), known.clip(lower=0), compared.residual, compared.width)


def _compared(
    start: pd.Series[pd.Timestamp], live: pd.Series[float], history: pd.Series[float], width: timedelta
) -> Compared:
    live, history = live.astype("float64"), history.astype("float64")
    return Compared(start, live, history, (live - history).abs(), width)


def _compared_times(start: pd.Series[pd.Timestamp], live: pd.Series[float], history: pd.Series[float]) -> Compared:
    most = (history * (ERROR + _ROUNDING)).clip(lower=SHORTEST_MS)
    same = ((live - history).abs() <= most) | (live.isna() & history.isna())
    return Compared(start, live, history, (~same).astype("float64"), _MINUTE, averaged=True)


def _within(frame: pd.DataFrame, since: datetime, until: datetime) -> pd.DataFrame:
    return frame[(frame["start"] >= since) & (frame["start"] < until)]
