"""People chosen by widgets, kept by a name, and asked about alone."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Final

import ipywidgets as widgets

from workbench.dashboards.explorer import Call, Explorer, Shape, Written, call
from workbench.dashboards.parts import Names, an_event, choice, dropdown, events_of, slider
from workbench.errors import WorkbenchError
from workbench.metrics import segments as made

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.bench import Bench
    from workbench.metrics.segments import Segment

EVER: Final = "ever"
SPANS: Final = ("1d", "3d", "7d", "14d", "30d", "60d", "90d", EVER)
QUESTIONS: Final = (
    ("who they are", "profiles"),
    ("active users", "active_users"),
    ("retention", "retention"),
    ("lifecycle", "lifecycle"),
    ("stickiness", "stickiness"),
    ("a funnel", "funnel"),
    ("journeys", "journeys"),
)
_BUILT: Final = ("saved", (None,))


class SegmentExplorer(Explorer):
    """Builds a segment, and asks a question of its people alone."""

    @property
    def segment(self) -> Segment:
        """The segment as the controls stand: the one that was picked by its name, or the one that is built."""
        options = self.options
        name = options["saved"]
        return self.shape.bench.segment(name) if name else _built(options).value

    def save(self, name: str) -> None:
        """Keep the segment by a name, and pick it.

        Raises:
            InvalidArgument: The name cannot be used.
        """
        self.shape.bench.save_segment(name, self.segment)
        saved = self.shape.controls["saved"]
        saved.options = _saved(self.shape.bench)
        saved.value = name


def segments(
    bench: Bench, event: str | None = None, *, at_least: int = 1, within: str = EVER, **options: Any  # noqa: ANN401
) -> SegmentExplorer:  # fmt: skip
    """Explore segments: choose people by what they did, keep them by a name, ask a question of them alone.

    Args:
        bench: Whom to ask.
        event: What they did, to begin with; the most common event if not given.
        at_least: How often at least, to begin with.
        within: In the last time of which length, or `ever`, to begin with.
        options: What every question is asked with as well, such as `now=`.
    """
    events = events_of(bench)
    known = [(name, name) for name in events]
    controls = {
        "saved": dropdown(_saved(bench), "people", ""),
        "event": an_event(events, "who did", event),
        "at_least": widgets.BoundedIntText(value=at_least, min=1, max=made.MOST_TIMES, description="how often"),
        "within": slider(SPANS, within, "in the last"),
        "never": dropdown([("(nothing)", ""), *known], "and never", ""),
        "question": choice(QUESTIONS, "ask"),
        "steps": Names(events, events[:2], "steps", add="add a step …"),
    }
    name = widgets.Text(placeholder="a name for them", layout={"width": "200px"})
    button, told = widgets.Button(description="Save"), widgets.HTML()
    shape = Shape(
        bench=bench,
        controls=controls,
        asks=lambda chosen: _asked(chosen, options),
        hint="Click a part of the chart for its people.",
        needs={**dict.fromkeys(("event", "at_least", "within", "never"), _BUILT), "steps": ("question", ("funnel",))},
        beside=(widgets.HBox([name, button, told], layout={"grid_gap": "8px"}),) if bench.keeps else (),
    )
    explorer = SegmentExplorer(shape)

    def save(_: widgets.Button) -> None:
        try:
            explorer.save(name.value)
        except WorkbenchError as error:
            told.value = f'<span class="wb-wrong">{html.escape(str(error))}</span>'
        else:
            told.value = f"kept: <code>bench.of({html.escape(repr(name.value))})</code>"

    button.on_click(save)
    return explorer


def _saved(bench: Bench) -> list[tuple[str, str]]:
    kept = bench.segments() if bench.keeps else {}
    return [("as chosen here", ""), *((name, name) for name in kept)]


def _asked(chosen: Mapping[str, Any], options: Mapping[str, Any]) -> list[Call]:
    now = {name: value for name, value in options.items() if name == "now"}
    question = chosen["question"]
    given = [chosen["steps"]] if question == "funnel" else []
    asked = [Call("of", [chosen["saved"] or _built(chosen)], now), Call(question, given, options)]
    return [*asked, Call("transitions")] if question == "journeys" else asked


def _built(chosen: Mapping[str, Any]) -> Written:
    """Make the segment, and say how to make it."""
    within = None if chosen["within"] == EVER else chosen["within"]
    did = {"event": chosen["event"], "at_least": chosen["at_least"], "within": within}
    often = call("segment", did, plain=1, usual={"at_least": 1, "within": None})
    one, code = often.of(made), f"wb{often}"
    if chosen["never"] is None:
        return Written(one, code)
    never = Call("segment", [chosen["never"]])
    return Written(one & ~never.of(made), f"{code} & ~wb{never}")
