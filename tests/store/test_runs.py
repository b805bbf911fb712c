from __future__ import annotations

import pytest

from workbench.errors import InvalidArgument
from workbench.store import runs
from workbench.store.runs import TaskRun


def test_a_run_is_remembered_with_its_tasks(tmp_path):
    control = tmp_path / "control.db"
    run_id = runs.begin(control, {"source": "a.jsonl", "force": False})
    assert runs.show(control, run_id).status == "running"
    runs.record(control, run_id, TaskRun(task="cohorts", status="succeeded", seconds=1.5, detail="forced"))
    runs.end(control, run_id, status="succeeded", data_version="7-ab")
    run = runs.show(control, run_id)
    assert (run.status, run.data_version, run.params) == ("succeeded", "7-ab", {"source": "a.jsonl", "force": False})
    assert run.tasks == (TaskRun(task="cohorts", status="succeeded", seconds=1.5, detail="forced"),)
    assert run.finished_at >= run.started_at


def test_the_latest_runs_come_first(tmp_path):
    ids = [runs.begin(tmp_path / "control.db", {}) for _ in range(3)]
    assert [run.run_id for run in runs.list_(tmp_path / "control.db", limit=2)] == ids[:0:-1]


def test_an_id_may_be_shortened_but_not_to_two_runs(tmp_path):
    control = tmp_path / "control.db"
    run_id = runs.begin(control, {})
    assert runs.show(control, run_id[:-2]).run_id == run_id
    runs.begin(control, {})
    for wrong in (run_id[:4], "nothing%"):
        with pytest.raises(InvalidArgument, match="runs have an id that begins with"):
            runs.show(control, wrong)


def test_a_run_whose_process_died_is_called_failed(tmp_path):
    control = tmp_path / "control.db"
    died, ended = runs.begin(control, {}), runs.begin(control, {})
    runs.end(control, ended, status="cancelled", data_version=None, detail="Ctrl-C")
    runs.end_abandoned(control)
    assert [runs.show(control, run_id).status for run_id in (died, ended)] == ["failed", "cancelled"]
