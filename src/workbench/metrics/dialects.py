"""How each vendor reads a funnel and a retention: which of our options its reading sets, and where it says so.

A dialect is nothing but options: whatever it sets can be set by hand, and what is given by hand wins. What a vendor
does and no option does is listed too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from workbench.metrics import arguments

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    when: tuple[str, tuple[str, ...]] | None = None
    """Another option, and the values of it with which alone this is set."""

    def holds(self, asked: Mapping[str, object]) -> bool:
        """Say whether it is set in a question that has these options."""
        return self.when is None or asked.get(self.when[0]) in self.when[1]


@dataclass(frozen=True, slots=True)
class Beyond:
    """What a vendor documents and no option does, and why."""

    question: Question
    why: str
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
_SIMULTANEOUS: Final = f"{_MIXPANEL}funnels/funnels-faq#how-does-the-funnel-handle-simultaneous-events"
_TIME: Final = f"{_AMPLITUDE}retention-analysis/retention-analysis-time"
_COMPUTES: Final = f"{_AMPLITUDE}funnel-analysis/funnel-analysis-how-amplitude-computes"
_RETENTION_FUNCTION: Final = (
    "https://clickhouse.com/docs/sql-reference/aggregate-functions/parametric-functions#retention"
)

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
            when=("order", ("ordered", "strict")),
        ),
        Setting(
            "exclusion",
            "entry",
            "who meets an exclusion has done one step",
            f"{_POSTHOG_CODE}hogql_queries/insights/funnels/test/test_funnel_unordered.py",
            when=("order", ("any",)),
        ),
        Setting("attribution", "first", "the first step with a value names the segment", f"{_POSTHOG}funnels"),
    ),
    "mixpanel": (
        Setting("within", "7d", "a window of 7 days unless said otherwise", f"{_ADVANCED}#conversion-window"),
        Setting(
            "anchor", "first", "only the first step 1 in the time asked for enters", f"{_ADVANCED}#counting-methods"
        ),
        Setting("ties", True, "steps at once are interchangeable", _SIMULTANEOUS),
        Setting(
            "grace",
            "2s",
            "so are steps within two seconds of one another",
            _SIMULTANEOUS,
            when=("order", ("ordered",)),
        ),
        Setting("reuse", False, "an event is one step", f"{_ADVANCED}#ordering"),
        Setting(
            "exclusion",
            "attempt",
            "steps before an exclusion count",
            f"{_ADVANCED}#exclusion-steps-exclude-users-who-did",
        ),
        Setting("attribution", 1, "the value at step 1 names the segment", f"{_ADVANCED}#user-count-in-breakdown"),
        Setting(
            "once",
            "segment",
            "broken down, people enter once per segment",
            f"{_ADVANCED}#user-count-in-breakdown",
        ),
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
        Setting("reuse", False, "an event is in one path", _COMPUTES),
        Setting(
            "first_step",
            True,
            "who never fires the first event is not in the funnel",
            _COMPUTES,
            when=("order", ("any",)),
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
        Setting(
            "zero",
            "everybody",
            "period 0 is the cohort, come back or not",
            f"{_POSTHOG_CODE}hogql_queries/insights/retention/test/test_retention_data_warehouse_24h_window.py",
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
        Setting(
            "kind",
            "on_or_after",
            "back on that day or later, unless asked for return on",
            f"{_AMPLITUDE}retention-analysis/retention-analysis-interpret#return-on-or-after-formerly-known-as-unbounded",
        ),
        Setting("clock", "rolling", "windows of 24 hours, 7 or 30 days from each start", _TIME),
        Setting("floor", "1h", "starts are floored to the hour", _TIME, when=("period", ("day",))),
        Setting("floor", "1d", "weeks and months are counted in days", _TIME, when=("period", ("week", "month"))),
        Setting("cohort", "recurring", "every start opens windows", _TIME),
        Setting("mean", "weighted", "returned over sizes", "https://amplitude.com/docs/faq/retention-analysis"),
    ),
    "clickhouse": (
        Setting("kind", "on", "the first and that other condition are met", _RETENTION_FUNCTION),
        Setting("clock", "calendar", "conditions are dates", _RETENTION_FUNCTION),
        Setting("cohort", "recurring", "whoever meets the first condition", _RETENTION_FUNCTION),
    ),
}

_BEYOND: Final[dict[Dialect, tuple[Beyond, ...]]] = {
    "posthog": (
        Beyond(
            "retention",
            "a return can need several events in its period; here one is enough",
            f"{_POSTHOG_CODE}hogql_queries/insights/retention/test/test_retention_query_runner.py",
        ),
        Beyond(
            "retention", "hours as periods, and weeks from Sunday; here weeks begin on Monday", f"{_POSTHOG}retention"
        ),
    ),
    "mixpanel": (
        Beyond(
            "funnel",
            "an exclusion has the two seconds too; which of the two readings is meant is not said",
            f"{_ADVANCED}#exclusion-steps-exclude-users-who-did",
        ),
        Beyond(
            "funnel",
            "with re-entry, times run from the last step 1 before step 2; anchor='any' counts the same people, from "
            "the first step 1 that gets as far",
            f"{_ADVANCED}#optimized-re-entry",
        ),
        Beyond(
            "retention",
            "a streak needs period 0 too; here it begins with period 1 (with the start as the return it is the same)",
            f"{_MIXPANEL}retention#streak-mode",
        ),
        Beyond("funnel", "steps that are anchored where any order counts", f"{_ADVANCED}#any-order"),
        Beyond(
            "funnel",
            "windows counted in sessions; counting='sessions' is one session",
            f"{_ADVANCED}#conversion-window",
        ),
    ),
    "amplitude": (
        Beyond(
            "funnel",
            "a property held constant makes it count pairs of people and values: that is counting='pairs' with hold=",
            f"{_AMPLITUDE}funnel-analysis/funnel-analysis-hold-properties-constant",
        ),
        Beyond(
            "retention",
            "of several starts in one cohort each opens windows of its own; here the first does",
            _TIME,
        ),
        Beyond(
            "funnel",
            "time is rounded to the nearest second; here a second is a whole one of the clock",
            f"{_AMPLITUDE}funnel-analysis/funnel-analysis-how-amplitude-handles-simultaneous-events",
        ),
    ),
    "clickhouse": (
        Beyond("funnel", "the mode allow_reentry of the newest versions", _CLICKHOUSE[1]),
        Beyond("retention", "conditions that hold at no time in particular", _RETENTION_FUNCTION),
    ),
}
NOT_MODELLED: Final = "(not modelled)"

DIALECTS: Final[tuple[Dialect, ...]] = tuple(_FUNNEL)


def funnel(name: str | None, *, order: str = "ordered") -> dict[str, object]:
    """Return the options of a funnel in some order that a dialect sets; none for no dialect.

    Raises:
        InvalidArgument: There is no such dialect.
    """
    return _set(_FUNNEL, name, {"order": order})


def retention(name: str | None, *, period: str = "day") -> dict[str, object]:
    """Return the options of a retention by some period that a dialect sets; none for no dialect.

    Raises:
        InvalidArgument: There is no such dialect.
    """
    return _set(_RETENTION, name, {"period": period})


def _set(table: dict[Dialect, tuple[Setting, ...]], name: str | None, asked: Mapping[str, object]) -> dict[str, object]:
    if name is None:
        return {}
    settings = table[arguments.choice(name, DIALECTS, name="dialect")]
    return {each.option: each.value for each in settings if each.holds(asked)}


def dialects(name: str | None = None) -> pd.DataFrame:
    """List what each dialect sets, one row per dialect, question and option, with its source.

    Args:
        name: Of this dialect alone.

    Returns:
        Columns `dialect`, `question`, `option` (`(not modelled)` for what the vendor does and no option does), `value`
        (as it would be given), `when` (with which other option alone, if so), `meaning`, `source` (a URL).

    Raises:
        InvalidArgument: There is no such dialect.

    >>> dialects("clickhouse")[["question", "option", "value"]].to_dict("records")[2]
    {'question': 'funnel', 'option': 'reuse', 'value': 'True'}
    """
    import pandas as pd  # noqa: PLC0415 - the rest of this module needs none of it

    wanted = DIALECTS if name is None else (arguments.choice(name, DIALECTS, name="dialect"),)
    rows = [
        (dialect, question, each.option, repr(each.value), _when(each), each.meaning, each.source)
        for dialect in wanted
        for question, table in (("funnel", _FUNNEL), ("retention", _RETENTION))
        for each in table[dialect]
    ]
    rows += [
        (dialect, each.question, NOT_MODELLED, "", "", each.why, each.source)
        for dialect in wanted
        for each in _BEYOND[dialect]
    ]
    return pd.DataFrame(rows, columns=["dialect", "question", "option", "value", "when", "meaning", "source"])


def _when(setting: Setting) -> str:
    if setting.when is None:
        return ""
    option, values = setting.when
    return f"{option}={' or '.join(map(repr, values))}"
