"""Journeys: what people do after what, in sessions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from workbench.errors import InvalidArgument
from workbench.metrics import arguments, journey_clusters, journey_diff, journey_views, sequences
from workbench.metrics.steps import as_step, check_known, seen
from workbench.metrics.words import words
from workbench.results import Definition

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from numpy.typing import NDArray

    from workbench.metrics.journey_clusters import Clusters
    from workbench.metrics.journey_diff import TransitionDiff
    from workbench.metrics.journey_views import Loops, Paths, Patterns, StepMatrix, Transitions
    from workbench.metrics.sequences import Rows
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
    with_event: str | None = None
    without_event: str | None = None
    since: datetime | None
    until: datetime | None
    now: datetime
    tz: str


@dataclass(frozen=True, slots=True)
class Trails:
    """Paths in columns.

    Attributes:
        names: The events, in alphabetical order.
        starts: Where each path begins in `code` and `at`; and behind the last where it ends.
        person: Place of each path's person in `user_key`; the paths of a person follow each other.
        code: Place of each event in `names`.
        at: When each was, in microseconds since 1970.
        user_key: Who.
    """

    names: tuple[str, ...]
    starts: NDArray[np.int64]
    person: NDArray[np.int64]
    code: NDArray[np.int16]
    at: NDArray[np.int64]
    user_key: NDArray[np.int64]

    @property
    def paths(self) -> int:
        """How many there are."""
        return len(self.person)

    def place(self, event: str) -> int:
        """Return the place of an event.

        Raises:
            InvalidArgument: No path has it.
        """
        if event not in self.names:
            raise InvalidArgument(f"no path has {arguments.unknown(event, self.names)}")
        return self.names.index(event)

    def having(self, event: str) -> NDArray[np.bool_]:
        """Say of each path whether it has an event."""
        owner = np.repeat(np.arange(self.paths), np.diff(self.starts))
        return np.isin(np.arange(self.paths), owner[self.code == self.place(event)])

    def only(self, chosen: NDArray[np.bool_]) -> Trails:
        """Keep some paths."""
        lengths = np.diff(self.starts)
        rows = np.repeat(chosen, lengths)
        starts = np.concatenate([[0], np.cumsum(lengths[chosen])])
        return replace(self, starts=starts, person=self.person[chosen], code=self.code[rows], at=self.at[rows])


@dataclass(frozen=True)
class Journeys:
    """The paths of people, to be looked at from several sides; each view is an answer of its own."""

    definition: JourneyDefinition
    trails: Trails
    sql: str
    data_version: str
    snapshot: Snapshot

    def transitions(self) -> Transitions:
        """Count what follows what; see `journey_views.Transitions`."""
        return journey_views.transitions(self)

    def step_matrix(self, centre: str | None = None, *, before: int = 4, after: int = 8) -> StepMatrix:
        """Say where paths are some steps before and after an event, or after their start."""
        return journey_views.step_matrix(self, centre, before=before if centre else 0, after=after)

    def paths(self, top: int = 20) -> Paths:
        """List the most common whole paths."""
        return journey_views.paths(self, top)

    def patterns(self, length: int = 3, *, top: int = 20) -> Patterns:
        """List the most common runs of events inside paths."""
        return journey_views.patterns(self, length, top=top)

    def loops(self) -> Loops:
        """Count events that repeat, and ways there and back."""
        return journey_views.loops(self)

    def clusters(self, k: int | None = None, *, seed: int = 0) -> Clusters:
        """Group paths by what they are made of."""
        return journey_clusters.clusters(self, k, seed=seed)

    def having(self, event: str) -> Journeys:
        """Keep the paths that have an event."""
        return replace(
            self,
            definition=replace(self.definition, with_event=event),
            trails=self.trails.only(self.trails.having(event)),
        )

    def without(self, event: str) -> Journeys:
        """Keep the paths that do not have an event."""
        return replace(
            self,
            definition=replace(self.definition, without_event=event),
            trails=self.trails.only(~self.trails.having(event)),
        )

    def diff(self, other: Journeys) -> TransitionDiff:
        """Compare what follows what with other paths: shares of the ways out of each event, tested."""
        return journey_diff.diff(self, other)

    def people(self, persons: NDArray[np.int64]) -> list[str]:
        """Name the people at some places of `trails.user_key`."""
        return sequences.user_ids(self.snapshot, self.trails.user_key[np.unique(persons)])


def journeys(  # noqa: PLR0913 - a question names all its options
    snapshot: Snapshot,
    *,
    sessions: str | timedelta | None = GAP,
    events: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    collapse: bool = False,
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
        since: Start, inclusive; naive times are in `tz`.
        until: End, exclusive.
        now: When the question is asked: later events are not seen. The present if not given.
        tz: Time zone of naive times.

    Raises:
        UnknownEvent: The data has no event of that type.
        InvalidArgument: A length or a time cannot be used, or there are more than 1,000 types of events.

    >>> from workbench.testing import store_of
    >>> walked = journeys(store_of({"ann": "view:0 cart:5 view:100"}).snapshot())
    >>> walked.paths().frame[["path", "paths"]].to_dict("records")
    [{'path': 'view', 'paths': 1}, {'path': 'view → cart', 'paths': 1}]
    """
    span = arguments.span(since, until, now, tz=tz)
    gap = sessions if sessions is None or sessions == "given" else arguments.duration(sessions, name="sessions")
    known = seen(snapshot)
    check_known([as_step(each) for each in (*(events or ()), *ignore)], known)
    names = tuple(sorted(set(events or known) - set(ignore)))
    if len(names) > MOST_EVENTS:
        raise InvalidArgument(f"at most {MOST_EVENTS:,} types of events can be followed, got {len(names):,}: name some")
    definition = JourneyDefinition(
        sessions=gap,
        events=tuple(events) if events else None,
        ignore=tuple(ignore),
        collapse=bool(collapse),
        since=span.since,
        until=span.until,
        now=span.now,
        tz=tz,
        people=snapshot.people,
    )
    own = words(snapshot.engine)
    code = own.short(f"{own.place('event_type', '$names')} - 1")
    given = gap == "given"
    key = own.pair("user_key", "session_id") if given else "user_key"
    extra = ", user_key AS person" if given else ""
    few = f"{own.one_of('event_type', '$names')} AND " if events or ignore else ""
    some = "session_id IS NOT NULL AND " if given else ""
    sql = (
        f"SELECT {key} AS user_key, {own.micros('occurred_at')} AS at, {code} AS code{extra} "  # noqa: S608
        f"FROM events WHERE {few}{some}occurred_at >= $since AND occurred_at < $until AND occurred_at <= $now"
    )
    params = {"names": list(names), **span.entries()}
    micros = gap // _TICK if isinstance(gap, timedelta) else -1
    parts = sequences.by_person(
        snapshot, sql, params, lambda rows: _trails(rows, names, micros, collapse=collapse), tie="code"
    )
    return Journeys(definition, _joined(parts, names), sql, snapshot.data_version, snapshot)


def _trails(rows: Rows, names: tuple[str, ...], gap: int, *, collapse: bool) -> Trails:
    from workbench.metrics.kernels.journeys import cut  # noqa: PLC0415 - loads Numba

    code = rows.columns["code"]
    kept, starts, person = cut(rows.first, rows.at, code, gap, collapse)
    who = rows.user_key
    if "person" in rows.columns:  # paths are sessions, and their people are told apart by another column
        who, person = np.unique(rows.columns["person"][rows.first[:-1]][person], return_inverse=True)
        order = np.argsort(person, kind="stable")
        lengths = np.diff(starts)[order]
        kept = kept[np.repeat(starts[:-1][order] - np.cumsum(lengths) + lengths, lengths) + np.arange(len(kept))]
        person, starts = person[order], np.concatenate([[0], np.cumsum(lengths)])
    return Trails(names, starts, person, code[kept], rows.at[kept], who)


def _joined(parts: list[Trails], names: tuple[str, ...]) -> Trails:
    rows = np.cumsum([0, *(len(part.code) for part in parts)])
    people = np.cumsum([0, *(len(part.user_key) for part in parts)])
    starts = [part.starts[:-1] + offset for part, offset in zip(parts, rows, strict=False)]
    return Trails(
        names=names,
        starts=np.concatenate([*starts, rows[-1:]]),
        person=np.concatenate([part.person + offset for part, offset in zip(parts, people, strict=False)]),
        code=np.concatenate([part.code for part in parts]),
        at=np.concatenate([part.at for part in parts]),
        user_key=np.concatenate([part.user_key for part in parts]),
    )
