"""Tables that other tools read beside the events, written from those that are seen; writing them again changes nothing.

Each is replaced row by row, by its key: who reads one asks for the row that was written last, with `FINAL`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from importlib import resources
from typing import TYPE_CHECKING, Final

from workbench.store.clickhouse_snapshot import over

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.config import TokenPrice
    from workbench.store.clickhouse import ClickHouseStore

TABLES: Final[dict[str, str]] = {
    "user_profiles": "user_key, user_id, as_of, first_seen, last_seen, events, platforms",
    "platform_activity": "user_key, user_id, platform, day, events",
    "user_journeys": "user_key, user_id, journey_id, start_time, end_time, total_steps, conversion_points",
    "sentiment_analysis": "message_id, timestamp, sentiment_score, emotion, confidence, keywords, language",
    "ai_performance": (
        "interaction_id, timestamp, model, response_time_ms, tokens_used, cost_usd, quality_score, user_satisfaction,"
        " context_relevance"
    ),
    "experiments": "experiment, unit_id, variant, exposed_at",
}
"""Each table, and the columns that its question gives."""


def fill(
    store: ClickHouseStore,
    *,
    now: datetime,
    since: datetime | None = None,
    prices: Mapping[str, TokenPrice] | None = None,
) -> dict[str, int]:
    """Write the tables from the events that are seen.

    Args:
        store: Where.
        now: Later events are not looked at; profiles are as of here.
        since: Look at what occurred from the beginning of this day (UTC) on; at everything if `None`. Profiles and
            experiments are always of everything.
        prices: USD per million tokens of AI models.

    Returns:
        How many rows each table has now, those that are replaced left out.
    """
    begin = (
        datetime(1970, 1, 2, tzinfo=now.tzinfo)
        if since is None
        else since.replace(hour=0, minute=0, second=0, microsecond=0)
    )
    known = dict(sorted((prices or {}).items()))
    rates = {
        "models": [*known], "inputs": [price.input for price in known.values()],
        "caches": [price.input if price.cached is None else price.cached for price in known.values()],
        "outputs": [price.output for price in known.values()],
    }  # fmt: skip
    snapshot = store.snapshot()
    seen, bound = snapshot.seen()
    counts = {}
    for table, columns in TABLES.items():
        sql = (resources.files("workbench.store") / "tables" / f"{table}.sql").read_text(encoding="utf-8")
        given = {"now": now, "since": begin + timedelta(0), **(rates if table == "ai_performance" else {}), **bound}
        used = {name: value for name, value in given.items() if f"${name}" in sql + seen}
        store.command(f"INSERT INTO {table} ({columns}) {over(seen, sql)}", used)
        counts[table] = int(store.select(f"SELECT count() AS n FROM {table} FINAL")["n"].to_pylist()[0])  # noqa: S608
    return counts
