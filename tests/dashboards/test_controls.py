from __future__ import annotations

import pytest

from workbench.charts.spec import Line
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


def test_a_card_draws_the_history_that_its_number_ends():
    card = controls.card("Users", 3, history=Line(x=(0.0, 1.0), y=(2.0, 3.0)))
    assert list(card.children[1].marks[0].y) == [2.0, 3.0]
    assert len(controls.card("Users", 3, history=Line(x=(0.0,), y=(3.0,))).children) == 1


def test_a_command_in_a_message_looks_like_one():
    assert "<code>make &lt;it&gt;</code>" in html_of(controls.message("Stop", "Type `make <it>` first."))


def test_names_from_the_data_are_text_and_never_markup():
    hostile = "<script>alert(1)</script>"
    for widget in (
        controls.card(hostile, 1),
        controls.table(hostile, (hostile,), [(hostile,)], empty=""),
        controls.table("raids", ("raid",), [], empty=hostile),
        controls.message(hostile, hostile),
        controls.page(hostile, hostile),
    ):
        assert "<script>" not in html_of(widget)
        assert "&lt;script&gt;" in html_of(widget)
