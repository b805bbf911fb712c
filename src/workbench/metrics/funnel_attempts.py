"""The attempts that count: asked of the store as rows of people, followed by a kernel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.metrics import segments, sequences
from workbench.metrics.arguments import Span
from workbench.metrics.breakdowns import PLAIN, labels
from workbench.metrics.calendars import micros
from workbench.metrics.funnel_definition import MODES
from workbench.metrics.plain import Codes, Plain
from workbench.metrics.pushdown import Reach
from workbench.metrics.steps import coded, column, conditions
from workbench.metrics.words import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from workbench.metrics.funnel_definition import Attribution, FunnelDefinition
    from workbench.metrics.sequences import Rows
    from workbench.metrics.steps import Step
    from workbench.store.base import Snapshot

_NOTHING, _OTHER = 0, 1  # then the values told apart
_SHORT: Final = 15
_TICK: Final = timedelta(microseconds=1)
_ORDERS: Final = {"ordered": 0, "strict": 1, "any": 2}


@dataclass(frozen=True, slots=True)
class Attempts:
    """What is counted: one row per person, session or attempt, and where people are in several segments per segment.

    Attributes:
        user_key: Who.
        segment: Place of its segment in `segments`.
        at: One column per step: when it was reached, in microseconds since 1970; -1 where it was not.
        settled: The furthest step among attempts whose window has closed, 0 for none.
        in_flight: Whether it may still get further.
        segments: Names of the segments in the order of the frame; one, without a name, where nothing is broken down.
        sql: What was asked.
    """

    user_key: NDArray[np.int64]
    segment: NDArray[np.int64]
    at: NDArray[np.int64]
    settled: NDArray[np.int64]
    in_flight: NDArray[np.bool_]
    segments: tuple[str, ...]
    sql: str

    @property
    def step(self) -> NDArray[np.int64]:
        """The furthest step of each."""
        furthest = np.zeros(len(self.at), dtype=np.int64)
        for reached in self.at.T:  # step by step: along the short axis NumPy is slow
            furthest += reached >= 0
        return furthest

    def of(self, segment: int) -> Attempts:
        """Return those of one segment."""
        return self.taken(np.flatnonzero(self.segment == segment))

    def taken(self, rows: NDArray[np.int64]) -> Attempts:
        """Return some of them."""
        return replace(
            self,
            user_key=self.user_key[rows],
            segment=self.segment[rows],
            at=self.at[rows],
            settled=self.settled[rows],
            in_flight=self.in_flight[rows],
        )


def attempts(snapshot: Snapshot, asked: FunnelDefinition) -> Attempts:
    """Follow everybody through a funnel."""
    values = _values(snapshot, asked) if isinstance(asked.by, str) else []
    sql, params = _query(snapshot, asked, values)
    tie = "code" if isinstance(asked.by, str) else None
    parts = sequences.by_person(
        snapshot,
        sql,
        params,
        lambda rows: _followed(rows, asked),
        tie=tie,
        plain=_plain(asked, values),
        reach=_reach(asked, values),
    )
    fields = [np.concatenate(each) for each in zip(*parts, strict=True)]
    names = (*labels(values)[::-1], *values) if isinstance(asked.by, str) else ("",)
    found = Attempts(fields[0], fields[1], fields[2], fields[3], fields[4], segments=names, sql=sql)
    if isinstance(asked.by, str):
        return _by_size(found)
    return found if asked.by is None else _by_people(found, snapshot, asked)


def _by_size(found: Attempts) -> Attempts:
    """Put the largest segments first, rare values and none last; leave out the empty ones."""
    sizes = np.bincount(found.segment, minlength=len(found.segments))
    there = [place for place in range(len(sizes)) if sizes[place]]
    there.sort(key=lambda place: (place == _NOTHING, place == _OTHER, -sizes[place], found.segments[place]))
    places = np.zeros(len(sizes), dtype=np.int64)
    places[there] = np.arange(len(there))
    names = tuple(found.segments[place] for place in there)
    return replace(found, segment=places[found.segment], segments=names)


def _by_people(found: Attempts, snapshot: Snapshot, asked: FunnelDefinition) -> Attempts:
    """Put everything into the segments its person belongs to when the question is asked: none, or several."""
    groups = [each for each in asked.by or () if not isinstance(each, str)]
    keys = [segments.members(snapshot, each.segment, now=asked.now) for each in groups]
    rows = [np.flatnonzero(np.isin(found.user_key, each)) for each in keys]
    segment = np.repeat(np.arange(len(rows)), [len(each) for each in rows])
    return replace(found.taken(np.concatenate(rows)), segment=segment, segments=tuple(each.name for each in groups))


def _steps(asked: FunnelDefinition) -> list[Step]:
    """Return what a row is looked at for: the steps, then what must not stand between them."""
    return [*asked.steps, *(excluded.step for excluded in asked.exclude or ())]


def _values(snapshot: Snapshot, asked: FunnelDefinition) -> list[str]:
    """Return the values of the breakdown that the most people have, at any step or where theirs counts, at all."""
    own = words(snapshot.engine)
    matches, params = ([], {}) if asked.attribution == "user" else conditions(asked.steps, own)
    wanted = ["occurred_at <= $now"]
    if matches:
        wanted += [f"({' OR '.join(matches)})", "occurred_at >= $since"]
    text, bound = column(str(asked.by), "by", own)
    sql = (
        f"SELECT value FROM (SELECT user_key, {text} AS value FROM events WHERE {' AND '.join(wanted)}) AS valued "  # noqa: S608
        f"WHERE value IS NOT NULL GROUP BY value ORDER BY count(DISTINCT user_key) DESC, value LIMIT {asked.top or 0:d}"
    )
    span = Span(since=asked.since, until=asked.until, now=asked.now).entries()
    params |= bound | {"now": span["now"]} | ({"since": span["since"]} if matches else {})
    found: list[str] = snapshot.query(sql, params)["value"].to_pylist()
    return found


def _query(snapshot: Snapshot, asked: FunnelDefinition, values: Sequence[str]) -> tuple[str, dict[str, object]]:
    """Write the rows that a funnel needs: who, when, and in one number what they can be and the segment they name.

    Where segments matter, the number also orders the rows of one instant, so that everybody chooses the same.
    """
    own = words(snapshot.engine)
    steps = _steps(asked)
    matches, params = conditions(steps, own)
    alone = {"session": "session_id"} if asked.counting == "sessions" else {}
    if asked.hold is not None:
        alone["held"], held = column(asked.hold, "hold", own)
        params |= held
    missing = " OR ".join(f"{by} IS NULL" for by in alone.values())
    bits = coded(steps, matches, own)
    if missing and asked.attribution == "user":  # what is in no session is no step, but may name the segment
        bits = f"CASE WHEN {missing} THEN 0 ELSE {bits} END"
    columns = {"user_key": "user_key", "at": own.micros("occurred_at")}
    wanted = f"({' OR '.join(matches)})"
    if isinstance(asked.by, str):
        text, bound = column(asked.by, "by", own)
        params |= bound | {"values": list(values)}
        segment = f"CASE WHEN {text} IS NULL THEN {_NOTHING} ELSE {_OTHER} + {own.place(text, '$values')} END"
        columns["code"] = own.long(f"{bits} + ({segment}) * {1 << len(steps)}")
        if asked.attribution == "user":
            wanted = f"({wanted} OR {text} IS NOT NULL)"
    else:
        columns["code"] = own.short(bits) if len(steps) < _SHORT else own.long(bits)
    conditioned = ["occurred_at <= $now"]
    if not _needs_all(asked):
        conditioned.append(wanted)
    for name, by in alone.items():
        columns[name] = f"CASE WHEN {by} IS NULL THEN -1 ELSE {own.pair('user_key', by)} END"
    if missing and asked.attribution != "user":
        conditioned.append(f"NOT ({missing})")
    selected = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    sql = f"SELECT {selected} FROM events WHERE {' AND '.join(conditioned)}"  # noqa: S608 - our own words
    return sql, params | {"now": asked.now}


def _plain(asked: FunnelDefinition, values: Sequence[str]) -> Plain | None:
    """Return the rows as plain columns, if they are: of whole types of events, and told apart by platform at most."""
    steps = _steps(asked)
    if isinstance(asked.by, str) and (asked.by not in PLAIN or asked.attribution == "user"):
        return None
    if asked.counting == "sessions" or asked.hold is not None or any(each.where for each in steps):
        return None
    bits: dict[str, int] = {}
    for place, each in enumerate(steps):
        bits[each.event] = bits.get(each.event, 0) | 1 << place
    codes = [("code", Codes("event_type", bits, wanted=not _needs_all(asked)))]
    if isinstance(asked.by, str):
        places = {value: (_OTHER + place) << len(steps) for place, value in enumerate(values, start=1)}
        codes.append(("code", Codes(asked.by, places, _OTHER << len(steps), none=_NOTHING)))
    return Plain(micros(asked.now), codes=codes)


def _reach(asked: FunnelDefinition, values: Sequence[str]) -> Reach | None:
    """Return which rows can be of an attempt, if all that there is of one is when it was and what it can be."""
    if asked.counting == "sessions" or asked.hold is not None or asked.attribution == "user":
        return None
    segments = _OTHER + len(values) if isinstance(asked.by, str) else 0
    rounded = asked.reading.instant // _TICK  # times are, downwards
    return Reach(
        bits=len(_steps(asked)) + segments.bit_length(),
        opens=(1 << len(asked.steps)) - 1 if asked.order == "any" else 1,
        since=None if asked.since is None else micros(asked.since),
        until=None if asked.until is None else micros(asked.until) + rounded,
        before=len(asked.steps) * (asked.reading.grace // _TICK) + rounded,
        after=asked.within // _TICK + rounded,
    )


def _needs_all(asked: FunnelDefinition) -> bool:
    """Say whether rows matter that are no step: they may stand between two."""
    return asked.order == "strict" or "strict_order" in asked.reading.modes


_Part = tuple["NDArray[np.int64]", "NDArray[np.int64]", "NDArray[np.int64]", "NDArray[np.int64]", "NDArray[np.bool_]"]


def _followed(rows: Rows, asked: FunnelDefinition) -> _Part:
    """Follow the people of one part: the first fields of `Attempts`."""
    from workbench.metrics.kernels.funnel_groups import told_apart  # noqa: PLC0415 - loads Numba

    steps = len(_steps(asked))
    codes, at = rows.columns["code"].astype(np.int64, copy=False), rows.at
    bits, segment = codes & ((1 << steps) - 1), codes >> steps
    if asked.reading.instant > _TICK:
        at = at - at % (asked.reading.instant // _TICK)
    whole, line = (rows.first, at, segment), np.arange(len(at))
    first, owner = rows.first, np.arange(len(rows.user_key))
    alone = [rows.columns["session"]] if asked.counting == "sessions" else []
    alone += [segment] if asked.attribution == "all" else []
    alone += [rows.columns["held"]] if asked.hold is not None else []
    for number in range(len(alone)):
        places, first, person = told_apart(first, alone[number])
        owner = owner[person]
        at, bits, segment, line, *alone = (column[places] for column in (at, bits, segment, line, *alone))
    steps_only = np.flatnonzero(bits) if asked.attribution == "user" and asked.order != "strict" else np.arange(0)
    if len(steps_only):  # values are on many more rows
        starts = np.searchsorted(steps_only, first)
        group, chosen, settled, in_flight = _kernel(starts, at[steps_only], bits[steps_only], asked)
        chosen = np.where(chosen >= 0, steps_only[chosen], chosen)
    else:
        group, chosen, settled, in_flight = _kernel(first, at, bits, asked)
    if asked.attribution == "user":  # whatever the person did, in this session or not
        named = _latest(*whole, owner[group], line[chosen[:, 0]] if len(chosen) else np.arange(0))
    else:
        named = _segment(segment, chosen, asked.attribution)
    reached = np.where(chosen >= 0, at[chosen] if len(at) else 0, -1)
    if asked.reading.grace:  # a step that came a little too early took no time
        reached = np.where(chosen >= 0, np.maximum.accumulate(reached, axis=1), -1)
    part = (rows.user_key[owner[group]], named, reached, settled, in_flight)
    if asked.attribution == "all":
        kept = named != _OTHER  # rare values are not one value, so nobody gets on in them
        part = part[0][kept], part[1][kept], part[2][kept], part[3][kept], part[4][kept]
    several = asked.counting == "users" and (asked.hold is not None or asked.once == "segment")
    return _one_each(part, asked) if several else part


def _one_each(part: _Part, asked: FunnelDefinition) -> _Part:
    """Keep of each person, who may have made several attempts, that which got furthest; or that of the first step 1.

    Where they count once per segment, one of each segment is kept.
    """
    user_key, segment, at, settled, in_flight = part
    steps, first_only = np.count_nonzero(at >= 0, axis=1), asked.reading.anchor == "first"
    best = [at[:, 0], -steps] if first_only else [-steps, at[:, 0]]
    whose = [user_key, segment] if asked.attribution == "all" or asked.once == "segment" else [user_key]
    order = np.lexsort([segment, *at.T[::-1], *best[::-1], *whose[::-1]])
    changed = np.any([np.diff(each[order]) != 0 for each in whose], axis=0)
    starts = np.flatnonzero(np.concatenate([[len(order) > 0], changed]))
    chosen = order[starts]
    if not first_only and len(chosen):
        settled[chosen] = np.maximum.reduceat(settled[order], starts)
        in_flight[chosen] = np.logical_or.reduceat(in_flight[order], starts) & (steps[chosen] < at.shape[1])
    return user_key[chosen], segment[chosen], at[chosen], settled[chosen], in_flight[chosen]


def _kernel(
    first: NDArray[np.int64], at: NDArray[np.int64], bits: NDArray[np.int64], asked: FunnelDefinition
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Run the kernel of this reading."""
    from workbench.metrics.kernels import funnel, funnel_window  # noqa: PLC0415 - loads Numba

    reading, steps, within = asked.reading, len(asked.steps), asked.within // _TICK
    bounds = Span(since=asked.since, until=asked.until, now=asked.now).entries()
    entry = np.array([micros(bounds[name]) for name in ("since", "until", "now")], dtype=np.int64)
    if reading.modes:
        modes = np.array([mode in reading.modes for mode in MODES])
        return funnel_window.windows(first, at, bits, steps, within, entry, modes)
    exclusions = np.array([(each.after, each.before) for each in asked.exclude or ()], dtype=np.int64).reshape(-1, 2)
    rules = np.array(
        [
            reading.ties,
            reading.reuse,
            reading.anchor == "first",
            reading.exclusion != "person",
            asked.every_attempt,
            reading.exclusion == "entry",
            reading.first_step,
        ]
    )
    grace = reading.grace // _TICK
    return funnel.attempts(first, at, bits, steps, _ORDERS[asked.order], within, entry, exclusions, rules, grace)


def _latest(
    first: NDArray[np.int64],
    at: NDArray[np.int64],
    segment: NDArray[np.int64],
    person: NDArray[np.int64],
    entry: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return the latest segment that each person named on any event up to the instant of the row they entered with."""
    from workbench.metrics.kernels.funnel_groups import latest  # noqa: PLC0415 - loads Numba

    return latest(first[person], first[person + 1], at, segment, entry)


def _segment(
    segment: NDArray[np.int64], chosen: NDArray[np.int64], attribution: Attribution | None
) -> NDArray[np.int64]:
    """Return the segment that each attempt names: by its first or last step that has one, or at a given step."""
    if attribution is None or not len(chosen):
        return np.zeros(len(chosen), dtype=np.int64)
    if attribution == "all":
        return segment[chosen[:, 0]]
    named = np.where(chosen >= 0, segment[chosen], _NOTHING)
    if isinstance(attribution, int):
        return named[:, attribution - 1]
    valued = named != _NOTHING
    step = valued.argmax(axis=1) if attribution == "first" else valued.shape[1] - 1 - valued[:, ::-1].argmax(axis=1)
    return np.asarray(named[np.arange(len(named)), step])
