"""Journeys: what people do after what, in sessions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from workbench.metrics import (
    arguments,
    coverage,
    journey_clusters,
    journey_diff,
    journey_drop_off,
    journey_paths,
    journey_steps,
    journey_transitions,
    sequences,
)
from workbench.metrics.breakdowns import apart
from workbench.metrics.journey_trails import Source
from workbench.metrics.journey_view import OTHER, bounded, events_of
from workbench.metrics.plain import Codes, Plain
from workbench.metrics.steps import as_step, check_known, seen
from workbench.metrics.words import words
from workbench.results import Definition

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from numpy.typing import NDArray

    from workbench.metrics.arguments import Span
    from workbench.metrics.journey_clusters import Clusters
    from workbench.metrics.journey_diff import TransitionDiff
    from workbench.metrics.journey_drop_off import DropOff
    from workbench.metrics.journey_paths import Loops, Paths, Patterns
    from workbench.metrics.journey_steps import StepMatrix, StepSankey
    from workbench.metrics.journey_trails import Trails
    from workbench.metrics.journey_transitions import Graph, Transitions, Weight
    from workbench.metrics.words import Words
    from workbench.store.base import Snapshot

GAP: Final = "30m"
MOST_EVENTS: Final = 1_000
_TICK: Final = timedelta(microseconds=1)


@dataclass(frozen=True, kw_only=True)
class JourneyDefinition(Definition):
    """Which paths are looked at; see `journeys`."""

    question: ClassVar[str] = "journeys"
    sessions: timedelta | str | None
    events: tuple[str, ...] | None = None
    ignore: tuple[str, ...] = ()
    collapse: bool = False
    top: int = MOST_EVENTS
    having: tuple[tuple[str, ...], ...] = ()
    without: tuple[tuple[str, ...], ...] = ()
    since: datetime | None
    until: datetime | None
    now: datetime
    tz: str


@dataclass(frozen=True)
class Journeys:
    """The paths of people, to be looked at from several sides; each view is an answer of its own."""

    definition: JourneyDefinition
    source: Source
    chosen: Trails | None = None
    """Those that were kept of all paths, if some were left out."""
    notes: tuple[str, ...] = ()
    """What an answer is to say of them, such as where the data end."""

    @cached_property
    def trails(self) -> Trails:
        """The paths, read when a view first needs them all at once."""
        return self.source.whole() if self.chosen is None else self.chosen

    @property
    def names(self) -> tuple[str, ...]:
        """The events that paths can have."""
        return self.source.names

    @property
    def is_read(self) -> bool:
        """Whether the paths are there already."""
        return self.chosen is not None or "trails" in vars(self)

    def transitions(self, weight: Weight = "probability_out") -> Transitions:
        """Count what follows what; see `journey_transitions.Transitions`."""
        return journey_transitions.transitions(self, weight)

    def graph(self, weight: Weight = "count", *, top: int = 30) -> Graph:
        """Draw the heaviest steps as a graph of events; ask for `collapse=True` to leave out loops of one event."""
        return journey_transitions.graph(self, weight, top=top)

    def step_matrix(self, centre: str | Sequence[str] | None = None, *, before: int = 4, after: int = 8) -> StepMatrix:
        """Say where paths are some steps before and after an event or a run of events, or after their start."""
        return journey_steps.step_matrix(self, centre, before=before, after=after)

    def step_sankey(
        self, centre: str | Sequence[str] | None = None, *, before: int = 2, after: int = 4, top: int = 6
    ) -> StepSankey:
        """Say who goes on to where, step by step around an event or a run of events, or from the start."""
        return journey_steps.step_sankey(self, centre, before=before, after=after, top=top)

    def paths(self, top: int = 20) -> Paths:
        """List the most common whole paths."""
        return journey_paths.paths(self, top)

    def patterns(self, length: int = 3, *, top: int = 20) -> Patterns:
        """List the most common runs of events inside paths."""
        return journey_paths.patterns(self, length, top=top)

    def loops(self) -> Loops:
        """Count events that repeat, and ways there and back."""
        return journey_paths.loops(self)

    def clusters(self, k: int | None = None, *, seed: int = 0) -> Clusters:
        """Group paths by what they are made of."""
        return journey_clusters.clusters(self, k, seed=seed)

    def drop_off(self, goal: str | None = None) -> DropOff:
        """Say how likely the journeys that are still open are to end here, or without reaching a goal."""
        return journey_drop_off.drop_off(self, goal)

    def having(self, *events: str) -> Journeys:
        """Keep the paths that have an event, or several that follow each other."""
        definition = replace(self.definition, having=(*self.definition.having, events))
        return self._only(events, definition, there=True)

    def without(self, *events: str) -> Journeys:
        """Keep the paths that do not have an event, or several that follow each other."""
        definition = replace(self.definition, without=(*self.definition.without, events))
        return self._only(events, definition, there=False)

    def _only(self, events: tuple[str, ...], definition: JourneyDefinition, *, there: bool) -> Journeys:
        found = self.trails.anchors(events_of(events, "events")) >= 0
        return replace(self, definition=definition, chosen=self.trails.only(found == there))

    def diff(self, other: Journeys) -> TransitionDiff:
        """Compare what follows what with other paths: shares of the ways out of each event, tested."""
        return journey_diff.diff(self, other)

    def people(self) -> list[str]:
        """List everybody who has a path."""
        return self.named(self.trails.person)

    def named(self, persons: NDArray[np.int64]) -> list[str]:
        """Name the people at some places of `trails.user_key`."""
        return sequences.user_ids(self.source.snapshot, self.trails.user_key[np.unique(persons)])


def journeys(  # noqa: PLR0913 - a question names all its options
    snapshot: Snapshot,
    *,
    sessions: str | timedelta | None = GAP,
    events: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    collapse: bool = False,
    top: int = MOST_EVENTS,
    since: str | date | None = None,
    until: str | date | None = None,
    now: str | date | None = None,
    tz: str = "UTC",
) -> Journeys:
    """Follow people from event to event.

    Events of one person and instant follow each other in alphabetical order.

    Args:
        snapshot: The events.
        sessions: A pause longer than this begins another path; `given` begins one with each `session_id` (what has none
            is left out); `None` makes one path of each person.
        events: Only these; all if not given.
        ignore: Not these.
        collapse: Count events that repeat the one before as one.
        top: How many types of events are told apart, the most common ones, from 1 to 1,000: all others are the event
            `(other)`, and the answer says so.
        since: Start, inclusive; naive times are in `tz`.
        until: End, exclusive.
        now: When the question is asked: later events are not seen. The earlier of the present and the end of the
            data if not given.
        tz: Time zone of naive times.

    Raises:
        UnknownEvent: The data has no event of that type.
        InvalidArgument: A length, a number or a time cannot be used.

    >>> from workbench.testing import store_of
    >>> walked = journeys(store_of({"ann": "view:0 cart:5 view:100"}).snapshot())
    >>> walked.paths().frame[["path", "paths"]].to_dict("records")
    [{'path': 'view', 'paths': 1}, {'path': 'view → cart', 'paths': 1}]
    """
    span = coverage.span(snapshot, since, until, now, tz=tz)
    gap = sessions if sessions is None or sessions == "given" else arguments.duration(sessions, name="sessions")
    known = seen(snapshot)
    check_known([as_step(each) for each in (*(events or ()), *ignore)], known)
    wanted = tuple(sorted(set(events or known) - set(ignore)))
    names, rest = _told_apart(snapshot, span, wanted, bounded(top, 1, MOST_EVENTS, "top"))
    definition = JourneyDefinition(
        sessions=gap, events=tuple(events) if events else None, ignore=tuple(ignore), collapse=bool(collapse), top=top,
        since=span.since, until=span.until, now=span.now, tz=tz, people=snapshot.people,
    )  # fmt: skip
    few = bool(events or ignore)
    given, bound = gap == "given", {"names": list(names), "wanted": list(wanted), **span.entries()}
    times = [time for name in wanted if name in known for time in known[name]]
    outside = _outside(span, min(times, default=span.now), max(times, default=span.now))
    sql = _rows(
        words(snapshot.engine), given=given, few=few, outside=outside, rest=names.index(rest) + 1 if rest else 0
    )
    params = {name: value for name, value in bound.items() if f"${name}" in sql}
    places = {name: place for place, name in enumerate(names, start=1)}
    if rest:
        places = {name: places.get(name, places[rest]) for name in wanted}
    code = ("code", Codes("event_type", places, wanted=few))
    plain = None if given else Plain.within(span, [code])
    source = Source(
        snapshot=snapshot, sql=sql, params=params, plain=plain, names=names, collapse=bool(collapse), given=given,
        gap=gap // _TICK if isinstance(gap, timedelta) else -1,
    )  # fmt: skip
    told = f"The {top:,} most common of {len(wanted):,} types of events are told apart; all others are {rest}."
    return Journeys(definition, source, notes=(*span.notes, *([told] if rest else [])))


def _told_apart(snapshot: Snapshot, span: Span, wanted: tuple[str, ...], top: int) -> tuple[tuple[str, ...], str]:
    """Return the types of events to tell apart, in alphabetical order, and what all others are called, if there are."""
    if len(wanted) <= top:
        return wanted, ""
    own = words(snapshot.engine)
    common: list[str] = snapshot.query(
        f"SELECT event_type FROM events WHERE {own.one_of('event_type', '$wanted')} AND occurred_at >= $since "  # noqa: S608
        "AND occurred_at < $until AND occurred_at <= $now "
        f"GROUP BY event_type ORDER BY count(*) DESC, event_type LIMIT {top:d}",
        {"wanted": list(wanted), **span.entries()},
    )["event_type"].to_pylist()
    rest = apart(OTHER, wanted)
    return tuple(sorted([*common, rest])), rest


def _rows(own: Words, *, given: bool, few: bool, outside: Sequence[str], rest: int) -> str:
    """Write the SELECT of the rows; the less it compares and hands over, the faster it is."""
    code = own.place("event_type", "$names")
    if rest:
        code = f"CASE WHEN {code} = 0 THEN {rest:d} ELSE {code} END"
    key = f"{own.pair('user_key', 'session_id')} AS user_key, user_key AS person" if given else "user_key"
    conditions = [
        *([own.one_of("event_type", "$wanted")] if few else []),
        *(["session_id IS NOT NULL"] if given else []),
        *outside,
    ]
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"SELECT {key}, {own.moment('occurred_at')} AS at, {code} AS code FROM events{where}"  # noqa: S608


def _outside(span: Span, first: datetime, last: datetime) -> list[str]:
    """Return the bounds of a time that leave something out of what there is."""
    bounds = {
        "occurred_at >= $since": span.since is not None and first < span.since,
        "occurred_at < $until": span.until is not None and last >= span.until,
        "occurred_at <= $now": last > span.now,
    }
    return [condition for condition, needed in bounds.items() if needed]
