"""Response times: how they are spread, and which time so many of a hundred do not exceed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
import pandas as pd

from workbench.charts.formats import duration, number
from workbench.charts.spec import Bars, Chart
from workbench.metrics import coverage, queries
from workbench.metrics.series import SpanDefinition, note
from workbench.metrics.words import words
from workbench.results import Answer
from workbench.store import live_sketch
from workbench.store.live_batch import ASKED

if TYPE_CHECKING:
    from datetime import date

    from workbench.store.base import Snapshot

EDGES_MS: Final = (0, 25, 50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600)
"""Where the bars of the histogram begin; the last has no end."""

PERCENTILES: Final = (50, 75, 90, 95, 99)


@dataclass(frozen=True, kw_only=True)
class ResponseTimesDefinition(SpanDefinition):
    """What `response_times` counts."""

    question: ClassVar[str] = "response_times"
    event_types: tuple[str, ...] = ASKED


@dataclass(frozen=True, kw_only=True, eq=False)
class ResponseTimes(Answer):
    """How response times are spread.

    `frame` has one row per `event_type` and whole millisecond (`ms`, rounded down) that some took: `requests`.
    """

    definition: ResponseTimesDefinition

    @property
    def histogram(self) -> pd.DataFrame:
        """One row per `event_type` and bar: `from_ms`, `to_ms` (NaN: without end), `requests`."""
        edges = np.array([*EDGES_MS, np.inf])
        rows = []
        for kind, found in self.frame.groupby("event_type"):
            counts, _ = np.histogram(found["ms"], bins=edges, weights=found["requests"])
            ends = [*EDGES_MS[1:], np.nan]
            rows += [(kind, low, high, int(n)) for low, high, n in zip(EDGES_MS, ends, counts, strict=True)]
        return pd.DataFrame(rows, columns=["event_type", "from_ms", "to_ms", "requests"])

    @property
    def percentiles(self) -> pd.DataFrame:
        """One row per `event_type`: `requests`, and `p50_ms` … `p99_ms`, each a time that was taken."""
        rows = []
        for kind, found in self.frame.groupby("event_type"):
            upto = found["requests"].cumsum().to_numpy()
            at = [int(np.searchsorted(upto * 100, share * upto[-1])) for share in PERCENTILES]
            rows.append((kind, int(upto[-1]), *(float(found["ms"].iloc[place]) for place in at)))
        return pd.DataFrame(rows, columns=["event_type", "requests", *(f"p{share}_ms" for share in PERCENTILES)])

    def chart(self) -> Chart:
        """Draw the histogram, bars of each event type beside each other."""
        names = [*map(_bar, EDGES_MS)]
        drawn = self.histogram
        last = max((EDGES_MS.index(low) for low in drawn.loc[drawn["requests"] > 0, "from_ms"]), default=-1) + 1
        marks = tuple(
            Bars(x=tuple(names[:last]), y=tuple(map(float, rows["requests"].iloc[:last])), label=str(kind))
            for kind, rows in drawn.groupby("event_type")
        )
        return Chart(
            title="How long answers take",
            x_label="at least so long, and less than the next",
            y_label="requests",
            marks=marks,
            note=note(self.definition),
        )

    def _reading(self) -> str:
        """Say how long half and almost all took."""
        if self.frame.empty:
            return "Nothing in this time says how long it took."
        told = [
            f"Of {number(row['requests'], 'count')} {row['event_type']} half took at most "
            f"{duration(row['p50_ms'] / 1000)}, 95 of a hundred {duration(row['p95_ms'] / 1000)}"
            for row in self.percentiles.to_dict("records")
        ]
        return ". ".join(told) + "."


def response_times(
    snapshot: Snapshot,
    *,
    since: str | date | None = None,
    until: str | date | None = None,
    now: str | date | None = None,
    tz: str = "UTC",
) -> ResponseTimes:
    """Count requests and AI interactions by how long they took; arguments as of `performance`.

    >>> from workbench.testing import store_of
    >>> store = store_of({"ann": "request:0 request:1"}, properties={"response_time_ms": 80.5})
    >>> response_times(store.snapshot()).frame.to_numpy().tolist()
    [['request', 80, 2]]
    """
    span = coverage.span(snapshot, since, until, now, tz=tz)
    definition = ResponseTimesDefinition(
        since=span.since, until=span.until, now=span.now, tz=tz, people=snapshot.people
    )
    say = words(snapshot.engine)
    sql = queries.filled(
        queries.text("response_times", snapshot.engine),
        response_time=say.number(say.property("$response_time_key")),
        asked=say.one_of("event_type", "$asked"),
    )
    params = {
        "asked": list(ASKED), "longest_ms": live_sketch.LONGEST_MS,
        "response_time_key": say.key_of("response_time_ms"), **span.entries(),
    }  # fmt: skip
    found = snapshot.query(sql, params).to_pandas().astype({"event_type": "str", "ms": "int64", "requests": "int64"})
    return ResponseTimes(
        frame=found, sql=sql, definition=definition, data_version=snapshot.data_version, notes=span.notes
    )


def _bar(low: int) -> str:
    return f"{low} ms" if low < 1000 else f"{low / 1000:g} s"  # noqa: PLR2004 - a second
