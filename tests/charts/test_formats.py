from __future__ import annotations

import math

import pytest

from workbench.charts import formats


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (0, "count", "0"),
        (2.5, "count", "2.5"),
        (-1234, "count", "-1,234"),
        (1.0, "percent", "100.0%"),
        (0.0004, "percent", "0.04%"),
        (1234.5, "decimal", "1,234"),
        (-12.3, "usd", "-$12.30"),
        (0, "seconds", "0 s"),
        (59.6, "seconds", "1 min"),
        (-90, "seconds", "-1 min 30 s"),
    ],
)
def test_numbers_read_as_people_write_them(value, form, text):
    assert formats.number(value, form) == text


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("form", ["count", "percent", "decimal", "usd", "seconds"])
def test_what_is_no_number_says_so_and_takes_no_room_in_a_cell(value, form):
    assert formats.number(value, form) == "n/a"
    assert formats.short(value, form) == ""


def test_a_tick_of_whole_dollars_has_no_cents():
    assert [formats.short(value, "usd") for value in (0, 1500, -20, 3_400_000)] == ["$0", "$1,500", "-$20", "$3.4M"]


def test_characters_that_xml_cannot_hold_or_that_turn_the_text_are_dropped():
    assert formats.clean("a\x00b\x1bc\ud800d\u202ee\nf\ufffe ") == "a b c d e f"


def test_a_long_name_ends_in_an_ellipsis_and_a_short_one_is_untouched():
    assert formats.shorten("x" * 50, 10) == "x" * 9 + "…"
    assert formats.shorten("exactly_10", 10) == "exactly_10"
