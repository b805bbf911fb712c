"""How tables look in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def columns(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Line up rows under a head; what would move the cursor or the colours is shown as its code.

    >>> print(columns(("id", "n"), [("a", "1"), ("long", "22")]))
    id    n
    a     1
    long  22
    """
    table = [tuple(map(_harmless, row)) for row in (head, *rows)]
    widths = [max(len(row[index]) for row in table) for index in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
    )


def _harmless(text: str) -> str:
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
