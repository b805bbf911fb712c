"""What goes with converting: events done on the way through a funnel, and values people came with."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from statistics import NormalDist
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
import pandas as pd

from workbench.charts import formats
from workbench.charts.spec import Bars, Chart
from workbench.errors import InvalidArgument
from workbench.metrics import arguments, intervals, property_names, sequences, significance
from workbench.metrics.calendars import micros
from workbench.metrics.plain import Codes, Plain, array
from workbench.metrics.steps import as_step, check_known, column, conditions, seen
from workbench.metrics.words import words
from workbench.results import Answer, Definition

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from workbench.metrics.funnel_definition import FunnelDefinition
    from workbench.metrics.funnels import Funnel
    from workbench.metrics.sequences import Rows
    from workbench.store.base import Snapshot

MOST_CANDIDATES: Final = 500
MOST_VALUES: Final = 25
"""Values of a property that are candidates, the most common ones."""
MOST_DRAWN: Final = 15
MOST_SMOOTHING: Final = 10
FALSE_AMONG_CALLED: Final = 0.05
"""A driver is called one where the q-value is below: of those, one in twenty is by chance."""

_Z95: Final = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True, kw_only=True)
class DriversDefinition(Definition):
    """Which candidates of which funnel."""

    question: ClassVar[str] = "funnel drivers"
    funnel: FunnelDefinition
    events: tuple[str, ...]
    properties: tuple[str, ...]
    smoothing: float = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class Drivers(Answer):
    """How the odds of converting differ between people with a candidate and without.

    `frame` has one row per candidate: `kind` (`event` or `property`), `candidate`, `users` (who have it), `converted`
    (who of them finished), `conversion_rate`, `other_conversion_rate` (of those without), `odds_ratio` (`smoothing` is
    added to each cell; 0.5 is Haldane's and Anscombe's), `ci_low`, `ci_high` (95%, Woolf's logit), `pvalue` (χ², or
    Fisher's exact test where a cell is expected to hold under 5), `qvalue` (Benjamini and Hochberg over all that are
    ranked), `only_after` (nobody did it on the way, but some who finished did it then: it cannot drive anything and is
    not ranked). The clearest first.

    People in flight are left out. An event counts from entry until the conversion, or until the window closes: those
    who do not convert have longer to do it, so an odds ratio above 1 is on the safe side, and none is a cause by
    itself.
    """

    definition: DriversDefinition
    funnel: Funnel = field(repr=False)
    keys: NDArray[np.int64] = field(repr=False)
    """Who is judged."""
    finished: NDArray[np.bool_] = field(repr=False)
    has: dict[str, NDArray[np.bool_]] = field(repr=False)
    """Per candidate who has it."""

    def people(self, candidate: str, *, converted: bool = False) -> list[str]:
        """List who has a candidate, or of them who finished: as many as `users`, or `converted`.

        Raises:
            InvalidArgument: There is no such candidate.
        """
        if candidate not in self.has:
            raise InvalidArgument(f"there is no candidate {arguments.unknown(str(candidate), self.has)}")
        chosen = self.has[candidate] & self.finished if converted else self.has[candidate]
        return sequences.user_ids(self.funnel.snapshot, self.keys[chosen])

    def chart(self) -> Chart:
        """Draw how many convert with each candidate that is clear, and without it; odds ratios have no common scale."""
        ranked = self.clear.head(MOST_DRAWN)
        names, users = tuple(ranked["candidate"]), tuple(f"{users:,}" for users in ranked["users"])
        marks = (
            Bars(x=names, y=tuple(ranked["conversion_rate"]), annotations=users, label="with it"),
            Bars(x=names, y=tuple(ranked["other_conversion_rate"]), label="without"),
        )
        note = f"{len(self.keys):,} people · {len(self.frame):,} candidates · on the bars: people with it"
        title = f"{len(self.clear)} clear drivers of {self.definition.funnel.labels[-1]}"
        return Chart(title=title, marks=marks, y_label="share that converts", y_format="percent", note=note)

    @property
    def clear(self) -> pd.DataFrame:
        """The candidates that chance hardly explains, the greatest odds ratio first."""
        clear = self.frame[self.frame["qvalue"] < FALSE_AMONG_CALLED]
        return clear.sort_values("odds_ratio", ascending=False, ignore_index=True)

    def _reading(self) -> str:
        """Name what goes most with converting, and what only follows it."""
        clear, total = self.clear, len(self.frame)
        if clear.empty:
            return f"None of {total} candidates differs more than by chance, among {len(self.keys):,} people."
        best, worst = clear.iloc[0], clear.iloc[-1]
        sentences = [f"{len(clear)} of {total} candidates differ more than by chance (q < {FALSE_AMONG_CALLED})."]
        if best["odds_ratio"] > 1:
            sentences.append(_told(best, "up"))
        if worst["odds_ratio"] < 1:
            sentences.append(_told(worst, "down"))
        after = self.frame.loc[self.frame["only_after"], "candidate"].tolist()
        if after:
            sentences.append(f"Done only after converting, so not ranked: {', '.join(after)}.")
        return " ".join([*sentences, "These go together; that one causes the other is not said."])


def _told(row: pd.Series[float], word: str) -> str:
    rate, other = (formats.number(row[name], "percent") for name in ("conversion_rate", "other_conversion_rate"))
    odds = f"odds ratio {row['odds_ratio']:.2g}"
    return f"Most {word}: {row['candidate']} ({rate} convert with it, {other} without; {odds})."


def drivers(
    funnel: Funnel,
    *,
    events: Sequence[str] | None = None,
    properties: Sequence[str] = ("platform",),
    smoothing: float = 0.5,
) -> Drivers:
    """Rank what goes with converting.

    Args:
        funnel: The funnel; counted by people, not broken down.
        events: Candidates; all types of the data but those of the steps if not given, or the 500 of them that most
            people did, and the answer says so.
        properties: Fields or properties whose most common values at step 1 are candidates.
        smoothing: What is added to each cell of a candidate's table, above 0 and at most 10; PostHog adds 1.

    Raises:
        InvalidArgument: There are too many candidates, the smoothing is out of range, or the funnel counts something
            else than people.
        UnknownEvent: The data has no such event.
    """
    asked, known = funnel.definition, seen(funnel.snapshot)
    if asked.by is not None or asked.counting != "users":
        raise InvalidArgument("drivers are of people: ask the funnel without by=, and with counting='users'")
    if isinstance(smoothing, bool) or not isinstance(smoothing, int | float) or not 0 < smoothing <= MOST_SMOOTHING:
        raise InvalidArgument(f"smoothing must be above 0 and at most {MOST_SMOOTHING}, got {smoothing!r}")
    own = {each.event for each in asked.steps}
    every = sorted(set(known) - own) if events is None else [as_step(event).event for event in events]
    chosen = _common(funnel.snapshot, every) if events is None else every
    check_known([as_step(event) for event in chosen], known)
    if len(chosen) > MOST_CANDIDATES:
        raise InvalidArgument(f"at most {MOST_CANDIDATES} events can be candidates, got {len(chosen):,}: name them")
    named = tuple(arguments.property_name(name, name="properties") for name in _several(properties))
    property_names.check(funnel.snapshot, named, name="properties")
    keys, finished, begins, ends = _judged(funnel)
    has, only_after = _events(funnel, chosen, (keys, begins, ends), finished)
    begun = _properties(funnel, named, (keys, begins))
    valued = {f"{name} (property)" if name in has else name: there for name, there in begun.items()}
    kinds = ["event"] * len(has) + ["property"] * len(valued)
    return Drivers(
        frame=_frame(kinds, has | valued, finished, only_after, smoothing),
        sql=funnel.sql,
        definition=DriversDefinition(
            people=asked.people, funnel=asked, events=tuple(chosen), properties=named, smoothing=float(smoothing)
        ),
        data_version=funnel.data_version,
        notes=(*funnel.notes, *_left_out(len(chosen), len(every))),
        funnel=funnel,
        keys=keys,
        finished=finished,
        has=has | valued,
    )


def _common(snapshot: Snapshot, every: list[str]) -> list[str]:
    """Return the candidates that most people did, no more than can be looked at."""
    if len(every) <= MOST_CANDIDATES:
        return every
    found = snapshot.query(
        "SELECT event_type FROM events GROUP BY event_type ORDER BY count(DISTINCT user_key) DESC, event_type"
    )["event_type"].to_pylist()
    among = set(every)
    return sorted([name for name in found if name in among][:MOST_CANDIDATES])


def _left_out(chosen: int, every: int) -> list[str]:
    return (
        [f"The {chosen:,} of {every:,} types of events that most people did are candidates."] if chosen < every else []
    )


def _several(names: Sequence[str]) -> Sequence[str]:
    return [names] if isinstance(names, str) else names


def _judged(
    funnel: Funnel,
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
    """Return who is not in flight, by key: whether they finished, from when and until when they are looked at."""
    found = funnel.attempts
    finished = found.step == len(funnel.definition.steps)
    judged = np.flatnonzero(finished | ~found.in_flight)
    judged = judged[np.argsort(found.user_key[judged])]
    begins = found.at[judged, 0]
    closes = begins + round(funnel.definition.within.total_seconds() * 1e6) + 1
    ends = np.where(finished[judged], found.at[judged, -1], closes)
    return found.user_key[judged], finished[judged], begins, ends


def _events(
    funnel: Funnel,
    events: Sequence[str],
    judged: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
    finished: NDArray[np.bool_],
) -> tuple[dict[str, NDArray[np.bool_]], set[str]]:
    """Return per event who did it on the way; and which were done by nobody then, but after converting."""
    from workbench.metrics.kernels import funnel_drivers  # noqa: PLC0415 - loads Numba

    if not events:
        return {}, set()
    own = words(funnel.snapshot.engine)
    sql = (
        f"SELECT user_key, {own.micros('occurred_at')} AS at, {own.short(own.place('event_type', '$types'))} AS code "  # noqa: S608
        f"FROM events WHERE {own.one_of('event_type', '$types')} AND occurred_at <= $now"
    )

    def work(rows: Rows) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        codes = rows.columns["code"].astype(np.int64) - 1
        return funnel_drivers.met(rows.user_key, rows.first, rows.at, codes, *judged, len(events))

    now = funnel.definition.now
    codes = Codes("event_type", {event: place for place, event in enumerate(events, start=1)}, wanted=True)
    plain = Plain(micros(now), codes=[("code", codes)])
    parts = sequences.by_person(funnel.snapshot, sql, {"types": list(events), "now": now}, work, plain=plain)
    before = np.logical_or.reduce([part[0] for part in parts])
    after = np.logical_or.reduce([part[1] for part in parts])
    late = {event for place, event in enumerate(events) if not before[:, place].any() and after[finished, place].any()}
    return {event: before[:, place] for place, event in enumerate(events)}, late


def _properties(
    funnel: Funnel, names: Sequence[str], judged: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> dict[str, NDArray[np.bool_]]:
    """Return per value of each field or property whose attempt began with it: the values that most began with."""
    keys, begins = judged
    own, asked = words(funnel.snapshot.engine), funnel.definition
    matches, params = conditions(asked.steps[:1], own)
    instant = asked.reading.instant // timedelta(microseconds=1)
    has = {}
    for name in names:
        text, bound = column(name, "by", own)
        sql = (
            f"SELECT user_key, {own.micros('occurred_at')} AS at, {text} AS value FROM events "  # noqa: S608
            f"WHERE {matches[0]} AND occurred_at <= $now AND {text} IS NOT NULL"
        )
        rows = funnel.snapshot.query(sql, {**params, **bound, "now": asked.now})
        at, values = array(rows["at"]), rows["value"].combine_chunks().dictionary_encode()
        place = np.searchsorted(keys, array(rows["user_key"]))
        there = np.append(keys, -1)[place] == array(rows["user_key"])
        began = there & (np.append(begins, -1)[place] == at - at % instant)
        for value, persons in _most_common(values, place, np.flatnonzero(began)):
            has[f"{name} = {value}"] = np.isin(np.arange(len(keys)), persons)
    return has


def _most_common(
    values: pa.DictionaryArray, place: NDArray[np.int64], rows: NDArray[np.int64]
) -> list[tuple[str, NDArray[np.int64]]]:
    """Return the values that most people began with, and who; of several at one instant, the first in the alphabet."""
    texts = values.dictionary.to_pylist()
    ranks = np.argsort(np.argsort(np.array(texts, dtype=object), kind="stable"), kind="stable")
    rank = ranks[values.indices.to_numpy()[rows]] if len(rows) else np.zeros(0, dtype=np.int64)
    order = np.lexsort((rank, place[rows]))
    persons, first = np.unique(place[rows][order], return_index=True)
    named = rank[order][first]
    sizes = np.bincount(named, minlength=len(texts))
    chosen = [each for each in np.argsort(-sizes, kind="stable")[:MOST_VALUES] if sizes[each]]
    names = sorted(texts)
    return [(names[each], persons[named == each]) for each in chosen]


def _frame(
    kinds: Sequence[str],
    has: dict[str, NDArray[np.bool_]],
    finished: NDArray[np.bool_],
    only_after: set[str],
    smoothing: float,
) -> pd.DataFrame:
    """Turn who has each candidate into odds ratios, and rank them."""
    users = np.array([there.sum() for there in has.values()], dtype=np.int64)
    converted = np.array([(there & finished).sum() for there in has.values()], dtype=np.int64)
    others, other_converted = len(finished) - users, finished.sum() - converted
    table = (converted, users - converted, other_converted, others - other_converted)
    a, b, c, d = (cell + smoothing for cell in table)
    ratio, spread = np.log(a * d / (b * c)), _Z95 * np.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
    late = np.array([candidate in only_after for candidate in has], dtype=bool)
    pvalue, qvalue = np.full(len(has), np.nan), np.full(len(has), np.nan)
    pvalue[~late] = significance.independence(*(cell[~late] for cell in table))
    qvalue[~late] = significance.adjusted(pvalue[~late])
    frame = pd.DataFrame(
        {
            "kind": list(kinds),
            "candidate": list(has),
            "users": users,
            "converted": converted,
            "conversion_rate": intervals.rate(converted, users),
            "other_conversion_rate": intervals.rate(other_converted, others),
            "odds_ratio": np.where(late, np.nan, np.exp(ratio)),
            "ci_low": np.where(late, np.nan, np.exp(ratio - spread)),
            "ci_high": np.where(late, np.nan, np.exp(ratio + spread)),
            "pvalue": pvalue,
            "qvalue": qvalue,
            "only_after": late,
        }
    )
    return frame.sort_values(["qvalue", "candidate"], ignore_index=True)
