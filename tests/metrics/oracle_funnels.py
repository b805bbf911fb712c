"""Funnels once more, slow and obvious: every way of choosing events is tried, nothing is clever.

Times are whole minutes. `units` gives what is counted of one person, under every combination of options.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate, groupby, permutations, product, takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    Chain = tuple[int, ...]

NEVER = 10**9


@dataclass(frozen=True)
class Row:
    """One event of one person; `minute` is when."""

    event: str
    minute: int
    platform: str | None = "web"
    session: str | None = None


@dataclass(frozen=True)
class Want:
    """One step: a type of event, perhaps on one platform only."""

    event: str
    platform: str | None = None

    def fits(self, row: Row) -> bool:
        return row.event == self.event and self.platform in (None, row.platform)


@dataclass(frozen=True)
class Asked:
    """A funnel, every option by its name."""

    steps: tuple[Want, ...]
    within: int
    now: int
    order: str = "ordered"
    since: int = 0
    until: int = 10_000
    exclude: tuple[tuple[str, int, int], ...] = ()
    counting: str = "users"
    anchor: str = "any"
    ties: bool | int = True
    """Whether events of one minute may be several steps; or how many minutes are one instant."""
    reuse: bool = False
    exclusion: str = "person"
    grace: int = 0
    first_step: bool = False
    hold: bool = False
    """Whether the platform must stay the same."""


@dataclass(frozen=True)
class Attempt:
    """One attempt: the minute of each step it came to, when it was over, and when it met an exclusion."""

    times: Chain
    opened: int
    over: int
    met: int | None


@dataclass(frozen=True)
class Unit:
    """What is counted: a person, a session or an attempt."""

    times: Chain
    settled: int
    in_flight: bool


def units(rows: list[Row], asked: Asked) -> list[Unit]:
    """Give what is counted of one person: nothing if they never entered, or were taken out."""
    if asked.hold:
        counting = "users" if asked.counting == "pairs" else asked.counting
        values = sorted({row.platform for row in rows if row.platform is not None})
        alone = ([row for row in rows if row.platform == value] for value in values)
        found = [each for part in alone for each in units(part, replace(asked, hold=False, counting=counting))]
        return [best_of(found, asked)] if found and asked.counting == "users" else found
    if asked.counting == "sessions":
        sessions = sorted({row.session for row in rows if row.session is not None})
        alone = ([row for row in rows if row.session == session] for session in sessions)
        return [unit for part in alone for unit in units(part, replace(asked, counting="users"))]
    if not isinstance(asked.ties, bool):
        rows = [replace(row, minute=row.minute - row.minute % asked.ties) for row in rows if row.minute <= asked.now]
        asked = replace(asked, ties=True)
    tried = attempts([row for row in rows if row.minute <= asked.now], asked)
    if asked.counting == "totals":
        return [unit([each], asked) for each in separate(tried, asked)]
    return [unit(tried, asked)] if tried else []


def best_of(found: list[Unit], asked: Asked) -> Unit:
    """Give one for a person who held several values: that of the first step 1, or the furthest."""
    if asked.anchor == "first":
        return min(found, key=lambda each: (each.times[0], -len(each.times), each.times))
    best = min(found, key=lambda each: (-len(each.times), each.times))
    waiting = len(best.times) < len(asked.steps) and any(each.in_flight for each in found)
    return Unit(best.times, max(each.settled for each in found), waiting)


def unit(tried: list[Attempt], asked: Asked) -> Unit:
    closed = [each for each in tried if each.opened + asked.within <= asked.now]
    waiting = [each for each in tried if each not in closed and each.met is None]
    best = min(tried, key=lambda each: (-len(each.times), each.opened))
    return Unit(
        times=tuple(accumulate(best.times, max)),
        settled=max((len(each.times) for each in closed), default=0),
        in_flight=len(best.times) < len(asked.steps) and any(len(each.times) < len(asked.steps) for each in waiting),
    )


def separate(tried: list[Attempt], asked: Asked) -> list[Attempt]:
    """Give the attempts that do not overlap; one is given up for another that opens meanwhile and gets further."""
    left, given = list(tried), []
    while left:
        chosen = left[0]
        for other in left[1:]:
            if asked.anchor == "any" and other.opened <= chosen.over and len(other.times) > len(chosen.times):
                chosen = other
        given.append(chosen)
        left = [each for each in left if each.opened > chosen.over]
    return given


def attempts(rows: list[Row], asked: Asked) -> list[Attempt]:
    """Follow every attempt of one person, in the order in which they open."""
    by_opening: dict[int, list[Chain]] = {}
    for chain in chains(rows, asked):
        by_opening.setdefault(chain[0], []).append(chain)
    tried: list[Attempt] = []
    for opened in sorted(by_opening):
        if not asked.since <= opened < asked.until:
            continue
        if asked.anchor == "first" and tried and (asked.counting != "totals" or opened <= tried[-1].over):
            continue
        window = range(opened, opened + asked.within + 1)
        if asked.first_step and not any(asked.steps[0].fits(row) and row.minute in window for row in rows):
            continue
        chain = min(by_opening[opened], key=lambda chain: (-len(chain), chain))
        if asked.grace and asked.order == "ordered":
            earlier = tried[-1].over if tried and asked.counting == "totals" else -NEVER
            chain = max(graced([row for row in rows if row.minute > earlier], opened, asked), chain, key=len)
        met = min((minute for each in asked.exclude for minute in meets(rows, chain, each, asked)), default=None)
        times = tuple(takewhile(lambda minute: met is None or minute < met, chain))  # noqa: B023 - used at once
        if asked.exclusion == "entry" and met is not None:
            times = times[:1]
        over = (
            max(times) if len(times) == len(asked.steps) else min(opened + asked.within, NEVER if met is None else met)
        )
        tried.append(Attempt(times, opened, over, met))
    return [] if asked.exclusion == "person" and taken_out(tried, asked) else tried


def graced(rows: list[Row], opened: int, asked: Asked) -> Chain:
    """Give the minutes of the attempt of which each step is the first that is free, from a little before the last."""
    order = sorted(
        rows, key=lambda row: (row.minute, sum(1 << k for k, step in enumerate(asked.steps) if step.fits(row)))
    )
    taken: list[int] = []
    for step in asked.steps:
        begin = opened if not taken else order[taken[-1]].minute - asked.grace
        end = opened + (asked.within if taken else 0)
        fitting = (
            place
            for place, row in enumerate(order)
            if begin <= row.minute <= end and step.fits(row) and (asked.reuse or place not in taken)
        )
        chosen = next(fitting, None)
        if chosen is None:
            break
        taken.append(chosen)
    return tuple(order[place].minute for place in taken)


def taken_out(tried: list[Attempt], asked: Asked) -> bool:
    """Whether somebody met an exclusion before they were first through."""
    met = min((each.met for each in tried if each.met is not None), default=NEVER)
    through = min((each.over for each in tried if len(each.times) == len(asked.steps)), default=NEVER)
    return met < through


def meets(rows: list[Row], chain: Chain, exclusion: tuple[str, int, int], asked: Asked) -> list[int]:
    """Give the minutes in which an excluded event stands in the way of an attempt."""
    event, after, before = exclusion
    if len(chain) < after:
        return []
    minutes = [row.minute for row in rows if row.event == event and row.minute > chain[after - 1]]
    if len(chain) >= before:
        return [minute for minute in minutes if minute < chain[before - 1]]
    return [minute for minute in minutes if minute <= chain[0] + asked.within]


def chains(rows: list[Row], asked: Asked) -> set[Chain]:
    """Give the minutes of every chain of events that are the first steps, and of every beginning of one."""
    ways = {"ordered": ordered, "strict": strict, "any": in_any_order}
    return set(ways[asked.order](rows, asked))


def soon(last: int, row: Row, first: int, asked: Asked) -> bool:
    """Whether an event comes after the last one, in time."""
    later = row.minute >= last if asked.ties else row.minute > last
    return later and row.minute <= first + asked.within


def ordered(rows: list[Row], asked: Asked) -> Iterator[Chain]:
    def further(taken: tuple[int, ...]) -> Iterator[Chain]:
        minutes = tuple(rows[place].minute for place in taken)
        yield minutes
        if len(taken) < len(asked.steps):
            for place, row in enumerate(rows):
                free = asked.reuse or place not in taken
                if free and soon(minutes[-1], row, minutes[0], asked) and asked.steps[len(taken)].fits(row):
                    yield from further((*taken, place))

    for place, row in enumerate(rows):
        if asked.steps[0].fits(row):
            yield from further((place,))


def strict(rows: list[Row], asked: Asked) -> Iterator[Chain]:
    """Give every chain of neighbours, for every order in which the events of one minute can stand."""
    by_minute = sorted(rows, key=lambda row: row.minute)
    groups = [list(permutations(group)) for _, group in groupby(by_minute, key=lambda row: row.minute)]
    for arrangement in product(*groups):
        line = [row for group in arrangement for row in group]
        for start in range(len(line)):
            chain: Chain = ()
            for row, step in zip(line[start:], asked.steps, strict=False):
                if not step.fits(row) or (chain and not soon(chain[-1], row, chain[0], asked)):
                    break
                chain = (*chain, row.minute)
                yield chain


def in_any_order(rows: list[Row], asked: Asked) -> Iterator[Chain]:
    """Give every chain of events that are different steps, whichever comes first."""

    def further(taken: tuple[int, ...], done: frozenset[int]) -> Iterator[Chain]:
        minutes = tuple(rows[place].minute for place in taken)
        if taken:
            yield minutes
        for place, row in enumerate(rows):
            free = asked.reuse or place not in taken
            if not free or (taken and not soon(minutes[-1], row, minutes[0], asked)):
                continue
            for number, step in enumerate(asked.steps):
                if number not in done and step.fits(row):
                    yield from further((*taken, place), done | {number})

    yield from further((), frozenset())
