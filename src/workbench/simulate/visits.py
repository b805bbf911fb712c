"""Visits: who comes when, on which platform and for how long. Everything that people do, they do in one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from workbench.simulate.columns import Rows, objects
from workbench.simulate.people import QUICK, SOURCES, VARIANTS
from workbench.simulate.plan import DAY, HOUR, MINUTE, SECOND, times_of_day

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.simulate.people import People
    from workbench.simulate.plan import Array, Plan

EXPERIMENT: Final = "guided_welcome"
NUMBERS_A_DAY: Final = 10**9
"""Sessions, messages and events are numbered from `day * NUMBERS_A_DAY`."""

UNENDED: Final = 0.02
"""Share of sessions whose end was never reported."""


@dataclass(frozen=True)
class Visits:
    """Sessions of one day, one row each: person, start, length (both in microseconds), platform, number."""

    user: Array
    at: Array
    length: Array
    platform: Array
    number: Array

    def __len__(self) -> int:
        return len(self.user)

    def moments(self, rng: np.random.Generator, which: Array) -> Array:
        """Draw one instant inside each of the given visits."""
        inside: Array = self.at[which] + (rng.random(len(which)) * self.length[which]).astype(np.int64)
        return inside


def visits(plan: Plan, day: int, crowd: People, parts: Sequence[tuple[Array, Array, Array, Array]]) -> Visits:
    """Put visits of several origins together, drop those that the outage swallowed, and number them."""
    user, at, length, platform = (np.concatenate(column) for column in zip(*parts, strict=True))
    seen = ~plan.in_outage(at) & (at >= crowd.joined_at[user])
    number = day * NUMBERS_A_DAY + np.arange(int(seen.sum()))
    return Visits(user[seen], at[seen], length[seen], platform[seen], number)


def usual(plan: Plan, day: int, crowd: People, present: Array) -> tuple[Array, Array, Array, Array]:
    """Draw the ordinary visits of a day: person, start, length, platform."""
    rng = plan.rng("visits", day)
    user = np.repeat(present, rng.poisson(crowd.sessions_expected(plan, day, present)))
    length = (rng.lognormal(np.log(6 * MINUTE), 0.9, len(user))).clip(20 * SECOND, 3 * HOUR).astype(np.int64)
    time = np.minimum(times_of_day(rng, crowd.utc_offset_hours[user]), DAY - SECOND - length)
    return user, plan.midnight(day) + time, length, platforms(rng, crowd, user)


def arrivals(plan: Plan, day: int, crowd: People, present: Array) -> tuple[Array, Array, Array, Array]:
    """Return the visits that joining and first messages need: one for both, if they are close together."""
    rng = plan.rng("arrivals", day)
    midnight = plan.midnight(day)
    joined, speaks = crowd.joined_at[present], crowd.speaks_at[present]
    new = joined >= midnight
    quick = speaks < joined + QUICK
    speaking = (speaks >= midnight) & (speaks < midnight + DAY) & ~quick
    stay = rng.exponential(5 * MINUTE, len(present)).clip(MINUTE, 12 * MINUTE).astype(np.int64)
    length = np.where(new & quick, np.maximum(speaks, joined) - joined, 0) + stay
    user = np.concatenate([present[new], present[speaking]])
    before = rng.integers(20 * SECOND, 90 * SECOND, int(speaking.sum()))
    at = np.concatenate([joined[new] + SECOND, speaks[speaking] - before])
    return user, at, np.concatenate([length[new], before + stay[speaking]]), platforms(rng, crowd, user)


def platforms(rng: np.random.Generator, crowd: People, user: Array) -> Array:
    """Draw on which of their platforms each visit takes place."""
    share = np.cumsum(crowd.platform_share[user], axis=1)
    # The last share may be 0.9999...: the draw is scaled to it, so that nobody lands on a platform they are not on.
    draw = rng.random(len(user)) * share[:, -1]
    chosen: Array = (draw[:, None] >= share).sum(axis=1)
    return chosen


def sign_ups(plan: Plan, day: int, crowd: People, seen: Visits) -> list[Rows]:
    """Report who joined today, and the variant that each was given."""
    first = np.flatnonzero(seen.at == crowd.joined_at[seen.user] + SECOND)
    user, platform, number = seen.user[first], seen.platform[first], seen.number[first]
    source = pa.array(SOURCES).take(pa.array(crowd.source[user]))
    joined = Rows("user_joined", user, crowd.joined_at[user], platform, objects(source=source), session=number)
    exposed = first[crowd.variant[user] >= 0]
    user = seen.user[exposed]
    variant = pa.array(VARIANTS).take(pa.array(crowd.variant[user]))
    properties = objects(experiment=pa.array([EXPERIMENT] * len(user), pa.string()), variant=variant)
    at = crowd.joined_at[user] + plan.rng("exposures", day).integers(2 * SECOND, 6 * SECOND, len(user))
    return [
        joined,
        Rows("experiment_exposed", user, at, seen.platform[exposed], properties, session=seen.number[exposed]),
    ]


def sessions(plan: Plan, day: int, seen: Visits) -> list[Rows]:
    """Report that sessions started, and that most of them ended."""
    rng = plan.rng("sessions", day)
    client = pa.array(["phone", "desktop", "tablet"]).take(pa.array(rng.choice(3, len(seen), p=[0.55, 0.38, 0.07])))
    ended = rng.random(len(seen)) >= UNENDED
    seconds = np.round(seen.length[ended] / SECOND, 1)
    end = seen.at[ended] + seen.length[ended]
    return [
        Rows("session_started", seen.user, seen.at, seen.platform, objects(client=client), session=seen.number),
        Rows(
            "session_ended",
            seen.user[ended],
            end,
            seen.platform[ended],
            objects(session_duration=seconds, client=client.filter(pa.array(ended))),
            session=seen.number[ended],
        ),
    ]
