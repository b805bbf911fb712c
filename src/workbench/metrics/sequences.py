"""What each person did, in order: the rows behind every question that goes person by person.

A store that keeps its events sorted by person hands them out part by part, almost in order; here they are brought
into order and given to a kernel, some parts side by side.
"""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from workbench.metrics import pushdown
from workbench.metrics.plain import AT, KEY, Column, Plain, array, plain_rows
from workbench.store.base import FEW_ROWS, parts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from concurrent.futures import Future

    from numpy.typing import NDArray

    from workbench.metrics.pushdown import Reach
    from workbench.store.base import Snapshot

Result = TypeVar("Result")

AT_ONCE: Final = min(max(2, os.cpu_count() or 1), 4)
"""Parts that kernels work on side by side, each in one thread; more would need more memory at once."""

GATHERED_ROWS: Final = 25_000_000
"""Events that a database gathers by person at once: it has up to 48 bytes of each in memory."""

MOST_RUNS: Final = 100
"""Sorted runs that rows are merged from; of more, as a store that keeps no order gives them, they are sorted."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What the people of one part did: one row per event, ordered by person, then time, then `tie`.

    Attributes:
        user_key: One per person.
        first: Where the rows of each person begin; one more than people, the last is the number of rows.
        at: When each event occurred, in microseconds since 1970 (UTC).
        columns: What else was asked for, by name.
    """

    user_key: NDArray[np.int64]
    first: NDArray[np.int64]
    at: NDArray[np.int64]
    columns: Mapping[str, Column]


@dataclass(frozen=True, slots=True)
class Runs:
    """What the people of one part did: one row per event, in a few runs each sorted by person, and no other order.

    Attributes:
        user_key: One per row.
        runs: Where each run begins; one more than runs, the last is the number of rows.
        at: When each event occurred, in microseconds since 1970 (UTC).
        columns: What else was asked for, by name.
    """

    user_key: NDArray[np.int64]
    runs: NDArray[np.int64]
    at: NDArray[np.int64]
    columns: Mapping[str, Column]


def by_person(
    snapshot: Snapshot,
    sql: str,
    params: Mapping[str, object],
    kernel: Callable[[Rows], Result],
    *,
    tie: str | None = None,
    plain: Plain | None = None,
    reach: Reach | None = None,
) -> list[Result]:
    """Give the rows of each part of the people to a kernel.

    Args:
        snapshot: Whom to ask.
        sql: A SELECT of `user_key`, `at` (an instant, or microseconds since 1970) and other numeric columns, none of
            them null. In no particular order, one row per event.
        params: The values bound in it.
        kernel: Takes the rows of one part. It runs in a thread, so what it does should not hold Python's lock.
        tie: The column that orders the rows of one person and instant, where their order matters.
        plain: The same rows as plain columns of the events, where they are: a store may have them quicker.
        reach: What of them matters, if they have a `code` and nothing else: a store may leave out the rest, and people
            of whom nothing matters, and gives people in any order.

    Returns:
        What the kernel made of each part, in the order of the parts.
    """
    if reach is not None and snapshot.engine == "clickhouse" and reach.packs and _fits(snapshot):
        return _gathered(snapshot, sql, params, reach, kernel)
    return _by_part(snapshot, (sql, params, plain), lambda columns: kernel(ordered(columns, tie=tie)))


def by_group(
    snapshot: Snapshot,
    sql: str,
    params: Mapping[str, object],
    kernel: Callable[[Runs], Result],
    *,
    plain: Plain | None = None,
) -> list[Result]:
    """Give the rows of each part of the people to a kernel that does not ask for their order; see `by_person`."""
    return _by_part(snapshot, (sql, params, plain), lambda columns: kernel(grouped(columns)))


def _by_part(
    snapshot: Snapshot,
    asked: tuple[str, Mapping[str, object], Plain | None],
    work: Callable[[dict[str, Column]], Result],
) -> list[Result]:
    """Work on some parts side by side."""
    sql, params, wanted = asked

    def read(part: int) -> Result | None:
        columns = None if wanted is None else plain_rows(snapshot, wanted, part=part)
        return None if columns is None else work(columns)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = [each for each in pool.map(read, range(snapshot.parts)) if each is not None]
        if len(found) == snapshot.parts:
            return found
        return [each.result() for each in _asked(snapshot, sql, params, lambda rows: pool.submit(work, rows))]


def _fits(snapshot: Snapshot) -> bool:
    """Tell whether no part has more events than are gathered at once."""
    return snapshot.total <= snapshot.parts * GATHERED_ROWS


def _gathered(
    snapshot: Snapshot, sql: str, params: Mapping[str, object], reach: Reach, kernel: Callable[[Rows], Result]
) -> list[Result]:
    """Have the rows gathered where they are, and give few of them at a time to kernels, which stay in the cache."""
    pieces = min(snapshot.parts, 1 + snapshot.total // GATHERED_ROWS)
    found: list[Future[Result]] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for piece in range(pieces):
            part = range(snapshot.parts * piece // pieces, snapshot.parts * (piece + 1) // pieces)
            key, (first, packed) = pushdown.gathered(snapshot, sql, params, reach, part=part)
            wait(found)  # so that no more than two pieces are in memory
            few = min(FEW_ROWS, len(packed) // AT_ONCE + 1)
            edges = np.searchsorted(first, range(few, len(packed), few))
            for begin, end in pairwise([0, *np.unique(edges[edges > 0]).tolist(), len(key)]):
                mine = key[begin:end], first[begin : end + 1]
                found.append(pool.submit(_worked, mine, packed, reach.bits, kernel))
        return [each.result() for each in found]


def _worked(
    people: tuple[NDArray[np.int64], NDArray[np.int64]],
    packed: NDArray[np.int64],
    bits: int,
    kernel: Callable[[Rows], Result],
) -> Result:
    """Bring gathered rows into order, and give them to a kernel."""
    from workbench.metrics.kernels import order  # noqa: PLC0415 - loads Numba

    key, first = people
    at, code = order.unpacked(first, packed, bits)
    return kernel(Rows(key, first - first[0], at, {"code": code}))


def _asked(
    snapshot: Snapshot, sql: str, params: Mapping[str, object], work: Callable[[dict[str, Column]], Future[Result]]
) -> Iterator[Future[Result]]:
    """Ask a database, which has threads of its own, for one part after the other, and for small ones at once.

    How large they are is told by the first. No more than a few wait to be worked on, for each takes memory.
    """
    start, size = 0, 1
    waiting: deque[Future[Result]] = deque()
    while start < snapshot.parts:
        table = snapshot.query(sql, params, part=range(start, min(start + size, snapshot.parts)))
        waiting.append(work({name: array(table[name]) for name in table.column_names}))
        if start == 0:
            pieces = max(parts_of(snapshot.parts * table.num_rows), 1)
            size, start = max(1, int(snapshot.parts / pieces)), 1
        else:
            start += size
        if len(waiting) > AT_ONCE:
            yield waiting.popleft()
    yield from waiting


def grouped(columns: dict[str, Column]) -> Runs:
    """Find the runs that rows are sorted in by person; where there are many, sort them into one."""
    from workbench.metrics.kernels import order  # noqa: PLC0415 - loads Numba

    runs = order.runs(columns[KEY], MOST_RUNS)
    if not len(runs):
        places = np.argsort(columns[KEY], kind="stable")
        columns = {name: column[places] for name, column in columns.items()}
        runs = np.array([0, len(places)])
    return Runs(columns.pop(KEY), runs, columns.pop(AT), columns)


def ordered(columns: dict[str, Column], *, tie: str | None = None) -> Rows:
    """Bring rows into order: by person, time, and tie."""
    from workbench.metrics.kernels import order  # noqa: PLC0415 - loads Numba

    key, at = columns.pop(KEY), columns.pop(AT)
    if tie is not None and set(columns) == {tie} and len(starts := order.runs(key, MOST_RUNS)):
        who, first, at, code = order.arranged(key, at, columns[tie], starts)
        return Rows(who, first, at, {tie: code})
    ties = np.zeros(len(key), dtype=np.int64) if tie is None else columns[tie].astype(np.int64, copy=False)
    if not order.is_ordered(key, at, ties):
        runs = order.runs(key, MOST_RUNS)
        places = order.merge(key, runs) if len(runs) else np.argsort(key, kind="stable")
        key = key[places]
        order.sort_within(order.people(key), at, ties, places)
        at, columns = at[places], {name: column[places] for name, column in columns.items()}
    first = order.people(key)
    return Rows(key[first[:-1]], first, at, columns)


def user_ids(snapshot: Snapshot, keys: NDArray[np.int64]) -> list[str]:
    """Return who is behind some keys: their `user_id`s, sorted."""
    return sorted(names_of(snapshot, np.unique(keys)))


def names_of(snapshot: Snapshot, keys: NDArray[np.int64]) -> list[str]:
    """Return who is behind each of some keys: their `user_id`s, in the order of the keys."""
    if not len(keys):
        return []
    found = snapshot.query(_USER_IDS[snapshot.engine], {"keys": [int(key) for key in np.unique(keys)]})
    names = dict(zip(found["user_key"].to_pylist(), found["user_id"].to_pylist(), strict=True))
    return [names[int(key)] for key in keys]


_USER_IDS: Final = {
    "duckdb": "SELECT DISTINCT user_key, user_id FROM events WHERE user_key IN (SELECT unnest($keys))",
    "clickhouse": "SELECT DISTINCT user_key, user_id FROM events WHERE has($keys, user_key)",
}
