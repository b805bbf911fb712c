"""The people: who joins when, with what traits, who ever speaks, and on which night each one leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.simulate import effects
from workbench.simulate.plan import DAY, HOUR, MINUTE, PLATFORMS, SECOND, WEEKDAYS, times_of_day

if TYPE_CHECKING:
    from workbench.simulate.plan import Array, Plan

SOURCES: Final = ("organic", "referral", "search", "campaign")
CAMPAIGN: Final = SOURCES.index("campaign")
VARIANTS: Final = ("control", "treatment")
LANGUAGES: Final = ("en", "es", "tr")

CAMPAIGN_EXTRA: Final = 6.0
"""Sign-ups that a day of the campaign brings, as a multiple of an ordinary day's."""

LAUNCH_EXTRA: Final = 5.0
"""The same for the first day of the community; it wears off within two weeks."""

POPULARITY: Final = np.array([0.45, 0.27, 0.18, 0.10])
SPIRIT_BY_ACTIVITY: Final = 0.4
"""Correlation of `raid_spirit` with `activity`."""

QUICK: Final = 30 * MINUTE
QUICK_SHARE: Final = 0.7
"""Share of those who ever speak that speak in their first visit, less than half an hour after joining."""

NEVER: Final = np.iinfo(np.int64).max


@dataclass(frozen=True)
class People:
    """One array per trait, one row per person, in the order of joining.

    Attributes:
        joined_at: When they signed up.
        source: Index into `SOURCES`.
        variant: Index into `VARIANTS`, -1 for who joined before the experiment.
        language: Index into `LANGUAGES`.
        utc_offset_hours: Their clock.
        activity: Standardised; `sessions_per_day` and `messages_per_session` grow with it.
        mood: Standardised tone of what they write.
        raid_spirit: Standardised inclination to raid.
        ai_satisfaction: Standardised; how pleased they are with the same answer.
        platform_share: (people, 4) share of their visits by platform; 0 where they are not.
        sessions_per_day: Mean number on an average weekday, before fading.
        messages_per_session: Mean number once they speak.
        asks_per_session: Mean number of AI interactions.
        activation_probability: Chance of ever speaking.
        speaks_at: The instant of their first message, `NEVER` for who stays silent.
        daily_hazard: Chance of leaving on any one night after the first seven.
        first_nights_hazard: The same for each of the first seven.
        last_day: The last day (0-based, may lie after the data) on which they do anything.
        purchases_per_session: Mean number once a wallet is connected.
        mean_purchase_usd: Mean value of one.
    """

    joined_at: Array
    source: Array
    variant: Array
    language: Array
    utc_offset_hours: Array
    activity: Array
    mood: Array
    raid_spirit: Array
    ai_satisfaction: Array
    platform_share: Array
    sessions_per_day: Array
    messages_per_session: Array
    asks_per_session: Array
    activation_probability: Array
    speaks_at: Array
    daily_hazard: Array
    first_nights_hazard: Array
    last_day: Array
    purchases_per_session: Array
    mean_purchase_usd: Array

    def present(self, plan: Plan, day: int) -> Array:
        """Return the rows of those who have joined by the end of a day and not left before it."""
        joined = int(np.searchsorted(self.joined_at, plan.midnight(day + 1)))
        return np.flatnonzero(self.last_day[:joined] >= day)

    def sessions_expected(self, plan: Plan, day: int, rows: Array) -> Array:
        """Return the mean number of sessions on a day: by person, weekday, and fading before leaving."""
        left = np.minimum(self.last_day[rows] - day, effects.FADE_DAYS) / effects.FADE_DAYS
        fade = effects.FADE_TO + (1 - effects.FADE_TO) * left
        expected: Array = self.sessions_per_day[rows] * WEEKDAYS[plan.weekday(day)] * fade
        return expected


def people(plan: Plan) -> People:
    """Draw everybody who will ever join."""
    rng, n = plan.rng("people"), plan.users
    utc_offset_hours = rng.choice([-5, 1, 8], n, p=[0.22, 0.65, 0.13])
    joined_at = _sign_ups(plan, rng, utc_offset_hours)
    order = np.argsort(joined_at, kind="stable")
    joined_at = joined_at[order]
    day = (joined_at - plan.midnight(0)) // DAY
    source = _sources(plan, rng, day)
    campaign = source == CAMPAIGN
    variant = np.where(day >= plan.experiment_day, rng.integers(0, len(VARIANTS), n), -1)
    traits = _traits(rng, n)
    treatment = variant == VARIANTS.index("treatment")
    activation = effects.logit(effects.ACTIVATION, campaign=campaign, treatment=treatment, mood=traits["mood"])
    activation_probability = effects.probability(activation)
    activated = rng.random(n) < activation_probability
    nights, hazards = _nights(rng, traits, activated=activated, campaign=campaign)
    last_day = day + nights - 1
    return People(
        joined_at=joined_at,
        source=source,
        variant=variant,
        language=rng.choice(len(LANGUAGES), n, p=[0.86, 0.09, 0.05]),
        utc_offset_hours=utc_offset_hours[order],
        activation_probability=activation_probability,
        speaks_at=_first_words(plan, rng, joined_at, np.where(activated, last_day, -1)),
        last_day=last_day,
        **traits,
        **hazards,
        **_habits(rng, traits),
    )


def _traits(rng: np.random.Generator, n: int) -> dict[str, Array]:
    """Draw what people are like."""
    activity, mood, ai_satisfaction, own_spirit = rng.standard_normal((4, n))
    return {
        "activity": activity,
        "mood": mood,
        "raid_spirit": SPIRIT_BY_ACTIVITY * activity + np.sqrt(1 - SPIRIT_BY_ACTIVITY**2) * own_spirit,
        "ai_satisfaction": ai_satisfaction,
        "platform_share": _platform_share(rng, n),
    }


def _habits(rng: np.random.Generator, traits: dict[str, Array]) -> dict[str, Array]:
    """Draw how often people do things: heavy tails, partly by their traits."""
    activity = traits["activity"]
    talk, ask, buy, spend = rng.standard_normal((4, len(activity)))
    return {
        "sessions_per_day": 0.28 * np.exp(0.95 * activity),
        "messages_per_session": 1.3 * np.exp(0.35 * activity + 0.4 * talk),
        "asks_per_session": 0.35 * np.exp(0.2 * traits["ai_satisfaction"] + 0.6 * ask),
        "purchases_per_session": 0.08 * np.exp(0.6 * buy),
        "mean_purchase_usd": 18.0 * np.exp(0.8 * spend),
    }


def _sign_ups(plan: Plan, rng: np.random.Generator, utc_offset_hours: Array) -> Array:
    days = np.arange(plan.days)
    rate = 1 + LAUNCH_EXTRA * np.exp(-days / 4)
    rate[plan.campaign] += CAMPAIGN_EXTRA
    rate *= WEEKDAYS[(days + plan.weekday(0)) % 7]
    day = rng.choice(plan.days, len(utc_offset_hours), p=rate / rate.sum())
    # Three quarters of an hour are left of the day on which anybody joins, for what a newcomer does at once.
    time = np.minimum(times_of_day(rng, utc_offset_hours), DAY - 45 * MINUTE - rng.integers(0, HOUR, len(day)))
    return _after_outage(plan, rng, plan.midnight(0) + day * DAY + time)


def _after_outage(plan: Plan, rng: np.random.Generator, at: Array) -> Array:
    """Move what would fall into the outage to the half hour after it: those people try again."""
    again = plan.outage[1] + rng.integers(2 * MINUTE, 30 * MINUTE, len(at))
    moved: Array = np.where(plan.in_outage(at, margin=10 * SECOND), again, at)
    return moved


def _sources(plan: Plan, rng: np.random.Generator, day: Array) -> Array:
    usual = rng.choice(CAMPAIGN, len(day), p=[0.5, 0.3, 0.2])
    during = (day >= plan.campaign.start) & (day < plan.campaign.stop)
    brought = rng.random(len(day)) < CAMPAIGN_EXTRA / (1 + CAMPAIGN_EXTRA)
    return np.where(during & brought, CAMPAIGN, usual)


def _platform_share(rng: np.random.Generator, n: int) -> Array:
    """Choose one to four platforms per person, popular ones first, and how they divide their visits."""
    count = rng.choice([1, 2, 3, 4], n, p=[0.55, 0.28, 0.12, 0.05])
    preference = np.log(POPULARITY) + rng.gumbel(size=(n, len(PLATFORMS)))
    rank = np.argsort(np.argsort(-preference, axis=1), axis=1)
    weight = np.where(rank < count[:, None], np.exp(preference - preference.max(axis=1, keepdims=True)) + 0.1, 0.0)
    share: Array = weight / weight.sum(axis=1, keepdims=True)
    return share


def _nights(
    rng: np.random.Generator, traits: dict[str, Array], *, activated: Array, campaign: Array
) -> tuple[Array, dict[str, Array]]:
    """Draw on which night after joining (1-based) each person leaves; return it with the two hazards."""
    leaving = effects.logit(
        effects.CHURN,
        activity=traits["activity"],
        mood=traits["mood"],
        raid_spirit=traits["raid_spirit"],
        ai_satisfaction=traits["ai_satisfaction"],
        extra_platforms=(traits["platform_share"] > 0).sum(axis=1) - 1,
        activated=activated,
        campaign=campaign,
    )
    daily = effects.probability(leaving)
    first = effects.probability(leaving + effects.FIRST_NIGHTS_LOGIT)
    early, later = rng.geometric(first), effects.FIRST_NIGHTS + rng.geometric(daily)
    nights = np.where(early <= effects.FIRST_NIGHTS, early, later)
    return nights, {"daily_hazard": daily, "first_nights_hazard": first}


def _first_words(plan: Plan, rng: np.random.Generator, joined_at: Array, last_day: Array) -> Array:
    """Draw the first message: seven in ten within minutes, the others days later but before they leave."""
    n = len(joined_at)
    quick = joined_at + (rng.exponential(4 * MINUTE, n).clip(10 * SECOND, QUICK - MINUTE)).astype(np.int64)
    slow = joined_at + HOUR + rng.exponential(2.5 * DAY, n).astype(np.int64)
    midnight = slow - slow % DAY
    slow = slow.clip(midnight + 2 * MINUTE, midnight + DAY - 15 * MINUTE)
    in_time = slow < plan.midnight(0) + (last_day + 1) * DAY
    spoken = _after_outage(plan, rng, np.where((rng.random(n) < QUICK_SHARE) | ~in_time, quick, slow))
    return np.where(last_day >= 0, spoken, NEVER)
