"""Paths: the events of people in order, cut into sessions, and what is counted along them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.metrics.kernels.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray


@compiled
def cut(
    first: NDArray[np.int64], at: NDArray[np.int64], code: NDArray[np.int16], gap: int, collapse: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Cut what people did into paths.

    Args:
        first: Where the rows of each person begin.
        at: When, in microseconds.
        code: What.
        gap: A longer pause begins another path, in microseconds; negative for one path a person.
        collapse: Leave out rows that repeat the one before them in their path.

    Returns:
        The rows that stay, where among them each path begins (and behind the last where it ends), and whose each is.
    """
    kept, starts, person = np.empty(len(at), np.int64), np.empty(len(at) + 1, np.int64), np.empty(len(at), np.int64)
    rows, paths = 0, 0
    for who in range(len(first) - 1):
        for row in range(first[who], first[who + 1]):
            fresh = row == first[who] or (gap >= 0 and at[row] - at[row - 1] > gap)
            if fresh:
                starts[paths], person[paths] = rows, who
                paths += 1
            elif collapse and code[row] == code[row - 1]:
                continue
            kept[rows] = row
            rows += 1
    starts[paths] = rows
    return kept[:rows].copy(), starts[: paths + 1].copy(), person[:paths].copy()


@compiled
def transitions(
    starts: NDArray[np.int64],
    person: NDArray[np.int64],
    code: NDArray[np.int16],
    at: NDArray[np.int64],
    events: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Count the steps from each event to each; `events` stands for the start of a path, `events` + 1 for its end.

    Returns:
        Per pair how often, by how many people (whose paths follow each other), and the seconds in all.
    """
    size = events + 2
    count, people = np.zeros((size, size), np.int64), np.zeros((size, size), np.int64)
    seconds, last = np.zeros((size, size)), np.full((size, size), -1)
    for path in range(len(starts) - 1):
        before = events
        for row in range(starts[path], starts[path + 1] + 1):
            after = events + 1 if row == starts[path + 1] else int(code[row])
            count[before, after] += 1
            if last[before, after] != person[path]:
                people[before, after] += 1
                last[before, after] = person[path]
            if before < events and after < events:
                seconds[before, after] += (at[row] - at[row - 1]) / 1e6
            before = after
    return count, people, seconds


@compiled
def who_stepped(
    starts: NDArray[np.int64], person: NDArray[np.int64], code: NDArray[np.int16], events: int, before: int, after: int
) -> NDArray[np.int64]:
    """Return the paths with a step from one event to another."""
    found, count = np.empty(len(starts), np.int64), 0
    for path in range(len(starts) - 1):
        previous = events
        for row in range(starts[path], starts[path + 1] + 1):
            here = events + 1 if row == starts[path + 1] else int(code[row])
            if previous == before and here == after:
                found[count] = person[path]
                count += 1
                break
            previous = here
    return found[:count].copy()


@compiled
def around(
    starts: NDArray[np.int64], code: NDArray[np.int16], events: int, centre: int, before: int, after: int
) -> tuple[NDArray[np.int64], int]:
    """Count where paths are some steps before and after a centre: its first occurrence, or their start (-1).

    Returns:
        Per event (`events` for not begun, `events` + 1 for ended) and step from -`before` to `after` the paths; and how
        many paths have the centre.
    """
    counts, paths = np.zeros((events + 2, before + after + 1), np.int64), 0
    for path in range(len(starts) - 1):
        place = starts[path]
        while centre >= 0 and place < starts[path + 1] and code[place] != centre:
            place += 1
        if place == starts[path + 1]:
            continue
        paths += 1
        for step in range(-before, after + 1):
            row = place + step
            where = events if row < starts[path] else events + 1 if row >= starts[path + 1] else int(code[row])
            counts[where, step + before] += 1
    return counts, paths


@compiled
def grams(starts: NDArray[np.int64], code: NDArray[np.int16], events: int, length: int) -> NDArray[np.int64]:
    """Write each run of `length` events of a path as one number, a path's own once.

    Returns:
        Pairs of path and number, as rows.
    """
    found, count = np.empty((len(code), 2), np.int64), 0
    for path in range(len(starts) - 1):
        begin = count
        for row in range(starts[path], starts[path + 1] - length + 1):
            number = 0
            for place in range(length):
                number = number * events + code[row + place]
            found[count, 0], found[count, 1] = path, number
            count += 1
        own = np.unique(found[begin:count, 1])
        found[begin : begin + len(own), 1] = own
        count = begin + len(own)
    return found[:count].copy()


@compiled
def digests(starts: NDArray[np.int64], code: NDArray[np.int16]) -> NDArray[np.uint64]:
    """Hash each path (FNV-1a over its events): equal for equal paths, and as good as never for others."""
    found = np.empty(len(starts) - 1, np.uint64)
    for path in range(len(starts) - 1):
        digest = np.uint64(14695981039346656037)
        for row in range(starts[path], starts[path + 1]):
            digest = (digest ^ np.uint64(code[row])) * np.uint64(1099511628211)
        found[path] = digest
    return found
