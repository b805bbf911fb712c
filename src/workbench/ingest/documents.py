"""JSON that is one document and not one object a line: what it is, and how to make lines of it."""

from __future__ import annotations

import re
from typing import Final

LINES: Final = 1_000
BYTES: Final = 65_536
"""How much of a file is looked at."""

_OPENING: Final = re.compile(rb'\{\s*\n\s*(?:"|\})')
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]:,]')
_PLAIN: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def advice(head: bytes) -> str | None:
    """Say what to do with the beginning of a file, if it is the beginning of a JSON document; else `None`.

    >>> print(advice(b'{"name": "g", "messages": [{"id": 1}]}'))
    It looks like one JSON object with a list inside; write one object a line: jq -c '.messages[]'
    """
    head = head.lstrip()
    if head.startswith(b"["):
        return "It looks like one JSON array; write one object a line: jq -c '.[]'"
    if not head.startswith(b"{"):
        return None
    path = _list_path(head)
    if path:
        return f"It looks like one JSON object with a list inside; write one object a line: jq -c '{path}[]'"
    if _OPENING.match(head):
        return "It looks like JSON objects over several lines; write one object a line: jq -c ."
    return None


def is_document(head: bytes) -> bool:
    """Tell whether a file cannot be one object a line: it begins with an array, or an object over lines."""
    head = head.lstrip()
    return head.startswith(b"[") or _OPENING.match(head) is not None


def _list_path(head: bytes) -> str | None:
    """Find the first list of objects, and write how `jq` comes to it."""
    path: list[str] = []
    name, before = "", b""
    for match in _TOKEN.finditer(head):
        token = match[0]
        if token == b"{" and before == b"[":
            return "".join(path).removesuffix("[]")
        if token in (b"{", b"["):
            path.append(f"{name}[]" if token == b"[" else name)
            name = ""
        elif token in (b"}", b"]"):
            path = path[:-1]
        elif token == b":":
            name = _step(before)
        elif token == b",":
            name = ""
        before = token
    return None


def _step(key: bytes) -> str:
    text = key.decode(errors="replace")
    return f".{text[1:-1]}" if _PLAIN.fullmatch(text[1:-1]) else f".[{text}]"
