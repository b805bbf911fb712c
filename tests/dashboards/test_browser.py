"""The main dashboard in a real browser: what is drawn is what the bench answers, and nothing comes from elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import urljoin, urlsplit

import pytest
from playwright.sync_api import sync_playwright

from tests.dashboards.browsers import IN_A_BROWSER, NOTEBOOKS, OPENING, community, launched
from workbench.charts.formats import number
from workbench.dashboards.serve import running

pytestmark = IN_A_BROWSER


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return community(tmp_path_factory.mktemp("community"), users=80, days=50)


@pytest.fixture(scope="module")
def opened(bench):
    """The page, and what it asked for and complained about on the way."""
    asked, complaints = [], []
    with running(NOTEBOOKS, port=0, store=str(bench.store.path)) as (url, _), sync_playwright() as play:
        browser = launched(play)
        page = browser.new_page(viewport={"width": 1400, "height": 1200})
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url, timeout=OPENING)
        page.wait_for_selector(".wb-tile .bqplot .curve path.line", state="attached", timeout=OPENING)
        yield page, asked, complaints
        browser.close()


def answers(bench):
    """What the page asks, of fewer days than it would look at: the present is an hour after the data end."""
    now = min(bench.last_event + timedelta(hours=1), datetime.now(UTC))
    return bench.active_users(now=now), bench.message_volume(now=now)


def test_the_numbers_on_the_cards_are_the_answers(opened, bench):
    page, _, _ = opened
    shown = page.locator(".wb-number").all_inner_texts()
    active, messages = (answer.frame[answer.frame["mature"]] for answer in answers(bench))
    last = [active["users"].iloc[-1], active["new_users"].iloc[-1], messages["messages"].iloc[-1]]
    assert shown[:3] == [number(value, "count") for value in last]


def test_four_sparklines_and_five_charts_are_drawn(opened):
    page, _, _ = opened
    assert page.locator(".wb-card .bqplot svg.svg-figure").count() == 4
    assert page.locator(".wb-tile .bqplot svg.svg-figure").count() == 5


def test_every_day_is_a_point_of_its_line(opened, bench):
    page, _, _ = opened
    for words, answer in zip(("people with any event", "messages per day"), answers(bench), strict=True):
        drawn = page.locator(".wb-tile", has_text=words).locator("path.dot")
        assert drawn.count() == sum(len(line.x) for line in answer.chart().marks) >= len(answer.frame)


def test_every_platform_has_its_slice(opened, bench):
    page, _, _ = opened
    main = bench.platform_distribution().frame.query("main_users > 0")
    tile = page.locator(".wb-tile", has_text="Platforms")
    assert tile.locator("path.slice").count() == len(main)
    for platform in main["platform"]:
        assert tile.get_by_text(platform, exact=True).count() >= 1


def test_every_raid_is_a_point_and_the_latest_are_listed(opened, bench):
    page, _, _ = opened
    raids = bench.raid_activity().frame
    points = page.locator(".wb-tile", has_text="people who joined").locator("path.dot")
    assert points.count() == len(raids)
    assert page.locator(".wb-tile table tbody tr").first.inner_text().split()[0] == raids["raid_id"].iloc[-1]


def test_the_page_says_how_far_its_data_reach(opened, bench):
    page, _, _ = opened
    head = page.locator(".wb-head").inner_text()
    assert bench.data_version in head
    assert f"{bench.last_event:%d %b %Y}" in head


def test_no_code_is_shown(opened):
    page, _, _ = opened
    assert "import workbench" not in page.content()


def test_nothing_is_asked_of_another_machine(opened):
    _, asked, _ = opened
    hosts = {urlsplit(url).hostname for url in asked if urlsplit(url).scheme in {"http", "https", "ws", "wss"}}
    assert hosts == {"127.0.0.1"}


def test_the_browser_has_nothing_to_complain_about(opened):
    _, _, complaints = opened
    unexplained = [
        text for text in complaints if "translate(" not in text
    ]  # bqplot's own, of a legend it does not draw
    assert unexplained == []


@pytest.mark.parametrize("path", ["/", "/voila/render/none.ipynb"])
def test_pages_without_a_notebook_need_no_other_machine_either(opened, path):
    page, _, _ = opened
    asked, complaints = [], []
    other = page.context.browser.new_page()
    other.on("request", lambda request: asked.append(urlsplit(request.url).hostname))
    other.on("console", lambda message: complaints.append(message.text))
    other.goto(urljoin(page.url, path))
    assert other.locator("h1").count() == 1
    assert set(asked) == {"127.0.0.1"}
    assert not any("Content Security Policy" in text for text in complaints)
    other.close()


def test_a_long_name_leaves_room_for_the_other_columns(opened):
    page, _, _ = opened
    spread = """table => {
        const cell = table.querySelector("td"), before = cell.textContent
        cell.textContent = "r".repeat(200)
        const right = table.getBoundingClientRect().right, room = table.parentElement.getBoundingClientRect().right
        cell.textContent = before
        return right - room
    }"""
    assert page.locator(".wb-tile table").evaluate(spread) <= 0


def test_on_a_dark_screen_no_text_is_dark(opened):
    page, _, _ = opened
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    inks = page.locator(".wb-page .widget-html-content, .wb-page .widget-html-content *").evaluate_all(
        "parts => parts.map(part => getComputedStyle(part).color.match(/[0-9]+/g).slice(0, 3).map(Number))"
    )
    page.emulate_media(color_scheme="light")
    assert min(map(sum, inks)) > 3 * 128


def test_on_a_phone_nothing_is_wider_than_the_screen(opened):
    page, _, _ = opened
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("document.querySelector('.wb-page').clientWidth < 390")
    right = "[...document.querySelectorAll('.wb-card, .wb-tile')].map(part => part.getBoundingClientRect().right)"
    assert max(page.evaluate(right)) <= 390
