"""A question shaped by hand: controls, its answer drawn, who is behind what is clicked, and the code that asks it.

An explorer holds no number of its own: what it shows is one answer, which `answer` gives, and `code` is what asks for
the same answer in a notebook. Both come from the same calls, so they cannot differ.
"""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from typing import TYPE_CHECKING, Any, Final

import ipywidgets as widgets

from workbench.charts import live
from workbench.charts.clicks import Clicks
from workbench.dashboards.behind import behind
from workbench.errors import WorkbenchError
from workbench.metrics.segments import People

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from workbench.bench import Bench
    from workbench.charts.clicks import Click
    from workbench.charts.spec import Chart
    from workbench.results import Answer

MOST_LISTED: Final = 200
"""People that are listed by name; the heading says how many there are."""

_STYLE: Final = """<style>
.wb-explorer .wb-asked { display: flex; flex-flow: row wrap; align-items: center; gap: 4px 24px; }
.wb-explorer .bqplot .label, .wb-explorer .bqplot .curve { pointer-events: none; }
.wb-explorer .bqplot .bar, .wb-explorer .bqplot .dot, .wb-explorer .bqplot .heatmapcell { cursor: pointer; }
.wb-explorer .wb-asking { opacity: 0.4; }
.wb-explorer .wb-people { max-height: 180px; overflow: hidden auto !important; overflow-wrap: anywhere; }
.wb-explorer .wb-frame { max-height: 420px; overflow: auto !important; }
.wb-explorer .wb-wrong { color: var(--wb-error, #b3261e); }
</style>"""
"""What an explorer needs wherever it is shown; without it texts and hatching would take clicks from cells below."""

_WIDTH: Final = 1160
"""Pixels that a chart has on a page."""
_NONE: Final = object()


@dataclass(frozen=True)
class Written:
    """A value, and how it is written in code where its `repr` is not that."""

    value: Any
    code: str


@dataclass(frozen=True)
class Call:
    """A method, and its arguments: one step on the way from a bench to an answer."""

    name: str
    given: Sequence[Any] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    def of(self, asked: Any) -> Any:  # noqa: ANN401 - a bench, or what the call before returned
        """Call the method."""
        named = {name: _value(value) for name, value in self.options.items()}
        return getattr(asked, self.name)(*map(_value, self.given), **named)

    def __str__(self) -> str:
        named = (f"{name}={_code(value)}" for name, value in self.options.items())
        return f".{self.name}({', '.join([*map(_code, self.given), *named])})"


def call(
    name: str,
    options: Mapping[str, Any],
    *,
    plain: int = 0,
    usual: Mapping[str, Any] | None = None,
    **also: Any,  # noqa: ANN401 - arguments of any method
) -> Call:
    """Make a call, leaving out options that are as they usually are.

    Args:
        name: Of the method.
        options: Its arguments by their names.
        plain: How many of them, the first, are written without a name.
        usual: What the method takes an option for that is not given.
        also: More arguments.

    >>> str(call("stickiness", {"period": "week", "cumulative": False}, usual={"period": "day", "cumulative": False}))
    ".stickiness(period='week')"
    """
    known, names = usual or {}, list(options)
    named = {each: options[each] for each in names[plain:] if known.get(each, _NONE) != options[each]}
    return Call(name, [options[each] for each in names[:plain]], {**named, **also})


@dataclass(frozen=True)
class Shape:
    """One question to explore.

    Attributes:
        bench: Whom to ask.
        controls: The widget of each option; its `value` is the option's.
        asks: The calls that ask it, from the options by their names.
        hint: What can be clicked, and what for.
        needs: The controls that are of use only while another has one of some values.
        beside: Widgets that belong to the controls, and are no options.
    """

    bench: Bench
    controls: Mapping[str, widgets.Widget]
    asks: Callable[[Mapping[str, Any]], Sequence[Call]]
    hint: str = ""
    needs: Mapping[str, tuple[str, Sequence[Any]]] = field(default_factory=dict)
    beside: Sequence[widgets.Widget] = ()


class Explorer:
    """The widgets of one question; `widget` shows them."""

    def __init__(self, shape: Shape) -> None:
        """Ask the question as the controls stand, and again whenever one is moved."""
        self.shape = shape
        self.answer: Answer | None = None
        self._clicks: Clicks | None = None
        self._drawing = widgets.VBox().add_class("wb-drawing")
        self._said, self._people, self._code, self._frame = (widgets.HTML() for _ in range(4))
        for control in shape.controls.values():
            control.observe(self._moved, names="value")
        asked = widgets.Box([*shape.controls.values(), *shape.beside]).add_class("wb-tile").add_class("wb-asked")
        asked.layout.display = None if asked.children else "none"
        style = widgets.HTML(_STYLE, layout={"display": "none"})
        parts = [self._said.add_class("wb-said"), self._drawing, self._people.add_class("wb-people")]
        drawn = widgets.VBox(parts).add_class("wb-tile").add_class("wb-drawn")
        details = widgets.Accordion([self._frame.add_class("wb-frame")], titles=("The numbers",)).add_class("wb-tile")
        self.widget = widgets.VBox([style, asked, drawn, self._code.add_class("wb-code"), details])
        self.widget.add_class("wb-explorer")
        self.ask()

    @property
    def options(self) -> dict[str, Any]:
        """The options that are of use, as the controls stand."""
        standing = {name: _plain(control.value) for name, control in self.shape.controls.items()}
        return {name: value for name, value in standing.items() if self._of_use(name, standing)}

    @property
    def code(self) -> str:
        """What to write in a notebook for the answer that is shown; options that are as by default are left out."""
        return "bench" + "".join(map(str, self.shape.asks(self.options)))

    def ask(self) -> None:
        """Ask the question, and show its answer, or why there is none: the one before is then gone."""
        self._people.value = ""
        for name in self.shape.needs:
            self.shape.controls[name].layout.display = None if name in self.options else "none"
        self._drawing.add_class("wb-asking")
        try:
            found: Any = reduce(_called, self.shape.asks(self.options), self.shape.bench)
            self._show(found)
        except WorkbenchError as error:
            self.answer = None
            self._said.value = f'<p class="wb-wrong">{html.escape(str(error))}</p>'
            self._frame.value = self._code.value = ""
            self._drawing.layout.display = "none"
        finally:
            self._drawing.remove_class("wb-asking")

    def _show(self, answer: Answer) -> None:
        self.answer = answer
        self._said.value = f"<p>{html.escape(_opening(answer) + answer.reading())}</p>"
        self._frame.value = answer._repr_html_()
        self._code.value = f"<pre><code>{html.escape(self.code)}</code></pre>"
        self._people.value = f'<p class="wb-hint">{html.escape(self.shape.hint)}</p>' if self.shape.hint else ""
        self._draw(answer.chart())

    def _draw(self, chart: Chart) -> None:
        """Draw a chart, in the figure that is there if there is one."""
        self._drawing.layout.display = None
        if self._clicks:
            live.update(self._clicks.figure, chart)
            self._clicks.listen()
        else:
            self._clicks = Clicks(live.figure(chart, width=_WIDTH), self.show_people)
            self._drawing.children = [self._clicks.figure]

    def show_people(self, click: Click) -> None:
        """List who is behind a part of the chart."""
        found = behind(self.answer, click) if self.answer else None
        if found is None:
            return
        heading, people = found
        shown = ", ".join(map(html.escape, people[:MOST_LISTED]))
        more = f" … and {len(people) - MOST_LISTED:,} more" if len(people) > MOST_LISTED else ""
        self._people.value = f"<p><b>{html.escape(heading)}: {len(people):,}</b></p><p>{shown}{more}</p>"

    def _moved(self, _: object) -> None:
        self.ask()

    def _of_use(self, name: str, standing: Mapping[str, Any]) -> bool:
        if name not in self.shape.needs:
            return True
        other, values = self.shape.needs[name]
        return standing[other] in values


def _called(asked: Any, each: Call) -> Any:  # noqa: ANN401 - a bench, then what it returned
    return each.of(asked)


def _opening(answer: Answer) -> str:
    """Say of whom alone a question was asked."""
    people = answer.definition.people
    if people is None:
        return ""
    told = str(people).removeprefix("(").removesuffix(")") if str(people).startswith("(") else str(people)
    return f"Asked of {told}. " if isinstance(people, People) else f"Asked of those alone who {told}. "


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a widget holds
    if isinstance(value, str) and not value.strip():
        return None
    return list(value) if isinstance(value, tuple) else value


def _value(given: Any) -> Any:  # noqa: ANN401 - any argument
    return given.value if isinstance(given, Written) else given


def _code(given: Any) -> str:  # noqa: ANN401 - any argument
    if isinstance(given, Written):
        return given.code
    return repr(given.isoformat() if isinstance(given, datetime) else given)
