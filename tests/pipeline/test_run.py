from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.pipeline.conftest import ASK, tasks_of, write_events, write_notebook
from workbench.errors import InvalidArgument, NotEnoughData, PipelineError, SourceError, StoreNotFound, UnknownTask
from workbench.ingest.files import ingest
from workbench.pipeline import stamps
from workbench.pipeline.build import Kernel
from workbench.pipeline.run import Folders, run
from workbench.store import runs
from workbench.store.lake import LakeStore

ALL = dict.fromkeys(("ingestion", "cohorts", "funnels"), "succeeded")
NONE = dict.fromkeys(ALL, "skipped")


def text(project, name):
    return (project.root / "data/products" / f"{name}.txt").read_text()


def history(project):
    return runs.list_(project.root / "data/lake/control.db")


def test_a_first_run_builds_every_task_and_asks_up_to_the_day_of_the_latest_event(built):
    root, first = built
    assert (first.status, tasks_of(first)) == ("succeeded", ALL)
    assert json.loads((root / "reports" / first.run_id / "run.json").read_text())["until"] == "2026-01-03"
    assert first.report == root / "reports" / first.run_id / "index.html"
    assert "2026-01-03" in (root / "reports" / first.run_id / "funnels.html").read_text()


def test_nothing_runs_and_no_report_is_made_where_nothing_changed(project, again):
    done = again()
    assert (tasks_of(done), done.status) == (NONE, "succeeded")
    assert done.report == project.root / "reports/index.html"
    assert len(list((project.root / "reports").glob("2*"))) == 1


def test_a_changed_notebook_runs_alone(project, again):
    write_notebook(project.root / "notebooks/funnels.ipynb", *ASK, "'changed'")
    assert tasks_of(again()) == NONE | {"funnels": "succeeded"}


def test_another_date_runs_what_depends_on_it(again):
    assert tasks_of(again(date="2026-01-02")) == ALL | {"ingestion": "skipped"}


def test_new_events_in_the_source_run_everything_on_the_new_version(project, again):
    before = text(project, "cohorts")
    write_events(project.root / "events.jsonl", "ann", "ben", "cat")
    assert tasks_of(again()) == ALL
    assert int(text(project, "cohorts")) > int(before)


def test_events_ingested_by_others_run_everything_once(project, again):
    write_events(project.root / "more.jsonl", "dan")
    ingest(LakeStore(project.root / "data/lake"), project.root / "more.jsonl")
    assert tasks_of(again()) == ALL
    assert tasks_of(again()) == NONE


def test_a_change_of_the_package_runs_everything_and_the_same_file_changes_no_data(project, again, monkeypatch):
    before = text(project, "cohorts")
    monkeypatch.setattr(stamps, "code", lambda: "another")
    done = again()
    assert {task.detail for task in done.tasks if task.task == "ingestion"} == {"the package changed"}
    assert (tasks_of(done), text(project, "cohorts")) == (ALL, before)


def test_a_setting_that_can_change_a_number_runs_everything_and_another_does_not(project, again):
    (project.root / "workbench.yaml").write_text("port: 9000")
    assert tasks_of(again()) == NONE
    (project.root / "workbench.yaml").write_text("churn_days: 14")
    assert tasks_of(again()) == ALL


def test_one_task_can_be_forced_with_what_it_builds_on_and_is_reported_without_the_others(again):
    done = again(only="cohorts", force=True)
    assert tasks_of(done) == {"ingestion": "succeeded", "cohorts": "succeeded"}
    assert not (done.report.parent / "funnels.html").exists()
    assert (done.report.parent / "cohorts.html").exists()


def test_a_failing_cell_is_named_and_its_partial_notebook_kept_while_the_other_tasks_go_on(project, again):
    write_notebook(project.root / "notebooks/cohorts.ipynb", "1 + 1", "raise ValueError('no <b>good</b>')")
    with pytest.raises(PipelineError, match=r"cohorts: cell \[4\] raised ValueError: no <b>good</b>") as failure:
        again(force=True)
    done = history(project)[0]
    assert (done.status, tasks_of(done)) == ("failed", ALL | {"cohorts": "failed"})
    partial = project.root / "reports" / done.run_id / "cohorts.partial.ipynb"
    assert str(partial.relative_to(project.root)) in str(failure.value)
    assert '"2"' in partial.read_text()
    assert "no &lt;b&gt;good&lt;/b&gt;" in partial.with_name("cohorts.html").read_text()
    write_notebook(project.root / "notebooks/cohorts.ipynb", *ASK)
    assert tasks_of(again()) == NONE | {"cohorts": "succeeded"}


def test_what_builds_on_a_failed_task_does_not_run(project, again):
    (project.root / "events.jsonl").write_bytes(b"\x00" * 10)
    write_notebook(
        project.root / "notebooks/ingestion.ipynb", "1 / 0", parameters="lake = ''\nsource = None\nmapping = ''"
    )
    with pytest.raises(PipelineError, match=r"ZeroDivisionError.*not run because of that: cohorts, funnels"):
        again()


def test_a_killed_kernel_is_a_failed_task(project, again):
    write_notebook(project.root / "notebooks/funnels.ipynb", "import os; os.kill(os.getpid(), 9)")
    with pytest.raises(PipelineError, match="funnels: its kernel died"):
        again()
    assert tasks_of(history(project)[0]) == NONE | {"funnels": "failed"}


def test_ctrl_c_stops_the_notebooks_and_is_remembered_as_cancelled(project, again):
    write_notebook(
        project.root / "notebooks/funnels.ipynb", "import os; open('pid', 'w').write(str(os.getpid()))", "while 1: 0"
    )

    interrupted = []

    def interrupt(_):
        if not interrupted and (project.root / "pid").exists() and (project.root / "pid").read_text():
            interrupted.append(True)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        again(progress=interrupt)
    done = history(project)[0]
    assert (done.status, tasks_of(done)) == ("cancelled", NONE | {"funnels": "failed"})
    assert Kernel.groups == {}
    assert not Path(f"/proc/{(project.root / 'pid').read_text()}").exists()


def test_a_task_interrupted_by_a_crash_runs_again_and_its_run_is_called_failed(project, again):
    control = project.root / "data/lake/control.db"
    crashed = runs.begin(control, {})
    stamps.remove(project.root / "data/products", "funnels")
    assert tasks_of(again()) == NONE | {"funnels": "succeeded"}
    assert runs.show(control, crashed).status == "failed"


def test_two_runs_do_not_build_the_same_products_at_once(project, again):
    def another(_):
        with pytest.raises(PipelineError, match="another run is building"):
            again()

    assert tasks_of(again(progress=another)) == NONE


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"source": "nowhere.jsonl"}, SourceError, "nowhere.jsonl"),
        ({"date": "tomorrow"}, InvalidArgument, "'tomorrow' is no day"),
        ({"only": "cohort"}, UnknownTask, r"no task 'cohort' \(nearest: 'cohorts'\); there are"),
        ({"mapping": 5}, InvalidArgument, "ingestion.ipynb takes str as mapping, not 5"),
    ],
)
def test_what_cannot_be_run_is_refused_and_nothing_lost(again, options, error, words):
    with pytest.raises(error, match=words):
        again(**options)
    assert tasks_of(again()) == NONE


def test_a_mistyped_task_leaves_no_run_behind(project, again):
    before = len(history(project))
    with pytest.raises(UnknownTask):
        again(only="cohort")
    assert len(history(project)) == before


def test_a_lake_without_events_is_answered_with_what_to_do(project):
    empty = Folders(root=project.root, lake="data/empty")
    LakeStore(project.root / "data/empty")
    with pytest.raises(NotEnoughData, match="has no events: name an export"):
        run(empty)
    with pytest.raises(StoreNotFound, match="ingest a file first"):
        run(Folders(root=project.root, lake="data/none"))
