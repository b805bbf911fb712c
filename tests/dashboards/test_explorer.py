from __future__ import annotations

import html

import pytest

from workbench.bench import Bench
from workbench.charts.clicks import Click
from workbench.config import Settings
from workbench.dashboards import explore
from workbench.dashboards.explorer import Call, Explorer, Shape
from workbench.testing import store_of

NOW = "2026-02-01"
DAY = 24 * 60
PEOPLE = {"ann": f"view:0 buy:9 view:{8 * DAY}", "bob": "view:0 buy:90", "<b>": "view:3", "dan": "other:0"}


@pytest.fixture
def bench():
    return Bench(store_of(PEOPLE), Settings())


def texts(explorer):
    found, waiting = [], [explorer.widget]
    while waiting:
        widget = waiting.pop()
        found.append(str(getattr(widget, "value", "")))
        waiting.extend(getattr(widget, "children", ()))
    return " ".join(found)


def asked(explorer, bench):
    return eval(explorer.code, {"bench": bench})  # noqa: S307 - our own code


def test_a_moved_control_asks_again_and_the_code_asks_for_what_is_shown(bench):
    explorer = explore.funnel(bench, ["view", "buy"], now=NOW)
    explorer.shape.controls["within"].value = "1h"
    assert explorer.answer.frame["users"].tolist() == [3, 1]
    assert asked(explorer, bench).frame.equals(explorer.answer.frame)
    assert asked(explorer, bench).definition == explorer.answer.definition
    assert html.escape(explorer.code) in texts(explorer)


def test_steps_are_picked_from_the_events_there_are(bench):
    explorer = explore.funnel(bench, now=NOW)
    assert explorer.shape.controls["steps"].allowed_tags == ["view", "buy", "other"]
    assert explorer.answer.frame["event"].tolist() == ["view", "buy"]


def test_a_clicked_bar_lists_the_people_that_it_counts(bench):
    explorer = explore.funnel(bench, ["view", "buy"], now=NOW)
    explorer.show_people(Click("1. view"))
    assert "step 1, view: 3" in texts(explorer)
    assert "&lt;b&gt;, ann, bob" in texts(explorer)


def test_a_question_that_cannot_be_asked_says_why_and_shows_no_number(bench):
    explorer = explore.funnel(bench, ["view", "buy"], now=NOW)
    explorer.shape.controls["steps"].value = ["view"]
    assert explorer.answer is None
    assert "a funnel is a list of 2 to" in texts(explorer)
    assert "conversion_rate" not in texts(explorer)
    explorer.show_people(Click("1. view"))
    explorer.shape.controls["steps"].value = ["view", "buy"]
    assert explorer.answer.frame["users"].tolist() == [3, 2]


def test_a_clicked_cell_lists_who_came_back(bench):
    explorer = explore.retention(bench, start="view", now=NOW)
    explorer.show_people(Click(x="1", row="2026-01-05 (3)"))
    assert "2026-01-05 who came back in week 1: 1" in texts(explorer)
    assert "ann" in texts(explorer)
    assert asked(explorer, bench).frame.equals(explorer.answer.frame)


@pytest.mark.parametrize("family", ["activity", "lifecycle", "stickiness", "journeys", "platforms"])
def test_every_family_can_be_explored_and_its_code_asks_the_same(family, bench):
    explorer = getattr(explore, family)(bench, now=NOW)
    assert asked(explorer, bench).frame.equals(explorer.answer.frame)
    for name, control in explorer.shape.controls.items():
        if name != "period" and getattr(control, "options", None):
            control.value = control.options[-1][1] if isinstance(control.options[-1], tuple) else control.options[-1]
    assert explorer.answer is not None
    assert asked(explorer, bench).frame.equals(explorer.answer.frame)


def test_a_clicked_step_lists_who_took_it(bench):
    explorer = explore.journeys(bench, now=NOW)
    explorer.show_people(Click(x="buy", row="view"))
    assert "from view to buy: 1" in texts(explorer)


def test_the_weight_of_steps_is_an_option_of_the_view(bench):
    explorer = explore.journeys(bench, now=NOW)
    explorer.shape.controls["weight"].value = "count"
    assert explorer.code == f"bench.journeys(now={NOW!r}).transitions(weight='count')"
    assert explorer.answer.chart().y_format == "count"


def test_a_clicked_bar_lists_who_came_on_so_many_days(bench):
    explorer = explore.stickiness(bench, now=NOW)
    explorer.show_people(Click(x="2"))
    assert "People of 2 days: 1" in texts(explorer)


def test_where_nothing_is_behind_a_click_nobody_is_listed(bench):
    shape = Shape(bench=bench, controls={}, asks=lambda _: [Call("message_volume", options={"now": NOW})])
    explorer = Explorer(shape)
    explorer.show_people(Click(x="1"))
    assert "People" not in texts(explorer)
