"""Performance: how fast and how well machines answer, what they use and cost, and what a new version changed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import pandas as pd

from workbench.bench import Bench
from workbench.charts.formats import duration, number
from workbench.dashboards.definition import DAYS, Filter, Number, Page, Rows, Said, Section, Tile, drawing, shows
from workbench.metrics import intervals

if TYPE_CHECKING:
    from workbench.dashboards.definition import Content, View
    from workbench.metrics.ai_usage import AiUsage

PRICES: Final = (
    "Say in `workbench.yaml` what a million tokens cost, such as `prices: {small: {input: 0.5, output: 1.5}}`."
)
_COMPARED: Final = [
    "prompt_version", "before", "measure", "value", "value_before", "difference", "ci_low", "ci_high", "verdict",
]  # fmt: skip
_FEW: Final = 30
"""Ratings of a version below which nothing is concluded."""


def _usage(view: View) -> AiUsage:
    found = view.ask(Bench.ai_usage)
    model = view.chosen.get("model", "")
    return replace(found, frame=found.frame[found.frame["model"] == model].reset_index(drop=True)) if model else found


def _slowest(view: View) -> Content:
    found = view.ask(Bench.response_times).percentiles
    p95 = {row["event_type"]: row for row in found.to_dict("records")}
    if not p95:
        return Number(title="95% answered within", value=None, note="nothing says how long it took")
    kind = "request" if "request" in p95 else next(iter(p95))
    first = p95[kind]
    others = [
        f"{name.replace('_', ' ')} {duration(row['p95_ms'] / 1000)}" for name, row in p95.items() if row is not first
    ]
    note = ", ".join(others)
    daily = view.ask(Bench.performance, width="1d", by="event_type").frame
    past = daily.loc[daily["segment"] == kind, "p95_ms"].dropna()
    return Number(title="95% answered within", value=first["p95_ms"] / 1000, form="seconds", note=note,
                  past=tuple(map(float, past / 1000)))  # fmt: skip


def error_rate(view: View, title: str, *, of: str = "") -> Number:
    """Say how many requests failed, and how that changed; `of` is what is said after how many there were."""
    found = view.ask(Bench.performance, width="1d").frame
    requests, failed = int(found["requests"].sum()), int(found["errors"].sum())
    return Number(
        title=title,
        value=failed / requests if requests else None,
        form="percent",
        note=f"{number(failed, 'count')} of {number(requests, 'count')}{of}" if requests else "no requests",
        past=tuple(map(float, found["error_rate"])),
    )


def _cost(view: View) -> Content:
    found = _usage(view).by("day")
    cost = found["cost_usd"].dropna() if "cost_usd" in found else pd.Series(dtype="float64")
    if cost.empty:
        return Number(title="Cost of AI", value=None, form="usd", note="no prices in workbench.yaml")
    unpriced = int(found["unpriced"].sum())
    without = f"; {number(unpriced, 'count')} interactions without a price" if unpriced else ""
    return Number(title=f"Cost of AI, {view.days} days", value=float(cost.sum()), form="usd",
                  past=tuple(map(float, cost)),
                  note=f"{number(float(cost.iloc[-1]), 'usd')} on the last day{without}")  # fmt: skip


def _rated(title: str, what: str, count: str, told: str) -> Any:  # noqa: ANN401 - a function of a view
    def asks(view: View) -> Content:
        found = _usage(view)
        days, n = found.by("day"), int(found.frame[count].sum())
        value = float(found.frame[f"{what}_sum"].sum()) / n if n else None
        past = tuple(float(mean) for mean in days[what].dropna())
        return Number(title=title, value=value, form="decimal", note=f"{number(n, 'count')} {told}", past=past)

    return asks


def _percentiles(view: View) -> Content:
    found = view.ask(Bench.response_times)
    names = [name for name in found.percentiles if str(name).endswith("_ms")]
    rows = tuple(
        (str(row["event_type"]).replace("_", " "), *(duration(row[name] / 1000) for name in names))
        for row in found.percentiles.to_dict("records")
    )
    head = ("", *(str(name).removesuffix("_ms").replace("p", "") + "%" for name in names))
    return Rows(title="So many are answered within", head=head, rows=rows, empty="Nothing says how long it took.",
                frame=found.percentiles, said=found.reading())  # fmt: skip


def _histogram(view: View) -> Content:
    found = view.ask(Bench.response_times)
    return drawing(found, frame=found.histogram)


def _tokens(view: View) -> Content:
    found = _usage(view)
    return drawing(found, frame=found.by("model", "endpoint"))


def _cost_chart(view: View) -> Content:
    found = _usage(view)
    if found.frame["cost_usd"].isna().all():
        return Said(title="What AI costs is not known", text=PRICES)
    return drawing(found, found.cost_chart(), found.by("day", "model"))


def _over_time(what: Literal["quality", "satisfaction"], title: str) -> Any:  # noqa: ANN401 - a function of a view
    def asks(view: View) -> Content:
        found = _usage(view)
        return drawing(found, found.over_time(what, title=title), found.by("day", "model"))

    return asks


def compared(usage: AiUsage) -> pd.DataFrame:
    """Compare each prompt version with the one before it, by the day on which it was first used.

    Returns:
        One row per version but the first and per measure (`quality`, `satisfaction`, `error_rate`): `prompt_version`,
        `before`, `measure`, `value`, `value_before`, `difference`, its 95% interval `ci_low`, `ci_high`, and `verdict`:
        `worse` or `better` where the interval leaves 0 out, `no difference seen`, or `too few`.
    """
    first = usage.frame.groupby("prompt_version")["day"].min().sort_values(kind="stable").index
    versions = usage.by("prompt_version").set_index("prompt_version") if len(first) else pd.DataFrame()
    rows = [
        {"prompt_version": new, "before": old, "measure": measure}
        | _difference(versions.loc[old], versions.loc[new], measure)
        for old, new in pairwise(first)
        for measure in ("quality", "satisfaction", "error_rate")
    ]
    return pd.DataFrame(rows, columns=_COMPARED)


def _difference(old: pd.Series[Any], new: pd.Series[Any], measure: str) -> dict[str, object]:
    (before, spread_before, n_before), (value, spread, n) = _mean(old, measure), _mean(new, measure)
    difference, half = value - before, intervals.z() * float(np.sqrt(spread_before + spread))
    low, high = difference - half, difference + half
    good = -1 if measure == "error_rate" else 1
    if min(n, n_before) < _FEW:
        verdict = "too few"
    else:
        verdict = "no difference seen" if low <= 0 <= high else "better" if difference * good > 0 else "worse"
    return {"value": value, "value_before": before, "difference": difference, "ci_low": low, "ci_high": high,
            "verdict": verdict}  # fmt: skip


def _mean(row: pd.Series[Any], measure: str) -> tuple[float, float, float]:
    """Return a mean, the square of its standard error, and of how many it is."""
    if measure == "error_rate":
        n = float(row["interactions"])
        rate = float(row["errors"]) / n
        return rate, rate * (1 - rate) / n, n
    half = float(row[f"{measure}_high"] - row[measure])
    return float(row[measure]), (half / intervals.z()) ** 2, float(row["rated" if measure == "quality" else "answered"])


def _regressions(view: View) -> Content:
    found = compared(_usage(view))
    rows = tuple(
        (f"{row['before']} → {row['prompt_version']}", str(row["measure"]).replace("_", " "),
         f"{row['difference']:+.3f}", f"{row['ci_low']:+.3f} to {row['ci_high']:+.3f}", str(row["verdict"]))
        for row in found.to_dict("records")
    )  # fmt: skip
    return Rows(title="What a new prompt version changed", head=("version", "measure", "by", "95% interval", ""),
                rows=rows, frame=found,
                empty="One version alone was used in this time: look at more days.")  # fmt: skip


def _models(bench: Bench) -> list[tuple[str, str]]:
    names: list[str] = bench.ai_usage().frame["model"].unique().tolist() if bench.last_event else []
    return [("all models", ""), *((name, name) for name in sorted(names))]


MODEL: Final = Filter(name="model", called="AI model", offers=_models)


PAGE: Final = Page(
    name="performance",
    title="How machines answer",
    about="How fast and how well machines answer, what they use and cost, and what a new version changed.",
    filters=(DAYS, MODEL),
    sections=(
        Section(
            kind="cards",
            tiles=(
                Tile(name="p95", title="95% answered within", asks=_slowest),
                Tile(name="error-rate", title="Error rate", asks=lambda view: error_rate(view, "Error rate")),
                Tile(name="cost", title="Cost of AI", asks=_cost),
                Tile(name="quality", title="Quality", asks=_rated("Quality of answers", "quality", "rated", "rated")),
                Tile(
                    name="satisfaction",
                    title="Satisfaction",
                    asks=_rated("Satisfaction", "satisfaction", "answered", "said so"),
                ),
            ),
        ),
        Section(
            kind="tiles",
            tiles=(
                Tile(name="histogram", title="How long answers take", asks=_histogram, span=2),
                Tile(name="percentiles", title="So many are answered within", asks=_percentiles),
                Tile(
                    name="times",
                    title="Response times",
                    asks=shows(Bench.performance, width="1d", by="event_type"),
                    span=2,
                ),
                Tile(name="tokens", title="Tokens", asks=_tokens),
                Tile(name="cost-per-day", title="Cost per day", asks=_cost_chart),
                Tile(
                    name="quality-per-day",
                    title="Quality",
                    asks=_over_time("quality", "Quality of answers"),
                ),
                Tile(
                    name="satisfaction-per-day",
                    title="Satisfaction",
                    asks=_over_time("satisfaction", "Satisfaction with answers"),
                ),
                Tile(name="sentiment", title="Sentiment", asks=shows(Bench.sentiment)),
                Tile(name="versions", title="What a new version changed", asks=_regressions, span=2),
            ),
        ),
    ),
)
