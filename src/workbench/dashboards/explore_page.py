"""Explore: pick a question, shape it with widgets, see who is behind a number, copy the code that asks it."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Final

import ipywidgets as widgets

from workbench import spreadsheet
from workbench.dashboards import explore
from workbench.dashboards.browser import Browser
from workbench.dashboards.definition import data_as_of
from workbench.metrics.coverage import coverage

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from workbench.bench import Bench
    from workbench.dashboards.explorer import Explorer

QUESTIONS: Final[dict[str, tuple[str, Callable[..., Explorer]]]] = {
    "activity": ("How many people are active?", explore.activity),
    "funnel": ("How far do people come?", explore.funnel),
    "retention": ("Who comes back?", explore.retention),
    "lifecycle": ("Who is new, back, or gone?", explore.lifecycle),
    "stickiness": ("How often are people there?", explore.stickiness),
    "journeys": ("What follows what?", explore.journeys),
    "platforms": ("Who uses two platforms?", explore.platforms),
    "raids": ("Who joins raids?", explore.raids),
    "profiles": ("Who are they?", explore.profiles),
    "segments": ("What do some people do?", explore.segments),
}
"""What can be explored: by the name in the address, the question and its explorer."""


class ExplorePage:
    """One question at a time; `widget` shows it."""

    def __init__(self, bench: Bench, *, now: datetime | None = None) -> None:
        """Begin with the first question."""
        self.bench, self.now = bench, coverage(bench.snapshot, bench.settings.timezone).now(now)
        self.explorers: dict[str, Explorer] = {}
        offered = [(question, name) for name, (question, _) in QUESTIONS.items()]
        self.question = widgets.Dropdown(options=offered, description="question").add_class("wb-filter")
        self.place, self.wrong = widgets.VBox(), widgets.HTML().add_class("wb-wrong")
        self.browser = Browser(csv=self.csv)
        self.browser.observe(self._addressed, "query")
        self.question.observe(lambda change: self.show(change["new"]), "value")
        head = widgets.HTML(self._head()).add_class("wb-head")
        parts = [head, widgets.Box([self.question]).add_class("wb-filters"), self.wrong, self.place, self.browser]
        self.widget = widgets.VBox(parts).add_class("wb-page").add_class("wb-explore")
        self.show(self.question.value)

    def show(self, name: str) -> None:
        """Show a question; one that was shaped before is as it was left."""
        if name not in self.explorers:
            made = self.explorers[name] = QUESTIONS[name][1](self.bench, now=self.now)
            for part in made.widget.children:
                if "wb-drawn" in part._dom_classes:
                    part.add_class(f"wb-t-{name}")  # what is saved of it has its name
        self.place.children = (self.explorers[name].widget,)
        self.browser.query = {"question": name} if name != next(iter(QUESTIONS)) else {}

    def csv(self, name: str) -> str:
        """Write the numbers of a question that is shown as CSV; nothing for another."""
        answer = self.explorers[name].answer if name in self.explorers else None
        return spreadsheet.text_of(answer.frame) if answer else ""

    def _head(self) -> str:
        zone = self.bench.settings.zone
        newest = self.bench.last_event
        about = "Pick a question, shape it, click a part of the chart for its people, copy the code that asks it. "
        if newest:
            about += data_as_of(self.bench, newest.astimezone(zone))
        return f"<h1>Explore</h1><p>{html.escape(about)}</p>"

    def _addressed(self, change: dict[str, Any]) -> None:
        asked = str(change["new"].get("question", next(iter(QUESTIONS))))
        if asked in QUESTIONS:
            self.wrong.value = ""
            self.question.value = asked
        else:
            known = ", ".join(QUESTIONS)
            self.wrong.value = html.escape(
                f"The address asks for what there is not: {asked[:100]!r} is none of {known}"
            )
