from __future__ import annotations

import html
from datetime import UTC, datetime

import pyarrow as pa
import pytest

import workbench
from workbench.bench import Bench
from workbench.charts.clicks import Click
from workbench.config import Settings
from workbench.dashboards import explore
from workbench.dashboards.explorer import Call, Explorer, Shape
from workbench.events import to_table
from workbench.store.memory import MemoryStore
from workbench.testing import events_of, store_of, stored

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
    return eval(explorer.code, {"bench": bench, "wb": workbench})  # noqa: S307 - our own code


def test_a_moved_control_asks_again_and_the_code_asks_for_what_is_shown(bench):
    explorer = explore.funnel(bench, ["view", "buy"], now=NOW)
    explorer.shape.controls["within"].value = "1h"
    assert explorer.answer.frame["users"].tolist() == [3, 1]
    assert asked(explorer, bench).frame.equals(explorer.answer.frame)
    assert asked(explorer, bench).definition == explorer.answer.definition
    assert html.escape(explorer.code) in texts(explorer)


def test_steps_are_picked_from_the_events_there_are(bench):
    explorer = explore.funnel(bench, now=NOW)
    steps = explorer.shape.controls["steps"]
    assert [name for _, name in steps.add.options if name] == ["view", "buy", "other"]
    assert explorer.answer.frame["event"].tolist() == ["view", "buy"]
    steps.add.value = "other"
    assert explorer.answer.frame["event"].tolist() == ["view", "buy", "other"]
    steps.tags.value = ["other", "view"]
    assert explorer.answer.frame["event"].tolist() == ["other", "view"]
    assert steps.add.value == ""


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


FAMILIES = ["activity", "lifecycle", "stickiness", "journeys", "platforms", "raids", "profiles", "segments"]


@pytest.mark.parametrize("family", ["funnel", "retention", *FAMILIES])
def test_where_there_are_no_events_an_explorer_says_so(family):
    explorer = getattr(explore, family)(Bench(store_of({}), Settings()))
    assert len(explorer.widget.children[2].children[0].value) > len("<p></p>")


def test_a_step_that_is_no_event_is_refused_in_words_and_can_be_taken_out(bench):
    explorer = explore.funnel(bench, ["view", "bye", "other"], now=NOW)
    assert explorer.answer is None
    assert "&#x27;bye&#x27;" in texts(explorer)
    explorer.shape.controls["steps"].tags.value = ["view", "other"]
    assert explorer.answer.frame["users"].tolist() == [3, 0]


@pytest.mark.parametrize("family", FAMILIES)
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


def test_a_choice_of_nothing_is_seen_in_its_control_and_asks_for_anything(bench):
    explorer = explore.activity(bench, now=NOW)
    event = explorer.shape.controls["event"]
    assert event.label == "any event"
    event.value = "buy"
    event.value = ""
    assert explorer.answer.definition.event is None


def test_a_control_that_is_of_no_use_is_hidden_and_not_asked_with(bench):
    explorer = explore.activity(bench, now=NOW)
    explorer.shape.controls["window"].value = "7d"
    explorer.shape.controls["period"].value = "week"
    assert explorer.shape.controls["window"].layout.display == "none"
    assert "window" not in explorer.code
    explorer.shape.controls["period"].value = "day"
    assert explorer.shape.controls["window"].layout.display is None
    assert "window='7d'" in explorer.code


def test_a_clicked_bracket_lists_who_came_back_in_any_of_its_periods(bench):
    explorer = explore.retention(bench, start="view", now=NOW)
    explorer.shape.controls["kind"].value = "bracket"
    explorer.show_people(Click(x="1", row="2026-01-05 (3)"))
    assert "2026-01-05 who came back in week 1: 1" in texts(explorer)
    explorer.show_people(Click(x="2-3", row="2026-01-05 (3)"))
    assert "2026-01-05 who came back in weeks 2-3: 0" in texts(explorer)


def test_a_clicked_bar_of_a_segment_lists_its_people_alone():
    events = [*events_of({"ann": "view:0 buy:9"}, platform="web"), *events_of({"bob": "view:0"}, platform="x")]
    explorer = explore.funnel(Bench(MemoryStore(stored(events)), Settings()), ["view", "buy"], now=NOW)
    explorer.shape.controls["by"].value = "platform"
    explorer.show_people(Click("1. view", label="x"))
    assert "People of x who reached step 1, view: 1" in texts(explorer)
    assert "<p>bob</p>" in texts(explorer)


@pytest.mark.parametrize(
    ("view", "click", "told"),
    [
        ("transitions", Click(x="buy", row="view"), "from view to buy: 2"),
        ("graph", Click(x="buy", row="view"), "from view to buy: 2"),
        ("step_matrix", Click(x="+1", row="(end)"), "at (end) (+1), counted from the first event: 3"),
    ],
)
def test_every_view_of_journeys_lists_who_is_behind_it(view, click, told, bench):
    explorer = explore.journeys(bench, now=NOW)
    explorer.shape.controls["sessions"].value = "2h"
    explorer.shape.controls["view"].value = view
    explorer.show_people(click)
    assert told in texts(explorer)
    assert f"sessions='2h', now='{NOW}').{view}(" in explorer.code


def test_a_clicked_ribbon_lists_who_went_on_at_that_step(bench):
    explorer = explore.journeys(bench, centre="buy", now=NOW)
    explorer.shape.controls["sessions"].value = "2h"
    explorer.shape.controls["view"].value = "step_sankey"
    frame = explorer.answer.frame
    at = int(frame.index[(frame["from_event"] == "view") & (frame["to_event"] == "buy")][0])
    explorer.show_people(Click(x="buy", row="view", at=at))
    assert "from view (-1) to buy (0), counted from the first buy: 2" in texts(explorer)


def test_a_clicked_point_lists_who_was_there_or_gone(bench):
    active, life = explore.activity(bench, now=NOW), explore.lifecycle(bench, now=NOW)
    active.show_people(Click(x=datetime(2026, 1, 13)))
    assert "People on 13 Jan 2026: 1" in texts(active)
    life.show_people(Click(x=datetime(2026, 1, 12), label="dormant"))
    assert "People dormant in the week from 12 Jan 2026: 3" in texts(life)


@pytest.mark.parametrize("view", ["raid_activity", "raid_facts"])
def test_a_clicked_point_lists_who_joined_the_raid(view):
    lost = events_of({"cem": "raid_started:0 raid_joined:1 raid_ended:9"}, raid_id="r1", properties={"success": False})
    won = events_of(
        {"ann": "raid_started:50 raid_joined:60 raid_ended:90", "bob": "raid_joined:61"},
        raid_id="r2",
        properties={"success": True},
    )
    explorer = explore.raids(Bench(MemoryStore(stored([*lost, *won])), Settings()), now=NOW)
    explorer.shape.controls["view"].value = view
    explorer.show_people(Click(x=1.0, label="succeeded", at=0))
    assert "People who joined r2, started 05 Jan 2026 00:50: 2" in texts(explorer)


def test_a_clicked_bar_lists_people_by_their_active_days(bench):
    explorer = explore.profiles(bench, now=NOW)
    explorer.show_people(Click(x="2-3"))
    assert "People who were active on 2-3 days: 1" in texts(explorer)


def test_people_are_chosen_by_widgets_and_asked_about_alone(bench):
    explorer = explore.segments(bench, "view", at_least=2, now=NOW)
    assert explorer.answer.people() == ["ann"]
    explorer.shape.controls["at_least"].value = 1
    explorer.shape.controls["never"].value = "buy"
    assert explorer.segment == workbench.segment("view") & ~workbench.segment("buy")
    assert "Asked of those alone who did view 1 or more times and not did buy" in texts(explorer)
    explorer.shape.controls["never"].value = "other"
    explorer.shape.controls["question"].value = "funnel"
    assert explorer.answer.frame["users"].tolist() == [3, 2]
    explorer.shape.controls["steps"].add.value = "view"
    assert explorer.answer.frame["users"].tolist() == [3, 2, 0]
    assert asked(explorer, bench).definition == explorer.answer.definition
    assert not explorer.shape.beside


def test_a_segment_is_kept_by_a_name_and_asked_about_by_it(tmp_path):
    bench = workbench.open(tmp_path / "lake", create=True)
    table = to_table(events_of(PEOPLE))
    table = table.append_column("position", pa.array(range(len(table)), pa.int64()))
    bench.store.append(table, source="one", start=0, end=len(table), ingested_at=datetime(2026, 1, 20, tzinfo=UTC))
    explorer = explore.segments(bench.refresh(), "buy", now=NOW)
    name, button, told = explorer.shape.beside[0].children
    name.value = "not/a name"
    button.click()
    assert "a segment&#x27;s name is" in told.value
    name.value = "buyers"
    button.click()
    assert bench.segment("buyers") == workbench.segment("buy")
    assert explorer.code == f"bench.of('buyers', now='{NOW}').profiles(now='{NOW}')"
    assert explorer.segment == workbench.segment("buy")
    assert explorer.answer.people() == ["ann", "bob"]
    later = explore.segments(bench, now=NOW)
    later.shape.controls["saved"].value = "buyers"
    assert later.answer.people() == ["ann", "bob"]
