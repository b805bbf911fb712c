"""What keeps pages moving: one task a kernel, that runs while somebody looks and ends when nobody does.

A kernel does not hear of a browser by itself: notebooks run before a visitor comes, and pages are closed without a
word. So each page holds a histogram that nobody sees. Its bars are counted by the browser, which tells the kernel: the
first count says that somebody is there, and each later one, asked for by another sample, that they still are.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final, Protocol

import bqplot
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    import ipywidgets as widgets

EVERY_SECONDS: Final = 0.5
"""How often pages are shown anew: twice in the second after which they are to show what happened."""

ASK_SECONDS: Final = 5.0
GONE_SECONDS: Final = 20.0
"""How often a browser is asked whether it is there, and after how long without an answer it is taken for gone."""


class Page(Protocol):
    """Something that can show new numbers."""

    async def refresh(self) -> None:
        """Read, away from the loop of the kernel, and show."""

    def fail(self, error: Exception) -> None:
        """Say that it moves no longer, and why."""


class Presence:
    """Whether a browser shows a page; `widget` has to be on it."""

    def __init__(self, came: Callable[[], None]) -> None:
        """Call `came` when a browser shows the page, also when it does so again."""
        self._came = came
        self._asked, self._heard = 0.0, 0.0
        scales = {"sample": bqplot.LinearScale(min=0.0, max=1.0), "count": bqplot.LinearScale()}
        self._counter = bqplot.Hist(sample=np.zeros(1), bins=1, scales=scales)
        self._counter.observe(self._told, "count")
        margin = dict.fromkeys(("top", "right", "bottom", "left"), 0)
        self.widget: widgets.DOMWidget = bqplot.Figure(marks=[self._counter], fig_margin=margin, display_toolbar=False)
        self.widget.layout.display = "none"

    @property
    def here(self) -> bool:
        """Whether it was heard of lately."""
        return time.monotonic() - self._heard < GONE_SECONDS

    def ask(self) -> None:
        """Ask the browser, when it is time to."""
        if time.monotonic() - self._asked >= ASK_SECONDS:
            self._asked = time.monotonic()
            self._counter.sample = np.zeros(1 + len(self._counter.sample) % 2)

    def _told(self, _: dict[str, Any]) -> None:
        self._heard = time.monotonic()
        self._came()


class Feed:
    """Shows new numbers on the pages that somebody looks at, second by second, in one task."""

    def __init__(self) -> None:
        self._pages: dict[Page, Presence] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether the task runs."""
        return self._task is not None and not self._task.done()

    def watch(self, page: Page) -> widgets.DOMWidget:
        """Keep a page moving while a browser shows the widget that is returned."""
        presence = Presence(lambda: self._came(page, presence))
        return presence.widget

    def _came(self, page: Page, presence: Presence) -> None:
        self._pages[page] = presence
        if not self.running:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while True:
            began = time.monotonic()
            for page, presence in [*self._pages.items()]:
                presence.ask()
                if not presence.here or not await _moved(page):
                    del self._pages[page]
            if not self._pages:
                return
            await asyncio.sleep(max(EVERY_SECONDS - (time.monotonic() - began), 0.05))


async def _moved(page: Page) -> bool:
    """Show new numbers on a page; one that cannot says so, and the others move on."""
    try:
        await page.refresh()
    except Exception as error:  # whatever it is, the visitor has to see that nothing moves
        page.fail(error)
        return False
    return True


FEED: Final = Feed()
"""That of this kernel."""
