"""Who was there in which day, week or month: what active users, lifecycle and stickiness are read from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from workbench.events import EARLIEST
from workbench.metrics import pushdown, sequences
from workbench.metrics.breakdowns import breakdown
from workbench.metrics.calendars import calendar, micros
from workbench.metrics.coverage import history
from workbench.metrics.plain import Codes, Plain, array
from workbench.metrics.sequences import Runs
from workbench.metrics.steps import Step, conditions, seen
from workbench.metrics.words import words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.metrics.arguments import Span
    from workbench.metrics.breakdowns import Breakdown
    from workbench.metrics.calendars import Calendar, Period
    from workbench.store.base import Snapshot


@dataclass(frozen=True, slots=True)
class Presence:
    """One entry per person (and segment).

    Attributes:
        user_key: Who.
        first: Number of the period of their first event ever (in the segment).
        days: Bit p % 64 of word p // 64: whether they were there in period p.
        events: Per period how many events there were.
    """

    user_key: NDArray[np.int64]
    first: NDArray[np.int64]
    days: NDArray[np.uint64]
    events: NDArray[np.int64]

    def there(self, period: int) -> NDArray[np.bool_]:
        """Say of each person whether they were there in a period; nobody was before the first."""
        if not 0 <= period < len(self.events):
            return np.zeros(len(self.user_key), dtype=bool)
        return np.asarray(self.days[:, period // 64] >> np.uint64(period % 64) & np.uint64(1), dtype=bool)

    def trailing(self, window: int) -> NDArray[np.int64]:
        """Count per period who was there in it or in the `window` - 1 periods before it."""
        from workbench.metrics.kernels import presence as kernel  # noqa: PLC0415 - loads Numba

        return kernel.trailing(self.days, len(self.events), window)


@dataclass(frozen=True, slots=True)
class Found:
    """The presence of people, by segment; one segment, without a name, where nothing is broken down."""

    periods: Calendar
    segments: dict[str, Presence]
    sql: str


def found(
    snapshot: Snapshot, *, period: Period, tz: str, span: Span, event: Step | None = None, by: str | None = None
) -> Found:
    """Find who was there when.

    Args:
        snapshot: The events.
        period: What a period is, on the clocks of `tz`.
        tz: Time zone.
        span: From when to when events count; all up to its `now` tell who is new.
        event: Only these events; any if not given.
        by: A field or property by whose values people are told apart.
    """
    own = words(snapshot.engine)
    matches, params = conditions([event] if event else [], own)
    where = matches[0] if matches else "event_id IS NOT NULL"
    bound: dict[str, object] = params | {"now": span.now}
    split = breakdown(snapshot, by, where=where, params=bound)
    segment = f", {split.code} AS segment" if by else ""
    wanted = f"{where} AND occurred_at <= $now" if matches else "occurred_at <= $now"
    begin = history(snapshot, span.since)
    if begin:
        wanted, bound = f"{wanted} AND occurred_at >= $begin", {**bound, "begin": begin}
    sql = f"SELECT user_key, {own.micros('occurred_at')} AS at{segment} FROM events WHERE {wanted}"  # noqa: S608
    known = seen(snapshot)
    firsts = [known[event.event][0]] if event and event.event in known else [first for first, _ in known.values()]
    periods = calendar(period, max(min([*firsts, span.now]), begin or EARLIEST), span.now, tz)
    codes = [("wanted", Codes("event_type", {event.event: 1}, wanted=True))] if event else []
    codes += [("segment", split.codes)] if split.codes else []
    places = {name: place for place, name in enumerate(split.names)}

    if snapshot.engine == "clickhouse":
        table, sql = pushdown.presence(snapshot, sql, bound | dict(split.params), periods, span, by=by is not None)
        return Found(periods, _by_segment(table, split, periods, by=by is not None), sql)

    def work(rows: Runs) -> dict[str, Presence]:
        if not by:
            return {"": _presence(rows, periods, span)}
        codes = split.places(rows.columns["segment"])
        return {name: _presence(_of(rows, codes == place), periods, span) for name, place in places.items()}

    plain = (
        None
        if (by and not split.codes) or (event and event.where)
        else Plain(micros(span.now), since=micros(begin) if begin else None, codes=codes)
    )
    parts = sequences.by_group(snapshot, sql, bound | dict(split.params), work, plain=plain)
    joined = {name: _joined([part[name] for part in parts]) for name in split.names}
    return Found(periods, {name: there for name, there in joined.items() if len(there.user_key) or not by}, sql)


def _by_segment(table: pa.Table, split: Breakdown, periods: Calendar, *, by: bool) -> dict[str, Presence]:
    """Make of each segment's people their presence, from which periods each was there in."""
    from workbench.metrics.kernels import presence as kernel  # noqa: PLC0415 - loads Numba

    places = split.places(array(table["segment"])) if by else np.zeros(table.num_rows, dtype=np.int64)
    found = {}
    for place, name in enumerate(split.names):
        mine = table.filter(pa.array(places == place)) if by else table
        if mine.num_rows or not by:
            (firsts, numbers), (_, events) = (pushdown.ragged(mine[each]) for each in ("periods", "events"))
            found[name] = Presence(
                array(mine["user_key"]), *kernel.gathered(firsts, numbers, events, len(periods.days))
            )
    return found


def _of(rows: Runs, mine: NDArray[np.bool_]) -> Runs:
    """Keep some rows; what was sorted in runs still is."""
    counts = np.concatenate([[0], np.cumsum(mine)])
    return Runs(rows.user_key[mine], counts[rows.runs], rows.at[mine], {})


def _presence(rows: Runs, periods: Calendar, span: Span) -> Presence:
    from workbench.metrics.kernels import presence as kernel  # noqa: PLC0415 - loads Numba

    bounds = span.entries()
    entry = np.array([micros(bounds["since"]), micros(bounds["until"])])
    return Presence(*kernel.presence(rows.user_key, rows.runs, rows.at, periods.edges, entry))


def _joined(parts: list[Presence]) -> Presence:
    return Presence(
        user_key=np.concatenate([part.user_key for part in parts]),
        first=np.concatenate([part.first for part in parts]),
        days=np.concatenate([part.days for part in parts]),
        events=np.sum([part.events for part in parts], axis=0),
    )
