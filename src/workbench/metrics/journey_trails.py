"""Paths in columns: the events of everybody in order, cut where a path ends."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from workbench.errors import InvalidArgument
from workbench.metrics import arguments, sequences

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from workbench.metrics.plain import Plain
    from workbench.metrics.sequences import Rows, Runs
    from workbench.store.base import Snapshot

Result = TypeVar("Result")

ARROW: Final = " → "


@dataclass(frozen=True, slots=True)
class Trails:
    """Paths in columns.

    Attributes:
        names: The events, in alphabetical order.
        starts: Where each path begins in `code` and `at`; and behind the last where it ends.
        person: Place of each path's person in `user_key`; the paths of a person follow each other.
        code: Place of each event in `names`.
        at: When each was, in microseconds since 1970.
        user_key: Who.
    """

    names: tuple[str, ...]
    starts: NDArray[np.int64]
    person: NDArray[np.int64]
    code: NDArray[np.int16]
    at: NDArray[np.int64]
    user_key: NDArray[np.int64]

    @property
    def paths(self) -> int:
        """How many there are."""
        return len(self.person)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """How many events each path has."""
        return np.diff(self.starts)

    def place(self, event: str) -> int:
        """Return the place of an event.

        Raises:
            InvalidArgument: No path has it.
        """
        if event not in self.names:
            raise InvalidArgument(f"no path has {arguments.unknown(str(event), self.names)}")
        return self.names.index(event)

    def places(self, events: Sequence[str]) -> NDArray[np.int64]:
        """Return the places of some events; raises as `place`."""
        return np.array([self.place(event) for event in events], dtype=np.int64)

    def anchors(self, events: Sequence[str]) -> NDArray[np.int64]:
        """Find the row of each path at which some events first follow each other; -1 where they never do."""
        from workbench.metrics.kernels.journeys import anchors  # noqa: PLC0415 - loads Numba

        found: NDArray[np.int64] = anchors(self.starts, self.code, self.places(events))
        return found

    def only(self, chosen: NDArray[np.bool_]) -> Trails:
        """Keep some paths."""
        rows = np.repeat(chosen, self.lengths)
        starts = np.concatenate([[0], np.cumsum(self.lengths[chosen])])
        return replace(self, starts=starts, person=self.person[chosen], code=self.code[rows], at=self.at[rows])

    def among(self, names: tuple[str, ...]) -> Trails:
        """Count the events among others as well: `names` has all of these, in alphabetical order."""
        places = np.array([names.index(name) for name in self.names], dtype=np.int16)
        return replace(self, names=names, code=places[self.code])

    def collapsed(self) -> Trails:
        """Leave out events that repeat the one before them in their path."""
        from workbench.metrics.kernels.journeys import fresh  # noqa: PLC0415 - loads Numba

        kept = fresh(self.starts, self.code)
        starts = np.concatenate([[0], np.cumsum(kept)])[self.starts]
        return replace(self, starts=starts, code=self.code[kept], at=self.at[kept])

    def written(self, path: int, *, most: int = 10) -> str:
        """Write a path, or its beginning, as text."""
        codes = self.code[self.starts[path] : self.starts[path + 1]]
        shown = [self.names[code] for code in codes[:most]]
        return ARROW.join([*shown, f"… {len(codes) - most:,} more"] if len(codes) > most else shown)


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where paths are read from, part by part.

    Attributes:
        snapshot: Whom to ask.
        sql: Gives the rows: as `sequences.by_person` wants them, with a `code`, the place in `names` from 1; and with
            `person`, where `user_key` is of a session.
        params: The values bound in it.
        plain: The same rows as plain columns of the events, where they are.
        names: The events, in alphabetical order.
        gap: A longer pause begins another path, in microseconds; negative for none.
        collapse: Leave out rows that repeat the one before them in their path.
        given: Whether what has one `user_key` is a session, and not all that a person did.
    """

    snapshot: Snapshot
    sql: str
    params: Mapping[str, object]
    plain: Plain | None
    names: tuple[str, ...]
    gap: int
    collapse: bool
    given: bool

    def each_unordered(self, kernel: Callable[[Runs], Result]) -> list[Result]:
        """Give the rows of each part of the people to a kernel that brings them into order and cuts them itself."""
        return sequences.by_group(self.snapshot, self.sql, self.params, kernel, plain=self.plain)

    def whole(self) -> Trails:
        """Read the paths of everybody."""
        parts = sequences.by_person(self.snapshot, self.sql, self.params, self._trails, tie="code", plain=self.plain)
        rows = np.cumsum([0, *(len(part.code) for part in parts)])
        people = np.cumsum([0, *(len(part.user_key) for part in parts)])
        starts = [part.starts[:-1] + offset for part, offset in zip(parts, rows, strict=False)]
        return Trails(
            names=self.names,
            starts=np.concatenate([*starts, rows[-1:]]),
            person=np.concatenate([part.person + offset for part, offset in zip(parts, people, strict=False)]),
            code=np.concatenate([part.code for part in parts]),
            at=np.concatenate([part.at for part in parts]),
            user_key=np.concatenate([part.user_key for part in parts]),
        )

    def _trails(self, rows: Rows) -> Trails:
        from workbench.metrics.kernels.journeys import cut  # noqa: PLC0415 - loads Numba

        starts, person = cut(rows.first, rows.at, self.gap)
        code = np.subtract(rows.columns["code"], 1, dtype=np.int16, casting="unsafe")
        cut_ = Trails(self.names, starts, person, code, rows.at, rows.user_key)
        if "person" in rows.columns:
            cut_ = _of_people(cut_, rows.columns["person"][rows.first[:-1]][person])
        return cut_.collapsed() if self.collapse else cut_


def _of_people(sessions: Trails, owner: NDArray[np.int64]) -> Trails:
    """Put paths that are sessions after each other by person, then time; `owner` is whose each is."""
    who, person = np.unique(owner, return_inverse=True)
    order = np.lexsort((sessions.at[sessions.starts[:-1]], person))
    lengths = sessions.lengths[order]
    rows = np.repeat(sessions.starts[:-1][order] - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
    return Trails(
        names=sessions.names,
        starts=np.concatenate([[0], np.cumsum(lengths)]),
        person=person[order],
        code=sessions.code[rows],
        at=sessions.at[rows],
        user_key=who,
    )
