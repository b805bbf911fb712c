"""What happened in one minute of event time, second by second, and how a batch is added to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from workbench.store.live_sketch import NONE
from workbench.store.live_state import MINUTE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from workbench.store.live_batch import Batch, Names

_BITS: Final = 20
"""Room for each part of a key: no minute has a million event types, or bins."""


def _seconds() -> NDArray[np.int64]:
    return np.zeros(MINUTE, dtype=np.int64)


def _table(columns: int) -> NDArray[np.int64]:
    return np.empty((0, columns), dtype=np.int64)


def _people() -> NDArray[np.int64]:
    return np.empty(0, dtype=np.int64)


@dataclass(slots=True)
class Minute:
    """The numbers of one minute; seconds are those of the minute, from 0.

    Attributes:
        platforms: Names that `cells` refer to.
        types: Names of event types that `cells` refer to.
        cells: Rows of second, platform, event type, and how many events that was.
        bins: Rows of second, bin of `live_sketch`, and how many response times are in it.
        errors: Per second how many requests failed.
        users: The distinct `user_key`s, ascending.
        revised: Per second how many events came after the second was closed.
        changed: Per second the transaction that revised it last.
        reopened: How many events came after the minute was closed.
    """

    platforms: list[str | None] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    cells: NDArray[np.int64] = field(default_factory=lambda: _table(4))
    bins: NDArray[np.int64] = field(default_factory=lambda: _table(3))
    errors: NDArray[np.int64] = field(default_factory=_seconds)
    users: NDArray[np.int64] = field(default_factory=_people)
    revised: NDArray[np.int64] = field(default_factory=_seconds)
    changed: NDArray[np.int64] = field(default_factory=_seconds)
    reopened: int = 0

    @property
    def events(self) -> NDArray[np.int64]:
        """Events per second."""
        return np.bincount(self.cells[:, 0], self.cells[:, 3], minlength=MINUTE).astype(np.int64)

    def of_types(self, wanted: tuple[str, ...]) -> NDArray[np.int64]:
        """Events of some types per second."""
        codes = [code for code, name in enumerate(self.types) if name in wanted]
        cells = self.cells[np.isin(self.cells[:, 2], codes)]
        return np.bincount(cells[:, 0], cells[:, 3], minlength=MINUTE).astype(np.int64)

    def timed(self) -> NDArray[np.int64]:
        """Requests with a response time per second."""
        return np.bincount(self.bins[:, 0], self.bins[:, 2], minlength=MINUTE).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Addition:
    """The events of a batch that belong to one minute.

    Attributes:
        start: The first second of the minute, since 1970.
        rows: Which rows of the batch.
        closed: Seconds before this one are closed, and so revised.
        transaction: In which they are added.
    """

    start: int
    rows: NDArray[np.int64]
    closed: int
    transaction: int


def add(minute: Minute, batch: Batch, new: Addition) -> None:
    """Add some events of a batch to their minute."""
    second = batch.occurred[new.rows] // 1_000_000 - new.start
    platform = _translated(batch.platform, new.rows, minute.platforms)
    event_type = _translated(batch.event_type, new.rows, minute.types)
    minute.cells = counted(minute.cells, np.column_stack([second, platform, event_type]))
    minute.users = _joined(minute.users, batch.user[new.rows])
    _add_requests(minute, batch, new)
    late = second[second + new.start < new.closed]
    if len(late):
        minute.revised += np.bincount(late, minlength=MINUTE)
        minute.changed[np.unique(late)] = new.transaction
        minute.reopened += len(second) if new.start + MINUTE <= new.closed else 0


def _joined(known: NDArray[np.int64], users: NDArray[np.int64]) -> NDArray[np.int64]:
    """Add people to ascending ones; most are known already, and then nothing is moved."""
    came = np.sort(users)
    came = came[np.concatenate([[True], came[1:] != came[:-1]])]
    if len(known):
        place = np.minimum(np.searchsorted(known, came), len(known) - 1)
        came = came[known[place] != came]
    return np.sort(np.concatenate([known, came]), kind="stable") if len(came) else known


def _add_requests(minute: Minute, batch: Batch, new: Addition) -> None:
    mine = np.isin(batch.asked, new.rows, assume_unique=True)
    second = batch.occurred[batch.asked[mine]] // 1_000_000 - new.start
    minute.errors += np.bincount(second[batch.failed[mine]], minlength=MINUTE)
    place = batch.bin[mine]
    timed = place != NONE
    minute.bins = counted(minute.bins, np.column_stack([second[timed], place[timed]]))


def _translated(names: Names, rows: NDArray[np.int64], known: list[Any]) -> NDArray[np.int64]:
    """Number the values of some rows as a minute does, which learns those that it has not met."""
    codes = names.codes[rows]
    table = np.zeros(len(names.values), dtype=np.int64)
    for code in np.unique(codes).tolist():
        value = names.values[code]
        if value not in known:
            known.append(value)
        table[code] = known.index(value)
    return table[codes]


def counted(old: NDArray[np.int64], new: NDArray[np.int64]) -> NDArray[np.int64]:
    """Add rows, one each, to counts by row; the last column of `old` counts."""
    if not len(new):
        return old
    width = new.shape[1]
    keys = np.concatenate([_key(old[:, :width]), _key(new)])
    counts = np.concatenate([old[:, width], np.ones(len(new), dtype=np.int64)])
    distinct, where = np.unique(keys, return_inverse=True)
    parts = [(distinct >> (_BITS * place)) & ((1 << _BITS) - 1) for place in reversed(range(width))]
    return np.column_stack([*parts, np.bincount(where, counts).astype(np.int64)])


def _key(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    key = np.zeros(len(rows), dtype=np.int64)
    for column in rows.T:
        key = (key << _BITS) | column
    return key


class _Packed(msgspec.Struct, array_like=True):
    """A minute as bytes: counts in 32 bits, keys of people in 64."""

    platforms: list[str | None]
    types: list[str]
    cells: bytes
    bins: bytes
    errors: bytes
    users: bytes
    revised: bytes
    changed: bytes
    reopened: int


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(_Packed)
_SHORT: Final = np.dtype("<i4")
_LONG: Final = np.dtype("<i8")


def pack(minute: Minute) -> bytes:
    """Write a minute as bytes."""
    return _ENCODER.encode(
        _Packed(
            minute.platforms,
            minute.types,
            minute.cells.astype(_SHORT).tobytes(),
            minute.bins.astype(_SHORT).tobytes(),
            minute.errors.astype(_SHORT).tobytes(),
            minute.users.astype(_LONG).tobytes(),
            minute.revised.astype(_SHORT).tobytes(),
            minute.changed.astype(_LONG).tobytes(),
            minute.reopened,
        )
    )


def unpack(packed: bytes | None) -> Minute:
    """Read a minute from bytes; an empty one where there are none."""
    if packed is None:
        return Minute()
    read = _DECODER.decode(packed)
    return Minute(
        platforms=read.platforms,
        types=read.types,
        cells=_ints(read.cells, _SHORT).reshape(-1, 4),
        bins=_ints(read.bins, _SHORT).reshape(-1, 3),
        errors=_ints(read.errors, _SHORT),
        users=_ints(read.users, _LONG),
        revised=_ints(read.revised, _SHORT),
        changed=_ints(read.changed, _LONG),
        reopened=read.reopened,
    )


def _ints(packed: bytes, kind: np.dtype[np.signedinteger[Any]]) -> NDArray[np.int64]:
    return np.frombuffer(packed, dtype=kind).astype(np.int64)
