"""How numbers, durations, instants and names are written, in every drawing the same."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workbench.charts.spec import Format

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_MILLION = 1_000_000
_NOT_PRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff\s]+")
"""White space, controls that XML cannot hold, and marks that would turn the text's direction."""

D3: dict[Format, str] = {"count": ",.0f", "percent": ".1%", "decimal": ".3~g", "usd": "$,.2f", "seconds": ",.1f"}
"""The nearest d3 pattern of each format, for tooltips that the browser writes."""


def number(value: float | None, form: Format) -> str:
    """Write a number; what is missing or infinite is `n/a`.

    >>> number(12345, "count"), number(0.123, "percent"), number(0.12345, "decimal"), number(12.3, "usd")
    ('12,345', '12.3%', '0.123', '$12.30')
    >>> number(4320, "seconds"), number(0.25, "seconds"), number(None, "count")
    ('1 h 12 min', '250 ms', 'n/a')
    """
    if value is None or not math.isfinite(value):
        return "n/a"
    if form == "seconds":
        return duration(value)
    sign, size = ("-", -value) if value < 0 else ("", float(value))
    return sign + {"count": _count, "percent": _percent, "decimal": _decimal, "usd": _usd}[form](size)


def short(value: float | None, form: Format) -> str:
    """Write a number for a narrow place, such as a tick or a cell; nothing for a missing one.

    >>> short(0.25, "percent"), short(0.004, "percent"), short(2_500_000, "count"), short(500, "usd")
    ('25%', '0.4%', '2.5M', '$500')
    """
    if value is None or not math.isfinite(value):
        return ""
    if form == "percent":
        digits = 1 if 0 < abs(value) < 0.01 else 0  # noqa: PLR2004 - below one percent, whole percents say nothing
        return f"{value:.{digits}%}"
    if form in ("count", "usd") and abs(value) >= _MILLION:
        return f"{'$' if form == 'usd' else ''}{value / _MILLION:,.4g}M"
    if form == "usd" and float(value).is_integer():
        return f"${value:,.0f}" if value >= 0 else f"-${-value:,.0f}"
    return number(value, form)


def duration(seconds: float) -> str:
    """Write seconds in their two largest units.

    >>> duration(45), duration(72), duration(86400), duration(200_000), duration(3599.7)
    ('45 s', '1 min 12 s', '1 d', '2 d 8 h', '1 h')
    """
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms" if seconds else "0 s"
    if seconds < 10:  # noqa: PLR2004 - the tenth still matters
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    rest = round(seconds)
    rest = next((round(rest / fine) * fine for large, fine in ((86400, 3600), (3600, 60)) if rest >= large), rest)
    parts = []
    for size, unit in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def clean(text: str) -> str:
    """Put a text on one line and drop what no drawing can hold."""
    return _NOT_PRINTABLE.sub(" ", str(text)).strip()


def shorten(text: str, length: int) -> str:
    """Cut a text to `length` characters, the last an ellipsis.

    >>> shorten("wallet_connected", 8)
    'wallet_…'
    """
    line = clean(text)
    return line if len(line) <= length else line[: max(length - 1, 1)].rstrip() + "…"


def distinct(names: Iterable[object]) -> tuple[str, ...]:
    """Tell repeated names apart, so that each keeps its own place on an axis.

    >>> distinct(["view", "buy", "view"])
    ('view', 'buy', 'view (2)')
    """
    seen: dict[str, int] = {}
    result = []
    for name in names:
        line = clean(str(name))
        seen[line] = seen.get(line, 0) + 1
        result.append(line if seen[line] == 1 else f"{line} ({seen[line]})")
    return tuple(result)


def _count(size: float) -> str:
    return f"{size:,.0f}" if size >= 10 or size.is_integer() else f"{size:.1f}"  # noqa: PLR2004 - a mean of few


def _percent(size: float) -> str:
    return f"{size:.2%}" if 0 < size < 0.001 else f"{size:.1%}"  # noqa: PLR2004 - 0.04% is not 0.0%


def _decimal(size: float) -> str:
    return f"{size:,.0f}" if size >= 1000 else f"{size:.3g}"  # noqa: PLR2004 - three digits below a thousand


def _usd(size: float) -> str:
    return f"${size:,.2f}"
