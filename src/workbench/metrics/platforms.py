"""Platforms: how many people each has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final

from workbench.charts.formats import number
from workbench.charts.look import PALETTE
from workbench.charts.spec import Chart, Slices
from workbench.errors import InvalidArgument
from workbench.metrics import arguments, coverage, queries
from workbench.metrics.arguments import Span
from workbench.metrics.breakdowns import NOTHING, apart
from workbench.metrics.series import SpanDefinition
from workbench.metrics.who import who
from workbench.results import Answer

if TYPE_CHECKING:
    from datetime import date

    from workbench.store.base import Snapshot

_WHEN: Final = "occurred_at >= $since AND occurred_at < $until AND occurred_at <= $now"
_MAIN: Final = f"""user_key IN (
    SELECT user_key FROM (
        SELECT user_key, platform,
            row_number() OVER (PARTITION BY user_key ORDER BY count(*) DESC, platform NULLS LAST) AS place
        FROM events
        WHERE {_WHEN}
        GROUP BY user_key, platform
    ) AS ranked
    WHERE place = 1 AND {{there}}
)"""  # noqa: S608 - our own words


@dataclass(frozen=True, kw_only=True)
class PlatformDefinition(SpanDefinition):
    """What `platform_distribution` counts."""

    question: ClassVar[str] = "platform_distribution"


@dataclass(frozen=True, kw_only=True, eq=False)
class PlatformDistribution(Answer):
    """People per platform.

    `frame` has one row per platform, most people first: `platform`, `users` (distinct; who uses several counts
    on each), `share` (of all people), `main_users` (people who did most there: each person counts on one), `events`.
    """

    definition: PlatformDefinition
    snapshot: Snapshot = field(repr=False)
    unnamed: str = NOTHING
    """What the row of events that name no platform is called."""

    @property
    def total(self) -> int:
        """Distinct people on all platforms."""
        return int(self.frame["main_users"].sum())

    def people(self, platform: str, *, main: bool = False) -> list[str]:
        """List who was on a platform, or of them who did most there: as many as `users`, or `main_users`.

        Raises:
            InvalidArgument: The frame has no such platform.
        """
        if platform not in set(self.frame["platform"]):
            raise InvalidArgument(f"there is no platform {arguments.unknown(str(platform), self.frame['platform'])}")
        asked = self.definition
        span = Span(since=asked.since, until=asked.until, now=asked.now).entries()
        named: dict[str, object] = {} if platform == self.unnamed else {"platform": platform}
        there = "platform = $platform" if named else "platform IS NULL"
        return who(self.snapshot, (_MAIN if main else f"{_WHEN} AND {{there}}").replace("{there}", there), span | named)

    def chart(self) -> Chart:
        """Draw the people as a ring, each at the platform where they do most; the smallest are one slice of others."""
        main = self.frame[self.frame["main_users"] > 0].sort_values("main_users", ascending=False, kind="stable")
        labels, values = list(main["platform"]), [float(users) for users in main["main_users"]]
        if len(labels) > len(PALETTE):  # a colour used twice would tell nothing
            kept = len(PALETTE) - 1
            labels[kept:], values[kept:] = [f"{len(labels) - kept} others"], [sum(values[kept:])]
        ring = Slices(labels=tuple(labels), values=tuple(values))
        return Chart(title="Platforms", y_label="people, by where they do most", marks=(ring,) if labels else ())

    def _reading(self) -> str:
        """Say which is largest, and how many people more than one share."""
        if self.frame.empty:
            return "Nobody was active on any platform."
        first = self.frame.iloc[0]
        further = (int(self.frame["users"].sum()) - self.total) / self.total
        return (
            f"{number(first['users'], 'count')} of {number(self.total, 'count')} people "
            f"({number(first['share'], 'percent')}) use {first['platform']}; it is the main platform of "
            f"{number(first['main_users'], 'count')}. Beside their main one, people use "
            f"{number(further, 'decimal')} further platforms on average."
        )


def platform_distribution(
    snapshot: Snapshot,
    *,
    since: str | date | None = None,
    until: str | date | None = None,
    now: str | date | None = None,
    tz: str = "UTC",
) -> PlatformDistribution:
    """Count the distinct people on each platform; arguments as in `active_users`."""
    span = coverage.span(snapshot, since, until, now, tz=tz)
    sql = queries.text("platform_distribution")
    found = snapshot.query(sql, span.entries()).to_pandas()
    unnamed = apart(NOTHING, set(found["platform"]))
    frame = found.assign(
        platform=found["platform"].fillna(unnamed), share=found["users"] / max(int(found["main_users"].sum()), 1)
    )[["platform", "users", "share", "main_users", "events"]]
    definition = PlatformDefinition(since=span.since, until=span.until, now=span.now, tz=tz, people=snapshot.people)
    return PlatformDistribution(
        frame=frame,
        sql=sql,
        definition=definition,
        data_version=snapshot.data_version,
        notes=span.notes,
        snapshot=snapshot,
        unnamed=unnamed,
    )
