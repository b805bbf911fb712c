"""Live numbers that ClickHouse adds up itself, in views of what is inserted: as of the newest complete batch.

They are read as those of `LiveStore` are. What only somebody can know who saw the messages is not there: how many were
rejected or repeated, and which windows grew after they were closed. Nothing is ever too late: what comes late is in the
next picture.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from workbench.store import live_raids, live_sketch
from workbench.store.clickhouse_schema import migrations
from workbench.store.clickhouse_snapshot import seen
from workbench.store.live import Picture
from workbench.store.live_batch import ASKED, RAID, RaidEvent, event_hashes, named, outcomes
from workbench.store.live_minutes import Minute, counted
from workbench.store.live_state import MINUTE, SECOND, Held, Policy, Source, State, instant, micros

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import pyarrow as pa
    from numpy.typing import NDArray

    from workbench.store.clickhouse import ClickHouseStore
    from workbench.store.clickhouse_log import Head

_SOURCES: Final = """
    SELECT source, max(newest) AS latest, max(read_at) AS seen_at, toInt64(uniqExactMerge(events)) AS counted
    FROM live_sources WHERE {seen} GROUP BY source
"""
_POSITIONS: Final = """
    SELECT source, argMax(position, batch) AS reached FROM positions WHERE {seen} GROUP BY source
"""
_CHANGED: Final = """
    SELECT DISTINCT toInt64(intDiv(toUnixTimestamp(minute), 60)) AS place FROM live_people
    WHERE minute >= $oldest AND batch > $after AND {seen}
"""
_CELLS: Final = """
    SELECT toInt64(toUnixTimestamp(second)) AS moment, platform, event_type, toInt64(uniqExactMerge(events)) AS counted
    FROM live_cells WHERE second >= $oldest AND has($minutes, intDiv(toUnixTimestamp(second), 60)) AND {seen}
    GROUP BY second, platform, event_type
"""
_PEOPLE: Final = """
    SELECT DISTINCT toInt64(intDiv(toUnixTimestamp(minute), 60)) AS place, user_key
    FROM live_people WHERE minute >= $oldest AND has($minutes, intDiv(toUnixTimestamp(minute), 60)) AND {seen}
    ORDER BY place, user_key
"""
_TOLD: Final = """
    SELECT
        any(event_type) AS kind, toUnixTimestamp64Micro(any(occurred_at)) AS occurred,
        any(user_key) AS user, any(raid_id) AS raid, any(properties) AS told
    FROM live_told WHERE occurred_at >= $oldest AND event_type IN $types AND {seen}
    GROUP BY event_key
"""
_IDS: Final = """
    SELECT event_id FROM events WHERE occurred_at >= $since AND occurred_at < $until AND {seen}
"""
_BEGUN: Final = """
    SELECT
        (SELECT toUnixTimestamp64Milli(max(at)) FROM migrations WHERE kind = 'done' AND number = $views) AS made,
        (SELECT toUnixTimestamp64Milli(min(at)) FROM batches WHERE kind = 'complete') AS begun
"""


@dataclass(slots=True)
class _Known:
    """What was read last: up to which batch, and the minutes as they were then."""

    batch: int = 0
    minutes: dict[int, Minute] = field(default_factory=dict)
    held: dict[int, Held] = field(default_factory=dict)


class ViewsLive:
    """Numbers of the last hour or so out of views; see `base.Live` and `live.LiveStore`."""

    size: Final = 0

    def __init__(self, store: ClickHouseStore, policy: Policy | None = None) -> None:
        """Take the store whose views they are, and how event time is read."""
        self._store, self.policy = store, policy or Policy()
        self._known = _Known()
        self._generation = secrets.token_hex(4)
        self._whole: int | None = None

    @property
    def name(self) -> str:
        """Where they are."""
        return f"views of {self._store.name}"

    def close(self) -> None:
        """Leave the store to whoever opened it."""

    def position(self, source: str) -> int:
        """Return where to resume reading: where history does, for both are written in one step."""
        return self._store.position(source)

    def apply(
        self, events: pa.Table, *, moved: Mapping[str, tuple[int, int]], rejected: Mapping[str, int], now: datetime
    ) -> None:
        """Do nothing: history got the events, and the views with it."""
        del events, moved, rejected, now

    def state(self) -> State:
        """Return where they have come to."""
        return self._state(self._store.head())

    def picture(self) -> Picture:
        """Read all that is kept, as of the newest complete batch; minutes that did not change are not read again."""
        head = self._store.head()
        state = self._state(head)
        if state.oldest is None:
            return Picture(self.name, state, {}, {})
        self._read_minutes(head, state.oldest)
        state.minutes = dict(self._known.held)
        raids = self._raids(head, state, state.oldest)
        return Picture(self.name, state, dict(self._known.minutes), raids)

    def ids(self, minute: int) -> NDArray[np.uint64]:
        """Return the hashes of the ids of the events of a minute, ascending."""
        since, until = (instant(each * MINUTE * SECOND) for each in (minute, minute + 1))
        found = self._select(_IDS, self._store.head(), since=since, until=until)
        return np.sort(event_hashes(found["event_id"]))

    def _state(self, head: Head) -> State:
        state = State(generation=self._generation, policy=self.policy, transaction=head.batch)
        if not head.batch:
            return state
        positions = self._select(_POSITIONS, head)
        reached = dict(zip(positions["source"].to_pylist(), positions["reached"].to_pylist(), strict=True))
        for row in self._select(_SOURCES, head).to_pylist():
            position = reached.get(row["source"], 0)
            state.sources[row["source"]] = Source(
                position=position, watermark=micros(row["latest"]),
                seen_at=micros(row["seen_at"]), counted=row["counted"],
            )  # fmt: skip
        state.advance(max((source.seen_at for source in state.sources.values()), default=0))
        if state.oldest is not None:
            state.known_from = max(state.oldest, self._whole_from())
        return state

    def _whole_from(self) -> int:
        """Return the second from which on the views saw everything: they may be younger than the events."""
        if self._whole is None:
            number = next(each.number for each in migrations() if each.name == "live views")
            (row,) = self._store.read(_BEGUN, {"views": number}).to_pylist()
            self._whole = 0 if row["made"] <= row["begun"] else -(-row["made"] // 1_000)
        return self._whole

    def _read_minutes(self, head: Head, oldest: int) -> None:
        """Read the minutes that changed since the last time; forget those that are too old."""
        known = self._known
        for minute in [minute for minute in known.minutes if minute * MINUTE < oldest]:
            del known.minutes[minute], known.held[minute]
        since = {"oldest": instant(oldest * SECOND)}
        changed = self._select(_CHANGED, head, after=known.batch, **since)["place"].to_pylist()
        if changed:
            asked = {**since, "minutes": changed}
            told = self._select(_TOLD, head, types=[*ASKED], **since)
            read = _minutes(self._select(_CELLS, head, **asked), self._select(_PEOPLE, head, **asked), told, changed)
            known.minutes.update(read)
            known.held.update({minute: Held(head.batch) for minute in read})
        known.batch = head.batch

    def _raids(self, head: Head, state: State, oldest: int) -> dict[str, live_raids.Joined]:
        """Read what was told of raids that may be in progress still; return who joined each."""
        since = instant((oldest - live_raids.LONGEST) * SECOND)
        rows = self._select(_TOLD, head, types=[*RAID], oldest=since).to_pylist()
        told = [
            RaidEvent(row["raid"], row["kind"], row["occurred"], row["user"]) for row in rows if row["raid"] is not None
        ]
        joins, joined = live_raids.tell(state.raids, told), {}
        for raid_id in live_raids.over(state.raids, oldest * SECOND):
            del state.raids[raid_id]
        for raid_id in state.raids:
            joined[raid_id] = live_raids.Joined()
            events = joins.get(raid_id, [])
            joined[raid_id].add([event.user for event in events], [event.occurred for event in events])
        return joined

    def _select(self, sql: str, head: Head, **params: object) -> pa.Table:
        condition, bound = seen(head)
        return self._store.read(sql.format(seen=condition), {**params, **bound})


def _minutes(cells: pa.Table, people: pa.Table, told: pa.Table, changed: list[int]) -> dict[int, Minute]:
    """Make minutes of what was read of them."""
    platform, event_type = named(cells["platform"]), named(cells["event_type"])
    second = cells["moment"].to_numpy()
    rows = np.column_stack([second % MINUTE, platform.codes, event_type.codes, cells["counted"].to_numpy()])
    there, users = people["place"].to_numpy(), people["user_key"].to_numpy()
    failed, response_ms = outcomes(told["told"])
    asked, places = told["occurred"].to_numpy() // SECOND, live_sketch.bins(response_ms)
    found = {}
    for minute in changed:
        mine = asked // MINUTE == minute
        timed = mine & (places != live_sketch.NONE)
        found[minute] = Minute(
            platforms=list(platform.values),
            types=[str(name) for name in event_type.values],
            cells=rows[second // MINUTE == minute],
            bins=counted(Minute().bins, np.column_stack([asked[timed] % MINUTE, places[timed]])),
            errors=np.bincount(asked[mine & failed] % MINUTE, minlength=MINUTE),
            users=users[there == minute],
        )
    return found
