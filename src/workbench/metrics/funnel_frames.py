"""From attempts to the rows of a funnel's frame: counts, rates, intervals and times, and tests between segments."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from workbench.metrics import intervals, significance

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
    keys, person = np.unique(found.user_key, return_inverse=True)
    step, in_flight = np.zeros(len(keys), dtype=np.int64), np.zeros(len(keys), dtype=bool)
    np.maximum.at(step, person, found.step)
    np.logical_or.at(in_flight, person, found.in_flight)
    return Persons(keys, step, in_flight)


def frame(asked: FunnelDefinition, found: Attempts) -> pd.DataFrame:
    """Return one row per step, for each segment after the other."""
    if asked.by is None:
        return _steps(asked, found)
    parts = [_steps(asked, found.of(place)) for place in range(len(found.segments))]
    empty = _steps(asked, found).iloc[:0]
    return pd.concat(
        [part.assign(segment=name) for name, part in zip(found.segments, parts, strict=True)]
        or [empty.assign(segment="")],
        ignore_index=True,
    )[["segment", *empty.columns]]


def _steps(asked: FunnelDefinition, found: Attempts) -> pd.DataFrame:
    """Turn how far each attempt came, and when, into one row per step."""
    steps = np.arange(1, len(asked.steps) + 1)
    seconds = np.where(found.at >= 0, (found.at - found.at[:, :1]) / 1e6, np.nan)
    since_before = np.diff(seconds, axis=1, prepend=seconds[:, :1])
    people = persons(found)
    count, matured = _at_least(steps, found.step), _at_least(steps, found.settled)
    low, high = intervals.wilson(count, count[0])
    columns = {
        "step": steps,
        "event": list(asked.labels),
        "users": _at_least(steps, people.step),
        "count": count,
        "conversion_rate": intervals.rate(count, count[0]),
        "step_conversion_rate": intervals.rate(count, np.append(count[0], count[:-1])),
        "ci_low": low,
        "ci_high": high,
        "median_seconds": _of_each(np.median, seconds),
        "mean_seconds": _of_each(np.mean, seconds),
        "step_median_seconds": _of_each(np.median, since_before),
        "step_mean_seconds": _of_each(np.mean, since_before),
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
    return np.array([(furthest >= step).sum() for step in steps], dtype=np.int64)


def _of_each(summary: Callable[[NDArray[np.float64]], np.floating[Any]], columns: NDArray[np.float64]) -> list[float]:
    """Summarise each column over those that have a value; NaN where nobody has."""
    values = (column[~np.isnan(column)] for column in columns.T)
    return [float(summary(there)) if there.size else np.nan for there in values]


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
