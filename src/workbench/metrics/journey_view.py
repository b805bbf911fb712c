"""What the sides from which journeys are looked at have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final

from workbench.charts.spec import Bars, Chart
from workbench.errors import InvalidArgument
from workbench.metrics.breakdowns import apart
from workbench.metrics.journey_trails import ARROW
from workbench.results import Answer, Definition

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Sequence

    from workbench.metrics.journeys import JourneyDefinition, Journeys

START, END, OTHER = "(start)", "(end)", "(other)"

"""What the start and the end of a path and all rarer events are called, where no event is called so; see `ends`."""

MOST_SHOWN: Final = 15
"""Events that a chart shows, the most common ones; the frame has them all."""


@dataclass(frozen=True, kw_only=True)
class ViewDefinition(Definition):
    """Which journeys, looked at from which side, with which options."""

    question: ClassVar[str] = "journeys"
    journeys: JourneyDefinition
    view: str
    options: tuple[tuple[str, Hashable], ...] = ()

    def described(self) -> dict[str, str]:
        """Return the options of the journeys and of the view, as a person reads them."""
        told = ((name, written(value)) for name, value in self.options)
        return {**self.journeys.described(), "view": self.view, **{name: text for name, text in told if text}}


def ends(names: Collection[str]) -> tuple[str, str, str]:
    """Return the names of the start and the end of a path and of all rarer events, none of them an event.

    >>> ends(["(start)", "view"])
    ('((start))', '(end)', '(other)')
    """
    return apart(START, names), apart(END, names), apart(OTHER, names)


def written(value: object) -> str:
    """Write an option of a view: nothing for none."""
    if isinstance(value, tuple):
        return ARROW.join(map(written, value))
    if isinstance(value, Definition):
        return ", ".join(f"{name} {text}" for name, text in value.described().items())
    return "" if value is None else str(value)


@dataclass(frozen=True, kw_only=True, eq=False)
class View(Answer):
    """A look at journeys."""

    definition: ViewDefinition
    journeys: Journeys = field(repr=False)
    paths: int
    """How many journeys there are."""


def of(journeys: Journeys, view: str, **options: Hashable) -> dict[str, Any]:
    """Return what every view says of where it comes from."""
    definition = ViewDefinition(
        journeys=journeys.definition, view=view, options=tuple(options.items()), people=journeys.definition.people
    )
    return {
        "sql": journeys.source.sql, "definition": definition, "data_version": journeys.source.snapshot.data_version,
        "journeys": journeys, "notes": journeys.notes,
    }  # fmt: skip


def bars(view: View, title: str, name: str) -> Chart:
    """Draw the `share` of each row of a view's frame as a bar, the first rows only."""
    shown = view.frame.head(MOST_SHOWN)
    drawn = Bars(x=tuple(map(str, shown[name])), y=tuple(map(float, shown["share"])))
    marks = (drawn,) if len(shown) else ()
    note = f"share of {view.paths:,} paths"
    return Chart(title=title, y_label="share of paths", y_format="percent", marks=marks, note=note)


def row_of(view: View, name: str, value: object) -> int:
    """Return the row of a view's frame that a column names.

    Raises:
        InvalidArgument: None is named so.
    """
    rows = view.frame.index[view.frame[name] == value]
    if not len(rows):
        listed = ", ".join(repr(each) for each in view.frame[name].head(5))
        raise InvalidArgument(f"there is no {name} {value!r}; the first are {listed or 'none'}")
    return int(rows[0])


def bounded(value: int, low: int, high: int, name: str) -> int:
    """Check that a number lies between two, and return it.

    Raises:
        InvalidArgument: It does not.
    """
    if type(value) is not int or not low <= value <= high:
        raise InvalidArgument(f"{name} must be a whole number from {low} to {high:,}, got {value!r}")
    return value


def events_of(given: str | Sequence[str], name: str) -> tuple[str, ...]:
    """Take the name of an event, or several that follow each other.

    Raises:
        InvalidArgument: There is none, or something else.
    """
    events = (given,) if isinstance(given, str) else tuple(given)
    if not events or not all(isinstance(event, str) for event in events):
        raise InvalidArgument(f"{name} must be an event, or several that follow each other, got {given!r}")
    return events
