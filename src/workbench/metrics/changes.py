"""Why a number is another one than it was: late events, duplicates, removed events, the definition, or the code."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pandas as pd

from workbench.charts.spec import Bars, Chart
from workbench.errors import InvalidArgument, UnknownEvent, UnknownProperty
from workbench.metrics import activity, funnels, lifecycle, retention, stickiness
from workbench.metrics.changed_events import DUPLICATES, stages
from workbench.metrics.funnel_definition import FunnelDefinition
from workbench.metrics.retention_definition import RetentionDefinition
from workbench.results import Answer, Definition

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from workbench.store.base import Snapshot

CODE, TIME, PEOPLE = "code", "time passed", "definition: people"

_ASK: Final[dict[type[Definition], Callable[..., Answer]]] = {
    activity.ActiveUsersDefinition: activity.active_users,
    lifecycle.LifecycleDefinition: lifecycle.lifecycle,
    stickiness.StickinessDefinition: stickiness.stickiness,
}
"""Questions whose options are named as the fields of their definitions."""


@dataclass(frozen=True, kw_only=True)
class ChangeDefinition(Definition):
    """What was compared."""

    question: ClassVar[str] = "explain_change"
    old: Definition
    new: Definition


@dataclass(frozen=True, kw_only=True, eq=False)
class Change(Answer):
    """A change of one number, split by cause.

    `frame` has one row per cause: `cause`, `change`, `events` (how many it is about; 0 for a cause that is none of
    events). The changes add up to the difference; a rate of nobody counts as 0. `late events`: had occurred before,
    and came after, the old answer. `duplicates`: of events that came more than once (one `event_id`) the first ingested
    counts, so a copy that came since either counts for nothing or, if it was ingested before, takes the place of the
    other. `removed events`: known to the old answer, and not kept any more (expired, or taken out). `time passed`: the
    new answer sees later events, as of its `now`. `definition: …`: an option that differs, each after the ones before
    it. `code`: the same question of the same events gives another number.
    """

    definition: ChangeDefinition
    old: float
    new: float

    def chart(self) -> Chart:
        """Draw a bar per cause."""
        bars = Bars(x=tuple(self.frame["cause"]), y=tuple(self.frame["change"]))
        told = f"from {self.old:,.4g} to {self.new:,.4g}"
        return Chart(title=f"Why the number changed, {told}", y_label="change", y_format="decimal", marks=(bars,))

    def _reading(self) -> str:
        """Say what changed the number most."""
        moved = self.frame[self.frame["change"] != 0].sort_values("change", key=abs, ascending=False)
        told = f"The number went from {self.old:,.4g} to {self.new:,.4g}"
        if moved.empty:
            return f"{told}: nothing changed it.{self._ignored()}"
        columns = (moved[name].tolist() for name in ("cause", "change", "events"))
        causes = "; ".join(
            f"{cause} {change:+,.4g}" + (f" ({events:,} events)" if events else "")
            for cause, change, events in zip(*columns, strict=True)
        )
        return f"{told}: {causes}.{self._ignored()}"

    def _ignored(self) -> str:
        """Say how many repeated events count for nothing."""
        rows = self.frame[
            (self.frame["cause"] == DUPLICATES) & (self.frame["change"] == 0) & (self.frame["events"] > 0)
        ]
        return f" {rows['events'].iloc[0]:,} repeated events count once, as before." if len(rows) else ""


def explain_change(old: Answer, new: Answer, *, number: Callable[[Any], float] | None = None) -> Change:
    """Split the difference of a number between two answers to one question by what caused it.

    The old question is asked again, with one thing changed at a time: of its own events, of those of them that are
    still kept, with the copies of them that count now, of all events of the new version, then with each option that
    differs, `now` first.

    Args:
        old: An answer.
        new: Another to the same question: of another version of the data, or with other options.
        number: What is explained; by default the conversion rate of a funnel, the mean rate of the first period of
            retention, and otherwise the people of the last period that is over.

    Raises:
        InvalidArgument: They answer different questions, or such that cannot be asked again.

    >>> from workbench.metrics.activity import active_users
    >>> from workbench.testing import store_of
    >>> events = store_of({"ann": "view:0", "bob": "buy:5"}).snapshot()
    >>> one, other = (active_users(events, event=event, now="2026-01-07") for event in (None, "buy"))
    >>> explain_change(one, other).reading()
    'The number went from 2 to 1: definition: event -1.'
    """
    if type(old) is not type(new):
        raise InvalidArgument(f"a {type(old).__name__} and a {type(new).__name__} answer different questions")
    before, after = _snapshot(old), _snapshot(new)
    path = [(CODE, before, old.definition, 0), *_between(before, after, old, new)]
    path += [(cause, after, definition, 0) for cause, definition in _options(old.definition, new.definition)]

    def told(answer: Answer) -> float:
        value = float((number or _headline)(answer))
        return 0.0 if isnan(value) else value

    value, asked, here, rows = told(old), old.definition, before, []
    for cause, snapshot, definition, events in path:
        if cause == CODE or snapshot is not here or definition is not asked:
            there = _told_again(told, snapshot, definition)
            rows.append((cause, there - value, events))
            value, asked, here = there, definition, snapshot
        else:
            rows.append((cause, 0.0, events))
    rows.append((CODE, told(new) - value, 0))
    changes = (
        pd.DataFrame(rows, columns=["cause", "change", "events"]).groupby("cause", sort=False, as_index=False).sum()
    )
    return Change(
        frame=changes,
        sql=new.sql,
        definition=ChangeDefinition(old=old.definition, new=new.definition),
        data_version=new.data_version,
        old=told(old),
        new=told(new),
    )


def _between(
    before: Snapshot, after: Snapshot, old: Answer, new: Answer
) -> list[tuple[str, Snapshot, Definition, int]]:
    """Go from the events of one answer to those of another: of other people, or of another version."""
    if before.people == after.people:
        now: datetime = vars(old.definition)["now"]  # every question that can be asked again has one
        return [(stage.cause, stage.snapshot, old.definition, stage.events) for stage in stages(before, after, now)]
    if old.data_version != new.data_version or before.known_at != after.known_at:
        raise InvalidArgument("the answers differ in whom they ask and in the events they know: change one at a time")
    return [(PEOPLE, after, old.definition, 0)]


def _options(old: Definition, new: Definition) -> list[tuple[str, Definition]]:
    """Change what differs one option after the other, `now` first; return each cause and the definition then."""
    fields = [field.name for field in dataclasses.fields(old) if field.name != "people"]
    names = [name for name in fields if getattr(old, name) != getattr(new, name)]
    steps, definition = [], old
    for name in sorted(names, key=lambda name: name != "now"):
        definition = dataclasses.replace(definition, **{name: getattr(new, name)})
        steps.append((TIME if name == "now" else f"definition: {name}", definition))
    return steps


def _snapshot(answer: Answer) -> Snapshot:
    snapshot: Snapshot | None = getattr(answer, "snapshot", None)
    if snapshot is None or not (type(answer.definition) in _ASK or isinstance(answer.definition, _RESOLVED)):
        raise InvalidArgument(f"a {type(answer).__name__} cannot be asked again, so its change cannot be explained")
    return snapshot


_RESOLVED: Final = (FunnelDefinition, RetentionDefinition)


def _told_again(told: Callable[[Answer], float], snapshot: Snapshot, definition: Definition) -> float:
    """Return the number of a question asked again; 0 where its event is not there any more, or not yet."""
    try:
        return told(_again(snapshot, definition))
    except (UnknownEvent, UnknownProperty):
        return 0.0


def _again(snapshot: Snapshot, definition: Definition) -> Answer:
    """Ask a question again."""
    if isinstance(definition, FunnelDefinition):
        return funnels.answer(snapshot, definition)
    if isinstance(definition, RetentionDefinition):
        return retention.asked(snapshot, definition)
    options = {field.name: getattr(definition, field.name) for field in dataclasses.fields(definition)}
    return _ASK[type(definition)](snapshot, **{name: value for name, value in options.items() if name != "people"})


def _headline(answer: Any) -> float:  # noqa: ANN401
    """Return the number by which an answer is known."""
    if isinstance(answer, funnels.Funnel):
        return answer.conversion_rate
    if isinstance(answer, retention.Retention):
        first = answer.mean[answer.mean["period"] == 1]["retention_rate"]
        return float(first.iloc[0]) if len(first) else float("nan")
    over = answer.frame[answer.frame["mature"]] if "mature" in answer.frame else answer.frame
    return float(over["users"].iloc[-1]) if len(over) else 0.0
