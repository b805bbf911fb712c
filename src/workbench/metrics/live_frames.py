"""Frames of live windows: the minutes that a live store keeps, cut into windows of any width."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from workbench.metrics import moments, performance
from workbench.store.live_batch import ASKED
from workbench.store.live_sketch import quantile
from workbench.store.live_state import MINUTE, SECOND, micros

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from workbench.metrics.live import LiveDefinition
    from workbench.store.live import Picture
    from workbench.store.live_minutes import Minute

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def floor(moment: datetime, width: timedelta) -> datetime:
    """Return when the window of an instant begins."""
    return moment - (moment - _EPOCH) % width


def cells(picture: Picture, asked: LiveDefinition) -> pd.DataFrame:
    """Count events by window, platform and type: a frame as that of `event_volume`."""
    parts = []
    for start, minute in _minutes(picture, asked):
        platforms, types = np.array(minute.platforms, dtype=object), np.array(minute.types, dtype=object)
        second, platform, event_type, events = minute.cells.T
        parts.append(
            pd.DataFrame(
                {
                    "start": (start + second) * SECOND,
                    "platform": platforms[platform],
                    "event_type": types[event_type],
                    "events": events,
                }
            )
        )
    empty = pd.DataFrame({"start": np.empty(0, np.int64), "platform": [], "event_type": [], "events": []})
    found = pd.concat(parts, ignore_index=True) if parts else empty
    found = found.assign(start=_windows(found["start"].to_numpy(), asked))
    found = found[_inside(found["start"].to_numpy(), asked)]
    keys = ["start", "platform", "event_type"]
    added = found.groupby(keys, dropna=False)["events"].sum().reset_index()
    return moments.cells(added.sort_values(keys, na_position="first", ignore_index=True))


def dense(frame: pd.DataFrame, asked: LiveDefinition) -> pd.DataFrame:
    """Add the windows in which nothing happened, with counts of 0."""
    starts = np.arange(_micros(asked.since), _micros(asked.until), _width(asked))
    known = frame.set_index("start").reindex(performance.instants(pd.Series(starts)), fill_value=0)
    return known.rename_axis("start").reset_index()


def people(picture: Picture, asked: LiveDefinition, *, known_from: datetime) -> pd.DataFrame:
    """Count distinct people minute by minute: a frame as that of `active_minutes`."""
    minutes = sorted(picture.minutes.items())
    at = [np.full(len(minute.users), number) for number, minute in minutes]
    users = [minute.users for _, minute in minutes]
    none = np.empty(0, dtype=np.int64)
    counted = moments.counted_people(
        np.concatenate([none, *at]), np.concatenate([none, *users]), last=_micros(asked.until) // SECOND // MINUTE
    )
    frame = dense(counted, asked)
    for name, width in moments.TRAILING.items():
        whole = frame["start"] - (width - 1) * pd.Timedelta(minutes=1) >= known_from
        frame[name] = frame[name].where(whole)
    return frame


def requests(picture: Picture, asked: LiveDefinition) -> pd.DataFrame:
    """Count requests, errors and response times by window: a frame as that of `performance`."""
    seconds: list[NDArray[np.int64]] = [np.empty((0, 3), dtype=np.int64)]
    bins: list[NDArray[np.int64]] = [np.empty((0, 3), dtype=np.int64)]
    for start, minute in _minutes(picture, asked):
        at = (start + np.arange(MINUTE)) * SECOND
        seconds.append(np.column_stack([at, minute.of_types(ASKED), minute.errors]))
        bins.append(np.column_stack([(start + minute.bins[:, 0]) * SECOND, minute.bins[:, 1:]]))
    told, timed = np.concatenate(seconds), np.concatenate(bins)
    begins = _windows(told[:, 0], asked)
    inside = _inside(begins, asked) & (told[:, 1] > 0)
    starts, where = np.unique(begins[inside], return_inverse=True)
    return performance.finished(
        pd.DataFrame(
            {
                "start": starts,
                "requests": _sum(where, told[inside, 1], len(starts)),
                "errors": _sum(where, told[inside, 2], len(starts)),
                **_times(timed, starts, asked),
            }
        )
    )


def states(picture: Picture, starts: pd.Series[pd.Timestamp], width: timedelta) -> pd.Series[str]:
    """Say of each window whether it is open, closed or revised."""
    begins = starts.astype("int64").to_numpy()
    ends = begins + width // timedelta(microseconds=1)
    closed = ends <= (picture.state.closed or 0) * SECOND
    revised = np.zeros(len(begins), dtype=bool)
    for number, minute in picture.minutes.items():
        start = number * MINUTE * SECOND
        if width == timedelta(minutes=1):
            late = np.array([start] if minute.reopened else [], dtype=np.int64)
        else:
            late = start + np.flatnonzero(minute.revised) * SECOND
        for moment in late.tolist():
            revised |= (begins <= moment) & (moment < ends)
    return pd.Series(np.where(closed, np.where(revised, "revised", "closed"), "open"), index=starts.index, dtype="str")


def _times(timed: NDArray[np.int64], starts: NDArray[np.int64], asked: LiveDefinition) -> dict[str, list[float]]:
    """Return how many response times each window has, and their quantiles."""
    start = _windows(timed[:, 0], asked)
    order = np.argsort(start, kind="stable")
    edges = np.searchsorted(start[order], starts, side="left"), np.searchsorted(start[order], starts, side="right")
    groups = [timed[order[low:high]] for low, high in zip(*edges, strict=True)]
    columns: dict[str, list[float]] = {"timed": [int(group[:, 2].sum()) for group in groups]}
    for name, permille in performance.QUANTILES.items():
        columns[name] = [quantile(group[:, 1].astype(np.int32), group[:, 2], permille) for group in groups]
    return columns


def _minutes(picture: Picture, asked: LiveDefinition) -> Iterator[tuple[int, Minute]]:
    """Give the minutes that are asked for, with the second since 1970 at which each begins."""
    first, last = _micros(asked.since) // SECOND, _micros(asked.until) // SECOND
    for number, minute in sorted(picture.minutes.items()):
        if number * MINUTE + MINUTE > first and number * MINUTE < last:
            yield number * MINUTE, minute


def _windows(moments_: NDArray[np.int64], asked: LiveDefinition) -> NDArray[np.int64]:
    return moments_ - moments_ % _width(asked)


def _inside(starts: NDArray[np.int64], asked: LiveDefinition) -> NDArray[np.bool_]:
    return (starts >= _micros(asked.since)) & (starts < _micros(asked.until))


def _sum(where: NDArray[np.int64], counts: NDArray[np.int64], length: int) -> NDArray[np.int64]:
    return np.bincount(where, counts, minlength=length).astype(np.int64)


def _width(asked: LiveDefinition) -> int:
    return asked.width // timedelta(microseconds=1)


def _micros(moment: datetime | None) -> int:
    return 0 if moment is None else micros(moment)
