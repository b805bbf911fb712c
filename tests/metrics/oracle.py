"""The questions once more, slow and obvious: every way of choosing rows is tried, nothing is clever."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, permutations, product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Chain = tuple[int, ...]


@dataclass(frozen=True)
class Row:
    """One event of one person; `minute` is when."""

    event: str
    minute: int
    platform: str = "web"


@dataclass(frozen=True)
class Want:
    """One step: a type of event, perhaps on one platform only."""

    event: str
    platform: str | None = None

    def fits(self, row: Row) -> bool:
        return row.event == self.event and self.platform in (None, row.platform)


def ordered(rows: list[Row], steps: list[Want], within: int, entry: range) -> Iterator[Chain]:
    """Give the minutes of every chain of rows that are the first steps, each row once."""

    def further(taken: tuple[int, ...]) -> Iterator[Chain]:
        yield tuple(rows[place].minute for place in taken)
        if len(taken) == len(steps):
            return
        for place, row in enumerate(rows):
            in_time = rows[taken[-1]].minute <= row.minute <= rows[taken[0]].minute + within
            if place not in taken and in_time and steps[len(taken)].fits(row):
                yield from further((*taken, place))

    for place, row in enumerate(rows):
        if steps[0].fits(row) and row.minute in entry:
            yield from further((place,))


def strict(rows: list[Row], steps: list[Want], within: int, entry: range) -> Iterator[Chain]:
    """Give every chain of neighbours, for every order in which the rows of one minute can stand."""
    by_minute = sorted(rows, key=lambda row: row.minute)
    groups = [list(permutations(group)) for _, group in groupby(by_minute, key=lambda row: row.minute)]
    for arrangement in product(*groups):
        line = [row for group in arrangement for row in group]
        for start in range(len(line)):
            if line[start].minute not in entry:
                continue
            chain: Chain = ()
            for row, step in zip(line[start:], steps, strict=False):
                if not step.fits(row) or row.minute > line[start].minute + within:
                    break
                chain = (*chain, row.minute)
            if chain:
                yield chain


def in_any_order(rows: list[Row], steps: list[Want], within: int, entry: range) -> Iterator[Chain]:
    """Give every chain of rows that are different steps, whichever comes first."""

    def further(taken: tuple[int, ...], done: frozenset[int]) -> Iterator[Chain]:
        if taken:
            yield tuple(rows[place].minute for place in taken)
        for place, row in enumerate(rows):
            if taken:
                in_time = rows[taken[-1]].minute <= row.minute <= rows[taken[0]].minute + within
            else:
                in_time = row.minute in entry
            if place in taken or not in_time:
                continue
            for number, step in enumerate(steps):
                if number not in done and step.fits(row):
                    yield from further((*taken, place), done | {number})

    yield from further((), frozenset())


ATTEMPTS: dict[str, Callable[..., Iterator[Chain]]] = {"ordered": ordered, "strict": strict, "any": in_any_order}


@dataclass(frozen=True)
class Readings:
    """How vendors differ; as `funnel_definition.Rules`."""

    first_only: bool = False
    ties: bool = True
    reuse: bool = False
    keep: bool = False


@dataclass(frozen=True)
class Person:
    """What one person adds to a funnel."""

    times: Chain
    """The longest chain; of equally long ones the earliest, step by step."""
    settled: int
    """The furthest step among attempts whose window has closed."""
    in_flight: bool
    counts: tuple[int, ...]
    """Per step how many attempts, each begun after the one before, came to it."""


def person(
    rows: list[Row],
    steps: list[Want],
    *,
    within: int,
    order: str,
    entry: range,
    now: int,
    exclude: list[tuple[str, int, int]] | None = None,
    readings: Readings = Readings(),
) -> Person | None:
    """Follow one person through a funnel; None if they never entered, or were taken out."""
    known = [row for row in rows if row.minute <= now]
    if readings.reuse:
        chains = set(reusing(known, steps, within, entry, ties=readings.ties))
    else:
        chains = set(ATTEMPTS[order](known, steps, within, entry))
    if not readings.ties:
        chains = {chain for chain in chains if len(set(chain)) == len(chain)}
    attempts: list[Chain] = []
    for start in sorted({chain[0] for chain in chains}):
        chain = min((chain for chain in chains if chain[0] == start), key=lambda chain: (-len(chain), chain))
        met = [minute for each in exclude or [] if (minute := meets(known, chain, each, within)) is not None]
        finished = any(len(before) == len(steps) for before in attempts)
        if met and not readings.keep and not finished:
            return None
        attempts.append(tuple(minute for minute in chain if not met or minute < min(met)))
        if readings.first_only:
            break
    if not attempts:
        return None
    return Person(
        times=min(attempts, key=lambda chain: (-len(chain), chain)),
        settled=max((len(chain) for chain in attempts if chain[0] + within <= now), default=0),
        in_flight=any(chain[0] + within > now for chain in attempts),
        counts=counted(attempts, len(steps), within),
    )


def reusing(rows: list[Row], steps: list[Want], within: int, entry: range, *, ties: bool) -> Iterator[Chain]:
    """Give the chains in which a row may be several steps."""

    def further(chain: Chain) -> Iterator[Chain]:
        yield chain
        if len(chain) < len(steps):
            for row in rows:
                soon = chain[-1] <= row.minute if ties else chain[-1] < row.minute
                if soon and row.minute <= chain[0] + within and steps[len(chain)].fits(row):
                    yield from further((*chain, row.minute))

    for row in rows:
        if steps[0].fits(row) and row.minute in entry:
            yield from further((row.minute,))


def meets(rows: list[Row], chain: Chain, exclusion: tuple[str, int, int], within: int) -> int | None:
    """Return the first minute in which an excluded event stands in the way of an attempt."""
    event, after, before = exclusion
    if len(chain) < after:
        return None
    minutes = [row.minute for row in rows if row.event == event and row.minute > chain[after - 1]]
    if len(chain) >= before:
        minutes = [minute for minute in minutes if minute < chain[before - 1]]
    return min((minute for minute in minutes if minute <= chain[0] + within), default=None)


def counted(attempts: list[Chain], steps: int, within: int) -> tuple[int, ...]:
    """Count the attempts that begin when the one before is over: done, or out of time."""
    counts, over = [0] * steps, -1
    for chain in attempts:
        if chain[0] > over:
            counts = [count + (place < len(chain)) for place, count in enumerate(counts)]
            over = chain[-1] if len(chain) == steps else chain[0] + within
    return tuple(counts)
