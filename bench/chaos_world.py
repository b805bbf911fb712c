"""The lake that chaos damages, and the questions that are asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Final

import msgspec
import pyarrow as pa

from workbench.bench import Bench
from workbench.ingest.files import ingest
from workbench.store.lake import LakeStore

if TYPE_CHECKING:
    from pathlib import Path

EXPORTS: Final = range(3)
PEOPLE: Final = 120
DAYS: Final = 24
SORTED: Final = 2
"""So many of the exports are sorted into cells; the others wait in the tail."""

FIRST: Final = datetime(2026, 1, 5, tzinfo=UTC)
_TYPES: Final = ("user_joined", "message_sent", "purchase")
_COLUMNS: Final = (
    "event_id", "event_type", "user_id", "platform", "session_id", "value", "properties", "occurred_at", "user_key",
)  # fmt: skip


@dataclass(frozen=True)
class Answers:
    """What the questions gave."""

    events: int
    columns: tuple[object, ...]
    funnel: str
    active: str


def export(folder: Path, number: int) -> Path:
    """Write an export of one third of the community's events; the same for the same number."""
    path = folder / f"export-{number}.jsonl"
    if not path.exists():
        path.write_bytes(b"".join(msgspec.json.encode(each) + b"\n" for each in _events(number)))
    return path


def _events(number: int) -> list[dict[str, object]]:
    return [
        {
            "event_id": f"e{number}-{user}-{turn}",
            "event_type": _TYPES[turn % 3],
            "user_id": f"u{user}",
            "platform": ("discord", "web")[user % 2],
            "session_id": f"s{user}-{turn // 2}",
            "occurred_at": (FIRST + timedelta(minutes=(user * 7919 + turn * 104_729) % (DAYS * 1440))).isoformat(),
            "value": float(turn) + user / 7,
            "properties": {"chars": (user * turn) % 200},
        }
        for user in range(number, PEOPLE, len(EXPORTS))
        for turn in range(12)
    ]


def build(folder: Path) -> Path:
    """Make a lake of all exports: some sorted into cells, the last one still in the tail, as a stream leaves it."""
    lake = LakeStore(folder / "lake")
    for number in EXPORTS:
        path = export(folder.parent, number)
        if number < SORTED:
            ingest(lake, path)
        else:
            _ingest_unsorted(lake, path)
    return lake.path


def _ingest_unsorted(lake: LakeStore, path: Path) -> None:
    maintain, lake.maintain = lake.maintain, lambda **_: 0  # type: ignore[method-assign]
    try:
        ingest(lake, path)
    finally:
        lake.maintain = maintain  # type: ignore[method-assign]


@cache
def repeated() -> pa.Table:
    """Return events that the lake has already, as another source would bring them later."""
    import tempfile  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="workbench-chaos-") as folder:
        lake = LakeStore(build(Path(folder) / "world"))
        events = lake.snapshot().query("SELECT * FROM events ORDER BY event_id")
    late = pa.repeat(pa.scalar(datetime(2030, 1, 1, tzinfo=UTC), pa.timestamp("us", "UTC")), events.num_rows)
    return events.set_column(events.schema.get_field_index("ingested_at"), "ingested_at", late)


def answers(lake: Path) -> Answers:
    """Ask a store that was opened just now: a sum over each column, a funnel, and active users."""
    bench = Bench(LakeStore(lake, create=False))
    sums = ", ".join(f"sum(hash({name})::HUGEINT) AS {name}" for name in _COLUMNS)
    (row,) = bench.snapshot.query(f"SELECT count(*) AS n, {sums} FROM events").to_pylist()
    end = FIRST + timedelta(days=DAYS)
    funnel = bench.funnel(list(_TYPES), within="30d", now=end)
    active = bench.active_users(since=FIRST, until=end)
    return Answers(row["n"], tuple(str(row[name]) for name in _COLUMNS), funnel.frame.to_csv(), active.frame.to_csv())
