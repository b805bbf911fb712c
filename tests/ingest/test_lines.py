from __future__ import annotations

import io
from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from workbench.events import MAX_MESSAGE
from workbench.ingest.lines import BLOCK, KEPT_BYTES, Broken, blocks


def lines(content):
    return list(chain.from_iterable(blocks(io.BytesIO(content))))


class Endless(io.RawIOBase):
    """A file of one line of so many bytes, then another; it counts how many of its bytes are held at once."""

    def __init__(self, size):
        self.left = size
        self.end = b"\nlast"

    def read1(self, wanted):
        if self.left:
            given_ = min(wanted, self.left)
            self.left -= given_
            return b"x" * given_
        end, self.end = self.end, b""
        return end


def test_a_line_of_two_gigabytes_is_measured_and_not_kept():
    long, last = chain.from_iterable(blocks(Endless(2 << 30)))
    assert (long.size, len(long), last) == (2 << 30, KEPT_BYTES, b"last")
    assert long.reject.reason == "too_large"


def test_a_byte_order_mark_is_no_part_of_the_first_line():
    assert lines(b"\xef\xbb\xbfone\ntwo") == [b"one", b"two"]
    assert lines(b"") == lines(b"\xef\xbb\xbf") == []


def test_a_long_line_ends_where_it_ends_whatever_lies_around_it():
    long = b"y" * (MAX_MESSAGE + 5)
    for before, after in ((b"", b""), (b"a\n", b"\nb\nc"), (b"a\n" * BLOCK, b"\n"), (b"", b"\n" + long)):
        found = lines(before + long + after)
        expected = (before + long + after).removesuffix(b"\n").split(b"\n")
        sizes = [line.size if isinstance(line, Broken) else len(line) for line in found]
        assert sizes == list(map(len, expected))


@given(st.lists(st.binary(max_size=6).map(lambda line: line.replace(b"\n", b"")), min_size=1), st.integers(1, 7))
def test_lines_are_the_same_however_the_bytes_arrive(expected, step):
    content = b"\n".join(expected)

    class Slow(io.BytesIO):
        def read1(self, size=-1):
            return super().read1(min(size, step))

    found = list(chain.from_iterable(blocks(Slow(content))))
    if step >= 3:  # a byte order mark is known by the first read
        content = content.removeprefix(b"\xef\xbb\xbf")
    assert b"\n".join(found) == content.removesuffix(b"\n")
