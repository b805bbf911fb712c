"""The look of every drawing: colours that colour-blind people tell apart, sizes of type, ink and paper."""

from __future__ import annotations

import math

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A5195", "#8C8C8C")
"""Okabe and Ito's colours without the yellow and black that vanish on paper, then two more."""

INK = "#1F2933"
MUTED = "#5F6C7B"
RULE = "#E4E7EB"
PAPER = "#FFFFFF"

VIRIDIS = ("#440154", "#472D7B", "#3B528B", "#2C728E", "#21918C", "#28AE80", "#5EC962", "#ADDC30", "#FDE725")

FONT = "system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif"
TITLE, BODY, SMALL, TINY = 15, 12, 11, 10
"""Sizes of type in pixels: title; legend and subtitle; ticks and note; cells."""

LINE_WIDTH = 2.0
BAND_OPACITY = 0.18
HATCH_OPACITY = 0.55
BAR_GAP = 0.28
"""Share of a bar's place that stays empty."""

_LETTER = 0.58
"""Width of a common letter in common sans-serif fonts, as a share of the size of type."""


def series_color(index: int) -> str:
    """Return the colour of the series at `index`; colours repeat after eight."""
    return PALETTE[index % len(PALETTE)]


def viridis(share: float) -> str:
    """Return the colour of a share in [0, 1]; what lies outside takes the end's colour.

    >>> viridis(0.0), viridis(2.0)
    ('#440154', '#FDE725')
    """
    position = min(max(share, 0.0), 1.0) * (len(VIRIDIS) - 1)
    left = min(int(position), len(VIRIDIS) - 2)
    mix = position - left
    pairs = zip(_rgb(VIRIDIS[left]), _rgb(VIRIDIS[left + 1]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * mix):02X}" for a, b in pairs)


def ink_on(color: str) -> str:
    """Return the ink, dark or white, that reads better on a colour.

    >>> ink_on("#440154"), ink_on("#FDE725")
    ('#FFFFFF', '#1F2933')
    """
    light = _luminance(color) + 0.05
    return PAPER if 1.05 / light > light / (_luminance(INK) + 0.05) else INK


def pale(color: str, opacity: float = 0.3) -> str:
    """Return how a colour looks on paper through which `1 - opacity` of the paper shines.

    >>> pale("#000000", 0.5)
    '#808080'
    """
    return "#" + "".join(f"{round(255 + (part - 255) * opacity):02X}" for part in _rgb(color))


def text_width(text: str, size: float) -> float:
    """Estimate the width of a text in pixels, a little generously: nothing is measured in a browser."""
    return len(text) * size * _LETTER


def letters(width: float, size: float) -> int:
    """Estimate how many letters of a size fit a width in pixels."""
    return int(width / (size * _LETTER))


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _luminance(color: str) -> float:
    """WCAG's relative luminance, with 2.2 for its piecewise curve."""
    red, green, blue = (math.pow(part / 255, 2.2) for part in _rgb(color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
