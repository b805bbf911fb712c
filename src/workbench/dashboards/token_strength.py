"""How hard a token is to guess: a lower bound that takes repeats, runs and common words for what they are."""

from __future__ import annotations

import math
import re
import string
from itertools import pairwise
from typing import Final

ENOUGH_BITS: Final = 64.0
"""Bits of a token that cannot be guessed by asking, nor soon from a copy of what was said in the open."""

_WORDS: Final = re.compile(
    "password|passwort|passw0rd|secret|geheim|token|workbench|dashboard|changeme|change|letmein|welcome|admin|user|"
    "qwertyuiop|qwertz|qwerty|asdf|zxcv|test|demo|example|login|master|please|default|company|summer|winter|"
    r"(?:19|20)\d\d",
    re.IGNORECASE,
)
_CLASSES: Final = (string.ascii_lowercase, string.ascii_uppercase, string.digits, string.punctuation + " ")
_OTHER: Final = 100
_RUN: Final = 2


def bits(token: str) -> float:
    """Estimate the bits of a token, at the least.

    >>> round(bits("aaaaaaaaaaaaaaaa")), round(bits("password12345678")), bits("929da734a61075c7184ea94efec5e210") > 128
    (2, 10, True)
    """
    token = _period(_WORDS.sub("\x00", token))
    alphabet = sum(len(letters) for letters in _CLASSES if any(letter in letters for letter in token))
    alphabet += _OTHER * any(not letter.isascii() for letter in token)
    steps = [ord(after) - ord(before) for before, after in pairwise(token)]
    # A letter that follows from the two before it, as in 1234, zyxw or aaaa, adds nothing.
    fresh = len(token) - sum(abs(step) < _RUN and step == before for before, step in pairwise(steps))
    distinct = len(set(token))
    return min(fresh, 4 * distinct) * math.log2(max(2, min(alphabet, 4 * distinct)))


def warning(token: str) -> str | None:
    """Say what is wrong with a token, without showing it; `None` if it is hard to guess."""
    estimate = bits(token)
    if estimate >= ENOUGH_BITS:
        return None
    return (
        f"`dashboards.token` is weak: about {estimate:.0f} bits where {ENOUGH_BITS:.0f} are needed. Take a random one: "
        "python -c 'import secrets; print(secrets.token_urlsafe(24))'"
    )


def _period(text: str) -> str:
    """Return what a text repeats; the text itself if it repeats nothing."""
    length = (text + text).find(text, 1)
    return text[:length]
