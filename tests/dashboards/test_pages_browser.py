"""All four pages in a real browser: filters, drill-down, what is saved, errors, keys, colours, and who is asked."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from tests.dashboards.browsers import IN_A_BROWSER, NOTEBOOKS, OPENING, community, launched
from workbench.charts.formats import number
from workbench.config import load
from workbench.dashboards.serve import running
from workbench.metrics.ai_usage import Price

PATIENCE = 90_000
NAMES = ("main", "predictive", "performance", "explore")
SEEN = "!document.querySelector('.wb-loading') && !document.querySelector('.wb-asking')"

pytestmark = IN_A_BROWSER


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A community whose churn was learnt."""
    folder = tmp_path_factory.mktemp("community")
    settings = load().model_copy(update={"models": str(folder / "models"), "models_key": folder / "key"})
    bench = community(folder, users=250, days=100, settings=settings)
    bench.train(["churn"])
    registry = bench.registry()
    registry.promote("churn", registry.versions("churn")[-1], why="so few people are no measure of a model")
    return bench


@pytest.fixture(scope="module")
def site(bench):
    """Every page in a tab of its own, what they asked for, and what the browser complained about."""
    asked, complaints, pages = [], [], {}
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as play:
        patch.setenv("WORKBENCH_MODELS", bench.settings.models)
        patch.setenv("WORKBENCH_MODELS_KEY", str(bench.settings.models_key))
        patch.setenv("WORKBENCH_PRICES", json.dumps({"atlas-small": {"input": 0.5, "output": 1.5}}))
        with running(NOTEBOOKS, port=0, store=str(bench.store.path)) as (url, _):
            browser = launched(play)
            context = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
            for name in NAMES:
                page = pages[name] = context.new_page()
                page.on("request", lambda request: asked.append(request.url))
                page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
                page.on("pageerror", lambda error: complaints.append(str(error)))
                page.goto(url.replace("main.ipynb", f"{name}.ipynb"), timeout=OPENING)
            for page in pages.values():
                page.wait_for_selector(".wb-page .bqplot svg.svg-figure", state="attached", timeout=OPENING)
                page.wait_for_function(SEEN, timeout=OPENING)
            yield pages, asked, complaints
            browser.close()


@pytest.fixture(scope="module")
def pages(site):
    return site[0]


def save(page, tile, kind):
    with page.expect_download(timeout=PATIENCE) as waiting:
        page.locator(f".wb-t-{tile} > .wb-tools button", has_text=kind).dispatch_event("click")
    assert waiting.value.suggested_filename == f"{tile}.{kind.lower()}"
    return Path(waiting.value.path()).read_bytes()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_nothing_serious_keeps_anybody_from_reading_a_page(pages, name, colours):
    page = pages[name]
    page.emulate_media(color_scheme=colours)
    page.wait_for_function(f"document.documentElement.dataset.theme === '{colours}'")
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    page.emulate_media(color_scheme="light")
    bad = [each for each in found if each["impact"] in {"serious", "critical"}]
    assert [(each["id"], [node["html"][:150] for node in each["nodes"][:4]]) for each in bad] == []


def test_a_filter_changes_the_page_and_its_address_and_an_address_the_filter(pages):
    page = pages["main"]
    dots = page.locator(".wb-t-active-users path.dot")
    before = dots.count()
    page.locator(".wb-filter select").first.select_option("last 30 days")
    page.wait_for_url("**/main.ipynb?days=30", timeout=PATIENCE)
    expect(dots).to_have_count(30, timeout=PATIENCE)
    assert before > 30
    page.goto(page.url.replace("days=30", "days=7"), timeout=OPENING)
    expect(page.locator(".wb-t-active-users path.dot")).to_have_count(7, timeout=OPENING)
    assert page.locator(".wb-filter select").first.input_value() == "last 7 days"


def test_an_address_that_asks_for_what_there_is_not_is_answered_as_text(pages):
    page = pages["main"]
    page.goto(page.url.partition("?")[0] + "?days=%3Cb%3E9", timeout=OPENING)
    expect(page.locator(".wb-wrong").first).to_contain_text("days is one of", timeout=OPENING)
    assert page.locator(".wb-t-active-users path.dot").count() > 30


@pytest.mark.parametrize("how", ["mouse", "keys"])
def test_a_cell_of_the_risk_map_lists_its_people_and_what_moves_them(pages, bench, how):
    page = pages["predictive"]
    high = bench.predict().frame.query("risk_level == 'high'")
    cell = page.locator(".wb-t-risk rect.heatmapcell").first
    if how == "mouse":
        cell.click(timeout=PATIENCE)
    else:
        page.locator(".wb-t-risk rect.heatmapcell").nth(1).press("Enter", timeout=PATIENCE)
    title = page.locator(".wb-t-risk .wb-behind .wb-title")
    place = "discord" if how == "mouse" else "telegram"
    expect(title).to_contain_text(f"people at high risk, {place}", timeout=PATIENCE)
    count = int(title.inner_text().split()[0])
    rows = page.locator(".wb-t-risk .wb-behind tbody tr")
    assert rows.count() == min(count, 10)
    if count:
        assert rows.first.locator("td").first.inner_text() in set(high["user_id"])
        assert re.search("[↑↓]", rows.first.inner_text())


def test_without_a_model_of_spending_the_page_says_so_and_shows_the_others(pages):
    page = pages["predictive"]
    assert page.locator(".wb-t-worth .wb-number").inner_text() == "n/a"
    assert page.locator(".wb-t-at-risk .wb-number").inner_text() != "n/a"
    assert page.locator(".wb-t-forecast path.line").count() >= 2


def test_a_chart_is_saved_as_its_data(pages, bench):
    rows = [*csv.DictReader(io.StringIO(save(pages["performance"], "tokens", "CSV").decode()))]
    found = bench.ai_usage(since=(bench.last_event.date() - timedelta(days=89)), now=bench.last_event).by(
        "model", "endpoint"
    )
    assert [float(row["input_tokens"]) for row in rows] == found["input_tokens"].tolist()


def test_a_chart_is_saved_as_a_drawing_and_as_a_picture(pages):
    drawing = ET.fromstring(save(pages["performance"], "tokens", "SVG"))  # noqa: S314 - our own
    texts = {part.text for part in drawing.iter() if part.tag.endswith("text")}
    assert "Tokens by endpoint and model" in texts
    assert save(pages["performance"], "tokens", "PNG").startswith(b"\x89PNG\r\n")


def test_what_a_drawing_says_is_read_aloud(pages, bench):
    label = pages["performance"].locator(".wb-t-sentiment svg.svg-figure").get_attribute("aria-label")
    assert label.startswith("Sentiment of messages. The mean sentiment of ")
    assert pages["main"].locator(".wb-tile svg.svg-figure:not([aria-label]):not([aria-hidden])").count() == 0


def test_costs_are_those_of_the_prices(pages, bench):
    usage = bench.ai_usage(
        prices={"atlas-small": Price(input=0.5, output=1.5)}, since=bench.last_event.date() - timedelta(days=89)
    )
    shown = pages["performance"].locator(".wb-t-cost .wb-number").inner_text()
    assert shown == number(float(usage.frame["cost_usd"].sum()), "usd")


def test_a_question_is_picked_shaped_and_its_code_shown(pages):
    page = pages["explore"]
    page.locator(".wb-filter select").first.select_option("How often are people there?")
    page.wait_for_url("**/explore.ipynb?question=stickiness", timeout=PATIENCE)
    page.locator(".wb-t-stickiness rect.bar").first.wait_for(state="attached", timeout=PATIENCE)
    page.locator(".wb-explorer button", has_text="week").first.click()
    expect(page.locator(".wb-code")).to_contain_text("bench.stickiness(period='week'", timeout=PATIENCE)
    expect(page.locator(".wb-code button")).to_have_text("Copy", timeout=PATIENCE)
    assert save(page, "stickiness", "CSV").startswith(b"periods,users")


def test_colours_are_chosen_and_remembered(pages):
    page = pages["performance"]
    page.locator(".wb-theme").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert pages["explore"].evaluate("localStorage.getItem('wb-theme')") == "dark"
    page.evaluate("localStorage.removeItem('wb-theme')")


@pytest.mark.parametrize("name", NAMES)
def test_on_a_phone_nothing_is_wider_than_the_screen(pages, name):
    page = pages[name]
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("document.querySelector('.wb-page').clientWidth < 390")
    right = "[...document.querySelectorAll('.wb-bar, .wb-card, .wb-tile, .wb-filter')]" \
        ".map(part => part.getBoundingClientRect().right)"  # fmt: skip
    widest = max(page.evaluate(right))
    page.set_viewport_size({"width": 1440, "height": 900})
    assert widest <= 390


def test_no_other_machine_is_asked_and_the_browser_has_nothing_to_complain_about(site):
    _, asked, complaints = site
    hosts = {urlsplit(url).hostname for url in asked if urlsplit(url).scheme in {"http", "https", "ws", "wss"}}
    assert hosts == {"127.0.0.1"}
    assert complaints == []
