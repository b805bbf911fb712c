"""Lines of a file of any size, in bounded memory: a line that is too long is measured, not kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workbench.events import MAX_MESSAGE, Reject

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from io import BufferedReader

BLOCK: Final = 1 << 20
KEPT_BYTES: Final = 8_192
"""How much is kept of a line that is too long."""

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Broken:
    """A row that has no fields: why, with what was kept of it, and how long it really was."""

    reject: Reject
    size: int

    def __len__(self) -> int:
        return len(self.reject.original)


def too_long(head: bytes, size: int) -> Broken:
    """Return what is left of a row of more than `MAX_MESSAGE` bytes."""
    return Broken(Reject("too_large", f"{size:,} bytes, at most {MAX_MESSAGE:,} are read", head[:KEPT_BYTES]), size)


def blocks(stream: BufferedReader) -> Iterator[Sequence[bytes | Broken]]:
    r"""Cut a stream into lines, without their `\n`, about a megabyte of them at a time; the last one may have none.

    `read1` gives what there is: of a compressed file that ends too early, all that could be unpacked.

    >>> import io
    >>> list(blocks(io.BytesIO(b"one\ntwo")))
    [[b'one'], [b'two']]
    """
    block, pending = stream.read1(BLOCK), b""
    block = block.removeprefix(_BYTE_ORDER_MARK) or stream.read1(BLOCK)
    while block:
        *complete, pending = (pending + block).split(b"\n")
        yield list(map(_bounded, complete)) if max(map(len, complete), default=0) > MAX_MESSAGE else complete
        if len(pending) > MAX_MESSAGE:
            long, pending = _measured(stream, pending)
            yield [long]
        block = stream.read1(BLOCK)
    if pending:
        yield pending.removesuffix(b"\n").split(b"\n")


def _bounded(line: bytes) -> bytes | Broken:
    return line if len(line) <= MAX_MESSAGE else too_long(line, len(line))


def _measured(stream: BufferedReader, pending: bytes) -> tuple[Broken, bytes]:
    """Read to the end of a line without keeping it; return it, and what was read of the lines after it."""
    head, size = pending[:KEPT_BYTES], len(pending)
    while block := stream.read1(BLOCK):
        line, newline, after = block.partition(b"\n")
        size += len(line)
        if newline:
            return too_long(head, size), after
    return too_long(head, size), b""
