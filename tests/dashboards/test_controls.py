from __future__ import annotations

import pytest

from workbench.dashboards import controls


def html_of(widget):
    return widget.children[0].value


@pytest.mark.parametrize(
    ("value", "before", "said"),
    [
        (90, 100, "▼ 10.0% on the day before"),
        (100, 100, "same as the day before"),
        (0, 0, "same as the day before"),
        (5, None, ""),
        (float("nan"), 3, ""),
    ],
)
def test_a_trend_is_said_in_percent_of_what_was_before(value, before, said):
    assert controls.trend(value, before, "the day before") == said


def test_a_command_in_a_message_looks_like_one():
    assert "<code>make &lt;it&gt;</code>" in html_of(controls.message("Stop", "Type `make <it>` first."))


def test_names_from_the_data_are_text_and_never_markup():
    hostile = "<script>alert(1)</script>"
    for words in (
        controls.words_of_card(hostile, "1", hostile),
        controls.words_of_table(hostile, (hostile,), [(hostile,)], empty=""),
        controls.words_of_table("raids", ("raid",), [], empty=hostile),
        controls.words_of_message(hostile, hostile),
        html_of(controls.message(hostile, hostile)),
    ):
        assert "<script>" not in words
        assert "&lt;script&gt;" in words


def test_columns_of_figures_stand_at_the_right():
    words = controls.words_of_table("t", ("name", "n"), [("a", "1,234"), ("b", "12.5%")], empty="")
    assert words.count('class="wb-figure"') == 3
