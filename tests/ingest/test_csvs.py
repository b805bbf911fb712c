from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import SourceError
from workbench.events import MAX_MESSAGE
from workbench.ingest.csvs import csv_chunks
from workbench.ingest.lines import Broken


def rows(content):
    return [row for chunk in csv_chunks(io.BytesIO(content)) for row in chunk.rows]


def reasons(content):
    return [row.reject.reason if isinstance(row, Broken) else row for row in rows(content)]


def test_quotes_may_hold_newlines_delimiters_and_quotes():
    assert rows(b'a,b\r\n"one\r\ntwo","x,""y"""\r\n') == [{"a": "one\r\ntwo", "b": 'x,"y"'}]


@pytest.mark.parametrize("delimiter", [b",", b";", b"\t", b"|"])
def test_the_header_tells_the_delimiter(delimiter):
    assert rows(b"\xef\xbb\xbfa%bb\n1%b2" % (delimiter, delimiter)) == [{"a": "1", "b": "2"}]


def test_a_row_that_does_not_fit_the_header_is_set_aside_as_it_stands_in_the_file():
    short, good, long = rows(b'a,b\n1\n\n1,2\n"1\n2",3,4\n')
    assert (short.reject.reason, short.reject.original, short.size) == ("bad_row", b"1", 1)
    assert good == {"a": "1", "b": "2"}
    assert long.reject.original == b'"1\n2",3,4'


def test_text_that_is_not_utf8_costs_one_row():
    assert reasons(b"a,b\n1,\xff\n1,\xc3\xa4\n") == ["bad_encoding", {"a": "1", "b": "ä"}]


def test_a_nul_byte_is_a_character():
    assert rows(b"a,b\n\x00,1\n") == [{"a": "\0", "b": "1"}]


def test_a_quote_that_is_never_closed_costs_a_megabyte_at_most():
    after = b"3,4\n" * (MAX_MESSAGE // 2)
    found = reasons(b'a,b\n1,2\n"3,4\n' + after)
    assert found[:2] == [{"a": "1", "b": "2"}, "too_large"]
    assert found[2] == {"a": "3", "b": "4"}


def test_a_line_that_is_too_long_costs_one_row():
    found = rows(b"a,b\n" + b"x" * (3 * MAX_MESSAGE) + b"\n1,2\n")
    assert (found[0].reject.reason, found[0].size) == ("too_large", 3 * MAX_MESSAGE)
    assert found[1:] == [{"a": "1", "b": "2"}]


def test_a_cell_may_be_as_long_as_a_message():
    assert len(rows(b"a,b\n1," + b"x" * 500_000)[0]["b"]) == 500_000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,a\n1,2\n", "several columns are named 'a'"),
        (b"\xff\xfe\xfa,b\n1,2\n", "the header is not UTF-8 text"),
        (b"x" * (MAX_MESSAGE + 1), "the header is longer than 1 MB"),
        (b",".join(b"%d" % number for number in range(100_000)) + b"\n1\n", "100,000 columns"),
    ],
)
def test_a_header_that_cannot_be_used_is_refused(content, message):
    with pytest.raises(SourceError, match=message):
        rows(content)


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=5)


@given(st.lists(st.tuples(cells, cells), max_size=8))
def test_what_a_csv_writer_wrote_is_read_back(table):
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([("a", "b"), *table])
    assert rows(text.getvalue().encode()) == [{"a": a, "b": b} for a, b in table]
