"""Funnels, person by person: every opening row begins an attempt; of all the longest, then the earliest counts.

An attempt goes on with the first row that fits its next step. The first instant from which a bit comes next is looked
up in a table, so an attempt costs as many steps as it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from workbench.metrics.kernels.compiled import compiled
from workbench.metrics.kernels.funnel_any import in_any_order, reused_in_any_order
from workbench.metrics.kernels.funnel_grace import with_grace
from workbench.metrics.kernels.instants import NONE, gather, next_with, seat_steps

if TYPE_CHECKING:
    from numpy.typing import NDArray

ORDERED, STRICT, ANY = 0, 1, 2
"""Orders."""

TIES, REUSE, FIRST_ONLY, KEEP, EVERY, ENTRY, FIRST_STEP = range(7)
"""Places of the rules: rows of one instant may be several steps; one row may be; only the first opening row begins an
attempt; an excluded attempt keeps the steps before, else it takes its group out; every attempt is given; an excluded
attempt keeps its entry alone; whoever does not do step 1 in the window of an attempt makes none."""

OPENED, LENGTH, OVER, MET = 0, 1, 2, 3
"""What is noted of an attempt: when it opened, how many steps it came, when it was over, when it met an exclusion."""

NEVER = np.iinfo(np.int64).max


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
    grace: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Follow each group of rows (a person, or a part of what they did) through a funnel.

    Args:
        first: Where the rows of each group begin; one more than groups.
        at: When, in microseconds, in order within a group.
        bits: Bit k for a row that can be step k+1; bit `steps` + e for one that exclusion e forbids.
        steps: How many.
        order: `ORDERED`, `STRICT` or `ANY`.
        within: Window, in microseconds.
        entry: since, until (exclusive) and now, in microseconds.
        exclusions: Per exclusion after which step and before which (1-based) it forbids.
        rules: By `TIES`, `REUSE`, `FIRST_ONLY`, `KEEP`, `EVERY`, `ENTRY`, `FIRST_STEP`.
        grace: How much earlier an ordered step may be than the one before, in microseconds.

    Returns:
        Per group that entered the attempt that counts, or with `EVERY` each one that begins when the one before is
        over: the number of the group, the row of each step (`NONE` where it did not come), the furthest step among
        those (of the group, or this one) whose window has closed, and whether one may still get further.
    """
    groups = len(first) - 1
    longest = np.max(np.diff(first)) if groups else 0
    starts = np.empty(longest + 1, dtype=np.int64)
    mask = np.empty(longest, dtype=np.int64)
    following = np.empty((steps + len(exclusions), longest + 1), dtype=np.int64)
    tried, taken = np.empty((4, longest), dtype=np.int64), np.empty((longest, steps), dtype=np.int64)
    trial = np.empty((2, steps), dtype=np.int64)
    every_step = (1 << steps) - 1
    openers = every_step if order == ANY else 1
    rules = rules.copy()
    rules[REUSE] |= not np.any((bits & every_step) & ((bits & every_step) - 1))  # no row can be two steps: no matching
    room = int(np.sum((bits & openers) > 0)) if rules[EVERY] else groups
    group, settled = np.empty(room, dtype=np.int64), np.zeros(room, dtype=np.int64)
    rows, in_flight = np.full((room, steps), NONE, dtype=np.int64), np.zeros(room, dtype=np.bool_)
    size = 0
    for place in range(groups):
        begin, end = _opened(first[place], first[place + 1], at, bits, openers, within, entry, grace * steps)
        if begin == end:
            continue
        count = gather(begin, end, at, bits, starts, mask)
        if order != STRICT or len(exclusions):
            next_with(count, mask, steps + len(exclusions), following)
        tries = _try(
            count, starts, mask, bits, at, following, order, within, entry, exclusions, rules, openers, grace, tried,
            taken, trial,
        )  # fmt: skip
        attempt = 0 if rules[EVERY] else _longest(tried, tries)
        while attempt < tries:
            if rules[EVERY]:
                attempt = _further(attempt, tries, tried)
            group[size] = place
            reached = tried[LENGTH, attempt]
            rows[size, :reached] = taken[attempt, :reached]
            one, other = (attempt, attempt + 1) if rules[EVERY] else (0, tries)
            settled[size], in_flight[size] = _settled(one, other, tried, within, entry[2], steps)
            size += 1
            attempt = _next(attempt, tries, tried) if rules[EVERY] else tries
    return group[:size], rows[:size], settled[:size], in_flight[:size]


@compiled
def _opened(
    begin: int,
    end: int,
    at: NDArray[np.int64],
    bits: NDArray[np.int64],
    openers: int,
    within: int,
    entry: NDArray[np.int64],
    grace: int,
) -> tuple[int, int]:
    """Return the rows of a group that can be of an attempt: from where the first opens to where the last closes.

    Returns:
        Where they begin, and where they end; the same where no attempt opens.
    """
    opens = begin
    while opens < end and not (bits[opens] & openers and entry[0] <= at[opens] < entry[1]):
        opens += 1
    if opens == end:
        return end, end
    last = end - 1
    while not (bits[last] & openers and entry[0] <= at[last] < entry[1]):
        last -= 1
    closes, earliest = at[last] + within, at[opens] - grace
    while opens > begin and at[opens - 1] >= earliest:
        opens -= 1
    while last < end and at[last] <= closes:
        last += 1
    return opens, last


@compiled
def _try(
    count: int,
    starts: NDArray[np.int64],
    mask: NDArray[np.int64],
    bits: NDArray[np.int64],
    at: NDArray[np.int64],
    following: NDArray[np.int64],
    order: int,
    within: int,
    entry: NDArray[np.int64],
    exclusions: NDArray[np.int64],
    rules: NDArray[np.bool_],
    openers: int,
    grace: int,
    tried: NDArray[np.int64],
    taken: NDArray[np.int64],
    trial: NDArray[np.int64],
) -> int:
    """Follow the attempts of one group: note how each went in `tried`, and its rows in `taken`; `trial` is for one.

    Returns:
        How many there are; none where an exclusion takes the group out before it first got through.
    """
    steps = taken.shape[1]
    tries, through, excluded = 0, NEVER, NEVER
    for instant in range(count):
        when = at[starts[instant]]
        closes = when + within
        if not (mask[instant] & openers and entry[0] <= when < entry[1]):
            continue
        if rules[FIRST_ONLY] and tries > 0 and (not rules[EVERY] or when <= tried[OVER, tries - 1]):
            continue
        first = following[0, instant]
        if rules[FIRST_STEP] and (first == NONE or at[starts[first]] > closes):
            continue
        if order == ORDERED:
            reached = _chain(instant, count, starts, mask, bits, at, following, trial, order, closes, rules, steps)
        else:
            reached = _follow(instant, count, starts, mask, bits, at, following, trial, order, closes, rules)
        if grace and order == ORDERED:
            earliest = tried[OVER, tries - 1] + 1 if rules[EVERY] and tries > 0 else at[starts[0]]
            reached = with_grace(
                reached, instant, starts, bits, at, following, trial, closes, grace, earliest, rules[REUSE]
            )
        met = _met(reached, trial, starts, at, following, exclusions, closes) if len(exclusions) else NEVER
        if met != NEVER:
            reached = min(_before(met, reached, trial, at), 1) if rules[ENTRY] else _before(met, reached, trial, at)
        over = at[trial[0, steps - 1]] if reached == steps else min(met, closes)
        if grace and reached == steps:
            over = max(when, np.max(at[trial[0]]))
        if reached == steps:
            through = min(through, over)
        excluded = min(excluded, met)
        tried[OPENED, tries], tried[LENGTH, tries], tried[OVER, tries], tried[MET, tries] = when, reached, over, met
        taken[tries, :reached] = trial[0, :reached]
        tries += 1
        if reached == steps and closes <= entry[2] and not rules[EVERY] and len(exclusions) == 0:
            break  # nothing can get further
    return 0 if not rules[KEEP] and excluded < through else tries


@compiled
def _before(met: int, reached: int, trial: NDArray[np.int64], at: NDArray[np.int64]) -> int:
    """Return how many steps come before the first at or after an exclusion."""
    for step in range(reached):
        if met <= at[trial[0, step]]:
            return step
    return reached


@compiled
def _longest(tried: NDArray[np.int64], tries: int) -> int:
    """Return the earliest of the longest attempts."""
    best = 0
    for attempt in range(1, tries):
        if tried[LENGTH, attempt] > tried[LENGTH, best]:
            best = attempt
    return best


@compiled
def _further(attempt: int, tries: int, tried: NDArray[np.int64]) -> int:
    """Return the attempt that counts from one on: it is given up for one that opens before it is over and gets further.

    So whoever gets to a step with any attempt gets there with one that counts.
    """
    other = attempt + 1
    while other < tries and tried[OPENED, other] <= tried[OVER, attempt]:
        if tried[LENGTH, other] > tried[LENGTH, attempt]:
            attempt = other
        other += 1
    return attempt


@compiled
def _next(attempt: int, tries: int, tried: NDArray[np.int64]) -> int:
    """Return the first attempt that opens when one is over."""
    ended = tried[OVER, attempt]
    while attempt < tries and tried[OPENED, attempt] <= ended:
        attempt += 1
    return attempt


@compiled
def _settled(begin: int, end: int, tried: NDArray[np.int64], within: int, now: int, steps: int) -> tuple[int, bool]:
    """Return the furthest step of the attempts whose window has closed, and whether another may still get further."""
    settled, in_flight = 0, False
    for attempt in range(begin, end):
        if tried[OPENED, attempt] + within <= now:
            settled = max(settled, tried[LENGTH, attempt])
        elif tried[MET, attempt] == NEVER and tried[LENGTH, attempt] < steps:
            in_flight = True
    return settled, in_flight


@compiled
def _follow(
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
    """Follow one attempt that is not ordered; `trial` gets the row of each step, and its instant; return how far."""
    if order == STRICT:
        return _strict(instant, count, starts, mask, bits, at, following, trial, closes, rules)
    if rules[REUSE] and rules[TIES]:
        return reused_in_any_order(instant, starts, mask, bits, at, following, trial, closes)
    return in_any_order(instant, starts, mask, bits, at, following, trial, closes, rules[TIES])


@compiled
def _strict(
    instant: int,
    count: int,
    starts: NDArray[np.int64],
    mask: NDArray[np.int64],
    bits: NDArray[np.int64],
    at: NDArray[np.int64],
    following: NDArray[np.int64],
    trial: NDArray[np.int64],
    closes: int,
    rules: NDArray[np.bool_],
) -> int:
    """Follow one attempt at neighbours; rows of its first instant may be steps, or stand before it."""
    steps = trial.shape[1]
    best = _chain(instant, count, starts, mask, bits, at, following, trial, STRICT, closes, rules, steps)
    most = np.sum(trial[1, :best] == instant)
    while most > 1 and best < steps:
        most -= 1
        other = np.empty_like(trial)
        reached = _chain(instant, count, starts, mask, bits, at, following, other, STRICT, closes, rules, most)
        if reached > best:
            best = reached
            trial[:, :best] = other[:, :best]
    return best


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
    most: int,
) -> int:
    """Follow one attempt at steps in their order, of which its first instant has at most so many."""
    steps = trial.shape[1]
    length = 0
    while instant != NONE and at[starts[instant]] <= closes:
        begin, end = starts[instant], starts[instant + 1]
        last = steps if rules[TIES] else min(length + 1, steps)
        last = min(last, most) if length == 0 else last
        if rules[REUSE]:
            more = _reused(begin, end, bits, mask[instant], length, last, trial[0])
        else:
            more = seat_steps(begin, end, bits, length, last, trial[0])
        trial[1, length : length + more] = instant
        whole = length == 0 or more == end - begin  # else something stands between
        length += more
        if length == steps or more == 0 or (order == STRICT and not whole):
            break
        ahead = instant + 1 if instant + 1 < count else NONE
        instant = ahead if order == STRICT else following[length, instant + 1]
    return length


@compiled
def _reused(
    begin: int, end: int, bits: NDArray[np.int64], mask: int, step: int, last: int, takers: NDArray[np.int64]
) -> int:
    """Return how many steps from `step` up to `last` an instant is where each row may be all that it can be."""
    more = 0
    while step + more < last and mask >> (step + more) & 1:
        for row in range(begin, end):
            if bits[row] >> (step + more) & 1:
                takers[step + more] = row
                break
        more += 1
    return more


@compiled
def _met(
    length: int,
    trial: NDArray[np.int64],
    starts: NDArray[np.int64],
    at: NDArray[np.int64],
    following: NDArray[np.int64],
    exclusions: NDArray[np.int64],
    closes: int,
) -> int:
    """Return when an attempt first met an exclusion; `NEVER` if it did not."""
    steps, hit = trial.shape[1], NEVER
    for number in range(len(exclusions)):
        after, before = exclusions[number, 0], exclusions[number, 1]
        if length < after:
            continue
        instant = following[steps + number, trial[1, after - 1] + 1]
        if instant == NONE:
            continue
        when = at[starts[instant]]
        if (when < at[trial[0, before - 1]]) if length >= before else (when <= closes):
            hit = min(hit, when)
    return hit
