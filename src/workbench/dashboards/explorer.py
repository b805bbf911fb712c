"""A question shaped by hand: controls, its answer drawn, who is behind what is clicked, and the code that asks it.

An explorer holds no number of its own: what it shows is one answer, which `answer` gives, and `code` is what asks for
the same answer in a notebook.
"""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import ipywidgets as widgets

from workbench.charts import live
from workbench.charts.clicks import Clicks
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from workbench.charts.clicks import Click
    from workbench.charts.spec import Chart
    from workbench.results import Answer

MOST_LISTED: Final = 200
"""People that are listed by name; the heading says how many there are."""


@dataclass(frozen=True)
class Shape:
    """One question to explore.

    Attributes:
        name: The method of a bench that asks it.
        ask: Asks it, with the options by their names.
        controls: The widget of each option; its `value` is the option's.
        behind: Who is behind a click on the chart of an answer: a heading, and their ids; nobody if not given.
        view: What is asked of the method's answer, such as `transitions`.
        of_view: The options that are the view's, and not the method's.
        first: How many options are arguments without a name in the code.
        defaults: What the method takes an option for that is not named.
        also: Options that no control changes.
    """

    name: str
    ask: Callable[..., Answer]
    controls: Mapping[str, widgets.Widget]
    behind: Callable[[Any, Click], tuple[str, list[str]]] | None = None
    view: str = ""
    of_view: Sequence[str] = ()
    first: int = 1
    defaults: Mapping[str, Any] = field(default_factory=dict)
    also: Mapping[str, Any] = field(default_factory=dict)


class Explorer:
    """The widgets of one question; `widget` shows them."""

    def __init__(self, shape: Shape) -> None:
        """Ask the question as the controls stand, and again whenever one is moved."""
        self.shape = shape
        self.answer: Answer | None = None
        self._clicks: Clicks | None = None
        self._drawing = widgets.VBox()
        self._said, self._people, self._code, self._frame = (widgets.HTML() for _ in range(4))
        for control in shape.controls.values():
            control.observe(self._moved, names="value")
        drawn = widgets.VBox([self._said.add_class("wb-said"), self._drawing, self._people]).add_class("wb-tile")
        details = widgets.Accordion([self._frame, self._code], titles=("The numbers", "The code"))
        asked = widgets.VBox(list(shape.controls.values())).add_class("wb-tile")
        self.widget = widgets.VBox([asked, drawn, details.add_class("wb-tile")]).add_class("wb-explorer")
        self.ask()

    @property
    def options(self) -> dict[str, Any]:
        """The options as the controls stand."""
        return {name: _plain(control.value) for name, control in self.shape.controls.items()}

    @property
    def code(self) -> str:
        """What to write in a notebook for the answer that is shown; options that are as by default are left out."""
        shape, options = self.shape, list(self.options.items())
        plain = [repr(value) for _, value in options[: shape.first]]
        changed = {
            name: value
            for name, value in [*options[shape.first :], *shape.also.items()]
            if name not in shape.defaults or shape.defaults[name] != value
        }
        named = [f"{name}={value!r}" for name, value in changed.items() if name not in shape.of_view]
        viewed = ", ".join(f"{name}={changed[name]!r}" for name in shape.of_view if name in changed)
        return f"bench.{shape.name}({', '.join([*plain, *named])})" + (f".{shape.view}({viewed})" if shape.view else "")

    def ask(self) -> None:
        """Ask the question, and show its answer, or why there is none: the one before is then gone."""
        self._people.value = ""
        try:
            self.answer = self.shape.ask(**self.options, **self.shape.also)
        except WorkbenchError as error:
            self.answer = None
            self._said.value = f'<p class="wb-error">{html.escape(str(error))}</p>'
            self._frame.value = self._code.value = ""
            self._drawing.layout.display = "none"
            return
        self._said.value = f"<p>{html.escape(self.answer.reading())}</p>"
        self._frame.value = self.answer._repr_html_()
        self._code.value = f"<pre><code>{html.escape(self.code)}</code></pre>"
        self._draw(self.answer.chart())

    def _draw(self, chart: Chart) -> None:
        """Draw a chart, in the figure that is there if there is one."""
        self._drawing.layout.display = None
        if self._clicks:
            live.update(self._clicks.figure, chart)
            self._clicks.listen()
        else:
            self._clicks = Clicks(live.figure(chart), self.show_people)
            self._drawing.children = [self._clicks.figure]

    def show_people(self, click: Click) -> None:
        """List who is behind a part of the chart."""
        if self.answer is None or self.shape.behind is None:
            return
        heading, people = self.shape.behind(self.answer, click)
        shown = ", ".join(map(html.escape, people[:MOST_LISTED]))
        more = f" … and {len(people) - MOST_LISTED:,} more" if len(people) > MOST_LISTED else ""
        self._people.value = f"<p><b>{html.escape(heading)}: {len(people):,}</b></p><p>{shown}{more}</p>"

    def _moved(self, _: object) -> None:
        self.ask()


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a widget holds
    return list(value) if isinstance(value, tuple) else value
