"""What a funnel asks, every option checked and resolved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final, Literal, TypeAlias

from workbench.errors import InvalidArgument, InvalidFunnel
from workbench.metrics import arguments
from workbench.metrics.steps import Step, as_step
from workbench.results import Definition

Order: TypeAlias = Literal["ordered", "strict", "any"]
Counting: TypeAlias = Literal["users", "sessions", "totals"]
Attribution: TypeAlias = Literal["first", "last", "all"] | int
Exclusion: TypeAlias = tuple[str | Step, int, int]

ORDERS: Final[tuple[Order, ...]] = ("ordered", "strict", "any")
COUNTINGS: Final[tuple[Counting, ...]] = ("users", "sessions", "totals")
ATTRIBUTIONS: Final = ("first", "last", "all")
MOST_STEPS: Final = 30
MOST_EXCLUSIONS: Final = 20
MOST_WITHIN: Final = timedelta(days=36_500)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """Readings in which the vendors differ.

    Attributes:
        anchor: `any` occurrence of step 1 opens an attempt, or a person's `first` in the time asked for alone.
        ties: Rows of one instant may be several steps, in whatever order they came.
        reuse: One row may be several steps.
        exclusion: What an excluding event ends: the `person` counts nowhere, or the `attempt` keeps the steps before.
    """

    anchor: Literal["any", "first"] = "any"
    ties: bool = True
    reuse: bool = False
    exclusion: Literal["person", "attempt"] = "person"


@dataclass(frozen=True, slots=True)
class Excluded:
    """Events that must not stand after one step and before another (1-based)."""

    step: Step
    after: int
    before: int

    def __str__(self) -> str:
        return f"{self.step} after step {self.after} and before {self.before}"


@dataclass(frozen=True, kw_only=True)
class FunnelDefinition(Definition):
    """What a funnel counts; see `funnels.funnel`."""

    question: ClassVar[str] = "funnel"
    steps: tuple[Step, ...]
    within: timedelta
    order: Order
    exclude: tuple[Excluded, ...] = ()
    by: str | None = None
    attribution: Attribution = "first"
    counting: Counting = "users"
    since: datetime | None
    until: datetime | None
    now: datetime
    tz: str
    rules: Rules = Rules()
    dialect: str | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """What each row of the frame is called: its step, or how many steps where any order counts."""
        if self.order == "any":
            return tuple(f"any {k} of {len(self.steps)}" for k in range(1, len(self.steps) + 1))
        return tuple(map(str, self.steps))


def checked_steps(steps: Sequence[str | Step]) -> tuple[Step, ...]:
    """Take the steps of a funnel.

    Raises:
        InvalidFunnel: They are not a list of two or more, or too many.
    """
    given = () if isinstance(steps, str) or not isinstance(steps, Sequence) else tuple(steps)
    if not 2 <= len(given) <= MOST_STEPS:  # noqa: PLR2004 - the first, and one to convert to
        raise InvalidFunnel(f"a funnel is a list of 2 to {MOST_STEPS} steps, got {steps!r}")
    return tuple(as_step(each) for each in given)


def checked_window(within: str | timedelta) -> timedelta:
    """Take the window of a funnel.

    Raises:
        InvalidFunnel: It cannot be read, is not positive, or is longer than `MOST_WITHIN`.
    """
    try:
        length = arguments.duration(within, name="within")
    except InvalidArgument as error:
        raise InvalidFunnel(str(error)) from error
    if length > MOST_WITHIN:
        raise InvalidFunnel(f"within is at most {MOST_WITHIN.days:,} days, got {within!r}")
    return length


def checked_exclusions(
    exclude: Sequence[Exclusion] | None, steps: tuple[Step, ...], order: Order
) -> tuple[Excluded, ...]:
    """Take what must not happen between steps.

    Raises:
        InvalidFunnel: An exclusion is no (event, after_step, before_step), forbids a step, or steps have no order.
    """
    given = tuple(exclude or ())
    if given and order == "any":
        raise InvalidFunnel("steps in any order have nothing between them: exclude needs order='ordered' or 'strict'")
    if len(given) > MOST_EXCLUSIONS:
        raise InvalidFunnel(f"at most {MOST_EXCLUSIONS} exclusions can be asked, got {len(given)}")
    return tuple(_excluded(each, steps) for each in given)


def _excluded(given: Exclusion, steps: tuple[Step, ...]) -> Excluded:
    wanted = f"exclude is a list of (event, after_step, before_step) with steps from 1 to {len(steps)}, got {given!r}"
    if isinstance(given, str) or not isinstance(given, Sequence) or len(given) != 3:  # noqa: PLR2004
        raise InvalidFunnel(wanted)
    event, after, before = given
    if not (isinstance(after, int) and isinstance(before, int) and 1 <= after < before <= len(steps)):
        raise InvalidFunnel(wanted)
    forbidden = as_step(event)
    if forbidden in steps:
        raise InvalidFunnel(f"{str(forbidden)!r} is a step of this funnel, so it cannot be excluded")
    return Excluded(forbidden, after, before)


def checked_attribution(attribution: Attribution, steps: tuple[Step, ...]) -> Attribution:
    """Take by which step a person belongs to a segment.

    Raises:
        InvalidArgument: It is neither a word nor the number of a step.
    """
    if isinstance(attribution, int) and not isinstance(attribution, bool) and 1 <= attribution <= len(steps):
        return attribution
    if attribution in ATTRIBUTIONS:
        return attribution
    raise InvalidArgument(
        f"attribution must be 'first', 'last', 'all' or a step from 1 to {len(steps)}, got {attribution!r}"
    )
