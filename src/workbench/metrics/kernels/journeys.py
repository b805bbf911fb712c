"""Paths: the events of people in order, cut into sessions, and what is counted along them.

Paths come in columns (`journey_trails.Trails`): `starts` says where each begins in `code` and `at`, and behind the last
where it ends; `person` whose it is, and the paths of a person follow each other. Where events are counted, their number
stands for the start of a path, and one more for its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.metrics.kernels.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray


@compiled
def cut(first: NDArray[np.int64], at: NDArray[np.int64], gap: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cut what people did into paths.

    Args:
        first: Where the rows of each person begin, and behind the last where they end.
        at: When, in microseconds.
        gap: A longer pause begins another path, in microseconds; negative for one path a person.

    Returns:
        Where each path begins (and behind the last where it ends), and whose each is.
    """
    starts, person = np.empty(len(at) + 1, np.int64), np.empty(len(at), np.int64)
    paths = 0
    for who in range(len(first) - 1):
        for row in range(first[who], first[who + 1]):
            if row == first[who] or (gap >= 0 and at[row] - at[row - 1] > gap):
                starts[paths], person[paths] = row, who
                paths += 1
    starts[paths] = len(at)
    return starts[: paths + 1].copy(), person[:paths].copy()


@compiled
def fresh(starts: NDArray[np.int64], code: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Say of each row whether it is another event than the one before it in its path."""
    other = np.ones(len(code), np.bool_)
    for path in range(len(starts) - 1):
        for row in range(starts[path] + 1, starts[path + 1]):
            other[row] = code[row] != code[row - 1]
    return other


@compiled
def steps(
    starts: NDArray[np.int64], code: NDArray[np.int16], events: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """List every step of every path, from its start (`events`) to its end (`events` + 1).

    Returns:
        Of each step what it came from times `events` + 2 plus where it went; and where each path's steps begin.
    """
    found, firsts = np.empty(len(code) + len(starts) - 1, np.int64), np.empty(len(starts), np.int64)
    count = 0
    for path in range(len(starts) - 1):
        firsts[path] = count
        before = events
        for row in range(starts[path], starts[path + 1] + 1):
            after = events + 1 if row == starts[path + 1] else int(code[row])
            found[count] = before * (events + 2) + after
            count += 1
            before = after
    firsts[-1] = count
    return found, firsts


@compiled
def anchors(starts: NDArray[np.int64], code: NDArray[np.int16], centre: NDArray[np.int64]) -> NDArray[np.int64]:
    """Find where in each path some events first follow each other; its start for none, -1 where they do not."""
    found = np.full(len(starts) - 1, -1)
    for path in range(len(starts) - 1):
        for row in range(starts[path], starts[path + 1] - max(len(centre), 1) + 1):
            same = True
            for place in range(len(centre)):
                if code[row + place] != centre[place]:
                    same = False
                    break
            if same:
                found[path] = row
                break
    return found


@compiled
def at_step(
    starts: NDArray[np.int64], code: NDArray[np.int16], anchor: NDArray[np.int64], step: int, events: int
) -> NDArray[np.int64]:
    """Say where each path is some steps after its anchor (before it, if negative).

    Returns:
        Per path the event; `events` where it has not begun, `events` + 1 where it has ended, -1 where it has no anchor.
    """
    found = np.full(len(anchor), -1)
    for path in range(len(anchor)):
        if anchor[path] >= 0:
            row = anchor[path] + step
            found[path] = events if row < starts[path] else events + 1 if row >= starts[path + 1] else int(code[row])
    return found


@compiled
def runs(
    starts: NDArray[np.int64], code: NDArray[np.int16], events: int, length: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Write each run of `length` events that follow each other in a path as one number.

    Returns:
        The numbers, and where each path's begin.
    """
    found, firsts = np.empty(len(code), np.int64), np.empty(len(starts), np.int64)
    count = 0
    for path in range(len(starts) - 1):
        firsts[path] = count
        for row in range(starts[path], starts[path + 1] - length + 1):
            number = 0
            for place in range(length):
                number = number * events + code[row + place]
            found[count] = number
            count += 1
    firsts[-1] = count
    return found[:count].copy(), firsts


@compiled
def digests(starts: NDArray[np.int64], code: NDArray[np.int16], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Hash each path up to some row (FNV-1a over its events): equal for equal ones, as good as never for others."""
    found = np.empty(len(starts) - 1, np.int64)
    for path in range(len(starts) - 1):
        digest = np.uint64(14695981039346656037)
        for row in range(starts[path], ends[path]):
            digest = (digest ^ np.uint64(code[row] + 1)) * np.uint64(1099511628211)
        found[path] = np.int64(digest)
    return found


@compiled
def tally(
    kind: NDArray[np.int64], firsts: NDArray[np.int64], person: NDArray[np.int64], kinds: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Count things of several kinds that are found in paths.

    Args:
        kind: Of each thing; negative for one that does not count.
        firsts: Where each path's things begin, and behind the last where they end.
        person: Whose each path is.
        kinds: How many there are.

    Returns:
        Per kind how many there are, in how many paths, of how many people.
    """
    times, paths, people = np.zeros(kinds, np.int64), np.zeros(kinds, np.int64), np.zeros(kinds, np.int64)
    last_path, last_person = np.full(kinds, -1), np.full(kinds, -1)
    for path in range(len(firsts) - 1):
        for place in range(firsts[path], firsts[path + 1]):
            each = kind[place]
            if each < 0:
                continue
            times[each] += 1
            if last_path[each] != path:
                last_path[each] = path
                paths[each] += 1
            if last_person[each] != person[path]:
                last_person[each] = person[path]
                people[each] += 1
    return times, paths, people


@compiled
def shares(starts: NDArray[np.int64], code: NDArray[np.int16], events: int) -> NDArray[np.float64]:
    """Say what share of each path's events is of each type."""
    found = np.zeros((len(starts) - 1, events))
    for path in range(len(starts) - 1):
        for row in range(starts[path], starts[path + 1]):
            found[path, code[row]] += 1.0 / (starts[path + 1] - starts[path])
    return found
