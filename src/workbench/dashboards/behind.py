"""Who is behind a part of a chart: a heading, and as many people as the answer counts there."""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING, TypeAlias

from workbench.metrics.activity import ActiveUsers
from workbench.metrics.correlation import PlatformCorrelation
from workbench.metrics.funnels import Funnel
from workbench.metrics.journey_steps import StepMatrix, StepSankey
from workbench.metrics.journey_transitions import Graph, Transitions
from workbench.metrics.lifecycle import Lifecycle
from workbench.metrics.profiles import Profiles
from workbench.metrics.raid_facts import RaidFacts
from workbench.metrics.raids import RaidActivity
from workbench.metrics.retention import Retention
from workbench.metrics.retention_views import named
from workbench.metrics.stickiness import Stickiness

if TYPE_CHECKING:
    from workbench.charts.clicks import Click
    from workbench.results import Answer

People: TypeAlias = tuple[str, list[str]]


@singledispatch
def behind(answer: Answer, click: Click) -> People | None:
    """Return what to call the people behind a click on the chart of an answer, and their ids; `None` for nobody."""
    return None


@behind.register(Funnel)
def _at_step(answer: Funnel, click: Click) -> People:
    step, _, event = str(click.x).partition(". ")
    segment = click.label if answer.definition.by is not None else None
    return f"People{_of(segment)} who reached step {step}, {event}", answer.people(int(step), segment=segment)


@behind.register(Retention)
def _in_cell(answer: Retention, click: Click) -> People | None:
    if click.row is None:  # a line, of the mean of many cohorts
        return None
    day, asked = click.row.split()[0], answer.definition
    brackets = [f"{first}-{last}" if last > first else str(first) for first, last in asked.brackets]
    period = brackets.index(str(click.x)) if brackets else int(str(click.x))
    return f"People of {day} who came back in {named(asked, period)}", answer.people(day, period)


@behind.register(ActiveUsers)
def _in_period(answer: ActiveUsers, click: Click) -> People:
    asked = answer.definition
    segment = click.label if asked.by else None
    upto = f"in the {asked.window.days} days up to" if asked.window else f"in the {asked.period} from"
    if asked.period == "day" and not asked.window:
        upto = "on"
    heading = f"People{_of(segment)} {upto} {click.x:%d %b %Y}"
    return heading, answer.people(f"{click.x:%Y-%m-%d}", segment=segment)


@behind.register(Lifecycle)
def _standing(answer: Lifecycle, click: Click) -> People:
    heading = f"People {click.label} in the {answer.definition.period} from {click.x:%d %b %Y}"
    return heading, answer.people(f"{click.x:%Y-%m-%d}", click.label)  # type: ignore[arg-type] # a line a status


@behind.register(Stickiness)
def _in_so_many_periods(answer: Stickiness, click: Click) -> People:
    least = "at least " if answer.definition.cumulative else ""
    return f"People of {least}{click.x} {answer.definition.period}s", answer.people(int(str(click.x)))


@behind.register(Transitions)
@behind.register(Graph)
def _who_went(answer: Transitions | Graph, click: Click) -> People:
    before, after = str(click.row), str(click.x)
    return f"People who went from {before} to {after}", answer.people(before, after)


@behind.register(StepSankey)
def _who_went_at_step(answer: StepSankey, click: Click) -> People:
    before, after, step = str(click.row), str(click.x), int(answer.frame["step"].iloc[click.at])
    heading = f"People who went from {before} ({_signed(step)}) to {after} ({_signed(step + 1)})"
    return f"{heading}, counted from {answer.walk.around}", answer.people(step, before, after)


@behind.register(StepMatrix)
def _at_event(answer: StepMatrix, click: Click) -> People:
    event, step = str(click.row), int(str(click.x))
    return f"People at {event} ({_signed(step)}), counted from {answer.walk.around}", answer.people(event, step)


@behind.register(PlatformCorrelation)
def _on_both(answer: PlatformCorrelation, click: Click) -> People:
    one, other = str(click.row), str(click.x)
    return f"People on {one} and {other}", answer.people(one, other)


@behind.register(RaidActivity)
@behind.register(RaidFacts)
def _in_raid(answer: RaidActivity | RaidFacts, click: Click) -> People:
    raid = answer.drawn()[click.label].iloc[click.at]
    started = f"{raid['started_at'].tz_convert(answer.definition.tz):%d %b %Y %H:%M}"
    return f"People who joined {raid['raid_id']}, started {started}", answer.people(raid["raid_id"])


@behind.register(Profiles)
def _of_so_many_days(answer: Profiles, click: Click) -> People:
    return f"People who were active on {click.x} days", answer.people(active_days=str(click.x))


def _signed(step: int) -> str:
    return f"{step:+d}" if step else "0"


def _of(segment: str | None) -> str:
    return f" of {segment}" if segment else ""
