"""CSV that people open in a spreadsheet: what comes from events is text there, never a formula.

A cell that begins with `=`, `+`, `-` or `@` is computed when the file is opened, and can run commands or send other
cells elsewhere. Where a program splits lines at another mark than the file's, a cell can begin in the middle of one.
"""

from __future__ import annotations

import re
from datetime import date, time, timedelta
from numbers import Number
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Hashable

_NUMBER: Final = r"[+-]?(?:\d+(?:[.,]\d+)*|[.]\d+)(?:[eE][+-]?\d+)?%?"
_START: Final = re.compile(
    r"(?:^|(?<=[,;|\t\r\n\"']))"  # where a cell begins, or would by another separator or quote
    rf"(?!\s*{_NUMBER}\s*(?:[,;|\t\r\n\"']|$))"  # a negative number is no formula
    r"(?=[\t\r\n]|\s*[=+\-@\uff1d\uff0b\uff0d\uff20])"
)
_VALUES: Final = (Number, date, time, timedelta, pd.Timestamp, pd.Timedelta, pd.Period)


def text_of(frame: pd.DataFrame) -> str:
    """Return a frame as CSV, without its index; numbers and times stay what they are.

    >>> print(text_of(pd.DataFrame({"event": ["=1+1", "-5", "buy"], "people": [1, -2, 3]})), end="")
    event,people
    '=1+1,1
    -5,-2
    buy,3
    """
    safe = frame.rename(columns=lambda name: _unbroken(harmless(name)))
    for place, kind in enumerate(frame.dtypes):
        if not (pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_datetime64_any_dtype(kind)):
            cells = [_unbroken(harmless(value)) for value in frame.iloc[:, place]]
            safe.isetitem(place, np.array([*cells, None], object)[:-1])  # `None`, lest lists make it two-dimensional
    return str(safe.to_csv(index=False))


def harmless(value: Hashable) -> Hashable:
    """Put an apostrophe, by which spreadsheets know text, wherever a formula would begin.

    >>> harmless("=HYPERLINK(1)"), harmless("-3.5"), harmless("a;=b"), harmless(-3)
    ("'=HYPERLINK(1)", '-3.5', "a;'=b", -3)
    """
    if value is None or value is pd.NaT or isinstance(value, _VALUES):
        return value
    return _START.sub("'", value if isinstance(value, str) else str(value))


def _unbroken(value: Hashable) -> Hashable:
    """Write line breaks in one way: Python before 3.13 puts no quotes around a lone carriage return."""
    return re.sub("\r\n?", "\n", value) if isinstance(value, str) else value
