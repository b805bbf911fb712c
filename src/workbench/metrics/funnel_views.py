"""A funnel as a chart and as words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.charts import formats
from workbench.charts.spec import Bars, Chart
from workbench.metrics.breakdowns import rest_told

if TYPE_CHECKING:
    import pandas as pd

    from workbench.metrics.funnels import Funnel

THIN: Final = 30
"""Under so many a rate says little, and the reading says so."""

MOST_DRAWN: Final = 8
"""Segments that bars side by side can still tell apart: the first ones."""

CLEAR: Final = 0.05
"""Differences with a q-value below are called clear: one in twenty of those is by chance."""


def chart(answer: Funnel) -> Chart:
    """Draw one bar per step with its interval, and how many came to it; bars of segments side by side."""
    names = answer.attempts.segments[:MOST_DRAWN]
    if answer.definition.by is None:
        bars = [_bars(answer, answer.frame, "share of step 1")]
    else:
        bars = [_bars(answer, answer.frame[answer.frame["segment"] == name], name) for name in names]
    title = f"{_headline(answer)} convert within {_within(answer)}"
    return Chart(title=title, marks=tuple(bars), y_label="share of step 1", y_format="percent", note=_note(answer))


def _bars(answer: Funnel, rows: pd.DataFrame, label: str) -> Bars:
    frame = rows.fillna(0.0)
    numbers = frame["users" if answer.definition.counting == "users" else "count"]
    return Bars(
        x=tuple(f"{step}. {event}" for step, event in zip(frame["step"], frame["event"], strict=True)),
        y=tuple(frame["conversion_rate"].tolist()),
        low=tuple(frame["ci_low"].tolist()),
        high=tuple(frame["ci_high"].tolist()),
        annotations=tuple(f"{number:,}" for number in numbers) if answer.definition.by is None else (),
        label=label,
    )


def _headline(answer: Funnel) -> str:
    """Head with the rate that will not change any more, where it is another one."""
    rate, matured = answer.conversion_rate, answer.matured_conversion_rate
    if np.isnan(matured) or matured == rate:
        return formats.number(rate, "percent")
    return f"{formats.number(matured, 'percent')} of entries with a closed window"


def _note(answer: Funnel) -> str:
    asked, segments = answer.definition, len(answer.attempts.segments)
    parts = [f"{answer.entered:,} {asked.unit}", f"order: {asked.order}", "bars: all who entered, 95% intervals"]
    if asked.dialect:
        parts.append(f"as {asked.dialect} reads it")
    if segments > MOST_DRAWN:
        parts.append(f"the first {MOST_DRAWN} of {segments} segments")
    if answer.in_flight:
        parts.append(f"{answer.in_flight:,} still in flight")
    return " · ".join(parts)


def _within(answer: Funnel) -> str:
    return formats.duration(answer.definition.within.total_seconds())


def reading(answer: Funnel) -> str:
    """Say how many convert, where most stop, how long it takes, and what is not settled yet."""
    labels = answer.definition.labels
    if not answer.entered:
        return f"Nobody did {labels[0]} in this time, so there is no rate to read."
    if answer.definition.by is not None:
        return _of_segments(answer)
    end, unit = answer.frame.iloc[-1], answer.definition.unit
    finished = int((answer.attempts.step == len(labels)).sum())
    rate, low, high = (formats.number(end[name], "percent") for name in ("conversion_rate", "ci_low", "ci_high"))
    sentences = [
        f"Of {answer.entered:,} {unit} {'who' if unit == 'people' else 'that'} did {labels[0]}, {finished:,} ({rate}, "
        f"95% interval {low} to {high}) came to {labels[-1]} within {_within(answer)}."
    ]
    if finished < answer.entered:
        sentences.append(_greatest_loss(answer))
    if finished:
        sentences.append(f"Half of those who finished took no more than {formats.duration(end['median_seconds'])}.")
    if answer.in_flight:
        sentences.append(_unsettled(answer))
    if answer.entered < THIN:
        sentences.append(f"With {answer.entered} {unit} these rates are too thin to act on.")
    return " ".join(sentences)


def _greatest_loss(answer: Funnel) -> str:
    counts = np.array([(answer.attempts.step >= k).sum() for k in answer.frame["step"]])
    lost = counts[:-1] - counts[1:]
    worst = int(lost.argmax())
    share = formats.number(lost[worst] / counts[worst], "percent")
    names = answer.definition.labels
    where = f"between {names[worst]} and {names[worst + 1]}"
    return f"Most stop {where}: {lost[worst]:,} of {counts[worst]:,} ({share})."


def _unsettled(answer: Funnel) -> str:
    matured = answer.matured_conversion_rate
    settled = (
        "no window has closed yet"
        if np.isnan(matured)
        else f"among entries whose window has closed, {formats.number(matured, 'percent')} converted"
    )
    return f"{answer.in_flight:,} may still get further; {settled}."


def _of_segments(answer: Funnel) -> str:
    """Name the segments that convert best and worst, and say whether chance could have made the difference."""
    last = answer.frame[answer.frame["step"] == len(answer.definition.steps)].set_index("segment")
    sizes = {name: len(part.user_key) for name, part in answer.parts()}
    thick = last[[sizes[name] >= THIN for name in last.index]]
    sentences = [
        f"{answer.entered:,} {answer.definition.unit} in {len(last):,} segments did {answer.definition.labels[0]}."
    ]
    if len(thick) > 1:
        ranked = thick["conversion_rate"].sort_values(ascending=False, kind="stable")
        best, worst = ranked.index[0], ranked.index[-1]
        best_rate, worst_rate = (formats.number(ranked[name], "percent") for name in (best, worst))
        sentences.append(
            f"{best} converts best ({best_rate}) and {worst} worst ({worst_rate}); {_chance(answer, best, worst)}."
        )
    if len(thick) < len(last):
        sentences.append(f"{len(last) - len(thick):,} with under {THIN} are too thin to be ranked.")
    if answer.in_flight:
        sentences.append(f"{answer.in_flight:,} people may still get further.")
    if answer.definition.attribution == "all" and len(last) == answer.definition.top:
        sentences.append(f"Only the {len(last):,} values that most people have are followed.")
    return " ".join(filter(None, [*sentences, rest_told(answer.attempts.segments)]))


def _chance(answer: Funnel, one: str, other: str) -> str:
    pairs = answer.comparisons
    pair = pairs[pairs["segment"].isin([one, other]) & pairs["other"].isin([one, other])].iloc[0]
    says = "chance hardly makes such a difference" if pair["qvalue"] < CLEAR else "chance could make the difference"
    return f"{says} (q = {pair['qvalue']:.2g} over all pairs)"
