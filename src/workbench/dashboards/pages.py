"""The dashboards, each one function of a bench: every number on them answers a question that a notebook can ask."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from workbench.bench import open_
from workbench.charts.formats import number
from workbench.charts.spec import Line
from workbench.dashboards import controls
from workbench.dashboards.live import LiveSection
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from pathlib import Path

    import ipywidgets as widgets
    import pandas as pd

    from workbench.bench import Bench
    from workbench.metrics.activity import ActiveUsers
    from workbench.metrics.messages import MessageVolume
    from workbench.metrics.raids import RaidActivity

DAYS: Final = 90
"""How far back the main page looks, unless told otherwise."""

_RECENT: Final = 6
_WHOLE: Final = timedelta(hours=1)
"""Data that end this short of midnight have the whole day: exports by the day end with its last event."""


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


def main(bench: Bench, *, days: int = DAYS, now: datetime | None = None) -> widgets.Widget:
    """Show active users, messages, platforms and raids.

    The present is where the data end: the day in which an export was made is not over, however long ago that is.

    Args:
        bench: Whom to ask.
        days: How many days to look at, the one of the newest event the last.
        now: The present, when it is not that of the clock; what is dated after it is not seen.
    """
    newest = bench.last_event
    if newest is None:
        return controls.message(
            "No events yet", "Put an export into the lake with `workbench ingest FILE`, then open this page again."
        )
    clock = now or datetime.now(UTC)
    end = min(newest, clock).astimezone(bench.settings.zone)
    asked = {"since": end.date() - timedelta(days=days - 1), "now": min(newest + _WHOLE, clock)}
    active, messages = bench.active_users(**asked), bench.message_volume(**asked)
    platforms, raids = bench.platform_distribution(**asked), bench.raid_activity(**asked)
    daily = _daily(active, messages)
    cards = controls.row(
        _last_day("Active users", daily, "users"),
        _last_day("New users", daily, "new_users"),
        _last_day("Messages", daily, "messages"),
        _raids_running(raids, end),
        kind="cards",
    )
    tiles = controls.row(
        controls.tile(active.chart(), span=2),
        controls.tile(platforms.chart()),
        controls.tile(messages.chart(), span=3),
        controls.tile(raids.chart(), span=2),
        _recent_raids(raids, end),
        kind="tiles",
    )
    return controls.page("Community", _facts(bench, end, days), LiveSection(bench).widget, cards, tiles)


def _facts(bench: Bench, end: datetime, days: int) -> str:
    return (
        f"Data as of {end:%d %b %Y %H:%M} ({bench.settings.timezone}), "
        f"the last {days} days, version {bench.data_version}"
    )


def _daily(active: ActiveUsers, messages: MessageVolume) -> pd.DataFrame:
    """Put the numbers of the days that are over beside each other; when none is, those of the day so far.

    A day on which somebody came and nobody wrote has 0 messages: the last day is the same for every number.
    """
    days = active.frame.set_index("period")
    written = messages.frame.set_index(messages.frame["period"].dt.date)["messages"]
    days = days.assign(messages=written.reindex(days.index, fill_value=0))
    return days[days["mature"]] if days["mature"].any() else days


def _last_day(title: str, daily: pd.DataFrame, column: str) -> widgets.VBox:
    """Show the last of a daily number, compared with the same day of the week before."""
    numbers = tuple(map(float, daily[column]))
    last = numbers[-1] if numbers else None
    before = numbers[-8] if len(numbers) > 7 else None  # noqa: PLR2004 - a week earlier, and the last itself
    day = f", {daily.index[-1]:%a %d %b}" if numbers else ""
    note = "" if daily["mature"].all() else "so far: the day is not over"
    history = Line(x=tuple(map(float, range(len(numbers)))), y=numbers)
    return controls.card(f"{title}{day}", last, before=before, compared="a week before", note=note, history=history)


def _raids_running(raids: RaidActivity, end: datetime) -> widgets.VBox:
    running = raids.frame[raids.frame["running"]]
    joined = f"joined by {int(running['participants'].sum()):,}; " if len(running) else ""
    week = int((raids.frame["started_at"] >= end - timedelta(days=7)).sum())
    return controls.card("Raids running", len(running), note=f"{joined}{week:,} started in 7 days")


def _recent_raids(raids: RaidActivity, end: datetime) -> widgets.VBox:
    recent = raids.frame.iloc[::-1].head(_RECENT)
    rows = [
        (
            str(raid["raid_id"]),
            f"{raid['started_at'].astimezone(end.tzinfo):%d %b %H:%M}",
            number(raid["participants"], "count"),
            _outcome(raid),
        )
        for raid in recent.to_dict("records")
    ]
    return controls.table("Latest raids", ("raid", "started", "joined", "outcome"), rows, empty="No raid in this time.")


def _outcome(raid: dict[Hashable, Any]) -> str:
    if raid["running"]:
        return "running"
    return "ended" if raid["success"] is None else "succeeded" if raid["success"] else "failed"
