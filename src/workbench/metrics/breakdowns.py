"""Breakdowns: people told apart by a field or a property, the most common values each a segment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.metrics.plain import Codes
from workbench.metrics.steps import column
from workbench.metrics.words import words

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from workbench.store.base import Snapshot

MOST_SEGMENTS: Final = 25
"""Values that are told apart; the others are one segment."""

OTHER, NOTHING = "(other)", "(none)"
"""What the segments of all other values and of no value are called, where no value is called so."""

PLAIN: Final = ("platform",)
"""Fields of few values, which are quicker to look up than to ask for."""


@dataclass(frozen=True, slots=True)
class Breakdown:
    """How rows name a segment.

    Attributes:
        names: The segments, the largest first; then that of all other values, and that of none. One, without a name,
            where nothing is broken down.
        code: SQL of a small integer per row, which `places` turns into places in `names`.
        params: The values bound in it.
        codes: The same integer, where a plain column of the events names the segment.
    """

    names: tuple[str, ...]
    code: str
    params: Mapping[str, object] = field(default_factory=dict)
    codes: Codes | None = None

    def places(self, codes: NDArray[Any]) -> NDArray[np.int64]:
        """Return the place of each row's segment in `names`."""
        if len(self.names) == 1:
            return np.zeros(len(codes), dtype=np.int64)
        known = len(self.names) - 2
        return np.where(codes > 0, codes - 1, np.where(codes < 0, known + 1, known)).astype(np.int64)

    @property
    def nothing(self) -> int:
        """The place of the segment of those who have no value."""
        return len(self.names) - 1


def apart(label: str, taken: Collection[object]) -> str:
    """Return a label that is no value: in parentheses once more for as long as a value reads like it.

    >>> apart("(none)", ["free"]), apart("(none)", ["free", "(none)"])
    ('(none)', '((none))')
    """
    while label in taken:
        label = f"({label})"
    return label


class Label(str):
    """The name of a segment that is no value, however it reads."""

    __slots__ = ()


class Rest(Label):
    """The name of the segment of all other values."""

    __slots__ = ()


def labels(values: Collection[object]) -> tuple[Rest, Label]:
    """Return the names of the segments of all other values and of no value, neither of them a value."""
    return Rest(apart(OTHER, values)), Label(apart(NOTHING, values))


def rest_told(names: Collection[object]) -> str:
    """Say that rare values are one segment, where they are; empty text where all are told apart."""
    rest = next((name for name in names if isinstance(name, Rest)), None)
    if rest is None:
        return ""
    values = sum(not isinstance(name, Label) for name in names)
    return f"The {values:,} values that most people have are told apart; all others are {rest}."


def breakdown(snapshot: Snapshot, by: str | None, *, where: str, params: Mapping[str, object]) -> Breakdown:
    """Find the values that most people have.

    Args:
        snapshot: The events.
        by: A field or a property; nothing is broken down if it is `None`.
        where: SQL of the rows whose values count.
        params: The values bound in it, `$now` among them.
    """
    own = words(snapshot.engine)
    if by is None:
        return Breakdown(("",), own.short("0"))
    text, bound = column(by, "by", own)
    sql = (
        f"SELECT value FROM (SELECT user_key, {text} AS value FROM events "  # noqa: S608 - our own words
        f"WHERE ({where}) AND occurred_at <= $now) AS valued "
        f"WHERE value IS NOT NULL GROUP BY value ORDER BY count(DISTINCT user_key) DESC, value LIMIT {MOST_SEGMENTS}"
    )
    values: list[str] = snapshot.query(sql, {**params, **bound})["value"].to_pylist()
    code = own.short(f"CASE WHEN {text} IS NULL THEN -1 ELSE {own.place(text, '$values')} END")
    places = {value: place for place, value in enumerate(values, start=1)}
    codes = Codes(by, places, none=-1) if by in PLAIN else None
    return Breakdown((*values, *labels(values)), code, {**bound, "values": values}, codes)
