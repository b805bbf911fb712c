"""Platforms beside each other: who uses both, and whether they are busy on the same days."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

import numpy as np
import pandas as pd

from workbench.charts.formats import number
from workbench.charts.spec import Chart, Grid
from workbench.errors import InvalidArgument
from workbench.metrics import arguments, coverage, intervals, pushdown, sequences
from workbench.metrics.calendars import calendar
from workbench.metrics.journey_view import bounded
from workbench.metrics.messages import MESSAGES
from workbench.metrics.plain import Codes, Plain
from workbench.metrics.series import SpanDefinition, note
from workbench.metrics.steps import seen
from workbench.metrics.words import words
from workbench.results import Answer

if TYPE_CHECKING:
    from datetime import date

    from numpy.typing import NDArray

    from workbench.metrics.arguments import Span
    from workbench.metrics.calendars import Calendar
    from workbench.metrics.sequences import Runs
    from workbench.store.base import Snapshot

FEWEST_DAYS: Final = 3
"""Days on which both were active, under which nothing is said of how they go together."""
MOST_PLATFORMS: Final = 60
"""Platforms that can be compared at once: a person's are the bits of a number."""
_COLUMNS: Final = {
    "platform": "object", "other": "object", "shared_users": "int64", "users": "int64", "other_users": "int64",
    "overlap": "float64", "correlation": "float64", "ci_low": "float64", "ci_high": "float64", "days": "int64",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class CorrelationDefinition(SpanDefinition):
    """What `platform_correlation` counts."""

    question: ClassVar[str] = "platform_correlation"
    messages: tuple[str, ...] = MESSAGES
    top: int = MOST_PLATFORMS


@dataclass(frozen=True, kw_only=True, eq=False)
class PlatformCorrelation(Answer):
    """Pairs of platforms.

    `frame` has one row per pair that shares at least one person: `platform`, `other` (in alphabetical order),
    `shared_users` (distinct people with an event on both), `users`, `other_users` (on each), `overlap` (shared of those
    on either; Jaccard), `correlation` (Pearson's r of messages per day, over the `days` on which both had an event; NaN
    under 3 days, or where one never changes), `ci_low`, `ci_high` (95%, by Fisher's z), `days`.
    """

    definition: CorrelationDefinition
    platforms: tuple[str, ...] = field(repr=False)
    used: tuple[NDArray[np.int64], NDArray[np.int64]] = field(repr=False)
    """`user_key`, and a bit per platform."""
    snapshot: Snapshot = field(repr=False)

    def people(self, platform: str, other: str) -> list[str]:
        """List the people who use both: as many as `shared_users`.

        Raises:
            InvalidArgument: There is no such platform.
        """
        both = 0
        for name in (platform, other):
            if name not in self.platforms:
                raise InvalidArgument(f"there is no platform {arguments.unknown(name, self.platforms)}")
            both |= 1 << self.platforms.index(name)
        keys, used = self.used
        return sequences.user_ids(self.snapshot, keys[used & both == both])

    def chart(self) -> Chart:
        """Draw the shared people of every pair as a heat map."""
        columns = (self.frame[name].tolist() for name in ("platform", "other", "shared_users"))
        shared = {(one, other): float(users) for one, other, users in zip(*columns, strict=True)}
        names = tuple(name for name in self.platforms if any(name in pair for pair in shared))
        values = tuple(tuple(shared.get((min(a, b), max(a, b))) if a != b else None for b in names) for a in names)
        marks = (Grid(rows=names, columns=names, values=values),) if names else ()
        return Chart(
            title="People on two platforms", y_label="distinct people", marks=marks, note=note(self.definition)
        )

    def _reading(self) -> str:
        """Say which pair shares the most people, and whether the two are busy on the same days."""
        if self.frame.empty:
            return "Nobody uses two platforms in this time."
        most = self.frame.sort_values("shared_users", ascending=False, kind="stable").iloc[0]
        told = (
            f"their messages per day go together with r = {number(most['correlation'], 'decimal')} "
            f"({number(most['ci_low'], 'decimal')} to {number(most['ci_high'], 'decimal')}, {most['days']} days)"
            if np.isfinite(most["correlation"])
            else f"{most['days']} days with both are too few to say how they go together"
        )
        return (
            f"{most['platform']} and {most['other']} share the most people, {number(most['shared_users'], 'count')} "
            f"({number(most['overlap'], 'percent')} of those on either); {told}."
        )


def platform_correlation(
    snapshot: Snapshot,
    *,
    since: str | date | None = None,
    until: str | date | None = None,
    now: str | date | None = None,
    tz: str = "UTC",
    top: int = MOST_PLATFORMS,
) -> PlatformCorrelation:
    """Compare each two platforms: shared people, and the correlation of their messages per day.

    Args:
        snapshot: The events; those that name no platform are left out.
        since: Start, inclusive; naive times are in `tz`.
        until: End, exclusive.
        now: When the question is asked: later events are not seen. The earlier of the present and the end of the
            data if not given.
        tz: Time zone of days and of naive times.
        top: How many platforms are compared, from 2 to 60: those that most people use in this time. The answer says
            how many are left out.

    Raises:
        InvalidArgument: A number, a time or a zone cannot be used.
    """
    span = coverage.span(snapshot, since, until, now, tz=tz)
    definition = CorrelationDefinition(
        since=span.since, until=span.until, now=span.now, tz=tz, people=snapshot.people,
        top=bounded(top, 2, MOST_PLATFORMS, "top"),
    )  # fmt: skip
    platforms, left_out = _platforms(snapshot, span, top)
    own = words(snapshot.engine)
    named = own.one_of("platform", "$platforms") if left_out else "platform IS NOT NULL"
    message = own.byte(f"CASE WHEN {own.one_of('event_type', '$messages')} THEN 1 ELSE 0 END")
    sql = (
        f"SELECT user_key, {own.micros('occurred_at')} AS at, "  # noqa: S608 - our own words
        f"{own.short(own.place('platform', '$platforms') + ' - 1')} AS place, {message} AS message FROM events "
        f"WHERE {named} AND occurred_at >= $since AND occurred_at < $until "
        "AND occurred_at <= $now"
    )
    first = min([first for first, _ in seen(snapshot).values()] + [span.now])
    first = min(max(first, span.since or first), span.now)
    days = calendar("day", first, span.now, tz)
    params = {"platforms": list(platforms), "messages": list(MESSAGES), **span.entries()}
    codes = [
        ("place", Codes("platform", {name: place for place, name in enumerate(platforms)}, -1, wanted=True)),
        ("message", Codes("event_type", dict.fromkeys(MESSAGES, 1))),
    ]
    if snapshot.engine == "clickhouse":
        keys, used, messages, events = pushdown.platforms(snapshot, sql, params, days, len(platforms))
    else:
        plain = Plain.within(span, codes)
        keys, used, messages, events = _walked(snapshot, (sql, params, plain), days, len(platforms))
    rows = [_pair(platforms, pair, used, (messages, events)) for pair in combinations(range(len(platforms)), 2)]
    frame = pd.DataFrame([row for row in rows if row[2]], columns=list(_COLUMNS)).astype(_COLUMNS)
    return PlatformCorrelation(
        frame=frame,
        sql=sql,
        definition=definition,
        data_version=snapshot.data_version,
        notes=(*span.notes, *left_out),
        platforms=platforms,
        used=(keys, used),
        snapshot=snapshot,
    )


def _platforms(snapshot: Snapshot, span: Span, top: int) -> tuple[tuple[str, ...], list[str]]:
    """Return the platforms that most people use, in alphabetical order, and what is to be said of the others."""
    found = snapshot.query(
        "SELECT platform FROM events WHERE platform IS NOT NULL AND occurred_at >= $since AND occurred_at < $until "
        "AND occurred_at <= $now GROUP BY platform ORDER BY count(DISTINCT user_key) DESC, platform",
        span.entries(),
    )["platform"].to_pylist()
    said = f"The {top:,} of {len(found):,} platforms that most people use are compared; the others are left out."
    return tuple(sorted(found[:top])), [said] if len(found) > top else []


_Counted: TypeAlias = "tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]"
"""Per person `user_key` and a bit per platform they used; per day and platform the messages, and the events."""


def _walked(
    snapshot: Snapshot, asked: tuple[str, dict[str, object], Plain], days: Calendar, platforms: int
) -> _Counted:
    """Walk over the rows of people."""
    from workbench.metrics.kernels.pairs import pairs  # noqa: PLC0415 - loads Numba

    def work(rows: Runs) -> _Counted:
        place, message = rows.columns["place"], rows.columns["message"]
        return pairs(rows.user_key, rows.runs, rows.at, place, message, days.edges, platforms)

    sql, params, plain = asked
    parts = sequences.by_group(snapshot, sql, params, work, plain=plain)
    keys, used = (np.concatenate([part[column] for part in parts]) for column in (0, 1))
    messages, events = (np.sum([part[column] for part in parts], axis=0) for column in (2, 3))
    return keys, used, messages, events


def _pair(
    platforms: tuple[str, ...],
    pair: tuple[int, int],
    used: NDArray[np.int64],
    daily: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> tuple[object, ...]:
    """Compare two platforms."""
    one, other = (used >> place & 1 for place in pair)
    shared, users, others = int((one & other).sum()), int(one.sum()), int(other.sum())
    messages, events = daily
    both = (events[:, pair[0]] > 0) & (events[:, pair[1]] > 0)
    r, low, high = intervals.correlation(messages[both, pair[0]], messages[both, pair[1]])
    overlap = shared / max(users + others - shared, 1)
    return (platforms[pair[0]], platforms[pair[1]], shared, users, others, overlap, r, low, high, int(both.sum()))
