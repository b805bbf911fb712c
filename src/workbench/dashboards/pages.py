"""The dashboards, each one function of a bench: every number on them answers a question that a notebook can ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from workbench.bench import open_
from workbench.dashboards import controls
from workbench.dashboards.board import Board
from workbench.dashboards.explore_page import ExplorePage
from workbench.dashboards.shows import community, machines, predictive, runs
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    import ipywidgets as widgets

    from workbench.bench import Bench
    from workbench.dashboards.definition import Page

PAGES: Final = {page.name: page for page in (community.PAGE, predictive.PAGE, machines.PAGE, runs.PAGE)}
"""The pages that are made of tiles, by their names."""


def show(page: Callable[..., widgets.Widget], lake: str | Path | None = None, **options: Any) -> widgets.Widget:  # noqa: ANN401
    """Open a lake and show a page about it; an error is shown with what to do, not as a traceback.

    Args:
        page: `main`, or another page of this module.
        lake: Folder of the lake; that of the settings when not given. None is made where there is none.
        options: What the page takes.
    """
    try:
        return page(open_(lake, create=False), **options)
    except WorkbenchError as error:
        return controls.message("This page cannot be shown", str(error), error=True)


def main(bench: Bench, *, days: int | None = None, now: datetime | None = None) -> widgets.Widget:
    """Show active users, messages, platforms, the hours of the week and raids: now, and over the last months.

    Args:
        bench: Whom to ask.
        days: How many days to look at to begin with, one of those that the page offers.
        now: The present, when it is not that of the clock; what is dated after it is not seen.
    """
    return board(community.PAGE, bench, {"days": str(days)} if days else {}, now)


def outlook(bench: Bench, *, now: datetime | None = None) -> widgets.Widget:
    """Show who is at risk and why, what is to come, who comes back, and how to raid next."""
    return board(predictive.PAGE, bench, {}, now)


def performance(bench: Bench, *, now: datetime | None = None) -> widgets.Widget:
    """Show how fast and how well machines answer, what they use and cost, and what a new version changed."""
    return board(machines.PAGE, bench, {}, now)


def history(bench: Bench, *, now: datetime | None = None) -> widgets.Widget:
    """Show which jobs there are, when each is due, what ran and how it went; also where there is no event yet."""
    return Board(runs.PAGE, bench, chosen={}, now=now).widget


def explore(bench: Bench, *, now: datetime | None = None) -> widgets.Widget:
    """Show one question to be shaped by hand, and the code that asks it."""
    return ExplorePage(bench, now=now).widget if bench.last_event else _empty()


def board(page: Page, bench: Bench, chosen: dict[str, str], now: datetime | None = None) -> widgets.Widget:
    """Draw a page; one without any event says how to put some in."""
    return Board(page, bench, chosen=chosen, now=now).widget if bench.last_event else _empty()


def _empty() -> widgets.Widget:
    return controls.message(
        "No events yet", "Put an export into the lake with `workbench ingest FILE`, then open this page again."
    )
