"""Activity: how many people were there, and how much was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Literal, TypeAlias

from workbench.charts.formats import number
from workbench.charts.spec import Chart
from workbench.metrics import arguments, queries
from workbench.metrics.calendars import PERIODS, Period
from workbench.metrics.series import SpanDefinition, complete, note, over_time
from workbench.results import Answer

if TYPE_CHECKING:
    from datetime import date

    from workbench.store.base import Snapshot

MESSAGES: Final = ("first_message", "message_sent")
"""Event types that are a message; somebody's first is not also counted as `message_sent`."""

VolumePeriod: TypeAlias = Literal["hour", "day", "week", "month"]
VOLUME_PERIODS: Final[tuple[VolumePeriod, ...]] = ("hour", *PERIODS)


@dataclass(frozen=True, kw_only=True)
class ActiveUsersDefinition(SpanDefinition):
    """What `active_users` counts."""

    question: ClassVar[str] = "active_users"
    period: Period


@dataclass(frozen=True, kw_only=True)
class MessageVolumeDefinition(SpanDefinition):
    """What `message_volume` counts."""

    question: ClassVar[str] = "message_volume"
    period: VolumePeriod
    messages: tuple[str, ...] = MESSAGES


@dataclass(frozen=True, kw_only=True, eq=False)
class ActiveUsers(Answer):
    """People with any event, per day, week or month.

    `frame` has one row per period, empty ones included: `period` (first day, in `tz`), `users` (distinct),
    `new_users` (of them, those whose first event ever is in it), `events`, `mature` (whether it is over).
    """

    definition: ActiveUsersDefinition

    def chart(self) -> Chart:
        """Draw people per period; the part that is not over is dashed."""
        return Chart(
            title="Active users",
            y_label=f"people with any event that {self.definition.period}",
            x_scale="time",
            marks=over_time(self.frame, "users"),
            note=note(self.definition, over=bool(self.frame["mature"].all())),
        )

    def reading(self) -> str:
        """Say how many there were last, against the usual, and how many of them were new."""
        over, period = self.frame[self.frame["mature"]], self.definition.period
        if over.empty:
            return f"No {period} is over yet: there is nothing to say about active users."
        last, before = over.iloc[-1], over.iloc[:-1].tail(7)["users"]
        usual = f" (the {len(before)} {period}s before had {before.mean():,.0f} on average)" if len(before) else ""
        return (
            f"In the last full {period}, from {last['period']:%d %b %Y}, {number(last['users'], 'count')} people were "
            f"active{usual}; {number(last['new_users'], 'count')} of them were new. The most in one {period} was "
            f"{number(over['users'].max(), 'count')}, over {len(over):,} {period}s."
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class MessageVolume(Answer):
    """Messages over time.

    `frame` has one row per period, empty ones included: `period` (its start on the clocks of `tz`),
    `messages`, `users` (distinct authors), `mature` (whether it is over).
    """

    definition: MessageVolumeDefinition

    def chart(self) -> Chart:
        """Draw messages per period; the part that is not over is dashed."""
        return Chart(
            title="Messages",
            y_label=f"messages per {self.definition.period}",
            x_scale="time",
            marks=over_time(self.frame, "messages"),
            note=note(self.definition, over=bool(self.frame["mature"].all())),
        )

    def reading(self) -> str:
        """Say how much was written, and how much by each author."""
        over, period = self.frame[self.frame["mature"]], self.definition.period
        if over["messages"].sum() == 0:
            return f"No message was written in a {period} that is over."
        busiest = over.sort_values("messages").iloc[-1]
        return (
            f"{number(over['messages'].sum(), 'count')} messages in {len(over):,} {period}s, "
            f"{over['messages'].mean():,.0f} in each on average; the most, {number(busiest['messages'], 'count')} by "
            f"{number(busiest['users'], 'count')} people, from {busiest['period']:%d %b %Y %H:%M}."
        )


def active_users(
    snapshot: Snapshot,
    *,
    period: Period = "day",
    since: str | date | None = None,
    until: str | date | None = None,
    now: str | date | None = None,
    tz: str = "UTC",
) -> ActiveUsers:
    """Count the people with any event per day, week (from Monday) or month.

    Args:
        snapshot: The events.
        period: `day`, `week` or `month`, on the clocks of `tz`.
        since: Start, inclusive; naive times are in `tz`.
        until: End, exclusive.
        now: When the question is asked: later events are not seen, and a period that ends after it is not
            over. The present if not given.
        tz: Time zone of days and of naive times.

    Raises:
        InvalidArgument: A period, a time or a zone cannot be used.

    >>> from workbench.testing import store_of
    >>> events = store_of({"ann": "view:0 view:1500", "bob": "view:9"}).snapshot()
    >>> active_users(events).frame[["period", "users", "new_users"]].astype(str).to_string(index=False).splitlines()
    ['    period users new_users', '2026-01-05     2         2', '2026-01-06     1         0']
    """
    span = arguments.span(since, until, now, tz=tz)
    definition = ActiveUsersDefinition(
        period=arguments.choice(period, PERIODS, name="period"), since=span.since, until=span.until, now=span.now, tz=tz
    )
    sql = queries.text("active_users")
    found = snapshot.query(sql, {"period": period, "tz": tz, **span.entries()}).to_pandas()
    frame = complete(found, definition, period)
    frame["period"] = frame["period"].dt.date
    return ActiveUsers(frame=frame, sql=sql, definition=definition, data_version=snapshot.data_version)


def message_volume(
    snapshot: Snapshot,
    *,
    period: VolumePeriod = "day",
    since: str | date | None = None,
    until: str | date | None = None,
    now: str | date | None = None,
    tz: str = "UTC",
) -> MessageVolume:
    """Count messages (`first_message`, `message_sent`) per hour, day, week or month; else as `active_users`."""
    span = arguments.span(since, until, now, tz=tz)
    chosen = arguments.choice(period, VOLUME_PERIODS, name="period")
    definition = MessageVolumeDefinition(period=chosen, since=span.since, until=span.until, now=span.now, tz=tz)
    sql = queries.text("message_volume")
    params = {"messages": list(MESSAGES), "period": period, "tz": tz, **span.entries()}
    frame = complete(snapshot.query(sql, params).to_pandas(), definition, chosen)
    return MessageVolume(frame=frame, sql=sql, definition=definition, data_version=snapshot.data_version)
