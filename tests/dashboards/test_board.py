"""Pages drawn of their definitions: every chart is of the frame beside it, filters ask again, states are seen."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from workbench.bench import Bench
from workbench.charts.clicks import Click
from workbench.charts.spec import Band, Bars, Grid, Line, Points, Slices
from workbench.config import Settings
from workbench.dashboards import board as boards
from workbench.dashboards.answers import Answers, Shown
from workbench.dashboards.board import Board
from workbench.dashboards.definition import Drawing, Number, Rows, Said, Tile
from workbench.dashboards.explore_page import QUESTIONS, ExplorePage
from workbench.dashboards.shows import community, machines, predictive
from workbench.ingest.files import ingest
from workbench.simulate import write
from workbench.store.lake import LakeStore
from workbench.testing import events_of, stored

PRICES = {"atlas-small": {"input": 1, "output": 4}}
PAGES = {page.name: page for page in (community.PAGE, predictive.PAGE, machines.PAGE)}


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    folder = tmp_path_factory.mktemp("community")
    write(folder / "events.parquet", users=40, days=60)
    lake = LakeStore(folder / "lake")
    ingest(lake, folder / "events.parquet")
    return Bench(lake, Settings(prices=PRICES, models=str(folder / "models"), models_key=folder / "key"))


PEOPLE = predictive.People(
    frame=pd.DataFrame(
        {
            "user_id": ["ann", "bob", "cat"],
            "risk_level": ["high", "high", "low"],
            "platform": ["web", "x", "web"],
            "tenure": ["older", "older", "first week"],
            "churn_risk": [0.9, 0.8, 0.1],
            "engagement_score": [0.1, 0.2, 0.9],
            "predicted_ltv": [0.5, 3.0, 300.0],
            "drivers": ["silence", "silence", "raids"],
            "held_out": [True, False, False],
            "recommended_action": ["none", "invite_to_raid", "none"],
        }
    ),
    said="Three people.",
    horizon_days=28,
)


@pytest.fixture
def scored(monkeypatch):
    monkeypatch.setattr(predictive, "_people", lambda _: PEOPLE)


def heights(chart):
    """How many numbers a chart draws."""
    count = 0
    for mark in chart.marks:
        match mark:
            case Line() | Points() | Bars():
                count += len(mark.y)
            case Band():
                count += len(mark.low)
            case Slices():
                count += len(mark.values)
            case Grid():
                count += sum(value is not None for row in mark.values for value in row)
    return count


@pytest.mark.parametrize("name", [page.name + "/" + tile.name for page in PAGES.values() for tile in page.tiles
                                  if tile.name not in {"forecast", "next-raid"}])  # fmt: skip
def test_every_tile_has_its_numbers_beside_its_drawing(bench, scored, name):
    page = PAGES[name.partition("/")[0]]
    tile = next(tile for tile in page.tiles if tile.name == name.partition("/")[2])
    content = Answers(page, bench).ask(tile, page.choose(page.offers(bench), {})).content
    assert isinstance(content, Number | Drawing | Rows), content
    assert len(content.frame)
    if isinstance(content, Drawing):
        assert heights(content.chart) > 0
        assert content.said
    if isinstance(content, Rows):
        assert len(content.rows) <= len(content.frame) + 1
        assert {len(row) for row in content.rows} == {len(content.head)}


def test_without_a_model_each_tile_of_people_says_which_command_trains_one(bench):
    asked = Answers(predictive.PAGE, bench)
    for name in ("at-risk", "risk", "ltv", "most-at-risk"):
        tile = next(tile for tile in predictive.PAGE.tiles if tile.name == name)
        content = asked.ask(tile, predictive.PAGE.choose(predictive.PAGE.offers(bench), {})).content
        assert isinstance(content, Said)
        assert "`workbench models train`" in content.text


def test_the_models_are_asked_once_for_all_tiles_however_late_it_is(bench, monkeypatch):
    asked = []
    monkeypatch.setattr(predictive, "aside", lambda *_: asked.append(1) or PEOPLE)
    monkeypatch.setattr(predictive, "_told", {})
    for hour in (1, 2):
        answers = Answers(predictive.PAGE, bench, now=bench.last_event + timedelta(minutes=hour))
        for name in ("at-risk", "worth", "risk"):
            tile = next(tile for tile in predictive.PAGE.tiles if tile.name == name)
            assert isinstance(answers.ask(tile, {"people": "", "segment": "tenure"}).content, Number | Drawing)
    assert asked == [1]


def test_a_cell_of_the_risk_map_lists_its_people_with_what_moves_them(bench, scored):
    tile = next(tile for tile in predictive.PAGE.tiles if tile.name == "risk")
    content = Answers(predictive.PAGE, bench).ask(tile, {"people": "", "segment": "platform"}).content
    grid = content.chart.marks[0]
    assert grid.values[0] == (1.0, 1.0)
    found = content.behind(Click(x="web", row="high"))
    assert found.rows == (("ann", "90.0%", "silence", "left alone"),)


def asked_of(page, bench, name, **chosen):
    tile = next(tile for tile in page.tiles if tile.name == name)
    return Answers(page, bench).ask(tile, page.choose(page.offers(bench), chosen)).content


def test_the_risk_map_has_times_in_their_order_and_platforms_by_their_people(bench, monkeypatch):
    tenures = ["older", "month 2-3", "first week", "week 2-4"]
    platforms = ["web", "telegram", "telegram", "discord"]
    frame = pd.DataFrame(
        {"user_id": list("abcd"), "risk_level": ["low", "low", "high", "medium"], "tenure": tenures,
         "platform": platforms}
    )  # fmt: skip
    people = predictive.People(frame=frame, said="Four people.", horizon_days=28)
    monkeypatch.setattr(predictive, "_people", lambda _: people)
    by_time = asked_of(predictive.PAGE, bench, "risk", segment="tenure")
    assert by_time.chart.marks[0].columns == ("first week", "week 2-4", "month 2-3", "older")
    by_platform = asked_of(predictive.PAGE, bench, "risk", segment="platform")
    assert by_platform.chart.marks[0].columns == ("telegram", "discord", "web")
    assert by_platform.frame["risk_level"].unique().tolist() == ["high", "medium", "low"]
    assert by_platform.frame["people"].sum() == 4


def test_engagement_begins_once_a_month_is_whole(bench):
    days = asked_of(predictive.PAGE, bench, "trend").frame["period"]
    first = bench.active_users(window="7d").frame["period"].min()
    assert days.min() == first + timedelta(days=29)


def test_the_next_raid_is_that_of_the_report_of_the_same_day(bench, monkeypatch):
    until = {}
    monkeypatch.setattr(
        predictive, "aside", lambda bench, ask, **options: until.update(options) or ask(bench, **options)
    )
    tile = asked_of(predictive.PAGE, bench, "next-raid")
    midnight = f"{bench.last_event:%Y-%m-%d}"
    assert until == {"until": midnight}
    assert tile.frame.equals(bench.raid_advice(until=midnight).frame)


def test_requests_and_ai_answers_have_lines_of_their_own(bench):
    labels = {mark.label for mark in asked_of(machines.PAGE, bench, "times").chart.marks}
    assert labels == {"ai interaction", "request"}


def test_a_page_asks_again_when_a_filter_moves_and_the_address_follows(bench):
    page = Board(community.PAGE, bench)
    before = len(page.answers.known(community.PAGE.tiles[5], page.chosen).content.frame)
    page.controls["days"].value = "30"
    after = page.answers.known(community.PAGE.tiles[5], page.chosen).content.frame
    assert before > len(after) == 30
    assert page.browser.query == {"days": "30"}


def test_an_address_is_taken_and_one_that_asks_for_what_there_is_not_says_so(bench):
    page = Board(community.PAGE, bench)
    page.browser.query = {"days": "7", "utm": "x"}
    assert page.controls["days"].value == "7"
    page.browser.query = {"days": "<b>9</b>"}
    assert "days is one of" in page.wrong.value
    assert "<b>" not in page.wrong.value
    assert page.controls["days"].value == "7"


def test_slow_tiles_wait_for_somebody_to_look(bench):
    page = Board(predictive.PAGE, bench)
    assert page.answers.known(predictive.PAGE.tiles[0], page.chosen) is None
    assert "Loading" in page.views["risk"].widget.children[0].value
    quick = next(tile for tile in predictive.PAGE.tiles if tile.name == "curves")
    assert page.answers.known(quick, page.chosen)


def test_the_data_of_a_tile_are_given_as_csv_and_nothing_for_another(bench):
    page = Board(machines.PAGE, bench)
    lines = page.csv("sentiment").splitlines()
    assert lines[0] == "day,messages,sentiment,ci_low,ci_high"
    assert len(lines) == 1 + len(bench.sentiment(**page.answers.view(page.chosen).span).frame)
    assert page.csv("../../etc/passwd") == ""


def test_a_tile_that_is_stale_keeps_its_numbers_and_says_why(bench):
    tile = community.PAGE.tiles[0]
    view = boards.TileView(tile, card=True)
    content = Number(title="Active users", value=5)
    view.show(boards.Answers(community.PAGE, bench).ask(tile, {"days": "7", "people": ""}).__class__(
        content=content, version="1", at=0.0, stale="the store is away"))  # fmt: skip
    assert "wb-stale" in view.widget._dom_classes
    assert "the store is away" in view.widget.children[-1].value
    assert ">5<" in view.widget.children[0].value


def test_a_card_that_shows_another_number_keeps_its_sparkline():
    view = boards.TileView(Tile(name="one", title="One", asks=None), card=True)
    lines = []
    for past in ((1.0, 2.0), (5.0, 3.0, 4.0)):
        content = Number(title="One", value=past[-1], past=past)
        view.show(Shown(content=content, version="1", at=0.0))
        lines.append(view.widget.children[1])
    assert lines[0] is lines[1]
    assert list(lines[1].marks[0].y) == [5.0, 3.0, 4.0]
    assert (lines[1].marks[0].scales["x"].max, lines[1].marks[0].scales["y"].min) == (2.0, 3.0)


def test_a_version_that_answers_worse_is_called_worse(bench):
    usage = bench.ai_usage()
    rows = usage.frame.copy()
    newer = rows.assign(
        prompt_version="v9", day=rows["day"] + pd.Timedelta(days=90),
        quality_sum=rows["quality_sum"] * 0.8, quality_squares=rows["quality_squares"] * 0.64,
    )  # fmt: skip
    both = type(usage)(frame=pd.concat([rows, newer], ignore_index=True), sql="", definition=usage.definition,
                       data_version="1")  # fmt: skip
    found = machines.compared(both).set_index(["prompt_version", "measure"])
    assert found.loc[("v9", "quality"), "verdict"] == "worse"
    assert found.loc[("v9", "satisfaction"), "verdict"] == "no difference seen"


def test_every_question_can_be_explored_and_is_in_the_address(bench):
    page = ExplorePage(bench, now=datetime.now(UTC))
    for name in ("stickiness", "raids"):
        page.browser.query = {"question": name}
        assert page.question.value == name
        assert page.explorers[name].answer is not None
        assert page.csv(name).count("\n") > 1
    page.browser.query = {"question": "<i>"}
    assert "is none of activity" in page.wrong.value
    assert set(page.explorers) == {next(iter(QUESTIONS)), "stickiness", "raids"}


def test_while_somebody_looks_new_data_are_shown_and_the_page_says_of_when(tmp_path):
    lake = LakeStore(tmp_path / "lake")
    put(lake, {"ann": "message_sent:0"}, 0)
    settings = Settings(dashboards={"cache_seconds": 0, "refresh_seconds": 1})
    page = Board(community.PAGE, Bench(lake, settings))
    assert ">1<" in page.views["messages"].widget.children[0].value
    before = page.head.value

    async def looks():
        put(lake, {"bob": "message_sent:5 message_sent:6"}, 1)
        await page.refresh()
        await page._work

    asyncio.run(looks())
    assert ">3<" in page.views["messages"].widget.children[0].value
    assert page.head.value != before


def put(lake, journeys, start):
    events = events_of(journeys)
    rows = stored(events).drop_columns(["ingested_at", "source", "user_key"])
    lake.append(rows, source="file", start=start, end=start + len(events), ingested_at=datetime.now(UTC))
