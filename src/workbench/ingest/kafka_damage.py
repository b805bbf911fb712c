"""Where readable messages begin again behind bytes that rotted on a broker's disk.

A broker hands out a damaged batch whole, for each of its offsets, and no client says where it ends. So the first
offset that can be read is found by trying, with a client of its own, so that nothing else is disturbed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from kafka import errors

from workbench.ingest.base import Gap

if TYPE_CHECKING:
    import kafka

UNREADABLE: Final = (errors.CorruptRecordError, ValueError, RuntimeError)
"""What kafka-python raises for bytes that are no messages; the latter two where a batch is whole and makes no sense."""

_SECONDS: Final = 2
_NAMES_BATCH: Final = re.compile(r"at offset \d+ failed")


def damage(client: Any, partition: kafka.TopicPartition, start: int) -> Gap | None:  # noqa: ANN401 - a KafkaConsumer
    """Return the offsets that cannot be read from `start` on.

    Args:
        client: One that reads nothing else, and gives one message at a time. No offset is tried twice: the client
            would go round for ever on what is left of the first time.
        partition: Which one.
        start: The offset to begin at.

    Returns:
        The gap, or `None` if there is none, or no broker answers.
    """
    client.assign([partition])
    try:
        end = client.end_offsets([partition], timeout_ms=_SECONDS * 1000)[partition]
        fault = _fault(client, partition, start) if start < end else None
        if fault is None:
            return None
        behind = _behind(client, partition, start, end, fault)
    except errors.KafkaError:
        return None
    return Gap(start, behind, "corrupt", str(fault).splitlines()[0])


def _behind(client: Any, partition: kafka.TopicPartition, start: int, end: int, first: Exception) -> int:  # noqa: ANN401
    """Return the first offset behind a damaged batch.

    An error that names the batch is the same for all of its offsets and for no other: its end is found by halving.
    Otherwise offset is tried by offset, so that no good message between two damaged ones is passed over.
    """
    named = _NAMES_BATCH.search(str(first)) is not None

    def is_damaged(offset: int) -> bool:
        if offset >= end:
            return False
        fault = _fault(client, partition, offset)
        return fault is not None and (not named or str(fault) == str(first))

    bad, step = start, 1
    while is_damaged(bad + step):
        bad, step = bad + step, 2 * step if named else 1
    good = min(bad + step, end)
    while good - bad > 1:
        middle = (bad + good) // 2
        bad, good = (middle, good) if is_damaged(middle) else (bad, middle)
    return good


def _fault(client: Any, partition: kafka.TopicPartition, offset: int) -> Exception | None:  # noqa: ANN401
    """Try one offset; return the error that it gives.

    Raises:
        KafkaTimeoutError: It gives neither a message nor an error.
    """
    client.seek(partition, offset)
    try:
        found = client.poll(timeout_ms=_SECONDS * 1000, max_records=1)
    except UNREADABLE as error:
        return error
    if not found:
        raise errors.KafkaTimeoutError(f"nothing at offset {offset} of {partition}")
    return None
