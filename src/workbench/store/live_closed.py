"""Windows of one second, each told once it is closed, and again when it was revised: for a topic of metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec
import numpy as np

from workbench.store.live_batch import ASKED
from workbench.store.live_sketch import quantile
from workbench.store.live_state import MINUTE, SECOND, instant

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from workbench.store.live import LiveReader, Picture
    from workbench.store.live_minutes import Minute


class Cursor(msgspec.Struct, frozen=True):
    """How far windows were told: those before a second, with what was revised up to a transaction."""

    second: int = 0
    transaction: int = 0


class Cell(msgspec.Struct, frozen=True):
    """Events of one platform and type."""

    platform: str | None
    event_type: str
    events: int


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """One second of event time; `msgspec.json.encode` writes it.

    Attributes:
        start: When it begins.
        state: `revised` when it was told before, with other numbers.
        events: How many there were.
        cells: The same by platform and type.
        requests: Requests and AI interactions.
        errors: How many of them failed.
        timed: How many of them say how long they took.
        p50_ms: The median of those, within 1%; `None` where there is none.
        p95_ms: What 95% do not exceed.
        p99_ms: What 99% do not exceed.
    """

    start: datetime
    state: Literal["closed", "revised"]
    events: int
    cells: list[Cell]
    requests: int
    errors: int
    timed: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class Closed(NamedTuple):
    """What has been closed or revised, oldest first, and where to go on after all of it was told."""

    windows: Iterator[Window]
    cursor: Cursor


def closed_since(live: LiveReader, cursor: Cursor | None = None) -> Closed:
    """Return the windows with an event that were closed, or revised, since.

    Args:
        live: The live store.
        cursor: What was returned the last time; all that is kept if not given. Whoever saves it after the windows
            were told tells each at least once.
    """
    picture, since = live.picture(), cursor or Cursor()
    end = max(picture.state.closed or 0, since.second)
    return Closed(_windows(picture, since, end), Cursor(end, picture.state.transaction))


def _windows(picture: Picture, since: Cursor, end: int) -> Iterator[Window]:
    for number, minute in sorted(picture.minutes.items()):
        start = number * MINUTE
        seconds = np.arange(MINUTE) + start
        events = minute.events
        revised = (seconds < since.second) & (minute.changed > since.transaction)
        new = (seconds >= max(since.second, picture.state.known_from or 0)) & (seconds < end)
        for place in np.flatnonzero((revised | new) & (events > 0)).tolist():
            yield _window(minute, start, place, revised=bool(revised[place]))


def _window(minute: Minute, start: int, place: int, *, revised: bool) -> Window:
    cells = minute.cells[minute.cells[:, 0] == place]
    bins = minute.bins[minute.bins[:, 0] == place]
    timed = int(bins[:, 2].sum())
    times = [quantile(bins[:, 1].astype(np.int32), bins[:, 2], permille) if timed else None for permille in _PERMILLE]
    return Window(
        start=instant((start + place) * SECOND),
        state="revised" if revised else "closed",
        events=int(cells[:, 3].sum()),
        cells=[Cell(minute.platforms[p], minute.types[t], events) for _, p, t, events in cells.tolist()],
        requests=int(minute.of_types(ASKED)[place]),
        errors=int(minute.errors[place]),
        timed=timed,
        p50_ms=times[0],
        p95_ms=times[1],
        p99_ms=times[2],
    )


_PERMILLE = (500, 950, 990)
