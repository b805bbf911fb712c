"""A funnel as a chart and as words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.charts import formats
from workbench.charts.spec import Bars, Chart

if TYPE_CHECKING:
    from workbench.metrics.funnels import Funnel

THIN: Final = 30
"""Under so many people a rate says little, and the reading says so."""


def chart(answer: Funnel) -> Chart:
    """Draw one bar per step with its interval, and the people on it; where nobody entered, bars of 0."""
    frame = answer.frame.fillna(0.0)
    bars = Bars(
        x=tuple(f"{step}. {event}" for step, event in zip(frame["step"], frame["event"], strict=True)),
        y=tuple(frame["conversion_rate"].tolist()),
        low=tuple(frame["ci_low"].tolist()),
        high=tuple(frame["ci_high"].tolist()),
        annotations=tuple(f"{users:,}" for users in frame["users"]),
        label="share of step 1",
    )
    title = f"{_headline(answer)} convert within {_within(answer)}"
    return Chart(title=title, marks=(bars,), y_label="share of step 1", y_format="percent", note=_note(answer))


def _headline(answer: Funnel) -> str:
    """Head with the rate that will not change any more, where it is another one."""
    rate, matured = answer.conversion_rate, answer.matured_conversion_rate
    if np.isnan(matured) or matured == rate:
        return formats.number(rate, "percent")
    return f"{formats.number(matured, 'percent')} of entries with a closed window"


def _note(answer: Funnel) -> str:
    note = f"{answer.entered:,} people · order: {answer.definition.order} · bars: all who entered, 95% intervals"
    return f"{note} · {answer.in_flight:,} still in flight" if answer.in_flight else note


def _within(answer: Funnel) -> str:
    return formats.duration(answer.definition.within.total_seconds())


def reading(answer: Funnel) -> str:
    """Say how many convert, where most stop, how long it takes, and what is not settled yet."""
    labels, end = answer.definition.labels, answer.frame.iloc[-1]
    if not answer.entered:
        return f"Nobody did {labels[0]} in this time, so there is no rate to read."
    rate, low, high = (formats.number(end[name], "percent") for name in ("conversion_rate", "ci_low", "ci_high"))
    sentences = [
        f"Of {answer.entered:,} people who did {labels[0]}, {end['users']:,} ({rate}, 95% interval {low} to {high}) "
        f"came to {labels[-1]} within {_within(answer)}."
    ]
    if end["users"] < answer.entered:
        sentences.append(_greatest_loss(answer))
    if end["users"]:
        sentences.append(f"Half of those who finished took no more than {formats.duration(end['median_seconds'])}.")
    if answer.in_flight:
        sentences.append(_unsettled(answer))
    if answer.entered < THIN:
        sentences.append(f"With {answer.entered} people these rates are too thin to act on.")
    return " ".join(sentences)


def _greatest_loss(answer: Funnel) -> str:
    users = answer.frame["users"].to_numpy()
    lost = users[:-1] - users[1:]
    worst = int(lost.argmax())
    share = formats.number(lost[worst] / users[worst], "percent")
    names = answer.definition.labels
    where = f"between {names[worst]} and {names[worst + 1]}"
    return f"Most stop {where}: {lost[worst]:,} of {users[worst]:,} ({share})."


def _unsettled(answer: Funnel) -> str:
    matured = answer.matured_conversion_rate
    settled = (
        "no window has closed yet"
        if np.isnan(matured)
        else f"among entries whose window has closed, {formats.number(matured, 'percent')} converted"
    )
    return f"{answer.in_flight:,} may still get further; {settled}."
