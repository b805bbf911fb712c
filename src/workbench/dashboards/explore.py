"""Each question to be shaped by hand in a notebook: pick steps, drag a window, click a cell to list its people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import ipywidgets as widgets

from workbench.charts.spec import Bars
from workbench.dashboards.explorer import Explorer, Shape
from workbench.metrics.calendars import PERIODS
from workbench.metrics.funnel_definition import ORDERS
from workbench.metrics.retention_definition import CLOCKS, COHORTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.bench import Bench
    from workbench.charts.clicks import Click
    from workbench.metrics.funnels import Funnel
    from workbench.metrics.retention import Retention

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
        "returns": widgets.Dropdown(
            options=[("any event", None), *((name, name) for name in events)], description="returns"
        ),
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


def _events(bench: Bench) -> list[str]:
    """List the types of events, the most common first."""
    types: list[str] = bench.snapshot.query(_COMMON)["event_type"].to_pylist()
    return types


_COMMON: Final = "SELECT event_type FROM events GROUP BY event_type ORDER BY count(*) DESC, event_type"


def _with(choices: Sequence[str], chosen: str) -> list[str]:
    return [*choices] if chosen in choices else [*choices, chosen]
