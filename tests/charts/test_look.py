from __future__ import annotations

import pytest

from workbench.charts import look


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("ink", [look.INK, look.MUTED])
def test_text_is_readable_on_paper(ink):
    assert contrast(ink, look.PAPER) >= 4.5


@pytest.mark.parametrize("share", [step / 40 for step in range(41)])
def test_numbers_in_cells_are_readable_on_every_colour_of_the_scale(share):
    color = look.viridis(share)
    assert contrast(look.ink_on(color), color) >= 3.4


def test_no_two_series_look_alike():
    assert len(set(look.PALETTE)) == len(look.PALETTE)
    assert look.series_color(len(look.PALETTE)) == look.series_color(0)
