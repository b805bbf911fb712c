"""Live numbers as answers: the same questions as of history, answered as events come in, up to the second.

Each answer says up to when events have come (`as_of`) and of each window whether it is `open` (may still grow),
`closed`, or `revised` (closed, and an event came later). `live_check` holds closed windows to history.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pandas as pd

from workbench.charts.formats import duration, number
from workbench.errors import NotEnoughData
from workbench.metrics import live_frames, moments, performance
from workbench.metrics.series import SpanDefinition
from workbench.results import Answer
from workbench.store.live_raids import LONGEST, running
from workbench.store.live_state import SECOND, instant, micros

if TYPE_CHECKING:
    from workbench.charts.spec import Chart
    from workbench.store.live import Picture

SHOWN: Final = timedelta(minutes=10)
HOUR: Final = timedelta(hours=1)
_MINUTE: Final = timedelta(minutes=1)
_TICK: Final = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class LiveDefinition(SpanDefinition):
    """What a live number is of: windows from `since` up to `until`, as of `now`, the watermark."""

    width: timedelta
    lateness: timedelta
    store: str


@dataclass(frozen=True, kw_only=True, eq=False)
class LiveAnswer(Answer):
    """A live number; `sql` names the question that history is asked for the same."""

    definition: LiveDefinition

    @property
    def as_of(self) -> datetime:
        """Up to when events have come."""
        return self.definition.now

    @property
    def over(self) -> pd.DataFrame:
        """The rows of windows that are closed."""
        return self.frame[self.frame["state"] != "open"]


class LiveVolumeDefinition(LiveDefinition):
    """What `LiveNumbers.volume` counts."""

    question: ClassVar[str] = "live_volume"


@dataclass(frozen=True, kw_only=True, eq=False)
class LiveVolume(LiveAnswer):
    """Events per window.

    `frame` has one row per window, empty ones included: `start`, `events`, `messages`, `state`. `cells` has the
    events by platform and type, as `event_volume`.
    """

    cells: pd.DataFrame

    @property
    def messages_per_second(self) -> float:
        """Messages per second over the last minute that is closed; NaN before the first."""
        closed = self.over.tail(max(int(_MINUTE / self.definition.width), 1))
        seconds = len(closed) * self.definition.width.total_seconds()
        return float(closed["messages"].sum() / seconds) if seconds else float("nan")

    def chart(self) -> Chart:
        """Draw events and messages per window; those that are open are left out, for they would always fall."""
        return moments.volume(self.over, self.definition)

    def reading(self) -> str:
        """Say how much is written."""
        counted = int(self.frame["events"].sum())
        lasted = duration(len(self.frame) * self.definition.width.total_seconds())
        return (
            f"{number(counted, 'count')} events in {lasted}, "
            f"{number(self.messages_per_second, 'decimal')} messages a second in the last minute, as {_as_of(self)}."
        )


class LiveUsersDefinition(LiveDefinition):
    """What `LiveNumbers.active_users` counts."""

    question: ClassVar[str] = "live_users"


@dataclass(frozen=True, kw_only=True, eq=False)
class LiveUsers(LiveAnswer):
    """People with any event, minute by minute: exact.

    `frame` has one row per minute: `start`, `users_1m`, `users_5m`, `users_60m` (distinct in the minute and in the 5
    and 60 that it is the last of; missing where the store does not reach back so far), `state`.
    """

    def chart(self) -> Chart:
        """Draw people over time."""
        return moments.people(self.over, self.definition)

    def reading(self) -> str:
        """Say how many there are."""
        return f"{moments.crowd(self.frame)} As {_as_of(self)}."


class LivePerformanceDefinition(LiveDefinition):
    """What `LiveNumbers.performance` counts."""

    question: ClassVar[str] = "live_performance"


@dataclass(frozen=True, kw_only=True, eq=False)
class LivePerformance(LiveAnswer):
    """How often requests fail, and how long they take.

    `frame` has one row per window with a request, with the columns of `performance` and `state`; counts are exact,
    quantiles within 1% of the measured time.
    """

    def chart(self) -> Chart:
        """Draw the response times over time."""
        return performance.times(self.over, self.definition)

    def reading(self) -> str:
        """Say how many requests failed, and how slow the slowest windows were."""
        width = duration(self.definition.width.total_seconds())
        return f"{performance.told(self.frame, width)} As {_as_of(self)}."


class LiveRaidsDefinition(LiveDefinition):
    """What `LiveNumbers.raids` lists."""

    question: ClassVar[str] = "live_raids"


@dataclass(frozen=True, kw_only=True, eq=False)
class LiveRaids(LiveAnswer):
    """Raids in progress as of the watermark: `frame` as that of `raids_in_progress`."""

    def chart(self) -> Chart:
        """Draw who takes part in which."""
        return moments.participation(self.frame)

    def reading(self) -> str:
        """Say how many there are, and who takes part."""
        return f"{moments.raids(self.frame)} As {_as_of(self)}."


@dataclass(frozen=True, slots=True)
class LiveNumbers:
    """All live numbers at one moment.

    Attributes:
        picture: What the store holds.
        tz: On whose clocks charts are drawn.
    """

    picture: Picture
    tz: str = "UTC"

    @property
    def as_of(self) -> datetime:
        """Up to when events have come.

        Raises:
            NotEnoughData: None has come yet.
        """
        if self.picture.state.watermark is None:
            raise NotEnoughData(f"no event has come to the live numbers in {self.picture.name} yet")
        return instant(self.picture.state.watermark)

    @property
    def closed_until(self) -> datetime:
        """Where the closed windows end."""
        return instant((self.picture.state.closed or 0) * SECOND)

    @property
    def known_from(self) -> datetime:
        """What lies before is not kept."""
        return instant((self.picture.state.known_from or 0) * SECOND)

    def volume(self, *, width: timedelta = timedelta(seconds=1), last: timedelta = SHOWN) -> LiveVolume:
        """Count events and messages per window, over the last minutes."""
        asked = LiveVolumeDefinition(**self._span(width, last))
        cells = live_frames.cells(self.picture, asked)
        frame = live_frames.dense(moments.per_window(cells), asked)
        return LiveVolume(frame=self._stated(frame, asked), cells=cells, **self._proof(asked, "event_volume"))

    def active_users(self, *, last: timedelta = HOUR) -> LiveUsers:
        """Count distinct people per minute and in the 5 and 60 minutes up to it, over the last hour."""
        asked = LiveUsersDefinition(**self._span(_MINUTE, last))
        frame = live_frames.people(self.picture, asked, known_from=self.known_from)
        return LiveUsers(frame=self._stated(frame, asked), **self._proof(asked, "active_minutes"))

    def performance(self, *, width: timedelta = _MINUTE, last: timedelta = HOUR) -> LivePerformance:
        """Count requests, errors and response times per window, over the last hour."""
        asked = LivePerformanceDefinition(**self._span(width, last))
        frame = live_frames.requests(self.picture, asked)
        return LivePerformance(frame=self._stated(frame, asked), **self._proof(asked, "performance"))

    def raids(self, *, at: datetime | None = None) -> LiveRaids:
        """List the raids in progress, as of the watermark or of an instant before it."""
        moment = at or self.as_of
        until = micros(moment) + 1
        state = self.picture.state
        found = [
            (raid_id, instant(state.raids[raid_id].started or 0), self._participants(raid_id, until))
            for raid_id in running(state.raids, until)
        ]
        span = {**self._span(timedelta(seconds=LONGEST), timedelta(seconds=LONGEST)), "now": moment}
        columns = ["raid_id", "started_at", "participants"]
        frame = pd.DataFrame(found, columns=columns).astype(
            {"raid_id": "str", "started_at": "datetime64[us, UTC]", "participants": "int64"}
        )
        return LiveRaids(frame=frame, **self._proof(LiveRaidsDefinition(**span), "raids_in_progress"))

    def sources(self) -> pd.DataFrame:
        """Return one row per source: where it is, up to when its events have come, and what became of them."""
        columns = ["position", "counted", "revised", "late", "duplicate", "rejected"]
        rows = [
            {
                "source": name,
                "as_of": pd.NaT if source.watermark is None else instant(source.watermark),
                "read_at": instant(source.seen_at),
                **{column: getattr(source, column) for column in columns},
            }
            for name, source in sorted(self.picture.state.sources.items())
        ]
        return pd.DataFrame(rows, columns=["source", "as_of", "read_at", *columns])

    def _participants(self, raid_id: str, until: int) -> int:
        joined = self.picture.raids.get(raid_id)
        return joined.participants(until) if joined else 0

    def _span(self, width: timedelta, last: timedelta) -> dict[str, Any]:
        """Say which windows are looked at: whole ones, that the store knows all of, the last the newest event's."""
        end = live_frames.floor(self.as_of, width) + width
        first = min(self.picture.minutes, default=0)
        begins = max(self.known_from, moments.instant_of(first), end - last - width)
        begin = live_frames.floor(begins + width - _TICK, width)
        return {
            "since": min(begin, end), "until": end, "now": self.as_of, "tz": self.tz, "width": width,
            "lateness": timedelta(seconds=self.picture.state.policy.lateness), "store": self.picture.name,
        }  # fmt: skip

    def _stated(self, frame: pd.DataFrame, asked: LiveDefinition) -> pd.DataFrame:
        return frame.assign(state=live_frames.states(self.picture, frame["start"], asked.width))

    def _proof(self, asked: LiveDefinition, twin: str) -> dict[str, Any]:
        state = self.picture.state
        return {
            "sql": f"-- kept as events come in; history says the same to bench.{twin}",
            "definition": asked,
            "data_version": f"live-{state.generation}-{state.transaction}",
        }


def _as_of(answer: LiveAnswer) -> str:
    return f"of {answer.as_of:%d %b %Y %H:%M:%S} UTC"
