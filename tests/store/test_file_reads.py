"""Columns that decide what is new come from verified bytes, without deleted events."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from tests.store import foreign
from workbench.errors import StoreCorrupt
from workbench.events import to_table
from workbench.store import duck, file_reads
from workbench.store.lake import LakeStore
from workbench.testing import events_of


@pytest.fixture
def lake(tmp_path):
    lake = LakeStore(tmp_path / "lake")
    events = to_table(events_of({"ann": "view:0 buy:9"})).append_column("position", pa.array([0, 1], pa.int64()))
    lake.append(events, source="file", start=0, end=2, ingested_at=datetime(2026, 1, 5, 12, tzinfo=UTC))
    return lake


def related(lake):
    engine = duck.connect(allowed=[lake.path])
    source = file_reads.relation(engine, lake.root, lake.snapshot().files, "event_id")
    return duck.select(engine, f"SELECT event_id FROM {source}", {})["event_id"].to_pylist()


def read(lake):
    return file_reads.columns(lake.root, lake.snapshot().files[0], ["event_id"])["event_id"].to_pylist()


@pytest.mark.parametrize("how", [related, read])
def test_deleted_events_are_left_out_and_damage_is_refused(lake, how):
    assert how(lake) == ["ann/0/view", "ann/1/buy"]
    (file,) = lake.snapshot().files
    foreign.delete_rows(lake.root, file.path, [0])
    assert how(lake) == ["ann/1/buy"]
    path = lake.root / file.path
    content = bytearray(path.read_bytes())
    content[400] ^= 16
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt, match=path.name):
        how(lake)


def test_no_files_have_no_relation(lake):
    assert file_reads.relation(duck.connect(), lake.root, [], "event_id") is None
