"""What tiles show while data change, questions fail, and visitors choose."""

from __future__ import annotations

import pytest

from workbench.bench import Bench
from workbench.config import Settings
from workbench.dashboards.answers import SLOW_SECONDS, Answers
from workbench.dashboards.definition import DAYS, Number, Page, Said, Section, Tile
from workbench.errors import InvalidArgument, NotEnoughData
from workbench.testing import store_of


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def answers(asks, **tile):
    bench = Bench(store_of({"ann": "view:0"}), Settings())
    made = Tile(name="one", title="One", asks=asks, **tile)
    section = Section(kind="cards", tiles=(made,))
    page = Page(name="p", title="P", about="", filters=(DAYS,), sections=(section,))
    clock = Clock()
    return Answers(page, bench, keep=60, clock=clock), made, clock


def number(_):
    return Number(title="One", value=1.0)


def test_an_answer_is_kept_while_the_data_are_the_same():
    asked, tile, clock = answers(number)
    assert asked.due(tile, {"days": "7"})
    asked.ask(tile, {"days": "7"})
    clock.now = 1e6
    assert not asked.due(tile, {"days": "7"})
    assert asked.due(tile, {"days": "30"})


@pytest.mark.parametrize(("slow", "seconds"), [(False, 60), (True, SLOW_SECONDS)])
def test_an_answer_of_older_data_is_kept_for_a_while(slow, seconds):
    asked, tile, clock = answers(number, slow=slow)
    asked.ask(tile, {"days": "7"})
    asked.bench.snapshot = store_of({"bob": "view:0 view:9"}).snapshot()
    clock.now = seconds - 1
    assert not asked.due(tile, {"days": "7"})
    clock.now = seconds
    assert asked.due(tile, {"days": "7"})


def test_tiles_share_an_answer_until_the_data_change():
    asked, _, _ = answers(number)
    first = asked.view({"days": "7"}).ask(Bench.active_users)
    assert asked.view({"days": "7"}).ask(Bench.active_users) is first
    assert asked.view({"days": "30"}).ask(Bench.active_users) is not first
    asked.bench.snapshot = store_of({"bob": "view:0 view:9"}).snapshot()
    later = asked.view({"days": "7"}).ask(Bench.active_users)
    assert later.data_version == asked.bench.data_version != first.data_version


def test_a_question_that_fails_says_why_and_how_to_mend_it():
    def fails(_):
        raise NotEnoughData("too few; run `workbench ingest`")

    asked, tile, clock = answers(fails)
    shown = asked.ask(tile, {"days": "7"})
    assert shown.content == Said(title="One", text="too few; run `workbench ingest`", error=True)
    clock.now = 60
    assert asked.due(tile, {"days": "7"}), "it is asked again, for what it needs may be there by now"


def test_what_was_known_stays_and_is_marked_when_it_cannot_be_asked_again():
    told = [Number(title="One", value=1.0)]
    asked, tile, clock = answers(lambda _: told.pop())
    asked.ask(tile, {"days": "7"})
    clock.now = 5
    shown = asked.ask(tile, {"days": "7"})
    assert shown.content.value == 1.0
    assert "IndexError" in shown.stale


def test_a_bench_without_events_says_what_puts_some_in():
    asked, tile, _ = answers(number)
    asked.bench.snapshot = store_of({}).snapshot()
    assert "workbench ingest" in asked.ask(tile, {"days": "7"}).content.text


def test_choices_that_are_not_offered_are_refused_and_strange_names_left_out():
    asked, _, _ = answers(number)
    assert asked.page.choose(asked.page.offers(asked.bench), {"utm": "x"}) == {"days": "90"}
    with pytest.raises(InvalidArgument, match=r"days is one of '7', .* not '<script>'"):
        asked.page.choose(asked.page.offers(asked.bench), {"days": "<script>"})
