"""A page drawn with widgets: its filters, its tiles, and what each of them is at the moment."""

from __future__ import annotations

import asyncio
import html
import time
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from workbench import spreadsheet
from workbench.charts import live
from workbench.charts.clicks import Clicks
from workbench.charts.formats import number
from workbench.charts.spec import Line
from workbench.dashboards import controls
from workbench.dashboards.answers import Answers
from workbench.dashboards.browser import Browser
from workbench.dashboards.definition import Drawing, Number, Rows, Said
from workbench.dashboards.feed import FEED
from workbench.dashboards.live import LiveSection
from workbench.errors import InvalidArgument

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import bqplot

    from workbench.bench import Bench
    from workbench.charts.clicks import Click
    from workbench.dashboards.answers import Shown
    from workbench.dashboards.definition import Filter, Page, Tile
    from workbench.dashboards.feed import Feed


class TileView:
    """One tile on a page; `widget` shows it."""

    def __init__(self, tile: Tile, *, card: bool) -> None:
        """Begin as one that is being asked."""
        self.tile, self.card = tile, card
        self.widget = widgets.VBox().add_class("wb-card" if card else "wb-tile").add_class(f"wb-t-{tile.name}")
        if not card:
            self.widget.add_class(f"wb-span-{tile.span}")
        self.said, self._narrow = "", False
        self._words, self._below = widgets.HTML(), widgets.HTML().add_class("wb-behind")
        self._clicks: Clicks | None = None
        self._sparkline: bqplot.Figure | None = None
        self._drawing: Drawing | None = None
        self._wait(tile.title)

    def wait(self) -> None:
        """Say that it is being asked; what it showed stays, fainter."""
        self.widget.add_class("wb-asking")

    def show(self, shown: Shown) -> None:
        """Show what was answered."""
        self.widget.remove_class("wb-asking")
        content = shown.content
        self._mark("wb-stale", on=bool(shown.stale))
        self._mark("wb-wrong-tile", on=isinstance(content, Said) and content.error)
        match content:
            case Number():
                self._number(content)
            case Drawing():
                self._draw(content)
            case Rows():
                self._put(controls.words_of_table(content.title, content.head, content.rows, empty=content.empty))
                self.said = content.said or content.title
            case Said():
                self._put(controls.words_of_message(content.title, content.text))
                self.said = f"{content.title}. {content.text}"
        if shown.stale:
            self._below.value = f'<p class="wb-wrong">Not up to date: {controls.with_commands(shown.stale)}</p>'
            self.widget.children = (*[each for each in self.widget.children if each is not self._below], self._below)

    def fit(self, *, narrow: bool) -> None:
        """Lay the chart out for a phone, or for a desktop."""
        self._narrow = narrow
        if self._clicks is not None:
            figure = self._clicks.figure
            figure.width = controls.width(self.tile.span, narrow=narrow)
            live.update(figure, figure.chart)
            self._clicks.listen()

    def _wait(self, title: str) -> None:
        self._put(
            f'<div class="wb-title">{html.escape(title)}</div><div class="wb-loading" role="status">Loading…</div>'
        )
        self.widget.add_class("wb-asking")

    def _mark(self, name: str, *, on: bool) -> None:
        (self.widget.add_class if on else self.widget.remove_class)(name)

    def _put(self, words: str, *more: widgets.Widget) -> None:
        self._words.value = words
        self.widget.children = (self._words, *more)

    def _number(self, content: Number) -> None:
        note = controls.trend(content.value, content.before, content.compared) or content.note
        value = number(content.value, content.form)
        self.said = f"{content.title}: {value}. {note}"
        line = Line(x=tuple(map(float, range(len(content.past)))), y=content.past)
        drawn = len(content.past) > 1
        if drawn and self._sparkline is None:
            self._sparkline = live.sparkline(line)
        elif drawn:
            live.update_sparkline(self._sparkline, line)
        self._put(controls.words_of_card(content.title, value, note), *([self._sparkline] if drawn else []))
        self._mark("wb-bad", on=content.bad)

    def _draw(self, content: Drawing) -> None:
        self._drawing = content
        self.said = ". ".join(filter(None, (content.chart.title, content.said, content.chart.note)))
        self._below.value = ""
        if self._clicks is None:
            figure = live.figure(
                content.chart, width=controls.width(self.tile.span, narrow=self._narrow), height=self.tile.height
            )
            self._clicks = Clicks(figure, self._clicked)
        else:
            live.update(self._clicks.figure, content.chart)
            self._clicks.listen()
        self.widget.children = (self._clicks.figure, *([self._below] if content.behind else []))
        self._mark("wb-drill", on=content.behind is not None)

    def _clicked(self, click: Click) -> None:
        found = self._drawing.behind(click) if self._drawing and self._drawing.behind else None
        if found is not None:
            self._below.value = controls.words_of_table(found.title, found.head, found.rows, empty=found.empty)


class Board:
    """A page that is drawn, asked again as filters and data change, while somebody looks; `widget` shows it."""

    def __init__(
        self,
        page: Page,
        bench: Bench,
        *,
        chosen: Mapping[str, str] | None = None,
        now: datetime | None = None,
        feed: Feed = FEED,
    ) -> None:
        """Ask the tiles that are quick; the others wait for somebody to look."""
        self.page, self.answers = page, Answers(page, bench, now=now)
        self.offered = page.offers(bench)
        self.chosen = page.choose(self.offered, chosen or {})
        self.every = bench.settings.dashboards.refresh_seconds
        self.head, self.wrong = widgets.HTML().add_class("wb-head"), widgets.HTML().add_class("wb-wrong")
        self.controls = {each.name: self._control(each) for each in page.filters}
        self.views = {
            tile.name: TileView(tile, card=section.kind == "cards")
            for section in page.sections
            for tile in section.tiles
        }
        self.browser = Browser(csv=self.csv)
        self.browser.observe(self._addressed, "query")
        self.browser.observe(self._sized, "narrow")
        self.presence = feed.watch(self)
        self._work: asyncio.Task[None] | None = None
        self._due_at, self._setting = 0.0, False
        self.moving = LiveSection(bench, feed=feed) if page.live else None
        self.widget = self._laid_out()
        self.ask([tile for tile in page.tiles if not tile.slow])

    def ask(self, tiles: Sequence[Tile]) -> None:
        """Ask tiles here and now, and show them."""
        for tile in tiles:
            self.views[tile.name].show(self.answers.ask(tile, self.chosen))
        self._told()

    def csv(self, name: str) -> str:
        """Write the data of a tile as CSV; nothing for a tile that there is not."""
        tile = next((tile for tile in self.page.tiles if tile.name == name), None)
        known = self.answers.known(tile, self.chosen) if tile else None
        return spreadsheet.text_of(known.content.frame) if known else ""

    async def refresh(self) -> None:
        """Begin to ask what is due, when it is time to look for news; called every second while somebody looks."""
        idle = self._work is None or self._work.done()
        if idle and time.monotonic() >= self._due_at:
            self._due_at = time.monotonic() + self.every
            self._work = asyncio.get_running_loop().create_task(self._renew(news=True))

    def fail(self, error: Exception) -> None:
        """Say that nothing is asked any more, and why."""
        self.wrong.value = html.escape(f"This page has stopped: {type(error).__name__}: {error}")

    def choose(self, **chosen: str) -> None:
        """Choose other values of filters, and ask again what they change."""
        try:
            self.chosen = self.page.choose(self.offered, {**self.chosen, **chosen})
            self.wrong.value = ""
        except InvalidArgument as error:
            self.wrong.value = html.escape(f"The address asks for what there is not: {error}")
        self._show_choice()
        self._again()

    def _again(self) -> None:
        """Show what is known of the choice, and ask what is not."""
        for tile in self.page.tiles:
            known = self.answers.known(tile, self.chosen)
            view = self.views[tile.name]
            view.show(known) if known else view.wait()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # no page is open: in a program of its own
            self.ask([tile for tile in self.page.tiles if self.answers.due(tile, self.chosen)])
            return
        if self._work is not None:
            self._work.cancel()
        self._work = loop.create_task(self._renew(news=False))

    async def _renew(self, *, news: bool) -> None:
        """Ask what is due in another thread, the quick tiles first."""
        chosen = self.chosen
        if news:
            await asyncio.to_thread(self.answers.refresh)
        for tile in sorted(self.page.tiles, key=lambda tile: tile.slow):
            if self.answers.due(tile, chosen):
                shown = await asyncio.to_thread(self.answers.ask, tile, chosen)
                if chosen == self.chosen:
                    self.views[tile.name].show(shown)
        self._told()

    def _told(self) -> None:
        """Say how far the data reach, and what each tile says in words."""
        seen = self.answers.view(self.chosen)
        about = f"{self.page.about} {seen.facts if seen else 'No events yet.'}"
        words = f"<h1>{html.escape(self.page.title)}</h1><p>{html.escape(about)}</p>"
        if self.head.value != words:
            self.head.value = words
        self.browser.labels = {name: view.said for name, view in self.views.items()}

    def _control(self, each: Filter) -> widgets.Dropdown:
        control = widgets.Dropdown(
            options=self.offered[each.name], value=self.chosen[each.name], description=each.called
        )
        control.observe(lambda change: self._picked(each.name, change["new"]), "value")
        return control.add_class("wb-filter")

    def _picked(self, name: str, value: str) -> None:
        if not self._setting and self.chosen.get(name) != value:
            self.choose(**{name: value})

    def _show_choice(self) -> None:
        self._setting = True
        try:
            for name, control in self.controls.items():
                control.value = self.chosen[name]
        finally:
            self._setting = False
        usual = {each.name: each.usual for each in self.page.filters}
        self.browser.query = {name: value for name, value in self.chosen.items() if value != usual[name]}

    def _addressed(self, change: dict[str, Any]) -> None:
        """Take the address of the page, as the browser tells it."""
        given = {str(name): str(value) for name, value in change["new"].items()}
        known = {each.name: given.get(each.name, each.usual) for each in self.page.filters}
        if known != self.chosen:
            self.choose(**known)

    def _sized(self, change: dict[str, Any]) -> None:
        for view in self.views.values():
            view.fit(narrow=change["new"])
        if self.moving:
            self.moving.fit(narrow=change["new"])

    def _laid_out(self) -> widgets.VBox:
        rows = [
            controls.row(*[self.views[tile.name].widget for tile in section.tiles], kind=section.kind).add_class(
                f"wb-of-{len(section.tiles)}"
            )
            for section in self.page.sections
        ]
        filters = widgets.Box(list(self.controls.values())).add_class("wb-filters")
        above = [self.head, filters, self.wrong, *([self.moving.widget] if self.moving else [])]
        return widgets.VBox([*above, *rows, self.browser, self.presence]).add_class("wb-page")
