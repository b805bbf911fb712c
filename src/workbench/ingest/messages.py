"""Messages of a queue read as events: many at once where all of them are good, else one by one.

All ways give the same: `events.parse` is what decides, and whatever is not plainly an event goes through it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workbench.events import (
    ALIASES,
    EVENT_TABLE,
    MAX_MESSAGE,
    MAX_NESTING,
    MAX_VALUE,
    SCHEMA_VERSION,
    Event,
    is_too_deep,
    parse,
    to_table,
)
from workbench.ingest.batches import SLICE, Rejected
from workbench.ingest.lines import KEPT_BYTES
from workbench.store.base import as_stored
from workbench.times import CLOCK_SKEW, DEFAULT_RULES, TimeRules, localized

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from workbench.events import Reject
    from workbench.ingest.base import Fetched


@dataclass(frozen=True, slots=True)
class Messages:
    """What messages of several partitions hold: `events` as `STORED_EVENT`, and per partition what is no event."""

    events: pa.Table
    rejected: dict[str, list[Rejected]]


_Found = tuple[pa.Table, "NDArray[np.int64]", "Sequence[tuple[int, Reject, int]]"]
"""Events, which of the messages they are, and which are none: their number, why, and their real size."""


def read(batch: Sequence[Fetched], *, now: datetime, rules: TimeRules = DEFAULT_RULES) -> Messages:
    """Read messages.

    Args:
        batch: What was fetched.
        now: The ingesting clock.
        rules: Zone of times that have none, and the first instant that is allowed.
    """
    values = list(chain.from_iterable(fetched.values for fetched in batch))
    offsets = np.fromiter(chain.from_iterable(fetched.offsets for fetched in batch), np.int64, len(values))
    sources = pa.array([fetched.source for fetched in batch], pa.string())
    came_from = np.repeat(np.arange(len(batch)), [len(fetched.values) for fetched in batch])
    tables, kept, rejected = [EVENT_TABLE.empty_table()], [np.empty(0, np.int64)], dict[str, list[Rejected]]()
    for start in range(0, len(values), SLICE):
        part = values[start : start + SLICE]
        table, numbers, faults = _at_once(part, now, rules) or _sorted_out(part, now, rules)
        kept.append(start + numbers)
        for number, reject, size in faults:
            source = batch[came_from[start + number]].source
            rejected.setdefault(source, []).append(Rejected(int(offsets[start + number]), reject, size))
        tables.append(table)
    rows = np.concatenate(kept)
    events = pa.concat_tables(tables).combine_chunks()
    located = events.append_column("position", pa.array(offsets[rows])).append_column(
        "source", sources.take(pa.array(came_from[rows]))
    )
    return Messages(as_stored(located, ingested_at=now), rejected)


def _at_once(values: Sequence[bytes | None], now: datetime, rules: TimeRules) -> _Found | None:
    """Read messages all of which are events in the plainest form; `None` if one may not be.

    They are read as lines: see `_lines`. As many values as lines means that each line is one.
    """
    lines = _lines(values)
    if lines is None:
        return None
    try:
        if not lines.isascii():
            lines.decode()
        events = _decoder(values).decode_lines(lines)
    except _NOT_PLAIN:
        return None
    if len(events) != len(values):
        return None
    table = to_table(_localized(events, rules))
    return (table, np.arange(len(events)), ()) if _sound(table, now, rules).all() else None


def _lines(values: Sequence[bytes | None]) -> bytes | None:
    """Put messages one under the other; `None` unless each is one line that begins and ends as an object does.

    No value can go on behind such an end.
    """
    if None in values:
        return None
    lengths = np.fromiter(map(len, values), np.int64, len(values))  # type: ignore[arg-type]  # none is None
    if lengths.min() < len("{}") or lengths.max() > MAX_MESSAGE:
        return None
    if any(value is not None and len(value) > MAX_NESTING and is_too_deep(value) for value in values):
        return None
    lines = b"\n".join(values)  # type: ignore[arg-type]
    if lines.count(b"\n") != len(values) - 1:
        return None
    ends = np.cumsum(lengths + 1) - 1
    letters = np.frombuffer(lines, np.uint8)
    plain = (letters[ends - lengths] == ord("{")).all() and (letters[ends - 1] == ord("}")).all()
    return lines if plain else None


def _sorted_out(values: Sequence[bytes | None], now: datetime, rules: TimeRules) -> _Found:
    """Read messages some of which may be no events: what is not plainly one is left to `events.parse`."""
    odd = [
        number
        for number, value in enumerate(values)
        if value is None or len(value) > MAX_MESSAGE or not (value.isascii() or _is_text(value)) or is_too_deep(value)
    ]
    plain = np.delete(np.arange(len(values)), odd)
    events, faulty = _decoded([values[number] for number in plain.tolist()], _decoder(values).decode)
    doubtful = [*odd, *plain[faulty].tolist()]
    table, order = to_table(_localized(events, rules)), np.delete(plain, faulty)
    if not (sound := _sound(table, now, rules)).all():
        doubtful += order[~sound].tolist()
        table, order = table.filter(pa.array(sound)), order[sound]
    parsed = {number: parse(values[number] or b"", now=now, rules=rules) for number in sorted(doubtful)}
    good = {number: found for number, found in parsed.items() if isinstance(found, Event)}
    if good:
        order = np.concatenate([order, np.array([*good], np.int64)])
        places = np.argsort(order)
        table, order = pa.concat_tables([table, to_table([*good.values()])]).take(places), order[places]
    faults = [
        (number, _kept(found), len(values[number] or b""))
        for number, found in parsed.items()
        if not isinstance(found, Event)
    ]
    return table, order, faults


def _is_text(value: bytes) -> bool:
    """Tell whether a message is UTF-8 throughout: the decoder does not look at text that it leaves as it is."""
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decoded(values: Sequence[bytes | None], decode: Callable[[Any], Event]) -> tuple[list[Event], list[int]]:
    """Decode messages in one go from fault to fault; return the events, and the numbers of those that are none."""
    events, faulty, rest = list[Event](), list[int](), iter(values)
    while True:
        try:
            events.extend(map(decode, rest))
        except _NOT_PLAIN:  # what was decoded before it is in the list
            faulty.append(len(events) + len(faulty))
        else:
            return events, faulty


def _decoder(values: Sequence[bytes | None]) -> msgspec.json.Decoder[Any]:
    """Choose by the first message: producers name the time one way or the other."""
    first = values[0] or b""
    return _ALIASED if b'"timestamp"' in first and b'"occurred_at"' not in first else _DECODER


def _localized(events: list[Event], rules: TimeRules) -> list[Event]:
    """Take times without a zone from the clocks of the rules' zone; in UTC a table takes them for what they are."""
    if rules.zone == "UTC" or all(event.occurred_at.tzinfo for event in events):
        return events
    return [
        event
        if event.occurred_at.tzinfo
        else msgspec.structs.replace(event, occurred_at=localized(event.occurred_at, rules.zone)[0])
        for event in events
    ]


def _sound(table: pa.Table, now: datetime, rules: TimeRules) -> NDArray[np.bool_]:
    """Say of each event whether it keeps the rules that types cannot say: see `events.parse`."""
    occurred_at, value = table["occurred_at"], table["value"]
    sound = pc.and_(
        pc.and_(
            pc.greater_equal(occurred_at, pa.scalar(rules.since, occurred_at.type)),
            pc.less_equal(occurred_at, pa.scalar(now + CLOCK_SKEW, occurred_at.type)),
        ),
        pc.and_(
            pc.and_(pc.less_equal(table["schema_version"], SCHEMA_VERSION), pc.starts_with(table["properties"], "{")),
            pc.fill_null(pc.less(pc.abs(value), MAX_VALUE), True),
        ),
    )
    return np.asarray(sound.to_numpy(), dtype=bool)


def _kept(reject: Reject) -> Reject:
    """Keep a message whole, or the beginning of one that is too long."""
    if reject.reason != "too_large":
        return reject
    return msgspec.structs.replace(reject, original=reject.original[:KEPT_BYTES])


_ALIAS_OF: Final = {name: alias for alias, name in ALIASES.items()}


class _Aliased(Event, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True, rename=_ALIAS_OF.get):
    """An event whose producer says `timestamp`."""


_DECODER: Final = msgspec.json.Decoder(Event)
_ALIASED: Final = msgspec.json.Decoder(_Aliased)
_NOT_PLAIN: Final = (msgspec.MsgspecError, RecursionError, UnicodeError)
