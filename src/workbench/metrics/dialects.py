"""How each vendor reads a funnel and a retention: which of our options its reading sets, and where it says so.

A dialect is nothing but options: whatever it sets can be set by hand, and what is given by hand wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from workbench.metrics import arguments

if TYPE_CHECKING:
    import pandas as pd

Dialect: TypeAlias = Literal["posthog", "mixpanel", "amplitude", "clickhouse"]
Question: TypeAlias = Literal["funnel", "retention"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One option that a dialect sets, in what words its vendor means it, and where they say so."""

    option: str
    value: object
    meaning: str
    source: str


_POSTHOG: Final = "https://posthog.com/docs/product-analytics/"
_POSTHOG_CODE: Final = "https://github.com/PostHog/posthog/blob/master/posthog/"
_MIXPANEL: Final = "https://docs.mixpanel.com/docs/reports/"
_AMPLITUDE: Final = "https://amplitude.com/docs/analytics/charts/"
_CLICKHOUSE: Final = (
    "https://clickhouse.com/docs/sql-reference/aggregate-functions/parametric-functions#windowfunnel",
    "https://github.com/ClickHouse/ClickHouse/blob/master/src/AggregateFunctions/AggregateFunctionWindowFunnel.cpp",
)
_CONVERSIONS: Final = f"{_AMPLITUDE}funnel-analysis/funnel-analysis-how-amplitude-computes-conversions"
_ADVANCED: Final = f"{_MIXPANEL}funnels/funnels-advanced"

_FUNNEL: Final[dict[Dialect, tuple[Setting, ...]]] = {
    "posthog": (
        Setting("within", "14d", "a window of 14 days unless said otherwise", "https://posthog.com/docs/api/funnel"),
        Setting(
            "anchor", "any", "a later step 1 opens another attempt", f"{_POSTHOG_CODE}user_scripts/aggregate_funnel.py"
        ),
        Setting("ties", True, "events of one instant in any order", f"{_POSTHOG_CODE}user_scripts/aggregate_funnel.py"),
        Setting("reuse", False, "an event is one step", f"{_POSTHOG_CODE}user_scripts/aggregate_funnel.py"),
        Setting(
            "exclusion",
            "person",
            "who meets an exclusion is in no step",
            "https://github.com/PostHog/posthog/issues/5553",
        ),
        Setting("attribution", "first", "the first step with a value names the segment", f"{_POSTHOG}funnels"),
    ),
    "mixpanel": (
        Setting("within", "7d", "a window of 7 days unless said otherwise", f"{_ADVANCED}#conversion-window"),
        Setting(
            "anchor", "first", "only the first step 1 in the time asked for enters", f"{_ADVANCED}#counting-methods"
        ),
        Setting(
            "ties", True, "steps at once are interchangeable (Mixpanel: within 2 s)", f"{_MIXPANEL}funnels/funnels-faq"
        ),
        Setting("reuse", False, "an event is one step", f"{_ADVANCED}#ordering"),
        Setting(
            "exclusion",
            "attempt",
            "steps before an exclusion count",
            f"{_ADVANCED}#exclusion-steps-exclude-users-who-did",
        ),
        Setting("attribution", 1, "the value at step 1 names the segment", f"{_ADVANCED}#user-count-in-breakdown"),
        Setting("top", 200, "the first 200 values are told apart", f"{_MIXPANEL}funnels/funnels-faq"),
    ),
    "amplitude": (
        Setting("anchor", "any", "the longest attempt, of those the earliest", _CONVERSIONS),
        Setting(
            "ties",
            "1s",
            "events of one second in any order",
            f"{_AMPLITUDE}funnel-analysis/funnel-analysis-how-amplitude-handles-simultaneous-events",
        ),
        Setting(
            "reuse",
            False,
            "an event is in one path",
            f"{_AMPLITUDE}funnel-analysis/funnel-analysis-how-amplitude-computes",
        ),
        Setting(
            "exclusion", "person", "who meets an exclusion is out", f"{_AMPLITUDE}funnel-analysis/funnel-analysis-build"
        ),
        Setting("attribution", 1, "the value at entry names the segment", _CONVERSIONS),
    ),
    "clickhouse": (
        Setting("anchor", "any", "a later step 1 moves the window", _CLICKHOUSE[1]),
        Setting("ties", True, "events of one instant in the order of the steps", _CLICKHOUSE[1]),
        Setting("reuse", True, "one event may satisfy several conditions", _CLICKHOUSE[0]),
    ),
}

_RETENTION: Final[dict[Dialect, tuple[Setting, ...]]] = {
    "posthog": (
        Setting("kind", "on", "back in that very period", f"{_POSTHOG}retention"),
        Setting("clock", "calendar", "calendar days, weeks and months", f"{_POSTHOG}retention"),
        Setting(
            "cohort", "recurring", "in every cohort they start in", f"{_POSTHOG_CODE}models/filters/mixins/retention.py"
        ),
        Setting("mean", "simple", "the plain mean of the cohorts", f"{_POSTHOG}retention"),
    ),
    "mixpanel": (
        Setting(
            "kind", "on_or_after", "back in that period or any later", f"{_MIXPANEL}retention#on-or-after-time-interval"
        ),
        Setting(
            "clock", "rolling", "24 h, 7 d or 30 d from each start", f"{_MIXPANEL}retention#calendar-retention-mode"
        ),
        Setting("cohort", "recurring", "in every cohort they start in", f"{_MIXPANEL}retention#user-cohort-buckets"),
        Setting(
            "mean",
            "mixpanel",
            "retained and sizes each weighted by size",
            f"{_MIXPANEL}retention#how-is-the-average-row-for-retention-reports-calculated",
        ),
    ),
    "amplitude": (
        Setting("kind", "on", "back on that very day", f"{_AMPLITUDE}retention-analysis/retention-analysis-build"),
        Setting(
            "clock",
            "rolling",
            "24 h windows, starts floored to the hour",
            f"{_AMPLITUDE}retention-analysis/retention-analysis-time",
        ),
        Setting(
            "cohort",
            "recurring",
            "every start opens windows",
            f"{_AMPLITUDE}retention-analysis/retention-analysis-time",
        ),
        Setting("mean", "weighted", "returned over sizes", "https://amplitude.com/docs/faq/retention-analysis"),
    ),
    "clickhouse": (),
}

DIALECTS: Final[tuple[Dialect, ...]] = tuple(_FUNNEL)


def funnel(name: str | None) -> dict[str, object]:
    """Return the options of a funnel that a dialect sets; none for no dialect.

    Raises:
        InvalidArgument: There is no such dialect.
    """
    return _set(_FUNNEL, name)


def retention(name: str | None) -> dict[str, object]:
    """Return the options of a retention that a dialect sets; none for no dialect.

    Raises:
        InvalidArgument: There is no such dialect.
    """
    return _set(_RETENTION, name)


def _set(table: dict[Dialect, tuple[Setting, ...]], name: str | None) -> dict[str, object]:
    if name is None:
        return {}
    return {each.option: each.value for each in table[arguments.choice(name, DIALECTS, name="dialect")]}


def dialects(name: str | None = None) -> pd.DataFrame:
    """List what each dialect sets, one row per dialect, question and option, with its source.

    Args:
        name: Of this dialect alone.

    Returns:
        Columns `dialect`, `question`, `option`, `value` (as it would be given), `meaning`, `source` (a URL).

    Raises:
        InvalidArgument: There is no such dialect.

    >>> dialects("clickhouse")[["question", "option", "value"]].to_dict("records")[-1]
    {'question': 'funnel', 'option': 'reuse', 'value': 'True'}
    """
    import pandas as pd  # noqa: PLC0415 - the rest of this module needs none of it

    wanted = DIALECTS if name is None else (arguments.choice(name, DIALECTS, name="dialect"),)
    rows = [
        (dialect, question, each.option, repr(each.value), each.meaning, each.source)
        for dialect in wanted
        for question, table in (("funnel", _FUNNEL), ("retention", _RETENTION))
        for each in table[dialect]
    ]
    return pd.DataFrame(rows, columns=["dialect", "question", "option", "value", "meaning", "source"])
