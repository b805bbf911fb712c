"""Who is behind a number that SQL counted: the people with any event of which a condition holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workbench.store.base import Snapshot


def who(snapshot: Snapshot, where: str, params: Mapping[str, object]) -> list[str]:
    """List the people who have an event of which a condition holds.

    Args:
        snapshot: The events.
        where: The condition as SQL, written by us.
        params: The values bound in it.

    Returns:
        `user_id`s, sorted.
    """
    found = snapshot.query(f"SELECT DISTINCT user_id FROM events WHERE {where}", params)  # noqa: S608 - our own words
    return sorted(found["user_id"].to_pylist())


JOINED = "event_type = 'raid_joined' AND raid_id = $raid AND occurred_at <= $now"
"""Who joined a raid."""

NEW_TO_RAIDS = f"""{JOINED} AND user_key NOT IN (
    SELECT e.user_key
    FROM events AS e
    JOIN (SELECT user_key, min(occurred_at) AS joined_at FROM events WHERE {JOINED} GROUP BY user_key) AS j
        ON e.user_key = j.user_key
    WHERE e.event_type = 'raid_joined' AND e.raid_id IS NOT NULL
        AND (e.occurred_at < j.joined_at OR (e.occurred_at = j.joined_at AND e.raid_id < $raid))
)"""  # noqa: S608 - our own words
"""Of them, those who had joined no raid before; of raids joined at one instant the first by its name is first."""
