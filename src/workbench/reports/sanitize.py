"""What comes from events is text, never markup: the HTML of outputs keeps its tables and loses everything that acts."""

from __future__ import annotations

import re
from typing import Final

import bleach

_TEXT: Final = {"a", "b", "br", "code", "em", "i", "s", "small", "span", "strong", "sub", "sup", "u"}
_BLOCKS: Final = {"blockquote", "dd", "details", "div", "dl", "dt", "hr", "li", "ol", "p", "pre", "summary", "ul"}
_TABLES: Final = {"caption", "table", "tbody", "td", "tfoot", "th", "thead", "tr"}
_HEADINGS: Final = {f"h{level}" for level in range(1, 7)}
TAGS: Final = frozenset(_TEXT | _BLOCKS | _TABLES | _HEADINGS)
ATTRIBUTES: Final = {
    "*": ["class", "title"],
    "a": ["href"],
    "td": ["colspan", "rowspan"],
    "th": ["colspan", "rowspan", "scope"],
}
PROTOCOLS: Final = frozenset({"http", "https", "mailto"})
_STYLE: Final = re.compile(r"<style\b.*?</style\s*>", re.DOTALL | re.IGNORECASE)


def clean(markup: str) -> str:
    """Return HTML without scripts, styles, handlers, images and frames; tags that are not known show as text.

    >>> clean("<b onclick='x()'>5</b><script>x()</script>")
    '<b>5</b>&lt;script&gt;x()&lt;/script&gt;'
    """
    return str(bleach.clean(_STYLE.sub("", markup), tags=TAGS, attributes=ATTRIBUTES, protocols=PROTOCOLS))
