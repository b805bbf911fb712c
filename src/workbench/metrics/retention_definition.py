"""What retention asks, every option checked and resolved."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Final, Literal, TypeAlias

from workbench.errors import InvalidArgument
from workbench.results import Definition

if TYPE_CHECKING:
    from workbench.metrics.calendars import Period
    from workbench.metrics.steps import Step

Kind: TypeAlias = Literal["on", "on_or_after", "on_or_before", "bracket", "streak"]
Clock: TypeAlias = Literal["calendar", "rolling"]
Cohort: TypeAlias = Literal["first", "recurring"]
Of: TypeAlias = Literal["cohort", "previous"]
Mean: TypeAlias = Literal["weighted", "simple", "mixpanel"]
Zero: TypeAlias = Literal["returned", "everybody"]
Bracket: TypeAlias = tuple[int, int]

KINDS: Final[tuple[Kind, ...]] = ("on", "on_or_after", "on_or_before", "bracket", "streak")
CLOCKS: Final[tuple[Clock, ...]] = ("calendar", "rolling")
COHORTS: Final[tuple[Cohort, ...]] = ("first", "recurring")
OFS: Final[tuple[Of, ...]] = ("cohort", "previous")
MEANS: Final[tuple[Mean, ...]] = ("weighted", "simple", "mixpanel")
ZEROS: Final[tuple[Zero, ...]] = ("returned", "everybody")
ROLLING: Final[dict[Period, timedelta]] = {
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
}
"""How long a period of the rolling clock is, whatever the calendar says."""

MOST_BRACKETS: Final = 100
_BRACKET: Final = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class RetentionDefinition(Definition):
    """What retention counts; see `retention.retention`."""

    question: ClassVar[str] = "retention"
    start: Step
    returns: Step | None
    period: Period
    kind: Kind
    clock: Clock
    cohort: Cohort
    brackets: tuple[Bracket, ...] = ()
    of: Of = "cohort"
    mean: Mean = "weighted"
    floor: timedelta | None = None
    zero: Zero = "returned"
    by: str | None = None
    since: datetime | None
    until: datetime | None
    now: datetime
    tz: str
    dialect: str | None = None

    def cells(self, periods: int) -> tuple[Bracket, ...]:
        """Return the periods from which to which each cell of a row counts, of so many that have begun."""
        if self.kind == "bracket":
            return tuple(bracket for bracket in self.brackets if bracket[0] < periods)
        return tuple((number, number) for number in range(periods))


def checked_brackets(brackets: str | Sequence[Bracket] | None, kind: Kind) -> tuple[Bracket, ...]:
    """Take the ranges of periods that are counted as one.

    >>> checked_brackets("0, 1-3, 4-7", "bracket")
    ((0, 0), (1, 3), (4, 7))

    Raises:
        InvalidArgument: They cannot be read, overlap or are not in order, or are given for another kind.
    """
    if kind != "bracket":
        if brackets is not None:
            raise InvalidArgument(f"brackets need kind='bracket', got kind={kind!r}")
        return ()
    given = _read(brackets) if isinstance(brackets, str) else tuple(brackets or ())
    wanted = f"brackets are ranges of periods such as '0,1-3,4-7', each after the one before, got {brackets!r}"
    last = -1
    for bracket in given:
        if not (isinstance(bracket, Sequence) and len(bracket) == 2 and all(type(end) is int for end in bracket)):  # noqa: PLR2004
            raise InvalidArgument(wanted)
        if not last < bracket[0] <= bracket[1]:
            raise InvalidArgument(wanted)
        last = bracket[1]
    if not 1 <= len(given) <= MOST_BRACKETS:
        raise InvalidArgument(wanted)
    return tuple((first, end) for first, end in given)


def _read(text: str) -> tuple[Bracket, ...]:
    found = [_BRACKET.fullmatch(part.strip()) for part in text.split(",")]
    return tuple((int(part[1]), int(part[2] or part[1])) if part else (1, 0) for part in found)
