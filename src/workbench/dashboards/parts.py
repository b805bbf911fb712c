"""The controls that explorers are made of."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import ipywidgets as widgets
import traitlets

from workbench.metrics import arguments
from workbench.metrics.local_time import MICRO

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workbench.bench import Bench

BACK: Final = (7, 30, 90)
"""How many days to look back."""


class Names(widgets.HBox):  # type: ignore[misc] # ipywidgets has no types
    """Names in an order: added from a list, dragged, and taken out. Its `value` are the names."""

    value = traitlets.Tuple()

    def __init__(self, known: Sequence[str], chosen: Sequence[str], called: str, *, add: str) -> None:
        """Offer names.

        Args:
            known: Those that can be added.
            chosen: Those to begin with.
            called: What they are.
            add: What the list says while nothing is picked.
        """
        allowed = list(dict.fromkeys([*known, *chosen]))  # one that is not known is for the question to refuse
        self.tags = widgets.TagsInput(value=list(chosen), allowed_tags=allowed, allow_duplicates=True)
        self.add = widgets.Dropdown(options=[(add, ""), *((name, name) for name in known)], layout={"width": "auto"})
        super().__init__(
            [widgets.Label(called), self.tags, self.add], layout={"flex_flow": "row wrap", "grid_gap": "8px"}
        )
        traitlets.link((self.tags, "value"), (self, "value"), (tuple, list))
        self.add.observe(self._added, names="value")

    def _added(self, change: Mapping[str, Any]) -> None:
        if change["new"]:
            self.tags.value = [*self.tags.value, change["new"]]
            self.add.value = ""


def choice(options: Sequence[Any], called: str, value: Any = None) -> widgets.ToggleButtons:  # noqa: ANN401
    """Offer a few values, all seen at once."""
    buttons = widgets.ToggleButtons(options=options, description=called)
    buttons.style.button_width = "auto"
    if value is not None:
        buttons.value = value
    return buttons


def dropdown(options: Sequence[Any], called: str, value: Any) -> widgets.Dropdown:  # noqa: ANN401
    """Offer many values."""
    return widgets.Dropdown(options=options, description=called, value=value)


def slider(choices: Sequence[str], chosen: str, called: str) -> widgets.SelectionSlider:
    """Offer lengths of time, the shortest at the left; another one to begin with comes last."""
    options = choices if chosen in choices else [*choices, chosen]
    return widgets.SelectionSlider(options=options, value=chosen, description=called, continuous_update=False)


def since(bench: Bench, options: Mapping[str, Any]) -> widgets.ToggleButtons:
    """Offer how far to look back from `now`, or from where the data end."""
    given, zone = options.get("now"), bench.settings.timezone
    end = arguments.instant(given, zone, name="now") if given else bench.now
    starts = []
    if bench.last_event or given:
        day = (end - MICRO).astimezone(bench.settings.zone).date()
        starts = [(f"the last {days} days", str(day - timedelta(days=days - 1))) for days in BACK]
    return choice([("all of it", ""), *starts], "time")


def an_event(events: Sequence[str], called: str, value: str | None) -> widgets.Dropdown:
    """Offer every type of event; the first where the one to begin with is none of them."""
    options: list[Any] = list(events) or [("(no events yet)", "")]
    return widgets.Dropdown(options=options, description=called, value=value if value in events else [*events, ""][0])


def any_event(events: Sequence[str], called: str = "event") -> widgets.Dropdown:
    """Offer every type of event, and any of them."""
    return dropdown([("any event", ""), *((name, name) for name in events)], called, "")


def events_of(bench: Bench) -> list[str]:
    """List the types of events, the most common first."""
    types: list[str] = bench.snapshot.query(_COMMON)["event_type"].to_pylist()
    return types


_COMMON: Final = "SELECT event_type FROM events GROUP BY event_type ORDER BY count(*) DESC, event_type"
