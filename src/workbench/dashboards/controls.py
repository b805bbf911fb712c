"""The parts of a page: cards with one number, tiles with one chart, tables. Each shows what an answer says, no more.

They carry CSS classes (`wb-…`) and no colours: the page's style sheet decides how they look, light and dark.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Final

import ipywidgets as widgets

from workbench.charts.formats import number

if TYPE_CHECKING:
    from collections.abc import Sequence


_COLUMN: Final = 380
_GAP: Final = 54
_PHONE: Final = 350
_COMMAND: Final = re.compile(r"`([^`]+)`")
_FIGURE: Final = re.compile(r"[+-]?[$]?[0-9][0-9.,]*(%| ms| s| min)?")
_UP: Final = "\N{BLACK UP-POINTING TRIANGLE}"
_DOWN: Final = "\N{BLACK DOWN-POINTING TRIANGLE}"


def row(*parts: widgets.Widget, kind: str) -> widgets.Box:
    """Put parts beside each other, as many as fit; `kind` is `cards` or `tiles`."""
    return widgets.Box(list(parts)).add_class(f"wb-{kind}")


def words_of_card(title: str, value: str, note: str) -> str:
    """Write what a card says."""
    return (
        f'<div class="wb-title">{html.escape(title)}</div>'
        f'<div class="wb-number">{html.escape(value)}</div>'
        f'<div class="wb-trend">{html.escape(note)}</div>'
    )


def trend(value: float | None, before: float | None, compared: str) -> str:
    """Say how a number changed, in percent of the earlier one.

    >>> trend(110, 100, "the week before")
    '▲ 10.0% on the week before'
    >>> trend(5, 0, "the week before"), trend(None, 3, "")
    ('0 the week before', '')
    """
    if value is None or before is None or value != value or before != before:  # noqa: PLR0124 - NaN
        return ""
    if value == before:
        return f"same as {compared}"
    if before == 0:
        return f"0 {compared}"
    change = value / before - 1
    return f"{_UP if change > 0 else _DOWN} {number(abs(change), 'percent')} on {compared}"


def width(span: int, *, narrow: bool = False) -> int:
    """Return the pixels of a chart of `span` columns of three, of about 380 each; a phone has room for one."""
    return _PHONE if narrow else _COLUMN * span + _GAP * (span - 1)


def words_of_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> str:
    """Write rows of text under a head; `empty` is said where there are none."""
    figures = [any(_is_figure(cells[at]) for cells in rows) for at in range(len(head))]
    kinds = [' class="wb-figure"' if figure else "" for figure in figures]
    columns = "".join(
        f'<th scope="col"{kind}>{html.escape(name) or "&nbsp;"}</th>' for name, kind in zip(head, kinds, strict=True)
    )
    lines = "".join(f"<tr>{''.join(map(_cell, cells, kinds))}</tr>" for cells in rows)
    body = f"<table><thead><tr>{columns}</tr></thead><tbody>{lines}</tbody></table>" if rows else with_commands(empty)
    return f'<div class="wb-title">{html.escape(title)}</div>{body}'


def words_of_message(title: str, text: str) -> str:
    """Write what a tile without numbers says."""
    return f'<div class="wb-title">{html.escape(title)}</div><p class="wb-message">{with_commands(text)}</p>'


def _cell(text: str, kind: str) -> str:
    """Write a cell; its title shows all of a text that the column has no room for."""
    kind = f' class="wb-verdict-{text}"' if text in ("worse", "better") else kind
    return f'<td{kind} title="{html.escape(text)}">{html.escape(text)}</td>'


def _is_figure(text: str) -> bool:
    return bool(_FIGURE.fullmatch(text))


def with_commands(text: str) -> str:
    """Write a text in which what is between backticks is to be typed."""
    return _COMMAND.sub(r"<code>\1</code>", html.escape(text))


def message(title: str, text: str, *, error: bool = False) -> widgets.VBox:
    """Show a page that has nothing but something to say; what is between backticks is to be typed."""
    said = widgets.HTML(f"<h1>{html.escape(title)}</h1><p>{with_commands(text)}</p>")
    return widgets.VBox([said.add_class("wb-error" if error else "wb-empty")]).add_class("wb-page")
