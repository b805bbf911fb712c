"""What moved between two reports: every number that differs, and for those that can be asked again, why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import nbformat
import pandas as pd

from workbench import config
from workbench.errors import WorkbenchError
from workbench.metrics.changes import explain_change
from workbench.reports import catalog, pins
from workbench.reports.pins import Pins
from workbench.results import Answer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MOST: Final = 12
"""Numbers of one answer that are named; of the others, how many there are."""

_KEYS: Final = {
    "step", "period", "cohort", "event", "segment", "state", "platform", "check", "about", "group", "raid_id", "day",
    "endpoint", "model", "started_at",
}  # fmt: skip
"""Columns that say what a row is about, whatever their type."""


@dataclass(frozen=True)
class Moved:
    """What moved.

    Attributes:
        frame: One row per number: `answer`, `row`, `column`, `before`, `after`.
        made_from: What the reports were made from and what of it differs, in words.
        answers_moved: The answers with another number, in the order of the report.
        same: How many answers have the same numbers.
    """

    frame: pd.DataFrame
    made_from: tuple[str, ...]
    answers_moved: tuple[str, ...]
    same: int

    def told(self) -> str:
        """Say it in lines."""
        lines = [*self.made_from]
        for name in self.answers_moved:
            own = self.frame[self.frame["answer"] == name]
            lines.append(f"{name}: {len(own)} numbers moved")
            for row in own.head(MOST).itertuples():
                lines.append(f"  {row.row} {row.column}: {_shown(row.before)} → {_shown(row.after)}")  # noqa: PERF401
            if len(own) > MOST:
                lines.append(f"  … and {len(own) - MOST} more")
        rest = f"{self.same} answers have the same numbers." if self.same else ""
        return "\n".join([*lines, *([rest] if rest else [])])


def between(one: Path, other: Path) -> Moved:
    """Compare the numbers of two reports.

    Args:
        one: Folder of the earlier one.
        other: Folder of the later one.
    """
    before, after = Pins.read(one), Pins.read(other)
    known = {answer.name: answer for answer in before.answers}
    rows, moved, same = list[dict[str, Any]](), list[str](), 0
    for answer in after.answers:
        if answer.name not in known:
            continue
        if known[answer.name].frame_hash == answer.frame_hash:
            same += 1
            continue
        moved.append(answer.name)
        rows += _numbers(answer.name, pins.frame(one, answer.name), pins.frame(other, answer.name))
    frame = pd.DataFrame(rows, columns=["answer", "row", "column", "before", "after"])
    return Moved(frame, _made_from(before, after), tuple(moved), same)


def why(one: Path, other: Path, *, names: Sequence[str], store: str) -> str:
    """Ask the questions of both reports again, each of the events as they were known then, and explain the change.

    The notebook of the catalog is what asks; where it is not the one that a report was made with, that is said.

    Args:
        one: Folder of the earlier one.
        other: Folder of the later one.
        names: The answers to explain.
        store: Where the events are.
    """
    before, after = (_asked_again(Pins.read(folder), store) for folder in (one, other))
    lines = []
    for name in names:
        if name not in before or name not in after:
            lines.append(f"{name}: the notebook of today has no such answer")
            continue
        try:
            lines.append(f"{name}: {explain_change(before[name], after[name]).reading()}")
        except WorkbenchError as error:
            lines.append(f"{name}: {error}")
    return "\n".join(lines)


def _asked_again(made: Pins, store: str) -> dict[str, Answer]:
    """Run the cells of a report's notebook here, and return the answers that it came to."""
    path = catalog.report(made.report).path
    nb = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    given = made.values | {"lake": store, "known_at": made.known_at, "until": made.until}
    names: dict[str, Any] = {}
    with config.store_of_children(store):
        for cell in nb.cells:
            if cell.cell_type == "code":
                exec(compile(cell.source, str(path), "exec"), names)  # noqa: S102 - as a kernel would, of our own project
                if "parameters" in cell.metadata.get("tags", []):
                    names |= given
    return {name: value for name, value in names.items() if isinstance(value, Answer)}


def _made_from(before: Pins, after: Pins) -> tuple[str, ...]:
    """Say what of the makings of two reports differs."""
    pairs = {
        "parameters": (before.values, after.values), "data up to": (before.until, after.until),
        "known at": (before.known_at, after.known_at), "data": (before.data_version, after.data_version),
        "notebook": (before.notebook_hash, after.notebook_hash), "code": (before.code_hash, after.code_hash),
        "settings": (before.settings_hash, after.settings_hash),
    }  # fmt: skip
    return tuple(f"{name}: {one} → {other}" for name, (one, other) in pairs.items() if one != other)


def _numbers(name: str, before: pd.DataFrame, after: pd.DataFrame) -> list[dict[str, Any]]:
    """Compare two frames of one question, row by row; a row that only one has is compared with nothing."""
    keys = [column for column in after.columns if column in _KEYS or not pd.api.types.is_numeric_dtype(after[column])]
    keys = [column for column in keys if column in before.columns and not pd.api.types.is_bool_dtype(after[column])]
    one, other = (_indexed(frame, keys) for frame in (before, after))
    columns = [column for column in after.columns if column in before.columns and column not in keys]
    rows = []
    for row in dict.fromkeys([*other.index, *one.index]):
        for column in columns:
            was, now = (frame[column].get(row) for frame in (one, other))
            if not _equal(was, now):
                rows.append({"answer": name, "row": row, "column": column, "before": was, "after": now})
    return rows


def _indexed(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Name each row by its keys, and rows that these do not tell apart by their number."""
    named = frame[keys].astype(str).agg(" ".join, axis=1) if keys else pd.Series("", index=frame.index)
    repeated = named.groupby(named).cumcount()
    return frame.set_axis(named.where(repeated == 0, named + " #" + (repeated + 1).astype(str)), axis=0)


def _equal(was: Any, now: Any) -> bool:  # noqa: ANN401
    if was is None or now is None or pd.isna(was) or pd.isna(now):
        return (was is None or bool(pd.isna(was))) and (now is None or bool(pd.isna(now)))
    return (
        bool(abs(was - now) <= 1e-9 * max(abs(was), abs(now), 1)) if isinstance(now, int | float) else bool(was == now)
    )


def _shown(value: Any) -> str:  # noqa: ANN401
    if value is None or pd.isna(value):
        return "nothing"
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
