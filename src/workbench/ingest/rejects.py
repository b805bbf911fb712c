"""What was set aside: look at it, and try it again once the reason is gone."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec
import pyarrow as pa

from workbench.errors import InvalidArgument
from workbench.events import REASONS, Event, Reason, Reject, to_table
from workbench.ingest import mappings
from workbench.ingest.batches import POSITIONED
from workbench.ingest.identity import replayed_id
from workbench.ingest.ledger import format_of, known_key
from workbench.ingest.rows import NO_ID, reader
from workbench.ingest.summary import Summary
from workbench.store import control
from workbench.times import DEFAULT_RULES, NaiveTimes, TimeRules

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pandas as pd

    from workbench.ingest.files import Destination
    from workbench.store.event_ids import Repeats

REPLAY: Final = "replay"
"""The source of events that came in by a replay."""

_FINAL: Final = frozenset[Reason](("too_large", "bad_row"))
_PAGE: Final = 1_000

_Reader: TypeAlias = Callable[[bytes], Event | Reject]


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """One row that is no event; `size_bytes` is that of the whole row, also where only its beginning was kept."""

    reject_id: str
    source: str
    name: str
    mapping: str
    position: int
    reason: Reason
    detail: str
    original: bytes
    size_bytes: int
    rejected_at: str
    replayed_at: str | None

    @property
    def is_whole(self) -> bool:
        """Whether all of it was kept, so that it can be replayed."""
        return len(self.original) == self.size_bytes


_COLUMNS: Final = ", ".join(field.name for field in fields(RejectedRow))
_CHOSEN: Final = "(:reason IS NULL OR reason = :reason) AND (:source IS NULL OR source = :source)"


def list_(
    path: Path, *, reason: str | None = None, source: str | None = None, limit: int | None = None
) -> list[RejectedRow]:
    """List what was set aside, the newest first.

    Args:
        path: The control file of the store.
        reason: Only what was rejected for this reason.
        source: Only what came from this source.
        limit: At most so many.

    Raises:
        InvalidArgument: There is no such reason.
    """
    chosen = {"reason": _known(reason), "source": source, "limit": -1 if limit is None else limit}
    order = "ORDER BY rejected_at DESC, source, position LIMIT :limit"
    with control.connect(path) as connection:
        rows = connection.execute(f"SELECT {_COLUMNS} FROM rejects WHERE {_CHOSEN} {order}", chosen)  # noqa: S608
        return [RejectedRow(*row) for row in rows]


def counted(path: Path, *, until: str | None = None) -> pd.DataFrame:
    """Count what was set aside before an instant (ISO 8601, UTC): one row per reason, with `rows` and `latest`."""
    import pandas as pd  # noqa: PLC0415 - nobody else here needs it

    with control.connect(path) as connection:
        rows = connection.execute(
            "SELECT reason, count(*) AS rows, max(rejected_at) AS latest FROM rejects"
            " WHERE :until IS NULL OR rejected_at <= :until GROUP BY reason ORDER BY rows DESC, reason",
            {"until": until},
        ).fetchall()
    return pd.DataFrame([tuple(row) for row in rows], columns=["reason", "rows", "latest"]).set_index("reason")


def show(path: Path, reject_id: str) -> RejectedRow:
    """Return one row that was set aside, by its id or the beginning of it.

    Raises:
        InvalidArgument: No id begins like this, or several do.
    """
    with control.connect(path) as connection:
        query = f"SELECT {_COLUMNS} FROM rejects WHERE substr(reject_id, 1, :length) = :id LIMIT 2"  # noqa: S608
        found = connection.execute(query, {"id": reject_id, "length": len(reject_id)}).fetchall()
    if len(found) != 1:
        raise InvalidArgument(
            f"{'several rejects have' if found else 'no reject has'} an id that begins with {reject_id!r}: "
            "`workbench rejects list` prints the ids"
        )
    return RejectedRow(*found[0])


def replay(
    store: Destination,
    *,
    ids: Sequence[str] | None = None,
    reason: str | None = None,
    source: str | None = None,
    mapping: str | Path | None = None,
    now: datetime | None = None,
    rules: TimeRules = DEFAULT_RULES,
) -> Summary:
    """Try rows again that were set aside; what is an event now goes into the store, once.

    A row that was too long to be kept whole cannot be replayed, nor one that had other columns than its
    table; they stay rejected as `too_large` and `bad_row`.

    Args:
        store: Where they were set aside, and where to.
        ids: Only these; ids, or the beginnings of ids.
        reason: Only what was rejected for this reason.
        source: Only what came from this source.
        mapping: Read them by another mapping than at first.
        now: The ingesting clock; the present when not given.
        rules: Zone of times that have none, where the mapping names none, and the first instant that is allowed.

    Raises:
        InvalidArgument: There is no such id or reason.
        InvalidMapping: The mapping they were read by is gone or changed for the worse.
    """
    started, now = time.perf_counter(), now or datetime.now(UTC)
    store.maintain()
    readers = _Readers(store.control, mapping, now, rules)
    read, events, rejected = 0, 0, Counter[str]()
    for page in _pages(store.control, ids=ids, reason=_known(reason), source=source):
        found = [(row, readers.read(row, ordinal)) for row, ordinal in page]
        accepted = {row.reject_id: event for row, event in found if isinstance(event, Event)}
        rejected.update(reject.reason for _, reject in found if isinstance(reject, Reject))
        conflicts = _commit(store, accepted, now)
        rejected.update({"conflicting_id": conflicts} if conflicts else {})
        read, events = read + len(found), events + len(accepted) - conflicts
    duplicates = store.maintain()
    return Summary(
        files=0,
        read=read,
        accepted=max(0, events - duplicates),
        duplicates=duplicates,
        rejected=dict(rejected),
        seconds=time.perf_counter() - started,
        naive=readers.naive,
        zone=readers.zone,
    )


class _Readers:
    """Reads rows by the mapping and the format that each came by."""

    def __init__(self, control: Path, mapping: str | Path | None, now: datetime, rules: TimeRules) -> None:
        self._control, self._mapping, self._now, self._rules = control, mapping, now, rules
        self._by: dict[tuple[str, str], _Reader] = {}
        self._each: list[TimeRules] = []

    @property
    def naive(self) -> NaiveTimes:
        """How many times without a zone there were."""
        total = NaiveTimes()
        for rules in self._each:
            total.add(rules.naive)
        return total

    @property
    def zone(self) -> str:
        """The zones that they were read in."""
        return ", ".join(sorted({rules.zone for rules in self._each if rules.naive.read})) or self._rules.zone

    def read(self, row: RejectedRow, ordinal: int) -> Event | Reject:
        """Read one row, which is number `ordinal` among identical ones of its source."""
        if row.reason in _FINAL:
            return Reject(row.reason, row.detail, row.original)
        key = (str(self._mapping or row.mapping), format_of(row.source))
        if key not in self._by:
            mapping = known_key(self._control, mappings.load(key[0]))
            rules = self._rules.fresh(mapping.timezone)
            self._each.append(rules)
            self._by[key] = reader(mapping, format=key[1], now=self._now, rules=rules)
        found = self._by[key](row.original)
        if isinstance(found, Event) and found.event_id == NO_ID:
            return msgspec.structs.replace(found, event_id=replayed_id(row.original, ordinal))
        return found


def _commit(store: Destination, accepted: dict[str, Event], now: datetime) -> int:
    """Append events, then mark their rejects; if that is interrupted, the same ids come again and count once.

    One that has the id of another event stays a reject, now for that reason; return how many do.
    """
    if not accepted:
        return 0
    start = store.position(REPLAY)
    end = start + len(accepted)
    positions = pa.array(range(start, end), pa.int64())
    events = to_table(list(accepted.values())).append_column(POSITIONED.field("position"), positions)
    conflicts: dict[str, str] = {}

    def keep(repeats: Repeats) -> None:
        ids = [*accepted]
        rows = [ids[position - start] for position in repeats.conflicts["position"].to_pylist()]
        conflicts.update(zip(rows, repeats.conflicts["detail"].to_pylist(), strict=True))

    store.append(events, source=REPLAY, start=start, end=end, ingested_at=now, on_repeats=keep)
    with control.connect(store.control) as connection:
        marks = [(now.isoformat(), reject_id) for reject_id in accepted if reject_id not in conflicts]
        connection.executemany("UPDATE rejects SET replayed_at = ? WHERE reject_id = ?", marks)
        reasons = [("conflicting_id", detail, reject_id) for reject_id, detail in conflicts.items()]
        connection.executemany("UPDATE rejects SET reason = ?, detail = ? WHERE reject_id = ?", reasons)
    return len(conflicts)


def _pages(path: Path, *, ids: Sequence[str] | None, **chosen: str | None) -> Iterator[list[tuple[RejectedRow, int]]]:
    """Yield rows that were not replayed yet, each with its number among identical ones of its source."""
    wanted = None if ids is None else {show(path, reject_id).reject_id for reject_id in ids}
    with control.connect(path) as connection:
        ordinals = {
            row["reject_id"]: row["ordinal"]
            for row in connection.execute(_WAITING, chosen)
            if wanted is None or row["reject_id"] in wanted
        }
    waiting = list(ordinals)
    for start in range(0, len(waiting), _PAGE):
        with control.connect(path) as connection:
            page = [RejectedRow(*connection.execute(_ONE, (key,)).fetchone()) for key in waiting[start : start + _PAGE]]
        yield [(row, ordinals[row.reject_id]) for row in page]


_WAITING: Final = f"""
    WITH numbered AS (
        SELECT reject_id, source, position, reason, replayed_at,
            row_number() OVER (PARTITION BY source, original ORDER BY position) - 1 AS ordinal
        FROM rejects
    )
    SELECT reject_id, ordinal FROM numbered WHERE replayed_at IS NULL AND {_CHOSEN} ORDER BY source, position
"""  # noqa: S608 - only names of ours are formatted in
_ONE: Final = f"SELECT {_COLUMNS} FROM rejects WHERE reject_id = ?"  # noqa: S608


def _known(reason: str | None) -> str | None:
    if reason is not None and reason not in REASONS:
        raise InvalidArgument(f"no reason {reason!r}: there are {', '.join(REASONS)}")
    return reason
