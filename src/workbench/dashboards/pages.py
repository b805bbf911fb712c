"""The dashboards, each one function of a bench: every number on them answers a question that a notebook can ask."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from workbench.bench import open_
from workbench.charts.formats import number
from workbench.charts.spec import Line
from workbench.dashboards import controls
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from pathlib import Path

    import ipywidgets as widgets
    import pandas as pd

    from workbench.bench import Bench
    from workbench.metrics.raids import RaidActivity

DAYS: Final = 90
"""How far back the main page looks, unless told otherwise."""

_RECENT: Final = 6


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

    Args:
        bench: Whom to ask.
        days: How many days up to the newest event to look at.
        now: The present, when it is not that of the clock.
    """
    end = bench.last_event
    if end is None:
        return controls.message(
            "No events yet", "Put an export into the lake with `workbench ingest FILE`, then open this page again."
        )
    asked = {"since": end - timedelta(days=days), "now": now or datetime.now(UTC)}
    active, messages = bench.active_users(**asked), bench.message_volume(**asked)
    platforms, raids = bench.platform_distribution(**asked), bench.raid_activity(**asked)
    cards = controls.row(
        _daily("Active users", active.frame, "users"),
        _daily("New users", active.frame, "new_users"),
        _daily("Messages", messages.frame, "messages"),
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
    return controls.page("Community", _facts(bench, end, days), cards, tiles)


def _facts(bench: Bench, end: datetime, days: int) -> str:
    zone = bench.settings.zone
    return (
        f"Data as of {end.astimezone(zone):%d %b %Y %H:%M} ({bench.settings.timezone}), "
        f"the last {days} days, version {bench.data_version}"
    )


def _daily(title: str, frame: pd.DataFrame, column: str) -> widgets.VBox:
    """Show the last full day of a daily number, compared with the same day of the week before."""
    over = frame[frame["mature"]]
    values = [float(value) for value in over[column]]
    last = values[-1] if values else None
    before = values[-8] if len(values) > 7 else None  # noqa: PLR2004 - a week earlier, and the last itself
    day = f", {over['period'].iloc[-1]:%a %d %b}" if values else ""
    history = Line(x=tuple(float(number) for number in range(len(values))), y=tuple(values))
    return controls.card(f"{title}{day}", last, before=before, compared="a week before", history=history)


def _raids_running(raids: RaidActivity, end: datetime) -> widgets.VBox:
    running = raids.frame[raids.frame["running"]]
    week = int((raids.frame["started_at"] >= end - timedelta(days=7)).sum())
    note = f"{int(running['participants'].sum()):,} people in them; {week:,} started in 7 days"
    return controls.card("Raids running", len(running), note=note)


def _recent_raids(raids: RaidActivity, end: datetime) -> widgets.VBox:
    recent = raids.frame.iloc[::-1].head(_RECENT)
    rows = [
        (str(raid["raid_id"]), _ago(end - raid["started_at"]), number(raid["participants"], "count"), _outcome(raid))
        for raid in recent.to_dict("records")
    ]
    return controls.table("Latest raids", ("raid", "started", "joined", "outcome"), rows, empty="No raid in this time.")


def _ago(passed: timedelta) -> str:
    hours = int(passed / timedelta(hours=1))
    return f"{hours} h before" if hours < 48 else f"{hours // 24} d before"  # noqa: PLR2004 - two days


def _outcome(raid: dict[Hashable, Any]) -> str:
    if raid["running"]:
        return "running"
    return "ended" if raid["success"] is None else "succeeded" if raid["success"] else "failed"
