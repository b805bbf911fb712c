"""Every explorer in a real browser: a control changes the chart, a click lists as many people as the answer counts."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect, sync_playwright

import workbench as wb
from tests.dashboards.browsers import IN_A_BROWSER, OPENING, community, launched
from workbench.dashboards.serve import running

PATIENCE = 60_000
STEPS = ["user_joined", "first_message", "raid_joined"]
FAMILIES = {
    "funnel": f"explore.funnel(bench, {STEPS!r}, now=now)",
    "retention": "explore.retention(bench, now=now)",
    "activity": "explore.activity(bench, now=now)",
    "lifecycle": "explore.lifecycle(bench, now=now)",
    "stickiness": "explore.stickiness(bench, now=now)",
    "journeys": "explore.journeys(bench, now=now)",
    "platforms": "explore.platforms(bench, now=now)",
    "raids": "explore.raids(bench, now=now)",
    "profiles": "explore.profiles(bench, now=now)",
    "segments": "explore.segments(bench, 'raid_joined', now=now)",
}
"""What the page shows, by the class that it is found by."""

pytestmark = IN_A_BROWSER


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return community(tmp_path_factory.mktemp("community"), users=60, days=30)


@pytest.fixture(scope="module")
def page(bench, tmp_path_factory):
    """A page of all explorers."""
    folder = tmp_path_factory.mktemp("notebooks")
    shown = [f"{code}.widget.add_class('x-{name}')" for name, code in FAMILIES.items()]
    start = ["import workbench as wb", "from workbench.dashboards import explore", "bench = wb.open()"]
    source = "\n".join([*start, "now = bench.last_event", *(f"display({each})" for each in shown)])
    cell = {"cell_type": "code", "id": "0", "metadata": {}, "source": source, "outputs": [], "execution_count": None}
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    notebook = {"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (folder / "all.ipynb").write_text(json.dumps(notebook))
    with running(folder, port=0, store=str(bench.store.path), page="all.ipynb") as (url, _), sync_playwright() as play:
        browser = launched(play)
        page = browser.new_page(viewport={"width": 1300, "height": 1600})
        page.goto(url, timeout=OPENING)
        page.wait_for_selector(
            f".x-{list(FAMILIES)[-1]} .bqplot svg.svg-figure rect.bar", state="attached", timeout=OPENING
        )
        yield page
        browser.close()


class Shown:
    """An explorer on the page."""

    def __init__(self, page, family):
        self.part = page.locator(f".x-{family}")

    def press(self, words, code):
        """Press a button, and wait until the code that is shown has changed so."""
        self.part.locator("button", has_text=words).first.click()
        self.asks(code)

    def asks(self, code):
        expect(self.part.locator(".wb-code")).to_contain_text(code, timeout=PATIENCE)
        expect(self.part.locator(".wb-asking")).to_have_count(0, timeout=PATIENCE)

    def people(self, element, at):
        """Click one of the elements; return how many people the heading counts, and who is listed."""
        before = self.part.locator(".wb-people").inner_text()
        self.part.locator(f".bqplot {element}").nth(at).dispatch_event("click")
        expect(self.part.locator(".wb-people")).not_to_have_text(before, timeout=PATIENCE)
        expect(self.part.locator(".wb-people p")).to_have_count(2, timeout=PATIENCE)
        heading, names = self.part.locator(".wb-people p").all_inner_texts()
        return int(heading.rpartition(": ")[2].replace(",", "")), names.split(", ") if names else []


@pytest.fixture
def shown(page):
    return lambda family: Shown(page, family)


def test_a_bar_of_a_funnel_lists_who_came_so_far(shown, bench):
    funnel = shown("funnel")
    funnel.press("any", "order='any'")
    answer = bench.funnel(STEPS, order="any", now=bench.last_event)
    count, names = funnel.people("rect.bar", 1)
    assert (count, names) == (answer.frame["users"][1], answer.people(2))
    assert funnel.part.locator("rect.bar").count() == len(STEPS)


def test_a_dragged_window_asks_again(shown):
    funnel = shown("funnel")
    funnel.part.locator(".noUi-handle").first.press("ArrowRight")
    funnel.asks("within='14d'")
    assert "within 14 d" in funnel.part.locator(".wb-said").inner_text()


def test_a_cell_of_retention_lists_who_came_back_although_a_number_is_written_on_it(shown, bench):
    retention = shown("retention")
    retention.press("rolling", "clock='rolling'")
    frame = bench.retention(clock="rolling", now=bench.last_event).frame
    first = frame[(frame["cohort"] == frame["cohort"].min()) & (frame["period"] == 1)].iloc[0]
    cell = retention.part.locator(".bqplot rect.heatmapcell").nth(1)
    cell.scroll_into_view_if_needed()
    cell.click(timeout=PATIENCE)  # in the middle, where the text is: the cell must be what the mouse meets
    expect(retention.part.locator(".wb-people")).to_contain_text(f"in week 1: {first['users']}", timeout=PATIENCE)
    assert first["users"] > 0


def test_a_point_of_active_users_lists_who_was_there(shown, bench):
    activity = shown("activity")
    activity.press("7 days", "window='7d'")
    answer = bench.active_users(window="7d", now=bench.last_event)
    row = answer.frame.iloc[10]
    assert activity.people("path.dot", 10) == (row["users"], answer.people(row["period"]))


def test_a_point_of_the_lifecycle_lists_who_was_gone(shown, bench):
    lifecycle = shown("lifecycle")
    lifecycle.press("day", "period='day'")
    answer = bench.lifecycle(period="day", now=bench.last_event)
    dots = [(mark.label, x, y) for mark in answer.chart().marks for x, y in zip(mark.x, mark.y, strict=True)]
    at = next(at for at, (status, _, users) in enumerate(dots) if status == "dormant" and users < 0)
    _, day, users = dots[at]
    assert lifecycle.people("path.dot", at) == (-users, answer.people(day.date(), "dormant"))


def test_a_bar_of_stickiness_lists_who_came_so_often(shown, bench):
    stickiness = shown("stickiness")
    stickiness.press("week", "period='week'")
    answer = bench.stickiness(period="week", now=bench.last_event)
    assert stickiness.people("rect.bar", 1) == (answer.frame["users"][1], answer.people(2))


def test_every_view_of_journeys_lists_who_went_there(shown, bench):
    journeys, walked = shown("journeys"), bench.journeys(now=bench.last_event)
    follows = walked.transitions().chart().marks[0]
    at = follows.columns.index("session_started")
    count, names = journeys.people("rect.heatmapcell", at)
    assert (count, names) == (len(names), walked.transitions().people("(start)", "session_started"))
    journeys.press("step by step", ".step_sankey()")
    flow = walked.step_sankey()
    drawn = flow.plot()
    link = next(found[(0,)].at for found in drawn.answers.values() if (0,) in found)
    step, before, after, people = flow.frame.loc[link, ["step", "from_event", "to_event", "people"]]
    assert journeys.people("path.dot", 0) == (people, flow.people(step, before, after))


def test_a_cell_of_two_platforms_lists_who_uses_both(shown, bench):
    platforms = shown("platforms")
    platforms.press("the last 7 days", "since=")
    platforms.press("all of it", "platforms(now=")
    answer = bench.platforms(now=bench.last_event)
    grid = answer.chart().marks[0]
    one, other = answer.frame.loc[0, ["platform", "other"]]
    at = grid.rows.index(one) * len(grid.columns) + grid.columns.index(other)
    assert platforms.people("rect.heatmapcell", at) == (answer.frame["shared_users"][0], answer.people(one, other))


def test_a_point_lists_who_joined_the_raid(shown, bench):
    raids = shown("raids")
    raids.press("by how long", ".raid_facts(")
    answer = bench.raid_facts(now=bench.last_event)
    raid = next(iter(answer.drawn().values())).iloc[0]
    assert raids.people("path.dot", 0) == (raid["participants"], answer.people(raid["raid_id"]))


def test_a_bar_lists_people_by_their_active_days(shown, bench):
    answer = bench.profiles(now=bench.last_event)
    expected = answer.people(active_days="2-3")
    assert shown("profiles").people("rect.bar", 1) == (len(expected), expected)


def test_a_segment_is_built_saved_and_asked_about(shown, bench):
    segments, now = shown("segments"), bench.last_event
    segments.part.locator("select").nth(2).select_option(label="purchase")
    segments.asks("~wb.segment('purchase')")
    segments.part.locator("input[placeholder='a name for them']").fill("raiders")
    segments.press("Save", "bench.of('raiders'")
    segments.press("active users", ".active_users(")
    raiders = wb.segment("raid_joined") & ~wb.segment("purchase")
    assert bench.segment("raiders") == raiders
    answer = bench.of(raiders, now=now).active_users(now=now)
    row = answer.frame.iloc[5]
    assert segments.people("path.dot", 5) == (row["users"], answer.people(row["period"]))
