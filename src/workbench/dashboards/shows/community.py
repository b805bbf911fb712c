"""Main: who is active, what is written, where, when, and which raids run."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from workbench.bench import Bench
from workbench.charts.formats import number
from workbench.dashboards.definition import DAYS, PEOPLE, Number, Page, Rows, Section, Tile, shows
from workbench.dashboards.shows.machines import error_rate

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    import pandas as pd

    from workbench.dashboards.definition import Content, View

_RECENT: Final = 6


def daily(view: View) -> pd.DataFrame:
    """Put the numbers of the days that are over beside each other; when none is, those of the day so far.

    A day on which somebody came and nobody wrote has 0 messages: the last day is the same for every number.
    """
    active, messages = view.ask(Bench.active_users), view.ask(Bench.message_volume)
    days = active.frame.set_index("period")
    written = messages.frame.set_index(messages.frame["period"].dt.date)["messages"]
    days = days.assign(messages=written.reindex(days.index, fill_value=0))
    return days[days["mature"]] if days["mature"].any() else days


def _last_day(title: str, column: str) -> Callable[[View], Content]:
    """Show the last of a daily number, compared with the same day of the week before."""

    def asks(view: View) -> Content:
        found = daily(view)
        numbers = tuple(map(float, found[column]))
        return Number(
            title=f"{title}, {found.index[-1]:%a %d %b}" if numbers else title,
            value=numbers[-1] if numbers else None,
            before=numbers[-8] if len(numbers) > 7 else None,  # noqa: PLR2004 - a week earlier, and the last itself
            compared="a week before",
            note="" if found["mature"].all() else "so far: the day is not over",
            past=numbers,
        )

    return asks


def _raids_running(view: View) -> Content:
    raids = view.ask(Bench.raid_activity)
    running = raids.frame[raids.frame["running"]]
    joined = f"joined by {int(running['participants'].sum()):,}; " if len(running) else ""
    week = int((raids.frame["started_at"] >= view.end - timedelta(days=7)).sum())
    return Number(title="Raids running", value=len(running), note=f"{joined}{week:,} started in 7 days")


def _errors(view: View) -> Content:
    return error_rate(view, f"Error rate, {view.days} days", of=" requests")


def _latest_raids(view: View) -> Content:
    raids = view.ask(Bench.raid_activity)
    recent = raids.frame.iloc[::-1].head(_RECENT)
    rows = tuple(
        (
            str(raid["raid_id"]),
            f"{raid['started_at'].astimezone(view.end.tzinfo):%d %b %H:%M}",
            number(raid["participants"], "count"),
            outcome(raid),
        )
        for raid in recent.to_dict("records")
    )
    return Rows(
        title="Latest raids", head=("raid", "started", "joined", "outcome"), rows=rows, empty="No raid in this time.",
        frame=recent, said=raids.reading(),
    )  # fmt: skip


def outcome(raid: dict[Hashable, Any]) -> str:
    """Say how a raid ended."""
    if raid["running"]:
        return "running"
    return "ended" if raid["success"] is None else "succeeded" if raid["success"] else "failed"


PAGE: Final = Page(
    name="main",
    title="Community",
    about="Who is active, what is written, where, when, and which raids run.",
    live=True,
    filters=(DAYS, PEOPLE),
    sections=(
        Section(
            kind="cards",
            tiles=(
                Tile(name="active", title="Active users", asks=_last_day("Active users", "users")),
                Tile(name="new", title="New users", asks=_last_day("New users", "new_users")),
                Tile(name="messages", title="Messages", asks=_last_day("Messages", "messages")),
                Tile(name="running", title="Raids running", asks=_raids_running),
                Tile(name="errors", title="Error rate", asks=_errors),
            ),
        ),
        Section(
            kind="tiles",
            tiles=(
                Tile(name="active-users", title="Active users", asks=shows(Bench.active_users), span=2),
                Tile(name="platforms", title="Platforms", asks=shows(Bench.platform_distribution)),
                Tile(name="rhythm", title="When people are there", asks=shows(Bench.rhythm), span=2),
                Tile(name="latest-raids", title="Latest raids", asks=_latest_raids),
                Tile(name="volume", title="Messages", asks=shows(Bench.message_volume), span=2),
                Tile(name="raids", title="Raids", asks=shows(Bench.raid_activity)),
            ),
        ),
    ),
)
