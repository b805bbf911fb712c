"""Sentiment: how people felt in what they wrote, day by day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
import pandas as pd

from workbench.charts.formats import number
from workbench.charts.spec import Band, Chart, Line
from workbench.metrics import coverage, intervals, local_time, queries
from workbench.metrics.series import SpanDefinition, note
from workbench.metrics.words import words
from workbench.results import Answer

if TYPE_CHECKING:
    from datetime import date

    from workbench.store.base import Snapshot

SCORED: Final = "message_sentiment"


@dataclass(frozen=True, kw_only=True)
class SentimentDefinition(SpanDefinition):
    """What `sentiment` averages."""

    question: ClassVar[str] = "sentiment"
    event_type: str = SCORED


@dataclass(frozen=True, kw_only=True, eq=False)
class Sentiment(Answer):
    """How people felt.

    `frame` has one row per `day` with a score: `messages`, `sentiment` (mean in [-1, 1]), and its 95% interval
    `ci_low`, `ci_high` (NaN where one message alone was scored).
    """

    definition: SentimentDefinition

    def chart(self) -> Chart:
        """Draw the mean with its interval."""
        days = tuple(day.to_pydatetime() for day in self.frame["day"])
        sure = self.frame.dropna(subset=["ci_low"])
        x = tuple(day.to_pydatetime() for day in sure["day"])
        band = Band(x=x, low=tuple(sure["ci_low"]), high=tuple(sure["ci_high"]), label="95% interval")
        line = Line(x=days, y=tuple(map(float, self.frame["sentiment"])), label="mean score")
        return Chart(title="Sentiment of messages", y_label="from -1 to 1", x_scale="time", y_format="decimal",
                     marks=(*([band] if x else []), line) if days else (), note=note(self.definition))  # fmt: skip

    def _reading(self) -> str:
        """Say how people felt."""
        if self.frame.empty:
            return "No message of this time has a score."
        messages = self.frame["messages"]
        mean = float((self.frame["sentiment"] * messages).sum() / messages.sum())
        return f"The mean sentiment of {number(messages.sum(), 'count')} messages is {mean:+.2f}, from -1 to 1."


def sentiment(
    snapshot: Snapshot,
    *,
    since: str | date | None = None,
    until: str | date | None = None,
    now: str | date | None = None,
    tz: str = "UTC",
) -> Sentiment:
    """Average `sentiment_score` of `message_sentiment` per day; arguments as of `ai_usage`.

    >>> from workbench.testing import store_of
    >>> store = store_of({"ann": "message_sentiment:0"}, properties={"sentiment_score": 0.5})
    >>> sentiment(store.snapshot()).frame[["messages", "sentiment"]].to_numpy().tolist()
    [[1.0, 0.5]]
    """
    span = coverage.span(snapshot, since, until, now, tz=tz)
    definition = SentimentDefinition(since=span.since, until=span.until, now=span.now, tz=tz, people=snapshot.people)
    say = words(snapshot.engine)
    sql = queries.filled(
        queries.text("sentiment", snapshot.engine),
        day=local_time.start(snapshot.engine, local_time.DAY),
        score=say.number(say.property("$score_key")),
        score_sum=say.total("score"),
        score_squares=say.total("score * score"),
    )
    params = {"scored": SCORED, "score_key": say.key_of("sentiment_score"), "tz": tz, **span.entries()}
    found = snapshot.query(sql, params).to_pandas()
    n = found["messages"].astype("int64")
    mean, low, high = intervals.mean(found["score_sum"], found["score_squares"], n)
    frame = pd.DataFrame(
        {
            "day": local_time.shown(found["day"]), "messages": n, "sentiment": mean,
            "ci_low": np.clip(low, -1, None), "ci_high": np.clip(high, None, 1),
        }
    )  # fmt: skip
    return Sentiment(frame=frame, sql=sql, definition=definition, data_version=snapshot.data_version, notes=span.notes)
