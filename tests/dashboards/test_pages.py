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


def test_the_cards_say_what_the_answers_say(bench):
    page = pages.main(bench, now=NOW)
    told = "".join(widget.children[0].value for widget in with_class(page, "wb-card"))
    active, messages = bench.active_users(now=NOW).frame, bench.message_volume(now=NOW).frame
    assert f'<div class="wb-number">{active["users"].iloc[-1]}</div>' in told
    assert f'<div class="wb-number">{messages["messages"].iloc[-1]}</div>' in told
    assert "1 people in them; 0 started in 7 days" in told


def test_the_charts_hold_the_rows_of_the_answers(bench):
    page = pages.main(bench, now=NOW)
    lines = [mark for figure in widgets_of(page) if isinstance(figure, bqplot.Figure) for mark in figure.marks]
    drawn = [list(mark.y) for mark in lines if isinstance(mark, bqplot.Lines)]
    assert list(map(float, bench.active_users(now=NOW).frame["users"])) in drawn
    assert list(map(float, bench.message_volume(now=NOW).frame["messages"])) in drawn


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
    assert "running" in tile.children[0].value


def test_an_empty_lake_says_how_to_fill_it():
    page = pages.main(Bench(store_of({}), Settings()))
    assert "workbench ingest FILE" in page.children[0].value


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
