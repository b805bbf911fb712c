"""One community, simulated once, that all tests look at."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from workbench.simulate import community


@dataclass(frozen=True)
class Simulated:
    """`days` as they arrived; `events` each once, with `properties` as dicts; the truth as frames."""

    days: list[pa.Table]
    events: pd.DataFrame
    users: pd.DataFrame
    raids: pd.DataFrame
    facts: dict[str, Any]

    def of(self, event_type: str) -> pd.DataFrame:
        """Events of one type, each property a column."""
        rows = self.events[self.events["event_type"] == event_type].reset_index(drop=True)
        properties = pd.DataFrame([json.loads(text) for text in rows["properties"]], index=rows.index)
        return rows.drop(columns="properties").join(properties)


@pytest.fixture(scope="session")
def simulated() -> Simulated:
    crowd = community(users=3000, days=90, seed=11)
    days = list(crowd)
    events = pa.concat_tables(days).to_pandas().drop_duplicates("event_id")
    truth = crowd.truth
    users = truth.users.to_pandas().set_index("user_id", drop=False)
    return Simulated(days, events, users, truth.raids.to_pandas(), truth.facts)
