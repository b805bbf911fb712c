"""Raids: when they are called, who joins, what they do, and why they succeed or fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from workbench.simulate import effects
from workbench.simulate.columns import Rows, chosen, numbered, objects
from workbench.simulate.plan import DAY, HOUR, MINUTE, PLATFORMS, SECOND, WEEKDAYS, times_of_day
from workbench.simulate.texts import LOST, WON

if TYPE_CHECKING:
    from workbench.simulate.people import People
    from workbench.simulate.plan import Array, Plan

RAIDS_A_DAY: Final = 1.0
SPEAKERS_PER_RAID: Final = 160
"""Raids on a day: one, and one more for so many people who could join."""

MEDIAN_CALL: Final = 17.0
"""How many answer the usual call at the usual reward; the same person may answer twice and counts once."""

REWARDS: Final = (50, 100, 150, 200, 300)
DURATIONS: Final = (15, 20, 30, 45, 60, 75, 90, 120)
ACTIONS: Final = ("like", "repost", "reply", "quote")
ACTIONS_PER_PERSON: Final = 1.6
SLOTS: Final = tuple(effects.RAID_SLOTS)


@dataclass(frozen=True)
class Raids:
    """The raids of one day. Arrays have one row per raid; `member_*` have one row per person and raid.

    Attributes:
        number: Counted from 0 over all days.
        at: Start.
        duration_min: Length in minutes.
        reward_xp: What the host promised.
        platform: Where it was called.
        host: Who called it, also a participant.
        participants: Distinct people who joined.
        logit: Columns of the success logit by driver, without the intercept: slot, duration, participants, reward.
        probability: True chance of success.
        success: How it ended.
        member: The people who joined.
        member_raid: Row of their raid.
        member_at: When they joined.
    """

    number: Array
    at: Array
    duration_min: Array
    reward_xp: Array
    platform: Array
    host: Array
    participants: Array
    logit: dict[str, Array]
    probability: Array
    success: Array
    member: Array
    member_raid: Array
    member_at: Array

    @property
    def end(self) -> Array:
        """When they ended."""
        ended: Array = self.at + self.duration_min * MINUTE
        return ended

    def visits(self, rng: np.random.Generator) -> tuple[Array, Array, Array, Array]:
        """Return the visit of each participant: person, start, length, platform."""
        start = self.member_at - rng.integers(2 * SECOND, 90 * SECOND, len(self.member))
        stay = self.end[self.member_raid] + rng.integers(2 * SECOND, 4 * MINUTE, len(self.member))
        return self.member, start, stay - start, self.platform[self.member_raid]

    def outcome(self) -> Array:
        """Say for each participant whether the raid was won or lost, as kinds of text."""
        return np.where(self.success[self.member_raid], WON, LOST)


def raids(plan: Plan, day: int, crowd: People, present: Array, first: int) -> Raids:
    """Call the raids of a day, from number `first` on, and see who comes."""
    rng = plan.rng("raids", day)
    able = present[crowd.speaks_at[present] < plan.midnight(day)]
    calls = rng.poisson(WEEKDAYS[plan.weekday(day)] * (RAIDS_A_DAY + len(able) / SPEAKERS_PER_RAID)) if len(able) else 0
    duration_min = rng.choice(DURATIONS, calls, p=[0.08, 0.1, 0.2, 0.22, 0.18, 0.1, 0.08, 0.04])
    # Ten minutes are left of the day for those who stay on after the end.
    latest = DAY - (duration_min + 10) * MINUTE
    at = plan.midnight(day) + times_of_day(rng, np.ones(calls)).clip(5 * MINUTE, latest)
    order = np.argsort(at, kind="stable")
    at, duration_min = at[order], duration_min[order]
    clear = (at + (duration_min + 5) * MINUTE < plan.outage[0]) | (at > plan.outage[1] + 5 * MINUTE)
    at, duration_min = at[clear], duration_min[clear]
    reward_xp = rng.choice(REWARDS, len(at), p=[0.25, 0.35, 0.2, 0.13, 0.07])
    platform, member, member_raid, host = _members(rng, crowd, able, reward_xp)
    participants = np.bincount(member_raid, minlength=len(at))
    logit = _drivers(plan, day, at, duration_min, participants, reward_xp)
    probability = effects.probability(np.sum([*logit.values()], axis=0) + effects.RAID["intercept"])
    hurry = rng.exponential(0.18, len(member)).clip(0.002, 0.8)
    return Raids(
        number=first + np.arange(len(at)),
        at=at,
        duration_min=duration_min,
        reward_xp=reward_xp,
        platform=platform,
        host=host,
        participants=participants,
        logit=logit,
        probability=probability,
        success=rng.random(len(at)) < probability,
        member=member,
        member_raid=member_raid,
        member_at=at[member_raid] + (hurry * duration_min[member_raid] * MINUTE).astype(np.int64),
    )


def _members(
    rng: np.random.Generator, crowd: People, able: Array, reward_xp: Array
) -> tuple[Array, Array, Array, Array]:
    """Draw who answers each call among those who speak: platform per raid, person and raid per answer, host."""
    calls = len(reward_xp)
    eager = np.exp(0.9 * crowd.raid_spirit[able])[:, None] * crowd.platform_share[able]
    total = eager.sum(axis=0)
    platform = rng.choice(len(PLATFORMS), calls, p=total / total.sum()) if calls else np.zeros(0, dtype=np.int64)
    answers = np.ceil(rng.lognormal(np.log(MEDIAN_CALL), 0.6, calls) * (reward_xp / 100) ** 0.3).astype(np.int64)
    reach = np.cumsum(eager, axis=0)
    members, hosts = [np.zeros(0, dtype=np.int64)], []
    for where, size in zip(platform, answers, strict=True):
        drawn = np.searchsorted(reach[:, where], rng.random(size) * reach[-1, where], side="right")
        hosts.append(drawn[0])
        members.append(np.unique(drawn))
    member_raid = np.repeat(np.arange(calls), [len(part) for part in members[1:]])
    return platform, able[np.concatenate(members)], member_raid, able[np.array(hosts, dtype=np.int64)]


def _drivers(plan: Plan, day: int, at: Array, duration: Array, participants: Array, reward: Array) -> dict[str, Array]:
    slot = (at - plan.midnight(day)) // (6 * HOUR)
    return {
        "slot": np.array(list(effects.RAID_SLOTS.values()))[slot],
        "duration": effects.RAID["off_duration"] * np.log2(duration / 45) ** 2,
        "participants": effects.RAID["log_participants"] * np.log(np.maximum(participants, 1) / 15),
        "reward": effects.RAID["log_reward"] * np.log(reward / 100),
    }


def raid_events(plan: Plan, day: int, called: Raids, session: Array) -> list[Rows]:
    """Report the raids of a day; `session` is the number of each participant's."""
    rng = plan.rng("raid_events", day)
    target = numbered("post-", called.number * 7919 % 99991, digits=5)
    raid, user, at = called.member_raid, called.member, called.member_at
    acting = np.repeat(np.arange(len(raid)), rng.poisson(ACTIONS_PER_PERSON, len(raid)))
    left = called.end[raid[acting]] - at[acting]
    done_at = at[acting] + (rng.random(len(acting)) * left).astype(np.int64)
    done = objects(target=target.take(pa.array(raid[acting])), action=chosen(rng, ACTIONS, len(acting)))
    started = objects(target=target, reward_xp=called.reward_xp)
    ended = objects(
        target=target,
        duration_min=called.duration_min,
        participants=called.participants,
        success=called.success,
        reward_xp=called.reward_xp,
    )
    number, platform = called.number, called.platform
    joined = objects(target=target.take(pa.array(raid)))
    return [
        Rows("raid_started", called.host, called.at, platform, started, raid=number),
        Rows("raid_joined", user, at, platform[raid], joined, raid=number[raid], session=session),
        Rows(
            "raid_action",
            user[acting],
            done_at,
            platform[raid[acting]],
            done,
            raid=number[raid[acting]],
            session=session[acting],
        ),
        Rows("raid_ended", called.host, called.end, platform, ended, raid=number),
    ]
