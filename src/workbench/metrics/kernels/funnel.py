"""Funnels, person by person: of all attempts the longest, then the earliest.

Every row that can be step 1 opens an attempt, which goes on with the first row that fits its next step. The first
instant from which a bit comes next is looked up in a table, so an attempt costs as many steps as it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.metrics.kernels.compiled import compiled
from workbench.metrics.kernels.instants import NONE, gather, next_with, seat_row, seat_steps

if TYPE_CHECKING:
    from numpy.typing import NDArray

ORDERED, STRICT, ANY = 0, 1, 2
"""Orders."""

TIES, REUSE, FIRST_ONLY, KEEP = 0, 1, 2, 3
"""Places of the rules: rows of one instant may be several steps; one row may be; only the first entry is an attempt;
an excluded attempt keeps the steps before the exclusion, else it takes the person out."""

_EARLY = np.iinfo(np.int64).min


@compiled
def attempts(
    first: NDArray[np.int64],
    at: NDArray[np.int64],
    bits: NDArray[np.int64],
    steps: int,
    order: int,
    within: int,
    entry: NDArray[np.int64],
    exclusions: NDArray[np.int64],
    rules: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]:
    """Follow everybody.

    Args:
        first: Where the rows of each person begin.
        at: When, in microseconds.
        bits: Bit k for a row that can be step k+1; bit `steps` + e for one that exclusion e forbids.
        steps: How many.
        order: `ORDERED`, `STRICT` or `ANY`.
        within: Window, in microseconds.
        entry: since, until (exclusive) and now, in microseconds.
        exclusions: Per exclusion after which step and before which (1-based) it forbids.
        rules: By `TIES`, `REUSE`, `FIRST_ONLY`, `KEEP`.

    Returns:
        Per person the row of each step of the attempt that counts (`NONE` where they did not come), the furthest
        step among attempts whose window has closed, whether one is open, and per step how many of their attempts, each
        begun after the one before had ended, came to it.
    """
    people, forbidden = len(first) - 1, len(exclusions)
    rows = np.full((people, steps), NONE, dtype=np.int64)
    settled = np.zeros(people, dtype=np.int64)
    in_flight = np.zeros(people, dtype=np.bool_)
    counts = np.zeros((people, steps), dtype=np.int64)
    longest = np.max(np.diff(first)) if people else 0
    starts = np.empty(longest + 1, dtype=np.int64)
    mask = np.empty(longest, dtype=np.int64)
    following = np.empty((steps + forbidden, longest + 1), dtype=np.int64)
    trial = np.empty((2, steps), dtype=np.int64)
    openers = (1 << steps) - 1 if order == ANY else 1
    for person in range(people):
        count = gather(first[person], first[person + 1], at, bits, starts, mask)
        next_with(count, mask, steps + forbidden, following)
        best, resumes = 0, _EARLY
        for instant in range(count):
            opened = at[starts[instant]]
            if not (mask[instant] & openers and entry[0] <= opened < entry[1]):
                continue
            if order == ANY:
                length = _any(instant, starts, bits, at, following, trial, steps, opened + within)
            else:
                length = _chain(instant, count, starts, mask, bits, at, following, trial, order, opened + within, rules)
            if forbidden:
                kept = _kept(length, trial, starts, at, following, exclusions, opened + within)
                if kept != NONE and not rules[KEEP] and best < steps:
                    rows[person, :], counts[person, :], settled[person], in_flight[person] = NONE, 0, 0, False
                    break
                length = length if kept == NONE else kept
            closed = opened + within <= entry[2]
            settled[person] = max(settled[person], length if closed else 0)
            in_flight[person] |= not closed
            if length > best:
                best = length
                rows[person, :length] = trial[0, :length]
            if opened >= resumes:
                counts[person, :length] += 1
                resumes = at[trial[0, steps - 1]] + 1 if length == steps else opened + within + 1
            if rules[FIRST_ONLY]:
                break
    return rows, settled, in_flight, counts


@compiled
def _chain(
    instant: int,
    count: int,
    starts: NDArray[np.int64],
    mask: NDArray[np.int64],
    bits: NDArray[np.int64],
    at: NDArray[np.int64],
    following: NDArray[np.int64],
    trial: NDArray[np.int64],
    order: int,
    closes: int,
    rules: NDArray[np.bool_],
) -> int:
    """Follow one attempt at steps in their order; `trial` gets the row of each and its instant."""
    steps = trial.shape[1]
    length, whole = 0, True
    while instant != NONE and at[starts[instant]] <= closes:
        begin, end = starts[instant], starts[instant + 1]
        if rules[REUSE]:
            more = _reused(begin, end, bits, mask[instant], length, rules[TIES], trial[0])
        else:
            last = steps if rules[TIES] else min(length + 1, steps)
            more = seat_steps(begin, end, bits, length, last, trial[0])
        if order == STRICT and length > 0:
            whole = more == end - begin
        trial[1, length : length + more] = instant
        length += more
        if length == steps or more == 0 or (order == STRICT and not whole):
            break
        beside = instant + 1 if instant + 1 < count else NONE
        instant = beside if order == STRICT else following[length, instant + 1]
    return length


@compiled
def _reused(
    begin: int, end: int, bits: NDArray[np.int64], mask: int, step: int, ties: bool, takers: NDArray[np.int64]
) -> int:
    """Return how many steps an instant is where each row may be all that it can be."""
    more = 0
    while step + more < len(takers) and mask >> (step + more) & 1 and (ties or more == 0):
        for row in range(begin, end):
            if bits[row] >> (step + more) & 1:
                takers[step + more] = row
                break
        more += 1
    return more


@compiled
def _any(
    instant: int,
    starts: NDArray[np.int64],
    bits: NDArray[np.int64],
    at: NDArray[np.int64],
    following: NDArray[np.int64],
    trial: NDArray[np.int64],
    steps: int,
    closes: int,
) -> int:
    """Follow one attempt at steps in whatever order; `trial` gets the row by which any k of them were done.

    Only instants are looked at in which a row can be a step that is free, or can push another row towards one.
    """
    holder = np.full(steps, NONE, dtype=np.int64)
    length = 0
    while length < steps:
        useful = _useful(holder, bits)
        nearest = NONE
        for step in range(steps):
            ahead = following[step, instant]
            if useful >> step & 1 and ahead != NONE and (nearest == NONE or ahead < nearest):
                nearest = ahead
        if nearest == NONE or at[starts[nearest]] > closes:
            break
        for row in range(starts[nearest], starts[nearest + 1]):
            tried = np.zeros(steps, dtype=np.bool_)
            if length < steps and seat_row(row, bits, holder, tried):
                trial[0, length], trial[1, length] = row, nearest
                length += 1
        instant = nearest + 1
    return length


@compiled
def _useful(holder: NDArray[np.int64], bits: NDArray[np.int64]) -> int:
    """Return the steps that are free, and those whose row could move towards a free one, as bits."""
    useful = 0
    for step in range(len(holder)):
        if holder[step] == NONE:
            useful |= 1 << step
    grown = True
    while grown:
        grown = False
        for step in range(len(holder)):
            if not useful >> step & 1 and bits[holder[step]] & useful:
                useful |= 1 << step
                grown = True
    return useful


@compiled
def _kept(
    length: int,
    trial: NDArray[np.int64],
    starts: NDArray[np.int64],
    at: NDArray[np.int64],
    following: NDArray[np.int64],
    exclusions: NDArray[np.int64],
    closes: int,
) -> int:
    """Return how many steps came before an exclusion; `NONE` if the attempt met none."""
    steps, kept = trial.shape[1], NONE
    for number in range(len(exclusions)):
        after, before = exclusions[number, 0], exclusions[number, 1]
        if length < after:
            continue
        met = following[steps + number, trial[1, after - 1] + 1]
        if met == NONE:
            continue
        when = at[starts[met]]
        if (when < at[trial[0, before - 1]]) if length >= before else (when <= closes):
            there = 0
            while there < length and at[trial[0, there]] < when:
                there += 1
            kept = there if kept == NONE else min(kept, there)
    return kept
