from __future__ import annotations

from datetime import UTC, datetime

import pytest

from workbench.ingest import audit, ledger
from workbench.ingest.ledger import Entry
from workbench.store.base import STORED_EVENT
from workbench.store.lake import LakeStore

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path):
    lake = LakeStore(tmp_path / "lake")
    lake.append_all(STORED_EVENT.empty_table(), moved={"csv-a": (0, 7), "events-0": (0, 5)})
    return lake


def note(lake, position, *, finished):
    ledger.begin(lake.control, Entry("csv-a", "a.csv", "native"), now=NOON)
    ledger.note(lake.control, "csv-a", position=position, finished_at=NOON if finished else None)


@pytest.mark.parametrize(
    ("position", "finished", "differs"),
    [(7, True, False), (7, False, False), (0, False, False), (9, False, True), (9, True, True), (5, True, True)],
)
def test_a_ledger_that_says_other_than_the_log_is_a_difference_unless_it_was_only_killed(
    lake, position, finished, differs
):
    note(lake, position, finished=finished)
    assert bool(audit.differences(lake, {})) == differs


def test_live_numbers_are_never_ahead_of_history(lake):
    assert audit.differences(lake, {"events-0": 5}) == []
    (difference,) = audit.differences(lake, {"events-0": 8})
    assert str(difference).startswith("events-0: live numbers end at 8, the store at 5: rows 5 to 8 may be missing")


def test_the_furthest_of_all_records_is_what_is_expected(lake):
    note(lake, 9, finished=True)
    assert audit.recorded_positions(lake, {"events-0": 8}) == {"csv-a": 9, "events-0": 8}


def test_a_new_lake_has_no_differences(tmp_path):
    assert audit.differences(LakeStore(tmp_path / "new"), {}) == []
