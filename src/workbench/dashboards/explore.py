"""Each question to be shaped by hand in a notebook: pick steps, drag a window, click a cell to list its people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import ipywidgets as widgets

from workbench.charts.spec import Bars
from workbench.dashboards.explorer import Explorer, Shape
from workbench.metrics.calendars import PERIODS
from workbench.metrics.funnel_definition import ORDERS
from workbench.metrics.journey_transitions import WEIGHTS
from workbench.metrics.retention_definition import CLOCKS, COHORTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.bench import Bench
    from workbench.charts.clicks import Click
    from workbench.metrics.correlation import PlatformCorrelation
    from workbench.metrics.funnels import Funnel
    from workbench.metrics.journey_transitions import Transitions
    from workbench.metrics.retention import Retention
    from workbench.metrics.stickiness import Stickiness

PAUSES: Final = ("1m", "5m", "15m", "30m", "1h", "2h", "6h", "12h", "1d")
WINDOWS: Final = ("1h", "6h", "12h", "1d", "2d", "3d", "7d", "14d", "30d", "60d", "90d")


def funnel(bench: Bench, given: Sequence[str] = (), *, within: str = "7d", **options: Any) -> Explorer:  # noqa: ANN401
    """Explore a funnel: pick and drag its steps, move its window, click a bar for the people who came so far.

    Args:
        bench: Whom to ask.
        given: The steps to begin with; the two most common events if there are none.
        within: The window to begin with.
        options: What else `bench.funnel` takes, and no control changes, such as `until=`.
    """
    events = _events(bench)
    controls = {
        "steps": widgets.TagsInput(
            value=list(given) or events[:2], allowed_tags=events, allow_duplicates=True, description="steps"
        ),
        "within": widgets.SelectionSlider(
            options=_with(WINDOWS, within), value=within, description="within", continuous_update=False
        ),
        "order": widgets.ToggleButtons(options=ORDERS, description="order"),
    }
    return Explorer(
        Shape(
            name="funnel",
            ask=bench.funnel,
            controls=controls,
            behind=_at_step,
            defaults={"order": "ordered"},
            also=options,
        )
    )


def _at_step(answer: Funnel, click: Click) -> tuple[str, list[str]]:
    names = [str(name) for mark in answer.chart().marks if isinstance(mark, Bars) for name in mark.x]
    step = names.index(str(click.x)) + 1
    return f"People who reached step {step}, {answer.frame['event'].iloc[step - 1]}", answer.people(step)


def retention(bench: Bench, *, start: str = "user_joined", **options: Any) -> Explorer:  # noqa: ANN401
    """Explore retention: choose the start, the return and the clock, click a cell for the people who came back.

    Args:
        bench: Whom to ask.
        start: The event to begin with.
        options: What else `bench.retention` takes, and no control changes.
    """
    events = _events(bench)
    controls = {
        "start": widgets.Dropdown(options=events, value=start if start in events else events[0], description="start"),
        "returns": _any_event(events, "returns"),
        "period": widgets.ToggleButtons(options=PERIODS, value="week", description="period"),
        "kind": widgets.ToggleButtons(options=("on", "on_or_after", "streak"), description="kind"),
        "clock": widgets.ToggleButtons(options=CLOCKS, description="clock"),
        "cohort": widgets.ToggleButtons(options=COHORTS, description="cohort"),
    }
    return Explorer(
        Shape(
            name="retention",
            ask=bench.retention,
            controls=controls,
            behind=_in_cell,
            defaults={"returns": None, "period": "week", "kind": "on", "clock": "calendar", "cohort": "first"},
            also=options,
        )
    )


def _in_cell(answer: Retention, click: Click) -> tuple[str, list[str]]:
    day = str(click.row).split()[0]
    period = int(click.x)
    unit = answer.definition.period
    return f"People of {day} who came back in {unit} {period}", answer.people(day, period)


def activity(bench: Bench, **options: Any) -> Explorer:  # noqa: ANN401 - as the question has them
    """Explore active users: choose the period, the trailing window and the event."""
    controls = {
        "period": widgets.ToggleButtons(options=PERIODS, description="period"),
        "window": widgets.ToggleButtons(options=[("none", None), ("7d", "7d"), ("30d", "30d")], description="trailing"),
        "event": _any_event(_events(bench)),
        "by": widgets.ToggleButtons(options=[("everybody", None), ("platform", "platform")], description="by"),
    }
    defaults = {"period": "day", "window": None, "event": None, "by": None}
    return Explorer(
        Shape(name="active_users", ask=bench.active_users, controls=controls, first=0, defaults=defaults, also=options)
    )


def lifecycle(bench: Bench, **options: Any) -> Explorer:  # noqa: ANN401 - as the question has them
    """Explore the lifecycle: choose the period and the event."""
    controls = {
        "period": widgets.ToggleButtons(options=PERIODS, value="week", description="period"),
        "event": _any_event(_events(bench)),
    }
    defaults = {"period": "week", "event": None}
    return Explorer(
        Shape(name="lifecycle", ask=bench.lifecycle, controls=controls, first=0, defaults=defaults, also=options)
    )


def stickiness(bench: Bench, **options: Any) -> Explorer:  # noqa: ANN401 - as the question has them
    """Explore stickiness: choose the period and the event, click a bar for its people."""
    controls = {
        "period": widgets.ToggleButtons(options=PERIODS, description="period"),
        "event": _any_event(_events(bench)),
        "cumulative": widgets.Checkbox(description="at least so many"),
    }
    defaults = {"period": "day", "event": None, "cumulative": False}
    return Explorer(
        Shape(
            name="stickiness",
            ask=bench.stickiness,
            controls=controls,
            behind=_on_days,
            first=0,
            defaults=defaults,
            also=options,
        )
    )


def _on_days(answer: Stickiness, click: Click) -> tuple[str, list[str]]:
    least = "at least " if answer.definition.cumulative else ""
    return f"People of {least}{click.x} {answer.definition.period}s", answer.people(int(click.x))


def journeys(bench: Bench, **options: Any) -> Explorer:  # noqa: ANN401 - as the question has them
    """Explore what follows what: move the pause that ends a path, choose a weight, click a cell for its people."""
    controls = {
        "sessions": widgets.SelectionSlider(options=PAUSES, value="30m", description="pause", continuous_update=False),
        "ignore": widgets.TagsInput(value=[], allowed_tags=_events(bench), description="ignore"),
        "collapse": widgets.Checkbox(description="repeats as one"),
        "weight": widgets.ToggleButtons(
            options=[(name.replace("_", " "), name) for name in WEIGHTS], value="probability_out", description="weight"
        ),
    }
    return Explorer(
        Shape(
            name="journeys",
            ask=lambda weight, **asked: bench.journeys(**asked).transitions(weight),
            controls=controls,
            behind=_stepped,
            view="transitions",
            of_view=("weight",),
            first=0,
            defaults={"sessions": "30m", "ignore": [], "collapse": False, "weight": "probability_out"},
            also=options,
        )
    )


def _stepped(answer: Transitions, click: Click) -> tuple[str, list[str]]:
    before, after = str(click.row), str(click.x)
    return f"People who went from {before} to {after}", answer.people(before, after)


def platforms(bench: Bench, **options: Any) -> Explorer:  # noqa: ANN401 - as the question has them
    """Explore pairs of platforms: click a cell for the people who use both."""
    return Explorer(Shape(name="platforms", ask=bench.platforms, controls={}, behind=_on_both, first=0, also=options))


def _on_both(answer: PlatformCorrelation, click: Click) -> tuple[str, list[str]]:
    one, other = str(click.row), str(click.x)
    return f"People on {one} and {other}", answer.people(one, other)


def _any_event(events: Sequence[str], called: str = "event") -> widgets.Dropdown:
    return widgets.Dropdown(options=[("any event", None), *((name, name) for name in events)], description=called)


def _events(bench: Bench) -> list[str]:
    """List the types of events, the most common first."""
    types: list[str] = bench.snapshot.query(_COMMON)["event_type"].to_pylist()
    return types


_COMMON: Final = "SELECT event_type FROM events GROUP BY event_type ORDER BY count(*) DESC, event_type"


def _with(choices: Sequence[str], chosen: str) -> list[str]:
    return [*choices] if chosen in choices else [*choices, chosen]
