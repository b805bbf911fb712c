"""The commands as a person types them, each in the project folder of the `project` fixture."""

from __future__ import annotations

import json
from datetime import date

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from workbench.cli import main
from workbench.store import integrity

GOOD = {"event_id": "1", "event_type": "view", "user_id": "ann", "occurred_at": "2026-01-05T10:00:00Z"}
LATER = GOOD | {"event_id": "2", "occurred_at": "2026-01-06T10:00:00Z"}


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "workbench.yaml").write_text("port: 9000\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def typed(project, capsys):
    """Type a command; get its exit code and what it said."""

    def run(*words):
        try:
            main(words)
        except SystemExit as stop:
            said = capsys.readouterr()
            return stop.code or 0, said.out + said.err
        raise AssertionError("a command must end by exiting")

    return run


def export(project, *events):
    path = project / "export.jsonl"
    path.write_text("".join(f"{event if isinstance(event, str) else json.dumps(event)}\n" for event in events))
    return str(path)


def test_help_shows_every_command_and_an_example(typed):
    code, text = typed("--help")
    assert code == 0
    for command in ("ingest", "simulate", "run", "runs", "rejects", "lake", "serve", "doctor", "config"):
        assert command in text
    assert "Example: workbench ingest" in typed("ingest", "--help")[1]


def test_a_file_goes_in_once(typed, project):
    path = export(project, GOOD, LATER)
    assert typed("ingest", path)[0] == 0
    assert typed("ingest", path)[0] == 0
    code, text = typed("doctor", "--scrub")
    assert (code, "events    2\n" in text, "every byte is as it was committed" in text) == (0, True, True)


def test_a_reject_is_listed_shown_and_replayed(typed, project):
    typed("ingest", export(project, GOOD, {"event_id": "3"}))
    code, text = typed("rejects", "list")
    assert (code, "missing_field" in text) == (0, True)
    reject_id = text.splitlines()[1].split()[0]
    assert '{"event_id": "3"}' in typed("rejects", "show", reject_id)[1]
    assert typed("rejects", "replay")[0] == 0
    assert "events    1\n" in typed("doctor")[1]


def test_damage_is_an_error(typed, project):
    typed("ingest", export(project, GOOD))
    (file,) = (project / "data/lake").rglob("month=2026-01/*/*.parquet")
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    code, text = typed("doctor", "--scrub")
    assert (code, "1 of 1 files are damaged" in text) == (1, True)


def test_a_flipped_bit_is_told_by_every_command_that_reads(typed, project):
    typed("ingest", export(project, GOOD, LATER))
    (file, *_) = (project / "data/lake").rglob("month=2026-01/*/*.parquet")
    content = bytearray(file.read_bytes())
    content[300] ^= 2
    file.write_bytes(content)
    integrity.forget()  # each command is a process of its own
    for command in (("doctor",), ("copy", "data/lake", "data/other")):
        code, text = typed(*command)
        assert (code, file.name in text, "doctor --repair" in text) == (1, True, True)


def test_files_of_other_programs_are_counted_and_written_anew(typed, project):
    typed("ingest", export(project, GOOD))
    assert "unchecked" not in typed("doctor")[1]
    table = pa.table({"date": [date(2026, 1, 5)], "user_id": ["ann"], "churn_risk": [0.5]})
    write_deltalake(project / "data/lake/predictions", table, partition_by=["date"])
    assert "unchecked 1 files" in typed("doctor")[1]
    assert typed("lake", "compact", "--full")[0] == 0
    assert "unchecked" not in typed("doctor")[1]


def test_old_events_expire_when_told(typed, project):
    typed("ingest", export(project, GOOD, LATER, {**LATER, "event_id": "3", "occurred_at": "2026-02-06T10:00:00Z"}))
    code, text = typed("lake", "expire")
    assert (code, "retention_days is not set" in text) == (1, True)
    code, text = typed("lake", "expire", "--days", "3")
    assert (code, "2 of 3 events (66.7%)" in text, "lake expire --days 3 --yes" in text) == (1, True, True)
    assert "events    3\n" in typed("doctor")[1]
    assert "2 events from before 2026-02-03 10:00 UTC dropped" in typed("lake", "expire", "--days", "3", "--yes")[1]
    assert typed("lake", "compact", "--full")[0] == 0
    assert typed("lake", "vacuum")[0] == 0
    assert "events    1\n" in typed("doctor")[1]


def test_a_schedule_drops_no_history_of_years_ago(typed, project):
    old = GOOD | {"event_id": "4", "occurred_at": "2020-01-01T10:00:00Z"}
    typed("ingest", export(project, GOOD, LATER, old))
    assert "lake expire" not in typed("schedule", "list")[1]
    (project / "workbench.yaml").write_text("retention_days: 365\n")
    assert "lake expire" in typed("schedule", "list")[1]
    code, text = typed("lake", "expire")
    assert (code, "1 of 3 events (33.3%)" in text, "lake expire --days 365 --yes" in text) == (1, True, True)
    assert "events    3\n" in typed("doctor")[1]


def test_an_ingest_says_how_many_events_are_past_the_retention(typed, project):
    (project / "workbench.yaml").write_text("retention_days: 7\n")
    old = GOOD | {"event_id": "4", "occurred_at": "2024-01-01T10:00:00Z"}
    assert (
        "1 event of it is older than the retention of 7 days" in typed("ingest", export(project, GOOD, LATER, old))[1]
    )
    assert "older than" not in typed("ingest", export(project, GOOD, LATER))[1]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("ingest", "none.jsonl"), 1, "none.jsonl"),
        (("ingest", "none.jsonl", "--mapping", "mixpanle"), 1, "mixpan"),
        (("doctor",), 1, "no lake at"),
        (("simulate", "--users", "0"), 1, "users"),
        (("simulate", "--until", "tomorrow"), 1, "'tomorrow' is no day"),
        (("simulate", "--out", "events.xls"), 1, ".parquet"),
        (("runn",), 2, "runn"),
        (("ingest",), 2, "Missing argument"),
    ],
)
def test_a_mistake_is_answered_with_what_to_do(typed, words, code, message):
    found, text = typed(*words)
    assert (found, message in text) == (code, True), text


def test_settings_are_shown_as_they_are_in_force(typed):
    code, text = typed("config")
    assert (code, "port" in text, "9000" in text) == (0, True, True)


def test_a_token_that_can_be_guessed_is_warned_of_and_shown_nowhere(typed, monkeypatch):
    for token, warned in (("passwordpassword", True), ("929da734a61075c7184ea94efec5e210", False)):
        monkeypatch.setenv("WORKBENCH_DASHBOARDS__TOKEN", token)
        code, text = typed("config")
        assert (code, "`dashboards.token` is weak" in text, token in text) == (0, warned, False)


def test_a_simulation_can_be_ingested(typed):
    assert typed("simulate", "--users", "5", "--days", "3", "--out", "few.jsonl.gz")[0] == 0
    assert typed("ingest", "few.jsonl.gz")[0] == 0


def test_a_job_is_queued_run_once_listed_logged_repeated_and_cancelled(project, typed):
    (project / "schedule.yaml").write_text("jobs: {tidy: {kind: compact, schedule: '@daily'}}")
    assert "all of them can be run" in typed("schedule", "check")[1]
    assert typed("ingest", export(project, GOOD))[0] == 0
    assert "queued as j" in typed("schedule", "now", "tidy")[1]
    assert "never" in typed("schedule", "list")[1] or "queued" in typed("schedule", "list")[1]
    assert typed("schedule", "--once")[0] == 0
    run_id = next(word for word in typed("runs", "list")[1].split() if word.startswith("j2"))
    assert "succeeded" in typed("runs", "show", run_id)[1]
    assert "Compacted" in typed("runs", "logs", run_id)[1]
    assert "succeeded" in typed("runs", "rerun", run_id)[1]
    assert typed("runs", "cancel", run_id)[0] == 1
    typed("schedule", "now", "tidy")
    waiting = next(line.split()[0] for line in typed("runs", "list")[1].splitlines() if "queued" in line)
    assert "being stopped" in typed("runs", "cancel", waiting)[1]
    assert "cancelled" in typed("runs", "show", waiting)[1]


def test_a_schedule_that_cannot_run_is_refused_with_every_fault(project, typed):
    (project / "schedule.yaml").write_text("jobs: {a: {kind: shell, schedule: '@daily'}, b: {kind: run, schedule: x}}")
    code, said = typed("schedule", "check")
    assert code == 1
    assert "a.kind" in said
    assert "'x' is no schedule" in said
