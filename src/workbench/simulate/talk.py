"""Messages, and the sentiment that was read in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from workbench.simulate.columns import Json, Rows, numbered, objects, sometimes
from workbench.simulate.people import LANGUAGES
from workbench.simulate.plan import DAY, SECOND
from workbench.simulate.texts import EMOTIONS, texts
from workbench.simulate.visits import NUMBERS_A_DAY

if TYPE_CHECKING:
    from workbench.simulate.people import People
    from workbench.simulate.plan import Array, Plan
    from workbench.simulate.visits import Visits

CHANNELS: Final = ("general", "raids", "support", "memes", "dev")
CHANNEL_SHARES: Final = (0.46, 0.2, 0.14, 0.13, 0.07)
RAID_TALK_SHARE: Final = 0.7
THREAD_SHARE: Final = 0.3
"""Shares of messages: about the raid, among those written in one; in a thread, among all."""

UNSCORED: Final = LANGUAGES.index("tr")
"""The language that the community's sentiment scorer does not know: its messages have no score."""

_TEXTS: Final = texts()
_TONE_BOUNDS: Final = np.array([-0.62, -0.25, 0.2, 0.6])
_MOOD, _SWING, _AVERAGE = 0.28, 0.38, 0.12


def messages(plan: Plan, day: int, crowd: People, seen: Visits, outcome: Array) -> list[Rows]:
    """Write the messages of a day and score them.

    Args:
        plan: The plan.
        day: Which day, 0-based.
        crowd: Everybody.
        seen: The visits of the day.
        outcome: Per visit `WON` or `LOST` for one that belongs to a raid, else -1.
    """
    rng = plan.rng("talk", day)
    visit, at = _when(plan, rng, day, crowd, seen)
    user = seen.user[visit]
    first = at == crowd.speaks_at[user]
    tone = np.searchsorted(_TONE_BOUNDS, _AVERAGE + _MOOD * crowd.mood[user] + _SWING * rng.standard_normal(len(user)))
    about_raid = (outcome[visit] >= 0) & (rng.random(len(user)) < RAID_TALK_SHARE) & ~first
    text = _TEXTS.draw(rng, crowd.language[user], np.where(about_raid, outcome[visit], tone))
    channel = pa.array(CHANNELS).take(pa.array(np.where(about_raid, 1, rng.choice(5, len(user), p=CHANNEL_SHARES))))
    thread = numbered("t", rng.zipf(1.6, len(user)) % 5000, digits=4)
    properties = objects(
        channel=channel,
        thread=sometimes(rng.random(len(user)) < THREAD_SHARE, thread),
        chars=_TEXTS.chars[text],
        text=_TEXTS.text.take(pa.array(text)),
    )
    number = day * NUMBERS_A_DAY + np.arange(len(user))
    columns = (user, at, seen.platform[visit], number, seen.number[visit])
    return [
        _messages("first_message", columns, properties, first),
        _messages("message_sent", columns, properties, ~first),
        _sentiment(rng, columns, text, crowd.language[user]),
    ]


def _when(plan: Plan, rng: np.random.Generator, day: int, crowd: People, seen: Visits) -> tuple[Array, Array]:
    """Draw the visit and instant of each message: none before a person's first, which is where it was foreseen."""
    visit = np.repeat(np.arange(len(seen)), rng.poisson(crowd.messages_per_session[seen.user]))
    at = seen.moments(rng, visit)
    later = at > crowd.speaks_at[seen.user[visit]]
    speaks = crowd.speaks_at[seen.user]
    today = speaks // DAY == plan.midnight(day) // DAY
    opening = np.flatnonzero(today & (seen.at <= speaks) & (speaks <= seen.at + seen.length))
    _, one = np.unique(seen.user[opening], return_index=True)
    opening = opening[one]
    return np.concatenate([visit[later], opening]), np.concatenate([at[later], speaks[opening]])


def _messages(event_type: str, columns: tuple[Array, ...], properties: pa.Array, which: Array) -> Rows:
    user, at, platform, number, session = (column[which] for column in columns)
    kept = properties.filter(pa.array(which))
    return Rows(event_type, user, at, platform, kept, message=number, session=session)


def _sentiment(rng: np.random.Generator, columns: tuple[Array, ...], text: Array, language: Array) -> Rows:
    """Score every message within a second: true sentiment and some noise, nothing for the unknown language."""
    user, at, platform, number, session = columns
    score = (_TEXTS.score[text] + 0.12 * rng.standard_normal(len(text))).clip(-1, 1)
    scored = language != UNSCORED
    confidence = np.where(scored, 0.55 + 0.4 * np.abs(score), 0.0)
    properties = objects(
        language=pa.array(LANGUAGES).take(pa.array(language)),
        sentiment_score=sometimes(scored, pa.array(np.round(score, 3))),
        emotion=sometimes(scored, pa.array(EMOTIONS).take(pa.array(_TEXTS.tone[text]))),
        confidence=np.round(confidence, 3),
        keywords=Json(_TEXTS.keywords.take(pa.array(text))),
    )
    later = at + rng.integers(SECOND // 10, 9 * SECOND // 10, len(at))
    return Rows("message_sentiment", user, later, platform, properties, message=number, session=session)
