from __future__ import annotations

import pytest
import yaml

from workbench.errors import InvalidSettings
from workbench.pipeline import jobs


def parsed(text):
    return jobs.parsed(yaml.safe_load(text), name="schedule.yaml", timezone="UTC")


def command(options):
    return parsed(f"jobs: {{one: {{{options}}}}}").jobs[0].command


def test_what_comes_along_has_the_seeds_schedules():
    known = {job.name: job for job in jobs.load(timezone="UTC").jobs}
    assert (known["pipeline"].cron.text, known["training"].cron.text) == ("0 * * * *", "0 0 * * *")
    assert (known["pipeline"].retries, known["pipeline"].retry_delay) == (1, "5m")


def test_events_expire_by_the_clock_only_where_a_retention_is_set(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "expire" not in {job.kind for job in jobs.load().jobs}
    own = tmp_path / "own.yaml"
    own.write_text(
        "jobs: {tidy: {kind: expire, schedule: '@daily'}, old: {kind: expire, schedule: '@daily', options: {days: 9}}}"
    )
    assert [job.name for job in jobs.load(own).jobs if job.kind == "expire"] == ["old"]
    (tmp_path / "workbench.yaml").write_text("retention_days: 365\n")
    assert [job.name for job in jobs.load().jobs if job.kind == "expire"] == ["retention"]
    assert [job.name for job in jobs.load(own).jobs if job.kind == "expire"] == ["tidy", "old"]


def test_a_job_is_a_command_of_this_house():
    assert command('kind: run, schedule: "@daily", options: {source: a.jsonl, force: true, set: {within: 7d}}') == [
        "run", '--set=within="7d"', "--source=a.jsonl", "--force",
    ]  # fmt: skip
    assert command('kind: report, schedule: "@daily", options: {report: weekly, set: {period: month}}') == [
        "report", "run", '--set=period="month"', "--deliver", "--", "weekly",
    ]  # fmt: skip
    assert command('kind: retrain, schedule: "@daily", options: {models: [churn, --help]}') == [
        "models", "retrain", "--", "churn", "--help",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("jobs: [a]", "must hold `jobs:`"),
        ("jobs: {a: {kind: shell, schedule: '@daily'}}", "a.kind"),
        ("jobs: {a: {kind: run, schedule: 'often'}}", "'often' is no schedule"),
        ("jobs: {a: {kind: run, schedule: '@daily', options: {sorce: x}}}", "no option 'sorce'.*source"),
        ("jobs: {a: {kind: run, schedule: '@daily', options: {force: 'yes'}}}", "force of kind run is a bool"),
        ("jobs: {a: {kind: expire, schedule: '@daily', options: {days: true}}}", "days of kind expire is a int"),
        ("jobs: {a: {kind: report, schedule: '@daily'}}", "names it"),
        ("jobs: {a: {kind: run, schedule: '@daily', comand: x}}", "a.comand is not known"),
        ("jobs: {a: {kind: run, schedule: '@daily', timezone: Mars}}", "Mars"),
        ("jobs: {a: {kind: run, schedule: '@daily', timeout: soon}}", "a.timeout"),
        ("jobs: {a: {kind: run, schedule: '@daily', notify: ['ann']}}", "'ann' is no address"),
        ("jobs: {'a b': {kind: run, schedule: '@daily'}}", "a b.name"),
        ("jobs: {a: {kind: run, schedule: '@daily'}}\nat_one: 3", "at_one"),
    ],
)
def test_what_cannot_be_run_is_named(text, named):
    with pytest.raises(InvalidSettings, match=f"(?s){named}"):
        parsed(text)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InvalidSettings, match=r"no schedule .*none\.yaml"):
        jobs.load(tmp_path / "none.yaml")
