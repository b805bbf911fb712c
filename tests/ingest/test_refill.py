from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from workbench.errors import LostEventsWarning
from workbench.ingest import audit
from workbench.ingest.files import ingest
from workbench.ingest.refill import refill
from workbench.store.lake import LakeStore
from workbench.store.repair import repair

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture
def export(tmp_path):
    path = tmp_path / "export.jsonl"
    lines = [
        {"event_id": str(user), "event_type": "view", "user_id": f"u{user}", "occurred_at": "2026-01-05T10:00:00Z"}
        for user in range(40)
    ]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in [*lines, {"event_id": "broken"}]))
    return path


@pytest.fixture
def lake(tmp_path, export):
    lake = LakeStore(tmp_path / "lake")
    ingest(lake, export, now=NOON)
    return lake


def count(lake, **seen):
    return lake.snapshot(**seen).query("SELECT count(*) AS n FROM events")["n"].to_pylist()[0]


@pytest.mark.filterwarnings("ignore::workbench.errors.LostEventsWarning")
def test_what_was_lost_comes_back_as_it_was_known(lake, export):
    first, *_ = lake.snapshot().files
    (lake.root / first.path).unlink()
    repair(lake.path, expected={}, now=NOON)
    assert count(lake) == 40 - first.rows
    again = refill(lake, export)
    assert (again.recovered, again.missing, count(lake), count(lake, known_at=NOON)) == (first.rows, (), 40, 40)
    assert audit.differences(lake, {}) == []
    assert refill(lake, export).recovered == 0


def test_an_export_that_lacks_some_leaves_the_gap_open(lake, export, tmp_path):
    for file in lake.snapshot().files:
        (lake.root / file.path).unlink()
    repair(lake.path, expected={}, now=NOON)
    part = tmp_path / "part.jsonl"
    part.write_text("".join(export.read_text().splitlines(keepends=True)[:30]))
    again = refill(lake, part)
    assert (again.recovered, sum(loss.missing for loss in again.missing)) == (30, 10)
    with pytest.warns(LostEventsWarning, match="are lost"):
        LakeStore(lake.path)
