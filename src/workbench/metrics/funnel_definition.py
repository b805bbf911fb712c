"""What a funnel asks, every option checked and resolved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, Literal, TypeAlias

from workbench.errors import InvalidArgument, InvalidFunnel
from workbench.metrics import arguments
from workbench.metrics.segments import Segment
from workbench.metrics.steps import Step, as_step
from workbench.results import Definition

Order: TypeAlias = Literal["ordered", "strict", "any"]
Counting: TypeAlias = Literal["users", "sessions", "totals", "pairs"]
Attribution: TypeAlias = Literal["first", "last", "all", "user"] | int
Anchor: TypeAlias = Literal["any", "first"]
Exclusion: TypeAlias = Literal["person", "attempt", "entry"]
Mode: TypeAlias = Literal["strict_order", "strict_deduplication", "strict_increase", "strict_once"]
Once: TypeAlias = Literal["person", "segment"]
Between: TypeAlias = tuple[str | Step, int, int]

ORDERS: Final[tuple[Order, ...]] = ("ordered", "strict", "any")
COUNTINGS: Final[tuple[Counting, ...]] = ("users", "sessions", "totals", "pairs")
ATTRIBUTIONS: Final = ("first", "last", "all", "user")
ANCHORS: Final[tuple[Anchor, ...]] = ("any", "first")
EXCLUSIONS: Final[tuple[Exclusion, ...]] = ("person", "attempt", "entry")
MODES: Final[tuple[Mode, ...]] = ("strict_order", "strict_deduplication", "strict_increase", "strict_once")
ONCES: Final[tuple[Once, ...]] = ("person", "segment")
MOST_STEPS: Final = 30
MOST_EXCLUSIONS: Final = 20
MOST_WITHIN: Final = timedelta(days=36_500)
MOST_SEGMENTS: Final = 1_000
MOST_GRACE: Final = timedelta(days=1)
_TICK: Final = timedelta(microseconds=1)


By: TypeAlias = str | Mapping[str, Segment] | Sequence[Segment]


@dataclass(frozen=True, slots=True)
class Group:
    """A segment, by the name it has in the frame."""

    name: str
    segment: Segment

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """Where the vendors differ over the same steps and events.

    Attributes:
        anchor: `any` occurrence of step 1 opens an attempt, or a person's `first` in the time asked for alone.
        ties: Events of one instant may be several steps, in whatever order they came.
        instant: Events of one such stretch of time are at one instant.
        reuse: One event may be several steps.
        exclusion: What an excluding event ends: the `person` counts nowhere, the `attempt` keeps the steps before, or
            its `entry` alone.
        grace: How much earlier than the step before a step may be, where the order is `ordered`.
        first_step: Where any order counts, whoever does not do step 1 within the window is not in the funnel.
        modes: Of ClickHouse's `windowFunnel`, whose own algorithm then decides.
    """

    anchor: Anchor = "any"
    ties: bool = True
    instant: timedelta = timedelta(microseconds=1)
    reuse: bool = False
    exclusion: Exclusion = "person"
    grace: timedelta = timedelta()
    first_step: bool = False
    modes: tuple[Mode, ...] = ()

    def __str__(self) -> str:
        usual = Reading()
        other = {each.name: getattr(self, each.name) for each in fields(self)}
        told = [f"{name} {_said(value)}" for name, value in other.items() if value != getattr(usual, name)]
        return ", ".join(told) or "as usual"


def _said(value: object) -> str:
    return " + ".join(map(str, value)) if isinstance(value, tuple) else str(value)


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
    exclude: tuple[Excluded, ...] | None = None
    by: str | tuple[Group, ...] | None = None
    attribution: Attribution | None = None
    top: int | None = None
    once: Once = "person"
    counting: Counting = "users"
    hold: str | None = None
    since: datetime | None
    until: datetime | None
    now: datetime
    tz: str
    reading: Reading = Reading()
    dialect: str | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """What each row of the frame is called: its step, or how many steps where any order counts."""
        if self.order == "any":
            return tuple(f"any {k} of {len(self.steps)}" for k in range(1, len(self.steps) + 1))
        return tuple(map(str, self.steps))

    @property
    def every_attempt(self) -> bool:
        """Whether all attempts that do not overlap are looked at, not only the one that counts of a person."""
        return self.counting == "totals" or self.once == "segment"

    @property
    def unit(self) -> str:
        """What is counted, in the plural."""
        return {"users": "people", "sessions": "sessions", "totals": "attempts", "pairs": "pairs"}[self.counting]


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


def checked_exclusions(exclude: Sequence[Between] | None, steps: tuple[Step, ...]) -> tuple[Excluded, ...] | None:
    """Take what must not happen between steps; nothing becomes `None`.

    Raises:
        InvalidFunnel: An exclusion is no (event, after_step, before_step), or there are too many.
    """
    given = exclude if isinstance(exclude, Sequence) and not isinstance(exclude, str) else [exclude]
    if exclude is None or not len(given):
        return None
    if len(given) > MOST_EXCLUSIONS:
        raise InvalidFunnel(f"at most {MOST_EXCLUSIONS} exclusions can be asked, got {len(given)}")
    return tuple(_excluded(each, len(steps)) for each in given)


def _excluded(given: Any, steps: int) -> Excluded:  # noqa: ANN401 - whatever was given
    wanted = (
        f"exclude is a list of (event, after_step, before_step), steps from 1 to {steps} and the one before the "
        f"other, got {given!r}"
    )
    if isinstance(given, str) or not isinstance(given, Sequence) or len(given) != 3:  # noqa: PLR2004
        raise InvalidFunnel(wanted)
    event, *numbers = given
    if any(isinstance(number, bool) or not isinstance(number, int) for number in numbers):
        raise InvalidFunnel(wanted)
    after, before = numbers
    if not 1 <= after < before <= steps:
        raise InvalidFunnel(wanted)
    return Excluded(as_step(event), after, before)


def checked_by(by: By | None) -> str | tuple[Group, ...] | None:
    """Take what a funnel is broken down by.

    Raises:
        InvalidArgument: It is neither the name of a field or property nor segments.
    """
    if by is None or isinstance(by, str):
        return None if by is None else arguments.property_name(by, name="by")
    named = by if isinstance(by, Mapping) else {str(each): each for each in _list(by)}
    if not named or not all(isinstance(each, Segment) for each in named.values()):
        raise InvalidArgument(
            f"by must be a field such as 'platform', a property, a list of segments, or segments by name, got {by!r}"
        )
    return tuple(Group(name, each) for name, each in named.items())


def _list(given: Any) -> Sequence[Any]:  # noqa: ANN401 - whatever was given
    return given if isinstance(given, Sequence) else [given]


def checked_counting(counting: Counting, hold: str | None) -> Counting:
    """Take what is counted.

    Raises:
        InvalidArgument: It is none of `COUNTINGS`, or pairs of people and values where no value is held.
    """
    if arguments.choice(counting, COUNTINGS, name="counting") == "pairs" and hold is None:
        raise InvalidArgument("counting='pairs' counts people with each value they hold: say which property by hold=")
    return counting


def checked_attribution(attribution: Attribution, steps: tuple[Step, ...]) -> Attribution:
    """Take by which step an attempt belongs to a segment.

    Raises:
        InvalidArgument: It is neither a word nor the number of a step.
    """
    if isinstance(attribution, int) and not isinstance(attribution, bool) and 1 <= attribution <= len(steps):
        return attribution
    if isinstance(attribution, str) and attribution in ATTRIBUTIONS:
        return attribution
    raise InvalidArgument(
        f"attribution must be {', '.join(map(repr, ATTRIBUTIONS))} or a step from 1 to {len(steps)}, "
        f"got {attribution!r}"
    )


def checked_top(top: int) -> int:
    """Take how many values of a breakdown are told apart.

    Raises:
        InvalidArgument: It is no such number.
    """
    if isinstance(top, bool) or not isinstance(top, int) or not 1 <= top <= MOST_SEGMENTS:
        raise InvalidArgument(f"top must be a number of segments from 1 to {MOST_SEGMENTS:,}, got {top!r}")
    return top


def checked_reading(given: Mapping[str, Any], modes: Sequence[Mode], order: Order, *, excluding: bool) -> Reading:
    """Take a reading: the fields of `Reading`, of which `ties` may be what stretch of time is one instant.

    Raises:
        InvalidArgument: One of them is not what is allowed, or modes are asked with what `windowFunnel` has not.
    """
    ties: Any = given.get("ties", True)
    instant = _TICK
    if not isinstance(ties, bool):
        ties, instant = True, arguments.duration(ties, name="ties")
    reuse = given.get("reuse", False)
    if not isinstance(reuse, bool):
        raise InvalidArgument(f"reuse must be True or False, got {reuse!r}")
    if reuse and order == "strict":
        raise InvalidArgument(
            "strict order has each event as one step: reuse needs order='ordered' or 'any' (or, as ClickHouse has it, "
            "order='ordered' with modes=['strict_order'])"
        )
    first_step = given.get("first_step", False)
    if not isinstance(first_step, bool) or (first_step and order != "any"):
        raise InvalidArgument(f"first_step must be True or False, and needs order='any', got {first_step!r}")
    reading = Reading(
        anchor=arguments.choice(given.get("anchor", "any"), ANCHORS, name="anchor"),
        ties=ties,
        instant=instant,
        reuse=reuse,
        exclusion=arguments.choice(given.get("exclusion", "person"), EXCLUSIONS, name="exclusion"),
        grace=_checked_grace(given.get("grace", timedelta()), order, exact=ties is False or instant > _TICK),
        first_step=first_step,
        modes=tuple(sorted({arguments.choice(mode, MODES, name="modes") for mode in _several(modes)})),
    )
    own = excluding or reading.anchor != "any" or not reading.ties or bool(reading.grace)
    if reading.modes and (order != "ordered" or own):
        raise InvalidArgument(
            f"modes {_said(reading.modes)} are of windowFunnel, which has no order, exclude, anchor, ties or grace of "
            "ours"
        )
    return reading


def _checked_grace(grace: str | timedelta, order: Order, *, exact: bool) -> timedelta:
    """Take how much too early a step may be; none, or `0s`, is nothing."""
    if grace in (timedelta(), "0s"):
        return timedelta()
    length = arguments.duration(grace, name="grace")
    if length > MOST_GRACE:
        raise InvalidArgument(f"grace is at most {MOST_GRACE.total_seconds():,.0f} seconds, got {grace!r}")
    if order != "ordered" or exact:
        raise InvalidArgument(f"grace needs order='ordered' and ties=True, got grace={grace!r} with order={order!r}")
    return length


def _several(modes: Sequence[Mode]) -> Sequence[Mode]:
    if isinstance(modes, str) or not isinstance(modes, Sequence):
        raise InvalidArgument(f"modes is a list of {', '.join(map(repr, MODES))}, got {modes!r}")
    return modes
