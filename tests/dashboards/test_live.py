"""The live part of a page: it shows what the answers say, moves in place, and says when it does not move."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime, timedelta

import pytest

from tests.store.deliveries import put
from workbench.bench import Bench
from workbench.charts.formats import number
from workbench.config import Settings
from workbench.dashboards import feed, pages
from workbench.dashboards.feed import Feed, Presence
from workbench.dashboards.live import LiveSection
from workbench.store.lake import LakeStore
from workbench.store.live_open import open_live
from workbench.testing import MemoryStore, events_of, stored

BEGIN = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=10)
NOW = BEGIN + timedelta(minutes=5)


@pytest.fixture
def lake(tmp_path):
    return LakeStore(tmp_path / "lake")


@pytest.fixture
def section(lake):
    return LiveSection(Bench(lake, Settings()), feed=Feed())


def stream(lake, journeys, **fields):
    live = open_live("sqlite", lake=lake.path)
    put(live, journeys, start=BEGIN, now=NOW, **fields)
    live.close()


def shown(section):
    return [card.words.value for card in (section.users, section.messages, section.errors, section.raids)]


def test_without_live_numbers_it_says_how_to_get_them_and_shows_no_card(section):
    assert section.body not in section.widget.children
    assert "No live numbers yet" in section.head.value
    assert "<code>workbench stream</code>" in section.head.value


def test_cards_say_what_the_answers_say(lake, section):
    stream(lake, {"ann": "message_sent:0 message_sent:270 view:300", "bob": "view:280"})
    stream(lake, {"host": "raid_started:200", "ann": "raid_joined:210"}, raid_id="r")
    stream(lake, {"cy": "request:290"}, properties={"status": 500})
    section.show(section.read(), now=NOW)
    users, messages, errors, raids = shown(section)
    live = section.bench.live()
    assert f'wb-number">{live.active_users().frame["users_5m"].iloc[-1]}<' in users
    assert f'wb-number">{number(live.volume().messages_per_second, "decimal")}<' in messages
    assert 'wb-number">100.0%<' in errors
    assert "1 of 1 requests" in errors
    assert 'wb-number">1<' in raids
    assert "joined by 1 people" in raids
    assert section.body in section.widget.children


def test_new_events_from_another_thread_move_the_same_widgets(lake, section):
    stream(lake, {"ann": "message_sent:0 message_sent:290"})
    section.show(section.read(), now=NOW)
    before, widgets, marks = shown(section), section.widget.children, section.line.marks
    writer = threading.Thread(target=stream, args=(lake, {"bob": "view:299 message_sent:293"}))
    writer.start()
    writer.join()
    section.show(section.read(), now=NOW)
    assert shown(section)[0] != before[0]
    assert (section.widget.children, section.line.marks) == (widgets, marks)
    assert section.line.chart.marks[0].y[-1] == 1.0


def test_when_nothing_comes_any_more_it_says_since_when(lake, section):
    stream(lake, {"ann": "view:299"})
    section.show(section.read(), now=NOW + timedelta(seconds=5))
    assert "wb-pulse-live" in section.head.value
    assert "wb-stale" not in section.body._dom_classes
    section.show(section.read(), now=NOW + timedelta(minutes=3))
    assert "Not live" in section.head.value
    assert "nothing has come for 3 min" in section.head.value
    assert "wb-stale" in section.body._dom_classes


def test_whether_live_is_history_has_a_card_of_its_own(lake, section):
    events = events_of({"ann": "view:0 view:200 view:290"}, unit=timedelta(seconds=1), start=BEGIN)
    rows = stored(events, source="events-0").drop_columns(["ingested_at", "source", "user_key"])
    lake.append(rows, source="events-0", start=0, end=3, ingested_at=NOW)
    stream(lake, {"ann": "view:0 view:200 view:290"})
    section.show_check(section.compare())
    assert 'wb-number">0<' in section.check.words.value
    assert " windows, at" in section.check.words.value
    lake.append(rows.slice(0, 0), source="events-0", start=3, end=4, ingested_at=NOW)
    stream(lake, {"nobody": "view:100"})
    section.show_check(section.compare())
    assert "unexplained" in section.check.words.value
    assert "wb-bad" in section.check.widget._dom_classes


def test_live_numbers_that_cannot_be_read_say_why(lake, section):
    (lake.path / "live.db").write_text("not a database" * 100)
    section.show(section.read())
    assert "cannot be read" in section.head.value
    assert section.body not in section.widget.children
    assert section.compare() is None


def test_the_main_page_has_a_live_part(lake):
    page = pages.main(Bench(MemoryStore(stored(events_of({"ann": "view:0"}))), Settings()), now=NOW)
    (part,) = [child for child in page.children if "wb-live" in child._dom_classes]
    assert "a frame has no live numbers" in part.children[0].value


class Counting:
    """A page that counts how often it was shown anew."""

    def __init__(self):
        self.shown = 0

    async def refresh(self):
        self.shown += 1


@pytest.fixture
def fast(monkeypatch):
    for name, seconds in (("EVERY_SECONDS", 0.05), ("ASK_SECONDS", 0.05), ("GONE_SECONDS", 0.3)):
        monkeypatch.setattr(feed, name, seconds)


def come(widget):
    """Answer as a browser does that shows the widget: with the count of the bars."""
    (counter,) = widget.marks
    counter.set_trait(
        "count", [float(len(counter.sample))] if len(counter.sample) != len(counter.count) else [0.0, 0.0]
    )


def test_nothing_runs_before_a_browser_shows_the_page(fast):
    async def story():
        feed_, page = Feed(), Counting()
        feed_.watch(page)
        await asyncio.sleep(0.2)
        return feed_.running, page.shown

    assert asyncio.run(story()) == (False, 0)


def test_one_task_moves_all_pages_and_ends_when_the_last_is_gone(fast):
    async def story():
        feed_, one, other = Feed(), Counting(), Counting()
        widgets = feed_.watch(one), feed_.watch(other)
        [come(widget) for widget in widgets]
        tasks = len(asyncio.all_tasks())
        await asyncio.sleep(0.2)
        during = feed_.running, one.shown > 1, other.shown > 1
        await asyncio.sleep(0.5)
        return tasks, during, feed_.running

    assert asyncio.run(story()) == (2, (True, True, True), False)


def test_a_page_that_comes_back_moves_again(fast):
    async def story():
        feed_, page = Feed(), Counting()
        widget = feed_.watch(page)
        come(widget)
        await asyncio.sleep(0.6)
        gone, seen = feed_.running, page.shown
        come(widget)
        await asyncio.sleep(0.2)
        return gone, page.shown > seen

    assert asyncio.run(story()) == (False, True)


def test_a_page_that_fails_says_so_and_the_others_move_on(fast):
    class Broken(Counting):
        said = ""

        async def refresh(self):
            raise KeyError("oops")

        def fail(self, error):
            self.said = repr(error)

    async def story():
        feed_, broken, other = Feed(), Broken(), Counting()
        [come(widget) for widget in (feed_.watch(broken), feed_.watch(other))]
        await asyncio.sleep(0.2)
        return broken.said, other.shown > 1

    assert asyncio.run(story()) == ("KeyError('oops')", True)


def test_a_live_part_that_fails_says_that_it_stopped(section):
    section.fail(RuntimeError("no more"))
    assert "have stopped</span> RuntimeError: no more" in section.head.value


def test_a_browser_is_asked_by_another_sample(fast):
    presence = Presence(lambda: None)
    (counter,) = presence.widget.marks
    before = len(counter.sample)
    presence.ask()
    assert len(counter.sample) != before
