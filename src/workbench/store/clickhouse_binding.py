"""What is bound in a statement for ClickHouse: each `$name` with its type, as it wants it."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from workbench.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_MANY: Final = 1_000
"""More integers than this travel as bytes: as text, ClickHouse reads some 100,000 of them forever."""


_SAFE_YEARS: Final = range(1980, 2280)
"""Years in which an instant is nine or ten digits of seconds. A node sends bounds to other nodes as such numbers, and
those read fewer or more digits as a year, or not at all."""

_ORIGIN: Final = datetime(2000, 1, 1, tzinfo=UTC)
_FROM_ORIGIN: Final = "addMicroseconds(materialize(toDateTime64('2000-01-01 00:00:00', 6, 'UTC')), {distance})"
"""An instant of another year: a distance, which no node works out before it sends it to others."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Very many integers, which a statement asks as a table with the column `key`: they travel beside it."""

    numbers: NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Written:
    """A part of a statement that is no value."""

    text: str


def binding(sql: str, params: Mapping[str, object]) -> tuple[str, dict[str, object]]:
    """Name each `$name` with its type, as ClickHouse wants it.

    Returns:
        The statement, and what is to be bound in it.

    Raises:
        InvalidArgument: A value is of a kind that cannot be bound.

    >>> binding("SELECT $n + 1", {"n": 1})
    ('SELECT {n:Int64} + 1', {'n': 1})
    """
    pieces: dict[str, str] = {}
    bound: dict[str, object] = {}
    for name, value in params.items():
        pieces[name], value_bound = _bound(name, value)
        bound |= value_bound
    return re.sub(r"\$([A-Za-z_]\w*)", lambda match: pieces.get(match[1], match[0]), sql), bound


def _bound(name: str, value: object) -> tuple[str, dict[str, object]]:
    """Write how a value is named in a statement, and what is bound for it."""
    if value is None:
        return "NULL", {}
    if isinstance(value, Written):
        return value.text, {}
    if isinstance(value, list | tuple | np.ndarray):
        return _bound_list(name, list(value))
    kind, plain = _scalar(name, value)
    if isinstance(plain, datetime) and plain.year not in _SAFE_YEARS:
        return _FROM_ORIGIN.format(distance=f"{{{name}:Int64}}"), {name: _distance(plain)}
    return f"{{{name}:{kind}}}", {name: plain}


def _distance(instant: datetime) -> int:
    return (instant - _ORIGIN) // timedelta(microseconds=1)


def _packed(numbers: NDArray[np.int64]) -> str:
    """Write many integers as SQL, in an alphabet that no quote is of: a server takes no value so long."""
    packed = base64.b64encode(numbers.astype("<i8").tobytes()).decode()
    return f"reinterpret(base64Decode('{packed}'), 'Array(Int64)')"


def _bound_list(name: str, values: Sequence[object]) -> tuple[str, dict[str, object]]:
    known = [_scalar(name, value) for value in values if value is not None]
    kinds = {kind for kind, _ in known}
    if not kinds:
        return "[]", {}
    if len(kinds) > 1 and kinds != {"Int64", "Float64"}:
        raise InvalidArgument(f"the values of ${name} must be of one kind, got {list(values)[:5]!r}")
    kind = "Float64" if "Float64" in kinds else next(iter(kinds))
    if kind == "Int64" and len(known) == len(values) > _MANY:
        return _packed(np.array([plain for _, plain in known], dtype=np.int64)), {}
    several = [None if value is None else _scalar(name, value)[1] for value in values]
    instants = [plain for plain in several if isinstance(plain, datetime)]
    if any(instant.year not in _SAFE_YEARS for instant in instants):
        distances = [_distance(plain) if isinstance(plain, datetime) else None for plain in several]
        text, bound = _bound_list(name, distances)
        return f"arrayMap(distance -> {_FROM_ORIGIN.format(distance='distance')}, {text})", bound
    return f"{{{name}:Array({kind if len(known) == len(values) else f'Nullable({kind})'})}}", {name: several}


_KINDS: Final[tuple[tuple[type, str], ...]] = (
    (bool, "Bool"),
    (int, "Int64"),
    (float, "Float64"),
    (str, "String"),
    (datetime, "DateTime64(6, 'UTC')"),
    (date, "Date32"),
    (timedelta, "Int64"),
)


def _scalar(name: str, value: Any) -> tuple[str, object]:  # noqa: ANN401 - whatever a question binds
    plain = value.item() if isinstance(value, np.generic) else value
    for known, kind in _KINDS:
        if isinstance(plain, known):
            if isinstance(plain, datetime):
                return kind, plain.astimezone(UTC) if plain.tzinfo else plain.replace(tzinfo=UTC)
            return kind, plain // timedelta(microseconds=1) if isinstance(plain, timedelta) else plain
    raise InvalidArgument(f"${name} cannot be bound to {value!r}: use text, a number, a time or a list of them")
