"""Rows of one part of the people, brought into the order of persons and time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.metrics.kernels.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray


@compiled
def is_ordered(key: NDArray[np.int64], at: NDArray[np.int64], tie: NDArray[np.int64]) -> bool:
    """Whether rows are ordered by `key`, then `at`, then `tie`."""
    for row in range(1, len(key)):
        if key[row] != key[row - 1]:
            if key[row] < key[row - 1]:
                return False
        elif at[row] < at[row - 1] or (at[row] == at[row - 1] and tie[row] < tie[row - 1]):
            return False
    return True


@compiled
def people(key: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where the rows of each person begin, and behind the last where they end; rows are ordered by `key`."""
    first = np.empty(len(key) + 1, dtype=np.int64)
    count = 0
    for row in range(len(key)):
        if row == 0 or key[row] != key[row - 1]:
            first[count] = row
            count += 1
    first[count] = len(key)
    return first[: count + 1].copy()


@compiled
def unpacked(
    first: NDArray[np.int64], packed: NDArray[np.int64], bits: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bring rows that are `at * 2 ** bits + code` into order person by person; return `at` and `code` of each.

    `first` is where those of each person begin in `packed`, and behind the last where they end.
    """
    start = first[0]
    packed = packed[start : first[-1]]
    at, code = packed >> bits, packed & ((1 << bits) - 1)
    for person in range(len(first) - 1):
        begin, end = first[person] - start, first[person + 1] - start
        for row in range(begin + 1, end):
            if packed[row] < packed[row - 1]:
                _sort(at[begin:end], code[begin:end])
                break
    return at, code


@compiled
def runs(key: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return where each run ordered by `key` begins, and behind the last where it ends; nothing if there are more."""
    starts = np.zeros(most + 1, dtype=np.int64)
    count = 1
    for row in range(1, len(key)):
        if key[row] < key[row - 1]:
            if count == most:
                return starts[:0]
            starts[count] = row
            count += 1
    starts[count] = len(key)
    return starts[: count + 1]


@compiled
def merge(key: NDArray[np.int64], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Merge runs ordered by `key`: return the numbers of their rows, those of one person in the order of the runs.

    A person has many rows in few runs, so they are taken person by person, not row by row.
    """
    head, end = starts[:-1].copy(), starts[1:]
    order = np.empty(len(key), dtype=np.int64)
    place = 0
    while place < len(key):
        lowest = np.int64(9_223_372_036_854_775_807)
        for run in range(len(head)):
            if head[run] < end[run]:
                lowest = min(lowest, key[head[run]])
        for run in range(len(head)):
            row = head[run]
            while row < end[run] and key[row] == lowest:
                order[place] = row
                place += 1
                row += 1
            head[run] = row
    return order


@compiled
def sort_within(
    first: NDArray[np.int64], at: NDArray[np.int64], tie: NDArray[np.int64], order: NDArray[np.int64]
) -> None:
    """Sort the rows of each person by `at`, then `tie`; `order` has the numbers of rows, and is sorted in place.

    The rows of a person are a few sorted runs one after the other, so they are merged two by two until one is left.
    """
    longest = 0
    for person in range(len(first) - 1):
        longest = max(longest, first[person + 1] - first[person])
    buffer = np.empty(longest, dtype=np.int64)
    for person in range(len(first) - 1):
        while _merged(first[person], first[person + 1], at, tie, order, buffer) > 1:
            pass


@compiled
def _merged(
    begin: int,
    end: int,
    at: NDArray[np.int64],
    tie: NDArray[Any],
    order: NDArray[np.int64],
    buffer: NDArray[np.int64],
) -> int:
    """Merge every two runs that follow on each other into one; return how many are left."""
    runs = 0
    while begin < end:
        middle = _run(begin, end, at, tie, order)
        stop = _run(middle, end, at, tie, order) if middle < end else end
        left, right = 0, middle
        buffer[: middle - begin] = order[begin:middle]
        place = begin
        while left < middle - begin and right < stop:
            one, other = buffer[left], order[right]
            if at[other] < at[one] or (at[other] == at[one] and tie[other] < tie[one]):
                order[place] = other
                right += 1
            else:
                order[place] = one
                left += 1
            place += 1
        order[place : place + middle - begin - left] = buffer[left : middle - begin]
        begin = stop
        runs += 1
    return runs


@compiled
def _run(begin: int, end: int, at: NDArray[np.int64], tie: NDArray[Any], order: NDArray[np.int64]) -> int:
    """Return where the sorted run that begins at a place ends."""
    for place in range(begin + 1, end):
        before, here = order[place - 1], order[place]
        if at[here] < at[before] or (at[here] == at[before] and tie[here] < tie[before]):
            return place
    return end


@compiled
def arranged(
    key: NDArray[np.int64], at: NDArray[np.int64], tie: NDArray[Any], starts: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[Any]]:
    """Bring runs ordered by `key` into order in one go, where there is nothing but `at` and `tie` to carry along.

    Rows are copied run after run, as most people's are in order then, and no list of places has to be kept.

    Returns:
        One `key` per person, where their rows begin (and behind the last where they end), and `at` and `tie` in order.
    """
    head = starts[:-1].copy()
    who, first = np.empty(len(key), np.int64), np.empty(len(key) + 1, np.int64)
    when, what = np.empty_like(at), np.empty_like(tie)
    people, place = 0, 0
    while place < len(key):
        who[people] = lowest(key, head, starts)
        first[people] = place
        place = place + take(who[people], key, at, tie, head, starts, when[place:], what[place:])
        people += 1
    first[people] = len(key)
    return who[:people].copy(), first[: people + 1].copy(), when, what


@compiled
def lowest(key: NDArray[np.int64], head: NDArray[np.int64], starts: NDArray[np.int64]) -> np.int64:
    """Return whose rows come next: the lowest key at the heads of the runs, the highest number if all are empty."""
    least = np.int64(9_223_372_036_854_775_807)
    for run in range(len(head)):
        if head[run] < starts[run + 1]:
            least = min(least, key[head[run]])
    return least


@compiled
def rows_of(who: np.int64, key: NDArray[np.int64], head: NDArray[np.int64], starts: NDArray[np.int64]) -> int:
    """Count the rows of a person that come next."""
    rows = 0
    for run in range(len(head)):
        row = head[run]
        while row < starts[run + 1] and key[row] == who:
            row += 1
        rows += row - head[run]
    return rows


@compiled
def take(
    who: np.int64,
    key: NDArray[np.int64],
    at: NDArray[np.int64],
    tie: NDArray[Any],
    head: NDArray[np.int64],
    starts: NDArray[np.int64],
    when: NDArray[np.int64],
    what: NDArray[Any],
) -> int:
    """Move the heads of the runs past the rows of a person, and write these in order to `when` and `what`.

    Returns:
        How many there are.
    """
    rows, sorted_ = 0, True
    for run in range(len(head)):
        row = head[run]
        while row < starts[run + 1] and key[row] == who:
            when[rows], what[rows] = at[row], tie[row]
            if rows > 0 and (at[row] < when[rows - 1] or (at[row] == when[rows - 1] and tie[row] < what[rows - 1])):
                sorted_ = False
            rows += 1
            row += 1
        head[run] = row
    if not sorted_:
        _sort(when[:rows], what[:rows])
    return rows


@compiled
def _sort(at: NDArray[np.int64], tie: NDArray[Any]) -> None:
    """Sort the rows of one person in place."""
    order, buffer = np.arange(len(at)), np.empty(len(at), np.int64)
    while _merged(0, len(at), at, tie, order, buffer) > 1:
        pass
    at[:], tie[:] = at[order], tie[order]
