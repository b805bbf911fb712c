"""Text for Slack: what comes from events mentions nobody, links nowhere and has no style."""

from __future__ import annotations

import re
from typing import Final

_ENTITIES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_STYLE: Final = re.compile(r"(?<![^\W_])[*_~`]+(?=\S)|@(?=(?:here|channel|everyone|all)\b)")
"""Where a style would begin (never within a word, so that names such as `first_message` stay as they are), and words
that programs which take Slack's webhooks read as a mention of everybody."""

_NOTHING: Final = "\u200b"
"""Takes no place; before it, a mark is only a mark."""


def escaped(text: str) -> str:
    """Return text that Slack shows letter for letter.

    >>> escaped("<!channel> R&D")
    '&lt;!channel&gt; R&amp;D'
    >>> escaped("first_message, *bold*") == "first_message, *\u200bbold*"
    True
    """
    return _STYLE.sub(rf"\g<0>{_NOTHING}", text).translate(_ENTITIES)
