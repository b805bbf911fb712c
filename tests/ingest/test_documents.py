from __future__ import annotations

import json

import pytest

from workbench.ingest.documents import advice, is_document

CHAT = {"name": "g", "id": 1, "messages": [{"id": 2, "text": ["hi ", {"type": "link"}]}]}
FULL = {"about": "x", "chats": {"about": "y", "list": [{"messages": [{"id": 1}]}]}}


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize(
    ("document", "command"),
    [(CHAT, "jq -c '.messages[]'"), (FULL, "jq -c '.chats.list[]'"), ({"a b": [{}]}, "jq -c '.[\"a b\"][]'"),
     ([{"id": 1}], "jq -c '.[]'")],
)  # fmt: skip
def test_a_document_is_told_how_it_becomes_lines(document, command, indent):
    text = json.dumps(document, indent=indent).encode()
    assert command in advice(text)
    assert is_document(text) == (indent is not None or isinstance(document, list))


def test_objects_over_several_lines_are_told_so():
    assert "several lines" in advice(json.dumps({"id": 1, "tags": ["a"]}, indent=2).encode())


@pytest.mark.parametrize("text", [b"", b'{"id":1}\n{"id":2}', b"{\nnot JSON", b"id,name\n1,2", b'{\n{"id":1}'])
def test_lines_are_no_document(text):
    assert not is_document(text)
    assert advice(text) is None
