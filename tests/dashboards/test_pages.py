"""The page beside the answers that it is made of: same numbers, nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

import bqplot
import pytest

from workbench.bench import Bench
from workbench.config import Settings
from workbench.dashboards import pages
from workbench.errors import StoreError
from workbench.store.lake import LakeStore
from workbench.testing import MemoryStore, events_of, store_of, stored

NOW = datetime(2026, 1, 20, tzinfo=UTC)
DAY = 24 * 60


@pytest.fixture
def bench():
    people = {f"user {n}": " ".join(f"message_sent:{day * DAY + n}" for day in range(n % 3, 14)) for n in range(6)}
    raid = events_of({"host": "raid_started:100", "user 1": "raid_joined:101"}, raid_id="r<1>", platform="web")
    return Bench(MemoryStore(stored(events_of(people, platform="discord") + raid)), Settings())


def widgets_of(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from widgets_of(child)


def with_class(page, name):
    return [widget for widget in widgets_of(page) if name in getattr(widget, "_dom_classes", ())]


def cards(page):
    return [widget.children[0].value for widget in with_class(page, "wb-card")]


def lines_of(page):
    figures = [widget for widget in widgets_of(page) if isinstance(widget, bqplot.Figure)]
    return [mark for figure in figures for mark in figure.marks if isinstance(mark, bqplot.Lines)]


def page_of(journeys, settings=None, **options):
    return pages.main(Bench(store_of(journeys), settings or Settings()), **options)


def test_the_cards_say_what_the_answers_say(bench):
    active, messages = bench.active_users(now=bench.last_event).frame, bench.message_volume(now=bench.last_event).frame
    (last,) = active.loc[active["mature"], "period"].tail(1)
    told = cards(pages.main(bench, now=NOW))
    assert f"Active users, {last:%a %d %b}" in told[0]
    assert f'<div class="wb-number">{active.loc[active["period"] == last, "users"].item()}</div>' in told[0]
    assert f'<div class="wb-number">{messages["messages"][messages["mature"]].iloc[-1]}</div>' in told[2]
    assert "joined by 1; 0 started in 7 days" in told[3]


def test_the_day_in_which_the_data_end_is_not_compared_with_whole_days():
    told = cards(page_of({"ann": f"view:60 view:{DAY + 720}", "bob": "view:60"}, now=NOW))
    assert "Active users, Mon 05 Jan" in told[0]
    assert '<div class="wb-number">2</div>' in told[0]


def test_data_that_end_within_an_hour_of_midnight_have_the_whole_day():
    told = cards(page_of({"ann": f"view:60 view:{2 * DAY - 30}", "bob": "view:60"}, now=NOW))
    assert "Active users, Tue 06 Jan" in told[0]


def test_while_no_day_is_over_the_cards_say_so():
    told = cards(page_of({"ann": "view:60"}, now=NOW))
    assert '<div class="wb-number">1</div>' in told[0]
    assert "so far" in told[0]


def test_a_last_day_on_which_nobody_wrote_has_no_messages():
    told = cards(page_of({"ann": f"message_sent:60 view:{DAY + 60} view:{2 * DAY + 60}"}, now=NOW))
    assert "Messages, Tue 06 Jan" in told[2]
    assert '<div class="wb-number">0</div>' in told[2]


@pytest.mark.parametrize("timezone", ["UTC", "Pacific/Auckland", "America/St_Johns"])
def test_the_first_day_shown_is_a_whole_one(timezone):
    every_hour = " ".join(f"message_sent:{hour * 60}" for hour in range(10 * 24))
    page = page_of({"ann": every_hour}, Settings(timezone=timezone), days=7, now=NOW)
    first = next(mark.y[0] for mark in lines_of(page) if "messages" in mark.labels)
    assert first == 24


def test_an_event_dated_after_the_present_does_not_move_it():
    page = page_of({"ann": f"view:60 view:{DAY + 60}", "odd": f"view:{30 * DAY}"}, now=NOW)
    assert "Active users, Tue 06 Jan" in cards(page)[0]
    assert "20 Jan 2026" in with_class(page, "wb-head")[0].value


def test_nothing_but_events_after_the_present_is_an_empty_page():
    assert all("n/a" in card for card in cards(page_of({"odd": f"view:{30 * DAY}"}, now=NOW))[:3])


def test_the_charts_hold_the_rows_of_the_answers(bench):
    drawn = [list(mark.y) for mark in lines_of(pages.main(bench, now=NOW))]
    active, messages = bench.active_users(now=bench.last_event).frame, bench.message_volume(now=bench.last_event).frame
    assert list(map(float, active["users"][active["mature"]])) in drawn
    assert list(map(float, messages["messages"][messages["mature"]])) in drawn


def test_the_page_says_how_far_its_data_reach_and_which_version_they_are(bench):
    (head,) = with_class(pages.main(bench, now=NOW), "wb-head")
    assert "18 Jan 2026" in head.value
    assert bench.data_version in head.value


def test_a_raid_is_listed_as_text(bench):
    (tile,) = [
        w
        for w in with_class(pages.main(bench, now=NOW), "wb-tile")
        if "Latest raids" in getattr(w.children[0], "value", "")
    ]
    assert "r&lt;1&gt;" in tile.children[0].value
    assert "05 Jan 01:40" in tile.children[0].value
    assert "running" in tile.children[0].value


def test_an_empty_lake_says_how_to_fill_it():
    page = pages.main(Bench(store_of({}), Settings()))
    assert "<code>workbench ingest FILE</code>" in page.children[0].value


def test_a_lake_that_is_not_there_is_named_and_not_made(tmp_path):
    page = pages.show(pages.main, tmp_path / "mistyped")
    assert "no lake at" in page.children[0].value
    assert "mistyped" in page.children[0].value
    assert with_class(page, "wb-error")
    assert not (tmp_path / "mistyped").exists()


def test_an_error_on_the_way_is_shown_with_what_to_do(tmp_path):
    def broken(_):
        raise StoreError("run `workbench doctor --scrub`")

    LakeStore(tmp_path / "lake")
    assert "doctor --scrub" in pages.show(broken, tmp_path / "lake").children[0].value
