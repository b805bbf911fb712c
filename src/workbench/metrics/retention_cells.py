"""Who started in which cohort and came back when: asked of the store, found by the kernel, counted by cell."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from workbench.errors import InvalidArgument
from workbench.metrics import breakdowns, intervals, pushdown, sequences
from workbench.metrics.arguments import Span
from workbench.metrics.calendars import Calendar, micros
from workbench.metrics.coverage import history
from workbench.metrics.plain import Codes, Plain, array
from workbench.metrics.retention_definition import ROLLING, RetentionDefinition
from workbench.metrics.steps import conditions
from workbench.metrics.words import words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from workbench.metrics.retention_definition import Bracket
    from workbench.metrics.sequences import Runs
    from workbench.store.base import Snapshot

MOST_CELLS: Final = 5_000_000
"""Cohorts by periods: the days of six years, each with all days after it."""
_TICK: Final = timedelta(microseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Returns:
    """One entry per person and cohort.

    Attributes:
        user_key: Who.
        cohort: Number of the calendar's period in which they started.
        segment: Place of the segment that their start names.
        came: The periods since the start with a return: bit p % 64 of word p // 64.
    """

    user_key: NDArray[np.int64]
    cohort: NDArray[np.int64]
    segment: NDArray[np.int64]
    came: NDArray[np.uint64]

    def on(self, period: int) -> NDArray[np.bool_]:
        """Say of each entry whether it has a return in a period."""
        word, bit = divmod(period, 64)
        if word >= self.came.shape[1]:
            return np.zeros(len(self.came), dtype=bool)
        return np.asarray(self.came[:, word] >> np.uint64(bit) & np.uint64(1), dtype=bool)

    def within(self, first: int, last: int) -> NDArray[np.bool_]:
        """Say of each entry whether it has a return in any period of a range."""
        there = np.zeros(len(self.came), dtype=bool)
        for period in range(first, min(last + 1, 64 * self.came.shape[1])):
            there |= self.on(period)
        return there

    def last(self, periods: int) -> NDArray[np.int64]:
        """Return the last period with a return of each entry, -1 for none."""
        last = np.full(len(self.came), -1)
        for period in range(periods):
            last[self.on(period)] = period
        return last

    def streak(self, periods: int) -> NDArray[np.int64]:
        """Return in how many periods after the first each entry came back without a gap."""
        alive, lasted = np.ones(len(self.came), dtype=bool), np.zeros(len(self.came), dtype=np.int64)
        for period in range(1, periods):
            alive &= self.on(period)
            lasted += alive
        return lasted


def found(snapshot: Snapshot, asked: RetentionDefinition, periods: Calendar) -> tuple[Returns, tuple[str, ...], str]:
    """Find who came back when.

    Returns:
        The entries, the names of the segments (one, empty, where nothing is broken down), and what was asked.
    """
    own = words(snapshot.engine)
    matches, params = conditions([asked.start, *([asked.returns] if asked.returns else [])], own)
    back = f"CASE WHEN {matches[1]} THEN 2 ELSE 0 END" if asked.returns else "2"
    bound: dict[str, object] = params | {"now": asked.now}
    started, mine = conditions([asked.start], own)
    split = breakdowns.breakdown(snapshot, asked.by, where=started[0], params=mine | {"now": asked.now})
    bits = own.byte(f"CASE WHEN {matches[0]} THEN 1 ELSE 0 END + {back}")
    segment = f", {split.code} AS segment" if asked.by else ""
    wanted = f"({' OR '.join(matches)}) AND occurred_at <= $now" if asked.returns else "occurred_at <= $now"
    begin = history(snapshot, asked.since)
    if begin:
        wanted, bound = f"{wanted} AND occurred_at >= $begin", {**bound, "begin": begin}
    sql = (
        f"SELECT user_key, {own.micros('occurred_at')} AS at, {bits} AS bits{segment} FROM events "  # noqa: S608
        f" WHERE {wanted}"
    )
    params = bound | dict(split.params)
    if snapshot.engine == "clickhouse" and _is_simple(asked):
        table, sql = pushdown.returns(snapshot, sql, params, periods, by=asked.by is not None)
        entries = _gathered(table, asked, periods)
        return replace(entries, segment=split.places(entries.segment)), split.names, sql
    parts = sequences.by_group(
        snapshot, sql, params, lambda rows: _part(rows, asked, periods), plain=_plain(asked, split.codes, begin)
    )
    columns = {each.name: np.concatenate([getattr(part, each.name) for part in parts]) for each in fields(Returns)}
    entries = Returns(**columns)
    return replace(entries, segment=split.places(entries.segment)), split.names, sql


def _plain(asked: RetentionDefinition, segment: Codes | None, begin: datetime | None) -> Plain | None:
    """Return the rows as plain columns, if they are: steps without conditions, told apart by a plain column at most."""
    if (asked.by and not segment) or asked.start.where or (asked.returns and asked.returns.where):
        return None
    other = 0 if asked.returns else 2
    bits = {asked.start.event: other | 1}
    if asked.returns:
        bits[asked.returns.event] = bits.get(asked.returns.event, 0) | 2
    codes = [("bits", Codes("event_type", bits, other, wanted=asked.returns is not None))]
    return Plain(
        micros(asked.now),
        since=micros(begin) if begin else None,
        codes=[*codes, *([("segment", segment)] if segment else [])],
    )


def _is_simple(asked: RetentionDefinition) -> bool:
    """Say whether it matters only in which periods a person did anything, once it is known when they started first."""
    return asked.returns is None and asked.clock == "calendar" and asked.cohort == "first"


def _gathered(table: pa.Table, asked: RetentionDefinition, periods: Calendar) -> Returns:
    from workbench.metrics.kernels.returns import gathered  # noqa: PLC0415 - loads Numba

    bounds = Span(since=asked.since, until=asked.until, now=asked.now).entries()
    started = array(table["started"])
    mine = (started >= micros(bounds["since"])) & (started < micros(bounds["until"]))
    table, started = table.filter(pa.array(mine)), started[mine]
    cohort = np.searchsorted(periods.edges, started, side="right") - 1
    came = gathered(cohort, *pushdown.ragged(table["periods"]), begun(asked, periods, 0))
    return Returns(array(table["user_key"]), cohort, array(table["segment"]).astype(np.int64), came)


def _part(rows: Runs, asked: RetentionDefinition, periods: Calendar) -> Returns:
    from workbench.metrics.kernels.returns import returns  # noqa: PLC0415 - loads Numba

    bounds = Span(since=asked.since, until=asked.until, now=asked.now).entries()
    length = ROLLING[asked.period] if asked.clock == "rolling" else timedelta()
    return Returns(
        *returns(
            rows.user_key,
            rows.runs,
            rows.at,
            rows.columns["bits"],
            rows.columns.get("segment", np.zeros(0, dtype=np.int16)),
            periods.edges,
            begun(asked, periods, 0),
            np.array([micros(bounds["since"]), micros(bounds["until"])]),
            asked.cohort == "recurring",
            length // _TICK,
            (asked.floor or _TICK) // _TICK,
        )
    )


def frame(asked: RetentionDefinition, periods: Calendar, entries: Returns, mine: NDArray[np.bool_]) -> pd.DataFrame:
    """Count the cells of every cohort, from the first to the last that anybody is in."""
    cohorts = entries.cohort[mine]
    occupied = range(int(cohorts.min()), int(cohorts.max()) + 1) if len(cohorts) else range(0)
    width = max((begun(asked, periods, cohort) for cohort in occupied), default=0)
    if len(occupied) * width > MOST_CELLS and asked.kind != "bracket":
        raise InvalidArgument(
            f"retention by {asked.period} of {len(occupied):,} cohorts has more than {MOST_CELLS:,} cells: ask since a "
            "later day, with an earlier now, or by longer periods"
        )
    brackets = asked.cells(width)
    counts = np.array([_count(entries, mine & here, len(periods.days)) for here in present(asked, entries, brackets)])
    sizes = _count(entries, mine, len(periods.days))
    cells = [
        (cohort, place)
        for cohort in occupied
        for place, bracket in enumerate(brackets)
        if bracket[0] < begun(asked, periods, cohort)
    ]
    row, column = np.array(cells, dtype=np.int64).reshape(-1, 2).T
    users = counts[column, row] if cells else np.zeros(0, dtype=np.int64)
    base = (
        sizes[row]
        if asked.of == "cohort"
        else np.where(column > 0, counts[column - 1, row] if cells else 0, sizes[row])
    )
    low, high = intervals.wilson(users, np.where(base >= users, base, 0))
    return pd.DataFrame(
        {
            "cohort": pd.to_datetime(pd.Series([periods.days[cohort] for cohort in row])).astype("datetime64[us]"),
            "period": column,
            "users": users,
            "cohort_size": sizes[row],
            "retention_rate": intervals.rate(users, base),
            "mature": np.array([_over(asked, periods, cohort, brackets[place]) for cohort, place in cells], dtype=bool),
            "ci_low": low,
            "ci_high": high,
        }
    )


def present(asked: RetentionDefinition, entries: Returns, cells: Sequence[Bracket]) -> Iterator[NDArray[np.bool_]]:
    """Say of each entry whether it counts, cell by cell."""
    periods = max((last + 1 for _, last in cells), default=0)
    last = entries.last(64 * entries.came.shape[1]) if asked.kind == "on_or_after" else None
    lasted = entries.streak(periods) if asked.kind == "streak" else None
    for first, end in cells:
        if first == 0 and asked.zero == "everybody":
            yield np.ones(len(entries.came), dtype=bool)
        elif asked.kind == "on_or_before":
            yield entries.within(0, end)
        elif last is not None:
            yield last >= first
        elif lasted is not None and first > 0:
            yield lasted >= end
        else:
            yield entries.within(first, end)


def _count(entries: Returns, chosen: NDArray[np.bool_], cohorts: int) -> NDArray[np.int64]:
    return np.bincount(entries.cohort[chosen], minlength=cohorts)


def begun(asked: RetentionDefinition, periods: Calendar, cohort: int) -> int:
    """Return how many periods have begun before `now` for the first of a cohort."""
    if asked.clock == "calendar":
        return periods.number(asked.now - _TICK) - cohort + 1
    return (asked.now - _TICK - _floored(asked, periods.starts[cohort])) // ROLLING[asked.period] + 1


def _over(asked: RetentionDefinition, periods: Calendar, cohort: int, bracket: Bracket) -> bool:
    """Say whether a cell is over for the last of a cohort."""
    if asked.clock == "calendar":
        end = cohort + bracket[1] + 1
        return end < len(periods.starts) and periods.starts[end] <= asked.now
    return periods.starts[cohort + 1] + (bracket[1] + 1) * ROLLING[asked.period] <= asked.now


def _floored(asked: RetentionDefinition, instant: datetime) -> datetime:
    return instant - (instant - _EPOCH) % asked.floor if asked.floor else instant
