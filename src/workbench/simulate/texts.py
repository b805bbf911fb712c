"""What people write: a pool of short texts by language and tone, with the true sentiment of each.

Raid talk is there to mislead: winners write "we killed it" and are glad, losers write "we got wiped out".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from workbench.simulate.plan import Array

TONES: Final = ("furious", "unhappy", "plain", "pleased", "delighted")
SCORES: Final = (-0.8, -0.4, 0.0, 0.45, 0.8)
EMOTIONS: Final = ("anger", "sadness", "neutral", "joy", "excitement")
WON, LOST, KINDS = len(TONES), len(TONES) + 1, len(TONES) + 2

_TOPICS: Final = (
    "the bot",
    "the raid",
    "the new update",
    "the wallet page",
    "this channel",
    "the leaderboard",
    "support",
)
_ENGLISH: Final = (
    (
        ("", "seriously, ", "ok I am done: "),
        ("{} is completely broken", "I hate what happened to {}", "{} is a scam", "{} wasted my whole evening"),
        ("", ", fix it now", "!!", ", worst week ever"),
    ),
    (
        ("", "hmm, ", "sorry but "),
        ("{} is slow again", "{} keeps failing for me", "I am disappointed by {}", "{} was better before"),
        ("", " :(", ", please look into it", ", again"),
    ),
    (
        ("", "hey, ", "quick question: "),
        ("where do I find {}", "did anybody try {} today", "when does {} open", "I am looking at {} now"),
        ("", "?", ", asking for a friend", " on mobile"),
    ),
    (
        ("", "nice, ", "ok, "),
        ("{} works well for me", "I like {}", "{} got better", "thanks for {}"),
        ("", " :)", ", good job", ", well done everyone"),
    ),
    (
        ("", "wow, ", "honestly "),
        ("{} is amazing", "I love {}", "{} made my day", "best thing ever: {}"),
        ("", "!!", " 🔥", ", you are wonderful"),
    ),
)
_SPANISH: Final = (
    (("",), ("odio {}", "{} es una estafa", "{} no sirve para nada"), ("", "!!")),
    (("",), ("{} va muy lento", "{} me falla otra vez"), ("", " :(")),
    (("", "oye, "), ("dónde está {}", "alguien probó {} hoy"), ("?",)),
    (("",), ("me gusta {}", "{} funciona bien"), ("", " :)")),
    (("",), ("me encanta {}", "{} es increíble"), ("!!", " 🔥")),
)
_TURKISH: Final = (
    (("",), ("{} berbat, nefret ediyorum", "{} tam bir rezalet"), ("", "!!")),
    (("",), ("{} yine çok yavaş", "{} bende bozuldu"), ("", " :(")),
    (("",), ("{} nerede", "bugün {} var ya"), ("?",)),
    (("",), ("{} güzel olmuş", "{} gayet iyi"), ("", " :)")),
    (("",), ("{} harika", "{} çok güzel"), ("!!", " 🔥")),
)
_RAID_TALK: Final = (
    (
        "we killed it",
        "we absolutely destroyed that thread",
        "that was a massacre, gg",
        "crushed them again, insane raid",
    ),
    ("we got wiped out", "that raid was a waste of time", "nobody showed up, what a mess", "we got crushed"),
)
_OPENINGS: Final = ("", "lol ", "omg ", "team, ")
_ENDINGS: Final = ("", "!", " gg", ", who is next")


@dataclass(frozen=True)
class Texts:
    """Every text that can be written. Arrow columns have one row per text; `first` and `count` find a kind.

    Attributes:
        text: JSON-safe UTF-8.
        chars: Its length in characters.
        keywords: JSON lists.
        score: True sentiment in [-1, 1].
        tone: Index into `EMOTIONS`.
        first: (languages, kinds) row of the first text of a kind.
        count: (languages, kinds) number of texts of a kind.
    """

    text: pa.Array
    chars: Array
    keywords: pa.Array
    score: Array
    tone: Array
    first: Array
    count: Array

    def draw(self, rng: np.random.Generator, language: Array, kind: Array) -> Array:
        """Choose one text for each language and kind."""
        chosen: Array = self.first[language, kind] + (rng.random(len(kind)) * self.count[language, kind]).astype(
            np.int64
        )
        return chosen


def texts() -> Texts:
    """Compose the pool.

    >>> pool = texts()
    >>> "we killed it" in pool.text.to_pylist()
    True
    """
    rows: list[tuple[str, str, float, int]] = []
    first = np.zeros((3, KINDS), dtype=np.int64)
    for language, tones in enumerate((_ENGLISH, _SPANISH, _TURKISH)):
        for tone, parts in enumerate(tones):
            first[language, tone] = len(rows)
            rows += [
                (a + b.format(topic) + c, topic, SCORES[tone], tone) for a, b, c, topic in product(*parts, _TOPICS)
            ]
    for kind, tone, talk in ((WON, 4, _RAID_TALK[0]), (LOST, 1, _RAID_TALK[1])):
        # Raid talk is the English of all languages.
        first[:, kind] = len(rows)
        rows += [(a + b + c, "raid", SCORES[tone], tone) for a, b, c in product(_OPENINGS, talk, _ENDINGS)]
    sentences, topics, scores, tone_of = zip(*rows, strict=True)
    starts = np.unique(np.append(first, len(rows)))
    return Texts(
        text=pa.array(sentences),
        chars=np.array([len(sentence) for sentence in sentences]),
        keywords=pa.array([json.dumps([topic.removeprefix("the ").removeprefix("this ")]) for topic in topics]),
        score=np.array(scores),
        tone=np.array(tone_of),
        first=first,
        count=starts[np.searchsorted(starts, first) + 1] - first,
    )
