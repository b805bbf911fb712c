"""AI usage: tokens, cost, quality and satisfaction of AI interactions, by day, model, endpoint and prompt version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final, Literal

import numpy as np
import pandas as pd

from workbench.charts.formats import number
from workbench.charts.spec import Bars, Chart, Line
from workbench.metrics import coverage, intervals, local_time, queries
from workbench.metrics.breakdowns import NOTHING, apart
from workbench.metrics.series import SpanDefinition, note
from workbench.metrics.words import words
from workbench.results import Answer
from workbench.store.live_batch import NO_ERROR

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from workbench.store.base import Snapshot

ASKED: Final = "ai_interaction"
KEYS: Final = ("day", "model", "endpoint", "prompt_version")
TOKENS: Final = ("input_tokens", "cached_tokens", "output_tokens")
MILLION: Final = 1e6

_MOST: Final = 1e9
_TEXTS: Final = {"model": "model", "endpoint": "endpoint", "prompt": "prompt_version", "error": "error"}
_NUMBERS: Final = {
    "input": "input_tokens", "cached": "cached_tokens", "output": "output_tokens", "quality": "quality_score",
    "satisfaction": "user_satisfaction",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens; what is cached is part of the input, and costs `cached` instead of `input`."""

    input: float
    output: float
    cached: float | None = None


@dataclass(frozen=True, kw_only=True)
class AiUsageDefinition(SpanDefinition):
    """What `ai_usage` counts."""

    question: ClassVar[str] = "ai_usage"
    prices: tuple[tuple[str, Price], ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class AiUsage(Answer):
    """What AI interactions used, and how good they were.

    `frame` has one row per `day` (on the clocks of `tz`), `model`, `endpoint` and `prompt_version`: `interactions`,
    `errors`, `input_tokens` (`cached_tokens` among them), `output_tokens`, `cost_usd` (of the interactions with a
    price; NaN where none has one), `unpriced` (those without: of a model that has no price, or with a token count that
    cannot be, such as a negative one, or more cached than read), `rated` and `quality` (mean score in [0, 1] of
    those rated), `answered` and `satisfaction` (the same of what people said), and the sums that means are made of.
    """

    definition: AiUsageDefinition

    def by(self, *keys: str) -> pd.DataFrame:
        """Add the rows up by some of `day`, `model`, `endpoint`, `prompt_version`; means with 95% intervals."""
        sums = [name for name in self.frame.columns if name not in (*KEYS, "quality", "satisfaction", "cost_usd")]
        grouped = self.frame.groupby(list(keys), sort=True)
        added = grouped[sums].sum()
        added["cost_usd"] = grouped["cost_usd"].sum(min_count=1)
        return _means(added.reset_index())

    def chart(self) -> Chart:
        """Draw tokens by model and endpoint."""
        found = self.by("model", "endpoint")
        endpoints = tuple(dict.fromkeys(found["endpoint"]))
        marks = []
        for model, rows in found.groupby("model"):
            total = rows.set_index("endpoint")[["input_tokens", "output_tokens"]].sum(axis=1)
            heights = tuple(float(total.get(endpoint, 0)) for endpoint in endpoints)
            marks.append(Bars(x=endpoints, y=heights, label=str(model)))
        return Chart(title="Tokens by endpoint and model", y_label="tokens in and out", marks=tuple(marks),
                     note=note(self.definition))  # fmt: skip

    def over_time(self, what: Literal["quality", "satisfaction"], *, title: str, days: int = 7) -> Chart:
        """Draw the mean of quality or satisfaction over so many days up to each, a line a model."""
        count = {"quality": "rated", "satisfaction": "answered"}[what]
        marks = []
        for model, rows in self.by("day", "model").groupby("model"):
            daily = rows.set_index("day")[[f"{what}_sum", count]].asfreq("D").fillna(0.0).rolling(days, 1).sum()
            mean = daily[f"{what}_sum"] / daily[count].where(daily[count] > 0)
            x = tuple(day.to_pydatetime() for day in pd.DatetimeIndex(daily.index))
            y = tuple(None if np.isnan(value) else float(value) for value in mean)
            marks.append(Line(x=x, y=y, label=str(model)))
        return Chart(title=title, y_label=f"mean of {days} days", x_scale="time", y_format="decimal",
                     marks=tuple(marks), note=note(self.definition))  # fmt: skip

    def cost_chart(self) -> Chart:
        """Draw what each day cost, a line a model; models without a price are left out."""
        found = self.by("day", "model").dropna(subset=["cost_usd"])
        marks = tuple(
            Line(
                x=tuple(day.to_pydatetime() for day in rows["day"]),
                y=tuple(map(float, rows["cost_usd"])),
                label=str(model),
            )
            for model, rows in found.groupby("model")
        )
        return Chart(title="Cost per day", y_label="USD per day", x_scale="time", y_format="usd", marks=marks,
                     note=note(self.definition))  # fmt: skip

    def _reading(self) -> str:
        """Say how much was used, and how good it was."""
        found = self.frame
        if found.empty:
            return "No AI interaction happened in this time."
        asked, failed = int(found["interactions"].sum()), int(found["errors"].sum())
        tokens = found["input_tokens"].sum() + found["output_tokens"].sum()
        rated, cost = found["rated"].sum(), found["cost_usd"].sum(min_count=1)
        said = f"{number(asked, 'count')} AI interactions, of which {number(failed / asked, 'percent')} failed, used "
        said += f"{number(tokens, 'count')} tokens"
        said += f" for {number(cost, 'usd')}" if cost == cost else ""  # noqa: PLR0124 - NaN
        unpriced = int(found["unpriced"].sum())
        if unpriced and cost == cost:  # noqa: PLR0124 - NaN
            said += f" ({number(unpriced, 'count')} of the interactions have no price, or token counts that cannot be)"
        quality = found["quality_sum"].sum() / rated if rated else float("nan")
        return f"{said}. Their mean quality is {number(quality, 'decimal')}."


def ai_usage(
    snapshot: Snapshot,
    *,
    prices: Mapping[str, Price] | None = None,
    since: str | date | None = None,
    until: str | date | None = None,
    now: str | date | None = None,
    tz: str = "UTC",
) -> AiUsage:
    """Add up tokens, cost, quality and satisfaction of `ai_interaction` by day, model, endpoint and prompt version.

    Args:
        snapshot: The events.
        prices: USD per million tokens of each model; cost is not known of others.
        since: Start, inclusive; naive times are in `tz`.
        until: End, exclusive.
        now: When the question is asked: later events are not seen. The earlier of the present and the end of the
            data if not given.
        tz: Time zone of naive times, and of days.

    Raises:
        InvalidArgument: A time or a zone cannot be used.

    >>> from workbench.testing import store_of
    >>> said = {"model": "small", "input_tokens": 100, "cached_tokens": 60, "output_tokens": 10}
    >>> found = ai_usage(store_of({"ann": "ai_interaction:0"}, properties=said).snapshot(),
    ...                  prices={"small": Price(input=1.0, output=4.0, cached=0.5)})
    >>> found.frame[["model", "interactions", "cost_usd"]].to_numpy().tolist()
    [['small', 1, 0.00011]]
    """
    span = coverage.span(snapshot, since, until, now, tz=tz)
    known = prices or {}
    definition = AiUsageDefinition(
        prices=tuple(sorted(known.items())), since=span.since, until=span.until, now=span.now, tz=tz,
        people=snapshot.people,
    )  # fmt: skip
    say = words(snapshot.engine)
    sql = queries.filled(
        queries.text("ai_usage", snapshot.engine),
        day=local_time.start(snapshot.engine, local_time.DAY),
        no_error=say.one_of("error", "$no_error"),
        **{name: say.property(f"${name}_key") for name in _TEXTS},
        **{name: say.number(say.property(f"${name}_key")) for name in _NUMBERS},
        **{f"{name}_text": say.property(f"${name}_key") for name in ("input", "cached", "output")},
        **{f"{what}_sum": say.total(what) for what in ("quality", "satisfaction")},
        **{f"{what}_squares": say.total(f"{what} * {what}") for what in ("quality", "satisfaction")},
    )
    keys = {f"{name}_key": say.key_of(known) for name, known in (_TEXTS | _NUMBERS).items()}
    params = {"asked": ASKED, "most": _MOST, "no_error": list(NO_ERROR), "tz": tz, **keys, **span.entries()}
    found = _finished(snapshot.query(sql, params).to_pandas(), known)
    return AiUsage(frame=found, sql=sql, definition=definition, data_version=snapshot.data_version, notes=span.notes)


def _finished(found: pd.DataFrame, prices: Mapping[str, Price]) -> pd.DataFrame:
    counts = ("interactions", "errors", *TOKENS, "possible", "rated", "answered")
    rates = pd.DataFrame(
        [_per_million(prices.get(model)) for model in found["model"]],
        columns=["input", "cached", "output"], index=found.index, dtype="float64",
    )  # fmt: skip
    used = {"input": "fresh_priced", "cached": "cached_priced", "output": "output_priced"}
    cost = sum((found[name] * rates[kind] for kind, name in used.items()), 0.0 * rates["input"]) / MILLION
    priced = found["possible"].where(rates["output"].notna(), 0)
    typed = found.astype(dict.fromkeys(counts, "int64"))
    typed["day"] = local_time.shown(found["day"])
    for key in KEYS[1:]:
        typed[key] = found[key].fillna(apart(NOTHING, set(found[key]))).astype("str")
    typed["cost_usd"] = cost.where(priced > 0)
    typed["unpriced"] = (found["interactions"] - priced).astype("int64")
    kept = typed.drop(columns=["possible", *used.values()]).sort_values(list(KEYS), ignore_index=True)
    return _means(kept).drop(columns=[f"{what}_{end}" for what in ("quality", "satisfaction") for end in _ENDS])


def _per_million(price: Price | None) -> tuple[float, float, float]:
    if price is None:
        return (np.nan,) * 3
    return price.input, price.input if price.cached is None else price.cached, price.output


_ENDS: Final = ("low", "high")


def _means(frame: pd.DataFrame) -> pd.DataFrame:
    """Add means of quality and satisfaction, with 95% intervals that the scores' spread gives."""
    for what, count in (("quality", "rated"), ("satisfaction", "answered")):
        mean, low, high = intervals.mean(frame[f"{what}_sum"], frame[f"{what}_squares"], frame[count])
        frame = frame.assign(**{what: mean, f"{what}_low": low, f"{what}_high": high})
    return frame
