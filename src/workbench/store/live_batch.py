"""A batch of events as the numbers that live windows are made of, read from the columns at once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import numpy as np
import pyarrow.compute as pc
from pandas.util import hash_array

from workbench.store import live_sketch

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

ASKED: Final = ("request", "ai_interaction")
"""Event types of which an error is counted, and a response time measured."""

RAID: Final = ("raid_started", "raid_joined", "raid_ended")
REFUSED: Final = 429
FAILED: Final = 500
"""A status from 500 on is an error, and 429: what the server could not or would not answer."""

NUMBER: Final = "^[0-9]+([.][0-9]+)?([eE][-+]?[0-9]+)?$"
"""How a number is written, in the words of every engine; nothing else is taken for one."""

NO_ERROR: Final = ("", "false")
"""What `error` may say where there is none."""

_NUMBER: Final = re.compile(NUMBER[1:-1])


class RaidEvent(NamedTuple):
    """Something of a raid that moves what is known of it."""

    raid_id: str
    event_type: str
    occurred: int
    user: int


class Names(NamedTuple):
    """A column of few distinct values: which there are, and which each row has."""

    values: list[str | None]
    codes: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Batch:
    """Events in the order in which history takes them, by source and position: of a repeated one the same counts.

    Attributes:
        source: Which of the sources each is of.
        occurred: Microseconds since 1970.
        event: Hash of `event_id`.
        user: `user_key`.
        platform: By name.
        event_type: By name.
        asked: Rows of `ASKED`.
        failed: Of those rows, which have an error.
        bin: Of those rows, the bin of the response time.
        raids: What was told of raids.
        first: The first position of each of the sources.
    """

    source: Names
    occurred: NDArray[np.int64]
    event: NDArray[np.uint64]
    user: NDArray[np.int64]
    platform: Names
    event_type: Names
    asked: NDArray[np.int64]
    failed: NDArray[np.bool_]
    bin: NDArray[np.int32]
    raids: Sequence[RaidEvent]
    first: list[int]

    @property
    def rows(self) -> int:
        """How many events there are."""
        return len(self.occurred)


def batch_of(events: pa.Table) -> Batch:
    """Read a batch (columns of `STORED_EVENT`)."""
    source = named(events["source"])
    position = events["position"].to_numpy()
    if len(source.values) > 1 or bool((np.diff(position) < 0).any()):
        places = np.argsort(np.argsort(np.array(source.values, dtype=object)))
        order = np.lexsort((position, places[source.codes]))
        events, source = events.take(order), Names(source.values, source.codes[order])
    event_type = named(events["event_type"])
    asked = np.flatnonzero(np.isin(event_type.codes, _codes(event_type, ASKED)))
    failed, response_ms = outcomes(events["properties"].take(asked))
    return Batch(
        source=source,
        occurred=events["occurred_at"].cast("int64").to_numpy(),
        event=event_hashes(events["event_id"]),
        user=events["user_key"].to_numpy(),
        platform=named(events["platform"]),
        event_type=event_type,
        asked=asked,
        failed=failed,
        bin=live_sketch.bins(response_ms),
        raids=_raids(events, event_type),
        first=_first(events["position"].to_numpy(), source),
    )


def event_hashes(event_ids: pa.ChunkedArray) -> NDArray[np.uint64]:
    """Hash event ids to 64 bits, for as long as a live store keeps them."""
    return np.asarray(hash_array(event_ids.to_numpy(), categorize=False), dtype=np.uint64)


def named(column: pa.ChunkedArray) -> Names:
    """Number the distinct values of a column; null is one of them."""
    encoded = pc.dictionary_encode(column.combine_chunks(), null_encoding="encode")
    return Names(encoded.dictionary.to_pylist(), encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64))


def outcomes(properties: pa.ChunkedArray) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Say of each request whether it failed, and how many milliseconds it took (NaN where it does not say)."""
    texts = pc.fill_null(properties, "{}").to_pylist()
    told = _OUTCOMES.decode(f"[{','.join(texts)}]") if texts else []
    failed = np.fromiter((_failed(one) for one in told), dtype=bool, count=len(told))
    response_ms = np.fromiter((_number(one.response_time_ms) for one in told), dtype=float, count=len(told))
    return failed, response_ms


class _Outcome(msgspec.Struct, gc=False):
    """The properties of a request that say how it went."""

    response_time_ms: Any = None
    status: Any = None
    error: Any = None


_OUTCOMES: Final = msgspec.json.Decoder(list[_Outcome])


def _failed(one: _Outcome) -> bool:
    if one.error is not None and one.error is not False and one.error not in NO_ERROR:
        return True
    status = _number(one.status)
    return status >= FAILED or status == REFUSED


def _number(value: Any) -> float:  # noqa: ANN401 - anything that JSON may hold
    """Read a number, or text that is one, as the batch question does; NaN for anything else."""
    if type(value) is float or type(value) is int:
        return float(value) if value >= 0 else float("nan")
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value) else float("nan")


def _raids(events: pa.Table, event_type: Names) -> list[RaidEvent]:
    told = np.isin(event_type.codes, _codes(event_type, RAID)) & events["raid_id"].is_valid().to_numpy()
    chosen = events.select(["raid_id", "event_type", "occurred_at", "user_key"]).filter(told)
    columns = (chosen["raid_id"], chosen["event_type"], chosen["occurred_at"].cast("int64"), chosen["user_key"])
    return [RaidEvent(*values) for values in zip(*(column.to_pylist() for column in columns), strict=True)]


def _first(position: NDArray[np.int64], source: Names) -> list[int]:
    return [int(position[source.codes == code].min()) for code in range(len(source.values))]


def _codes(names: Names, wanted: tuple[str, ...]) -> list[int]:
    return [code for code, value in enumerate(names.values) if value in wanted]
