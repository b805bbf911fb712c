from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from workbench.bench import open_
from workbench.dashboards import pages
from workbench.dashboards.definition import Number, Rows, Said, View
from workbench.dashboards.shows import runs
from workbench.store import job_runs
from workbench.store import runs as history

NOW = datetime.now(UTC)


@pytest.fixture
def bench(tmp_path, monkeypatch):
    (tmp_path / "workbench.yaml").touch()
    monkeypatch.chdir(tmp_path)
    return open_(tmp_path / "lake", create=True)


def tiles(bench):
    view = View(bench, NOW, {})
    return {tile.name: tile.asks(view) for tile in runs.PAGE.tiles}


def test_before_anything_ran_the_page_says_what_to_type(bench):
    found = tiles(bench)
    assert "workbench schedule" in found["jobs"].empty
    assert "workbench run" in found["latest"].empty
    assert isinstance(found["failure"], Said)
    assert isinstance(found["running"], Number)
    assert pages.history(bench) is not None


def test_jobs_runs_and_the_last_failure_are_shown_without_secrets(bench, tmp_path, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", "hush-hush-hush")
    control = bench.place.control
    job_runs.note_job(
        control,
        job_runs.JobState(
            job="tidy",
            kind="compact",
            schedule="@hourly",
            timezone="UTC",
            seen_at=NOW,
            next_due=NOW + timedelta(hours=1),
        ),
    )
    log = tmp_path / "a.log"
    log.write_text("first\nerror: hush-hush-hush\n")
    run_id = job_runs.add(control, "tidy", ["lake", "compact"], now=NOW, due_at=NOW)
    job_runs.update(
        control, run_id, status="failed", started_at=NOW, finished_at=NOW + timedelta(seconds=3), log=str(log),
        detail="error: hush-hush-hush",
    )  # fmt: skip
    history.end(control, history.begin(control, {}), status="succeeded", data_version="1")
    found = tiles(bench)
    assert found["jobs"].rows[0][:2] == ("tidy", "@hourly")
    assert found["jobs"].rows[0][3].startswith("failed")
    assert {row[1] for row in found["latest"].rows} == {"tidy", "pipeline"}
    assert next(row for row in found["latest"].rows if row[1] == "tidy")[2:4] == ("failed", "3 s")
    assert isinstance(found["failure"], Rows)
    assert found["failure"].rows == (("first",), ("error: ***",))
    assert "hush" not in str(found)
    assert (found["failed"].value, found["failed"].bad, found["succeeded"].value) == (1, True, 1)
