"""Who counts otherwise as a vendor reads the same funnel, and by which rule."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
import pandas as pd

from workbench.charts import formats
from workbench.charts.spec import Bars, Chart
from workbench.errors import InvalidArgument
from workbench.metrics import dialects, funnel_frames
from workbench.metrics.funnel_attempts import attempts
from workbench.metrics.funnel_definition import FunnelDefinition, Reading, checked_reading
from workbench.results import Answer, Definition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from workbench.metrics.dialects import Dialect
    from workbench.metrics.funnels import Funnel
    from workbench.store.base import Snapshot

TOGETHER: Final = "together"
"""What moved people whom no single rule moves."""


@dataclass(frozen=True, kw_only=True)
class ComparisonDefinition(Definition):
    """Which funnel, beside whose reading of it."""

    question: ClassVar[str] = "funnel in two readings"
    funnel: FunnelDefinition
    other: Reading
    dialect: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison(Answer):
    """The people who count otherwise in a vendor's reading.

    `frame` has one row per person who moved: `user_id`, `step` (the furthest in this funnel, 0 for not in it), `other`
    (in the vendor's reading), `rule` (the one option that alone moves them so, as it is there; or all of them,
    `together`), by step, then `user_id`.
    """

    definition: ComparisonDefinition
    steps: pd.DataFrame = field(repr=False)
    """One row per step: `step`, `event`, `users` here, `other` there."""

    def people(self, rule: str | None = None) -> list[str]:
        """List who moved, or whom one rule moved.

        Raises:
            InvalidArgument: No rule of that name moved anybody.
        """
        rules = sorted(set(self.frame["rule"]))
        if rule is not None and rule not in rules:
            raise InvalidArgument(f"rule must be one of {', '.join(map(repr, rules)) or 'none'}, got {rule!r}")
        chosen = self.frame if rule is None else self.frame[self.frame["rule"] == rule]
        return sorted(chosen["user_id"])

    def chart(self) -> Chart:
        """Draw both funnels side by side."""
        x = tuple(f"{step}. {event}" for step, event in zip(self.steps["step"], self.steps["event"], strict=True))
        here, there = (tuple(self.steps[name].astype(float).tolist()) for name in ("users", "other"))
        return Chart(
            title=f"{len(self.frame):,} people count otherwise as {self.definition.dialect} reads this funnel",
            marks=(Bars(x=x, y=here, label="this funnel"), Bars(x=x, y=there, label=self.definition.dialect)),
            y_label="people",
            note=f"this funnel: {self.definition.funnel.reading} · {self.definition.dialect}: {self.definition.other}",
        )

    def _reading(self) -> str:
        """Say how many moved, and by which rules."""
        name = self.definition.dialect
        if self.frame.empty:
            return f"Nobody counts otherwise as {name} reads this funnel: {self.definition.other}."
        last = self.steps.iloc[-1]
        rules = self.frame["rule"].value_counts()
        told = ", ".join(f"{count:,} by {rule}" for rule, count in rules.items())
        down = int((self.frame["other"] < self.frame["step"]).sum())
        return (
            f"As {name} reads it, {last['other']:,} people finish instead of {last['users']:,}. {len(self.frame):,} "
            f"count otherwise, {formats.number(down, 'count')} of them for fewer steps: {told}."
        )


def compare(funnel: Funnel, dialect: Dialect) -> Comparison:
    """List who counts otherwise as a vendor reads the same steps, window and time.

    Raises:
        InvalidArgument: There is no such dialect.
    """
    asked = replace(funnel.definition, by=None, attribution=None, top=None, once="person", counting="users")
    sets: Mapping[str, Any] = dialects.funnel(dialect, order=asked.order)
    names = ("anchor", "ties", "reuse", "exclusion", "grace", "first_step")
    own = {name: sets[name] for name in names if name in sets}
    here, there = asked.reading, checked_reading(own, (), asked.order, excluding=asked.exclude is not None)
    differing = [each.name for each in fields(Reading) if getattr(here, each.name) != getattr(there, each.name)]
    readings = [here, there, *(replace(here, **{name: getattr(there, name)}) for name in differing)]
    keys, steps = _furthest(funnel, [replace(asked, reading=_possible(reading)) for reading in readings])
    moved = np.flatnonzero(steps[0] != steps[1])
    rule = np.full(len(moved), TOGETHER, dtype=object)
    for name, alone in reversed(list(zip(differing, steps[2:], strict=True))):
        rule[alone[moved] == steps[1][moved]] = f"{name} {getattr(there, name)}"
    frame = pd.DataFrame(
        {
            "user_id": _names(funnel.snapshot, keys[moved]),
            "step": steps[0][moved],
            "other": steps[1][moved],
            "rule": rule,
        }
    )
    numbers = range(1, len(asked.steps) + 1)
    return Comparison(
        frame=frame.sort_values(["step", "user_id"], ignore_index=True),
        sql=funnel.sql,
        definition=ComparisonDefinition(people=asked.people, funnel=asked, other=there, dialect=dialect),
        data_version=funnel.data_version,
        notes=funnel.notes,
        steps=pd.DataFrame(
            {
                "step": numbers,
                "event": asked.labels,
                "users": [int((steps[0] >= number).sum()) for number in numbers],
                "other": [int((steps[1] >= number).sum()) for number in numbers],
            }
        ),
    )


def _possible(reading: Reading) -> Reading:
    """Return a reading without what only its modes rule."""
    return Reading(modes=reading.modes) if reading.modes else reading


def _furthest(funnel: Funnel, definitions: list[FunnelDefinition]) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    """Return everybody who enters in any of the readings, and their furthest step in each, 0 where they do not."""
    people = [funnel_frames.persons(attempts(funnel.snapshot, definition)) for definition in definitions]
    keys = np.unique(np.concatenate([each.user_key for each in people]))
    steps = []
    for each in people:
        furthest = np.zeros(len(keys), dtype=np.int64)
        furthest[np.searchsorted(keys, each.user_key)] = each.step
        steps.append(furthest)
    return keys, steps


def _names(snapshot: Snapshot, keys: NDArray[np.int64]) -> list[str]:
    """Return who is behind each key."""
    if not len(keys):
        return []
    rows = snapshot.query(_NAMES[snapshot.engine], {"keys": keys.tolist()}).to_pylist()
    names = {row["user_key"]: row["user_id"] for row in rows}
    return [names[key] for key in keys.tolist()]


_NAMES: Final = {
    "duckdb": "SELECT DISTINCT user_key, user_id FROM events WHERE user_key IN (SELECT unnest($keys))",
    "clickhouse": "SELECT DISTINCT user_key, user_id FROM events WHERE has($keys, user_key)",
}
