"""Segments: people chosen by what they did, to be asked about alone.

    power = wb.segment("raid_joined", at_least=3, within="14d") & ~wb.segment("wallet_connected")

Segments are combined with `&`, `|` and `~`. A segment is who it is of at the instant it is asked for, `now`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from workbench.charts.formats import duration
from workbench.errors import InvalidArgument
from workbench.metrics import arguments, property_names, sequences
from workbench.metrics.steps import Step, as_step, check_known, conditions, seen
from workbench.metrics.words import words
from workbench.results import plain
from workbench.store.keys import user_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from numpy.typing import NDArray

    from workbench.metrics.sequences import Rows
    from workbench.store.base import Snapshot

    Keys: TypeAlias = NDArray[np.int64]

_TICK: Final = timedelta(microseconds=1)
MOST_TIMES: Final = 1_000_000


class Segment:
    """Some people; see `segment`."""

    __slots__ = ()

    def __and__(self, other: Segment) -> Segment:
        return _Both(self, _checked(other))

    def __or__(self, other: Segment) -> Segment:
        return _Either(self, _checked(other))

    def __invert__(self) -> Segment:
        return _Not(self)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, from which `from_dict` makes it again."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Did(Segment):
    """Who did something so often, in a time. `at_most` of `None` is no bound."""

    step: Step | None
    at_least: int = 1
    at_most: int | None = None
    within: timedelta | None = None
    anywhere: bool = False
    since: datetime | None = None
    until: datetime | None = None

    def __str__(self) -> str:
        often = f"{self.at_least} or more times" if self.at_most is None else f"{self.at_least} to {self.at_most} times"
        if self.at_least == self.at_most:
            often = f"exactly {self.at_least} times"
        time = (
            f" in {'any' if self.anywhere else 'the last'} {duration(self.within.total_seconds())}"
            if self.within
            else ""
        )
        since = f" from {self.since:%Y-%m-%d %H:%M}" if self.since else ""
        until = f" before {self.until:%Y-%m-%d %H:%M}" if self.until else ""
        return f"did {self.step or 'anything'} {often}{time}{since}{until}"

    def to_dict(self) -> dict[str, Any]:
        """See `Segment.to_dict`."""
        return {"did": {name: plain(getattr(self, name)) for name in self.__slots__}}


@dataclass(frozen=True, slots=True)
class People(Segment):
    """A list of people, by `user_key`."""

    keys: tuple[int, ...]

    def __str__(self) -> str:
        return f"a list of {len(self.keys):,} people"

    def to_dict(self) -> dict[str, Any]:
        """See `Segment.to_dict`."""
        return {"people": list(self.keys)}


@dataclass(frozen=True, slots=True)
class _Both(Segment):
    one: Segment
    other: Segment

    def __str__(self) -> str:
        return f"({self.one} and {self.other})"

    def to_dict(self) -> dict[str, Any]:
        return {"and": [self.one.to_dict(), self.other.to_dict()]}


@dataclass(frozen=True, slots=True)
class _Either(Segment):
    one: Segment
    other: Segment

    def __str__(self) -> str:
        return f"({self.one} or {self.other})"

    def to_dict(self) -> dict[str, Any]:
        return {"or": [self.one.to_dict(), self.other.to_dict()]}


@dataclass(frozen=True, slots=True)
class _Not(Segment):
    one: Segment

    def __str__(self) -> str:
        return f"not {self.one}"

    def to_dict(self) -> dict[str, Any]:
        return {"not": self.one.to_dict()}


def segment(  # noqa: PLR0913 - a question names all its options
    event: str | Step | None = None,
    *,
    at_least: int | None = None,
    at_most: int | None = None,
    exactly: int | None = None,
    within: str | timedelta | None = None,
    anywhere: bool = False,
    since: str | date | None = None,
    until: str | date | None = None,
    tz: str = "UTC",
) -> Segment:
    """Choose people by what they did.

    Args:
        event: An event type or a `step(...)` with conditions; anything if not given.
        at_least: How often at least; once, if nothing is said.
        at_most: How often at most; those who never did it are of them too, unless `at_least` says otherwise.
        exactly: How often, instead of both.
        within: Only in the time of this length before the segment is asked for.
        anywhere: In any time of that length, not the last; needs `within`, and only `at_least`.
        since: Only from here on, inclusive; naive times are in `tz`.
        until: Only before this.
        tz: Time zone of naive times.

    Raises:
        InvalidArgument: A number or a time cannot be used, or they contradict each other.

    >>> str(segment("raid_joined", at_least=3, within="14d") & ~segment("wallet_connected"))
    '(did raid_joined 3 or more times in the last 14 d and not did wallet_connected 1 or more times)'
    """
    if exactly is not None and (at_least is not None or at_most is not None):
        raise InvalidArgument("say exactly, or at_least and at_most, but not both")
    low = _times(exactly if exactly is not None else at_least, "at_least")
    high = _times(exactly if exactly is not None else at_most, "at_most")
    low = (0 if high is not None else 1) if low is None else low
    if (high is None and low == 0) or (high is not None and high < low):
        raise InvalidArgument(f"nobody, or everybody, does it at least {low} and at most {high} times")
    if anywhere and (within is None or high is not None):
        raise InvalidArgument("anywhere needs within, and at_least alone")
    span = arguments.span(since, until, None, tz=tz)
    return Did(
        step=None if event is None else as_step(event),
        at_least=low,
        at_most=high,
        within=None if within is None else arguments.duration(within, name="within"),
        anywhere=anywhere,
        since=span.since,
        until=span.until,
    )


def people(user_ids: Iterable[str]) -> Segment:
    """Take a list of people, such as those behind a number: `wb.people(answer.people(3))`."""
    return People(tuple(sorted({user_key(user_id) for user_id in user_ids})))


def from_dict(told: Mapping[str, Any]) -> Segment:
    """Make a segment of what `to_dict` returned.

    Raises:
        InvalidArgument: It is not that.
    """
    try:
        ((kind, value),) = told.items()
        if kind == "did":
            return _did(value)
        if kind == "people":
            return People(tuple(int(key) for key in value))
        if kind == "not":
            return ~from_dict(value)
        one, other = map(from_dict, value)
        return {"and": one & other, "or": one | other}[kind]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InvalidArgument(f"no segment can be made of {told!r}") from error


def _did(value: Mapping[str, Any]) -> Did:
    step, within = value["step"], value["within"]
    where = tuple((name, tuple(wanted)) for name, wanted in step["where"]) if step else ()
    return Did(
        step=Step(step["event"], where) if step else None,
        at_least=value["at_least"],
        at_most=value["at_most"],
        within=None if within is None else timedelta(seconds=within),
        anywhere=value["anywhere"],
        since=value["since"] and datetime.fromisoformat(value["since"]),
        until=value["until"] and datetime.fromisoformat(value["until"]),
    )


def members(snapshot: Snapshot, chosen: Segment, *, now: datetime) -> Keys:
    """Return the `user_key`s of the people of a segment, sorted.

    Raises:
        UnknownEvent: The data has no event of a type that it names.
    """
    match chosen:
        case Did():
            return _who_did(snapshot, chosen, now)
        case People():
            return np.intersect1d(np.array(chosen.keys, dtype=np.int64), _everybody(snapshot, now))
        case _Both():
            return np.intersect1d(members(snapshot, chosen.one, now=now), members(snapshot, chosen.other, now=now))
        case _Either():
            return np.union1d(members(snapshot, chosen.one, now=now), members(snapshot, chosen.other, now=now))
        case _Not():
            return np.setdiff1d(_everybody(snapshot, now), members(snapshot, chosen.one, now=now))
    raise InvalidArgument(f"{chosen!r} is no segment: make one with wb.segment(...)")


def _everybody(snapshot: Snapshot, now: datetime) -> Keys:
    found = snapshot.query("SELECT DISTINCT user_key FROM events WHERE occurred_at <= $now", {"now": now})
    return np.asarray(np.sort(found["user_key"].to_numpy()), dtype=np.int64)


def _who_did(snapshot: Snapshot, chosen: Did, now: datetime) -> Keys:
    own = words(snapshot.engine)
    steps = [chosen.step] if chosen.step else []
    check_known(steps, seen(snapshot))
    property_names.check_steps(snapshot, steps)
    matches, params = conditions(steps, own)
    begin = max([bound for bound in (chosen.since, _opening(chosen, now)) if bound], default=None)
    wanted = [*matches, "occurred_at <= $now"]
    values: dict[str, object] = params | {"now": now}
    for name, bound, sign in (("since", begin, ">="), ("until", chosen.until, "<")):
        if bound:
            wanted.append(f"occurred_at {sign} ${name}")
            values[name] = bound
    sql = f"SELECT user_key, {own.micros('occurred_at')} AS at FROM events WHERE {' AND '.join(wanted)}"  # noqa: S608
    parts = sequences.by_person(snapshot, sql, values, lambda rows: _often(rows, chosen))
    did = np.sort(np.concatenate(parts))
    return np.setdiff1d(_everybody(snapshot, now), did) if chosen.at_least == 0 else did


def _opening(chosen: Did, now: datetime) -> datetime | None:
    return now - chosen.within if chosen.within and not chosen.anywhere else None


def _often(rows: Rows, chosen: Did) -> Keys:
    """Return who did it often enough; where never is often enough, who did it too often."""
    times = np.diff(rows.first)
    enough = (times >= chosen.at_least) & (times <= (len(rows.at) if chosen.at_most is None else chosen.at_most))
    if chosen.at_least == 0:
        enough = times > (chosen.at_most or 0)
    if chosen.anywhere and chosen.within:
        last = np.arange(chosen.at_least - 1, len(rows.at))
        first = last - chosen.at_least + 1
        person = np.repeat(np.arange(len(times)), times)
        near = (person[last] == person[first]) & (rows.at[last] - rows.at[first] <= chosen.within // _TICK)
        enough = np.isin(np.arange(len(times)), person[last[near]])
    keys: Keys = rows.user_key[enough]
    return keys


def _times(value: int | None, name: str) -> int | None:
    if value is not None and (type(value) is not int or not 0 <= value <= MOST_TIMES):
        raise InvalidArgument(f"{name} must be a whole number from 0 to {MOST_TIMES:,}, got {value!r}")
    return value


def _checked(other: object) -> Segment:
    if not isinstance(other, Segment):
        raise InvalidArgument(f"a segment is combined with another, got {other!r}")
    return other
