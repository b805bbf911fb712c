"""Why a number is another one than it was: late events, removed ones, the definition, or the code."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pandas as pd

from workbench.charts.spec import Bars, Chart
from workbench.errors import InvalidArgument
from workbench.metrics import activity, funnels, lifecycle, retention, stickiness
from workbench.metrics.funnel_definition import FunnelDefinition
from workbench.metrics.retention_definition import RetentionDefinition
from workbench.results import Answer, Definition

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from workbench.store.base import Snapshot

CODE, REMOVED, LATE, TIME = "code", "removed events", "late events", "time passed"

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

    `frame` has one row per cause: `cause`, `change`; the changes add up to the difference. `late events`: had occurred
    before, and were ingested after, the old answer. `removed events`: known to the old answer, and not kept any more
    (expired, or taken out). `time passed`: the new answer sees later events, as of its `now`. `definition: …`: an
    option that differs, each after the ones before it. `code`: the same question of the same events gives another
    number.
    """

    definition: ChangeDefinition
    old: float
    new: float

    def chart(self) -> Chart:
        """Draw a bar per cause."""
        bars = Bars(x=tuple(self.frame["cause"]), y=tuple(self.frame["change"]))
        told = f"from {self.old:,.4g} to {self.new:,.4g}"
        return Chart(title=f"Why the number changed, {told}", y_label="change", y_format="decimal", marks=(bars,))

    def reading(self) -> str:
        """Say what changed the number most."""
        moved = self.frame[self.frame["change"] != 0].sort_values("change", key=abs, ascending=False)
        told = f"The number went from {self.old:,.4g} to {self.new:,.4g}"
        if moved.empty:
            return f"{told}: nothing changed it."
        causes = "; ".join(f"{row.cause} {row.change:+,.4g}" for row in moved.itertuples())
        return f"{told}: {causes}."


def explain_change(old: Answer, new: Answer, *, number: Callable[[Any], float] | None = None) -> Change:
    """Split the difference of a number between two answers to one question by what caused it.

    The old question is asked again, with one thing changed at a time: of its own events, of those of the new version
    that it could have known, of all events of the new version, then with each option that differs, `now` first.

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
    told = number or _headline
    before, after = _snapshot(old), _snapshot(new)
    horizon: datetime | None = before.query("SELECT max(ingested_at) AS newest FROM events")["newest"][0].as_py()
    known = after.known(horizon) if horizon else after
    path = [(CODE, before, old.definition), (REMOVED, known, old.definition), (LATE, after, old.definition)]
    path += [(cause, after, definition) for cause, definition in _options(old.definition, new.definition)]
    value, rows = told(old), []
    for cause, snapshot, definition in path:
        here = told(_again(snapshot, definition))
        rows.append((cause, here - value))
        value = here
    rows.append((CODE, told(new) - value))
    changes = pd.DataFrame(rows, columns=["cause", "change"]).groupby("cause", sort=False, as_index=False).sum()
    return Change(
        frame=changes,
        sql=new.sql,
        definition=ChangeDefinition(old=old.definition, new=new.definition),
        data_version=new.data_version,
        old=told(old),
        new=told(new),
    )


def _options(old: Definition, new: Definition) -> list[tuple[str, Definition]]:
    """Change what differs one option after the other, `now` first; return each cause and the definition then."""
    names = [field.name for field in dataclasses.fields(old) if getattr(old, field.name) != getattr(new, field.name)]
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
