"""What ClickHouse adds up by itself, so that one row per person travels and not one per event.

The lake's files are read as quickly as they could be added up; a server's rows have a long way to go. The answers are
those of the kernels, which walk over rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from workbench.metrics.calendars import micros
from workbench.metrics.plain import array

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from workbench.metrics.arguments import Span
    from workbench.metrics.calendars import Calendar
    from workbench.store.base import Snapshot

MOST_BITS: Final = 9
"""Bits of a code that fits into 64 bits together with microseconds up to `FURTHEST`."""

FURTHEST: Final = (1 << 63 - MOST_BITS) - 1
"""Microseconds from 1970, later than ClickHouse keeps any event, in 2540."""

Ragged = tuple["NDArray[np.int64]", "NDArray[Any]"]
"""Where the values of each row begin, and behind the last where they end; and the values."""

_PRESENCE: Final = """
SELECT user_key{segment}, groupArray(period) AS periods, groupArray(events) AS events FROM (
    SELECT user_key{segment}, toInt32({period}) AS period, toInt64({count}) AS events
    FROM ({rows}) AS one
    GROUP BY user_key{segment}, period
) AS counted
GROUP BY user_key{segment}
"""
_RETURNS: Final = """
SELECT
    user_key,
    minIf(at, bits != 2) AS started,
    {segment} AS segment,
    groupUniqArray(toInt32({period})) AS periods
FROM ({rows}) AS one
GROUP BY user_key
HAVING countIf(bits != 2) > 0
"""
_FIRST: Final = "argMinIf(segment, (at, segment), bits != 2)"
_USED: Final = """
SELECT user_key, reinterpretAsInt64(groupBitOr(bitShiftLeft(toUInt64(1), place))) AS used
FROM ({rows}) AS one
GROUP BY user_key
"""
_GATHERED: Final = """
SELECT user_key, arrayFilter(row -> row BETWEEN low AND high, rows) AS rows FROM (
    SELECT
        user_key,
        groupArray(at * {places} + code) AS rows,
        greatest(minIf(at, {opens}) - $pushed_before, -{furthest}) * {places} AS low,
        least(maxIf(at, {opens}) + $pushed_after, {furthest}) * {places} + {places} - 1 AS high
    FROM ({rows}) AS one
    GROUP BY user_key
    HAVING countIf({opens}) > 0
) AS everything
SETTINGS aggregate_functions_null_for_empty = 0
"""
_DAILY: Final = """
SELECT {period} * $pushed_places + place AS cell, toInt64(sum(message)) AS messages, toInt64(count()) AS events
FROM ({rows}) AS one
GROUP BY cell
"""


@dataclass(frozen=True, slots=True)
class Reach:
    """Which rows of a person can matter: from some time before the first that opens, to some time after the last.

    Attributes:
        bits: How many bits a row's `code` has.
        opens: A row opens that has one of these bits in its `code`.
        since: And lies here or later, in microseconds since 1970; `None` for any.
        until: And lies before.
        before: Microseconds that matter before the first such row.
        after: Microseconds that matter after the last.
    """

    bits: int
    opens: int
    since: int | None = None
    until: int | None = None
    before: int = 0
    after: int = 0

    @property
    def packs(self) -> bool:
        """Whether the time and the code of a row are one 64-bit integer."""
        return self.bits <= MOST_BITS


def gathered(
    snapshot: Snapshot, rows: str, params: Mapping[str, object], reach: Reach, *, part: range
) -> tuple[NDArray[np.int64], Ragged]:
    """Ask what each person did, without what is out of reach: nobody's rows travel with their key, few travel at all.

    Args:
        snapshot: Whom to ask.
        rows: A SELECT of `user_key`, `at` (microseconds since 1970) and `code`, one row per event.
        params: The values bound in it.
        reach: What matters; its codes fit.
        part: The people.

    Returns:
        Per person of whom a row opens `user_key`; and their rows in no order, each `at * 2 ** bits + code`.
    """
    opens = [f"bitAnd(code, {reach.opens:d}) != 0"]
    bound = {"pushed_before": min(reach.before, FURTHEST), "pushed_after": min(reach.after, FURTHEST)}
    for name, sign, limit in (("since", ">=", reach.since), ("until", "<", reach.until)):
        if limit is not None:
            opens.append(f"at {sign} $pushed_{name}")
            bound[f"pushed_{name}"] = limit
    sql = _GATHERED.format(rows=rows, places=1 << reach.bits, furthest=FURTHEST, opens=" AND ".join(opens))
    found = snapshot.query(sql, {**params, **bound}, part=part)
    return array(found["user_key"]), ragged(found["rows"])


def presence(
    snapshot: Snapshot, rows: str, params: Mapping[str, object], periods: Calendar, span: Span, *, by: bool
) -> tuple[pa.Table, str]:
    """Ask who was there in which periods.

    Args:
        snapshot: Whom to ask.
        rows: A SELECT of `user_key`, `at` (microseconds since 1970) and, if `by`, `segment`, one row per event.
        params: The values bound in it.
        periods: What periods there are; all rows lie in one.
        span: Rows outside of it tell of a period, and are not counted.
        by: Whether people are told apart by `segment`.

    Returns:
        One row per person (and segment): `user_key`, `segment`, `periods` (their numbers, each once), `events` (how
        many of each period are inside); and what was asked.
    """
    period, bound = _number(periods)
    inside = []
    for name, sign, limit in (("since", ">=", span.since), ("until", "<", span.until)):
        if limit is not None:
            inside.append(f"at {sign} $pushed_{name}")
            bound[f"pushed_{name}"] = micros(limit)
    count = f"countIf({' AND '.join(inside)})" if inside else "count()"
    sql = _PRESENCE.format(rows=rows, period=period, count=count, segment=", segment" if by else "")
    return snapshot.query(sql, {**params, **bound}), sql


def returns(
    snapshot: Snapshot, rows: str, params: Mapping[str, object], periods: Calendar, *, by: bool
) -> tuple[pa.Table, str]:
    """Ask when each person started first, and in which periods they did anything.

    Args:
        snapshot: Whom to ask.
        rows: A SELECT of `user_key`, `at` (microseconds since 1970), `bits` (2, and 3 for a start) and, if `by`,
            `segment`, one row per event.
        params: The values bound in it.
        periods: What periods there are. What lies before the first is taken to be in it.
        by: Whether starts name a segment.

    Returns:
        One row per person who started: `user_key`, `started`, `segment` (of the first start; of several at once the
        lowest), `periods` (their numbers, each once); and what was asked.
    """
    period, bound = _number(periods)
    sql = _RETURNS.format(rows=rows, period=period, segment=_FIRST if by else "toInt16(0)")
    return snapshot.query(sql, {**params, **bound}), sql


def platforms(
    snapshot: Snapshot, rows: str, params: Mapping[str, object], days: Calendar, count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Ask which platforms each person uses, and how much is written on each a day.

    Args:
        snapshot: Whom to ask.
        rows: A SELECT of `user_key`, `at` (microseconds since 1970), `place` (of the platform, from 0) and `message`
            (1 for one, else 0), one row per event.
        params: The values bound in it.
        days: What days there are; all rows lie in one.
        count: How many platforms there are.

    Returns:
        Per person `user_key` and a bit per platform they used; per day and platform the messages, and the events.
    """
    period, bound = _number(days)
    used = snapshot.query(_USED.format(rows=rows), params)
    daily = snapshot.query(_DAILY.format(rows=rows, period=period), {**params, **bound, "pushed_places": count})
    counts = np.zeros((2, len(days.days) * count), dtype=np.int64)
    for table, name in zip(counts, ("messages", "events"), strict=True):
        table[array(daily["cell"])] = array(daily[name])
    messages, events = counts.reshape(2, len(days.days), count)
    return array(used["user_key"]), array(used["used"]), messages, events


def ragged(column: pa.ChunkedArray) -> Ragged:
    """Return a column of lists as where each begins, and what is in them."""
    whole = column.combine_chunks()
    if isinstance(whole, pa.ChunkedArray):  # where there was no chunk
        whole = pa.array([], column.type)
    lengths = whole.value_lengths().to_numpy(zero_copy_only=False)
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]), whole.flatten().to_numpy(zero_copy_only=False)


def _number(periods: Calendar) -> tuple[str, dict[str, object]]:
    """Write the number of the period that `at` lies in: a division, where all are as long."""
    edges = periods.edges
    width = np.unique(np.diff(edges))
    if len(width) == 1:
        bound: dict[str, object] = {"pushed_first": int(edges[0]), "pushed_width": int(width[0])}
        return "intDiv(at - $pushed_first, $pushed_width)", bound
    number = "transform(roundDown(at, $pushed_edges), $pushed_edges, $pushed_numbers, toInt64(0))"
    return number, {"pushed_edges": edges, "pushed_numbers": np.arange(len(edges))}
