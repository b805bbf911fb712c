"""One definition of what is known of a person at a cutoff, for training, batch scoring and serving alike.

Adding a feature: its facts in `sql/features.sql` and its ClickHouse sibling, its line in `FEATURES`, its formula in
`derived`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workbench.errors import ModelError, NotEnoughData
from workbench.metrics import queries

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from workbench.store.base import Snapshot

WINDOW_DAYS: Final = 28
"""How far back most features look; `_28` in a name is this."""

MIN_EXAMPLES: Final = 50
"""Fewest people that a model is trained, calibrated or validated on."""

FEATURES: Final[dict[str, str]] = {
    "tenure_days": "days since the first event",
    "days_since_last_active": "days since the last event",
    "active_days_7": "days with an event, of the last 7",
    "active_days_28": "days with an event, of the last 28",
    "active_days_56": "days with an event, of the last 56",
    "days_between_visits": "of the last 56 days (or the tenure), days per day with an event",
    "overdue": "days since the last event, as a multiple of days_between_visits",
    "events_7": "events in the last 7 days",
    "events_28": "events in the last 28 days",
    "engagement_decay": "1 - events of the last 7 days / a quarter of the last 28 days': 0 steady, 1 gone silent",
    "daily_messages": "messages a day over the last 28 days (or the tenure)",
    "messages_7": "messages in the last 7 days",
    "messages_28": "messages in the last 28 days",
    "message_frequency_trend": "slope of daily messages over the last 28 days, messages a day per day",
    "has_messaged": "1 after the first message ever",
    "sessions_7": "sessions started in the last 7 days",
    "sessions_28": "sessions started in the last 28 days",
    "session_duration": "mean seconds of the sessions that ended in the last 28 days",
    "session_hours_28": "hours in sessions that ended in the last 28 days",
    "raids_28": "raids joined in the last 28 days",
    "raids": "raids ever joined",
    "raid_participation": "share of the community's raids of the last 28 days that the person joined",
    "raid_actions_28": "actions in raids in the last 28 days",
    "ai_interactions_28": "AI interactions in the last 28 days",
    "ai_satisfaction": "mean user_satisfaction of those that were rated",
    "ai_error_rate": "share of those that failed",
    "sentiment": "mean sentiment_score of what the person wrote in the last 28 days",
    "platforms_28": "platforms used in the last 28 days",
    "purchases_28": "purchases in the last 28 days",
    "spend_usd_28": "USD spent in the last 28 days",
    "purchase_days": "days, counted back from the cutoff, with a purchase",
    "spend_usd": "USD ever spent",
    "days_since_first_purchase": "days since the first purchase",
    "days_since_purchase": "days since the last purchase",
    "has_wallet": "1 after a wallet was connected",
    "days_since_wallet": "days since the first wallet was connected",
}
"""The features by name, in the order of the models' columns. Unknown is NaN: no session ended, nothing was rated,
nothing was scored, no AI interaction, no purchase, no wallet."""

SQL: Final = queries.text("features", room="models") + queries.text("measures", room="models")
_UNKNOWN: Final = frozenset(
    {
        "session_duration", "ai_satisfaction", "ai_error_rate", "sentiment", "days_since_first_purchase",
        "days_since_purchase", "days_since_wallet",
    }
)  # fmt: skip
Numbers: TypeAlias = "NDArray[np.float64]"
_NAMES: Final = (b"cutoff", b"data_version", b"feature_version")


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureFrame:
    """Features of everybody seen before a cutoff.

    Attributes:
        X: One row per person (index `user_id`, sorted), one float column per name in `FEATURES`.
        cutoff: The instant; nothing from then on was looked at.
        data_version: The version of the events.
    """

    X: pd.DataFrame
    cutoff: datetime
    data_version: str

    def write(self, path: Path) -> None:
        """Keep them as Parquet, with the cutoff, the data version and the version of their definition."""
        path.parent.mkdir(parents=True, exist_ok=True)
        table = pa.Table.from_pandas(self.X.reset_index(), preserve_index=False)
        told = (self.cutoff.isoformat(), self.data_version, version())
        facts = dict(zip(_NAMES, told, strict=True))
        pq.write_table(table.replace_schema_metadata({**(table.schema.metadata or {}), **facts}), path)

    @classmethod
    def read(cls, path: Path) -> FeatureFrame:
        """Read what `write` kept.

        Raises:
            ModelError: The file is no features, or of another definition than this Workbench's.
        """
        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowException) as error:
            raise ModelError(f"cannot read features from {path}: {error}") from error
        facts = [(table.schema.metadata or {}).get(name, b"").decode() for name in _NAMES]
        if facts[2] != version():
            raise ModelError(f"{path} holds features of definition {facts[2] or 'unknown'}, not {version()}: make anew")
        X = table.to_pandas().set_index("user_id")
        return cls(X=checked(X, tuple(FEATURES)), cutoff=datetime.fromisoformat(facts[0]), data_version=facts[1])

    def active(self, days: float) -> FeatureFrame:
        """Keep the people with an event in the last `days` before the cutoff."""
        kept = self.X[self.X["days_since_last_active"] <= days]
        return FeatureFrame(X=kept, cutoff=self.cutoff, data_version=self.data_version)


def features(snapshot: Snapshot, cutoff: datetime) -> FeatureFrame:
    """Compute the features of everybody who was seen before the cutoff.

    Args:
        snapshot: The events. To see only what had been *recorded* by the cutoff, late arrivals excluded,
            take a snapshot known at the cutoff.
        cutoff: With a time zone; exclusive.

    >>> from datetime import timedelta
    >>> from workbench.testing import START, store_of
    >>> store = store_of({"ann": "message_sent:0 message_sent:1 view:9"}, unit=timedelta(days=1))
    >>> known = features(store.snapshot(), START + timedelta(days=4)).X
    >>> known.loc["ann", ["messages_28", "daily_messages", "days_since_last_active"]].tolist()
    [2.0, 0.5, 3.0]
    """
    since = cutoff - timedelta(days=WINDOW_DAYS)
    called = queries.text("raids_called", snapshot.engine, room="models")
    raids = snapshot.query(called, {"since": since, "cutoff": cutoff})["raids"][0].as_py()
    facts = person_by_person(snapshot, ("features", "measures"), {"cutoff": cutoff})
    known = derived({str(name): facts[name].to_numpy() for name in facts}, raids=raids)
    X = pd.DataFrame(known, index=facts.index, copy=False)
    return FeatureFrame(X=X, cutoff=cutoff, data_version=snapshot.data_version)


def person_by_person(snapshot: Snapshot, names: tuple[str, ...], params: dict[str, object]) -> pd.DataFrame:
    """Ask questions of this room that give one row per person, part by part, so that little is in memory at once.

    Args:
        snapshot: The events.
        names: The questions: the first gives `user_id` and a row for everybody, all give `user_key`.
        params: What is bound in them.

    Returns:
        One row per person (index `user_id`, sorted), the columns of all of them.
    """
    whole, *more = (_asked(snapshot, name, params) for name in names)
    whole = whole.take(pc.sort_indices(whole["user_id"].combine_chunks()))
    columns = {name: whole[name] for name in whole.column_names if name not in {"user_key", "user_id"}}
    for table in more:  # aligned by numbers in Arrow: pandas takes several times as long to join by an index
        rows = pc.index_in(whole["user_key"], value_set=table["user_key"].combine_chunks())
        columns |= {name: table[name].take(rows) for name in table.column_names if name != "user_key"}
    index = pd.Index(whole["user_id"].to_pandas(), name="user_id")
    return pd.DataFrame({name: column.to_numpy() for name, column in columns.items()}, index=index, copy=False)


def _asked(snapshot: Snapshot, name: str, params: dict[str, object]) -> pa.Table:
    """Ask a question part by part; counts, which databases give types of their own, become floats."""
    sql = queries.text(name, snapshot.engine, room="models")
    found = pa.concat_tables([snapshot.query(sql, params, part=part) for part in range(snapshot.parts)])
    counted = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean)
    kinds = [
        field.with_type(pa.float64())
        if field.name != "user_key" and any(fits(field.type) for fits in counted)
        else field
        for field in found.schema
    ]
    return found.cast(pa.schema(kinds))


def derived(facts: Mapping[str, Numbers], *, raids: int) -> dict[str, Numbers]:
    """Turn the facts that SQL counted into rates: the columns of `FEATURES`.

    Args:
        facts: The columns of `sql/features.sql` and `sql/measures.sql`, a number or NaN per person.
        raids: How many the community called in the last 28 days.
    """
    known = {name: column if name in _UNKNOWN else np.nan_to_num(column) for name, column in facts.items()}
    known["has_wallet"] = (~np.isnan(known["days_since_wallet"])).astype(float)
    tenure, asked = known["tenure_days"], known["ai_interactions_28"]
    known["daily_messages"] = known["messages_28"] / tenure.clip(1, WINDOW_DAYS)
    known["days_between_visits"] = tenure.clip(1, 2 * WINDOW_DAYS) / known["active_days_56"].clip(1)
    known["overdue"] = known["days_since_last_active"] / known["days_between_visits"]
    known["engagement_decay"] = 1 - 4 * known["events_7"] / known["events_28"].clip(1)
    known["raid_participation"] = known["raids_28"] / max(raids, 1)
    known["ai_error_rate"] = known["ai_errors_28"] / np.where(asked > 0, asked, np.nan)
    return {name: known[name] for name in FEATURES}


def checked(X: pd.DataFrame, names: tuple[str, ...]) -> pd.DataFrame:
    """Return `X` with its columns in the order of `names`.

    Raises:
        ModelError: `X` has other columns than those the model was made for.
    """
    missing, extra = sorted(set(names) - set(X.columns)), sorted(set(X.columns) - set(names))
    if missing or extra:
        raise ModelError(f"the model was made for other features: missing {missing}, unexpected {extra}")
    return X[list(names)]


def enough(X: pd.DataFrame) -> None:
    """Refuse to learn from too little.

    Raises:
        NotEnoughData: Fewer than 50 rows, or no column with two different values.
    """
    if len(X) < MIN_EXAMPLES:
        raise NotEnoughData(f"there are {len(X)} examples to learn from; at least {MIN_EXAMPLES} are needed")
    if not (X.nunique() > 1).any():
        raise NotEnoughData(f"all {X.shape[1]} features are constant over {len(X)} examples; one must vary")


def version() -> str:
    """Name this definition of the features: eight hex digits of its SQL and its list."""
    text = SQL + "".join(f"\n{name}: {meaning}" for name, meaning in FEATURES.items())
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
