"""Events sent as they happen: when each message goes out, faster than life, as many at once as wanted, in disorder."""

from __future__ import annotations

import time
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workbench.errors import InvalidArgument
from workbench.simulate.write import json_lines
from workbench.store.keys import user_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    import numpy.typing as npt

    from workbench.simulate.community import Community

    Floats = npt.NDArray[np.float64]

TICK: Final = 0.1
"""Seconds for which messages are made at once."""

HOT: Final = b"hot"
"""The key of messages that all go to one partition."""

_IDS: Final = ("event_id", "user_id", "session_id", "raid_id", "message_id")
_SECOND: Final = 1_000_000
_DAY: Final = 86_400.0


@dataclass(frozen=True, kw_only=True)
class Disorder:
    """What happens to messages on their way.

    Attributes:
        duplicates: Share of messages that are sent twice.
        shuffled: Share of messages that come later than they occurred.
        within: Hours that they come later, at most.
        skew: Share of messages that go to one partition.
        burst: Seconds of event time whose messages come all at once.
    """

    duplicates: float = 0.0
    shuffled: float = 0.0
    within: float = 48.0
    skew: float = 0.0
    burst: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Disorder:
        """Read what a person writes.

        >>> Disorder.parse("duplicates=0.2 shuffled=0.3 within=6").within
        6.0

        Raises:
            InvalidArgument: Another name, or no number that can be.
        """
        names = [field.name for field in fields(cls)]
        given = {}
        for word in text.split():
            name, _, value = word.partition("=")
            try:
                number = float(value)
            except ValueError:
                number = -1.0
            if name not in names or not 0 <= number < (float("inf") if name in {"within", "burst"} else 1 + 1e-9):
                raise InvalidArgument(
                    f"{word!r} is no disorder: write some of {', '.join(f'{each}=…' for each in names)}; "
                    "duplicates, shuffled and skew are shares, within is in hours, burst in seconds"
                )
            given[name] = number
        return cls(**given)


@dataclass(frozen=True)
class Feed:
    """Events in the order in which they are sent.

    Attributes:
        events: As `EVENT_TABLE`.
        due: When each is sent, in seconds of event time since the first was; ascending.
        hot: Which of them go to one partition.
        origin: The event time of second 0, in seconds since 1970.
    """

    events: pa.Table
    due: Floats
    hot: npt.NDArray[np.bool_]
    origin: float

    @property
    def seconds(self) -> float:
        """How long it lasts, in event time."""
        return float(self.due[-1]) if len(self.due) else 0.0


def live(community: Community) -> Feed:
    """Return the second half of a community's days, from a noon on, by when one could have seen it happen.

    What arrives on a later day than it occurred on is sent at some moment of that day.
    """
    days = [day for day in community if day.num_rows]
    rng = np.random.default_rng(community.plan.seed)
    tables, due = [], []
    for day in days[len(days) // 2 :]:
        at = _micros(day) / _SECOND
        today = np.floor(np.median(at) / _DAY) * _DAY
        late = at < today
        at[late] = today + rng.random(int(late.sum())) * _DAY
        tables.append(day)
        due.append(at)
    if not tables:
        raise InvalidArgument("this community does nothing: simulate more people, or more days")
    return _feed(pa.concat_tables(tables).combine_chunks(), np.concatenate(due), begin=_noon(due[0]))


def of(events: pa.Table, *, disorder: Disorder | None = None, seed: int = 7) -> Feed:
    """Return events as they occurred, but for what happens to them on the way.

    Args:
        events: As `EVENT_TABLE`, at least one.
        disorder: What that is.
        seed: Which messages it happens to.
    """
    if events.num_rows == 0:
        raise InvalidArgument("there are no events to send")
    wanted, rng = disorder or Disorder(), np.random.default_rng(seed)
    at = _micros(events) / _SECOND
    due = at.copy()
    delayed = rng.random(len(due)) < wanted.shuffled
    due[delayed] += rng.random(int(delayed.sum())) * wanted.within * 3600
    twice = np.flatnonzero(rng.random(len(due)) < wanted.duplicates)
    again = at[twice] + rng.random(len(twice)) * (wanted.within * 3600 if wanted.shuffled else 60)
    everything = pa.concat_tables([events, events.take(pa.array(twice, pa.int64()))]).combine_chunks()
    due = np.concatenate([due, again])
    if wanted.burst:
        due = np.ceil(due / wanted.burst) * wanted.burst
    return _feed(everything, due, hot=rng.random(len(due)) < wanted.skew)


def _feed(
    events: pa.Table, due: Floats, *, begin: float | None = None, hot: npt.NDArray[np.bool_] | None = None
) -> Feed:
    first = float(due.min()) if begin is None else begin
    order = np.argsort(due, kind="stable")
    order = order[due[order] >= first]
    hot = np.zeros(len(due), dtype=bool) if hot is None else hot
    return Feed(events.take(pa.array(order)), due[order] - first, hot[order], first)


def _noon(due: Floats) -> float:
    return float(np.floor(np.median(due) / _DAY) * _DAY + _DAY / 2)


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How fast a feed is sent.

    Attributes:
        speed: Seconds of event time in a second.
        rate: Messages a second, on average over the feed: so many copies of its people take part; as many as
            there are if `None`.
        keep_times: Leave `occurred_at` and the ids as they are; else events occur as they are sent, and are new ones.
        begin: When the first one is sent.
        run: What makes the ids of this run new.
    """

    speed: float = 60.0
    rate: float | None = None
    keep_times: bool = False
    begin: datetime
    run: str = ""

    def beginning(self, instant: datetime) -> Pace:
        """Return the same pace from another instant on."""
        return replace(self, begin=instant)


def send(
    feed: Feed,
    out: Callable[[bytes, bytes], object],
    pace: Pace,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
    progress: Callable[[int], object] | None = None,
) -> int:
    """Send a feed, and return how many messages that were.

    Args:
        feed: What to send.
        out: Takes a message and its key, which is the person.
        pace: How fast.
        clock: Seconds.
        sleep: Waits for some.
        progress: Called with how many were sent since the last call.

    Raises:
        InvalidArgument: `speed` or `rate` is not positive.
    """
    if pace.speed <= 0 or (pace.rate is not None and pace.rate <= 0):
        raise InvalidArgument(f"speed and rate are above 0, not {pace.speed:g} and {pace.rate}")
    began, sent = clock(), 0
    for start, end in _ticks(feed, pace.speed * TICK):
        wait = feed.due[start] / pace.speed - (clock() - began)
        if wait > 0:
            sleep(wait)
        made = 0
        for key, message in _messages(feed, start, end, pace):
            out(message, key)
            made += 1
        sent += made
        if progress is not None:
            progress(made)
    return sent


def _ticks(feed: Feed, seconds: float) -> Iterator[tuple[int, int]]:
    """Cut a feed into stretches of some seconds of event time that have messages."""
    start = 0
    while start < len(feed.due):
        end = int(np.searchsorted(feed.due, feed.due[start] + seconds, side="right"))
        yield start, end
        start = end


def _messages(feed: Feed, start: int, end: int, pace: Pace) -> Iterator[tuple[bytes, bytes]]:
    hot = feed.hot[start:end]
    events = feed.events.slice(start, end - start) if pace.keep_times else _now(feed, start, end, pace)
    copies = 1.0 if pace.rate is None else pace.rate * feed.seconds / pace.speed / max(1, len(feed.due))
    for copy in range(int(np.ceil(copies))):
        part = _some(events, copies - copy) if copies - copy < 1 else None
        chosen = events if part is None else events.filter(pa.array(part))
        if chosen.num_rows == 0:
            continue
        named = chosen if pace.keep_times and copy == 0 else _renamed(chosen, copy, pace.run)
        keys = named["user_id"].to_pylist()
        for key, line, one in zip(keys, json_lines(named).to_pylist(), hot if part is None else hot[part], strict=True):
            yield (HOT if one else key.encode()), line.encode()


def _now(feed: Feed, start: int, end: int, pace: Pace) -> pa.Table:
    """Let events occur when they are sent; what is late for it occurred before, by its delay over the speed.

    A message that is sent twice is the same both times, to the microsecond: nothing is subtracted from when it is due.
    """
    events, due = feed.events.slice(start, end - start), feed.due[start:end]
    occurred_after = np.minimum(due, _micros(events) / _SECOND - feed.origin)
    occurred = (pace.begin.timestamp() + occurred_after / pace.speed) * _SECOND
    times = pa.array(occurred.astype(np.int64)).cast(pa.timestamp("us", "UTC"))
    place = events.column_names.index("occurred_at")
    return events.set_column(place, events.schema.field("occurred_at"), times)


def _some(events: pa.Table, share: float) -> npt.NDArray[np.bool_]:
    """Choose a share of the people, the same ones every time."""
    keys = user_keys(events["user_id"]).to_numpy().astype(np.uint64)
    return np.asarray(keys % 2**16 < share * 2**16, dtype=bool)


def _renamed(events: pa.Table, copy: int, run: str) -> pa.Table:
    """Make other people, sessions, raids and messages of a copy, and new events of all of them."""
    for name in _IDS:
        suffix = (f"~{copy}" if copy else "") + (f"@{run}" if run and name != "user_id" else "")
        if suffix:
            place = events.column_names.index(name)
            column = pc.binary_join_element_wise(events[name], suffix, "")
            events = events.set_column(place, events.schema.field(name), column)
    return events


def _micros(events: pa.Table) -> Floats:
    """Return when events occurred, in microseconds since 1970."""
    return np.asarray(events["occurred_at"].cast(pa.int64()).to_numpy(), dtype=np.float64)


def speed_of(text: str) -> float:
    """Read a speed.

    >>> speed_of("60x"), speed_of("1.5")
    (60.0, 1.5)

    Raises:
        InvalidArgument: It is none.
    """
    try:
        speed = float(text.removesuffix("x"))
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise InvalidArgument(f"a speed is written 60x, not {text!r}")
    return speed
