from __future__ import annotations

import uuid

import pyarrow as pa
import pytest

from workbench.texts import readable, whole_ids, without_fraction

BYTES = [b"ann", None, "bül".encode()]
KINDS = [pa.binary(), pa.large_binary(), pa.binary_view(), pa.dictionary(pa.int32(), pa.binary())]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_bytes_that_are_text_become_text(kind):
    column = pa.array(BYTES, pa.binary())
    column = column.dictionary_encode() if pa.types.is_dictionary(kind) else column.cast(kind)
    assert readable(pa.table({"x": column}))["x"].to_pylist() == ["ann", None, "bül"]


def test_text_of_a_fixed_length_loses_what_fills_it():
    assert readable(pa.table({"x": pa.array([b"ann\0\0", b"bobby"], pa.binary(5))}))["x"].to_pylist() == [
        "ann",
        "bobby",
    ]


def test_bytes_in_lists_structures_and_maps_become_text_too():
    table = pa.table(
        {
            "tags": pa.array([[b"a", b"b"], None]),
            "page": pa.array([{"url": b"/a", "n": 1}, None]),
            "extra": pa.array([[(b"k", b"v")], None], pa.map_(pa.binary(), pa.binary())),
        }
    )
    assert readable(table).to_pylist()[0] == {"tags": ["a", "b"], "page": {"url": "/a", "n": 1}, "extra": [("k", "v")]}


def test_bytes_that_are_no_text_stay_bytes_but_in_a_field_they_are_passed_on():
    table = pa.table({"user": pa.array([b"ann", b"\xff"]), "blob": pa.array([b"x", b"\xff"])})
    read = readable(table, strict={"user"})
    assert (read["user"].type, read["blob"].to_pylist()) == (pa.string(), [b"x", b"\xff"])


def test_a_uuid_is_written_as_one():
    known = uuid.UUID("12345678-1234-5678-1234-567812345678")
    column = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([known.bytes, None], pa.binary(16)))
    assert readable(pa.table({"id": column}))["id"].to_pylist() == [str(known), None]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["7.0", "", None, "12.0"], ["7", "", None, "12"]),
        (["7.0", "7.5"], ["7.0", "7.5"]),
        (["7.0", "ann"], ["7.0", "ann"]),
        (["1234567890123456789.0"], ["1234567890123456789.0"]),  # more digits than a float has
        ([None, ""], [None, ""]),
        ([], []),
    ],
)
def test_ids_are_whole_again_only_where_all_of_them_were(ids, expected):
    assert whole_ids(pa.array(ids, pa.string())).to_pylist() == expected


def test_a_column_that_was_seen_to_be_whole_keeps_its_other_ids():
    assert without_fraction(pa.array(["7.0", "ann", None])).to_pylist() == ["7", "ann", None]
