"""Platforms: how many people each has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import pandas as pd

from workbench.charts.formats import number
from workbench.charts.spec import Chart, Slices
from workbench.metrics import arguments, queries
from workbench.metrics.series import SpanDefinition
from workbench.results import Answer

if TYPE_CHECKING:
    from datetime import date

    from workbench.store.base import Snapshot

_UNNAMED: Final = "(none)"


@dataclass(frozen=True, kw_only=True)
class PlatformDefinition(SpanDefinition):
    """What `platform_distribution` counts."""

    question: ClassVar[str] = "platform_distribution"


@dataclass(frozen=True, kw_only=True, eq=False)
class PlatformDistribution(Answer):
    """People per platform.

    `frame` has one row per platform, largest first: `platform`, `users` (distinct), `share` (of all people, so that the
    shares add up to more than 1 where people use several), `events`.
    """

    definition: PlatformDefinition
    people: int
    """Distinct people on all platforms."""

    def chart(self) -> Chart:
        """Draw the platforms as a ring; who uses several is in each of them."""
        return Chart(
            title="Platforms",
            marks=(Slices(labels=tuple(self.frame["platform"]), values=tuple(map(float, self.frame["users"]))),),
            note=f"{number(self.people, 'count')} people; who uses several platforms counts on each.",
        )

    def reading(self) -> str:
        """Say which is largest, and how many use more than one."""
        if self.frame.empty:
            return "Nobody was active on any platform."
        first = self.frame.iloc[0]
        doubled = int(self.frame["users"].sum()) - self.people
        return (
            f"{first['platform']} has {number(first['users'], 'count')} of {number(self.people, 'count')} people "
            f"({number(first['share'], 'percent')}). Counted per platform there are {number(doubled, 'count')} "
            f"more than people, because some use several of the {len(self.frame)}."
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
    span = arguments.span(since, until, now, tz=tz)
    sql = queries.text("platform_distribution")
    found = snapshot.query(sql, span.entries()).to_pandas()
    people = int(found["everybody"].iloc[0]) if len(found) else 0
    frame = pd.DataFrame(
        {
            "platform": found["platform"].fillna(_UNNAMED),
            "users": found["users"],
            "share": found["users"] / people if people else [],
            "events": found["events"],
        }
    )
    definition = PlatformDefinition(since=span.since, until=span.until, now=span.now, tz=tz)
    return PlatformDistribution(
        frame=frame, sql=sql, definition=definition, data_version=snapshot.data_version, people=people
    )
