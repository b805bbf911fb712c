"""Rows that are plain columns of the events: read as they are stored, without asking a database to copy them.

Where a question needs nearly every row, to copy them out of a database takes longer than to answer it. A store that
can hands out its columns instead, and small integers are looked up here for what a text says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa

from workbench.metrics.calendars import micros

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from workbench.metrics.arguments import Span
    from workbench.store.base import Snapshot

Column: TypeAlias = "NDArray[Any]"

KEY, AT = "user_key", "at"


@dataclass(frozen=True, slots=True)
class Codes:
    """A column of small integers, by what a text column of the events says.

    Attributes:
        text: The column, such as `event_type`.
        codes: The integer of each text that has one.
        other: That of any other, and of none if not said otherwise.
        none: That of none.
        wanted: Whether rows are left out that have `other`.
    """

    text: str
    codes: Mapping[str, int]
    other: int = 0
    none: int | None = None
    wanted: bool = False


@dataclass(frozen=True, slots=True)
class Plain:
    """The rows from `since` up to `until` (exclusive) and `now`, in microseconds: `user_key`, `at`, and codes.

    Codes of one column are added up.
    """

    now: int
    since: int | None = None
    until: int | None = None
    codes: Sequence[tuple[str, Codes]] = ()

    @classmethod
    def within(cls, span: Span, codes: Sequence[tuple[str, Codes]]) -> Plain:
        """Take the time of a question."""
        now, since, until = (micros(span.entries()[name]) for name in ("now", "since", "until"))
        return cls(now, since, until, codes)


def plain_rows(snapshot: Snapshot, plain: Plain, *, part: int) -> dict[str, Column] | None:
    """Read the rows of one part of the people; `None` from a store that has to be asked."""
    texts = list(dict.fromkeys(codes.text for _, codes in plain.codes))
    until = plain.now + 1 if plain.until is None else min(plain.until, plain.now + 1)
    table = snapshot.scan([KEY, "occurred_at", *texts], part=part, since=plain.since, until=until)
    if table is None:
        return None
    columns: dict[str, Column] = {KEY: array(table[KEY]), AT: array(table["occurred_at"])}
    chosen = _inside(columns[AT], plain)
    for name, codes in plain.codes:
        found = _looked_up(table[codes.text], codes)
        columns[name] = columns[name] + found if name in columns else found
        if codes.wanted:
            chosen.append(found != codes.other)
    if not chosen:
        return columns
    kept = np.flatnonzero(np.logical_and.reduce(chosen))
    return {name: column[kept] for name, column in columns.items()}


def _inside(at: NDArray[np.int64], plain: Plain) -> list[NDArray[np.bool_]]:
    """Return what leaves out rows beyond the bounds, where there are any: that is rare, and to look is quick."""
    if not len(at):
        return []
    masks = [at <= plain.now] if at.max() > plain.now else []
    masks += [at >= plain.since] if plain.since is not None and at.min() < plain.since else []
    masks += [at < plain.until] if plain.until is not None and at.max() >= plain.until else []
    return masks


def _looked_up(column: pa.ChunkedArray, codes: Codes) -> Column:
    """Look up the code of each text; each chunk has a dictionary of its own."""
    none = codes.other if codes.none is None else codes.none
    largest = max(map(abs, (*codes.codes.values(), codes.other, none)))
    kind = np.min_scalar_type(-largest - 1)  # a signed integer reaches one further down than up
    found = np.empty(len(column), dtype=kind)
    start = 0
    for chunk in column.chunks:
        known = [codes.codes.get(text, codes.other) for text in chunk.dictionary.to_pylist()]
        table = np.array([*known, none], dtype=kind)
        places = chunk.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)
        np.take(table, places, out=found[start : start + len(chunk)], mode="clip")
        start += len(chunk)
    return found


def array(column: pa.ChunkedArray) -> Column:
    """Return a column as NumPy, instants as microseconds since 1970."""
    chunks = [_bare(chunk) for chunk in column.chunks]
    return chunks[0] if len(chunks) == 1 else np.concatenate([*chunks, _bare(column.slice(0, 0).combine_chunks())])


def _bare(chunk: pa.Array) -> Column:
    if pa.types.is_timestamp(chunk.type):
        chunk = chunk.cast(pa.timestamp("us", "UTC")).view(pa.int64())
    return np.asarray(chunk.to_numpy(zero_copy_only=False))
