"""The attempt that counts for each person: asked of the store, followed by the kernel."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.metrics import sequences
from workbench.metrics.arguments import Span
from workbench.metrics.breakdowns import Breakdown, breakdown
from workbench.metrics.calendars import micros
from workbench.metrics.steps import conditions
from workbench.metrics.words import words

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from workbench.metrics.funnel_definition import Attribution, FunnelDefinition
    from workbench.metrics.sequences import Rows
    from workbench.metrics.words import Words
    from workbench.store.base import Snapshot

_SHORT: Final = 15
_TICK: Final = timedelta(microseconds=1)
_ORDERS: Final = {"ordered": 0, "strict": 1, "any": 2}


@dataclass(frozen=True, slots=True)
class Attempts:
    """Who entered: one row per person, and per segment where there are several.

    Attributes:
        user_key: Who.
        segment: Place of the person's segment in `segments`.
        at: One column per step: when the attempt that counts came to it, in microseconds since 1970; -1 for not.
        settled: The furthest step among the person's attempts whose window has closed, 0 for none.
        in_flight: Whether the window of one is open.
        counts: One column per step: how many of the person's attempts, each begun after the one before, came to it.
        segments: Names of the segments, the largest first; one, without a name, where nothing is broken down.
        sql: What was asked.
    """

    user_key: NDArray[np.int64]
    segment: NDArray[np.int64]
    at: NDArray[np.int64]
    settled: NDArray[np.int64]
    in_flight: NDArray[np.bool_]
    counts: NDArray[np.int64]
    segments: tuple[str, ...]
    sql: str

    @property
    def step(self) -> NDArray[np.int64]:
        """The furthest step of each person."""
        return np.asarray(np.count_nonzero(self.at >= 0, axis=1), dtype=np.int64)


def attempts(snapshot: Snapshot, asked: FunnelDefinition, *, by_session: bool = False) -> Attempts:
    """Follow everybody through a funnel.

    Args:
        snapshot: The events.
        asked: The funnel.
        by_session: Follow each session alone, as if it were a person; what has no session is left out.
    """
    own = words(snapshot.engine)
    matches, params = conditions(asked.steps, own)
    split = breakdown(snapshot, asked.by, where=" OR ".join(matches), params=params | {"now": asked.now})
    sql, params = _query(own, asked, split, by_session=by_session)
    found = sequences.by_person(snapshot, sql, params, lambda rows: _followed(rows, asked, split))
    parts = [part for several in found for part in several]
    columns = {each.name: np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(_Part)}
    return Attempts(**columns, segments=split.names, sql=sql)


def _query(own: Words, asked: FunnelDefinition, split: Breakdown, *, by_session: bool) -> tuple[str, dict[str, object]]:
    """Write the rows that a funnel needs: who, when, what they can be, and the segment that they name."""
    each = [*asked.steps, *(excluded.step for excluded in asked.exclude)]
    matches, params = conditions(each, own)
    bits = " + ".join(f"CASE WHEN {match} THEN {1 << place} ELSE 0 END" for place, match in enumerate(matches))
    columns = {
        "user_key": own.pair("user_key", "session_id") if by_session else "user_key",
        "at": own.micros("occurred_at"),
        "bits": own.short(bits) if len(each) < _SHORT else own.long(bits),
    }
    if asked.by:
        columns["segment"] = split.code
    wanted = ["occurred_at <= $now"]
    if asked.order != "strict":
        wanted.append(f"({' OR '.join(matches)})")
    if by_session:
        wanted.append("session_id IS NOT NULL")
    selected = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    return f"SELECT {selected} FROM events WHERE {' AND '.join(wanted)}", {**params, **split.params, "now": asked.now}  # noqa: S608


@dataclass(frozen=True, slots=True)
class _Part:
    """The attempts of one part of the people, as the fields of `Attempts`."""

    user_key: NDArray[np.int64]
    segment: NDArray[np.int64]
    at: NDArray[np.int64]
    settled: NDArray[np.int64]
    in_flight: NDArray[np.bool_]
    counts: NDArray[np.int64]


def _followed(rows: Rows, asked: FunnelDefinition, split: Breakdown) -> list[_Part]:
    """Follow the people of one part, once; or where a segment is one value at all steps, once for each."""
    bits = rows.columns["bits"].astype(np.int64)
    if asked.by is None:
        return [_part(rows, bits, asked, partial(_same, 0))]
    places = split.places(rows.columns["segment"])
    if asked.attribution != "all":
        return [_part(rows, bits, asked, lambda chosen: _attributed(places, chosen, asked.attribution, split.nothing))]
    forbidden = bits & -(1 << len(asked.steps))  # an exclusion counts whatever its value
    alone = (
        (place, np.where(places == place, bits, forbidden)) for place in (*range(split.nothing - 1), split.nothing)
    )
    return [_part(rows, mine, asked, partial(_same, place)) for place, mine in alone]


def _same(place: int, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.full(len(chosen), place, dtype=np.int64)


def _part(
    rows: Rows,
    bits: NDArray[np.int64],
    asked: FunnelDefinition,
    segment: Callable[[NDArray[np.int64]], NDArray[np.int64]],
) -> _Part:
    """Follow people through some rows; `segment` tells theirs by the rows of their steps."""
    from workbench.metrics.kernels import funnel as kernel  # noqa: PLC0415 - loads Numba

    rules = asked.rules
    chosen, settled, in_flight, counts = kernel.attempts(
        rows.first,
        rows.at,
        bits,
        len(asked.steps),
        _ORDERS[asked.order],
        asked.within // _TICK,
        _entry(asked),
        np.array([(each.after, each.before) for each in asked.exclude], dtype=np.int64).reshape(-1, 2),
        np.array([rules.ties, rules.reuse, rules.anchor == "first", rules.exclusion == "attempt"]),
    )
    entered = chosen[:, 0] >= 0
    chosen = chosen[entered]
    return _Part(
        user_key=rows.user_key[entered],
        segment=segment(chosen),
        at=np.where(chosen >= 0, rows.at[chosen] if len(rows.at) else 0, -1),
        settled=settled[entered],
        in_flight=in_flight[entered],
        counts=counts[entered],
    )


def _attributed(
    places: NDArray[np.int64], chosen: NDArray[np.int64], attribution: Attribution, nothing: int
) -> NDArray[np.int64]:
    """Return the segment that each person's attempt names first, last, or at a given step."""
    if not len(chosen):
        return np.zeros(0, dtype=np.int64)
    named = np.where(chosen >= 0, places[chosen], nothing)
    if isinstance(attribution, int):
        return named[:, attribution - 1]
    known = named != nothing
    step = known.argmax(axis=1) if attribution == "first" else known.shape[1] - 1 - known[:, ::-1].argmax(axis=1)
    return np.asarray(named[np.arange(len(named)), step])


def _entry(asked: FunnelDefinition) -> NDArray[np.int64]:
    bounds = Span(since=asked.since, until=asked.until, now=asked.now).entries()
    return np.array([micros(bounds[name]) for name in ("since", "until", "now")])
