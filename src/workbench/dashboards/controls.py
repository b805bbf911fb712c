"""The parts of a page: cards with one number, tiles with one chart, tables. Each shows what an answer says, no more.

They carry CSS classes (`wb-…`) and no colours: the page's style sheet decides how they look, light and dark.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Final

import ipywidgets as widgets

from workbench.charts import live
from workbench.charts.formats import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.charts.spec import Chart, Format, Line

_COLUMN: Final = 380
_GAP: Final = 54
_COMMAND: Final = re.compile(r"`([^`]+)`")
_UP: Final = "\N{BLACK UP-POINTING TRIANGLE}"
_DOWN: Final = "\N{BLACK DOWN-POINTING TRIANGLE}"


def page(title: str, facts: str, *rows: widgets.Widget) -> widgets.VBox:
    """Lay out a page: its title, one line of facts about the data, then its rows."""
    head = widgets.HTML(f"<h1>{html.escape(title)}</h1><p>{html.escape(facts)}</p>").add_class("wb-head")
    return widgets.VBox([head, *rows]).add_class("wb-page")


def row(*parts: widgets.Widget, kind: str) -> widgets.Box:
    """Put parts beside each other, as many as fit; `kind` is `cards` or `tiles`."""
    return widgets.Box(list(parts)).add_class(f"wb-{kind}")


def card(
    title: str,
    value: float | None,
    *,
    form: Format = "count",
    before: float | None = None,
    compared: str = "",
    note: str = "",
    history: Line | None = None,
) -> widgets.VBox:
    """Show one number, how it changed, and the line that it is the end of.

    Args:
        title: What is counted.
        value: The number; `None` shows as `n/a`.
        form: How it is written.
        before: The number that it is compared with.
        compared: What `before` is, such as `the day before`.
        note: What is said where nothing is compared.
        history: What the sparkline draws; none without.
    """
    words = words_of_card(title, number(value, form), trend(value, before, compared) or note)
    line = [live.sparkline(history)] if history and len(history.x) > 1 else []
    return widgets.VBox([widgets.HTML(words), *line]).add_class("wb-card")


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


def tile(chart: Chart, *, span: int = 1) -> widgets.VBox:
    """Show one chart, `span` columns of three wide; drawn for a desktop, where columns are about 380 pixels."""
    shown = widgets.VBox([live.figure(chart, width=_COLUMN * span + _GAP * (span - 1), height=300)])
    return shown.add_class("wb-tile").add_class(f"wb-span-{span}")


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> widgets.VBox:
    """Show rows of text under a head; `empty` is said where there are none."""
    columns = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in head)
    lines = "".join(f"<tr>{''.join(map(_cell, cells))}</tr>" for cells in rows)
    body = f"<table><thead><tr>{columns}</tr></thead><tbody>{lines}</tbody></table>" if rows else html.escape(empty)
    return widgets.VBox([widgets.HTML(f'<div class="wb-title">{html.escape(title)}</div>{body}')]).add_class("wb-tile")


def _cell(text: str) -> str:
    """Write a cell; its title shows all of a text that the column has no room for."""
    return f'<td title="{html.escape(text)}">{html.escape(text)}</td>'


def with_commands(text: str) -> str:
    """Write a text in which what is between backticks is to be typed."""
    return _COMMAND.sub(r"<code>\1</code>", html.escape(text))


def message(title: str, text: str, *, error: bool = False) -> widgets.VBox:
    """Show a page that has nothing but something to say; what is between backticks is to be typed."""
    said = widgets.HTML(f"<h1>{html.escape(title)}</h1><p>{with_commands(text)}</p>")
    return widgets.VBox([said.add_class("wb-error" if error else "wb-empty")]).add_class("wb-page")
