"""Messages: how much was written, and by how many people."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, Literal, TypeAlias

from workbench.charts.formats import number
from workbench.charts.spec import Chart
from workbench.errors import InvalidArgument
from workbench.metrics import arguments, coverage, queries
from workbench.metrics.arguments import Span
from workbench.metrics.calendars import PERIODS
from workbench.metrics.series import SpanDefinition, complete, note, over_time
from workbench.metrics.who import who
from workbench.metrics.words import words
from workbench.results import Answer

if TYPE_CHECKING:
    from datetime import date

    from workbench.store.base import Snapshot

MESSAGES: Final = ("first_message", "message_sent")
"""Event types that are a message; somebody's first is not also counted as `message_sent`."""

VolumePeriod: TypeAlias = Literal["hour", "day", "week", "month"]
VOLUME_PERIODS: Final[tuple[VolumePeriod, ...]] = ("hour", *PERIODS)
_IN_PERIOD: Final = {
    "duckdb": "date_trunc($period, timezone($tz, occurred_at))::TIMESTAMP = $begins::TIMESTAMP",
    "clickhouse": (
        "toString(toDateTime64(dateTrunc($period, "
        "addSeconds(occurred_at, timeZoneOffset(toTimeZone(occurred_at, $tz)))), 0, 'UTC')) = $begins"
    ),
}


@dataclass(frozen=True, kw_only=True)
class MessageVolumeDefinition(SpanDefinition):
    """What `message_volume` counts."""

    question: ClassVar[str] = "message_volume"
    period: VolumePeriod
    messages: tuple[str, ...] = MESSAGES


@dataclass(frozen=True, kw_only=True, eq=False)
class MessageVolume(Answer):
    """Messages over time.

    `frame` has one row per period, empty ones included: `period` (its start on the clocks of `tz`),
    `messages`, `users` (distinct authors), `mature` (whether it is over).
    """

    definition: MessageVolumeDefinition
    snapshot: Snapshot = field(repr=False)

    def people(self, period: str | date) -> list[str]:
        """List who wrote in a period: as many as its `users`.

        Args:
            period: Its start, as in the frame.

        Raises:
            InvalidArgument: There is no such period.
        """
        begins, asked = arguments.instant(period, name="period").replace(tzinfo=None), self.definition
        if begins not in set(self.frame["period"]):
            raise InvalidArgument(f"there is no period {period!r} in the frame")
        own = _IN_PERIOD[self.snapshot.engine]
        span = Span(since=asked.since, until=asked.until, now=asked.now).entries()
        written = words(self.snapshot.engine).one_of("event_type", "$messages")
        where = f"{written} AND occurred_at >= $since AND occurred_at < $until AND occurred_at <= $now AND {own}"
        params = {"messages": list(asked.messages), "period": asked.period, "tz": asked.tz, **span}
        return who(self.snapshot, where, params | {"begins": f"{begins:%Y-%m-%d %H:%M:%S}"})

    def chart(self) -> Chart:
        """Draw messages per period; the part that is not over is dashed."""
        return Chart(
            title="Messages",
            y_label=f"messages per {self.definition.period}",
            x_scale="time",
            marks=over_time(self.frame, "messages"),
            note=note(self.definition, over=bool(self.frame["mature"].all())),
        )

    def _reading(self) -> str:
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


def message_volume(
    snapshot: Snapshot,
    *,
    period: VolumePeriod = "day",
    since: str | date | None = None,
    until: str | date | None = None,
    now: str | date | None = None,
    tz: str = "UTC",
) -> MessageVolume:
    """Count messages (`first_message`, `message_sent`) per hour, day, week or month; see `active_users`."""
    span = coverage.span(snapshot, since, until, now, tz=tz)
    chosen = arguments.choice(period, VOLUME_PERIODS, name="period")
    definition = MessageVolumeDefinition(
        period=chosen, since=span.since, until=span.until, now=span.now, tz=tz, people=snapshot.people
    )
    sql = queries.text("message_volume", snapshot.engine)
    params = {"messages": list(MESSAGES), "period": period, "tz": tz, **span.entries()}
    frame = complete(snapshot.query(sql, params).to_pandas(), definition, chosen)
    return MessageVolume(
        frame=frame,
        sql=sql,
        definition=definition,
        data_version=snapshot.data_version,
        notes=span.notes,
        snapshot=snapshot,
    )
