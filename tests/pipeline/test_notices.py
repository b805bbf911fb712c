from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from workbench.config import Settings
from workbench.pipeline import notices
from workbench.store.job_runs import JobRun

RUN = JobRun(
    run_id="j1", job="pipeline", due_at=datetime(2026, 11, 23, 12, tzinfo=UTC), command=("run", "--date=x"),
    status="failed", attempt=2, not_before=None, started_at=None, finished_at=None, pid=None, pid_started=None,
    exit_code=1, peak_mb=321.0, log=None, detail="cohorts: cell [3] raised ValueError: <no>", cancelled_by=None,
)  # fmt: skip


def test_a_notice_names_the_job_the_cell_and_the_end_of_the_log(tmp_path):
    log = tmp_path / "j1.log"
    log.write_text("one\n" * 5_000 + "the very last line\n")
    told = notices.message(replace(RUN, log=str(log)))
    assert told.subject == "Workbench: pipeline failed"
    for part in ("cell [3] raised ValueError", "the very last line", "2026-11-23 12:00 UTC", "workbench run --date=x"):
        assert part in told.text
    assert "&lt;no&gt;" in told.html
    assert len(told.text) < 5_000


def test_who_cannot_be_told_is_named_and_keeps_nothing_from_the_others(tmp_path):
    said = []
    notices.failed(RUN, ["mailto:a@b.c", f"folder:{tmp_path}/out"], Settings(), told=said.append)
    assert [line.partition(" was not told")[0] for line in said] == ["pipeline j1: mailto:a@b.c"]
    assert (tmp_path / "out/j1").is_dir()
