"""The live part of a page: cards and a line that move as events come in, and whether they are those of history."""

from __future__ import annotations

import asyncio
import html
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import ipywidgets as widgets
import numpy as np
import pandas as pd

from workbench.charts import live as figures
from workbench.charts.formats import number
from workbench.charts.spec import Chart, Line
from workbench.dashboards import controls
from workbench.dashboards.feed import FEED
from workbench.errors import StoreNotFound, WorkbenchError
from workbench.store.live_health import health_of

if TYPE_CHECKING:
    from workbench.bench import Bench
    from workbench.charts.spec import Format
    from workbench.dashboards.feed import Feed
    from workbench.metrics.live import LiveNumbers
    from workbench.metrics.live_check import LiveCheck

CHECK_SECONDS: Final = 60.0
"""How often live numbers are compared with history."""

SHOWN: Final = timedelta(minutes=5)
"""How much of the messages the moving line shows."""

_PAST: Final = 30
_COMPARED: Final = 5


@dataclass(frozen=True, slots=True)
class Told:
    """What a card says: its number, what is said under it, and the line that the number is the end of."""

    value: float | None
    note: str
    past: tuple[float, ...] = ()


class LiveCard:
    """A card whose number moves."""

    def __init__(self, title: str, *, form: Format = "count", line: bool = True) -> None:
        """Take what is counted, and how it is written."""
        self.title, self.form = title, form
        self.words = widgets.HTML()
        self.line = figures.sparkline(Line(x=(0.0, 1.0), y=(0.0, 0.0))) if line else None
        self.widget = widgets.VBox([self.words, *([self.line] if self.line else [])]).add_class("wb-card")
        self.show(Told(None, ""))

    def show(self, told: Told) -> None:
        """Show another number."""
        self.words.value = controls.words_of_card(self.title, number(told.value, self.form), told.note)
        if self.line is None or len(told.past) < 2:  # noqa: PLR2004 - a line has two ends
            return
        figures.update_sparkline(self.line, Line(x=tuple(map(float, range(len(told.past)))), y=told.past))


class LiveSection:
    """The live part of a page; `widget` shows it, and it moves while a browser does."""

    def __init__(self, bench: Bench, *, feed: Feed = FEED) -> None:
        """Take whose live numbers to show; there may be none yet."""
        self.bench = bench
        self.head = widgets.HTML().add_class("wb-live-head")
        self.users = LiveCard("Active users, 5 min")
        self.messages = LiveCard("Messages/s, 1 min", form="decimal")
        self.errors = LiveCard("Error rate, 5 min", form="percent")
        self.raids = LiveCard("Raids in progress", line=False)
        self.check = LiveCard("Differs from history by", line=False)
        self.line = figures.figure(
            _messages(pd.DataFrame({"start": [], "messages": []}), "UTC"), width=controls.width(2), height=240
        )
        self.participation = figures.figure(_running(None), width=controls.width(1), height=240)
        cards = [self.users, self.messages, self.errors, self.raids, self.check]
        self.body = widgets.VBox(
            [
                controls.row(*[card.widget for card in cards], kind="cards").add_class("wb-live-cards"),
                controls.row(
                    widgets.VBox([self.line]).add_class("wb-tile").add_class("wb-span-2").add_class("wb-t-flow"),
                    widgets.VBox([self.participation]).add_class("wb-tile").add_class("wb-t-raid-tracker"),
                    kind="tiles",
                ),
            ]
        ).add_class("wb-live-body")
        self.check.show(Told(None, "not compared yet"))
        self.presence = feed.watch(self)
        self.widget = widgets.VBox([self.head, self.presence]).add_class("wb-live")
        self._check_at = 0.0
        self.show(self.read())

    async def refresh(self) -> None:
        """Read in another thread, and show what was read; compare with history once a minute."""
        read = await asyncio.to_thread(self.read)
        self.show(read)
        if not isinstance(read, WorkbenchError) and time.monotonic() >= self._check_at:
            self._check_at = time.monotonic() + CHECK_SECONDS
            self.show_check(await asyncio.to_thread(self.compare))

    def read(self) -> LiveNumbers | WorkbenchError:
        """Read the live numbers, or why there are none."""
        try:
            return self.bench.live()
        except WorkbenchError as error:
            return error

    def compare(self) -> LiveCheck | None:
        """Compare them with history, if there are any."""
        try:
            return self.bench.live_check()
        except WorkbenchError:
            return None

    def show(self, read: LiveNumbers | WorkbenchError, *, now: datetime | None = None) -> None:
        """Show live numbers, or that there are none."""
        if isinstance(read, WorkbenchError):
            self.head.value = _none(read)
            self.widget.children = (self.head, self.presence)
            return
        clock = now or datetime.now(UTC)
        said = health_of(read.picture.state, name=read.picture.name, now=clock)
        self.head.value = _head(said.reading(), stale=said.stale)
        self.users.show(_users(read))
        self.messages.show(_rate(read))
        self.errors.show(_errors(read))
        self.raids.show(_raids(read))
        figures.update(self.line, _messages(read.volume(last=SHOWN).over, read.tz))
        figures.update(self.participation, _running(read))
        (self.body.add_class if said.stale else self.body.remove_class)("wb-stale")
        if self.body not in self.widget.children:
            self.widget.children = (self.head, self.body, self.presence)

    def fit(self, *, narrow: bool) -> None:
        """Lay the charts out for a phone, or for a desktop."""
        for figure, span in ((self.line, 2), (self.participation, 1)):
            figure.width = controls.width(span, narrow=narrow)
            figures.update(figure, figure.chart)

    def fail(self, error: Exception) -> None:
        """Say that nothing moves any more, and why."""
        self.head.value = _stopped("The live numbers have stopped", f"{type(error).__name__}: {error}")
        self.body.add_class("wb-stale")

    def show_check(self, check: LiveCheck | None, *, now: datetime | None = None) -> None:
        """Show whether closed windows are those of history."""
        if check is None:
            return
        clock = (now or datetime.now(UTC)).astimezone(self.bench.settings.zone)
        windows = number(float(check.frame["windows"].sum()), "count")
        why = f": {check.cause.replace('_', ' ')}" if check.residual else ""
        self.check.show(Told(check.residual, f"{windows} windows, at {clock:%H:%M:%S}{why}"))
        (self.check.widget.add_class if check.unexplained else self.check.widget.remove_class)("wb-bad")


def _head(said: str, *, stale: bool) -> str:
    state = "stale" if stale else "live"
    return (
        f'<span class="wb-pulse wb-pulse-{state}"></span>'
        f'<span class="wb-live-title">{"Not live" if stale else "Live"}</span> {html.escape(said)}'
    )


def _none(error: WorkbenchError) -> str:
    words = "No live numbers yet" if isinstance(error, StoreNotFound) else "Live numbers cannot be read"
    return _stopped(words, str(error))


def _stopped(title: str, why: str) -> str:
    return (
        f'<span class="wb-pulse wb-pulse-stale"></span><span class="wb-live-title">{html.escape(title)}</span> '
        f"{controls.with_commands(why)}"
    )


def _users(read: LiveNumbers) -> Told:
    frame = read.active_users().frame.tail(_PAST)
    past = tuple(map(float, frame["users_5m"].dropna()))
    if not past:
        return Told(None, "not known yet")
    before = past[-1 - _COMPARED] if len(past) > _COMPARED else None
    hour = frame["users_60m"].iloc[-1]
    trend = controls.trend(past[-1], before, "5 min before")
    known = "" if np.isnan(hour) else f"{number(float(hour), 'count')} in the hour"
    return Told(past[-1], trend or known, past)


def _rate(read: LiveNumbers) -> Told:
    volume = read.volume(width=timedelta(seconds=10), last=SHOWN)
    past = tuple(float(messages) / 10 for messages in volume.over["messages"])
    events = number(float(volume.frame["events"].sum()), "count")
    return Told(read.volume(last=SHOWN).messages_per_second, f"{events} events in 5 min", past)


def _errors(read: LiveNumbers) -> Told:
    frame = read.performance().frame
    recent = frame[frame["start"] > read.as_of - timedelta(minutes=_COMPARED)]
    requests, failed = int(recent["requests"].sum()), int(recent["errors"].sum())
    past = tuple(map(float, frame["error_rate"].tail(_PAST)))
    note = f"{number(failed, 'count')} of {number(requests, 'count')} requests" if requests else "no requests"
    return Told(failed / requests if requests else None, note, past)


def _raids(read: LiveNumbers) -> Told:
    frame = read.raids().frame
    joined = int(frame["participants"].sum())
    return Told(
        float(len(frame)), f"joined by {number(joined, 'count')} people" if len(frame) else "none at the moment"
    )


def _running(read: LiveNumbers | None) -> Chart:
    """Draw who takes part in which of the raids that run."""
    if read is None or read.raids().frame.empty:
        return Chart(title="Raids in progress", marks=(), note="none at the moment")
    return read.raids().chart()


def _messages(frame: pd.DataFrame, tz: str) -> Chart:
    x = tuple(moment.tz_convert(tz).to_pydatetime() for moment in frame["start"])
    line = Line(x=x, y=tuple(map(float, frame["messages"])), label="messages")
    return Chart(
        title="Messages, second by second", y_label="messages in a second", x_scale="time",
        marks=(line,) if x else (), note=f"{tz}; windows that are closed",
    )  # fmt: skip
