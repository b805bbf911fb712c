"""From attempts to the rows of a funnel's frame: counts, rates, intervals and times, and tests between segments."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from workbench.metrics import intervals, significance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from workbench.metrics.funnel_attempts import Attempts
    from workbench.metrics.funnel_definition import FunnelDefinition


@dataclass(frozen=True, slots=True)
class Persons:
    """The people behind some attempts, each once: how far they came with any, and whether one may get further."""

    user_key: NDArray[np.int64]
    step: NDArray[np.int64]
    in_flight: NDArray[np.bool_]


def persons(found: Attempts) -> Persons:
    """Bring the attempts of each person together."""
    order = np.argsort(found.user_key)
    keys = found.user_key[order]
    first = np.flatnonzero(np.diff(keys, prepend=keys[:1] - 1))
    if not len(first):
        return Persons(keys, found.step, found.in_flight)
    step = np.maximum.reduceat(found.step[order], first)
    return Persons(keys[first], step, np.logical_or.reduceat(found.in_flight[order], first))


def frame(asked: FunnelDefinition, found: Attempts) -> pd.DataFrame:
    """Return one row per step, for each segment after the other."""
    if asked.by is None:
        return _steps(asked, found)
    parts = [(name, _steps(asked, found.of(place))) for place, name in enumerate(found.segments)]
    return together(asked, parts, empty=lambda: _steps(asked, found))


def together(
    asked: FunnelDefinition, parts: Iterable[tuple[str, pd.DataFrame]], *, empty: Callable[[], pd.DataFrame]
) -> pd.DataFrame:
    """Put the rows of segments after one another, each with the name of its own; without, where all are one.

    Args:
        asked: Says whether anything is broken down.
        parts: Name and rows of each segment.
        empty: Gives rows of which only the columns are taken, where nobody is in any segment.
    """
    if asked.by is None:
        [(_, rows)] = parts
        return rows
    named = [part.assign(segment=name) for name, part in parts]
    rows = pd.concat(named or [empty().iloc[:0].assign(segment="")], ignore_index=True)
    rows.insert(0, "segment", rows.pop("segment"))
    return rows


def _steps(asked: FunnelDefinition, found: Attempts) -> pd.DataFrame:
    """Turn how far each attempt came, and when, into one row per step."""
    steps = np.arange(1, len(asked.steps) + 1)
    once, furthest = asked.counting == "users" and asked.by is None, found.step
    people = Persons(found.user_key, furthest, found.in_flight) if once else persons(found)
    count, matured = _at_least(steps, furthest), _at_least(steps, found.settled)
    low, high = intervals.wilson(count, count[0])
    since_first = [(step, 0) for step in range(len(steps))]
    since_before = [since_first[0], *((step, step - 1) for step in range(1, len(steps)))]
    seconds = {pair: _seconds(found.at, *pair) for pair in dict.fromkeys([*since_first, *since_before])}
    median = {pair: float(np.median(values)) if values.size else np.nan for pair, values in seconds.items()}
    mean = {pair: _mean(values) if values.size else np.nan for pair, values in seconds.items()}
    columns = {
        "step": steps,
        "event": list(asked.labels),
        "users": _at_least(steps, people.step),
        "count": count,
        "conversion_rate": intervals.rate(count, count[0]),
        "step_conversion_rate": intervals.rate(count, np.append(count[0], count[:-1])),
        "ci_low": low,
        "ci_high": high,
        "median_seconds": [median[pair] for pair in since_first],
        "mean_seconds": [mean[pair] for pair in since_first],
        "step_median_seconds": [median[pair] for pair in since_before],
        "step_mean_seconds": [mean[pair] for pair in since_before],
        "in_flight": waiting(people, steps),
        "matured_conversion_rate": intervals.rate(matured, matured[0]),
    }
    if asked.counting == "users":
        del columns["count"]
    return pd.DataFrame(columns)


def waiting(people: Persons, steps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count who stopped at each step and may still get further; who has finished waits for nothing."""
    stopped = np.bincount(people.step[people.in_flight], minlength=len(steps) + 1)[1 : len(steps) + 1]
    stopped[-1] = 0
    return stopped.astype(np.int64)


def _at_least(steps: NDArray[np.int64], furthest: NDArray[np.int64]) -> NDArray[np.int64]:
    exactly = np.bincount(furthest, minlength=len(steps) + 1)
    return np.cumsum(exactly[::-1])[::-1][steps].astype(np.int64)


def _seconds(at: NDArray[np.int64], step: int, other: int) -> NDArray[np.float64]:
    """Return how long a step came after another one, for all attempts that have both."""
    there = np.flatnonzero((at[:, step] >= 0) & (at[:, other] >= 0))
    return np.asarray((at[there, step] - at[there, other]) / 1e6)


def _mean(seconds: NDArray[np.float64]) -> float:
    """Return the mean of durations, added up as whole microseconds: the same in whatever order attempts come."""
    return int(np.rint(seconds * 1e6).astype(np.int64).sum()) / len(seconds) / 1e6


def comparisons(names: Sequence[str], converted: NDArray[np.int64], entered: NDArray[np.int64]) -> pd.DataFrame:
    """Compare the conversion of every two segments.

    Two proportions, pooled (χ² with one degree of freedom; Fisher's exact test where a cell is expected to hold under
    5), Newcombe's hybrid score interval of the difference (Statistics in Medicine 17, 1998, method 10), and
    Benjamini and Hochberg over all pairs.

    Args:
        names: Of the segments.
        converted: How many of each finished.
        entered: How many of each entered.

    Returns:
        One row per pair: `segment`, `other`, `conversion_rate`, `other_conversion_rate`, `difference` (of the first
        less the second), `ci_low`, `ci_high`, `pvalue`, `qvalue` (the p-value adjusted for all pairs).
    """
    pairs = np.array(list(combinations(range(len(names)), 2)), dtype=np.int64).reshape(-1, 2)
    one, other = pairs.T
    rate = intervals.rate(converted, entered)
    low, high = significance.newcombe(converted[one], entered[one], converted[other], entered[other])
    table = (converted[one], entered[one] - converted[one], converted[other], entered[other] - converted[other])
    pvalue = significance.independence(*table)
    return pd.DataFrame(
        {
            "segment": np.array(names, dtype=object)[one],
            "other": np.array(names, dtype=object)[other],
            "conversion_rate": rate[one],
            "other_conversion_rate": rate[other],
            "difference": rate[one] - rate[other],
            "ci_low": low,
            "ci_high": high,
            "pvalue": pvalue,
            "qvalue": significance.adjusted(pvalue),
        }
    )
