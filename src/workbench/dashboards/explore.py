"""Each question to be shaped by hand in a notebook: pick steps, drag a window, click a cell to list its people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import ipywidgets as widgets

from workbench.dashboards.explorer import Call, Explorer, Shape, call
from workbench.dashboards.parts import Names, an_event, any_event, choice, dropdown, events_of, since, slider
from workbench.dashboards.segment_builder import segments
from workbench.metrics.calendars import PERIODS
from workbench.metrics.funnel_definition import ORDERS
from workbench.metrics.journey_transitions import WEIGHTS
from workbench.metrics.retention_definition import CLOCKS, COHORTS, KINDS

__all__ = [
    "activity",
    "funnel",
    "journeys",
    "lifecycle",
    "platforms",
    "profiles",
    "raids",
    "retention",
    "segments",
    "stickiness",
]

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workbench.bench import Bench

PAUSES: Final = ("1m", "5m", "15m", "30m", "1h", "2h", "6h", "12h", "1d")
WINDOWS: Final = ("1h", "6h", "12h", "1d", "2d", "3d", "7d", "14d", "30d", "60d", "90d")
BRACKETS: Final = "0,1,2-3,4-7"
VIEWS: Final = (
    ("what follows what", "transitions"),
    ("as a graph", "graph"),
    ("step by step", "step_sankey"),
    ("as a matrix of steps", "step_matrix"),
)


def funnel(bench: Bench, given: Sequence[str] = (), *, within: str = "7d", **options: Any) -> Explorer:  # noqa: ANN401
    """Explore a funnel: pick and drag its steps, move its window, click a bar for the people who came so far.

    Args:
        bench: Whom to ask.
        given: The steps to begin with; the two most common events if there are none.
        within: The window to begin with.
        options: What else `bench.funnel` takes, and no control changes, such as `until=`.
    """
    events = events_of(bench)
    controls = {
        "steps": Names(events, list(given) or events[:2], "steps", add="add a step …"),
        "within": slider(WINDOWS, within, "within"),
        "order": choice(ORDERS, "order"),
        "by": choice([("everybody", ""), ("platform", "platform")], "by"),
    }
    usual = {"order": "ordered", "by": None}
    return Explorer(
        Shape(
            bench=bench,
            controls=controls,
            asks=lambda chosen: [call("funnel", chosen, plain=1, usual=usual, **options)],
            hint="Drag the steps into order. Click a bar for the people who came so far.",
        )
    )


def retention(bench: Bench, *, start: str = "user_joined", **options: Any) -> Explorer:  # noqa: ANN401
    """Explore retention: choose the start, the return and the clock, click a cell for the people who came back.

    Args:
        bench: Whom to ask.
        start: The event to begin with.
        options: What else `bench.retention` takes, and no control changes.
    """
    events = events_of(bench)
    controls = {
        "start": an_event(events, "start", start),
        "returns": any_event(events, "return"),
        "period": choice(PERIODS, "period", "week"),
        "kind": choice([(kind.replace("_", " "), kind) for kind in KINDS], "kind"),
        "brackets": widgets.Text(value=BRACKETS, description="brackets", continuous_update=False),
        "clock": choice(CLOCKS, "clock"),
        "cohort": choice(COHORTS, "cohort"),
    }
    usual = {"returns": None, "period": "week", "kind": "on", "clock": "calendar", "cohort": "first"}
    return Explorer(
        Shape(
            bench=bench,
            controls=controls,
            asks=lambda chosen: [call("retention", chosen, plain=1, usual=usual, **options)],
            hint="Click a cell for the people who came back.",
            needs={"brackets": ("kind", ("bracket",))},
        )
    )


def activity(bench: Bench, **options: Any) -> Explorer:  # noqa: ANN401 - as the question has them
    """Explore active users: choose the period, the trailing window and the event, click a point for its people."""
    controls = {
        "period": choice(PERIODS, "period"),
        "window": choice([("the day alone", ""), ("7 days", "7d"), ("30 days", "30d")], "days up to it"),
        "event": any_event(events_of(bench)),
        "by": choice([("everybody", ""), ("platform", "platform")], "by"),
    }
    usual = {"period": "day", "window": None, "event": None, "by": None}
    return Explorer(
        Shape(
            bench=bench,
            controls=controls,
            asks=lambda chosen: [call("active_users", chosen, usual=usual, **options)],
            hint="Click a point of a line for its people.",
            needs={"window": ("period", ("day",))},
        )
    )


def lifecycle(bench: Bench, **options: Any) -> Explorer:  # noqa: ANN401 - as the question has them
    """Explore the lifecycle: choose the period and the event, click a point for its people."""
    controls = {"period": choice(PERIODS, "period", "week"), "event": any_event(events_of(bench))}
    usual = {"period": "week", "event": None}
    return Explorer(
        Shape(
            bench=bench,
            controls=controls,
            asks=lambda chosen: [call("lifecycle", chosen, usual=usual, **options)],
            hint="Click a point of a line for its people.",
        )
    )


def stickiness(bench: Bench, **options: Any) -> Explorer:  # noqa: ANN401 - as the question has them
    """Explore stickiness: choose the period and the event, click a bar for its people."""
    controls = {
        "period": choice(PERIODS, "period"),
        "event": any_event(events_of(bench)),
        "cumulative": widgets.Checkbox(description="at least so many", indent=False),
    }
    usual = {"period": "day", "event": None, "cumulative": False}
    return Explorer(
        Shape(
            bench=bench,
            controls=controls,
            asks=lambda chosen: [call("stickiness", chosen, usual=usual, **options)],
            hint="Click a bar for its people.",
        )
    )


def journeys(bench: Bench, *, centre: str | None = None, weight: str = "probability_out", **options: Any) -> Explorer:  # noqa: ANN401
    """Explore what follows what: move the pause that ends a path, leave events out, look at it from several sides.

    Args:
        bench: Whom to ask.
        centre: The event that steps are counted from, to begin with; the start of the path if not given.
        weight: In what a step is measured, to begin with.
        options: What else `bench.journeys` takes, and no control changes.
    """
    events = events_of(bench)
    controls = {
        "view": choice(VIEWS, "look at it"),
        "weight": dropdown([(told, weight) for weight, (told, _) in WEIGHTS.items()], "weight", weight),
        "centre": dropdown(
            [("the start of the path", ""), *((name, name) for name in events)],
            "around",
            centre if centre in events else "",
        ),
        "sessions": slider(PAUSES, "30m", "pause"),
        "ignore": Names(events, [], "without", add="leave out …"),
        "collapse": widgets.Checkbox(description="repeats as one", indent=False),
    }
    return Explorer(
        Shape(
            bench=bench,
            controls=controls,
            asks=lambda chosen: _journey_calls(chosen, options),
            hint="A longer pause than the slider's begins another path. Click a cell, an arrow's number or the middle "
            "of a ribbon for the people who went there.",
            needs={"weight": ("view", ("transitions", "graph")), "centre": ("view", ("step_sankey", "step_matrix"))},
        )
    )


def _journey_calls(chosen: Mapping[str, Any], options: Mapping[str, Any]) -> list[Call]:
    walked = {name: chosen[name] for name in ("sessions", "ignore", "collapse")}
    seen = {name: chosen[name] for name in ("weight", "centre") if name in chosen}
    usual = {"weight": "count" if chosen["view"] == "graph" else "probability_out", "centre": None}
    return [
        call("journeys", walked, usual={"sessions": "30m", "ignore": [], "collapse": False}, **options),
        call(chosen["view"], seen, usual=usual),
    ]


def platforms(bench: Bench, **options: Any) -> Explorer:  # noqa: ANN401 - as the question has them
    """Explore pairs of platforms: choose how far back to look, click a cell for the people who use both."""
    return Explorer(
        Shape(
            bench=bench,
            controls={"since": since(bench, options)},
            asks=lambda chosen: [call("platforms", chosen, usual={"since": None}, **options)],
            hint="Click a cell for the people who use both.",
        )
    )


def raids(bench: Bench, **options: Any) -> Explorer:  # noqa: ANN401 - as the question has them
    """Explore raids: over time, or by how long they took; click a point for the people who joined."""
    views = [("over time", "raid_activity"), ("by how long they took", "raid_facts")]
    return Explorer(
        Shape(
            bench=bench,
            controls={"view": choice(views, "look at it"), "since": since(bench, options)},
            asks=lambda chosen: [call(chosen["view"], {"since": chosen["since"]}, usual={"since": None}, **options)],
            hint="Click a point for the people who joined the raid.",
        )
    )


def profiles(bench: Bench, **options: Any) -> Explorer:  # noqa: ANN401 - as the question has them
    """Explore people by how often they were there: click a bar for who they are."""
    return Explorer(
        Shape(
            bench=bench,
            controls={},
            asks=lambda _: [Call("profiles", options=options)],
            hint="Click a bar for its people.",
        )
    )
