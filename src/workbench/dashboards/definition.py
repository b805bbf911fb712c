"""What a page shows, apart from how it is drawn: its filters, its tiles, and the content of each as plain values.

A definition needs no widget and no kernel: whatever can ask a bench can make the same page of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar, cast

import pandas as pd

from workbench.errors import InvalidArgument
from workbench.metrics.coverage import coverage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from workbench.bench import Bench
    from workbench.charts.clicks import Click
    from workbench.charts.spec import Chart, Format
    from workbench.results import Answer

A = TypeVar("A", bound="Answer")

MOST_CHOSEN: Final = 200
"""Letters of a filter's value in an address."""


@dataclass(frozen=True, kw_only=True)
class Number:
    """One number, what it is compared with, and the past that it is the end of."""

    title: str
    value: float | None
    form: Format = "count"
    before: float | None = None
    compared: str = ""
    note: str = ""
    past: tuple[float, ...] = ()
    bad: bool = False

    @property
    def frame(self) -> pd.DataFrame:
        """Its data: one row, and the past after it."""
        return pd.DataFrame({"title": self.title, "value": [self.value, *self.past]})


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A chart, the frame that it is of, and what it says in words.

    Attributes:
        behind: What is behind a part of it that is clicked; `None` where nothing is.
    """

    chart: Chart
    frame: pd.DataFrame
    said: str = ""
    behind: Callable[[Click], Rows | None] | None = None


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A table of texts, and the frame that it is of; `empty` is said where there is no row."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    empty: str
    frame: pd.DataFrame
    said: str = ""


@dataclass(frozen=True, kw_only=True)
class Said:
    """What is said in the place of numbers: why there are none, and what to type; commands are in backticks."""

    title: str
    text: str
    error: bool = False

    @property
    def frame(self) -> pd.DataFrame:
        """No data."""
        return pd.DataFrame()


Content: TypeAlias = Number | Drawing | Rows | Said


@dataclass(frozen=True, kw_only=True)
class Filter:
    """A choice that a page offers, and its address keeps by `name`.

    Attributes:
        offers: What can be chosen: pairs of what is shown and the value.
        usual: The value without a choice.
    """

    name: str
    called: str
    offers: Callable[[Bench], Sequence[tuple[str, str]]]
    usual: str = ""


@dataclass(frozen=True)
class View:
    """What tiles are asked with: the bench, the present, and what was chosen.

    Attributes:
        bench: Whom to ask.
        now: The present: where the data end, or where the clock is.
        chosen: The value of each filter.
    """

    bench: Bench
    now: datetime
    chosen: Mapping[str, str] = field(default_factory=dict)
    _known: dict[tuple[object, ...], Answer] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def end(self) -> datetime:
        """Where the data end, on the clocks of the project."""
        newest = self.bench.last_event
        return min(newest or self.now, self.now).astimezone(self.bench.settings.zone)

    @property
    def days(self) -> int:
        """How many days are looked at, the last one the day of the newest event."""
        return int(self.chosen["days"])

    @property
    def span(self) -> dict[str, Any]:
        """What questions over time are asked with."""
        return {"since": self.end.date() - timedelta(days=self.days - 1), "now": self.now}

    @cached_property
    def asked(self) -> Bench:
        """Whom to ask: the bench of all, or of the segment that was chosen."""
        people = self.chosen.get("people", "")
        return self.bench.of(people, now=self.now) if people else self.bench

    @property
    def facts(self) -> str:
        """How far the data reach, in words."""
        return data_as_of(self.bench, self.end)

    def ask(self, question: Callable[..., A], **options: Any) -> A:  # noqa: ANN401 - as the question has them
        """Ask over the days that are looked at: once, however many tiles show a part of the answer.

        Args:
            question: A method of `Bench`.
            options: What it takes beside the time.
        """
        key = (question, *sorted(options.items()))
        if key not in self._known:
            self._known[key] = question(self.asked, **self.span, **options)
        return cast("A", self._known[key])


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A place on a page, and what it asks.

    Attributes:
        name: Within the page, as in the names of what is exported.
        asks: Makes its content.
        title: What stands there while it is asked.
        span: Columns of three that it takes.
        height: Pixels of its chart.
        slow: Asked only once somebody looks, and kept for longer.
    """

    name: str
    title: str
    asks: Callable[[View], Content]
    span: int = 1
    height: int = 300
    slow: bool = False


@dataclass(frozen=True, kw_only=True)
class Section:
    """Tiles beside each other."""

    kind: Literal["cards", "tiles"]
    tiles: tuple[Tile, ...]


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page: what it is called and about, its filters, its tiles; `live` pages begin with what moves."""

    name: str
    title: str
    about: str
    filters: tuple[Filter, ...]
    sections: tuple[Section, ...]
    live: bool = False

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """All tiles, in their order."""
        return tuple(tile for section in self.sections for tile in section.tiles)

    def offers(self, bench: Bench) -> dict[str, list[tuple[str, str]]]:
        """What can be chosen, by the names of the filters. It may have to be asked of the events."""
        return {each.name: list(each.offers(bench)) for each in self.filters}

    def choose(self, offered: Mapping[str, Sequence[tuple[str, str]]], given: Mapping[str, str]) -> dict[str, str]:
        """Complete what was chosen with what is usual; names that are no filter's are left out.

        Args:
            offered: What `offers` returned.
            given: What was chosen.

        Raises:
            InvalidArgument: A value is not offered.
        """
        chosen = {each.name: given.get(each.name, each.usual) for each in self.filters}
        for each in self.filters:
            allowed = [value for _, value in offered[each.name]]
            if chosen[each.name] not in allowed:
                shown = ", ".join(repr(value) for value in allowed[:12])
                raise InvalidArgument(f"{each.name} is one of {shown}, not {chosen[each.name][:MOST_CHOSEN]!r}")
        return chosen


def view(bench: Bench, chosen: Mapping[str, str], *, now: datetime | None = None) -> View | None:
    """Look at a bench now; `None` where it has no events.

    The present is where the data end: the day in which an export was made is not over, however long ago that is.
    """
    known = coverage(bench.snapshot, bench.settings.timezone)
    if known.last is None:
        return None
    return View(bench, known.now(now), chosen)


def drawing(answer: Answer, chart: Chart | None = None, frame: pd.DataFrame | None = None) -> Drawing:
    """Show an answer: its chart and its frame, unless others of it are given."""
    return Drawing(chart=chart or answer.chart(), frame=answer.frame if frame is None else frame, said=answer.reading())


def shows(question: Callable[..., Answer], **options: Any) -> Callable[[View], Content]:  # noqa: ANN401 - as it has them
    """Ask a question over the days that are looked at, and show its own chart."""
    return lambda view: drawing(view.ask(question, **options))


def data_as_of(bench: Bench, end: datetime) -> str:
    """Say up to when, on whose clocks, and which version data are."""
    return f"Data as of {end:%d %b %Y %H:%M} ({bench.settings.timezone}), version {bench.data_version}"


DAYS: Final = Filter(
    name="days",
    called="time",
    offers=lambda _: [(f"last {days} days", str(days)) for days in (7, 30, 90, 180, 365)],
    usual="90",
)


def _saved(bench: Bench) -> list[tuple[str, str]]:
    return [("everybody", ""), *((name, name) for name in (bench.segments() if bench.keeps else {}))]


PEOPLE: Final = Filter(name="people", called="people", offers=_saved)
"""Everybody, or a segment that was saved."""
