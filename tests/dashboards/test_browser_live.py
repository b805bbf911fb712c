"""The live part of the main dashboard in a real browser, while events come in from a thread."""

from __future__ import annotations

import itertools
import threading
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

import workbench as wb
from tests.dashboards.browsers import IN_A_BROWSER, NOTEBOOKS, OPENING, launched
from tests.store.deliveries import put
from workbench.charts.formats import number
from workbench.dashboards.serve import running
from workbench.store.live_open import open_live
from workbench.store.live_state import Policy
from workbench.testing import events_of, stored

pytestmark = IN_A_BROWSER
SECOND = timedelta(seconds=1)


class Stream:
    """Somebody new says something, five times a second, until it is stopped."""

    def __init__(self, lake):
        self.live = open_live("sqlite", lake=lake, policy=Policy(idle=6))
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        for turn in itertools.count():
            now = datetime.now(UTC)
            put(self.live, {f"user {turn}": "message_sent:0 request:0"}, start=now, now=now)
            if self.stopped.wait(0.2):
                return

    def stop(self):
        self.stopped.set()
        self.thread.join()
        self.live.close()


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    lake = wb.open(tmp_path_factory.mktemp("live") / "lake", create=True).store
    now = datetime.now(UTC)
    events = events_of({"ann": "message_sent:0 view:1500"}, start=now - timedelta(days=2))
    rows = stored(events).drop_columns(["ingested_at", "source", "user_key"])
    lake.append(rows, source="file", start=0, end=2, ingested_at=now)
    return lake.path


@pytest.fixture(scope="module")
def opened(lake):
    asked, complaints = [], []
    with running(NOTEBOOKS, port=0, store=str(lake)) as (url, _), sync_playwright() as play:
        browser = launched(play)
        page = browser.new_page(viewport={"width": 1400, "height": 1200})
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url, timeout=OPENING)
        page.wait_for_selector(".wb-live-head .wb-live-title", timeout=OPENING)
        yield page, asked, complaints
        browser.close()


@pytest.fixture(scope="module")
def moving(opened, lake):
    """The page, once a stream has begun; it was opened before."""
    page, _, _ = opened
    empty = page.locator(".wb-live-head").inner_text()
    stream = Stream(lake)
    stream.thread.start()
    page.wait_for_selector(".wb-live-cards .wb-number", timeout=60_000)
    yield page, empty, stream
    stream.stop()


def numbers(page):
    return page.locator(".wb-live-cards .wb-number").all_inner_texts()


def test_before_a_stream_the_page_says_so_and_then_begins_to_move_by_itself(moving):
    page, empty, _ = moving
    assert "No live numbers yet" in empty
    assert page.locator(".wb-live-cards .wb-card").count() == 5


def test_the_number_of_people_moves_every_second(moving):
    page, _, _ = moving
    changed = "before => document.querySelector('.wb-live-cards .wb-number').innerText !== before"
    for _ in range(3):
        page.wait_for_function(changed, arg=numbers(page)[0], timeout=5_000)


def test_the_line_of_messages_moves(moving):
    page, _, _ = moving
    page.wait_for_selector(".wb-live .wb-tile path.line[d]", state="attached", timeout=20_000)
    shape = "[...document.querySelectorAll('.wb-live .wb-tile .curve path.line')].at(-1).getAttribute('d')"
    page.wait_for_function(f"before => {shape} !== before", arg=page.evaluate(shape), timeout=10_000)


def test_the_numbers_shown_are_those_of_the_bench(moving, lake):
    page, _, _ = moving
    known = wb.open(lake).live()
    page.wait_for_function("document.querySelector('.wb-live-cards').innerText.includes('requests')")
    low = int(known.active_users().frame["users_5m"].iloc[-1])
    assert low - 25 <= int(numbers(page)[0].replace(",", "")) <= low + 50  # the page is a second or two apart
    assert numbers(page)[2] == number(0.0, "percent")


def test_a_stream_that_is_not_in_history_is_said_to_differ(moving):
    page, _, _ = moving
    page.wait_for_function(
        "!document.querySelector('.wb-live-cards').innerText.includes('not compared yet')", timeout=90_000
    )
    assert " windows, at" in page.locator(".wb-live-cards .wb-card").nth(4).inner_text()


def test_on_a_dark_screen_no_text_is_dark(moving):
    page, _, _ = moving
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    inks = page.evaluate(  # in one go: the page moves, and what was found before may be gone
        "() => [...document.querySelectorAll('.wb-live .widget-html-content, .wb-live .widget-html-content *')]"
        ".filter(part => part.innerText)"
        ".map(part => getComputedStyle(part).color.match(/[0-9]+/g).slice(0, 3).map(Number))"
    )
    page.emulate_media(color_scheme="light")
    assert min(map(sum, inks)) > 2.5 * 128


def test_nothing_is_asked_of_another_machine_and_the_browser_has_nothing_to_complain_about(moving, opened):
    _, asked, complaints = opened
    hosts = {urlsplit(url).hostname for url in asked if urlsplit(url).scheme in {"http", "https", "ws", "wss"}}
    assert hosts == {"127.0.0.1"}
    assert [text for text in complaints if "translate(" not in text] == []


def test_when_the_stream_ends_the_page_says_that_nothing_comes(moving):
    page, _, stream = moving
    stream.stop()
    page.wait_for_selector(".wb-pulse-stale", timeout=60_000)
    assert "nothing has come for" in page.locator(".wb-live-head").inner_text()
