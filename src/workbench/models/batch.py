"""The predictions of a day: kept in the store, told on a topic, and logged where they recommend something.

Predictions of a date replace those of the same date. Recommendations do not: what was recommended was recommended,
and the log keeps the first of each date.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
import pandas as pd
import pyarrow as pa

from workbench.models.policy import NONE
from workbench.results import plain
from workbench.store import daily

if TYPE_CHECKING:
    from datetime import date

    from workbench.ingest.base import Outlet
    from workbench.models.score import Predictions
    from workbench.store.clickhouse import ClickHouseStore
    from workbench.store.lake import LakeStore

PREDICTIONS: Final = "predictions"
RECOMMENDATIONS: Final = "recommendations"
_LOGGED: Final = (
    "user_id", "risk_level", "churn_risk", "recommended_action", "held_out", "propensity", "churn_version",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What became of the predictions of a day.

    Attributes:
        day: The date that they are of: the last one before the cutoff.
        people: Rows in the table `predictions`.
        recommended: Rows of the day in the table `recommendations`.
        logged: Whether they were logged by this run, not by an earlier one.
        told: Messages on the topic.
    """

    day: date
    people: int
    recommended: int
    logged: bool
    told: int = 0

    def __str__(self) -> str:
        recommended = f"{self.recommended:,} recommendations " + ("logged" if self.logged else "were logged before")
        told = f", {self.told:,} told on the topic" if self.told else ""
        return f"predictions of {self.day}: {self.people:,} people, {recommended}{told}"


def keep(store: LakeStore | ClickHouseStore, answer: Predictions, *, outlet: Outlet | None = None) -> Batch:
    """Write the predictions of everybody to the table `predictions`; once per date, however often it is repeated.

    Args:
        store: Where to.
        answer: The predictions.
        outlet: A topic to tell them on as well; who reads it sees a repetition, by `date` and `user_id`.

    Raises:
        StoreError: The store cannot be written.
        SourceError: The topic cannot be written; the store was.
    """
    day = (pd.Timestamp(answer.definition.cutoff) - pd.Timedelta(microseconds=1)).date()
    rows = table_of(answer)
    daily.replace(store, PREDICTIONS, day, rows)
    logged = day not in daily.days(store, RECOMMENDATIONS)
    if logged:
        daily.replace(store, RECOMMENDATIONS, day, _recommended(answer, rows))
    log = daily.read(store, RECOMMENDATIONS, day=day)
    told = _tell(outlet, rows, day) if outlet is not None else 0
    count = 0 if log is None else log.num_rows
    return Batch(day=day, people=rows.num_rows, recommended=count, logged=logged, told=told)


def table_of(answer: Predictions) -> pa.Table:
    """Return the rows of the table `predictions` but `date`: everybody, with the cutoff and the versions."""
    facts = {
        "cutoff": answer.definition.cutoff.isoformat(),
        "policy": answer.definition.policy,
        "data_version": answer.data_version,
    }
    frame = answer.everybody.assign(**facts)
    kinds = {name: _kind(frame[name]) for name in frame}
    return pa.Table.from_pandas(frame, schema=pa.schema(list(kinds.items())), preserve_index=False)


def _kind(column: pd.Series) -> pa.DataType:
    if column.name == "held_out":
        return pa.bool_()
    return pa.float64() if pd.api.types.is_float_dtype(column) else pa.string()


def _recommended(answer: Predictions, rows: pa.Table) -> pa.Table:
    """Keep those for whom something is done, or by chance is not; with the policy that drew it."""
    some = rows.to_pandas()
    chosen = some[(some["recommended_action"] != NONE) | some["held_out"].astype(bool)]
    table = pa.Table.from_pandas(chosen, schema=rows.schema, preserve_index=False).select(list(_LOGGED))
    return table.append_column("policy", pa.array([answer.definition.policy] * len(table), pa.string()))


def _tell(outlet: Outlet, rows: pa.Table, day: date) -> int:
    """Send one JSON object per person, keyed by `user_id`; numbers that are not known are left out."""
    encode = msgspec.json.Encoder().encode
    for batch in rows.to_batches(max_chunksize=10_000):
        for row in batch.to_pylist():
            told = {name: plain(value) for name, value in row.items()}
            known = {name: value for name, value in told.items() if value is not None}
            outlet.send(encode({"date": day.isoformat(), **known}), key=row["user_id"].encode())
    outlet.flush()
    return int(rows.num_rows)
